package transnas

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// Network implements spaces.Space: the backbone with global pooling and a linear layer of in.Classes outputs behind it. Modules are named and ordered as in the benchmark's MacroNet.
func (s Space) Network(a spaces.Arch, in spaces.Input) (*net.Network, error) {
	x, err := s.read(a)
	if err != nil {
		return nil, err
	}
	if in.Classes < 1 {
		return nil, fmt.Errorf("%s: %d classes; at least one is needed", s.Name(), in.Classes)
	}
	if s.C < 2 || s.C%2 != 0 {
		return nil, fmt.Errorf("%s: the first convolution of the stem has half of its %d channels; use an even number", s.Name(), s.C)
	}
	b := net.NewBuilder(string(a), net.Shape{C: 3, H: in.Size, W: in.Size})
	y := b.BatchNorm("stem.1", b.Conv("stem.0", 0, s.C/2, 3, 2), 0)
	y = reluConvBN(b, "stem.2", b.ReLU(y), s.C, 3, 2)
	channels := s.C
	for m, digit := range x.modules {
		stride := 1
		if digit > '2' {
			stride = 2
		}
		if digit%2 == 0 {
			channels *= 2
		}
		for k := range 2 {
			name := fmt.Sprintf("layer%d.%d", m, k)
			if s.Macro {
				y = residual(b, name, y, channels, stride)
			} else {
				y = x.build(b, name, y, channels, stride)
			}
			stride = 1
		}
	}
	return b.Network(b.Head("head", y, in.Classes))
}

// reluConvBN adds the convolution and the batch norm of a ReLUConvBN to its rectifier.
func reluConvBN(b *net.Builder, name string, rectified, out, kernel, stride int) int {
	return b.BatchNorm(name+".ops.2", b.Conv(name+".ops.1", rectified, out, kernel, stride), 0)
}

// build adds one cell. Edges from node 0 have the stride and change the channels.
func (a arch) build(b *net.Builder, name string, x, out, stride int) int {
	nodes := []int{x}
	var terms []int
	for e, edge := range edges {
		from, st := nodes[edge[0]], 1
		if edge[0] == 0 {
			st = stride
		}
		layer := fmt.Sprintf("%s.edges.%d", name, e)
		in := b.Shape(from)
		switch op := a.cell[e]; {
		case op == zero:
			terms = append(terms, b.Add(net.Node{Op: net.Zero, In: []int{from}, Shape: net.Shape{C: out, H: (in.H + st - 1) / st, W: (in.W + st - 1) / st}}))
		case op == skip && st == 1 && in.C == out:
			terms = append(terms, from)
		case op == skip:
			terms = append(terms, factorized(b, layer, b.ReLU(from), out, st))
		case op == conv1x1:
			terms = append(terms, reluConvBN(b, layer, b.ReLU(from), out, 1, st))
		default:
			terms = append(terms, reluConvBN(b, layer, b.ReLU(from), out, 3, st))
		}
		if edge[0] == edge[1]-1 { // the last edge into its node
			nodes = append(nodes, b.Sum(terms...))
			terms = nil
		}
	}
	return nodes[3]
}

// factorized adds a skip connection that changes the shape: two 1x1 convolutions, of the rectified picture and of the same moved by one pixel, side by side.
func factorized(b *net.Builder, name string, rectified, out, stride int) int {
	l := b.Conv(name+".convs.0", rectified, out/2, 1, stride)
	moved := b.Add(net.Node{Op: net.Shift, In: []int{rectified}})
	r := b.Conv(name+".convs.1", moved, out-out/2, 1, stride)
	return b.BatchNorm(name+".bn", b.Add(net.Node{Op: net.Concat, In: []int{l, r}}), 0)
}

// residual adds the basic residual block of the macro space.
func residual(b *net.Builder, name string, x, out, stride int) int {
	in := b.Shape(x).C
	y := reluConvBN(b, name+".conv_a", b.ReLU(x), out, 3, stride)
	y = reluConvBN(b, name+".conv_b", b.ReLU(y), out, 3, 1)
	if stride != 1 || in != out {
		// The benchmark hands this norm its flags (affine, track_running_stats) where epsilon and momentum belong, so it was trained, and has to be scored, with an epsilon of 1.
		x = b.BatchNorm(name+".downsample.1", b.Conv(name+".downsample.0", x, out, 1, stride), 1)
	}
	return b.Sum(x, y)
}

// read reads an Arch that Parse has returned.
func (s Space) read(a spaces.Arch) (arch, error) {
	x, err := s.parse(string(a))
	if err != nil {
		return arch{}, err
	}
	if want := s.print(x); want != a {
		return arch{}, spaces.NotCanonical(s.Name(), a, want)
	}
	return x, nil
}
