package search

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/zeroshotnas/zeroshot/spaces"
)

func init() {
	Register(Info{
		Name:   "zero-cost-pt",
		Doc:    "Zero-Cost-PT: the edges of a supernet are decided one after the other in random order. Each operation of an edge is taken away by itself, and the one without which the supernet scores lowest stays; with disc=1 each is left alone on the edge, and the one with which it scores highest stays. That is repeated, and of the architectures proposed so the one with the highest score is the result. Needs a space with supernets (natstss:super=1). Limits measure supernets, but reject the architectures only.",
		Source: "Xiang et al., Zero-cost operation scoring in differentiable architecture search, AAAI 2023 (arXiv 2106.06799), with the random order and the 10 proposals of its code, zerocostptnas/zerocost_operation_score; there the proposals also see other images, and the result is chosen by the sum of scores on up to 100 batches",
		Fits: func(s spaces.Space) error {
			if _, ok := s.(spaces.Relaxer); !ok {
				return fmt.Errorf("%s describes no supernets; natstss:super=1 does", s.Name())
			}
			return nil
		},
		New: func(s Setup, o *Options) (Method, error) {
			m := &zeroCostPT{Setup: s, left: o.Int("proposals", 10, 1, 1<<20, "architectures that are proposed"), alone: o.Int("disc", 0, 0, 1, "operations are scored 0: by taking each away, 1: by leaving each alone") == 1}
			m.space, _ = s.Space.(spaces.Relaxer)
			return m, nil
		},
	})
}

type zeroCostPT struct {
	Setup
	space   spaces.Relaxer
	alone   bool
	left    int         // proposals to be begun
	current spaces.Arch // the supernet that is being decided; "" between two
	open    []int       // its undecided edges, the first being scored
	ops     []int       // operations of that edge
	archs   []spaces.Arch
	next    int         // of archs, to be proposed
	scores  [][]float64 // objectives of archs, as far as learned; nil for one that has none
	issued  []bool      // whether what is to be learned next is one of archs
}

func (m *zeroCostPT) Propose(rng *rand.Rand) (spaces.Arch, bool) {
	if len(m.archs) > 0 {
		if m.next < len(m.archs) {
			m.next++
			return m.propose(m.archs[m.next-1], true)
		}
		if len(m.scores) < len(m.archs) {
			return "", false // the edge waits for all of its scores
		}
		m.current = m.choose(m.open[0], m.decide(rng))
		m.open, m.archs = m.open[1:], nil
		if len(m.open) == 0 {
			a := m.current
			m.current = ""
			return m.propose(a, false)
		}
	}
	if m.current == "" {
		if m.left == 0 {
			return "", false
		}
		m.left--
		m.current = m.space.Supernet()
		if spaces.IsSupernet(m.space, m.Initial) {
			m.current = m.Initial
		}
		m.open = nil
		for e, ops := range m.choices() {
			if len(ops) > 1 {
				m.open = append(m.open, e)
			}
		}
		rng.Shuffle(len(m.open), func(i, j int) { m.open[i], m.open[j] = m.open[j], m.open[i] })
	}
	edge := m.open[0]
	m.ops, m.next, m.scores = m.choices()[edge], 1, nil
	for i, op := range m.ops {
		keep := []int{op}
		if !m.alone {
			keep = append(append([]int(nil), m.ops[:i]...), m.ops[i+1:]...)
		}
		m.archs = append(m.archs, m.choose(edge, keep...))
	}
	return m.propose(m.archs[0], true)
}

func (m *zeroCostPT) propose(a spaces.Arch, scored bool) (spaces.Arch, bool) {
	m.issued = append(m.issued, scored)
	return a, true
}

func (m *zeroCostPT) Learn(c *Candidate) {
	if m.issued[0] {
		var o []float64
		if c.Has() {
			o = c.Objectives
		}
		m.scores = append(m.scores, o)
	}
	m.issued = m.issued[1:]
}

// decide is the operation that stays on the edge, a random one where none has a score.
func (m *zeroCostPT) decide(rng *rand.Rand) int {
	best := -1
	var high float64
	for i, o := range m.scores {
		if o == nil {
			continue
		}
		s := m.Score(o)
		if !m.alone {
			s = -s
		}
		if best < 0 || s > high {
			best, high = i, s
		}
	}
	if best < 0 {
		best = rng.IntN(len(m.ops))
	}
	return m.ops[best]
}

// choices and choose take what the space itself has made.
func (m *zeroCostPT) choices() [][]int {
	list, err := m.space.Choices(m.current)
	if err != nil {
		panic(errors.Join(errors.New("search: a space does not read its own supernet"), err))
	}
	return list
}

func (m *zeroCostPT) choose(edge int, ops ...int) spaces.Arch {
	a, err := m.space.Choose(m.current, edge, ops...)
	if err != nil {
		panic(errors.Join(errors.New("search: a space does not decide an edge of its own supernet"), err))
	}
	return a
}
