package search

import (
	"math/rand/v2"

	"github.com/zeroshotnas/zeroshot/spaces"
)

func init() {
	Register(Info{
		Name:   "local",
		Doc:    "Local search with restarts: neighbours of the current architecture are tried in random order, and the first that is better becomes the current one; where none of them is, or of as many as patience, the search begins anew at a random architecture.",
		Source: "White, Nolen and Savani, Exploring the loss landscape in neural architecture search, UAI 2021 (the variant that moves to the first improvement)",
		New: func(s Setup, o *Options) (Method, error) {
			return &local{Setup: s, patience: o.Int("patience", 64, 1, 1<<30, "neighbours that are tried before a restart")}, nil
		},
	})
}

type local struct {
	Setup
	patience int
	issued   int           // proposals so far
	since    int           // the first proposal of this start
	current  *member       // nil until the start has been scored
	queue    []spaces.Arch // neighbours of current that are still to be tried
}

// enumerated bounds the neighbourhoods that are listed: of larger ones, as ImageNet spaces have, neighbours are drawn by Mutate and may repeat.
const enumerated = 1000

// neighbours are up to n neighbours of a in random order.
func neighbours(s spaces.Space, rng *rand.Rand, a spaces.Arch, n int) []spaces.Arch {
	var list []spaces.Arch
	for b := range s.Neighbors(a) {
		if len(list) == enumerated {
			list = list[:0]
			for range n {
				list = append(list, s.Mutate(rng, a))
			}
			return list
		}
		list = append(list, b)
	}
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:min(n, len(list))]
}

func (m *local) Propose(rng *rand.Rand) (spaces.Arch, bool) {
	m.issued++
	if m.current != nil && m.queue == nil {
		m.queue = neighbours(m.Space, rng, m.current.arch, m.patience)
	}
	if len(m.queue) > 0 {
		a := m.queue[0]
		m.queue = m.queue[1:]
		return a, true
	}
	if m.current != nil {
		m.current, m.queue, m.since = nil, nil, m.issued-1
	}
	if m.issued == 1 {
		return m.start(rng), true
	}
	return m.Space.Sample(rng), true
}

func (m *local) Learn(c *Candidate) {
	if !c.Has() || c.Iteration < m.since {
		return
	}
	if m.current == nil || m.Score(c.Objectives) > m.Score(m.current.objectives) {
		b := newMember(c)
		m.current, m.queue = &b, nil
	}
}
