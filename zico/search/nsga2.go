package search

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/zeroshotnas/zeroshot/spaces"
)

func init() {
	Register(Info{
		Name:   "nsga2",
		Doc:    "NSGA-II: parents are the better of two by the number of their front, then by crowding distance; as soon as there are as many children as the population has members, the best of both by the same order are the next population. Spaces have no crossover: children are made by the space's Mutate alone, which goes on until the architecture is new. The first population is the initial architecture and random ones, and mutations of those among them with the frequency with which candidates break limits. With one objective it is an evolution by tournaments in which the better half survives.",
		Source: "Deb et al., A fast and elitist multiobjective genetic algorithm: NSGA-II, IEEE TEVC 2002 (there with crossover, population 100)",
		New: func(s Setup, o *Options) (Method, error) {
			return &nsga2{generations: newGenerations(s, o, 40)}, nil
		},
	})
}

// generations is what methods have in common that select once for as many children as the population has members. The highest score of their runs is always in the Pareto front: the log-rank sum of what dominates is higher than of what it dominates. So they recommend nothing of their own.
type generations struct {
	Setup
	size     int
	seen     map[spaces.Arch]bool // what has been proposed
	pop      []member             // empty until the first population is complete
	children []member             // learned since the last selection
	learned  int                  // proposals
	useless  int                  // those without values among them
}

func newGenerations(s Setup, o *Options, population int) generations {
	return generations{Setup: s, size: o.Int("population", population, 2, 1<<20, "members, and children of a generation"), seen: map[spaces.Arch]bool{}}
}

// complete are the children of a generation, once there are enough of them. With several evaluations in flight more may have been learned; those belong to the next.
func (g *generations) complete() []member {
	if len(g.children) < g.size {
		return nil
	}
	next := g.children[:g.size]
	g.children = slices.Clone(g.children[g.size:])
	return next
}

// propose is a candidate for the first population, or a mutation of what parent chooses. There is nothing more to propose once every architecture of the space has been.
func (g *generations) propose(rng *rand.Rand, parent func() spaces.Arch) (spaces.Arch, bool) {
	if n := g.Space.Size(); n > 0 && len(g.seen) == n {
		return "", false
	}
	var a spaces.Arch
	if len(g.pop) > 0 {
		a = g.Space.Mutate(rng, parent())
	} else {
		a = g.first(rng)
	}
	for i := 0; i < retries && g.seen[a]; i++ {
		a = g.Space.Mutate(rng, a)
	}
	g.seen[a] = true
	return a, true
}

// first is a candidate for the first population.
func (g *generations) first(rng *rand.Rand) spaces.Arch {
	if len(g.seen) == 0 {
		return g.start(rng)
	}
	// Where budgets are tight random architectures hardly ever keep them, but mutations of those that do often will.
	if g.useless > 0 && rng.IntN(g.learned) < g.useless {
		if len(g.children) > 0 {
			return g.Space.Mutate(rng, g.children[rng.IntN(len(g.children))].arch)
		}
		if g.Initial != "" {
			return g.Space.Mutate(rng, g.Initial)
		}
	}
	return g.Space.Sample(rng)
}

func (g *generations) Learn(c *Candidate) {
	g.learned++
	if !c.Has() {
		g.useless++
	}
	// Duplicates are members already, or were not good enough.
	if c.Verdict == Scored {
		g.children = append(g.children, newMember(c))
	}
}

type nsga2 struct {
	generations
	rank  []int // of the members
	crowd []float64
}

func (m *nsga2) Propose(rng *rand.Rand) (spaces.Arch, bool) {
	if next := m.complete(); next != nil {
		m.survive(append(m.pop, next...))
	}
	return m.propose(rng, func() spaces.Arch {
		a, b := rng.IntN(m.size), rng.IntN(m.size)
		if cmp.Or(cmp.Compare(m.rank[b], m.rank[a]), cmp.Compare(m.crowd[a], m.crowd[b])) < 0 {
			a = b
		}
		return m.pop[a].arch
	})
}

// survive makes the best of pool the population: front by front, and of the front that does not fit what is least crowded.
func (m *nsga2) survive(pool []member) {
	points := make([][]float64, len(pool))
	for i := range pool {
		points[i] = pool[i].objectives
	}
	rank := sortFronts(points)
	fronts := make([][]int, slices.Max(rank)+1)
	for i, r := range rank {
		fronts[r] = append(fronts[r], i)
	}
	m.pop, m.rank, m.crowd = nil, nil, nil
	for r, front := range fronts {
		values := make([][]float64, len(front))
		for k, i := range front {
			values[k] = points[i]
		}
		crowd := crowding(values)
		order := make([]int, len(front))
		for k := range order {
			order[k] = k
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(crowd[b], crowd[a]) })
		for _, k := range order[:min(len(order), m.size-len(m.pop))] {
			m.pop = append(m.pop, pool[front[k]])
			m.rank = append(m.rank, r)
			m.crowd = append(m.crowd, crowd[k])
		}
	}
}
