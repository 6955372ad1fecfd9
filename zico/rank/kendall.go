package rank

import (
	"math"
	"math/bits"
)

// KendallTau is Kendall's tau-b (M. G. Kendall, The treatment of ties in ranking problems, Biometrika 33, 1945): with C and D the numbers of pairs of networks that score and accuracy order the same way and opposite ways, and X and Y those of pairs whose scores, whose accuracies differ,
//
//	(C - D) / sqrt(X Y)
//
// It lies in [-1, 1] and has no unit. It is counted in O(n log n) as W. R. Knight does (A computer method for calculating Kendall's tau with ungrouped data, JASA 61, 1966): in the order of the scores, D is the number of inversions of the accuracies. NaN for fewer than two pairs, or where all scores or all accuracies tie.
func (s *Sample) KendallTau() float64 {
	w := s.workspace()
	all := pairs(s.N())
	var tiedScore, tiedBoth, tiedTruth int64
	for lo, hi := range s.runs() {
		tiedScore += pairs(hi - lo)
		for same := lo; same < hi; {
			next := same + 1
			for next < hi && s.truth[next] == s.truth[same] {
				next++
			}
			tiedBoth += pairs(next - same)
			same = next
		}
	}
	for _, n := range s.truthCounts() {
		tiedTruth += pairs(int(n))
	}
	if all == tiedScore || all == tiedTruth {
		return math.NaN()
	}
	v := sized(&w.sorted, s.N())
	copy(v, s.truth)
	discordant := inversions(v, sized(&w.moved, s.N()), topBit(len(s.truths)))
	return tau(float64(all-tiedScore-tiedTruth+tiedBoth-2*discordant), float64(all-tiedScore), float64(all-tiedTruth))
}

// tau divides C - D, kept in [-1, 1] against rounding. Two roots, as the product may not fit.
func tau(difference, scores, truths float64) float64 {
	return max(-1, min(1, difference/math.Sqrt(scores)/math.Sqrt(truths)))
}

// pairs is the number of pairs of n things.
func pairs(n int) int64 { return int64(n) * int64(n-1) / 2 }

// topBit is the highest bit of levels below n, -1 if there is but one level.
func topBit(n int) int { return bits.Len(uint(max(n, 1)-1)) - 1 }

// insertion is the length below which counting one by one is faster than moving by bits.
const insertion = 16

// inversions counts i < j with v[i] > v[j], and sorts v; tmp has its length. The two of a pair part at the highest bit in which they differ, so it is counted where that bit moves them: no branch depends on the data, which a merge sort cannot say.
func inversions(v, tmp []int32, bit int) int64 {
	var n int64
	if len(v) <= insertion {
		for i, x := range v {
			j := i
			for ; j > 0 && v[j-1] > x; j-- {
				v[j] = v[j-1]
			}
			v[j] = x
			n += int64(i - j)
		}
		return n
	}
	if bit < 0 {
		return 0
	}
	tmp = tmp[:len(v)]
	zeros, ones := 0, 0
	for _, x := range v {
		// Written to both places, and kept in one. v[zeros] is this element or one that went to tmp.
		b := int(x>>bit) & 1
		v[zeros], tmp[ones] = x, x
		n += int64(ones &^ -b)
		ones += b
		zeros += 1 - b
	}
	copy(v[zeros:], tmp[:ones])
	return n + inversions(v[:zeros], tmp, bit-1) + inversions(v[zeros:], tmp, bit-1)
}
