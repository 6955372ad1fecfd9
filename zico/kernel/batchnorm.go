package kernel

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Batch normalisation with scale 1 and offset 0 (train mode at initialisation) is cut in two, so that the normalised picture need not be written where its only readers add it up or rectify it: Moments finds the numbers to normalise with, Merge normalises on the way.

// Moments computes for each batch and channel the mean, what rounding took from it (0 if the lowering does not know), and the inverse standard deviation, from the biased variance with Eps added: x to stats [batches, 3, c].
type Moments struct {
	X   Act
	Eps float64
}

// ConvMoments is a convolution without bias followed by Moments of its output: (x, weight) to (y, stats).
type ConvMoments struct {
	Conv
	Eps float64
}

// Merge adds up activations: Terms plain ones and then Normalized pairs of an activation and its stats. It returns the sum, if Sum, and its positive part, if ReLU.
type Merge struct {
	X                 Act
	Terms, Normalized int
	Sum, ReLU         bool
}

// BatchNormGrad is the gradient of the normalised activation by the activation: (dy, x, stats) to dx. With ReLU, dy is the gradient of the positive part of the normalised activation.
type BatchNormGrad struct {
	X    Act
	ReLU bool
}

// ConvNormGrad is the gradient of a convolution without bias and the batch norm after it: (dy, z, stats, x, weight {, others}) to dx and the weight's gradient, a statistic or Raw as in ConvWeightGrad. z is the output of the convolution, stats are those of ConvMoments, and dy is as in BatchNormGrad. With Masked, x is the output of a rectifier and dx the gradient of its input; with Add, dx has the others added to it: gradients that reached that input elsewhere. With InputOnly there is dx alone.
type ConvNormGrad struct {
	X Act // input of the convolution
	Window
	ReLU, Masked, Add, Raw, InputOnly bool
}

// statsShape is the shape of the stats of Moments.
func (a Act) statsShape() shapes.Shape { return shapes.Make(a.DType, a.Batches, 3, a.C) }

// StatsBytes is the size of the stats of Moments in memory.
func (a Act) StatsBytes() int64 { return int64(a.statsShape().Size() * a.DType.Size()) }

// Name implements Op.
func (o Moments) Name() string { return fmt.Sprintf("moments %v eps %g", o.X, o.Eps) }

// Name implements Op.
func (o ConvMoments) Name() string { return o.name("conv-moments", o.X) }

// Name implements Op.
func (o Merge) Name() string {
	what := "merge"
	if o.ReLU {
		what += "-relu"
	}
	if o.Sum && o.ReLU {
		what += "-both"
	}
	return fmt.Sprintf("%s %d plain, %d normalized %v", what, o.Terms, o.Normalized, o.X)
}

// Name implements Op.
func (o BatchNormGrad) Name() string {
	if o.ReLU {
		return fmt.Sprintf("batchnorm-relu-dx %v", o.X)
	}
	return fmt.Sprintf("batchnorm-dx %v", o.X)
}

// Name implements Op.
func (o ConvNormGrad) Name() string {
	what := "conv-batchnorm"
	if o.ReLU {
		what += "-relu"
	}
	what += "-grad"
	if o.Masked {
		what += "-masked"
	}
	if o.Add {
		what += "-added"
	}
	if o.InputOnly {
		what += "-input"
	}
	return o.name(what, o.X)
}

// Inputs implements Op.
func (o Moments) Inputs() []shapes.Shape { return []shapes.Shape{o.X.Shape()} }

// Inputs implements Op.
func (o Merge) Inputs() []shapes.Shape {
	in := repeat(o.X.Shape(), o.Terms)
	for range o.Normalized {
		in = append(in, o.X.Shape(), o.X.statsShape())
	}
	return in
}

// Inputs implements Op.
func (o BatchNormGrad) Inputs() []shapes.Shape {
	return []shapes.Shape{o.X.Shape(), o.X.Shape(), o.X.statsShape()}
}

