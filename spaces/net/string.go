package net

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// String lists the layers with their inputs, shapes, parameters and multiply-accumulates, and the totals. n must be valid.
func (n *Network) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v to %d classes, %d weighted layers, %d parameters, %d multiply-accumulates\n", n.Name, n.Input, n.Classes, n.Layers, Params(n), FLOPs(n, MACs))
	var rows strings.Builder
	t := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "node\tlayer\tname\tinputs\tshape\tparameters\tMACs")
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		in := strings.Trim(strings.ReplaceAll(fmt.Sprint(nd.In), " ", ","), "[]")
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", i, nd.Label(), nd.Name, in, nd.Shape, some(NodeParams(n, i)), some(NodeFLOPs(n, i, MACs)))
	}
	t.Flush()
	for line := range strings.Lines(rows.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

func some(v int64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprint(v)
}

// Label says what a node does in a few words: "conv 3x3/2 32" is a convolution of stride 2 to 32 channels.
func (nd *Node) Label() string {
	window := func() string {
		s := fmt.Sprintf("%dx%d", nd.Kernel, nd.Kernel)
		if nd.Stride > 1 {
			s += fmt.Sprintf("/%d", nd.Stride)
		}
		if nd.Op == Conv && nd.Dilation > 1 {
			s += fmt.Sprintf(" dilated %d", nd.Dilation)
		}
		return s
	}
	switch nd.Op {
	case Conv:
		switch {
		case nd.Groups > 1 && nd.Groups == nd.Out:
			return fmt.Sprintf("depthwise %s %d", window(), nd.Out)
		case nd.Groups > 1:
			return fmt.Sprintf("conv %s %d in %d groups", window(), nd.Out, nd.Groups)
		}
		return fmt.Sprintf("conv %s %d", window(), nd.Out)
	case AvgPool, MaxPool:
		return nd.Op.String() + " " + window()
	case Linear:
		return fmt.Sprintf("linear %d", nd.Out)
	case Scale:
		return fmt.Sprintf("scale %.4g", nd.Factor)
	case Slice:
		return fmt.Sprintf("slice %d:%d", nd.From, nd.To)
	}
	return nd.Op.String()
}
