package search

import (
	"math"
	"math/rand/v2"

	"github.com/zeroshotnas/zeroshot/spaces"
)

func init() {
	Register(Info{
		Name:   "nars",
		Doc:    "Neighbourhood-aware random search: random architectures are judged by the mean score of themselves and their neighbours, so that an architecture among good ones is preferred to one that is good by chance. The result is the centre of the best neighbourhood.",
		Source: "Wang et al., Neighborhood-aware neural architecture search, BMVC 2021 (NA-RS)",
		New: func(s Setup, o *Options) (Method, error) {
			return &nars{Setup: s, most: o.Int("neighbours", 24, 1, 1<<20, "neighbours that are evaluated, at random where there are more"), open: map[int]*neighbourhood{}}, nil
		},
	})
}

type nars struct {
	Setup
	most    int
	queue   []spaces.Arch // of the neighbourhood that is being proposed, its centre first
	current *neighbourhood
	open    map[int]*neighbourhood // by iteration of what was proposed and not yet learned
	issued  int
	done    []*neighbourhood
}

// neighbourhood is a centre with its neighbours.
type neighbourhood struct {
	centre  *Candidate // nil where it has no score
	members [][]float64
	left    int // to be learned
	dropped bool
}

func (m *nars) Propose(rng *rand.Rand) (spaces.Arch, bool) {
	// The neighbours of what breaks a limit or cannot be evaluated are not worth their time.
	if m.current == nil || len(m.queue) == 0 || m.current.dropped {
		if m.current != nil && m.current.dropped {
			m.current.left -= len(m.queue)
		}
		centre := m.Space.Sample(rng)
		m.queue = append([]spaces.Arch{centre}, neighbours(m.Space, rng, centre, m.most)...)
		m.current = &neighbourhood{left: len(m.queue)}
	}
	a := m.queue[0]
	m.queue = m.queue[1:]
	m.open[m.issued] = m.current
	m.issued++
	return a, true
}

func (m *nars) Learn(c *Candidate) {
	n := m.open[c.Iteration]
	delete(m.open, c.Iteration)
	n.left--
	switch {
	case c.Has():
		if n.centre == nil {
			n.centre = c
		}
		n.members = append(n.members, c.Objectives)
	case n.centre == nil:
		n.dropped = true
	}
	if n.left == 0 && !n.dropped {
		m.done = append(m.done, n)
	}
}

// Recommend is the centre of the finished neighbourhood with the highest mean score; before the first is finished there is none.
func (m *nars) Recommend() *Candidate {
	var best *Candidate
	high := math.Inf(-1)
	for _, n := range m.done {
		sum := 0.0
		for _, o := range n.members {
			sum += m.Score(o)
		}
		if mean := sum / float64(len(n.members)); best == nil || mean > high {
			best, high = n.centre, mean
		}
	}
	return best
}
