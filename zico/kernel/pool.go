package kernel

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// AvgPooling is the mean over a window: x to y. Without CountPad the sum is divided by the number of pixels of the window that lie in the picture.
type AvgPooling struct {
	X                   Act
	Kernel, Stride, Pad int
	CountPad            bool
}

// AvgPoolingGrad is its gradient: dy to dx.
type AvgPoolingGrad struct{ AvgPooling }

// MaxPooling is the maximum over a window padded with minus infinity: x to y.
type MaxPooling struct {
	X                   Act
	Kernel, Stride, Pad int
}

// MaxPoolingGrad is its gradient: (x, dy) to dx, the whole of dy going to the first maximum of each window, row by row.
type MaxPoolingGrad struct{ MaxPooling }

// GlobalPooling is the mean over the picture: [m,h,w,c] to [m,1,1,c].
type GlobalPooling struct{ X Act }

// GlobalPoolingGrad is its gradient: [m,1,1,c] to [m,h,w,c].
type GlobalPoolingGrad struct{ X Act }

func poolAct(x Act, k, s, p int) Act {
	return x.with((x.H+2*p-k)/s+1, (x.W+2*p-k)/s+1, x.C)
}

// OutAct is the shape of the output.
func (o AvgPooling) OutAct() Act { return poolAct(o.X, o.Kernel, o.Stride, o.Pad) }

// OutAct is the shape of the output.
func (o MaxPooling) OutAct() Act { return poolAct(o.X, o.Kernel, o.Stride, o.Pad) }

// Name implements Op.
func (o AvgPooling) Name() string {
	return fmt.Sprintf("avgpool%dx%d/%d %v", o.Kernel, o.Kernel, o.Stride, o.X)
}

// Name implements Op.
func (o AvgPoolingGrad) Name() string {
	return fmt.Sprintf("avgpool-dx%dx%d/%d %v", o.Kernel, o.Kernel, o.Stride, o.X)
}

// Name implements Op.
func (o MaxPooling) Name() string {
	return fmt.Sprintf("maxpool%dx%d/%d %v", o.Kernel, o.Kernel, o.Stride, o.X)
}

// Name implements Op.
func (o MaxPoolingGrad) Name() string {
	return fmt.Sprintf("maxpool-dx%dx%d/%d %v", o.Kernel, o.Kernel, o.Stride, o.X)
}

// Name implements Op.
func (o GlobalPooling) Name() string { return fmt.Sprintf("globalpool %v", o.X) }

// Name implements Op.
func (o GlobalPoolingGrad) Name() string { return fmt.Sprintf("globalpool-dx %v", o.X) }

// Inputs implements Op.
func (o AvgPooling) Inputs() []shapes.Shape { return []shapes.Shape{o.X.Shape()} }

// Inputs implements Op.
func (o AvgPoolingGrad) Inputs() []shapes.Shape { return []shapes.Shape{o.OutAct().Shape()} }

// Inputs implements Op.
func (o MaxPooling) Inputs() []shapes.Shape { return []shapes.Shape{o.X.Shape()} }

// Inputs implements Op.
func (o MaxPoolingGrad) Inputs() []shapes.Shape {
	return []shapes.Shape{o.X.Shape(), o.OutAct().Shape()}
}

// Inputs implements Op.
func (o GlobalPooling) Inputs() []shapes.Shape { return []shapes.Shape{o.X.Shape()} }

// Inputs implements Op.
func (o GlobalPoolingGrad) Inputs() []shapes.Shape {
	return []shapes.Shape{o.X.with(1, 1, o.X.C).Shape()}
}

// taps adds up f over the window's positions: tap (i,j) is the picture shifted by that much, every stride-th pixel of it.
func taps(padded *Node, out Act, k, s int, f func(acc, tap *Node) *Node) *Node {
	var acc *Node
	for i := range k {
		for j := range k {
			t := Slice(padded, AxisRange(), AxisRange(i, i+(out.H-1)*s+1).Stride(s), AxisRange(j, j+(out.W-1)*s+1).Stride(s), AxisRange())
			acc = f(acc, t)
		}
	}
	return acc
}

func padPicture(x *Node, value float64, pad int) *Node {
	if pad == 0 {
		return x
	}
	p := PadAxis{Start: pad, End: pad}
	return Pad(x, Scalar(x.Graph(), x.DType(), value), PadAxis{}, p, p, PadAxis{})
}

func sumTaps(acc, tap *Node) *Node {
	if acc == nil {
		return tap
	}
	return Add(acc, tap)
}

