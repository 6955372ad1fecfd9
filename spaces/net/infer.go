package net

import (
	"errors"
	"fmt"
	"math"
)

// ErrShape marks a layer whose input has no valid output shape: a window larger than the padded picture, channels that do not divide into groups, sums of unequal shapes, numbers too large to count with.
var ErrShape = errors.New("impossible shape")

// Infer fills in the shape of every node from Input, in order.
// It returns an error that wraps ErrShape and names the node when a layer cannot be applied to its input.
func (n *Network) Infer() error {
	for i := range n.Nodes {
		if err := n.infer(i); err != nil {
			return err
		}
	}
	return nil
}

// infer checks node i against its inputs and sets its shape.
func (n *Network) infer(i int) error {
	nd := &n.Nodes[i]
	fail := func(format string, args ...any) error {
		return fmt.Errorf("net: %s: node %d (%s %q): %s: %w", n.Name, i, nd.Op, nd.Name, fmt.Sprintf(format, args...), ErrShape)
	}
	want := 1
	switch nd.Op {
	case Input:
		want = 0
	case Gate:
		want = 2
	case Add, Concat:
		want = max(1, len(nd.In))
	}
	if len(nd.In) != want {
		return fail("has %d inputs, needs %d", len(nd.In), want)
	}
	for _, j := range nd.In {
		if j < 0 || j >= i {
			return fail("input %d is not an earlier node", j)
		}
	}
	if nd.Op == Input {
		if i != 0 {
			return fail("only node 0 may be the input")
		}
		if n.Input.C < 1 || n.Input.H < 1 || n.Input.W < 1 {
			return fail("image shape %v must be positive", n.Input)
		}
		if err := check(n.Input, 0); err != "" {
			return fail("%s", err)
		}
		nd.Shape = n.Input
		return nil
	}
	in := n.Nodes[nd.In[0]].Shape
	out := in
	switch nd.Op {
	case Conv, AvgPool, MaxPool:
		if nd.Kernel < 1 || nd.Stride < 1 || nd.Pad < 0 {
			return fail("kernel %d, stride %d, padding %d; kernel and stride must be at least 1, padding at least 0", nd.Kernel, nd.Stride, nd.Pad)
		}
	}
	switch nd.Op {
	case Conv:
		if nd.Dilation < 0 {
			return fail("dilation %d; it must be at least 1, or 0 for 1", nd.Dilation)
		}
		if nd.Out < 1 || nd.Groups < 1 || in.C%nd.Groups != 0 || nd.Out%nd.Groups != 0 {
			return fail("%d input and %d output channels do not divide into %d groups", in.C, nd.Out, nd.Groups)
		}
		out = nd.window(in)
		out.C = nd.Out
	case AvgPool, MaxPool:
		out = nd.window(in)
		if nd.Pad > nd.Kernel/2 {
			return fail("padding %d is more than half of the window %d", nd.Pad, nd.Kernel)
		}
	case GlobalAvgPool:
		out = Shape{in.C, 1, 1}
	case Linear:
		if in.H != 1 || in.W != 1 {
			return fail("needs a vector, got %v: pool first", in)
		}
		if nd.Out < 1 {
			return fail("needs at least one output, has %d", nd.Out)
		}
		out = Shape{nd.Out, 1, 1}
	case Add:
		for _, j := range nd.In[1:] {
			if s := n.Nodes[j].Shape; s != in {
				return fail("adds %v to %v", s, in)
			}
		}
	case Concat:
		for _, j := range nd.In[1:] {
			s := n.Nodes[j].Shape
			if s.H != in.H || s.W != in.W {
				return fail("joins %v to %v", s, in)
			}
			out.C += s.C
		}
	case Slice:
		if nd.From < 0 || nd.To <= nd.From || nd.To > in.C {
			return fail("channels %d to %d of %d", nd.From, nd.To, in.C)
		}
		out.C = nd.To - nd.From
	case Gate:
		if g := n.Nodes[nd.In[1]].Shape; g != (Shape{in.C, 1, 1}) {
			return fail("gate %v does not match %v", g, in)
		}
	case Zero:
		if nd.Shape != (Shape{}) {
			out = nd.Shape
		}
	case BatchNorm:
		if !(nd.Eps > 0) { // NaN is not positive either
			return fail("epsilon %g must be positive", nd.Eps)
		}
	case Scale:
		if nd.Factor == 0 || math.IsNaN(nd.Factor) || math.IsInf(nd.Factor, 0) {
			return fail("factor %g must be finite and not 0; a path of zeros is a Zero layer", nd.Factor)
		}
	case ReLU, Shift, Sigmoid:
	default:
		return fail("unknown operation")
	}
	if out.C < 1 || out.H < 1 || out.W < 1 {
		return fail("%v collapses to %v: the image is too small for this depth", in, out)
	}
	fan := 0.0
	switch nd.Op {
	case Conv:
		fan = float64(in.C/nd.Groups) * float64(nd.Kernel) * float64(nd.Kernel)
	case Linear:
		fan = float64(in.C)
	}
	if err := check(out, fan); err != "" {
		return fail("%s", err)
	}
	nd.Shape = out
	return nil
}

