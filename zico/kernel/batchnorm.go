package kernel

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// BatchNorm normalises each channel by the mean and the biased variance of its own batch, with scale 1 and offset 0 (train mode at initialisation): x to (y, inverse standard deviation [batches,1,1,1,c]).
type BatchNorm struct {
	X   Act
	Eps float64
}

// BatchNormGrad is its gradient: (dy, y, inverse standard deviation) to dx. With scale 1 and offset 0 the output is the normalised input itself, so the input need not be kept.
type BatchNormGrad struct{ X Act }

// statsShape is the shape of one value a batch and channel.
func (a Act) statsShape() shapes.Shape { return shapes.Make(a.DType, a.Batches, 1, 1, 1, a.C) }

// Name implements Op.
func (o BatchNorm) Name() string { return fmt.Sprintf("batchnorm %v eps %g", o.X, o.Eps) }

// Name implements Op.
func (o BatchNormGrad) Name() string { return fmt.Sprintf("batchnorm-dx %v", o.X) }

// Inputs implements Op.
func (o BatchNorm) Inputs() []shapes.Shape { return []shapes.Shape{o.X.Shape()} }

// Inputs implements Op.
func (o BatchNormGrad) Inputs() []shapes.Shape {
	return []shapes.Shape{o.X.Shape(), o.X.Shape(), o.X.statsShape()}
}

// Graph implements Op.
func (o BatchNorm) Graph(_ string, g *Graph, in []*Node) []*Node {
	// Two passes: in float32 the mean of squares less the square of the mean is not good enough (the clipped logs of golden networks move by up to 5e-3, seven times as much as this way).
	x := o.X.split(in[0])
	d := Sub(x, o.X.batchMean(x))
	variance := o.X.batchMean(Mul(d, d))
	inv := Div(OnesLike(variance), Sqrt(AddScalar(variance, o.Eps)))
	return []*Node{o.X.join(Mul(d, inv)), inv}
}

// Graph implements Op.
func (o BatchNormGrad) Graph(_ string, g *Graph, in []*Node) []*Node {
	dy, y, inv := o.X.split(in[0]), o.X.split(in[1]), in[2]
	m1 := o.X.batchMean(dy)
	m2 := o.X.batchMean(Mul(dy, y))
	dx := Mul(inv, Sub(Sub(dy, m1), Mul(y, m2)))
	return []*Node{o.X.join(dx)}
}

// split separates the batches: [batches*images,h,w,c] to [batches,images,h,w,c].
func (a Act) split(x *Node) *Node { return Reshape(x, a.Batches, a.Images, a.H, a.W, a.C) }

// join undoes split.
func (a Act) join(x *Node) *Node { return Reshape(x, a.Batches*a.Images, a.H, a.W, a.C) }

// batchMean is the mean of each batch and channel, [batches,1,1,1,c]. It is the mean of the pictures' means: XLA adds one by one, and in float32 a single sum over 131,072 values loses digits that decide near-ties of gradients. The division in between keeps XLA from merging the two sums.
func (a Act) batchMean(x *Node) *Node {
	pictures := MulScalar(ReduceSum(x, 2, 3), 1/float64(a.H*a.W))
	mean := MulScalar(ReduceSum(pictures, 1), 1/float64(a.Images))
	return Reshape(mean, a.Batches, 1, 1, 1, a.C)
}

// String prints the shape as [batches*images,h,w,c] with its type.
func (a Act) String() string {
	return fmt.Sprintf("[%d*%d,%d,%d,%d] %s", a.Batches, a.Images, a.H, a.W, a.C, a.DType)
}
