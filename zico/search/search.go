// Package search finds architectures: methods that propose and learn, limits that reject before anything is run, evaluators that score, and a log that survives whatever ends the process.
//
// Run brings them together. A Method proposes one architecture after the other (random search, local search, evolution, several objectives at once); the Limits of a budget reject what is too large; an Evaluator computes proxies on this machine or looks accuracies up; results are learned in the order of the proposals, so that a run depends on its seed and the number of evaluations in flight only. A method is one file that calls Register; so is a limit of one's own a Limit, and an evaluator elsewhere an Evaluator.
package search

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Config says what is searched and how. The zero value of each field means the default in its comment.
type Config struct {
	// Space is what is searched. Required.
	Space spaces.Space
	// Evaluator computes the values. Required.
	Evaluator Evaluator
	// Method is the name of a method with its options, as in "aging:population=64". Default "zico".
	Method string
	// Initial is the architecture that the methods that need one begin with, in any form that the space parses. Default: the space's own (spaces.Evolver), else none.
	Initial string
	// Objectives are names of the evaluator's metrics and of limits, whose quantities are better when lower. Default: all metrics.
	Objectives []string
	// Limits are the budget, in the order in which they are checked.
	Limits []Limit
	// InFlight is how many evaluations run at once. Default 1.
	InFlight int
	// Seed is that of the method's draws.
	Seed uint64
	// Weights is the seed of the networks' weights.
	Weights uint64
	// Fresh gives every candidate weights of its own (seed Weights + iteration) and evaluates duplicates anew, as the code of the ZiCo paper does. Default: all candidates have the same seed, so that their differences are the architectures', and duplicates are not evaluated again.
	Fresh bool

	// Iterations, Evaluations and Time end the run; at least one is needed. Iterations counts proposals, Evaluations those that were evaluated, both over all processes that worked on the log; Time is that of this call.
	Iterations  int
	Evaluations int
	Time        time.Duration

	// Log is the file of the run. Default: none, the run ends with the process.
	Log string
	// Resume goes on with the run that Log holds. Without it Log must be new.
	Resume bool
	// Skip fails the first candidate that the log does not have in place of evaluating it: for one whose evaluation ended the process, and would again.
	Skip bool
	// Recorder, if set, is told of each candidate.
	Recorder Recorder
}

// Recorder follows a run.
type Recorder interface {
	// Record is called after each candidate has been learned, from the goroutine of Run; when a run is resumed, for those in the log first, with s.Replaying set. It must not keep s.
	Record(s *State, c *Candidate)
}

// Status says why a run ended.
type Status uint8

const (
	// Running is the status of a run that has not ended.
	Running Status = iota
	// IterationLimit and the next two are the limits of Config.
	IterationLimit
	EvaluationLimit
	TimeLimit
	// Exhausted means that the method had nothing more to propose.
	Exhausted
	// Stalled means that the last 10,000 proposals were all known, rejected or failed.
	Stalled
	// Interrupted means that the context ended.
	Interrupted
	// Broken means that Run returns an error.
	Broken
)

// String says in words why the run ended.
func (s Status) String() string {
	return [...]string{"running", "iteration limit reached", "evaluation limit reached", "time limit reached", "the method has nothing more to propose", "10,000 proposals without a new candidate within the limits", "interrupted", "stopped by an error"}[s]
}

// stall is the number of proposals without an evaluation after which a run ends.
const stall = 10_000

// hopeless is the number of first evaluations that may all fail.
const hopeless = 20

// Run searches until a limit is reached, the method has nothing more to propose, or ctx ends, and returns the state that it has reached; Status says why it ended. An error comes with the state so far.
//
// When ctx ends, evaluations in flight are given up; that is no error. Everything learned is in the log, and a run that goes on from there ends as one that was never interrupted.
//
// Errors: a Config that makes no sense, a log that belongs to another run (ErrLog), is in use (journal.ErrLocked) or cannot be written, and an Evaluator with which all of the first 20 candidates fail.
func Run(ctx context.Context, c Config) (*State, error) {
	r, err := newRun(&c)
	if err != nil {
		return nil, err
	}
	defer r.log.close()
	err = r.run(ctx)
	if err != nil {
		r.state.Status = Broken
	}
	return r.state, errors.Join(err, r.log.end(r.state))
}

