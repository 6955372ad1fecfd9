package kernel

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Comparisons of images with each other: by the signs of their activations, and by the gradients that each gives alone.

// Signs compares the images of a batch by the signs of their activations: y to [batches, images, images], for each pair the number of values of which both are positive or neither is. Added up over the rectifiers of a network it is the matrix of NASWOT (Mellor et al. 2021), x x^T + (1-x)(1-x)^T for x = y > 0. The numbers are exact.
type Signs struct{ X Act }

// SignSum compares the gradients of N images, one vector of Size weights each: to [2], the sum over the weights of |the sum over the images of the gradient's sign| (GradSign, Zhang & Jia 2022; the sign of 0 is 0), and the sum over the weights of (the sum over the images of the gradient) squared.
type SignSum struct {
	DType   dtypes.DType
	Size, N int
}

// GradGram is the matrix of all inner products of N gradients, one vector of Size weights each: to [N, N]. KNAS (Xu et al. 2021) is its mean.
type GradGram struct {
	DType   dtypes.DType
	Size, N int
}

// Covariances compares pictures: for each two of the batches*images pictures of x, each less its mean, their inner product, to float64 [batches*images, batches*images].
type Covariances struct{ X Act }

// Name implements Op.
func (o Covariances) Name() string { return fmt.Sprintf("covariances %v", o.X) }

// Inputs implements Op.
func (o Covariances) Inputs() []shapes.Shape { return []shapes.Shape{o.X.Shape()} }

// Graph implements Op.
func (o Covariances) Graph(_ string, g *Graph, in []*Node) []*Node {
	x := ConvertDType(Reshape(in[0], o.X.Batches*o.X.Images, -1), dtypes.Float64)
	x = Sub(x, ReduceAndKeep(x, ReduceMean, 1))
	return []*Node{DotGeneral(x, []int{1}, nil, x, []int{1}, nil)}
}

// Name implements Op.
func (o Signs) Name() string { return fmt.Sprintf("signs %v", o.X) }

// Name implements Op.
func (o SignSum) Name() string { return fmt.Sprintf("sign-sum [%d*%d] %s", o.N, o.Size, o.DType) }

// Name implements Op.
func (o GradGram) Name() string { return fmt.Sprintf("grad-gram [%d*%d] %s", o.N, o.Size, o.DType) }

// Inputs implements Op.
func (o Signs) Inputs() []shapes.Shape { return []shapes.Shape{o.X.Shape()} }

// Inputs implements Op.
func (o SignSum) Inputs() []shapes.Shape { return repeat(shapes.Make(o.DType, o.Size), o.N) }

// Inputs implements Op.
func (o GradGram) Inputs() []shapes.Shape { return repeat(shapes.Make(o.DType, o.Size), o.N) }

// Graph implements Op.
func (o Signs) Graph(_ string, g *Graph, in []*Node) []*Node {
	n := o.X.H * o.X.W * o.X.C
	count := dtypes.Float32 // exact up to 2^24, whatever the device makes of its operands
	if n >= 1<<24 {
		count = dtypes.Float64
	}
	y := Reshape(in[0], o.X.Batches, o.X.Images, n)
	x := ConvertDType(GreaterThan(y, ZerosLike(y)), count)
	both := wide(DotGeneral(x, []int{2}, []int{0}, x, []int{2}, []int{0}))
	positive := wide(ReduceSum(x, 2))
	// Neither is positive in n - positive[i] - positive[j] + both places.
	either := Add(Reshape(positive, o.X.Batches, o.X.Images, 1), Reshape(positive, o.X.Batches, 1, o.X.Images))
	return []*Node{AddScalar(Sub(MulScalar(both, 2), either), float64(n))}
}

// Graph implements Op.
func (o SignSum) Graph(_ string, g *Graph, in []*Node) []*Node {
	grads := make([]*Node, len(in))
	signs := make([]*Node, len(in))
	for i := range in {
		grads[i] = wide(in[i])
		signs[i] = Sign(grads[i])
	}
	sum := sumAll(grads)
	return []*Node{Stack([]*Node{ReduceAllSum(Abs(sumAll(signs))), ReduceAllSum(Mul(sum, sum))}, 0)}
}

// Graph implements Op.
func (o GradGram) Graph(_ string, g *Graph, in []*Node) []*Node {
	a := wide(Stack(in, 0))
	return []*Node{dot(a, a, 1, 1)}
}
