package rank

import (
	"math"
	"slices"
)

// Spearman is Spearman's rho: Pearson's r of the ranks, where tied values share the mean of their ranks (Kendall and Gibbons, Rank Correlation Methods, 1990). It lies in [-1, 1] and has no unit. NaN for fewer than two pairs, or where all scores or all accuracies tie.
func (s *Sample) Spearman() float64 {
	// Twice the mean rank less twice the mean of all ranks is the number of values below less the number above: whole numbers, whose products do not round.
	n := s.N()
	truth := s.truthCounts()
	below := int32(0)
	for l, t := range truth {
		truth[l] = 2*below + t - int32(n)
		below += t
	}
	var ab, aa, bb float64
	var abPart, aaPart, bbPart int64
	for lo, hi := range s.runs() {
		a := int64(lo + hi - n)
		for p := lo; p < hi; p++ {
			b := int64(truth[s.truth[p]])
			abPart += a * b
			aaPart += a * a
			bbPart += b * b
			if p%1024 == 1023 { // 1024 products fit for up to 67 million pairs; few sums are left that round
				ab, aa, bb = ab+float64(abPart), aa+float64(aaPart), bb+float64(bbPart)
				abPart, aaPart, bbPart = 0, 0, 0
			}
		}
	}
	ab, aa, bb = ab+float64(abPart), aa+float64(aaPart), bb+float64(bbPart)
	return correlation(ab, aa, bb)
}

// Pearson is Pearson's product-moment correlation of the values themselves, of the pairs in which both are finite; Counts.NonFinite tells how many are not. It lies in [-1, 1] and has no unit. NaN for fewer than two finite pairs, or where all of their scores or accuracies are equal.
func (s *Sample) Pearson() float64 {
	w := s.workspace()
	x, y := sized(&w.first, s.N())[:0], sized(&w.second, s.N())[:0]
	for p := range s.score {
		a, b := s.scores[s.score[p]], s.truths[s.truth[p]]
		if finite(a) && finite(b) {
			x, y = append(x, a), append(y, b)
		}
	}
	center(x)
	center(y)
	var ab, aa, bb float64
	for i, a := range x {
		b := y[i]
		ab += a * b
		aa += a * a
		bb += b * b
	}
	return correlation(ab, aa, bb)
}

// correlation is ab/sqrt(aa bb), kept in [-1, 1] against rounding; NaN if one is 0, as the sums of equal values or of none are.
func correlation(ab, aa, bb float64) float64 {
	if aa == 0 || bb == 0 {
		return math.NaN()
	}
	return max(-1, min(1, ab/math.Sqrt(aa)/math.Sqrt(bb)))
}

// center moves finite values to mean 0, and scales them so that squares of values near 1e300 or 1e-300 are numbers. The lowest is taken off first: equal values become 0 exactly, which the mean of rounded sums would not give, and those close together lose no digits.
func center(v []float64) {
	if len(v) == 0 {
		return
	}
	lo, hi := slices.Min(v), slices.Max(v)
	_, e := math.Frexp(max(-lo, hi))
	scale := math.Ldexp(1, -max(-1000, min(1000, e))) // a power of two, so exact
	var sum float64
	for i, x := range v {
		v[i] = x*scale - lo*scale
		sum += v[i]
	}
	mean := sum / float64(len(v))
	for i := range v {
		v[i] -= mean
	}
}