func maxTaps(acc, tap *Node) *Node {
	if acc == nil {
		return tap
	}
	return Max(acc, tap)
}

// weights are the factors [1,h',w',1] that turn window sums into means. The number of valid pixels of a window is a product of a row's and a column's, so it is made from two vectors.
func (o AvgPooling) weights(g *Graph) *Node {
	out := o.OutAct()
	if o.CountPad || o.Pad == 0 {
		return Scalar(g, o.X.DType, 1/float64(o.Kernel*o.Kernel))
	}
	valid := func(in, out int) []float64 {
		v := make([]float64, out)
		for i := range v {
			lo := i*o.Stride - o.Pad
			v[i] = 1 / float64(min(lo+o.Kernel, in)-max(lo, 0))
		}
		return v
	}
	h := ConvertDType(Const(g, valid(o.X.H, out.H)), o.X.DType)
	w := ConvertDType(Const(g, valid(o.X.W, out.W)), o.X.DType)
	return Mul(Reshape(h, 1, out.H, 1, 1), Reshape(w, 1, 1, out.W, 1))
}

// Graph implements Op.
func (o AvgPooling) Graph(_ string, g *Graph, in []*Node) []*Node {
	sum := taps(padPicture(in[0], 0, o.Pad), o.OutAct(), o.Kernel, o.Stride, sumTaps)
	return []*Node{Mul(sum, o.weights(g))}
}

// Graph implements Op.
func (o AvgPoolingGrad) Graph(_ string, g *Graph, in []*Node) []*Node {
	// Each pixel collects the weighted dy of every window that holds it: the taps of dy, with zeros between its pixels where windows are more than one pixel apart, padded so that the window turned around slides over the whole picture.
	out := o.OutAct()
	d := Mul(in[0], o.weights(g))
	lo := o.Kernel - 1 - o.Pad
	axis := func(in, out int) PadAxis {
		return PadAxis{Start: lo, End: in - ((out-1)*o.Stride + 1) - lo + o.Kernel - 1, Interior: o.Stride - 1}
	}
	padded := Pad(d, ScalarZero(d.Graph(), d.DType()), PadAxis{}, axis(o.X.H, out.H), axis(o.X.W, out.W), PadAxis{})
	return []*Node{taps(padded, o.X, o.Kernel, 1, sumTaps)}
}

// Graph implements Op.
func (o MaxPooling) Graph(_ string, g *Graph, in []*Node) []*Node {
	return []*Node{taps(padPicture(in[0], math.Inf(-1), o.Pad), o.OutAct(), o.Kernel, o.Stride, maxTaps)}
}

// Graph implements Op.
func (o MaxPoolingGrad) Graph(_ string, g *Graph, in []*Node) []*Node {
	x, dy := in[0], in[1]
	out := o.OutAct()
	padded := padPicture(x, math.Inf(-1), o.Pad)
	y := taps(padded, out, o.Kernel, o.Stride, maxTaps)
	// Walk the taps in order; the first that equals the maximum takes the gradient of its window.
	zero := ScalarZero(x.Graph(), x.DType())
	left := dy
	var dx *Node
	i := 0
	taps(padded, out, o.Kernel, o.Stride, func(acc, tap *Node) *Node {
		hit := Equal(tap, y)
		mine := Where(hit, left, ZerosLike(left))
		left = Where(hit, ZerosLike(left), left)
		r, c := i/o.Kernel, i%o.Kernel
		i++
		axis := func(in, out, off int) PadAxis {
			start := off - o.Pad
			return PadAxis{Start: start, End: in - start - ((out-1)*o.Stride + 1), Interior: o.Stride - 1}
		}
		dx = sumTaps(dx, Pad(mine, zero, PadAxis{}, axis(o.X.H, out.H, r), axis(o.X.W, out.W, c), PadAxis{}))
		return tap
	})
	return []*Node{dx}
}

// Graph implements Op.
func (o GlobalPooling) Graph(_ string, g *Graph, in []*Node) []*Node {
	sum := ReduceSum(in[0], 1, 2)
	return []*Node{Reshape(MulScalar(sum, 1/float64(o.X.H*o.X.W)), -1, 1, 1, o.X.C)}
}

// Graph implements Op.
func (o GlobalPoolingGrad) Graph(_ string, g *Graph, in []*Node) []*Node {
	return []*Node{BroadcastToShape(MulScalar(in[0], 1/float64(o.X.H*o.X.W)), o.X.Shape())}
}
