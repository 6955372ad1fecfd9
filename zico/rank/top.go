package rank

import (
	"iter"
	"math"
)

// What a search gets from a proxy is the networks that it puts first. Tied scores leave open which of them those are: the statistics of the top are means over all ways to break the ties, so that they do not depend on the order of the input. Networks without a score are never among them.

// Top is the number of networks in a share of the sample, to the nearest whole one and at least 1, for the statistics that take a number: s.Precision(s.Top(0.05)). 0 if the sample is empty or the share is not above 0.
func (s *Sample) Top(share float64) int {
	if s.N() == 0 || !(share > 0) {
		return 0
	}
	return max(1, int(math.Round(min(share, 1)*float64(s.N()))))
}

// Precision is the share of the k best-scored networks that belong to the k best by accuracy (P@topK of Ning et al., Evaluating Efficient Performance Estimators of Neural Architectures, NeurIPS 2021), in [0, 1]. All networks as accurate as the k-th best count among the best. If fewer than k have a score, the places that stay empty count as misses. A k above N is N. A random order gives k/N where accuracies do not tie. NaN for k < 1 and for no pairs.
func (s *Sample) Precision(k int) float64 {
	k = min(k, s.N())
	if k < 1 {
		return math.NaN()
	}
	worst, left := len(s.truths), k
	for counts := s.truthCounts(); left > 0; left -= int(counts[worst]) {
		worst--
	}
	hits := 0.
	for g := range s.picks(k) {
		n := 0
		for _, l := range g.truth {
			if int(l) >= worst {
				n++
			}
		}
		hits += float64(n*g.taken) / float64(len(g.truth)) // a whole number if all are hits
	}
	return hits / float64(k)
}

// TopMean is the mean accuracy of the k best-scored networks, in the unit of the accuracies; of all that have a score, if they are fewer than k. Where scores tie at the last place, the tied fill what is left with their mean. NaN for k < 1 and where no network has a score.
func (s *Sample) TopMean(k int) float64 {
	var sum float64
	n := 0
	for g := range s.picks(k) {
		var group float64
		for _, l := range g.truth {
			group += s.truths[l]
		}
		if g.taken < len(g.truth) {
			group *= float64(g.taken) / float64(len(g.truth))
		}
		sum += group
		n += g.taken
	}
	return sum / float64(n) // NaN for none
}

// Regret is what following the proxy costs: the best accuracy of the sample less the accuracy of the best-scored network, in the unit of the accuracies, 0 or more. Where the best score is that of several networks, it is the mean over them. NaN where no network has a score.
func (s *Sample) Regret() float64 {
	var sum float64
	n := 0
	for g := range s.picks(1) {
		best := s.truths[s.best()]
		for _, l := range g.truth {
			if v := s.truths[l]; v != best { // not +Inf less itself
				sum += best - v
			}
		}
		n = len(g.truth)
	}
	return sum / float64(n) // NaN for none
}

// best is the highest level of accuracy that occurs: in a resample it need not be the last.
func (s *Sample) best() int32 {
	best := int32(0)
	for _, l := range s.truth {
		best = max(best, l)
	}
	return best
}

// group is networks of one score, by their levels of accuracy, and how many of them are taken.
type group struct {
	truth []int32
	taken int
}

// picks yields the groups that the k best-scored networks are from, the best first. All but the last are taken whole. Networks whose score is NaN are in none.
func (s *Sample) picks(k int) iter.Seq[group] {
	return func(yield func(group) bool) {
		first := s.unscored()
		for hi := len(s.score); hi > first && k > 0; {
			lo := hi - 1
			for lo > first && s.score[lo-1] == s.score[hi-1] {
				lo--
			}
			if !yield(group{s.truth[lo:hi], min(k, hi-lo)}) {
				return
			}
			k -= hi - lo
			hi = lo
		}
	}
}
