package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Comparison says which methods are compared, and by what.
type Comparison struct {
	// Methods are names as in Config.Method. Required.
	Methods []string
	// Seeds is the number of runs of each method, with the seeds 1 to Seeds. Default 20.
	Seeds int
	// Config is what all runs have in common; Method, Seed, Log and Recorder are set by Compare. Iterations or Evaluations is required.
	Config Config
	// Evaluator makes the evaluator of a seed, as for a proxy whose errors are drawn anew for each. Default: Config.Evaluator for all.
	Evaluator func(seed uint64) (Evaluator, error)
	// Truth are the qualities of an architecture that a run is judged by, such as test accuracies. Required.
	Truth func(a spaces.Arch) []float64
}

// Curves are what Compare found.
type Curves struct {
	Methods []string
	// At are the numbers of candidates with values, duplicates among them, at which the runs were looked at: twelve a decade, and the last.
	At []int
	// Truth is the quality of the architecture that a run would choose then, [method][seed][at][quality]; NaN before it would choose any.
	Truth [][][][]float64
	// States are the ends of the runs, [method][seed].
	States [][]*State
}

// Compare runs methods on the same problem, with several seeds, on all processors at once. It is meant for evaluators that take next to no time, as Table.
func Compare(ctx context.Context, c Comparison) (*Curves, error) {
	if len(c.Methods) == 0 || c.Truth == nil || c.Config.Iterations <= 0 && c.Config.Evaluations <= 0 {
		return nil, errors.New("search: a comparison needs Methods, Truth, and Iterations or Evaluations")
	}
	if c.Seeds == 0 {
		c.Seeds = 20
	}
	out := &Curves{Methods: c.Methods, At: checkpoints(max(c.Config.Iterations, c.Config.Evaluations))}
	type job struct{ method, seed int }
	jobs := make(chan job)
	for range c.Methods {
		out.Truth = append(out.Truth, make([][][]float64, c.Seeds))
		out.States = append(out.States, make([]*State, c.Seeds))
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for j := range jobs {
				config := c.Config
				config.Method, config.Seed, config.Log = c.Methods[j.method], uint64(j.seed+1), ""
				curve := &curve{at: out.At, truth: c.Truth}
				config.Recorder = curve
				var s *State
				var err error
				if c.Evaluator != nil {
					config.Evaluator, err = c.Evaluator(config.Seed)
				}
				if err == nil {
					s, err = Run(ctx, config)
				}
				if err != nil {
					stop(fmt.Errorf("%s, seed %d: %w", config.Method, config.Seed, err))
					continue
				}
				curve.fill(s)
				out.Truth[j.method][j.seed], out.States[j.method][j.seed] = curve.values, s
			}
		})
	}
	for m := range c.Methods {
		for s := range c.Seeds {
			select {
			case jobs <- job{m, s}:
			case <-ctx.Done():
			}
		}
	}
	close(jobs)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return out, nil
}

// checkpoints are the evaluations at which runs are looked at.
func checkpoints(n int) []int {
	var list []int
	for i := 0; ; i++ {
		k := int(math.Round(math.Pow(10, float64(i)/12)))
		if k >= n {
			return append(list, n)
		}
		if len(list) == 0 || k > list[len(list)-1] {
			list = append(list, k)
		}
	}
}

// curve is a Recorder of what a run would choose.
type curve struct {
	at     []int
	truth  func(spaces.Arch) []float64
	values [][]float64
}

func (c *curve) Record(s *State, _ *Candidate) {
	for len(c.values) < len(c.at) && len(s.scored)+s.Duplicates >= c.at[len(c.values)] {
		c.values = append(c.values, c.now(s))
	}
}

// fill completes the curve of a run that ended early.
func (c *curve) fill(s *State) {
	for len(c.values) < len(c.at) {
		c.values = append(c.values, c.now(s))
	}
}

func (c *curve) now(s *State) []float64 {
	if b := s.Best(); b != nil {
		return c.truth(b.Arch)
	}
	return nil
}

// Mean is the mean over seeds of a quality at the place at of At, of those runs that would choose an architecture, and its standard error. NaN where none would.
func (c *Curves) Mean(method, at, quality int) (mean, stderr float64) {
	var v []float64
	for _, run := range c.Truth[method] {
		if run[at] != nil {
			v = append(v, run[at][quality])
		}
	}
	if len(v) == 0 {
		return math.NaN(), math.NaN()
	}
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		stderr += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(stderr / float64(len(v)*max(1, len(v)-1)))
}
