package simd

import (
	"fmt"
	"testing"
	"unsafe"
)

// array is memory for n float32 values that are not zero, of a benchmark that goes on to the end of the program.
func array(n int) unsafe.Pointer {
	p := (&Kernels{bytes: 4}).alloc(n)
	for i := range unsafe.Slice((*float32)(p), n) {
		unsafe.Slice((*float32)(p), n)[i] = float32(i%13) - 6
	}
	return p
}

// measure runs f, which does so many floating-point operations, as a benchmark.
func measure(b *testing.B, name string, flops float64, f func()) {
	b.Run(name, func(b *testing.B) {
		for b.Loop() {
			f()
		}
		if flops > 0 {
			b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()*1e-9, "GFLOP/s")
		}
	})
}

// BenchmarkConv measures the convolutions of NAS-Bench-201 (batch 128) and of an ImageNet network (batch 16) in float32: forward, gradient by the input, gradient by the weights.
func BenchmarkConv(b *testing.B) {
	k := Best(4)
	for _, v := range []Window{
		{Images: 128, H: 32, W: 32, C: 16, Kernel: 3, Stride: 1, Pad: 1, Out: 16},
		{Images: 128, H: 16, W: 16, C: 32, Kernel: 3, Stride: 1, Pad: 1, Out: 32},
		{Images: 128, H: 8, W: 8, C: 64, Kernel: 3, Stride: 1, Pad: 1, Out: 64},
		{Images: 128, H: 32, W: 32, C: 16, Kernel: 3, Stride: 2, Pad: 1, Out: 32},
		{Images: 128, H: 32, W: 32, C: 16, Kernel: 1, Stride: 1, Out: 16},
		{Images: 16, H: 224, W: 224, C: 3, Kernel: 3, Stride: 2, Pad: 1, Out: 16},
		{Images: 16, H: 56, W: 56, C: 40, Kernel: 1, Stride: 1, Out: 160},
		{Images: 16, H: 28, W: 28, C: 64, Kernel: 1, Stride: 1, Out: 384},
		{Images: 16, H: 7, W: 7, C: 384, Kernel: 1, Stride: 1, Out: 1536},
	} {
		oh := v.outSize(v.H)
		n, m := v.Images*v.H*v.W*v.C, v.Images*oh*oh*v.Out
		weights := v.Kernel * v.Kernel * v.C * v.Out
		x, y, w := array(n), array(m), array(weights)
		z, stats, dx, dw := array(m), array(3*v.Out), array(n), array(weights)
		flops := 2 * float64(m) * float64(v.Kernel*v.Kernel*v.C)
		name := fmt.Sprintf("%dx%d/%d_%dx%d_%d>%d", v.Kernel, v.Kernel, v.Stride, v.H, v.W, v.C, v.Out)
		for what, f := range map[string]func(){
			"forward":     func() { k.Conv(v, x, w, nil, y) },
			"input-grad":  func() { k.ConvInputGrad(v, y, w, x) },
			"weight-grad": func() { k.ConvWeightGrad(v, x, y, w) },
			"norm-grad":   func() { k.ConvNormGrad(v, false, true, y, z, stats, x, w, nil, dx, dw) },
		} {
			flops := flops
			if what == "norm-grad" {
				if v.Stride > 1 {
					continue
				}
				flops *= 2
			}
			measure(b, name+"/"+what, flops, f)
		}
	}
}

// BenchmarkDepthwise measures depthwise convolutions (batch 16) in float32.
func BenchmarkDepthwise(b *testing.B) {
	k := Best(4)
	for _, v := range []Window{
		{Images: 16, H: 56, W: 56, C: 96, Kernel: 3, Stride: 1, Pad: 1, Out: 96},
		{Images: 16, H: 28, W: 28, C: 192, Kernel: 5, Stride: 1, Pad: 2, Out: 192},
		{Images: 16, H: 14, W: 14, C: 384, Kernel: 7, Stride: 1, Pad: 3, Out: 384},
		{Images: 16, H: 56, W: 56, C: 160, Kernel: 7, Stride: 2, Pad: 3, Out: 160},
	} {
		oh := v.outSize(v.H)
		n, m := v.Images*v.H*v.W*v.C, v.Images*oh*oh*v.C
		x, y, w := array(n), array(m), array(v.Kernel*v.Kernel*v.C)
		flops := 2 * float64(m) * float64(v.Kernel*v.Kernel)
		name := fmt.Sprintf("%dx%d/%d_%dx%d_%d", v.Kernel, v.Kernel, v.Stride, v.H, v.W, v.C)
		for what, f := range map[string]func(){
			"forward":     func() { k.Depthwise(v, x, w, y) },
			"input-grad":  func() { k.DepthwiseInputGrad(v, y, w, x) },
			"weight-grad": func() { k.DepthwiseWeightGrad(v, x, y, w) },
		} {
			measure(b, name+"/"+what, flops, f)
		}
	}
}

