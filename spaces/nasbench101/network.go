package nasbench101

import (
	"encoding/json"
	"fmt"
	"math/bits"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// channels are the output channels of each vertex of a cell. The vertices that the output reads share its channels evenly; where that does not come out even, the first ones have one more. Other vertices have as many as the widest vertex that reads them, which cuts off the channels that it has no use for. (compute_vertex_channels in model_builder.py of google-research/nasbench.)
func (c *cell) channels(in, out int) (ch [maxVertices]int) {
	last := c.n - 1
	ch[0], ch[last] = in, out
	final := c.in[last] &^ 1
	share := bits.OnesCount8(final)
	if share == 0 {
		return ch
	}
	left := out % share
	for m := final; m != 0; m &= m - 1 {
		v := bits.TrailingZeros8(m)
		ch[v] = out / share
		if left > 0 {
			ch[v]++
			left--
		}
	}
	readers := c.out()
	for v := last - 1; v > 0; v-- {
		if final>>v&1 == 0 {
			for m := readers[v]; m != 0; m &= m - 1 {
				ch[v] = max(ch[v], ch[bits.TrailingZeros8(m)])
			}
		}
	}
	return ch
}

// Network implements spaces.Space: a stem of C channels; three stacks of N cells, with a max pool that halves the picture before the second and the third, whose cells have twice the channels; global pool and classifier. A vertex adds up what it reads, the input through a 1x1 projection of its own; the output joins what it reads and adds the projected input. Convolutions are followed by batch normalisation (epsilon 1e-5, as in the benchmark's config.py) and a rectifier. Modules are named and ordered as in romulus0914/NASBench-PyTorch.
//
// Pictures of odd size lose their last row and column in the max pool, as in PyTorch; at the benchmark's 32 pixels there is none.
func (s Space) Network(a spaces.Arch, in spaces.Input) (*net.Network, error) {
	c, err := s.read(a)
	if err != nil {
		return nil, err
	}
	return s.build(&c, in)
}

// Build makes the network of a cell as it is written, pruned but with its own order of vertices, where Network has the canonical one; and with more edges than the benchmark's nine, if there are at most seven vertices. Errors of a Spec are *spaces.ParseError on its JSON.
func (s Space) Build(spec Spec, in spaces.Input) (*net.Network, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name(), err)
	}
	p := &parser{s.Name(), string(text)}
	d, err := p.json()
	if err != nil {
		return nil, err
	}
	c, err := p.prune(d, maxVertices*(maxVertices-1)/2)
	if err != nil {
		return nil, err
	}
	return s.build(&c, in)
}

// read reads an Arch that Parse has returned.
func (s Space) read(a spaces.Arch) (cell, error) {
	c, err := parse(s.Name(), string(a))
	if err != nil {
		return c, err
	}
	if want := c.arch(); want != a {
		return c, spaces.NotCanonical(s.Name(), a, want)
	}
	return c, nil
}

func (s Space) build(c *cell, in spaces.Input) (*net.Network, error) {
	if s.C < minChannels || s.N < 1 {
		return nil, fmt.Errorf("%s: C must be at least %d, a channel for each vertex that the output can read, and N at least 1", s.Name(), minChannels)
	}
	if in.Classes < 1 {
		return nil, fmt.Errorf("%s: %d classes; at least one is needed", s.Name(), in.Classes)
	}
	b := &builder{Builder: net.NewBuilder(string(c.arch()), net.Shape{C: 3, H: in.Size, W: in.Size})}
	_, x := b.convolution("layers.0", 0, s.C, 3, portMomentum)
	b.layers = 1
	k := 1 // position among stem, cells and pools
	for stack := range 3 {
		if stack > 0 {
			x = b.Add(net.Node{Op: net.MaxPool, In: []int{x}, Kernel: 2, Stride: 2})
			k++
		}
		for range s.N {
			x = b.cell(fmt.Sprintf("layers.%d", k), c, x, s.C<<stack)
			k++
		}
	}
	return b.Network(b.Head("classifier", x, in.Classes))
}

// builder adds cells to a network.
type builder struct {
	*net.Builder
	layers int // weighted layers so far
}

// The PyTorch port hands its stem and projections the decay of the original's TensorFlow, 0.997, where PyTorch wants the share of the batch; the operations of the vertices have PyTorch's default.
const (
	portMomentum    = 0.997
	defaultMomentum = 0.1
)

// convolution adds a convolution with batch normalisation and rectifier and returns the nodes of the convolution and of the rectifier.
func (b *builder) convolution(name string, in, out, kernel int, momentum float64) (conv, relu int) {
	conv = b.Conv(name+".conv_bn_relu.0", in, out, kernel, 1)
	norm := b.BatchNorm(name+".conv_bn_relu.1", conv, 0)
	b.SetMomentum(norm, momentum)
	return conv, b.ReLU(norm)
}

// cell adds one cell of the given output channels.
func (b *builder) cell(name string, c *cell, x, out int) int {
	last := int(c.n) - 1
	ch := c.channels(b.Shape(x).C, out)
	var operations, projections []int // convolutions, to be numbered as the reference registers them
	project := func(v int) int {
		conv, y := b.convolution(fmt.Sprintf("%s.input_op.%d", name, v), x, ch[v], 1, portMomentum)
		projections = append(projections, conv)
		return y
	}
	var made [maxVertices]int // the node of each vertex
	var joined []int
	for v := 1; v < last; v++ {
		var terms []int
		for m := c.in[v] &^ 1; m != 0; m &= m - 1 {
			y := made[bits.TrailingZeros8(m)]
			if b.Shape(y).C > ch[v] {
				y = b.Add(net.Node{Op: net.Slice, In: []int{y}, To: ch[v]})
			}
			terms = append(terms, y)
		}
		if c.in[v]&1 == 1 {
			terms = append(terms, project(v))
		}
		y := b.Sum(terms...)
		switch c.ops[v] {
		case maxPool:
			y = b.Add(net.Node{Op: net.MaxPool, In: []int{y}, Kernel: 3, Stride: 1, Pad: 1})
		case conv3x3, conv1x1:
			kind, kernel := "conv3x3", 3
			if c.ops[v] == conv1x1 {
				kind, kernel = "conv1x1", 1
			}
			var conv int
			conv, y = b.convolution(fmt.Sprintf("%s.vertex_op.%d.%s", name, v, kind), y, ch[v], kernel, defaultMomentum)
			operations = append(operations, conv)
		}
		made[v] = y
		if c.in[last]>>v&1 == 1 {
			joined = append(joined, y)
		}
	}
	var terms []int
	switch len(joined) {
	case 0:
	case 1:
		terms = joined
	default:
		terms = []int{b.Add(net.Node{Op: net.Concat, In: joined})}
	}
	if c.in[last]&1 == 1 {
		terms = append(terms, project(last))
	}
	// The reference registers the operations of all vertices before the projections.
	for _, conv := range append(operations, projections...) {
		b.SetLayer(conv, b.layers)
		b.layers++
	}
	return b.Sum(terms...)
}
