package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/zeroshotnas/zeroshot/zico/kernel/simd"
)

// vectorOp is an operation that package simd can compute on a CPU. Which of them do so, vectorized says.
type vectorOp interface {
	Op
	// outputs are the shapes of the results.
	outputs() []shapes.Shape
	// vector computes them. The pointers are to dense arrays of the input and output shapes.
	vector(k *simd.Kernels, in, out []unsafe.Pointer)
}

func (a Act) window(v Window) simd.Window {
	return simd.Window{Images: a.Batches * a.Images, H: a.H, W: a.W, C: a.C, Kernel: v.Kernel, Stride: v.Stride, Pad: v.Pad, Out: v.Out}
}

func one(s shapes.Shape) []shapes.Shape { return []shapes.Shape{s} }

func (o Conv) outputs() []shapes.Shape { return one(o.OutAct(o.X).Shape()) }

func (o Conv) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	if o.Groups > 1 {
		k.Depthwise(o.X.window(o.Window), in[0], in[1], out[0])
		return
	}
	var bias unsafe.Pointer
	if o.Bias {
		bias = in[2]
	}
	k.Conv(o.X.window(o.Window), in[0], in[1], bias, out[0])
}

func (o ConvInputGrad) outputs() []shapes.Shape { return one(o.X.Shape()) }

func (o ConvInputGrad) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	if o.Groups > 1 {
		k.DepthwiseInputGrad(o.X.window(o.Window), in[0], in[1], out[0])
		return
	}
	k.ConvInputGrad(o.X.window(o.Window), in[0], in[1], out[0])
}

func (o ConvWeightGrad) outputs() []shapes.Shape { return o.X.gradShapes(o.WeightShape(o.X).Size()) }

func (o ConvWeightGrad) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	one := o.X
	one.Batches = 1
	grad := k.ConvWeightGrad
	if o.Groups > 1 {
		grad = k.DepthwiseWeightGrad
	}
	weightGrads(grad, one.window(o.Window), one, o.OutAct(one), in, out)
}

// weightGrads computes the weight gradient of each batch; x and y are the input and output of one.
func weightGrads(grad func(v simd.Window, x, dy, dw unsafe.Pointer), v simd.Window, x, y Act, in, out []unsafe.Pointer) {
	x.overBatches(len(out), func(b int) {
		grad(v, unsafe.Add(in[0], int64(b)*x.Bytes()), unsafe.Add(in[1], int64(b)*y.Bytes()), out[b])
	})
}

func (a Act) linear(out int) simd.Window {
	return simd.Window{Images: a.Batches * a.Images, H: 1, W: 1, C: a.C, Kernel: 1, Stride: 1, Out: out}
}

func (o Linear) outputs() []shapes.Shape { return one(o.OutAct().Shape()) }

func (o Linear) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	var bias unsafe.Pointer
	if o.Bias {
		bias = in[2]
	}
	k.Conv(o.X.linear(o.Out), in[0], in[1], bias, out[0])
}

func (o LinearInputGrad) outputs() []shapes.Shape { return one(o.X.Shape()) }

func (o LinearInputGrad) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.ConvInputGrad(o.X.linear(o.Out), in[0], in[1], out[0])
}

func (o LinearWeightGrad) outputs() []shapes.Shape { return o.X.gradShapes(o.X.C * o.Out) }

func (o LinearWeightGrad) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	one := o.X
	one.Batches = 1
	weightGrads(k.ConvWeightGrad, one.linear(o.Out), one, one.with(1, 1, o.Out), in, out)
}

func (o Moments) outputs() []shapes.Shape { return one(o.X.statsShape()) }

func (o Moments) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	o.X.eachBatch(func(_, pictures, stats int) {
		k.Moments(o.X.Images, o.X.H*o.X.W, o.X.C, o.Eps, unsafe.Add(in[0], pictures), unsafe.Add(out[0], stats))
	})
}

func (o ConvMoments) outputs() []shapes.Shape {
	y := o.OutAct(o.X)
	return []shapes.Shape{y.Shape(), y.statsShape()}
}

func (o ConvMoments) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	y := o.OutAct(o.X)
	one := o.X
	one.Batches = 1
	o.X.overBatches(o.X.Batches, func(b int) {
		x, out0 := unsafe.Add(in[0], int64(b)*one.Bytes()), unsafe.Add(out[0], int64(b)*o.OutAct(one).Bytes())
		k.ConvMoments(one.window(o.Window), o.Groups > 1, o.Eps, x, in[1], out0, unsafe.Add(out[1], b*int(y.StatsBytes())/o.X.Batches))
	})
}

func (o Merge) outputs() []shapes.Shape {
	n := 0
	for _, wanted := range []bool{o.Sum, o.ReLU} {
		if wanted {
			n++
		}
	}
	return repeat(o.X.Shape(), n)
}

