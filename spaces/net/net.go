// Package net describes a convolutional network as plain data: a directed acyclic graph of layers with inferred shapes.
//
// A Network says what is computed, never how. Search spaces build networks, counters and drawings read them, and package tape runs them. Nothing here depends on a device or on XLA.
//
// Shapes are per image and written [channels, height, width] as in the papers; a vector of n features is [n, 1, 1]. The batch is the business of whoever runs the network.
package net

import "fmt"

// Op is the kind of a layer.
type Op uint8

// The layers a network is made of. Each comment gives the fields of Node that it reads.
const (
	// Input is the image batch; always node 0 and only there.
	Input Op = iota
	// Conv is a two-dimensional convolution (Out, Kernel, Stride, Pad, Dilation, Groups, Bias).
	Conv
	// BatchNorm normalises each channel over the batch with scale 1 and offset 0 (Eps, Momentum).
	BatchNorm
	// ReLU is max(x, 0), with derivative 0 at 0.
	ReLU
	// AvgPool is the mean over a window (Kernel, Stride, Pad, CountPad).
	AvgPool
	// MaxPool is the maximum over a window padded with minus infinity (Kernel, Stride, Pad).
	MaxPool
	// GlobalAvgPool is the mean over height and width: [c,h,w] to [c,1,1].
	GlobalAvgPool
	// Linear is a fully connected layer on [n,1,1] (Out, Bias).
	Linear
	// Add sums any number of equal shapes.
	Add
	// Concat joins inputs along the channels.
	Concat
	// Slice keeps the channels From (included) to To (excluded).
	Slice
	// Shift moves the picture up and left by one pixel: y[h,w] = x[h+1,w+1], with zeros at the bottom and right edge (the second path of a factorised reduction).
	Shift
	// Sigmoid is 1/(1+exp(-x)).
	Sigmoid
	// Gate multiplies its first input [c,h,w] by its second [c,1,1] (squeeze and excitation).
	Gate
	// Zero is x*0: a path that carries exact zeros forwards and backwards. It has its input's shape or, where Shape is set beforehand, that one.
	Zero
	// Scale multiplies by a constant (Factor), as the operations of an edge of a supernet are weighted.
	Scale
)

var opNames = [...]string{"input", "conv", "batchnorm", "relu", "avgpool", "maxpool", "globalavgpool", "linear", "add", "concat", "slice", "shift", "sigmoid", "gate", "zero", "scale"}

// String returns the lower-case name of the operation.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("op(%d)", uint8(o))
}

// HasWeights reports whether the operation has a weight tensor that takes part in the scores: Conv and Linear.
func (o Op) HasWeights() bool { return o == Conv || o == Linear }

// Shape is the shape of one image's activation: channels, height, width.
type Shape struct{ C, H, W int }

// Elements is C*H*W.
func (s Shape) Elements() int { return s.C * s.H * s.W }

// String prints the shape as [c,h,w].
func (s Shape) String() string { return fmt.Sprintf("[%d,%d,%d]", s.C, s.H, s.W) }

// Node is one layer. In holds the indices of its inputs in Network.Nodes, all smaller than its own index.
type Node struct {
	Op   Op
	Name string // name of the module, dotted as in the reference's named_modules, e.g. "cells.0.layers.1.op.1"; may be empty for layers without parameters
	In   []int
	// Layer is the ordinal of a Conv or Linear among the network's weighted layers in the reference's order of modules: it names the stream that the layer's weights are drawn from. It survives pruning. -1 for other operations.
	Layer int

	Out      int  // output channels or features
	Kernel   int  // window, square
	Stride   int  // in both directions
	Pad      int  // zeros (MaxPool: minus infinity) added on each side
	Dilation int  // distance of a Conv's neighbouring weights in the picture; 1 is an ordinary convolution, and 0 means 1
	Groups   int  // groups of a Conv; Groups == input channels == Out is a depthwise convolution
	Bias     bool // Conv, Linear
	CountPad bool // AvgPool: divide by Kernel*Kernel even where the window hangs over the edge
	Eps      float64
	Momentum float64 // BatchNorm: share of the batch in the running statistics; 0 means 0.1, PyTorch's default
	From, To int     // Slice
	Factor   float64 // Scale

	// Shape is the output's shape, filled in by Builder and by Infer (Zero: see there).
	Shape Shape
}

// Network is a graph of layers in topological order. Node 0 is the Input; Output is the node that holds the logits.
type Network struct {
	Name    string // architecture and its space, for messages
	Input   Shape  // shape of one image
	Classes int    // features of the output
	Nodes   []Node
	Output  int
	// Layers is the number of weighted layers of the network as it was built (before any pruning): one more than the largest possible Node.Layer.
	Layers int
}

// WeightShape returns the shape of the weight of a Conv (out, in/groups, kernel, kernel) or Linear (out, in) in PyTorch's order, and the fan-in that the reference's initialisation uses (the product of all dimensions but the first). It returns nil, 0 for other operations.
func (n *Network) WeightShape(node int) (dims []int, fanIn int) {
	nd := &n.Nodes[node]
	switch nd.Op {
	case Conv:
		in := n.Nodes[nd.In[0]].Shape.C / nd.Groups
		return []int{nd.Out, in, nd.Kernel, nd.Kernel}, in * nd.Kernel * nd.Kernel
	case Linear:
		in := n.Nodes[nd.In[0]].Shape.C
		return []int{nd.Out, in}, in
	}
	return nil, 0
}
