package rank

import "math"

// WeightedTau is the additive hyperbolic weighted tau (S. Vigna, A weighted correlation index for rankings with ties, WWW 2015): tau-b in which the pair of the networks at places r and s, from 0 for the best, weighs 1/(r+1) + 1/(s+1), so that an exchange near the top counts more than one at the bottom. Places are by descending score with ties by accuracy, and again by descending accuracy with ties by score; the result is the mean of both. It equals scipy.stats.weightedtau with its defaults, lies in [-1, 1] and has no unit. O(n log n). NaN for fewer than two pairs, or where all scores or all accuracies tie.
func (s *Sample) WeightedTau() float64 {
	n := s.N()
	if n < 2 || s.score[0] == s.score[n-1] {
		return math.NaN()
	}
	w := s.workspace()
	truth := s.truthCounts()
	for _, t := range truth {
		if int(t) == n {
			return math.NaN()
		}
	}
	weight := sized(&w.first, n)
	for p := range weight {
		weight[p] = 1 / float64(n-p)
	}
	byScore := s.weightedTau(weight)
	order := sized(&w.identity, n)
	for p := range order {
		order[p] = int32(p)
	}
	for q, p := range stableByLevel(order, s.truth, len(s.truths), w) {
		weight[p] = 1 / float64(n-q)
	}
	return (byScore + s.weightedTau(weight)) / 2
}

// weightedTau is tau-b where pair p, q weighs weight[p]+weight[q]. The weights of all pairs in a group of m are (m-1) times the sum of their weights.
func (s *Sample) weightedTau(weight []float64) float64 {
	w := s.workspace()
	n := s.N()
	v := sized(&w.items, n)
	perTruth := sized(&w.second, len(s.truths))
	clear(perTruth)
	counts := s.truthCounts()
	var sum, tiedScore, tiedBoth, tiedTruth float64
	for lo, hi := range s.runs() {
		var group float64
		for same := lo; same < hi; {
			level, part, next := s.truth[same], 0., same
			for ; next < hi && s.truth[next] == level; next++ {
				v[next] = item{level, weight[next]}
				part += weight[next]
			}
			tiedBoth += part * float64(next-same-1)
			perTruth[level] += part
			group += part
			same = next
		}
		tiedScore += group * float64(hi-lo-1)
		sum += group
	}
	for l, part := range perTruth {
		if counts[l] > 0 {
			tiedTruth += part * float64(counts[l]-1)
		}
	}
	all := sum * float64(n-1)
	discordant := weighInversions(v, sized(&w.movedItems, n), topBit(len(s.truths)))
	return tau(all-tiedScore-tiedTruth+tiedBoth-2*discordant, all-tiedScore, all-tiedTruth)
}

// item is a pair of a sample on its way to its place.
type item struct {
	level  int32
	weight float64
}

// weighInversions is inversions with each inversion weighing the sum of its two weights.
func weighInversions(v, tmp []item, bit int) float64 {
	var n float64
	if len(v) <= insertion {
		for i, x := range v {
			j := i
			for ; j > 0 && v[j-1].level > x.level; j-- {
				n += v[j-1].weight + x.weight
				v[j] = v[j-1]
			}
			v[j] = x
		}
		return n
	}
	if bit < 0 {
		return 0
	}
	tmp = tmp[:len(v)]
	zeros, ones := 0, 0
	var weight float64 // of the ones
	for _, x := range v {
		if x.level>>bit&1 == 1 {
			tmp[ones] = x
			ones++
			weight += x.weight
			continue
		}
		v[zeros] = x
		zeros++
		n += weight + x.weight*float64(ones)
	}
	copy(v[zeros:], tmp[:ones])
	return n + weighInversions(v[:zeros], tmp, bit-1) + weighInversions(v[zeros:], tmp, bit-1)
}
