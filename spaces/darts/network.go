package darts

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// Network implements spaces.Space, without the auxiliary classifier that DARTS trains with and drops. Modules are named and ordered as in NetworkCIFAR and NetworkImageNet of quark0/darts, for a genotype that lists its edges in canonical order.
//
// The reference cannot halve a picture of odd size: multiples of 4 (CIFAR) and of 32 (ImageNet) are always right, other sizes may be an error that wraps net.ErrShape, as is an odd C of an ImageNet network. For ImageNet the reference takes pictures of 224 pixels only, which it pools globally.
func (s Space) Network(a spaces.Arch, in spaces.Input) (*net.Network, error) {
	g, err := s.read(a)
	if err != nil {
		return nil, err
	}
	if in.Classes < 1 {
		return nil, fmt.Errorf("%s: %d classes; at least one is needed", s.Name(), in.Classes)
	}
	b := builder{Builder: net.NewBuilder(string(a), net.Shape{C: 3, H: in.Size, W: in.Size})}
	s0, s1 := b.stem(s)
	c := s.C
	halved := s.ImageNet // whether s1 has half the resolution of s0
	for i := range s.Cells {
		reduce := i == s.Cells/3 || i == 2*s.Cells/3
		if reduce {
			c *= 2
		}
		s0, s1 = s1, b.cell(fmt.Sprintf("cells.%d", i), g, s0, s1, c, reduce, halved)
		halved = reduce
	}
	n, err := b.Network(b.Head("classifier", s1, in.Classes))
	if err == nil && b.odd != "" {
		err = fmt.Errorf("%s: %s: %w", s.Name(), b.odd, net.ErrShape)
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// builder is a net.Builder that remembers the first factorised reduction that the reference could not make.
type builder struct {
	*net.Builder
	odd string
}

// stem adds the layers before the first cell and returns its two inputs.
func (b *builder) stem(s Space) (s0, s1 int) {
	if !s.ImageNet {
		x := b.BatchNorm("stem.1", b.Conv("stem.0", 0, 3*s.C, 3, 1), 0)
		return x, x
	}
	s0 = b.BatchNorm("stem0.1", b.Conv("stem0.0", 0, s.C/2, 3, 2), 0)
	s0 = b.BatchNorm("stem0.4", b.Conv("stem0.3", b.ReLU(s0), s.C, 3, 2), 0)
	s1 = b.BatchNorm("stem1.2", b.Conv("stem1.1", b.ReLU(s0), s.C, 3, 2), 0)
	return s0, s1
}

// cell adds one cell of c channels for each state. halved says that s0 has twice the resolution of s1.
func (b *builder) cell(name string, g genotype, s0, s1, c int, reduce, halved bool) int {
	edges, stride := &g[0], 1
	if reduce {
		edges, stride = &g[1], 2
	}
	if halved {
		s0 = b.factorized(name+".preprocess0", b.ReLU(s0), c)
	} else {
		s0 = b.BatchNorm(name+".preprocess0.op.2", b.Conv(name+".preprocess0.op.1", b.ReLU(s0), c, 1, 1), 0)
	}
	s1 = b.BatchNorm(name+".preprocess1.op.2", b.Conv(name+".preprocess1.op.1", b.ReLU(s1), c, 1, 1), 0)
	states := []int{s0, s1}
	for i, node := range edges {
		var terms []int
		for e, ed := range node {
			relu := func() int { return b.ReLU(states[ed.from]) } // each operation has its own, as in the reference's modules
			st := 1
			if ed.from < 2 {
				st = stride
			}
			op := fmt.Sprintf("%s._ops.%d", name, 2*i+e)
			var y int
			switch ed.op {
			case maxPool:
				y = b.Add(net.Node{Op: net.MaxPool, In: []int{states[ed.from]}, Kernel: 3, Stride: st, Pad: 1})
			case avgPool:
				y = b.Add(net.Node{Op: net.AvgPool, In: []int{states[ed.from]}, Kernel: 3, Stride: st, Pad: 1})
			case skip:
				y = states[ed.from]
				if st > 1 {
					y = b.factorized(op, relu(), c)
				}
			case sepConv3, sepConv5:
				kernel := 3 + 2*int(ed.op-sepConv3)
				y = b.separable(op+".op", 1, relu(), kernel, st, 1)
				y = b.separable(op+".op", 5, b.ReLU(y), kernel, 1, 1)
			default:
				y = b.separable(op+".op", 1, relu(), 3+2*int(ed.op-dilConv3), st, 2)
			}
			terms = append(terms, y)
		}
		states = append(states, b.Sum(terms...))
	}
	return b.Add(net.Node{Op: net.Concat, In: states[2:]})
}

// separable adds a depthwise convolution, a 1x1 convolution and a batch norm, which are the modules first to first+2 of name.
func (b *builder) separable(name string, first, rectified, kernel, stride, dilation int) int {
	c := b.Shape(rectified).C
	module := func(k int) string { return fmt.Sprintf("%s.%d", name, first+k) }
	y := b.Add(net.Node{Op: net.Conv, Name: module(0), In: []int{rectified}, Out: c, Groups: c, Kernel: kernel, Stride: stride, Pad: (kernel - 1) / 2 * dilation, Dilation: dilation})
	return b.BatchNorm(module(2), b.Conv(module(1), y, c, 1, 1), 0)
}

// factorized halves the resolution with two 1x1 convolutions, of the rectified picture and of the same moved by one pixel, side by side.
func (b *builder) factorized(name string, rectified, out int) int {
	if in := b.Shape(rectified); b.odd == "" && (in.H%2 != 0 || out%2 != 0) {
		b.odd = fmt.Sprintf("%s halves a picture of %d pixels into 2 times %g channels; both must be whole numbers: use pictures whose size is a multiple of 32, and an even C", name, in.H, float64(out)/2)
	}
	l := b.Conv(name+".conv_1", rectified, out/2, 1, 2)
	moved := b.Add(net.Node{Op: net.Shift, In: []int{rectified}})
	r := b.Conv(name+".conv_2", moved, out-out/2, 1, 2)
	return b.BatchNorm(name+".bn", b.Add(net.Node{Op: net.Concat, In: []int{l, r}}), 0)
}

// read reads an Arch that Parse has returned.
func (s Space) read(a spaces.Arch) (genotype, error) {
	g, err := s.parse(string(a))
	if err != nil {
		return genotype{}, err
	}
	if want := g.arch(); want != a {
		return genotype{}, spaces.NotCanonical(s.Name(), a, want)
	}
	return g, nil
}