// BenchmarkNorm measures what batch normalisation and rectifiers need, on 8 MiB of float32.
func BenchmarkNorm(b *testing.B) {
	k := Best(4)
	const images, pixels, c = 128, 1024, 16
	x, y, z, stats := array(images*pixels*c), array(images*pixels*c), array(images*pixels*c), array(3*c)
	for what, f := range map[string]func(){
		"moments":        func() { k.Moments(images, pixels, c, 1e-5, x, stats) },
		"normalize":      func() { k.Merge(images, pixels, c, 0, []unsafe.Pointer{x, stats}, y, nil) },
		"normalize-relu": func() { k.Merge(images, pixels, c, 0, []unsafe.Pointer{x, stats}, nil, y) },
		"gradient":       func() { k.BatchNormGrad(images, pixels, c, false, y, x, stats, z) },
		"gradient-relu":  func() { k.BatchNormGrad(images, pixels, c, true, y, x, stats, z) },
		"avgpool":        func() { k.AvgPool(Pool{Images: images, H: 32, W: 32, C: c, Kernel: 3, Stride: 1, Pad: 1}, x, y) },
		"avgpool-grad":   func() { k.AvgPoolGrad(Pool{Images: images, H: 32, W: 32, C: c, Kernel: 3, Stride: 1, Pad: 1}, y, x) },
		"sum":            func() { k.Sum(images*pixels*c, 2, [3]int{}, []unsafe.Pointer{x, y}, z) },
		"sum-masked":     func() { k.Sum(images*pixels*c, 1, [3]int{1}, []unsafe.Pointer{x, y, x}, z) },
	} {
		measure(b, what, 0, f)
	}
}

// BenchmarkCold measures the convolutions of NAS-Bench-201 on pictures that are not in the cache: each call takes the next of 32 arrays.
func BenchmarkCold(b *testing.B) {
	k := Best(4)
	for _, v := range []Window{
		{Images: 128, H: 32, W: 32, C: 16, Kernel: 3, Stride: 1, Pad: 1, Out: 16},
		{Images: 128, H: 16, W: 16, C: 32, Kernel: 3, Stride: 1, Pad: 1, Out: 32},
		{Images: 128, H: 8, W: 8, C: 64, Kernel: 3, Stride: 1, Pad: 1, Out: 64},
		{Images: 128, H: 32, W: 32, C: 16, Kernel: 1, Stride: 1, Out: 16},
	} {
		n := v.Images * v.H * v.W * v.C
		var xs, ys [32]unsafe.Pointer
		for i := range xs {
			xs[i], ys[i] = array(n), array(n)
		}
		w := array(v.Kernel * v.Kernel * v.C * v.Out)
		name := fmt.Sprintf("%dx%d_%dx%d_%d", v.Kernel, v.Kernel, v.H, v.W, v.C)
		for what, f := range map[string]func(i int){
			"forward":     func(i int) { k.Conv(v, xs[i], w, nil, ys[i]) },
			"input-grad":  func(i int) { k.ConvInputGrad(v, ys[i], w, xs[i]) },
			"weight-grad": func(i int) { k.ConvWeightGrad(v, xs[i], ys[i], w) },
		} {
			i := 0
			measure(b, name+"/"+what, 2*float64(n)*float64(v.Kernel*v.Kernel*v.C), func() {
				f(i % 32)
				i++
			})
		}
	}
}

// BenchmarkProxies measures what other proxies than ZiCo add up on the pictures and gradients of NAS-Bench-201 (batch 128) in float32.
func BenchmarkProxies(b *testing.B) {
	k := Best(4)
	for _, s := range [][2]int{{32, 16}, {16, 32}, {8, 64}} {
		const images = 128
		pixels, c := s[0]*s[0], s[1]
		n := images * pixels * c
		x, y, z, stats := array(n), array(n), array(n), array(3*c)
		out := make([]float64, images*images)
		for what, f := range map[string]func(){
			"norm":         func() { k.NormProducts(images, pixels, c, false, y, x, stats, out[:3*c]) },
			"norm-relu":    func() { k.NormProducts(images, pixels, c, true, y, x, stats, out[:3*c]) },
			"channel":      func() { k.ChannelProducts(images, pixels, c, x, y, out[:2*c]) },
			"signs":        func() { k.Signs(1, images, pixels*c, x, out) },
			"distance":     func() { k.Distance(images, pixels*c, x, y, out[:images]) },
			"norm-tangent": func() { k.BatchNormTangent(images, pixels, c, y, x, stats, y, x, z) },
		} {
			measure(b, fmt.Sprintf("%dx%d_%d/%s", s[0], s[0], c, what), 0, f)
		}
		var grads []unsafe.Pointer
		weights := 9 * c * c
		for range images {
			grads = append(grads, array(weights))
		}
		measure(b, fmt.Sprintf("%dx%d_%d/weights", s[0], s[0], c), 0, func() { k.WeightProducts(weights, x, y, out[:4]) })
		measure(b, fmt.Sprintf("%dx%d_%d/sign-sum", s[0], s[0], c), 0, func() { k.SignSum(weights, grads, out[:2]) })
		measure(b, fmt.Sprintf("%dx%d_%d/gram", s[0], s[0], c), float64(images*(images+1)*weights), func() { k.GradGram(weights, grads, out) })
	}
}

// BenchmarkProxiesCold measures them on pictures that are not in the cache: each call takes the next of 32 arrays.
func BenchmarkProxiesCold(b *testing.B) {
	k := Best(4)
	const images, pixels, c = 128, 1024, 16
	var xs, ys [32]unsafe.Pointer
	for i := range xs {
		xs[i], ys[i] = array(images*pixels*c), array(images*pixels*c)
	}
	stats, out := array(3*c), make([]float64, images*images)
	for what, f := range map[string]func(i int){
		"norm-relu": func(i int) { k.NormProducts(images, pixels, c, true, ys[i], xs[i], stats, out[:3*c]) },
		"channel":   func(i int) { k.ChannelProducts(images, pixels, c, xs[i], ys[i], out[:2*c]) },
		"signs":     func(i int) { k.Signs(1, images, pixels*c, xs[i], out) },
	} {
		i := 0
		measure(b, what, 0, func() {
			f(i % 32)
			i++
		})
	}
}
