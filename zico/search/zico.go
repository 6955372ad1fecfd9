package search

import (
	"math/rand/v2"
	"slices"

	"github.com/zeroshotnas/zeroshot/spaces"
)

func init() {
	Register(Info{
		Name:   "zico",
		Doc:    "The evolution of the ZiCo paper as its code runs it: uniform parents and two replacements, the first candidates being single replacements of the initial architecture; when the population is larger than 512 the first of its worst is removed before the next proposal. In spaces without a published mutation (spaces.Evolver) a replacement is the space's Mutate, and without an initial architecture a random one takes its place.",
		Source: "Li et al., ZiCo, ICLR 2023, Algorithm 1; SLDGroup/ZiCo evolution_search.py, which is Zen-NAS's (Lin et al., ICCV 2021)",
		New: func(s Setup, o *Options) (Method, error) {
			return &zicoEvolution{Setup: s, most: o.Int("population", 512, 1, 1<<30, "members that are kept"), first: o.Int("first", 10, 0, 1<<30, "up to this many members, candidates are mutations of the initial architecture")}, nil
		},
	})
	Register(Info{
		Name:   "evolution",
		Doc:    "The evolution of the ZiCo paper, cleaned up: the initial architecture is itself the first candidate, every mutation is the space's Mutate and changes something, one or two of them with equal probability, what has been proposed before is mutated on until it is new, members are removed as soon as there are too many, and there are no phases.",
		Source: "as zico; the differences are ours",
		New: func(s Setup, o *Options) (Method, error) {
			return &evolution{Setup: s, most: o.Int("population", 512, 1, 1<<30, "members that are kept"), seen: map[spaces.Arch]bool{}}, nil
		},
	})
}

// member is an architecture of a population.
type member struct {
	arch       spaces.Arch
	objectives []float64
}

func newMember(c *Candidate) member { return member{c.Arch, c.Objectives} }

// worst is the place of the first member with the lowest score.
func worst(pop []member, score func([]float64) float64) int {
	at, low := 0, score(pop[0].objectives)
	for i := 1; i < len(pop); i++ {
		if s := score(pop[i].objectives); s < low {
			at, low = i, s
		}
	}
	return at
}

type zicoEvolution struct {
	Setup
	most, first int
	pop         []member
}

func (z *zicoEvolution) Propose(rng *rand.Rand) (spaces.Arch, bool) {
	for len(z.pop) > z.most {
		i := worst(z.pop, z.Score)
		z.pop = slices.Delete(z.pop, i, i+1)
	}
	if len(z.pop) <= z.first || len(z.pop) == 0 {
		if z.Initial == "" {
			z.Initial = z.start(rng)
		}
		return z.replace(rng, z.Initial, 1), true
	}
	return z.replace(rng, z.pop[rng.IntN(len(z.pop))].arch, 2), true
}

func (z *zicoEvolution) replace(rng *rand.Rand, a spaces.Arch, n int) spaces.Arch {
	if e, ok := z.Space.(spaces.Evolver); ok {
		return e.Replace(rng, a, n)
	}
	return mutated(z.Space, rng, a, n)
}

func (z *zicoEvolution) Learn(c *Candidate) {
	if c.Has() {
		z.pop = append(z.pop, newMember(c))
	}
}

// mutated applies the space's Mutate n times.
func mutated(s spaces.Space, rng *rand.Rand, a spaces.Arch, n int) spaces.Arch {
	for range n {
		a = s.Mutate(rng, a)
	}
	return a
}

// retries bounds how often a proposal that is known already is mutated on: a small space may hold nothing new.
const retries = 100

type evolution struct {
	Setup
	most int
	pop  []member
	seen map[spaces.Arch]bool
}

func (e *evolution) Propose(rng *rand.Rand) (spaces.Arch, bool) {
	if e.Initial == "" {
		e.Initial = e.start(rng)
	}
	parent, a := e.Initial, e.Initial
	if len(e.pop) > 0 {
		parent = e.pop[rng.IntN(len(e.pop))].arch
	}
	if e.seen[a] {
		a = mutated(e.Space, rng, parent, 1+rng.IntN(2))
	}
	for i := 0; i < retries && e.seen[a]; i++ {
		a = e.Space.Mutate(rng, a)
	}
	e.seen[a] = true
	return a, true
}

func (e *evolution) Learn(c *Candidate) {
	if c.Verdict != Scored {
		return
	}
	e.pop = append(e.pop, newMember(c))
	if len(e.pop) > e.most {
		i := worst(e.pop, e.Score)
		e.pop = slices.Delete(e.pop, i, i+1)
	}
}