// run is a search at work.
type run struct {
	Config
	setup  Setup
	method Method
	rng    *rand.Rand
	rank   LogRank
	state  *State
	log    *runLog
	began  time.Time // the first proposal that the log does not have
	slots  []*slot   // in the order of issue, not yet learned
	flying int       // of these, evaluations
	issued int       // evaluations that were asked for
	seen   map[spaces.Arch]*Candidate
}

var errSkipped = errors.New("skipped on request")

// slot is a proposal that has not been learned.
type slot struct {
	c      *Candidate
	logged bool
	flying bool
	first  *Candidate // of a repeated architecture
	done   chan struct{}
	eval   *Evaluation
	err    error
}

func newRun(c *Config) (*run, error) {
	switch {
	case c.Space == nil || c.Evaluator == nil:
		return nil, errors.New("search: Config needs a Space and an Evaluator")
	case c.Iterations <= 0 && c.Evaluations <= 0 && c.Time <= 0:
		return nil, errors.New("search: the run would never end: set Iterations, Evaluations or Time")
	case c.InFlight < 0:
		return nil, fmt.Errorf("search: %d evaluations in flight; 1 or more make sense", c.InFlight)
	case c.Resume && c.Log == "":
		return nil, errors.New("search: there is nothing to resume without a Log")
	}
	if v, ok := c.Evaluator.(interface{ validate() error }); ok {
		if err := v.validate(); err != nil {
			return nil, err
		}
	}
	if c.Method == "" {
		c.Method = "zico"
	}
	c.InFlight = max(1, c.InFlight)
	r := &run{Config: *c, rng: rand.New(rand.NewPCG(c.Seed, 0x736561726368)), seen: map[spaces.Arch]*Candidate{}}
	initial, err := initialArch(c.Space, c.Initial)
	if err != nil {
		return nil, err
	}
	list, err := r.objectives()
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, l := range c.Limits {
		if l.Name == "" || l.Measure == nil || names[l.Name] {
			return nil, fmt.Errorf("search: limit %q: each needs a name of its own and Measure", l.Name)
		}
		names[l.Name] = true
		if l.Name == "latency" && c.InFlight > 1 {
			return nil, errors.New("search: measured latency beside other evaluations means nothing: use InFlight 1")
		}
	}
	score := r.rank.Score
	if len(list) == 1 {
		score = func(o []float64) float64 { return o[0] }
	}
	r.setup = Setup{Space: c.Space, Initial: initial, Objectives: len(list), Score: score}
	if r.method, _, err = newMethod(c.Method, r.setup); err != nil {
		return nil, err
	}
	r.state = &State{
		Rejected: map[string]int{}, method: r.method, score: score, objectives: list, metrics: c.Evaluator.Metrics(), limits: r.limits(),
		iterations: c.Iterations, evaluations: c.Evaluations, time: c.Time,
	}
	if r.log, err = openLog(r); err != nil {
		return nil, err
	}
	return r, nil
}

func initialArch(s spaces.Space, given string) (spaces.Arch, error) {
	if given != "" {
		return s.Parse(given)
	}
	if e, ok := s.(spaces.Evolver); ok {
		return e.Initial(), nil
	}
	return "", nil
}

// limits are the names of the limits.
func (r *run) limits() []string {
	names := make([]string, len(r.Limits))
	for i, l := range r.Limits {
		names[i] = l.Name
	}
	return names
}

// objectives finds what is optimised.
func (r *run) objectives() ([]objective, error) {
	metrics := r.Evaluator.Metrics()
	if len(r.Objectives) == 0 {
		for _, m := range metrics {
			r.Objectives = append(r.Objectives, m.Name)
		}
	}
	return findObjectives(r.Objectives, metrics, r.limits())
}

