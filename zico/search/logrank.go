package search

import (
	"math"
	"slices"
)

// LogRank makes one number of several objectives: the sum over objectives of ln(rank/n), where rank is the place of the value among all n values seen, the largest having rank n, and equal values share the highest of their places. It is the aggregation of AZ-NAS (Lee and Ham, CVPR 2024): 0 for what is best in everything, and a low rank in one objective weighs more than high ones in others.
//
// A value's rank moves as more are seen, so scores are comparable at one moment only. Add takes O(n), Score O(log n).
type LogRank struct {
	sorted [][]float64
}

// Add takes the objectives of a candidate into account. NaN counts as -Inf.
func (l *LogRank) Add(objectives []float64) {
	if l.sorted == nil {
		l.sorted = make([][]float64, len(objectives))
	}
	for i, v := range objectives {
		v = ordered(v)
		at, _ := slices.BinarySearch(l.sorted[i], v)
		l.sorted[i] = slices.Insert(l.sorted[i], at, v)
	}
}

// Score is the log-rank sum of objectives among those added; they count as the lowest where nothing lower has been added.
func (l *LogRank) Score(objectives []float64) float64 {
	sum := 0.0
	for i, v := range objectives {
		if l.sorted == nil {
			return 0
		}
		list := l.sorted[i]
		// The first place behind all equal values.
		rank, _ := slices.BinarySearchFunc(list, ordered(v), func(x, v float64) int {
			if x <= v {
				return -1
			}
			return 1
		})
		sum += math.Log(float64(max(rank, 1)) / float64(len(list)))
	}
	return sum
}

func ordered(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(-1)
	}
	return v
}
