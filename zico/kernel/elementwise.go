package kernel

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Sum adds Terms activations, and gradients that come back through rectifiers: it takes Terms activations, then for each of up to three rectifiers (Masked[i] > 0) the rectifier's output followed by Masked[i] gradients, which count only where that output is positive. The derivative of a rectifier at 0 is 0.
type Sum struct {
	X      Act
	Terms  int
	Masked [3]int
}

// SigmoidForward is 1/(1+exp(-x)).
type SigmoidForward struct{ X Act }

// SigmoidGrad is its gradient: (dy, y) to dx.
type SigmoidGrad struct{ X Act }

// Gate multiplies a picture by one factor a channel: (x, gate [m,1,1,c]) to x*gate.
type Gate struct{ X Act }

// GateGrad is its gradient: (dy, x, gate) to (dx, dgate).
type GateGrad struct{ X Act }

// Concat joins pictures along the channels; Channels holds their numbers, up to eight, zeros after the last.
type Concat struct {
	X        Act // its C is that of the first input
	Channels [8]int
}

// Channels keeps channels From to To (excluded) of X.
type Channels struct {
	X        Act
	From, To int
}

// ChannelsGrad is its gradient: zeros in the other channels.
type ChannelsGrad struct {
	X        Act
	From, To int
}

// Translate moves a picture up and left by one pixel, or with Back down and right (its gradient); zeros come in.
type Translate struct {
	X    Act
	Back bool
}

// ZeroFill makes an activation of zeros from nothing.
type ZeroFill struct{ X Act }

// Scaling multiplies by a constant. It is its own gradient: dy to dx.
type Scaling struct {
	X      Act
	Factor float64
}

// Name implements Op.
func (o Sum) Name() string { return fmt.Sprintf("sum %d terms, masked %v, %v", o.Terms, o.Masked, o.X) }

// Name implements Op.
func (o SigmoidForward) Name() string { return fmt.Sprintf("sigmoid %v", o.X) }

// Name implements Op.
func (o SigmoidGrad) Name() string { return fmt.Sprintf("sigmoid-dx %v", o.X) }

// Name implements Op.
func (o Gate) Name() string { return fmt.Sprintf("gate %v", o.X) }

// Name implements Op.
func (o GateGrad) Name() string { return fmt.Sprintf("gate-dx %v", o.X) }

// Name implements Op.
func (o Concat) Name() string { return fmt.Sprintf("concat %v %v", o.Channels, o.X) }

// Name implements Op.
func (o Channels) Name() string { return fmt.Sprintf("channels %d:%d %v", o.From, o.To, o.X) }

// Name implements Op.
func (o ChannelsGrad) Name() string { return fmt.Sprintf("channels-dx %d:%d %v", o.From, o.To, o.X) }

// Name implements Op.
func (o Translate) Name() string { return fmt.Sprintf("translate back=%t %v", o.Back, o.X) }

// Name implements Op.
func (o ZeroFill) Name() string { return fmt.Sprintf("zeros %v", o.X) }

// Inputs implements Op.
func (o Sum) Inputs() []shapes.Shape {
	n := o.Terms
	for _, m := range o.Masked {
		if m > 0 {
			n += m + 1
		}
	}
	return repeat(o.X.Shape(), n)
}

// Inputs implements Op.
func (o SigmoidForward) Inputs() []shapes.Shape { return []shapes.Shape{o.X.Shape()} }

// Inputs implements Op.
func (o SigmoidGrad) Inputs() []shapes.Shape { return repeat(o.X.Shape(), 2) }

// Inputs implements Op.
func (o Gate) Inputs() []shapes.Shape {
	return []shapes.Shape{o.X.Shape(), o.X.with(1, 1, o.X.C).Shape()}
}

// Inputs implements Op.
func (o GateGrad) Inputs() []shapes.Shape {
	return []shapes.Shape{o.X.Shape(), o.X.Shape(), o.X.with(1, 1, o.X.C).Shape()}
}

// Inputs implements Op.
func (o Concat) Inputs() []shapes.Shape {
	var in []shapes.Shape
	for _, c := range o.Channels {
		if c > 0 {
			in = append(in, o.X.with(o.X.H, o.X.W, c).Shape())
		}
	}
	return in
}

