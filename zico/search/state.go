package search

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// State is how far a run is.
type State struct {
	Status      Status
	Replaying   bool // candidates come from the log
	Iterations  int
	Evaluations int // Scored and those that failed in their evaluation
	Duplicates  int
	Supernets   int            // of the evaluated, those that are no results (Candidate.Supernet) and in none of Scored, Top, Front and Best
	Rejected    map[string]int // by reason
	Failed      int
	Failure     string // the first candidate that failed, and why
	// Times, Kernels and Compiled are over all processes of the run, as far as their ends were recorded.
	Times             Times
	Kernels, Compiled int64
	// Elapsed is the time over all processes of the run. Fresh is that of this one without the replay, FreshEvaluations and FreshIterations what was done in it.
	Elapsed, Fresh                    time.Duration
	FreshEvaluations, FreshIterations int

	method     Method
	score      func([]float64) float64
	best       *Candidate
	scored     []*Candidate
	objectives []objective
	metrics    []Metric
	limits     []string

	iterations, evaluations int
	time                    time.Duration
}

// Best is the candidate that the method recommends (Recommender), or the first with the highest score; nil if there is none. With several objectives the score is the log-rank sum.
func (s *State) Best() *Candidate {
	if r, ok := s.method.(Recommender); ok {
		return r.Recommend()
	}
	if len(s.objectives) == 1 {
		return s.best
	}
	var best *Candidate
	var high float64
	for _, c := range s.scored {
		if v := s.score(c.Objectives); best == nil || v > high {
			best, high = c, v
		}
	}
	return best
}

// Score is that of a candidate with values: its objective, or the log-rank sum of its objectives among all candidates so far.
func (s *State) Score(c *Candidate) float64 { return s.score(c.Objectives) }

// Front are the candidates that no other dominates in the objectives.
func (s *State) Front() []*Candidate {
	points := make([][]float64, len(s.scored))
	for i, c := range s.scored {
		points[i] = c.Objectives
	}
	var front []*Candidate
	for _, i := range ParetoFront(points) {
		front = append(front, s.scored[i])
	}
	return front
}

// Hypervolume is the share of the box between the worst and the best finite values of all candidates, in each objective, that the front dominates: 0 to 1, higher is better. The box grows with what is found, so compare runs by the function of this name with a reference point of one's own.
func (s *State) Hypervolume() float64 {
	points := make([][]float64, len(s.scored))
	for i, c := range s.scored {
		points[i] = slices.Clone(c.Objectives)
	}
	for k := range s.objectives {
		scale := scaleOf(points, k)
		for _, p := range points {
			p[k] = scale.unit(p[k])
		}
	}
	return Hypervolume(points, make([]float64, len(s.objectives)))
}

// Scored are the candidates that were evaluated, in order. The slice must not be changed.
func (s *State) Scored() []*Candidate { return s.scored }

// Cost is what a limit has measured of a candidate, by its name.
func (s *State) Cost(c *Candidate, name string) (v float64, ok bool) {
	i := slices.Index(s.limits, name)
	if i < 0 || i >= len(c.Costs) {
		return 0, false
	}
	return c.Costs[i], true
}

// learn takes a candidate into account.
func (s *State) learn(c *Candidate, evaluated bool) {
	s.Iterations = c.Iteration + 1
	if evaluated {
		s.Evaluations++
	}
	switch c.Verdict {
	case Scored:
		if c.Supernet {
			s.Supernets++
			return
		}
		s.scored = append(s.scored, c)
		if s.best == nil || len(s.objectives) == 1 && c.Objectives[0] > s.best.Objectives[0] {
			s.best = c
		}
	case Duplicate:
		s.Duplicates++
	case Rejected:
		s.Rejected[c.Reason]++
	case Failed:
		if s.Failed == 0 {
			s.Failure = string(c.Arch) + ": " + c.Reason
		}
		s.Failed++
	}
}

// Top are the n candidates with the highest scores, the first found first among equals.
func (s *State) Top(n int) []*Candidate {
	list := slices.Clone(s.scored)
	slices.SortStableFunc(list, func(a, b *Candidate) int { return cmp.Compare(s.Score(b), s.Score(a)) })
	return list[:min(n, len(list))]
}

// Objectives are the names of what is optimised.
func (s *State) Objectives() []Metric {
	list := make([]Metric, len(s.objectives))
	for i, o := range s.objectives {
		list[i] = o.Metric
	}
	return list
}

// Metrics are the values of Candidate.Values.
func (s *State) Metrics() []Metric { return s.metrics }

// Limits are the names of Candidate.Costs.
func (s *State) Limits() []string { return s.limits }

// Left estimates the time to the end of the run from the rate of this process; ok is false where too little is known.
func (s *State) Left() (left time.Duration, ok bool) {
	if s.FreshIterations == 0 || s.Fresh <= 0 {
		return 0, false
	}
	left = time.Duration(math.MaxInt64)
	if s.iterations > 0 {
		left = time.Duration(float64(s.Fresh) / float64(s.FreshIterations) * float64(s.iterations-s.Iterations))
	}
	if s.evaluations > 0 && s.FreshEvaluations > 0 {
		left = min(left, time.Duration(float64(s.Fresh)/float64(s.FreshEvaluations)*float64(s.evaluations-s.Evaluations)))
	}
	if s.time > 0 {
		left = min(left, s.time-s.Fresh)
	}
	return max(0, left), left != math.MaxInt64
}

// Line says in a line how far the run is.
func (s *State) Line() string {
	line := fmt.Sprintf("%d iterations, %d evaluations", s.Iterations, s.Evaluations)
	rejected := 0
	for _, n := range s.Rejected {
		rejected += n
	}
	if rejected > 0 {
		line += fmt.Sprintf(", %d rejected", rejected)
	}
	if s.Failed > 0 {
		line += fmt.Sprintf(", %d failed", s.Failed)
	}
	if s.Replaying {
		return line + ", from the log"
	}
	if b := s.Best(); b != nil {
		line += fmt.Sprintf("; best %.6g at iteration %d", s.Score(b), b.Iteration)
	}
	if s.FreshEvaluations > 0 && s.Fresh > 0 {
		line += fmt.Sprintf("; %.0f evaluations an hour", float64(s.FreshEvaluations)/s.Fresh.Hours())
	}
	if left, ok := s.Left(); ok {
		line += fmt.Sprintf(", %s to go", left.Round(time.Second))
	}
	return line
}
