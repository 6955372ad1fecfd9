package kernel

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Directional derivatives: what a small change of an operation's inputs, their tangents, does to its output. The gradient of a gradient in one direction (a Hessian times a vector, as GraSP needs) is the tangent of the backward pass. Of the operations that are linear the tangent is the operation itself, on the tangents.

// BatchNormTangent is the directional derivative of BatchNormGrad without ReLU: (dy, x, stats, dyt, xt), where dyt and xt are the tangents of dy and x, to the tangent of dx. The mean and the variance in stats depend on x, and change with it. (The tangent of the batch norm's output is BatchNormGrad itself, applied to xt.)
type BatchNormTangent struct{ X Act }

// MaxPoolingTangent is the directional derivative of MaxPooling: (x, xt) to the tangent of y, the value of xt at the first maximum of each window, row by row: where MaxPoolingGrad sends the gradient.
type MaxPoolingTangent struct{ MaxPooling }

// CrossEntropyTangent is the directional derivative of the gradient that CrossEntropy returns: (logits, tangent of the logits) to the tangent of dlogits. Labels do not matter to it.
type CrossEntropyTangent struct{ X Act }

// Seed makes from nothing an activation that is one in images From to To (excluded), counted over all batches, and zero in the others: a gradient that keeps only those images.
type Seed struct {
	X        Act
	From, To int
}

// Name implements Op.
func (o BatchNormTangent) Name() string { return fmt.Sprintf("batchnorm-tangent %v", o.X) }

// Name implements Op.
func (o MaxPoolingTangent) Name() string {
	return fmt.Sprintf("maxpool-tangent%dx%d/%d %v", o.Kernel, o.Kernel, o.Stride, o.X)
}

// Name implements Op.
func (o CrossEntropyTangent) Name() string { return fmt.Sprintf("cross-entropy-tangent %v", o.X) }

// Name implements Op.
func (o Seed) Name() string { return fmt.Sprintf("seed %d:%d %v", o.From, o.To, o.X) }

// Inputs implements Op.
func (o BatchNormTangent) Inputs() []shapes.Shape {
	x := o.X.Shape()
	return []shapes.Shape{x, x, o.X.statsShape(), x, x}
}

// Inputs implements Op.
func (o MaxPoolingTangent) Inputs() []shapes.Shape { return repeat(o.X.Shape(), 2) }

// Inputs implements Op.
func (o CrossEntropyTangent) Inputs() []shapes.Shape { return repeat(o.X.Shape(), 2) }

// Inputs implements Op.
func (o Seed) Inputs() []shapes.Shape { return nil }

// Graph implements Op.
func (o BatchNormTangent) Graph(_ string, g *Graph, in []*Node) []*Node {
	y, inv := o.X.normalized(in[1], in[2])
	dy, dyt, xt := o.X.split(in[0]), o.X.split(in[3]), o.X.split(in[4])
	mean := o.X.batchMean
	// Of dx = inv * u with u = dy - mean(dy) - y * mean(dy*y): the tangent of inv is -inv*inv*q, that of y is yt.
	q := mean(Mul(y, xt))
	m2 := mean(Mul(dy, y))
	yt := Mul(inv, Sub(Sub(xt, mean(xt)), Mul(y, q)))
	u := Sub(Sub(dy, mean(dy)), Mul(y, m2))
	m2t := Add(mean(Mul(dyt, y)), mean(Mul(dy, yt)))
	ut := Sub(Sub(Sub(dyt, mean(dyt)), Mul(yt, m2)), Mul(y, m2t))
	return []*Node{o.X.join(Mul(inv, Sub(ut, Mul(Mul(inv, q), u))))}
}

// Graph implements Op.
func (o MaxPoolingTangent) Graph(_ string, g *Graph, in []*Node) []*Node {
	pictures := func(x *Node, border float64) (all []*Node) {
		taps(padPicture(x, border, o.Pad), o.OutAct(), o.Kernel, o.Stride, func(_, tap *Node) *Node {
			all = append(all, tap)
			return tap
		})
		return all
	}
	values, tangents := pictures(in[0], math.Inf(-1)), pictures(in[1], 0)
	var y *Node
	for _, tap := range values {
		y = maxTaps(y, tap)
	}
	// From the last tap to the first: the first of those that equal the maximum is what remains.
	yt := ZerosLike(y)
	for i := len(values) - 1; i >= 0; i-- {
		yt = Where(Equal(values[i], y), tangents[i], yt)
	}
	return []*Node{yt}
}

// Graph implements Op.
func (o CrossEntropyTangent) Graph(_ string, g *Graph, in []*Node) []*Node {
	logits, t := Reshape(in[0], -1, o.X.C), Reshape(in[1], -1, o.X.C)
	exp := Exp(Sub(logits, ReduceAndKeep(logits, ReduceMax, -1)))
	p := Div(exp, ReduceAndKeep(exp, ReduceSum, -1))
	pt := Mul(p, t)
	d := MulScalar(Sub(pt, Mul(p, ReduceAndKeep(pt, ReduceSum, -1))), 1/float64(o.X.Images))
	return []*Node{Reshape(d, -1, 1, 1, o.X.C)}
}

// Graph implements Op.
func (o Seed) Graph(_ string, g *Graph, in []*Node) []*Node {
	images := Iota(g, shapes.Make(o.X.DType, o.X.Batches*o.X.Images, 1, 1, 1), 0)
	at := func(i int) *Node { return Scalar(g, o.X.DType, float64(i)) }
	inside := And(GreaterOrEqual(images, at(o.From)), LessThan(images, at(o.To)))
	return []*Node{BroadcastToShape(ConvertDType(inside, o.X.DType), o.X.Shape())}
}
