// Package formula draws weights, images and labels from counters.
package formula

import "math"

const (
	gamma              = 0x9E3779B97F4A7C15
	BiasStream  uint64 = 500000
	ImageStream uint64 = 1000000
	LabelStream uint64 = 2000000
)

func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	return z ^ (z >> 31)
}

func Base(seed, stream uint64) uint64 { return mix(seed + gamma*(stream+1)) }

func Raw(base, i uint64) uint64 { return mix(base + gamma*(i+1)) }

func Signed(base, i uint64) float64 { return 2*(float64(Raw(base, i)>>11)*0x1p-53) - 1 }

func FillWeights(dst []float32, seed, stream uint64, fanIn int) {
	b := Base(seed, stream)
	bound := 1 / math.Sqrt(float64(fanIn))
	for i := range dst {
		dst[i] = float32(Signed(b, uint64(i)) * bound)
	}
}
