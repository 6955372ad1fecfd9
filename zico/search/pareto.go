package search

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// Dominates reports whether a is at least as good as b in all objectives and better in one; higher is better, and NaN counts as -Inf.
func Dominates(a, b []float64) bool { return covers(a, b) && !covers(b, a) }

// covers reports whether a is at least as good as b in all objectives.
func covers(a, b []float64) bool {
	for i, x := range a {
		if ordered(x) < ordered(b[i]) {
			return false
		}
	}
	return true
}

// byBest are the places of points in lexicographic order from the best, equal ones in their order: a point can then only be dominated by one before it.
func byBest(points [][]float64) []int {
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		for m, x := range points[i] {
			if c := cmp.Compare(ordered(points[j][m]), ordered(x)); c != 0 {
				return c
			}
		}
		return 0
	})
	return order
}

// rivals are the members of a front, filled in the order of byBest, that have to be asked whether the front dominates another point. With two objectives the last is enough: in the first all of them are at least as good, and in the second it is the best.
func rivals(front []int, objectives int) []int {
	if objectives <= 2 {
		return front[max(0, len(front)-1):]
	}
	return front
}

// ParetoFront are the places of the points that no other dominates, in their order; of equal points the first only. Higher is better, and NaN counts as -Inf. With one or two objectives it takes O(n log n), with more at most O(n²).
func ParetoFront(points [][]float64) []int {
	var front []int
	for _, i := range byBest(points) {
		if !slices.ContainsFunc(rivals(front, len(points[i])), func(j int) bool { return covers(points[j], points[i]) }) {
			front = append(front, i)
		}
	}
	slices.Sort(front)
	return front
}

// sortFronts sorts points into fronts: rank[i] is the number of the front of point i, 0 for the points that none dominates (Deb et al., NSGA-II, 2002). It puts one point after the other, from the best, into the first front that does not dominate it, found by bisection as each front dominates all that later ones dominate (Zhang et al., ENS, IEEE TEVC 2015).
func sortFronts(points [][]float64) (rank []int) {
	rank = make([]int, len(points))
	var fronts [][]int
	for _, i := range byBest(points) {
		r := sort.Search(len(fronts), func(r int) bool {
			return !slices.ContainsFunc(rivals(fronts[r], len(points[i])), func(j int) bool { return Dominates(points[j], points[i]) })
		})
		if r == len(fronts) {
			fronts = append(fronts, nil)
		}
		fronts[r] = append(fronts[r], i)
		rank[i] = r
	}
	return rank
}

// scale is the range of the finite values of an objective.
type scale struct{ lo, hi float64 }

// scaleOf is the scale of objective m; without finite values that of 0 alone.
func scaleOf(points [][]float64, m int) scale {
	s := scale{math.Inf(1), math.Inf(-1)}
	for _, p := range points {
		if v := p[m]; !math.IsInf(v, 0) && !math.IsNaN(v) {
			s = scale{min(s.lo, v), max(s.hi, v)}
		}
	}
	if s.lo > s.hi {
		return scale{}
	}
	return s
}

// unit maps the scale to 0..1 and infinite values to its ends. Where the scale is a point, what is finite becomes 0.
func (s scale) unit(v float64) float64 {
	switch v = ordered(v); {
	case v <= s.lo:
		return 0
	case v >= s.hi:
		return 1
	}
	// Halves, as the difference of two finite values can be infinite.
	return (v/2 - s.lo/2) / (s.hi/2 - s.lo/2)
}

// crowding is the crowding distance of each point of a front: the sum over objectives of the gap between its neighbours, over the whole width; +Inf at the ends (Deb et al., NSGA-II, 2002). Infinite objectives count as the nearest finite one, so that a candidate without a score does not hide the distances of all others.
func crowding(points [][]float64) []float64 {
	d := make([]float64, len(points))
	if len(points) == 0 {
		return d
	}
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	for m := range points[0] {
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(points[i][m], points[j][m]) })
		d[order[0]], d[order[len(order)-1]] = math.Inf(1), math.Inf(1)
		s := scaleOf(points, m)
		for k := 1; k < len(order)-1; k++ {
			d[order[k]] += s.unit(points[order[k+1]][m]) - s.unit(points[order[k-1]][m])
		}
	}
	return d
}
