package kernel

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Window is the geometry of a square convolution.
type Window struct {
	Kernel, Stride, Pad, Groups int
	Out                         int // output channels
	Dilation                    int // distance of neighbouring weights in the picture; 0 means 1
}

// dilated is the distance of neighbouring weights, at least 1.
func (v Window) dilated() int { return max(1, v.Dilation) }

// reach is the number of pixels that the window spans.
func (v Window) reach() int { return v.dilated()*(v.Kernel-1) + 1 }

// Conv is the forward convolution: (x [m,h,w,c], weight [k,k,c/groups,out] {, bias [out]}) to [m,h',w',out].
type Conv struct {
	X Act
	Window
	Bias bool
}

// ConvInputGrad is the gradient of a convolution by its input: (dy, weight) to dx. X is the shape of dx.
type ConvInputGrad struct {
	X Act
	Window
}

// ConvWeightGrad is the gradient of a convolution by its weight, one for each batch, reduced to the statistic of Statistic or, with Raw, returned as it is: (x, dy) to [statistics] or to batches times [weights].
type ConvWeightGrad struct {
	X Act
	Window
	Raw bool
}

// OutAct is the shape of the convolution's output.
func (v Window) OutAct(x Act) Act {
	return x.with((x.H+2*v.Pad-v.reach())/v.Stride+1, (x.W+2*v.Pad-v.reach())/v.Stride+1, v.Out)
}

// WeightShape is [kernel, kernel, channels/groups, out].
func (v Window) WeightShape(x Act) shapes.Shape {
	return shapes.Make(x.DType, v.Kernel, v.Kernel, x.C/v.Groups, v.Out)
}

func (v Window) name(what string, x Act) string {
	g := ""
	if v.Groups > 1 {
		g = fmt.Sprintf("/g%d", v.Groups)
	}
	if v.Dilation > 1 {
		g += fmt.Sprintf("/d%d", v.Dilation)
	}
	return fmt.Sprintf("%s%dx%d/%d [%d*%d,%d,%d,%d>%d%s] %s", what, v.Kernel, v.Kernel, v.Stride, x.Batches, x.Images, x.H, x.W, x.C, v.Out, g, x.DType)
}

// Name implements Op.
func (o Conv) Name() string { return o.name("conv", o.X) }

// Name implements Op.
func (o ConvInputGrad) Name() string { return o.name("conv-dx", o.X) }

// Name implements Op.
func (o ConvWeightGrad) Name() string { return o.name("conv-dw", o.X) }

// Inputs implements Op.
func (o Conv) Inputs() []shapes.Shape {
	in := []shapes.Shape{o.X.Shape(), o.WeightShape(o.X)}
	if o.Bias {
		in = append(in, shapes.Make(o.X.DType, o.Out))
	}
	return in
}

// Inputs implements Op.
func (o ConvInputGrad) Inputs() []shapes.Shape {
	return []shapes.Shape{o.OutAct(o.X).Shape(), o.WeightShape(o.X)}
}

// Inputs implements Op.
func (o ConvWeightGrad) Inputs() []shapes.Shape {
	return []shapes.Shape{o.X.Shape(), o.OutAct(o.X).Shape()}
}

var (
	nhwc = ConvolveAxesConfig{
		InputBatch: 0, InputSpatial: []int{1, 2}, InputChannels: 3,
		KernelSpatial: []int{0, 1}, KernelInputChannels: 2, KernelOutputChannels: 3,
		OutputBatch: 0, OutputSpatial: []int{1, 2}, OutputChannels: 3,
	}
	// The weight gradient is itself a convolution: the pictures become channels to sum over, the channels become pictures.
	weightGradAxes = ConvolveAxesConfig{
		InputBatch: 3, InputSpatial: []int{1, 2}, InputChannels: 0,
		KernelSpatial: []int{1, 2}, KernelInputChannels: 0, KernelOutputChannels: 3,
		OutputBatch: 2, OutputSpatial: []int{0, 1}, OutputChannels: 3,
	}
)

// Graph implements Op.
func (o Conv) Graph(platform string, g *Graph, in []*Node) []*Node {
	y := convForward(chooseConv(platform, o.Window), o.X, o.Window, in[0], in[1])
	if o.Bias {
		y = Add(y, Reshape(in[2], 1, 1, 1, o.Out))
	}
	return []*Node{y}
}

// Graph implements Op.
func (o ConvInputGrad) Graph(platform string, g *Graph, in []*Node) []*Node {
	return []*Node{convInputGrad(chooseConv(platform, o.Window), o.X, o.Window, in[0], in[1])}
}

