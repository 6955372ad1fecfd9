package search

import (
	"math/rand/v2"

	"github.com/zeroshotnas/zeroshot/spaces"
)

func init() {
	Register(Info{
		Name:   "aging",
		Doc:    "Regularised evolution: a first population is drawn at random; then the best of a random sample of the population is mutated, and the oldest member leaves for each that comes.",
		Source: "Real et al., Regularized evolution for image classifier architecture search, AAAI 2019 (there with population 100, sample 25)",
		New: func(s Setup, o *Options) (Method, error) {
			return &aging{Setup: s, size: o.Int("population", 100, 1, 1<<30, "members"), sample: o.Int("sample", 25, 1, 1<<30, "members of which the best becomes a parent")}, nil
		},
	})
}

type aging struct {
	Setup
	size, sample int
	pop          []member // a ring once it is full
	oldest       int
}

func (m *aging) Propose(rng *rand.Rand) (spaces.Arch, bool) {
	if len(m.pop) < m.size {
		return m.Space.Sample(rng), true
	}
	// With replacement, as in the paper.
	best := &m.pop[rng.IntN(m.size)]
	high := m.Score(best.objectives)
	for range m.sample - 1 {
		o := &m.pop[rng.IntN(m.size)]
		if s := m.Score(o.objectives); s > high {
			best, high = o, s
		}
	}
	return m.Space.Mutate(rng, best.arch), true
}

func (m *aging) Learn(c *Candidate) {
	if !c.Has() {
		return
	}
	if len(m.pop) < m.size {
		m.pop = append(m.pop, newMember(c))
		return
	}
	m.pop[m.oldest] = newMember(c)
	m.oldest = (m.oldest + 1) % m.size
}