func (o Merge) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	o.X.eachBatch(func(_, pictures, stats int) {
		from := make([]unsafe.Pointer, len(in))
		for i, p := range in {
			offset := pictures
			if i >= o.Terms && (i-o.Terms)%2 == 1 {
				offset = stats
			}
			from[i] = unsafe.Add(p, offset)
		}
		var sum, relu unsafe.Pointer
		if o.ReLU {
			relu = unsafe.Add(out[len(out)-1], pictures)
		}
		if o.Sum {
			sum = unsafe.Add(out[0], pictures)
		}
		k.Merge(o.X.Images, o.X.H*o.X.W, o.X.C, o.Terms, from, sum, relu)
	})
}

func (o BatchNormGrad) outputs() []shapes.Shape { return one(o.X.Shape()) }

func (o BatchNormGrad) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	o.X.eachBatch(func(_, pictures, stats int) {
		k.BatchNormGrad(o.X.Images, o.X.H*o.X.W, o.X.C, o.ReLU, unsafe.Add(in[0], pictures), unsafe.Add(in[1], pictures), unsafe.Add(in[2], stats), unsafe.Add(out[0], pictures))
	})
}

func (o ConvNormGrad) outputs() []shapes.Shape {
	if o.InputOnly {
		return one(o.X.Shape())
	}
	return append(one(o.X.Shape()), o.X.gradShapes(o.WeightShape(o.X).Size())...)
}

func (o ConvNormGrad) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	a := o.X
	a.Batches = 1
	z := o.OutAct(a)
	o.X.overBatches(o.X.Batches, func(b int) {
		x, y := b*int(a.Bytes()), b*int(z.Bytes())
		var add unsafe.Pointer
		if o.Add {
			add = unsafe.Add(in[5], x)
		}
		var dw unsafe.Pointer
		if !o.InputOnly {
			dw = out[1+b]
		}
		k.ConvNormGrad(a.window(o.Window), o.ReLU, o.Masked, unsafe.Add(in[0], y), unsafe.Add(in[1], y), unsafe.Add(in[2], b*int(z.StatsBytes())), unsafe.Add(in[3], x), in[4], add, unsafe.Add(out[0], x), dw)
	})
}

// eachBatch calls f with each batch and the offsets in bytes of its pictures and stats.
func (a Act) eachBatch(f func(b, pictures, stats int)) {
	single := a
	single.Batches = 1
	a.overBatches(a.Batches, func(b int) {
		f(b, b*int(single.Bytes()), b*int(single.StatsBytes()))
	})
}

// overBatches calls f for each of n batches. A kernel keeps all processors busy on a batch of many images; batches of one image go to the processors one each.
func (a Act) overBatches(n int, f func(b int)) {
	if a.Images > 1 || n == 1 {
		for b := range n {
			f(b)
		}
		return
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for b := int(next.Add(1)) - 1; b < n; b = int(next.Add(1)) - 1 {
				f(b)
			}
		})
	}
	workers.Wait()
}

func (o Statistic) outputs() []shapes.Shape {
	return one(shapes.Make(dtypes.Float64, StatisticLen(o.Batches)))
}

func (o Statistic) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.Statistic(o.Size, in, numbers(out[0], o.outputs()[0]))
}

// numbers are the float64 values at p of an output.
func numbers(p unsafe.Pointer, s shapes.Shape) []float64 {
	return unsafe.Slice((*float64)(p), s.Size())
}

func (o WeightProducts) outputs() []shapes.Shape { return one(shapes.Make(dtypes.Float64, 4)) }

func (o WeightProducts) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.WeightProducts(o.weightShape().Size(), in[0], in[1], numbers(out[0], o.outputs()[0]))
}

func (o NormProducts) outputs() []shapes.Shape {
	return one(shapes.Make(dtypes.Float64, o.X.Batches, 3, o.X.C))
}

func (o NormProducts) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	o.X.eachBatch(func(b, pictures, stats int) {
		k.NormProducts(o.X.Images, o.X.H*o.X.W, o.X.C, o.ReLU, unsafe.Add(in[0], pictures), unsafe.Add(in[1], pictures), unsafe.Add(in[2], stats), numbers(out[0], o.outputs()[0])[3*o.X.C*b:][:3*o.X.C])
	})
}

func (o ChannelProducts) outputs() []shapes.Shape {
	return one(shapes.Make(dtypes.Float64, o.X.Batches, 2, o.X.C))
}

func (o ChannelProducts) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	o.X.eachBatch(func(b, pictures, _ int) {
		k.ChannelProducts(o.X.Images, o.X.H*o.X.W, o.X.C, unsafe.Add(in[0], pictures), unsafe.Add(in[1], pictures), numbers(out[0], o.outputs()[0])[2*o.X.C*b:][:2*o.X.C])
	})
}