// Graph implements Op.
func (o ConvWeightGrad) Graph(platform string, g *Graph, in []*Node) []*Node {
	low := chooseConv(platform, o.Window)
	one := o.X
	one.Batches = 1
	grads := make([]*Node, o.X.Batches)
	for b := range grads {
		grads[b] = convWeightGrad(low, one, o.Window, batch(in[0], o.X.Batches, b), batch(in[1], o.X.Batches, b))
	}
	return finishGrads(grads, o.Raw)
}

// batch cuts batch b out of the first axis of x.
func batch(x *Node, batches, b int) *Node {
	if batches == 1 {
		return x
	}
	n := x.Shape().Dimensions[0] / batches
	return SliceAxis(x, 0, AxisRange(b*n, (b+1)*n))
}

func convForward(low lowering, x Act, v Window, input, weight *Node) *Node {
	switch low {
	case matmul:
		out := v.OutAct(x)
		y := dot(Reshape(thin(input, v.Stride), -1, x.C), Reshape(weight, x.C, v.Out), 1, 0)
		return Reshape(y, x.Batches*x.Images, out.H, out.W, v.Out)
	default:
		return ConvGeneral(input, weight, nhwc, []int{v.Stride, v.Stride}, pads(v.Pad, v.Pad, v.Pad, v.Pad), nil, dilation(v.dilated()), v.Groups, 1)
	}
}

func convInputGrad(low lowering, x Act, v Window, dy, weight *Node) *Node {
	out := v.OutAct(x)
	switch low {
	case matmul:
		dx := dot(Reshape(dy, -1, v.Out), Reshape(weight, x.C, v.Out), 1, 1)
		dx = Reshape(dx, x.Batches*x.Images, out.H, out.W, x.C)
		if v.Stride > 1 {
			dx = spread(dx, x, v.Stride)
		}
		return dx
	default:
		// dx is the convolution of dy, with zeros between its pixels, with the weight turned by half a turn and its channels swapped within each group.
		w := Reverse(weight, 0, 1)
		g := v.Groups
		w = Reshape(w, v.Kernel, v.Kernel, x.C/g, g, v.Out/g)
		w = TransposeAllAxes(w, 0, 1, 4, 3, 2)
		w = Reshape(w, v.Kernel, v.Kernel, v.Out/g, x.C)
		lo := v.reach() - 1 - v.Pad
		hi := func(in, out int) int { return in - ((out-1)*v.Stride + 1) - lo + v.reach() - 1 }
		return ConvGeneral(dy, w, nhwc, []int{1, 1}, pads(lo, hi(x.H, out.H), lo, hi(x.W, out.W)), dilation(v.Stride), dilation(v.dilated()), g, 1)
	}
}

// convWeightGrad is the gradient [k,k,c/groups,out] of one batch.
func convWeightGrad(low lowering, x Act, v Window, input, dy *Node) *Node {
	out := v.OutAct(x)
	switch low {
	case matmul:
		return dot(Reshape(thin(input, v.Stride), -1, x.C), Reshape(dy, -1, v.Out), 0, 0)
	default:
		hi := func(in, out int) int { return v.reach() - 1 - in - v.Pad + (out-1)*v.Stride + 1 }
		return ConvGeneral(input, dy, weightGradAxes, []int{v.dilated(), v.dilated()}, pads(v.Pad, hi(x.H, out.H), v.Pad, hi(x.W, out.W)), nil, dilation(v.Stride), 1, v.Groups)
	}
}

// dot contracts axis i of the matrix a with axis j of the matrix b.
func dot(a, b *Node, i, j int) *Node {
	return DotGeneral(a, []int{i}, nil, b, []int{j}, nil)
}

// thin takes every stride-th pixel of x.
func thin(x *Node, stride int) *Node {
	if stride == 1 {
		return x
	}
	return Slice(x, AxisRange(), AxisRange().Stride(stride), AxisRange().Stride(stride), AxisRange())
}

// spread puts zeros between the pixels of dx so that it has the size of x: the gradient of thin.
func spread(dx *Node, x Act, stride int) *Node {
	zero := ScalarZero(dx.Graph(), dx.DType())
	s := dx.Shape().Dimensions
	axis := func(in, out int) PadAxis {
		return PadAxis{Start: 0, End: in - ((out-1)*stride + 1), Interior: stride - 1}
	}
	return Pad(dx, zero, PadAxis{}, axis(x.H, s[1]), axis(x.W, s[2]), PadAxis{})
}

func pads(top, bottom, left, right int) [][2]int {
	return [][2]int{{top, bottom}, {left, right}}
}

func dilation(stride int) []int {
	if stride == 1 {
		return nil
	}
	return []int{stride, stride}
}