// findObjectives finds objectives among metrics and the quantities of limits, by name.
func findObjectives(names []string, metrics []Metric, limits []string) ([]objective, error) {
	var list []objective
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("search: objective %s is given twice", name)
		}
		if at := slices.IndexFunc(metrics, func(m Metric) bool { return m.Name == name }); at >= 0 {
			list = append(list, objective{Metric: metrics[at], at: at})
			continue
		}
		at := slices.Index(limits, name)
		if at < 0 {
			var have []string
			for _, m := range metrics {
				have = append(have, m.Name)
			}
			return nil, fmt.Errorf("search: unknown objective %q; there are %s", name, strings.Join(append(have, limits...), ", "))
		}
		list = append(list, objective{Metric: Metric{Name: name, Lower: true}, cost: true, at: at})
	}
	return list, nil
}

func (r *run) run(ctx context.Context) error {
	flight, stop := context.WithCancel(ctx)
	defer stop()
	defer func() {
		stop()
		for _, s := range r.slots {
			if s.done != nil {
				<-s.done
			}
		}
	}()
	r.state.Replaying = r.log.more()
	idle := 0 // proposals since the last evaluation
	for {
		// Which results are learned before a proposal depends on the order of issue only, never on which evaluation is faster.
		for len(r.slots) > 0 && (r.flying >= r.InFlight || !r.slots[0].flying) {
			if err := r.fold(ctx); err != nil {
				return err
			}
			if r.state.Status == Interrupted {
				return nil
			}
		}
		if status := r.limit(ctx, idle); status != Running {
			return r.finish(ctx, status)
		}
		began := time.Now()
		a, ok := r.method.Propose(r.rng)
		if !ok {
			if len(r.slots) == 0 {
				return r.finish(ctx, Exhausted)
			}
			// What is in flight may give it ideas.
			if err := r.fold(ctx); err != nil {
				return err
			}
			if r.state.Status == Interrupted {
				return nil
			}
			continue
		}
		s, err := r.issue(flight, a)
		if !s.logged {
			r.state.Times.Propose += time.Since(began)
			if r.began.IsZero() {
				r.began = began
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				r.state.Status = Interrupted
				return nil
			}
			return err
		}
		if idle++; s.flying {
			idle = 0
		}
		r.slots = append(r.slots, s)
	}
}

// proposed is the number of proposals so far.
func (r *run) proposed() int { return r.state.Iterations + len(r.slots) }

// limit is the reason to propose nothing more.
func (r *run) limit(ctx context.Context, idle int) Status {
	switch {
	case ctx.Err() != nil:
		return Interrupted
	case r.Iterations > 0 && r.proposed() >= r.Iterations:
		return IterationLimit
	case r.Evaluations > 0 && r.issued >= r.Evaluations:
		return EvaluationLimit
	case r.Time > 0 && !r.began.IsZero() && time.Since(r.began) >= r.Time:
		return TimeLimit
	case idle >= stall:
		return Stalled
	}
	return Running
}

// finish learns what is in flight and ends the run.
func (r *run) finish(ctx context.Context, status Status) error {
	if status != Interrupted {
		for len(r.slots) > 0 {
			if err := r.fold(ctx); err != nil {
				return err
			}
			if r.state.Status == Interrupted {
				return nil
			}
		}
	}
	r.state.Status = status
	return nil
}

