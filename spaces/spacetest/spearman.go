package spacetest

import (
	"cmp"
	"math"
	"slices"
)

// Spearman is Spearman's rank correlation of x and y, which have the same length; equal values share the mean of their ranks. Tests of counts compare it with what is known of whole benchmarks.
func Spearman(x, y []float64) float64 {
	a, b := centeredRanks(x), centeredRanks(y)
	var ab, aa, bb float64
	for i := range a {
		ab, aa, bb = ab+a[i]*b[i], aa+a[i]*a[i], bb+b[i]*b[i]
	}
	return ab / math.Sqrt(aa*bb)
}

// centeredRanks are the ranks of the values less the mean of all ranks.
func centeredRanks(v []float64) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(v[i], v[j]) })
	r := make([]float64, len(v))
	for lo := 0; lo < len(v); {
		hi := lo
		for hi < len(v) && v[order[hi]] == v[order[lo]] {
			hi++
		}
		for _, i := range order[lo:hi] {
			r[i] = float64(lo+hi-1)/2 - float64(len(v)-1)/2
		}
		lo = hi
	}
	return r
}
