package kernel

import "github.com/zeroshotnas/zeroshot/zico/kernel/simd"

// A lowering is a way to write an operation for XLA. All of them, and package simd where it serves an operation, compute the same numbers up to rounding; tests compare each with GoMLX's automatic gradients in float64.
type lowering uint8

const (
	native lowering = iota // XLA's convolution
	matmul                 // a product of matrices, for 1x1 windows
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

// vectorized is the table of the operations that package simd computes on a CPU. It is faster than XLA in every operation that it has, on every shape measured (docs/performance.md); it lacks grouped convolutions other than depthwise ones, dilated ones, and what comes once a network on small arrays.
func vectorized(op Op) bool {
	plain := func(x Act, v Window) bool {
		return v.Dilation <= 1 && (v.Groups == 1 || v.Groups == x.C && v.Out == x.C)
	}
	switch o := op.(type) {
	case Conv:
		return plain(o.X, o.Window) && !(o.Groups > 1 && o.Bias)
	case ConvMoments:
		return vectorized(o.Conv)
	case ConvInputGrad:
		return plain(o.X, o.Window)
	case ConvWeightGrad:
		return o.Raw && plain(o.X, o.Window)
	case ConvNormGrad:
		return (o.Raw || o.InputOnly) && plain(o.X, o.Window) && o.Groups == 1 && o.Stride == 1
	case LinearWeightGrad:
		return o.Raw
	case WeightProducts, NormProducts, ChannelProducts, FeatureDistance, Signs, SignSum, GradGram, Covariances, BatchNormTangent, Seed:
		return true
	case Linear, LinearInputGrad, Moments, BatchNormGrad, AvgPooling, AvgPoolingGrad, MaxPooling, MaxPoolingGrad, GlobalPooling, GlobalPoolingGrad, Scaling:
		return true
	case Merge, Sum, Statistic:
		return len(o.Inputs()) <= simd.MaxTerms
	}
	return false
}
