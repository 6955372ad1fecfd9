package rank

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Difference is by how much a statistic of the scores a exceeds that of the scores b of the same networks, with its interval: the paired bootstrap. Both statistics of a resample are of the same drawn networks, whose luck they share; so the interval is of the difference alone and may leave out 0 where the intervals of the two statistics overlap. Resamples are drawn as Sample.Bootstrap draws them and do not depend on the order of the networks.
//
// Values i of a, b and truth belong to network i, by the rules of New; a network whose accuracy is NaN is left out. The only error is that of slices of different lengths. It panics where Bootstrap does.
func Difference(a, b, truth []float64, stat func(*Sample) float64, o Options) (Interval, error) {
	if len(a) != len(truth) || len(b) != len(truth) {
		return Interval{}, fmt.Errorf("rank: %d and %d scores for %d accuracies: value i of all must belong to network i; a network that has no score gets NaN", len(a), len(b), len(truth))
	}
	var order []int
	for i, v := range truth {
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(key(truth[i]), key(truth[j])), cmp.Compare(key(a[i]), key(a[j])), cmp.Compare(key(b[i]), key(b[j])))
	})
	pick := func(v []float64) []float64 {
		out := make([]float64, len(order))
		for k, i := range order {
			out[k] = v[i]
		}
		return out
	}
	truth = pick(truth)
	x, xorder := sorted(pick(a), truth)
	y, yorder := sorted(pick(b), truth)
	return o.interval(stat(x)-stat(y), func() func(int) float64 {
		rx, ry := x.resample(), y.resample()
		var drawn, moved []int32
		one := func(s, r *Sample, order []int32) float64 {
			at := sized(&moved, len(order))
			for p, i := range order {
				at[p] = drawn[i]
			}
			s.fill(r, at)
			return stat(r)
		}
		return func(i int) float64 {
			drawn = times(&drawn, len(truth), o.Seed, i)
			return one(x, rx, xorder) - one(y, ry, yorder)
		}
	}), nil
}
