package rank

import (
	"math"
	"slices"
)

// NDCG is the normalised discounted cumulative gain of the k best-scored networks (Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, TOIS 20, 2002): the sum of gain/log2(place+1) over places 1..k in the order of the scores, over the same sum in the order of the accuracies. A k above N is N.
//
// The gain of a network is (accuracy - lowest)/(highest - lowest) of the sample: linear, 0 for the worst, 1 for the best, and the same for accuracies in per cent, as fractions, or below 0. (Gains of 2^accuracy, usual for grades of 0 to 4, would leave nothing but the best network.) So values of different samples compare only where their ranges do. Networks of tied scores have the mean of their gains at each of their places, as over all ways to break the tie (McSherry and Najork, ECIR 2008); a network without a score gains nothing.
//
// It lies in [0, 1] and has no unit. NaN for k < 1, for no pairs, and where accuracies are all equal or infinite.
func (s *Sample) NDCG(k int) float64 {
	k = min(k, s.N())
	if k < 1 {
		return math.NaN()
	}
	best, worst := s.truths[s.best()], s.truths[slices.Min(s.truth)]
	if best == worst || !finite(best) || !finite(worst) {
		return math.NaN()
	}
	scale := 1.
	if !finite(best - worst) {
		scale = 0.5 // for a range that does not fit
	}
	gain := func(l int32) float64 {
		return (s.truths[l]*scale - worst*scale) / (best*scale - worst*scale)
	}
	var got, ideal float64
	place := 0
	for g := range s.picks(k) {
		var sum float64
		for _, l := range g.truth {
			sum += gain(l)
		}
		got += sum / float64(len(g.truth)) * discounts(place, place+g.taken)
		place += g.taken
	}
	place = 0
	for l, counts := len(s.truths)-1, s.truthCounts(); place < k; l-- {
		taken := min(k-place, int(counts[l]))
		ideal += gain(int32(l)) * discounts(place, place+taken)
		place += taken
	}
	return min(1, got/ideal) // the two sums round differently
}

// discounts is the sum of the discounts of places lo..hi-1, counted from 0.
func discounts(lo, hi int) float64 {
	var sum float64
	for i := lo; i < hi; i++ {
		sum += 1 / math.Log2(float64(i+2))
	}
	return sum
}
