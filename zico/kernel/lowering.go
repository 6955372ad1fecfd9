package kernel

import "github.com/zeroshotnas/zeroshot/zico/kernel/simd"

// A lowering is a way to compute an operation. All lowerings of an operation compute the same numbers up to rounding; tests compare each with GoMLX's automatic gradients in float64.
type lowering uint8

const (
	native  lowering = iota // XLA's convolution
	matmul                  // XLA's product of matrices, for 1x1 windows
	vectors                 // package simd, in memory shared with XLA
)

// chooseConv chooses between the lowerings of a convolution that XLA compiles. Each rule names the measurement behind it.
func chooseConv(platform string, v Window) lowering {
	if platform != "cpu" {
		return native // cuDNN's convolutions are the right choice there
	}
	// The native weight gradient of a 1x1 window is 7 to 13 times slower than the matrix product (28x28, 64>384, batch 128: 1370 to 2170 ms against 180 ms).
	if v.Kernel == 1 && v.Pad == 0 && v.Groups == 1 {
		return matmul
	}
	return native
}

// choose is the table of lowerings: how an operation is computed on a platform. Package simd is faster than XLA in every operation that it has, on every shape measured (docs/performance.md); it lacks grouped convolutions other than depthwise ones, dilated ones, and what comes once a network on small arrays.
func choose(platform string, op Op) lowering {
	plain := func(x Act, v Window) bool {
		return v.Dilation <= 1 && (v.Groups == 1 || v.Groups == x.C && v.Out == x.C)
	}
	if platform == "cpu" {
		switch o := op.(type) {
		case Conv:
			if plain(o.X, o.Window) && !(o.Groups > 1 && o.Bias) {
				return vectors
			}
		case ConvMoments:
			return choose(platform, o.Conv)
		case ConvInputGrad:
			if plain(o.X, o.Window) {
				return vectors
			}
		case ConvWeightGrad:
			if o.Raw && plain(o.X, o.Window) {
				return vectors
			}
		case ConvNormGrad:
			if o.Raw && plain(o.X, o.Window) && o.Groups == 1 && o.Stride == 1 {
				return vectors
			}
		case LinearWeightGrad:
			if o.Raw {
				return vectors
			}
		case Linear, LinearInputGrad, Moments, BatchNormGrad, AvgPooling, AvgPoolingGrad, MaxPooling, MaxPoolingGrad, GlobalPooling, GlobalPoolingGrad:
			return vectors
		case Merge, Sum, Statistic:
			if len(o.Inputs()) <= simd.MaxTerms {
				return vectors
			}
		}
	}
	switch o := op.(type) {
	case Conv:
		return chooseConv(platform, o.Window)
	case ConvInputGrad:
		return chooseConv(platform, o.Window)
	case ConvWeightGrad:
		return chooseConv(platform, o.Window)
	}
	return native
}
