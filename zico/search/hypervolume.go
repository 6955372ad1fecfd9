package search

import (
	"cmp"
	"math"
	"slices"
)

// Hypervolume is the volume of what points dominate and ref does not exceed: the quality of a Pareto front in one number, higher being better. It has the product of the objectives' units, and is exact up to rounding in any number of objectives (WFG: While, Bradstreet and Barone, A fast way of calculating exact hypervolumes, IEEE TEVC 2012). Points may be in any order, equal, and dominated.
//
// Every point needs as many objectives as ref; higher is better. A point that is not better than ref in all of them adds nothing, and NaN is better than nothing. The volume is +Inf where a point is infinitely better than ref in an objective and better in the others.
//
// With two objectives it takes O(n log n), with d of them at most O(n^(d-1) log n), and much less for most fronts.
func Hypervolume(points [][]float64, ref []float64) float64 {
	if len(ref) == 0 {
		return 0
	}
	var gains [][]float64
	largest := make([]float64, len(ref))
	for _, p := range points {
		gain := make([]float64, len(ref))
		better := true
		for i, r := range ref {
			gain[i] = p[i] - r
			better = better && p[i] > r
		}
		if !better {
			continue
		}
		gains = append(gains, gain)
		for i, g := range gain {
			largest[i] = max(largest[i], g)
		}
	}
	if len(gains) == 0 {
		return 0
	}
	if slices.Contains(largest, math.Inf(1)) {
		return math.Inf(1)
	}
	// Scores of some proxies are so large that products overflow. Scaling by powers of two is exact.
	exponent := 0
	for i, l := range largest {
		_, e := math.Frexp(l)
		exponent += e
		for _, g := range gains {
			g[i] = math.Ldexp(g[i], -e)
		}
	}
	return math.Ldexp(volume(gains, len(ref)), exponent)
}

// volume is the hypervolume in the first d objectives, over 0. It reorders points.
func volume(points [][]float64, d int) float64 {
	if d == 1 {
		return slices.MaxFunc(points, func(a, b []float64) int { return cmp.Compare(a[0], b[0]) })[0]
	}
	sum := 0.0
	if d == 2 {
		slices.SortFunc(points, func(a, b []float64) int { return cmp.Compare(b[0], a[0]) })
		top := 0.0
		for _, p := range points {
			if p[1] > top {
				sum += p[0] * (p[1] - top)
				top = p[1]
			}
		}
		return sum
	}
	// In ascending order of the last objective, what a point dominates and no later one does has the same extent in it everywhere. The rest is a matter of the other objectives: of the point's box, what the later ones limited to it leave.
	last := d - 1
	slices.SortFunc(points, func(a, b []float64) int { return cmp.Compare(a[last], b[last]) })
	buffer := make([]float64, len(points)*last)
	limited := make([][]float64, 0, len(points))
	for k, p := range points {
		limited = limited[:0]
		covered := false
		for j, q := range points[k+1:] {
			l := buffer[j*last : (j+1)*last]
			covered = true
			for i := range l {
				l[i] = min(p[i], q[i])
				covered = covered && q[i] >= p[i]
			}
			if covered {
				break
			}
			limited = append(limited, l)
		}
		if covered {
			continue
		}
		own := p[last]
		for _, g := range p[:last] {
			own *= g
		}
		if len(limited) > 0 {
			// Most limited points are dominated. The sweep over two objectives does without knowing.
			rest := limited
			if last > 2 {
				rest = nil
				for _, i := range ParetoFront(limited) {
					rest = append(rest, limited[i])
				}
			}
			own -= p[last] * volume(rest, last)
		}
		sum += own
	}
	return sum
}