func (o FeatureDistance) outputs() []shapes.Shape {
	return one(shapes.Make(dtypes.Float64, o.X.Images))
}

func (o FeatureDistance) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.Distance(o.X.Images, o.X.H*o.X.W*o.X.C, in[0], unsafe.Add(in[0], o.X.Bytes()/2), numbers(out[0], o.outputs()[0]))
}

func (o Signs) outputs() []shapes.Shape {
	return one(shapes.Make(dtypes.Float64, o.X.Batches, o.X.Images, o.X.Images))
}

func (o Signs) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.Signs(o.X.Batches, o.X.Images, o.X.H*o.X.W*o.X.C, in[0], numbers(out[0], o.outputs()[0]))
}

func (o SignSum) outputs() []shapes.Shape { return one(shapes.Make(dtypes.Float64, 2)) }

func (o SignSum) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.SignSum(o.Size, in, numbers(out[0], o.outputs()[0]))
}

func (o GradGram) outputs() []shapes.Shape { return one(shapes.Make(dtypes.Float64, o.N, o.N)) }

func (o GradGram) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.GradGram(o.Size, in, numbers(out[0], o.outputs()[0]))
}

func (o Covariances) outputs() []shapes.Shape {
	n := o.X.Batches * o.X.Images
	return one(shapes.Make(dtypes.Float64, n, n))
}

func (o Covariances) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	picture := o.X.with(o.X.H, o.X.W, o.X.C)
	picture.Batches, picture.Images = 1, 1
	pictures := make([]unsafe.Pointer, o.X.Batches*o.X.Images)
	for i := range pictures {
		pictures[i] = unsafe.Add(in[0], int64(i)*picture.Bytes())
	}
	k.Covariances(o.X.H*o.X.W*o.X.C, pictures, numbers(out[0], o.outputs()[0]))
}

func (o BatchNormTangent) outputs() []shapes.Shape { return one(o.X.Shape()) }

func (o BatchNormTangent) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	o.X.eachBatch(func(_, pictures, stats int) {
		k.BatchNormTangent(o.X.Images, o.X.H*o.X.W, o.X.C, unsafe.Add(in[0], pictures), unsafe.Add(in[1], pictures), unsafe.Add(in[2], stats), unsafe.Add(in[3], pictures), unsafe.Add(in[4], pictures), unsafe.Add(out[0], pictures))
	})
}

func (o Seed) outputs() []shapes.Shape { return one(o.X.Shape()) }

func (o Seed) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.Seed(o.X.Batches*o.X.Images, o.X.H*o.X.W*o.X.C, o.From, o.To, out[0])
}

func (o Sum) outputs() []shapes.Shape { return one(o.X.Shape()) }

func (o Sum) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.Sum(o.X.Shape().Size(), o.Terms, o.Masked, in, out[0])
}

func (o Scaling) outputs() []shapes.Shape { return one(o.X.Shape()) }

func (o Scaling) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.Scale(o.X.Shape().Size(), o.Factor, in[0], out[0])
}

func (a Act) pool(k, s, p int, countPad bool) simd.Pool {
	return simd.Pool{Images: a.Batches * a.Images, H: a.H, W: a.W, C: a.C, Kernel: k, Stride: s, Pad: p, CountPad: countPad}
}

func (o AvgPooling) window() simd.Pool { return o.X.pool(o.Kernel, o.Stride, o.Pad, o.CountPad) }

func (o AvgPooling) outputs() []shapes.Shape { return one(o.OutAct().Shape()) }

func (o AvgPooling) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.AvgPool(o.window(), in[0], out[0])
}

func (o AvgPoolingGrad) outputs() []shapes.Shape { return one(o.X.Shape()) }

func (o AvgPoolingGrad) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.AvgPoolGrad(o.window(), in[0], out[0])
}

func (o MaxPooling) window() simd.Pool { return o.X.pool(o.Kernel, o.Stride, o.Pad, false) }

func (o MaxPooling) outputs() []shapes.Shape { return one(o.OutAct().Shape()) }

func (o MaxPooling) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.MaxPool(o.window(), in[0], out[0])
}

func (o MaxPoolingGrad) outputs() []shapes.Shape { return one(o.X.Shape()) }

func (o MaxPoolingGrad) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.MaxPoolGrad(o.window(), in[0], in[1], out[0])
}

func (o GlobalPooling) outputs() []shapes.Shape { return one(o.X.with(1, 1, o.X.C).Shape()) }

func (o GlobalPooling) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.GlobalPool(o.X.pool(0, 0, 0, false), in[0], out[0])
}

func (o GlobalPoolingGrad) outputs() []shapes.Shape { return one(o.X.Shape()) }

func (o GlobalPoolingGrad) vector(k *simd.Kernels, in, out []unsafe.Pointer) {
	k.GlobalPoolGrad(o.X.pool(0, 0, 0, false), in[0], out[0])
}
