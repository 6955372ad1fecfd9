// Package rank says how well scores rank accuracies: Kendall's tau-b, Spearman's rho, Pearson's r, weighted tau, what the best-scored networks are worth (precision, mean accuracy, regret, nDCG), and bootstrap intervals for all of them.
//
// A Sample is made of pairs, the score of a network and its accuracy. Higher is better in both; Negated turns values of which lower is better. Each kind of irregular value has one rule, for all statistics, and Counts tells how many pairs it met:
//
//   - +Inf is above all finite values and -Inf below, several of the same sign tie. Pearson's r has no use for them and is of the finite pairs.
//   - A score of NaN is below everything, -Inf included, and ties with the other NaNs: a network without a score is no pick. So it counts against a proxy in tau and rho as a lowest score would, and Precision, TopMean, Regret and NDCG never take it among the best.
//   - A pair with an accuracy of NaN says nothing about the proxy and is left out.
//   - -0 and 0 are equal.
//
// A statistic that is not defined is NaN, not an error: correlations of fewer than two pairs, or where all scores or all accuracies are equal, and whatever is asked of no pairs at all.
package rank

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
)

// Sample is a set of pairs of score and accuracy. It does not change, and its methods may be called from several goroutines; the samples that Bootstrap hands to a statistic are the exception, see there.
type Sample struct {
	// The pairs in ascending order of score and, where scores tie, of accuracy. Levels stand for values: 0 for the lowest. All statistics need no more than this order, which is why resampling does not have to sort.
	score, truth []int32
	// The values that levels stand for. A resample has those of its original, though some of them do not occur.
	scores, truths []float64

	missing int        // pairs left out by New
	work    *workspace // memory to use again; nil makes every call allocate its own
}

// New makes a sample of the networks i with score[i] and accuracy truth[i], which it does not keep. The accuracy may be in any unit, or any other measure of which higher is better. The only error is that of slices of different lengths.
func New(score, truth []float64) (*Sample, error) {
	if len(score) != len(truth) {
		return nil, fmt.Errorf("rank: %d scores for %d accuracies: value i of both must belong to network i; a network that has no score gets NaN", len(score), len(truth))
	}
	s, _ := sorted(score, truth)
	return s, nil
}

// sorted makes a sample, and says which pair of those that have an accuracy is at each of its places.
func sorted(score, truth []float64) (s *Sample, order []int32) {
	s = &Sample{}
	if slices.ContainsFunc(truth, math.IsNaN) {
		// Copies: the caller's slices stay as they are.
		var a, b []float64
		for i, v := range truth {
			if math.IsNaN(v) {
				s.missing++
				continue
			}
			a, b = append(a, score[i]), append(b, v)
		}
		score, truth = a, b
	}
	var a, b []int32
	a, s.scores = levels(score)
	b, s.truths = levels(truth)
	order = make([]int32, len(a))
	for i := range order {
		order[i] = int32(i)
	}
	order = stableByLevel(order, b, len(s.truths), &workspace{})
	order = stableByLevel(order, a, len(s.scores), &workspace{})
	s.score, s.truth = make([]int32, len(order)), make([]int32, len(order))
	for p, i := range order {
		s.score[p], s.truth[p] = a[i], b[i]
	}
	return s, order
}

// Negated is a copy of values of which lower is better, such as perplexities or losses, with the sign turned, for New. NaN stays NaN, so a network without a score is last here too; +Inf, the worst, becomes -Inf.
func Negated(values []float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = -v
	}
	return out
}

// Counts tells which pairs of a sample took a special rule.
type Counts struct {
	N            int // pairs with an accuracy: the number that statistics are of
	MissingTruth int // pairs left out since the accuracy is NaN; not in N
	NaNScores    int // scores of NaN, ranked last
	InfScores    int // infinite scores of either sign
	InfTruth     int // infinite accuracies
	NonFinite    int // pairs that Pearson leaves out, since the score or the accuracy is not finite
	TiedScores   int // pairs whose score another pair has too; NaNs tie
	TiedTruth    int // pairs whose accuracy another pair has too
}

// String is one line with N and whatever else is not 0.
func (c Counts) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d pairs", c.N)
	for _, part := range []struct {
		n    int
		what string
	}{
		{c.MissingTruth, "left out without accuracy"},
		{c.NaNScores, "without score, ranked last"},
		{c.InfScores, "with infinite score"},
		{c.InfTruth, "with infinite accuracy"},
		{c.NonFinite, "not in Pearson's r"},
		{c.TiedScores, "with tied score"},
		{c.TiedTruth, "with tied accuracy"},
	} {
		if part.n > 0 {
			fmt.Fprintf(&b, "; %d %s", part.n, part.what)
		}
	}
	return b.String()
}

