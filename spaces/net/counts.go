package net

import "fmt"

// Convention is a way to count the work of a network. Papers and tools disagree on what to count; a budget means nothing without its convention.
type Convention uint8

const (
	// MACs counts the multiply-accumulates of convolutions and linear layers, and nothing else.
	MACs Convention = iota
	// XAutoDL counts as D-X-Y's get_model_infos does, on which the FLOPs of NATS-Bench and NAS-Bench-201 rest: MACs and one addition for each output of a layer with a bias.
	XAutoDL
	// PTFlops counts as the ptflops tool does by default, on which the FLOPs printed in the ZiCo paper rest: MACs with bias additions, two for each element of a batch normalisation, one for each element of a rectifier, sigmoid or pooling input. A rectifier that several convolutions share counts once here, and once for each of them in ptflops, which counts modules.
	PTFlops
)

var conventionNames = [...]string{"macs", "xautodl", "ptflops"}

// String is the convention's lower-case name.
func (c Convention) String() string {
	if int(c) < len(conventionNames) {
		return conventionNames[c]
	}
	return fmt.Sprintf("convention(%d)", uint8(c))
}

// Conventions lists all conventions.
func Conventions() []Convention { return []Convention{MACs, XAutoDL, PTFlops} }

// FLOPs counts the work of one image under a convention. (The field says FLOPs and means multiply-accumulates.) n must be valid.
func FLOPs(n *Network, c Convention) int64 {
	var total int64
	for i := range n.Nodes {
		total += NodeFLOPs(n, i, c)
	}
	return total
}

// NodeFLOPs is the share of one node in FLOPs.
func NodeFLOPs(n *Network, node int, c Convention) int64 {
	nd := &n.Nodes[node]
	out := int64(nd.Shape.Elements())
	switch nd.Op {
	case Conv, Linear:
		_, fanIn := n.WeightShape(node)
		work := out * int64(fanIn)
		if nd.Bias && c != MACs {
			work += out
		}
		return work
	case BatchNorm:
		if c == PTFlops {
			return 2 * out
		}
	case ReLU, Sigmoid:
		if c == PTFlops {
			return out
		}
	case AvgPool, MaxPool, GlobalAvgPool:
		if c == PTFlops {
			return int64(n.Nodes[nd.In[0]].Shape.Elements())
		}
	}
	return 0
}

// Params counts the trainable parameters: weights and biases of convolutions and linear layers, and the scale and offset of batch normalisations. n must be valid.
func Params(n *Network) int64 {
	var total int64
	for i := range n.Nodes {
		total += NodeParams(n, i)
	}
	return total
}

// Counts are what the baselines of every comparison count of a network.
type Counts struct {
	Params int64 // as Params
	MACs   int64 // FLOPs by the convention MACs
}

// Add adds layers without bias: their weights, each applied once to every pixel of their output, and the channels of their batch norms. Formulas of a spaces.Counter are made of it.
func (c *Counts) Add(weights, norms, pixels int) {
	c.Params += int64(weights) + 2*int64(norms)
	c.MACs += int64(weights) * int64(pixels)
}

// AddHead adds what Builder.Head does.
func (c *Counts) AddHead(features, classes int) {
	c.Add(features*classes, 0, 1)
	c.Params += int64(classes)
}

// Count counts both. n must be valid.
func Count(n *Network) Counts { return Counts{Params(n), FLOPs(n, MACs)} }

// NodeParams is the share of one node in Params.
func NodeParams(n *Network, node int) int64 {
	nd := &n.Nodes[node]
	switch nd.Op {
	case Conv, Linear:
		_, fanIn := n.WeightShape(node)
		p := int64(nd.Out) * int64(fanIn)
		if nd.Bias {
			p += int64(nd.Out)
		}
		return p
	case BatchNorm:
		return 2 * int64(nd.Shape.C)
	}
	return 0
}
