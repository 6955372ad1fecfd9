package kernel

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Numbers that other proxies than ZiCo are made of: sums of products of activations or weights with their gradients. All sums are float64 and accumulated in float64, whatever the type of what they are sums of.

// WeightProducts adds up products of a weight w and its gradient g: (w, g) to [4], the sums over the weights of |w*g|, w*g, w*w and g*g. w is [Kernel, Kernel, In, Out] or, with Kernel 0, [In, Out], In being the input channels of a group; g is the flat vector that a Raw weight gradient is. The first sum is SNIP's (Lee et al. 2019), the second SynFlow's on weights made positive (Tanaka et al. 2020), the last the square of grad-norm.
type WeightProducts struct {
	DType           dtypes.DType
	Kernel, In, Out int
}

// NormProducts adds up products of a batch norm's input z and its gradients: (dy, z, stats) as those of BatchNormGrad to [batches, 3, c]. With dz the gradient that BatchNormGrad returns and y the normalised z, the rows are
//
//   - the sum over the images of (the sum over the pixels of z*dz) squared: 2*images times what Fisher adds up (Turner et al., BlockSwap, 2020, as in zero-cost-nas),
//   - the sum over images and pixels of dy*y, the gradient of the batch norm's scale,
//   - the sum over images and pixels of dy, the gradient of its offset.
//
// With ReLU, dy counts only where y > 0. dz itself is not written: its sum follows from sums of dy, dy*(z-mean), z-mean and (z-mean) squared, which one pass over dy and z gives.
type NormProducts struct {
	X    Act
	ReLU bool
}

// ChannelProducts adds up products of an activation y and its gradient: (y, dy) to [batches, 2, c], the sum over the images of (the sum over the pixels of y*dy) squared, as in NormProducts, and the sum over images and pixels of dy, the gradient of a bias. X is the shape of y, [m,1,1,out] for a linear layer.
type ChannelProducts struct{ X Act }

// FeatureDistance adds up for each image the distances between the values that two batches have there: x [2*images,h,w,c] to [images], the sum of |x[0] - x[1]|. X.Batches must be 2.
type FeatureDistance struct{ X Act }

// weightShape is [kernel, kernel, in, out], or [in, out] without a kernel.
func (o WeightProducts) weightShape() shapes.Shape {
	if o.Kernel == 0 {
		return shapes.Make(o.DType, o.In, o.Out)
	}
	return shapes.Make(o.DType, o.Kernel, o.Kernel, o.In, o.Out)
}

// Name implements Op.
func (o WeightProducts) Name() string { return fmt.Sprintf("weight-products %s", o.weightShape()) }

// Name implements Op.
func (o NormProducts) Name() string {
	if o.ReLU {
		return fmt.Sprintf("batchnorm-relu-products %v", o.X)
	}
	return fmt.Sprintf("batchnorm-products %v", o.X)
}

// Name implements Op.
func (o ChannelProducts) Name() string { return fmt.Sprintf("channel-products %v", o.X) }

// Name implements Op.
func (o FeatureDistance) Name() string { return fmt.Sprintf("feature-distance %v", o.X) }

// Inputs implements Op.
func (o WeightProducts) Inputs() []shapes.Shape {
	w := o.weightShape()
	return []shapes.Shape{w, shapes.Make(o.DType, w.Size())}
}

// Inputs implements Op.
func (o NormProducts) Inputs() []shapes.Shape { return BatchNormGrad{X: o.X}.Inputs() }

// Inputs implements Op.
func (o ChannelProducts) Inputs() []shapes.Shape { return repeat(o.X.Shape(), 2) }

// Inputs implements Op.
func (o FeatureDistance) Inputs() []shapes.Shape { return []shapes.Shape{o.X.Shape()} }

// wide converts to float64.
func wide(x *Node) *Node { return ConvertDType(x, dtypes.Float64) }

// Graph implements Op.
func (o WeightProducts) Graph(_ string, g *Graph, in []*Node) []*Node {
	w, dw := Reshape(wide(in[0]), -1), wide(in[1])
	p := Mul(w, dw)
	return []*Node{Stack([]*Node{ReduceAllSum(Abs(p)), ReduceAllSum(p), ReduceAllSum(Mul(w, w)), ReduceAllSum(Mul(dw, dw))}, 0)}
}

// Graph implements Op.
func (o NormProducts) Graph(_ string, g *Graph, in []*Node) []*Node {
	dy, z := o.X.split(wide(in[0])), o.X.split(wide(in[1]))
	y, inv := o.X.normalized(wide(in[1]), wide(in[2]))
	if o.ReLU {
		dy = Where(GreaterThan(y, ZerosLike(y)), dy, ZerosLike(dy))
	}
	dyy := Mul(dy, y)
	dz := Mul(inv, Sub(Sub(dy, o.X.batchMean(dy)), Mul(y, o.X.batchMean(dyy))))
	return []*Node{Stack([]*Node{squaresOfImages(Mul(z, dz)), ReduceSum(dyy, 1, 2, 3), ReduceSum(dy, 1, 2, 3)}, 1)}
}

// squaresOfImages is the sum over the images of (the sum over the pixels) squared: [batches,images,h,w,c] to [batches,c].
func squaresOfImages(x *Node) *Node {
	s := ReduceSum(x, 2, 3)
	return ReduceSum(Mul(s, s), 1)
}

// Graph implements Op.
func (o ChannelProducts) Graph(_ string, g *Graph, in []*Node) []*Node {
	y, dy := o.X.split(wide(in[0])), o.X.split(wide(in[1]))
	return []*Node{Stack([]*Node{squaresOfImages(Mul(y, dy)), ReduceSum(dy, 1, 2, 3)}, 1)}
}

// Graph implements Op.
func (o FeatureDistance) Graph(_ string, g *Graph, in []*Node) []*Node {
	d := Sub(wide(batch(in[0], 2, 0)), wide(batch(in[0], 2, 1)))
	return []*Node{ReduceSum(Abs(d), 1, 2, 3)}
}