// N is the number of pairs with an accuracy, those without a score included.
func (s *Sample) N() int { return len(s.score) }

// Counts counts the pairs by rule. MissingTruth of a resample is that of its original.
func (s *Sample) Counts() Counts {
	c := Counts{N: s.N(), MissingTruth: s.missing, NaNScores: s.unscored()}
	for p := range s.score {
		score, truth := s.scores[s.score[p]], s.truths[s.truth[p]]
		if math.IsInf(score, 0) {
			c.InfScores++
		}
		if math.IsInf(truth, 0) {
			c.InfTruth++
		}
		if !finite(score) || !finite(truth) {
			c.NonFinite++
		}
	}
	for lo, hi := range s.runs() {
		if hi-lo > 1 {
			c.TiedScores += hi - lo
		}
	}
	for _, n := range s.truthCounts() {
		if n > 1 {
			c.TiedTruth += int(n)
		}
	}
	return c
}

// unscored is the number of pairs with a score of NaN; they are the first.
func (s *Sample) unscored() int {
	if len(s.scores) == 0 || !math.IsNaN(s.scores[0]) {
		return 0
	}
	n, _ := slices.BinarySearch(s.score, 1)
	return n
}

// runs yields the bounds of each group of tied scores, the lowest score first.
func (s *Sample) runs() iter.Seq2[int, int] {
	return func(yield func(lo, hi int) bool) {
		for lo := 0; lo < len(s.score); {
			hi := lo + 1
			for hi < len(s.score) && s.score[hi] == s.score[lo] {
				hi++
			}
			if !yield(lo, hi) {
				return
			}
			lo = hi
		}
	}
}

// truthCounts is the number of pairs at each level of accuracy, valid until the workspace is used for the same again.
func (s *Sample) truthCounts() []int32 {
	n := sized(&s.workspace().truths, len(s.truths))
	clear(n)
	for _, l := range s.truth {
		n[l]++
	}
	return n
}

func finite(v float64) bool { return v-v == 0 }

// key maps a value to an integer of the same order: NaN is 0, below -Inf, and both zeros are one key. Integers compare without branches.
func key(v float64) uint64 {
	switch b := math.Float64bits(v); {
	case math.IsNaN(v):
		return 0
	case v == 0:
		return 1 << 63
	case b>>63 == 1:
		return ^b
	default:
		return b | 1<<63
	}
}

// levels numbers the different values in ascending order from 0, and says which level each value has and which value each level is.
func levels(v []float64) (level []int32, values []float64) {
	type entry struct {
		key uint64
		at  int32
	}
	order := make([]entry, len(v))
	for i, x := range v {
		order[i] = entry{key(x), int32(i)}
	}
	slices.SortFunc(order, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	level = make([]int32, len(v))
	for i, e := range order {
		if i == 0 || e.key != order[i-1].key {
			values = append(values, v[e.at])
		}
		level[e.at] = int32(len(values) - 1)
	}
	return level, values
}

// stableByLevel is the order sorted by level[i] of its elements i, those of one level as they were before.
func stableByLevel(order, level []int32, levels int, w *workspace) []int32 {
	next := sized(&w.next, levels+1)
	clear(next)
	for _, i := range order {
		next[level[i]+1]++
	}
	for l := range levels {
		next[l+1] += next[l]
	}
	out := sized(&w.order, len(order))
	for _, i := range order {
		out[next[level[i]]] = i
		next[level[i]]++
	}
	return out
}

// workspace is memory that the statistics of one resample after another use again: a thousand resamples of a benchmark would otherwise be gigabytes of garbage.
type workspace struct {
	drawn, truths, next, order, identity, sorted, moved []int32
	items, movedItems                                   []item
	first, second                                       []float64
}

func (s *Sample) workspace() *workspace {
	if s.work != nil {
		return s.work
	}
	return &workspace{}
}

// sized is n elements of *buf, which is made longer if need be. They hold whatever they held.
func sized[T any](buf *[]T, n int) []T {
	if cap(*buf) < n {
		*buf = make([]T, n)
	}
	return (*buf)[:n]
}
