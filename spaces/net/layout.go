package net

import (
	"cmp"
	"slices"
)

// spot is a place in a drawing: a box, or a point where the edges from a box to a much deeper one pass a rank in between.
type spot struct {
	node     int  // the box; of a passing point the one whose edges pass
	pass     bool // a passing point
	rank     int
	x, width float64 // centre and width, pixels
	up, down []int   // spots of the neighbouring ranks that edges lead to
}

// layered places boxes in ranks by their longest distance from the input, as Sugiyama, Tagawa and Toda (1981) do: edges over several ranks get passing points, the order within a rank is by the mean place of the neighbours, and coordinates come as near to the neighbours' as the order allows.
type layered struct {
	spots []spot
	ranks [][]int  // spots of each rank from left to right
	far   [][2]int // edges without passing points, straight from spot to spot
}

// A network whose edges need more than maxPassing passing points is beyond a tidy drawing: passing points grow with the square of its depth. Its edges over more than farRanks ranks do without.
const (
	maxPassing = 20000
	farRanks   = 16
)

func layOut(f figure) *layered {
	l := &layered{}
	depth := make([]int, len(f))
	for i := range f {
		for _, j := range f[i].in {
			depth[i] = max(depth[i], depth[j]+1)
		}
	}
	l.ranks = make([][]int, slices.Max(depth)+1)
	add := func(s spot) int {
		l.spots = append(l.spots, s)
		l.ranks[s.rank] = append(l.ranks[s.rank], len(l.spots)-1)
		return len(l.spots) - 1
	}
	connect := func(a, b int) {
		// A box may lead to another one twice; one line is enough.
		if !slices.Contains(l.spots[a].down, b) {
			l.spots[a].down = append(l.spots[a].down, b)
			l.spots[b].up = append(l.spots[b].up, a)
		}
	}
	last := slices.Clone(depth) // rank of the deepest reader
	for i := range f {
		for _, j := range f[i].in {
			last[j] = max(last[j], depth[i])
		}
	}
	passing := 0
	for i := range last {
		passing += max(0, last[i]-depth[i]-1)
	}
	trail := make([][]int, len(f)) // spots of a box and of its passing points, by ranks below it
	for i := range f {
		at := add(spot{node: i, rank: depth[i], width: float64(f[i].width)})
		trail[i] = []int{at}
		for _, j := range f[i].in {
			if passing > maxPassing && depth[i]-depth[j] > farRanks {
				l.far = append(l.far, [2]int{trail[j][0], at})
				continue
			}
			for len(trail[j]) < depth[i]-depth[j] {
				p := add(spot{node: j, pass: true, rank: depth[j] + len(trail[j]), width: 6})
				connect(trail[j][len(trail[j])-1], p)
				trail[j] = append(trail[j], p)
			}
			connect(trail[j][depth[i]-depth[j]-1], at)
		}
	}
	l.order()
	l.align()
	return l
}

// order sorts the ranks so that few edges cross.
func (l *layered) order() {
	place := make([]float64, len(l.spots))
	number := func(rank []int) {
		for k, s := range rank {
			place[s] = float64(k)
		}
	}
	for _, rank := range l.ranks {
		number(rank)
	}
	best, fewest := l.ranks, l.crossings(place)
	l.ranks = make([][]int, len(best))
	for r := range best {
		l.ranks[r] = slices.Clone(best[r])
	}
	const sweeps = 8
	for sweep := range sweeps {
		for k := range l.ranks {
			r := k
			if sweep%2 == 1 {
				r = len(l.ranks) - 1 - k
			}
			mean := func(s int) float64 {
				to := l.spots[s].up
				if sweep%2 == 1 {
					to = l.spots[s].down
				}
				if len(to) == 0 {
					return place[s]
				}
				sum := 0.0
				for _, t := range to {
					sum += place[t]
				}
				return sum / float64(len(to))
			}
			slices.SortStableFunc(l.ranks[r], func(a, b int) int { return cmp.Compare(mean(a), mean(b)) })
			number(l.ranks[r])
		}
		if c := l.crossings(place); c < fewest {
			fewest = c
			for r := range best {
				best[r] = slices.Clone(l.ranks[r])
			}
		}
	}
	l.ranks = best
}

