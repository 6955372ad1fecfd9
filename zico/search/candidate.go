package search

import (
	"github.com/zeroshotnas/zeroshot/spaces"
)

// Verdict is what became of a proposal.
type Verdict uint8

const (
	// Scored candidates were evaluated.
	Scored Verdict = iota
	// Duplicate candidates had been evaluated before and have the same values; nothing was computed.
	Duplicate
	// Rejected candidates break a limit (Candidate.Reason).
	Rejected
	// Failed candidates could not be counted or evaluated (Candidate.Reason).
	Failed
)

// String is the verdict in a word.
func (v Verdict) String() string {
	return [...]string{"scored", "duplicate", "rejected", "failed"}[v]
}

// Candidate is a proposal and what became of it.
type Candidate struct {
	Iteration int // from 0
	Arch      spaces.Arch
	Verdict   Verdict
	// Supernet says that Arch is no architecture of the space but a supernet (spaces.Relaxer), which is scored to decide what is in it and never is a result: State keeps it apart, and limits measure it without rejecting it.
	Supernet bool
	// Reason is the name of the limit that a Rejected candidate breaks, and the error of a Failed one.
	Reason string
	// First is the iteration that a Duplicate repeats.
	First int
	// Costs are what the limits measured, in the order of Config.Limits; fewer where one was broken.
	Costs []float64
	// Values are the evaluator's, in the order of its Metrics. nil where there are none.
	Values []float64
	// Objectives are what the run optimises, in the order of Config.Objectives, with the sign that makes higher better and NaN as -Inf. nil where there are none.
	Objectives []float64
}

// Has reports whether the candidate has values.
func (c *Candidate) Has() bool { return c.Verdict <= Duplicate }

// Metric is a value that an evaluator computes.
type Metric struct {
	Name  string `json:"name"`
	Lower bool   `json:"lower,omitempty"` // lower is better
}

// objective is where an objective of a run comes from.
type objective struct {
	Metric
	cost bool // else a value
	at   int
}

// of is the objective of a candidate with its sign.
func (o *objective) of(c *Candidate) float64 {
	list := c.Values
	if o.cost {
		list = c.Costs
	}
	v := list[o.at]
	if o.Lower {
		v = -v
	}
	return ordered(v)
}
