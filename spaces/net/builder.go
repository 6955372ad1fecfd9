package net

import "fmt"

// Builder makes a Network layer by layer. Methods return the index of the node they add. The first error is kept, later calls are no-ops that return 0, and Network reports it: so a builder function needs one check, at the end.
//
// Weighted layers are numbered in the order of their creation. A space whose reference registers its modules in another order sets Node.Layer with SetLayer.
type Builder struct {
	net Network
	err error
}

// NewBuilder starts a network on images of the given shape.
func NewBuilder(name string, input Shape) *Builder {
	b := &Builder{net: Network{Name: name, Input: input}}
	if input.C < 1 || input.H < 1 || input.W < 1 {
		b.err = fmt.Errorf("net: %s: input shape %v must be positive", name, input)
	}
	b.net.Nodes = append(b.net.Nodes, Node{Op: Input, Name: "input", Layer: -1, Shape: input})
	return b
}

// Add appends a node, infers its shape and returns its index. Zero Stride and Groups mean 1, zero Eps of a BatchNorm means 1e-5. For a Conv or Linear the field Layer is assigned by the builder.
func (b *Builder) Add(nd Node) int {
	if b.err != nil {
		return 0
	}
	if nd.Stride == 0 {
		nd.Stride = 1
	}
	if nd.Op == Conv && nd.Groups == 0 {
		nd.Groups = 1
	}
	if nd.Op == BatchNorm && nd.Eps == 0 {
		nd.Eps = 1e-5
	}
	nd.Layer = -1
	if nd.Op.HasWeights() {
		nd.Layer = b.net.Layers
		b.net.Layers++
	}
	b.net.Nodes = append(b.net.Nodes, nd)
	i := len(b.net.Nodes) - 1
	if err := b.net.infer(i); err != nil {
		b.err = err
		return 0
	}
	return i
}

// Conv adds a square convolution with padding (kernel-1)/2 and no bias, as the reference's networks have it.
func (b *Builder) Conv(name string, in, out, kernel, stride int) int {
	return b.Add(Node{Op: Conv, Name: name, In: []int{in}, Out: out, Kernel: kernel, Stride: stride, Pad: (kernel - 1) / 2})
}

// Depthwise adds a convolution of each channel with its own kernel, with padding (kernel-1)/2 and no bias.
func (b *Builder) Depthwise(name string, in, kernel, stride int) int {
	c := b.Shape(in).C
	return b.Add(Node{Op: Conv, Name: name, In: []int{in}, Out: c, Groups: c, Kernel: kernel, Stride: stride, Pad: (kernel - 1) / 2})
}

// BatchNorm adds a batch normalisation with the given epsilon (0 means 1e-5).
func (b *Builder) BatchNorm(name string, in int, eps float64) int {
	return b.Add(Node{Op: BatchNorm, Name: name, In: []int{in}, Eps: eps})
}

// SetMomentum gives a batch norm another momentum than PyTorch's default.
func (b *Builder) SetMomentum(norm int, momentum float64) {
	if b.err == nil {
		b.net.Nodes[norm].Momentum = momentum
	}
}

// ReLU adds a rectifier.
func (b *Builder) ReLU(in int) int { return b.Add(Node{Op: ReLU, In: []int{in}}) }

// Sum adds the sum of its inputs; of one input it is that input itself.
func (b *Builder) Sum(in ...int) int {
	if len(in) == 1 {
		return in[0]
	}
	return b.Add(Node{Op: Add, In: append([]int(nil), in...)})
}

// Head adds the usual classifier: global average pooling and a linear layer with bias.
func (b *Builder) Head(name string, in, classes int) int {
	p := b.Add(Node{Op: GlobalAvgPool, In: []int{in}})
	return b.Add(Node{Op: Linear, Name: name, In: []int{p}, Out: classes, Bias: true})
}

// Shape returns the shape of a node's output (the zero Shape after an error).
func (b *Builder) Shape(node int) Shape {
	if b.err != nil || node < 0 || node >= len(b.net.Nodes) {
		return Shape{}
	}
	return b.net.Nodes[node].Shape
}

// Skip leaves out n ordinals: those of weighted layers that a larger network has here, so that the layers of both draw the same weights.
func (b *Builder) Skip(n int) {
	if b.err == nil {
		b.net.Layers += n
	}
}

// SetLayer gives a weighted node another ordinal than its order of creation. Network checks that none is given twice.
func (b *Builder) SetLayer(node, layer int) {
	if b.err != nil {
		return
	}
	if node < 0 || node >= len(b.net.Nodes) || !b.net.Nodes[node].Op.HasWeights() {
		b.err = fmt.Errorf("net: %s: node %d is no convolution or linear layer and has no ordinal to set to %d", b.net.Name, node, layer)
		return
	}
	b.net.Nodes[node].Layer = layer
}

// Network finishes the network with the given output node, whose features are the classes, and validates it.
func (b *Builder) Network(output int) (*Network, error) {
	if b.err != nil {
		return nil, b.err
	}
	n := b.net
	n.Output = output
	if output >= 0 && output < len(n.Nodes) {
		n.Classes = n.Nodes[output].Shape.C
	}
	if err := n.Validate(); err != nil {
		return nil, err
	}
	return &n, nil
}
