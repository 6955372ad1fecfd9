// Package formula draws weights, images and labels from counters instead of a random generator: value i of stream k under a seed is a function of the three numbers alone. So a weight does not depend on the machine, on the order of layers or on what was drawn before, and another program can make the same values in a few lines.
//
// All integers are uint64 with wrap-around. The mixing function is the finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
package formula

import "math"

// The constants of splitmix64, for programs that draw the same values on a device: a counter is multiplied by Gamma, and mixed by shifts of 30, 27 and 31 bits with products by Mix1 and Mix2 between them.
const (
	Gamma = 0x9E3779B97F4A7C15
	Mix1  = 0xBF58476D1CE4E5B9
	Mix2  = 0x94D049BB133111EB
)

// Streams. A weight tensor has the ordinal of its layer as its stream, the rest is offset.
const (
	BiasStream  = 500000  // plus the ordinal of the layer
	ImageStream = 1000000 // plus the number of the batch
	LabelStream = 2000000 // plus the number of the batch
)

func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * Mix1
	z = (z ^ (z >> 27)) * Mix2
	return z ^ (z >> 31)
}

// Base is the start of a stream, mix(seed + Gamma*(stream+1)).
func Base(seed, stream uint64) uint64 { return mix(seed + Gamma*(stream+1)) }

// Raw is value i of the stream with the given base, uniform over 64 bits.
func Raw(base, i uint64) uint64 { return mix(base + Gamma*(i+1)) }

// Uniform is value i as a number in [0,1), exact in float64.
func Uniform(base, i uint64) float64 { return float64(Raw(base, i)>>11) * 0x1p-53 }

// Signed is value i as a number in [-1,1), exact in float64.
func Signed(base, i uint64) float64 { return 2*Uniform(base, i) - 1 }

// FillWeights draws PyTorch's default initialisation of a convolution or linear layer, uniform in ±1/sqrt(fanIn), in the flat order of PyTorch's weight (out, in/groups, height, width). Each value is rounded to float32 once.
func FillWeights(dst []float32, seed, stream uint64, fanIn int) {
	fill(dst, Base(seed, stream), 1/math.Sqrt(float64(fanIn)))
}

func fill(dst []float32, base uint64, bound float64) {
	z := base
	for i := range dst {
		z += Gamma
		u := float64(mix(z)>>11) * 0x1p-53
		dst[i] = float32((2*u - 1) * bound)
	}
}

// FillImages draws the n images [h, w, c] of a batch, uniform with variance 1. The formula counts images in the order [n, c, h, w]; dst is [n, h, w, c].
func FillImages(dst []float32, seed uint64, batch, n, c, h, w int) {
	planar := make([]float32, c*h*w)
	base := Base(seed, ImageStream+uint64(batch))
	for i := range n {
		fill(planar, base+Gamma*uint64(i*len(planar)), math.Sqrt(3))
		img := dst[i*len(planar) : (i+1)*len(planar)]
		for k := range c {
			for p := range h * w {
				img[p*c+k] = planar[k*h*w+p]
			}
		}
	}
}

// FillLabels draws the labels of a batch, 0..classes-1.
func FillLabels(dst []int32, seed uint64, batch, classes int) {
	base := Base(seed, LabelStream+uint64(batch))
	for i := range dst {
		dst[i] = int32(Raw(base, uint64(i)) % uint64(classes))
	}
}

// FillUnit draws weights uniform with variance 1, in place of a normal distribution: ±sqrt(3), each value rounded to float32 once.
func FillUnit(dst []float32, seed, stream uint64) { fill(dst, Base(seed, stream), math.Sqrt(3)) }