// Inputs implements Op.
func (o Channels) Inputs() []shapes.Shape { return []shapes.Shape{o.X.Shape()} }

// Inputs implements Op.
func (o ChannelsGrad) Inputs() []shapes.Shape {
	return []shapes.Shape{o.X.with(o.X.H, o.X.W, o.To-o.From).Shape()}
}

// Inputs implements Op.
func (o Translate) Inputs() []shapes.Shape { return []shapes.Shape{o.X.Shape()} }

// Name implements Op.
func (o Scaling) Name() string { return fmt.Sprintf("scale %g %v", o.Factor, o.X) }

// Inputs implements Op.
func (o Scaling) Inputs() []shapes.Shape { return []shapes.Shape{o.X.Shape()} }

// Graph implements Op.
func (o Scaling) Graph(_ string, g *Graph, in []*Node) []*Node {
	return []*Node{MulScalar(in[0], o.Factor)}
}

// Inputs implements Op.
func (o ZeroFill) Inputs() []shapes.Shape { return nil }

// Graph implements Op.
func (o Sum) Graph(_ string, g *Graph, in []*Node) []*Node {
	total := sumAll(in[:o.Terms])
	in = in[o.Terms:]
	for _, m := range o.Masked {
		if m == 0 {
			continue
		}
		y, dy := in[0], sumAll(in[1:1+m])
		dy = Where(GreaterThan(y, ZerosLike(y)), dy, ZerosLike(dy))
		in = in[1+m:]
		if total == nil {
			total = dy
		} else {
			total = Add(total, dy)
		}
	}
	return []*Node{total}
}

// Graph implements Op.
func (o SigmoidForward) Graph(_ string, g *Graph, in []*Node) []*Node {
	return []*Node{Logistic(in[0])}
}

// Graph implements Op.
func (o SigmoidGrad) Graph(_ string, g *Graph, in []*Node) []*Node {
	return []*Node{Mul(in[0], Mul(in[1], OneMinus(in[1])))}
}

// Graph implements Op.
func (o Gate) Graph(_ string, g *Graph, in []*Node) []*Node { return []*Node{Mul(in[0], in[1])} }

// Graph implements Op.
func (o GateGrad) Graph(_ string, g *Graph, in []*Node) []*Node {
	dy, x, gate := in[0], in[1], in[2]
	dgate := ReduceSum(Mul(dy, x), 1, 2)
	return []*Node{Mul(dy, gate), Reshape(dgate, -1, 1, 1, o.X.C)}
}

// Graph implements Op.
func (o Concat) Graph(_ string, g *Graph, in []*Node) []*Node { return []*Node{Concatenate(in, 3)} }

// Graph implements Op.
func (o Channels) Graph(_ string, g *Graph, in []*Node) []*Node {
	return []*Node{SliceAxis(in[0], 3, AxisRange(o.From, o.To))}
}

// Graph implements Op.
func (o ChannelsGrad) Graph(_ string, g *Graph, in []*Node) []*Node {
	p := PadAxis{Start: o.From, End: o.X.C - o.To}
	return []*Node{Pad(in[0], ScalarZero(g, o.X.DType), PadAxis{}, PadAxis{}, PadAxis{}, p)}
}

// Graph implements Op.
func (o Translate) Graph(_ string, g *Graph, in []*Node) []*Node {
	p := PadAxis{Start: -1, End: 1}
	if o.Back {
		p = PadAxis{Start: 1, End: -1}
	}
	return []*Node{Pad(in[0], ScalarZero(g, o.X.DType), PadAxis{}, p, p, PadAxis{})}
}

func sumAll(in []*Node) *Node {
	if len(in) == 0 {
		return nil
	}
	total := in[0]
	for _, x := range in[1:] {
		total = Add(total, x)
	}
	return total
}

func repeat(s shapes.Shape, n int) []shapes.Shape {
	out := make([]shapes.Shape, n)
	for i := range out {
		out[i] = s
	}
	return out
}

// Graph implements Op.
func (o ZeroFill) Graph(_ string, g *Graph, in []*Node) []*Node {
	return []*Node{BroadcastToShape(ScalarZero(g, o.X.DType), o.X.Shape())}
}