// crossings counts the pairs of edges that cross.
func (l *layered) crossings(place []float64) int {
	count := 0
	for _, rank := range l.ranks {
		var ends []float64 // of the edges so far, sorted
		for _, s := range rank {
			var own []float64
			for _, t := range l.spots[s].down {
				k, _ := slices.BinarySearch(ends, place[t]+0.5)
				count += len(ends) - k
				own = append(own, place[t])
			}
			for _, e := range own {
				k, _ := slices.BinarySearch(ends, e)
				ends = slices.Insert(ends, k, e)
			}
		}
	}
	return count
}

// align gives every spot its x, near its neighbours' and in the order of its rank.
func (l *layered) align() {
	for _, rank := range l.ranks {
		x := 0.0
		for _, s := range rank {
			x += l.spots[s].width/2 + gapX
			l.spots[s].x = x
			x += l.spots[s].width / 2
		}
		for _, s := range rank {
			l.spots[s].x -= x / 2
		}
	}
	// Ranks of one box stand in the middle: there the whole network passes, and drawings that follow their neighbours only lean further with every cell. Those before the first and after the last rank of several boxes follow them instead.
	fixed := make([]bool, len(l.ranks))
	several := func(r []int) bool { return len(r) != 1 }
	first := slices.IndexFunc(l.ranks, several)
	for r := range l.ranks {
		fixed[r] = !several(l.ranks[r]) && (first < 0 || r > first && slices.ContainsFunc(l.ranks[r:], several))
	}
	const sweeps = 40
	for sweep := range sweeps {
		up, down := sweep%2 == 0, sweep%2 == 1
		if sweep >= 8 {
			up, down = true, true
		}
		for k := range l.ranks {
			r := k
			if sweep%2 == 1 {
				r = len(l.ranks) - 1 - k
			}
			if fixed[r] {
				l.spots[l.ranks[r][0]].x = 0
			} else {
				l.alignRank(l.ranks[r], up, down)
			}
		}
	}
}

// alignRank solves one rank: the least squared distance from the wanted places, weighted, under the smallest allowed distances (isotonic regression by pooling neighbours).
func (l *layered) alignRank(rank []int, up, down bool) {
	type pool struct {
		x, weight float64
		n         int
	}
	var pools []pool
	offset := make([]float64, len(rank))
	for k, s := range rank {
		at := &l.spots[s]
		if k > 0 {
			offset[k] = offset[k-1] + (l.spots[rank[k-1]].width+at.width)/2 + gapX
		}
		want, weight := 0.0, 0.0
		pull := func(to []int) {
			for _, t := range to {
				// Lines between boxes matter most: a chain of boxes stays straight and skips bend around it.
				w := 8.0
				if at.pass || l.spots[t].pass {
					w = 1
				}
				if at.pass && l.spots[t].pass {
					w = 16
				}
				want += w * l.spots[t].x
				weight += w
			}
		}
		if up {
			pull(at.up)
		}
		if down {
			pull(at.down)
		}
		if weight == 0 {
			want, weight = at.x, 1
		} else {
			want /= weight
		}
		p := pool{want - offset[k], weight, 1}
		for len(pools) > 0 && pools[len(pools)-1].x > p.x {
			q := pools[len(pools)-1]
			pools = pools[:len(pools)-1]
			p = pool{(p.x*p.weight + q.x*q.weight) / (p.weight + q.weight), p.weight + q.weight, p.n + q.n}
		}
		pools = append(pools, p)
	}
	k := 0
	for _, p := range pools {
		for range p.n {
			l.spots[rank[k]].x = p.x + offset[k]
			k++
		}
	}
}

// columns cuts the ranks into columns of at most rows ranks and returns the first rank of each. It prefers places where few lines cross the cut.
func (l *layered) columns(rows int) []int {
	const slack = 4 // a last column may be a quarter longer rather than leave a few boxes for another
	first := []int{0}
	for start := 0; len(l.ranks)-start > rows+rows/slack; {
		best, fewest := 0, 0
		for end := start + rows*2/3; end <= start+rows; end++ {
			if lines := len(l.crossing(end)); best == 0 || lines <= fewest {
				best, fewest = end, lines
			}
		}
		first = append(first, best)
		start = best
	}
	return first
}

// crossing lists the spots right above rank whose lines go on into it.
func (l *layered) crossing(rank int) []int {
	var out []int
	for _, s := range l.ranks[rank-1] {
		if len(l.spots[s].down) > 0 {
			out = append(out, s)
		}
	}
	return out
}
