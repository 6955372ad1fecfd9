package kernel

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Linear is a fully connected layer on vectors: (x [m,1,1,c], weight [c,out] {, bias [out]}) to [m,1,1,out].
type Linear struct {
	X    Act
	Out  int
	Bias bool
}

// LinearInputGrad is its gradient by the input: (dy, weight) to dx.
type LinearInputGrad struct {
	X   Act
	Out int
}

// LinearWeightGrad is its gradient by the weight, a statistic or Raw as in ConvWeightGrad: (x, dy).
type LinearWeightGrad struct {
	X   Act
	Out int
	Raw bool
}

// CrossEntropy is the mean cross-entropy of each batch and its gradient by the logits: (logits [m,1,1,classes], labels [m] int32) to (loss [batches], dlogits [m,1,1,classes]).
type CrossEntropy struct{ X Act }

// OutAct is the shape of the output.
func (o Linear) OutAct() Act { return o.X.with(1, 1, o.Out) }

func linearName(what string, x Act, out int) string {
	return fmt.Sprintf("%s [%d*%d,%d>%d] %s", what, x.Batches, x.Images, x.C, out, x.DType)
}

// Name implements Op.
func (o Linear) Name() string { return linearName("linear", o.X, o.Out) }

// Name implements Op.
func (o LinearInputGrad) Name() string { return linearName("linear-dx", o.X, o.Out) }

// Name implements Op.
func (o LinearWeightGrad) Name() string { return linearName("linear-dw", o.X, o.Out) }

// Name implements Op.
func (o CrossEntropy) Name() string { return fmt.Sprintf("cross-entropy %v", o.X) }

// Inputs implements Op.
func (o Linear) Inputs() []shapes.Shape {
	in := []shapes.Shape{o.X.Shape(), shapes.Make(o.X.DType, o.X.C, o.Out)}
	if o.Bias {
		in = append(in, shapes.Make(o.X.DType, o.Out))
	}
	return in
}

// Inputs implements Op.
func (o LinearInputGrad) Inputs() []shapes.Shape {
	return []shapes.Shape{o.X.with(1, 1, o.Out).Shape(), shapes.Make(o.X.DType, o.X.C, o.Out)}
}

// Inputs implements Op.
func (o LinearWeightGrad) Inputs() []shapes.Shape {
	return []shapes.Shape{o.X.Shape(), o.X.with(1, 1, o.Out).Shape()}
}

// Inputs implements Op.
func (o CrossEntropy) Inputs() []shapes.Shape {
	return []shapes.Shape{o.X.Shape(), shapes.Make(dtypes.Int32, o.X.Batches*o.X.Images)}
}

// Graph implements Op.
func (o Linear) Graph(_ string, g *Graph, in []*Node) []*Node {
	y := dot(Reshape(in[0], -1, o.X.C), in[1], 1, 0)
	if o.Bias {
		y = Add(y, Reshape(in[2], 1, o.Out))
	}
	return []*Node{Reshape(y, -1, 1, 1, o.Out)}
}

// Graph implements Op.
func (o LinearInputGrad) Graph(_ string, g *Graph, in []*Node) []*Node {
	dx := dot(Reshape(in[0], -1, o.Out), in[1], 1, 1)
	return []*Node{Reshape(dx, -1, 1, 1, o.X.C)}
}

// Graph implements Op.
func (o LinearWeightGrad) Graph(_ string, g *Graph, in []*Node) []*Node {
	grads := make([]*Node, o.X.Batches)
	for b := range grads {
		x, dy := batch(in[0], o.X.Batches, b), batch(in[1], o.X.Batches, b)
		grads[b] = dot(Reshape(x, -1, o.X.C), Reshape(dy, -1, o.Out), 0, 0)
	}
	return finishGrads(grads, o.Raw)
}

// Graph implements Op.
func (o CrossEntropy) Graph(_ string, g *Graph, in []*Node) []*Node {
	logits := Reshape(in[0], -1, o.X.C)
	hot := OneHot(in[1], o.X.C, o.X.DType)
	logits = Sub(logits, ReduceAndKeep(logits, ReduceMax, -1))
	exp := Exp(logits)
	sum := ReduceAndKeep(exp, ReduceSum, -1)
	logp := Sub(logits, Log(sum))
	nll := Neg(ReduceSum(Mul(hot, logp), -1))
	n := 1 / float64(o.X.Images)
	loss := MulScalar(ReduceSum(Reshape(nll, o.X.Batches, o.X.Images), 1), n)
	d := MulScalar(Sub(Div(exp, sum), hot), n)
	return []*Node{loss, Reshape(d, -1, 1, 1, o.X.C)}
}
