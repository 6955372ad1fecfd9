package search

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/zeroshotnas/zeroshot/spaces"
)

func init() {
	Register(Info{
		Name:   "mtf-pdns",
		Doc:    "Pareto-dominance novelty search over several training-free metrics, a size among them: an archive keeps the architectures that none found so far dominates. The novelty of an architecture is its mean distance to the archive in the space of all metrics, each scaled to 0..1, with a minus sign where it is not in the archive itself: what extends the front is wanted far from the rest of it, everything else near it. Of parents and children, paired at random, the more novel of each pair stay. Differences from the paper: spaces have no crossover, so each child is a mutation of a random member, mutated on until it is new; of architectures that are equal in all metrics the archive has the first only. With one metric the archive is the best architecture, and novelty is how near the others come to it.",
		Source: "Vo and Luong, Efficient multi-objective neural architecture search via Pareto dominance-based novelty search, GECCO 2024, arXiv 2407.20656; ELO-Lab/PDNS (there, too, population 20)",
		New: func(s Setup, o *Options) (Method, error) {
			return &pdns{generations: newGenerations(s, o, 20)}, nil
		},
	})
}

type pdns struct {
	generations
	archive []member
}

func (m *pdns) Propose(rng *rand.Rand) (spaces.Arch, bool) {
	if next := m.complete(); next != nil {
		if len(m.pop) > 0 {
			next = m.survivors(rng, append(m.pop, next...))
		}
		m.pop = next
	}
	return m.propose(rng, func() spaces.Arch { return m.pop[rng.IntN(len(m.pop))].arch })
}

func (m *pdns) Learn(c *Candidate) {
	m.generations.Learn(c)
	if c.Verdict != Scored || slices.ContainsFunc(m.archive, func(o member) bool { return covers(o.objectives, c.Objectives) }) {
		return
	}
	m.archive = slices.DeleteFunc(m.archive, func(o member) bool { return covers(c.Objectives, o.objectives) })
	m.archive = append(m.archive, newMember(c))
}

// survivors are the more novel of each of the random pairs of pool.
func (m *pdns) survivors(rng *rand.Rand, pool []member) []member {
	novelty := m.novelty(pool)
	order := rng.Perm(len(pool))
	var kept []member
	for i := 0; i+1 < len(order); i += 2 {
		at := order[i]
		if novelty[order[i+1]] > novelty[at] {
			at = order[i+1]
		}
		kept = append(kept, pool[at])
	}
	return kept
}

// novelty is the mean distance of each of pool to the archive, with a minus sign where it is not in it. Metrics are scaled over both.
func (m *pdns) novelty(pool []member) []float64 {
	elite := map[spaces.Arch]bool{}
	points := make([][]float64, 0, len(m.archive)+len(pool))
	for _, o := range m.archive {
		elite[o.arch] = true
		points = append(points, slices.Clone(o.objectives))
	}
	for _, o := range pool {
		points = append(points, slices.Clone(o.objectives))
	}
	for i := range m.Objectives {
		s := scaleOf(points, i)
		for _, p := range points {
			p[i] = s.unit(p[i])
		}
	}
	front, points := points[:len(m.archive)], points[len(m.archive):]
	out := make([]float64, len(pool))
	for i, p := range points {
		sum := 0.0
		for _, q := range front {
			square := 0.0
			for k, v := range p {
				square += (v - q[k]) * (v - q[k])
			}
			sum += math.Sqrt(square)
		}
		out[i] = sum / float64(len(front))
		if !elite[pool[i].arch] {
			out[i] = -out[i]
		}
	}
	return out
}