// Inputs implements Op.
func (o ConvNormGrad) Inputs() []shapes.Shape {
	z := o.OutAct(o.X)
	in := []shapes.Shape{z.Shape(), z.Shape(), z.statsShape(), o.X.Shape(), o.WeightShape(o.X)}
	if o.Add {
		in = append(in, o.X.Shape())
	}
	return in
}

// Graph implements Op.
func (o Moments) Graph(_ string, g *Graph, in []*Node) []*Node {
	// Two passes: in float32 the mean of squares less the square of the mean is not good enough (the clipped logs of golden networks move by up to 5e-3, seven times as much as this way).
	x := o.X.split(in[0])
	mean := o.X.batchMean(x)
	d := Sub(x, mean)
	variance := o.X.batchMean(Mul(d, d))
	inv := Div(OnesLike(variance), Sqrt(AddScalar(variance, o.Eps)))
	flat := func(v *Node) *Node { return Reshape(v, o.X.Batches, 1, o.X.C) }
	return []*Node{Concatenate([]*Node{flat(mean), ZerosLike(flat(mean)), flat(inv)}, 1)}
}

// Graph implements Op.
func (o ConvMoments) Graph(platform string, g *Graph, in []*Node) []*Node {
	y := o.Conv.Graph(platform, g, in)
	return append(y, Moments{o.OutAct(o.X), o.Eps}.Graph(platform, g, y)...)
}

// normalized is (x - mean) * inv and inv, by batches.
func (a Act) normalized(x, stats *Node) (y, inv *Node) {
	part := func(i int) *Node { return Reshape(SliceAxis(stats, 1, AxisRange(i, i+1)), a.Batches, 1, 1, 1, a.C) }
	inv = part(2)
	return Mul(Sub(Sub(a.split(x), part(0)), part(1)), inv), inv
}

// Graph implements Op.
func (o Merge) Graph(_ string, g *Graph, in []*Node) []*Node {
	terms := append([]*Node(nil), in[:o.Terms]...)
	for rest := in[o.Terms:]; len(rest) > 0; rest = rest[2:] {
		y, _ := o.X.normalized(rest[0], rest[1])
		terms = append(terms, o.X.join(y))
	}
	sum := sumAll(terms)
	var out []*Node
	if o.Sum {
		out = append(out, sum)
	}
	if o.ReLU {
		out = append(out, Max(sum, ScalarZero(g, o.X.DType)))
	}
	return out
}

// Graph implements Op.
func (o BatchNormGrad) Graph(_ string, g *Graph, in []*Node) []*Node {
	dy := o.X.split(in[0])
	y, inv := o.X.normalized(in[1], in[2])
	if o.ReLU {
		dy = Where(GreaterThan(y, ZerosLike(y)), dy, ZerosLike(dy))
	}
	m1 := o.X.batchMean(dy)
	m2 := o.X.batchMean(Mul(dy, y))
	return []*Node{o.X.join(Mul(inv, Sub(Sub(dy, m1), Mul(y, m2))))}
}

// Graph implements Op.
func (o ConvNormGrad) Graph(platform string, g *Graph, in []*Node) []*Node {
	dz := BatchNormGrad{o.OutAct(o.X), o.ReLU}.Graph(platform, g, in[:3])[0]
	dx := ConvInputGrad{o.X, o.Window}.Graph(platform, g, []*Node{dz, in[4]})
	if o.Masked {
		dx[0] = Where(GreaterThan(in[3], ZerosLike(in[3])), dx[0], ZerosLike(dx[0]))
	}
	if o.Add {
		dx[0] = Add(dx[0], in[5])
	}
	if o.InputOnly {
		return dx
	}
	return append(dx, ConvWeightGrad{o.X, o.Window, o.Raw}.Graph(platform, g, []*Node{in[3], dz})...)
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