// Limits beyond which nothing could be run and sums of counts could overflow.
const (
	maxElements = 1 << 40 // of an activation or a weight
	maxWork     = 1 << 48 // multiply-accumulates of a layer
	maxLayers   = 1 << 20
)

// check refuses a layer whose numbers are too large to count with. fan is the number of weights of an output channel.
func check(out Shape, fan float64) string {
	elements := float64(out.C) * float64(out.H) * float64(out.W)
	switch {
	case elements > maxElements:
		return fmt.Sprintf("the output %v has more than 2^40 elements", out)
	case float64(out.C)*fan > maxElements:
		return fmt.Sprintf("%.3g weights are more than 2^40", float64(out.C)*fan)
	case elements*fan > maxWork:
		return fmt.Sprintf("%.3g multiply-accumulates are more than 2^48", elements*fan)
	}
	return ""
}

// window is the output shape of a sliding window; a window that does not fit gives a shape with a zero.
func (nd *Node) window(in Shape) Shape {
	reach := nd.Kernel // pixels that a window spans
	if nd.Op == Conv && nd.Dilation > 1 && nd.Kernel > 1 {
		if nd.Dilation > maxElements/(nd.Kernel-1) {
			return Shape{in.C, 0, 0}
		}
		reach = nd.Dilation*(nd.Kernel-1) + 1
	}
	f := func(x int) int {
		if x+2*nd.Pad < reach {
			return 0
		}
		return (x+2*nd.Pad-reach)/nd.Stride + 1
	}
	return Shape{in.C, f(in.H), f(in.W)}
}

// Validate checks a network as a whole: shapes, the numbering of weighted layers (each ordinal below Layers, none twice), and that the output is a vector.
func (n *Network) Validate() error {
	if len(n.Nodes) == 0 || n.Nodes[0].Op != Input {
		return fmt.Errorf("net: %s: node 0 must be the input", n.Name)
	}
	if n.Output <= 0 || n.Output >= len(n.Nodes) {
		return fmt.Errorf("net: %s: output %d is not a layer of the network (1..%d)", n.Name, n.Output, len(n.Nodes)-1)
	}
	if err := n.Infer(); err != nil {
		return err
	}
	if n.Layers < 0 || n.Layers > maxLayers {
		return fmt.Errorf("net: %s: Layers is %d; it must be from 0 to %d", n.Name, n.Layers, maxLayers)
	}
	seen := make([]bool, n.Layers)
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		if !nd.Op.HasWeights() {
			continue
		}
		if nd.Layer < 0 || nd.Layer >= n.Layers || seen[nd.Layer] {
			return fmt.Errorf("net: %s: node %d (%s %q) has layer ordinal %d, which is taken or not below %d", n.Name, i, nd.Op, nd.Name, nd.Layer, n.Layers)
		}
		seen[nd.Layer] = true
	}
	if s := n.Nodes[n.Output].Shape; s.H != 1 || s.W != 1 {
		return fmt.Errorf("net: %s: the output has shape %v; a classifier ends in a vector of logits [classes,1,1]", n.Name, s)
	}
	if n.Nodes[n.Output].Shape.C != n.Classes {
		return fmt.Errorf("net: %s: the output has %d features for %d classes", n.Name, n.Nodes[n.Output].Shape.C, n.Classes)
	}
	return nil
}
