package rank

import (
	"fmt"
	"iter"
	"math"
)

// Repeats are scores of the same networks from several runs that differ by chance alone, such as by the seed of the weights or the choice of images: [run][network].
type Repeats [][]float64

// NewRepeats checks that there are at least two runs, of the same number of networks. It keeps the slices.
func NewRepeats(runs ...[]float64) (Repeats, error) {
	if len(runs) < 2 {
		return nil, fmt.Errorf("rank: %d runs; repeats are at least two", len(runs))
	}
	for i, r := range runs {
		if len(r) != len(runs[0]) {
			return nil, fmt.Errorf("rank: run %d has scores of %d networks, run 0 of %d: value i of all must belong to network i", i, len(r), len(runs[0]))
		}
	}
	return runs, nil
}

// Between is a statistic of each pair of runs, the second in the place of the accuracies: with KendallTau, how far two runs order the networks alike. Runs 0 and 1 come first, then 0 and 2.
func (r Repeats) Between(stat func(*Sample) float64) []float64 {
	var out []float64
	for i := range r {
		for j := i + 1; j < len(r); j++ {
			s, _ := sorted(r[i], r[j])
			out = append(out, stat(s))
		}
	}
	return out
}

// Variation is the coefficient of variation of each network: the standard deviation of its scores over the runs, with n-1 in the denominator, over the size of their mean. It is NaN where a score is not finite or the mean is 0.
func (r Repeats) Variation() []float64 {
	out := make([]float64, len(r[0]))
	for n := range out {
		mean, squares := 0.0, 0.0
		for _, run := range r {
			mean += run[n] / float64(len(r))
		}
		for _, run := range r {
			squares += (run[n] - mean) * (run[n] - mean)
		}
		if out[n] = math.Sqrt(squares/float64(len(r)-1)) / math.Abs(mean); math.IsInf(out[n], 0) {
			out[n] = math.NaN()
		}
	}
	return out
}

// Means yields, for every choice of k of the runs, the mean score of each network over these runs: what a search gets that scores each network k times. There are (len(r) choose k) of them. A network with a score of NaN in one of the runs has none. The slice is valid until the next step.
func (r Repeats) Means(k int) iter.Seq[[]float64] {
	return func(yield func([]float64) bool) {
		if k < 1 || k > len(r) {
			return
		}
		at := make([]int, k) // the runs chosen, ascending
		for i := range at {
			at[i] = i
		}
		mean := make([]float64, len(r[0]))
		for {
			for n := range mean {
				mean[n] = 0
				for _, run := range at {
					mean[n] += r[run][n]
				}
				mean[n] /= float64(k)
			}
			if !yield(mean) {
				return
			}
			i := k - 1
			for i >= 0 && at[i] == len(r)-k+i {
				i--
			}
			if i < 0 {
				return
			}
			at[i]++
			for j := i + 1; j < k; j++ {
				at[j] = at[j-1] + 1
			}
		}
	}
}