// issue makes a slot of a proposal: from the log where it has it, else by checking it and starting its evaluation.
func (r *run) issue(ctx context.Context, a spaces.Arch) (*slot, error) {
	c := &Candidate{Iteration: r.proposed(), Arch: a}
	s := &slot{c: c}
	logged, err := r.log.next(c)
	if err != nil {
		return s, err
	}
	c.Supernet = spaces.IsSupernet(r.Space, a)
	if !r.Fresh {
		if s.first = r.seen[a]; s.first == nil {
			r.seen[a] = c
		}
	}
	if logged {
		s.logged = true
		// An evaluation counts as in flight also when it is replayed: what was learned when must be the same.
		s.flying = s.first == nil && len(c.Costs) == len(r.Limits) && (c.Verdict == Scored || c.Verdict == Failed)
	} else if s.first == nil {
		if err := r.check(ctx, c); err != nil {
			return s, err
		}
		s.flying = c.Verdict == Scored
	}
	if !s.flying {
		return s, nil
	}
	r.flying++
	r.issued++
	if logged {
		return s, nil
	}
	s.done = make(chan struct{})
	seed := r.Weights
	if r.Fresh {
		seed += uint64(c.Iteration)
	}
	if r.Skip {
		r.Skip = false
		s.err = errSkipped
		close(s.done)
		return s, nil
	}
	go func() {
		defer close(s.done)
		s.eval, s.err = r.Evaluator.Evaluate(ctx, a, seed)
	}()
	return s, nil
}

// check measures the limits; a Verdict of Scored means that all are kept.
func (r *run) check(ctx context.Context, c *Candidate) error {
	for _, l := range r.Limits {
		v, err := l.Measure(ctx, c.Arch)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.Verdict, c.Reason = Failed, fmt.Sprintf("%s: %v", l.Name, err)
			return nil
		}
		c.Costs = append(c.Costs, v)
		if !(v <= l.Max) && !c.Supernet {
			c.Verdict, c.Reason = Rejected, l.Name
			return nil
		}
	}
	return nil
}

// fold learns the oldest proposal.
func (r *run) fold(ctx context.Context) error {
	s := r.slots[0]
	c := s.c
	if s.done != nil {
		select {
		case <-s.done:
		case <-ctx.Done():
			r.state.Status = Interrupted
			return nil
		}
		switch {
		case s.err == nil && len(s.eval.Values) != len(r.Evaluator.Metrics()):
			return fmt.Errorf("search: the evaluator gave %d values for %s, it announced %d", len(s.eval.Values), c.Arch, len(r.Evaluator.Metrics()))
		case s.err == nil:
			c.Values = s.eval.Values
			r.state.Times.add(s.eval.Times)
			r.state.Kernels += int64(s.eval.Kernels)
			r.state.Compiled += int64(s.eval.Compiled)
		case ctx.Err() != nil:
			r.state.Status = Interrupted
			return nil
		default:
			c.Verdict, c.Reason = Failed, s.err.Error()
		}
	}
	if s.first != nil {
		c.repeat(s.first)
	}
	if c.Has() {
		c.Objectives = make([]float64, len(r.state.objectives))
		for i, o := range r.state.objectives {
			c.Objectives[i] = o.of(c)
		}
	}
	if !s.logged {
		if err := r.log.append(c); err != nil {
			return err
		}
	}
	r.slots = r.slots[1:]
	if s.flying {
		r.flying--
	}
	if c.Verdict == Scored && len(r.state.objectives) > 1 {
		r.rank.Add(c.Objectives)
	}
	r.method.Learn(c)
	r.state.learn(c, s.flying)
	if !s.logged {
		r.state.Replaying = false
		r.state.FreshIterations++
		if s.flying {
			r.state.FreshEvaluations++
		}
		r.state.Fresh = time.Since(r.began)
		r.state.Elapsed = r.log.elapsed + r.state.Fresh
		if err := r.log.clock(r.state, false); err != nil {
			return err
		}
	}
	if r.Recorder != nil {
		r.Recorder.Record(r.state, c)
	}
	// Failed counts those that were proposed again, too.
	if s.err != nil && r.state.Evaluations >= hopeless && len(r.state.scored)+r.state.Supernets == 0 {
		return fmt.Errorf("search: each of the first %d candidates failed; the last, %s: %w", r.state.Evaluations, c.Arch, s.err)
	}
	return nil
}

// repeat makes c the same as the first candidate of its architecture.
func (c *Candidate) repeat(first *Candidate) {
	c.Verdict, c.Reason, c.First, c.Costs, c.Values = first.Verdict, first.Reason, first.Iteration, first.Costs, first.Values
	if c.Verdict == Scored {
		c.Verdict = Duplicate
	}
}
