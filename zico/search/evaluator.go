package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

// Evaluator computes the values of architectures: on this machine (Local), from a table (Table), or elsewhere. Run calls Evaluate from up to Config.InFlight goroutines at once.
type Evaluator interface {
	// Metrics are the values, in the order of Evaluation.Values.
	Metrics() []Metric
	// About says all that the values depend on beside architecture and seed, as names and values that the log keeps: a run is resumed only with an Evaluator that says the same.
	About() map[string]string
	// Evaluate computes the values of a canonical architecture with the weights that seed gives. An error fails the candidate, not the run, unless ctx has ended.
	Evaluate(ctx context.Context, a spaces.Arch, seed uint64) (*Evaluation, error)
}

// Evaluation is what an Evaluator has found.
type Evaluation struct {
	Values []float64
	Times  Times
	// Kernels and Compiled are the kernels that ran, and those of them that had to be compiled first, where the evaluator runs any.
	Kernels, Compiled int
}

// Times is where the time goes. Those of evaluations in flight at once are added up.
type Times struct {
	Propose time.Duration `json:"propose"` // choosing candidates, counting, and checking limits
	Build   time.Duration `json:"build"`   // describing networks
	Compile time.Duration `json:"compile"` // waiting for compilation
	Score   time.Duration `json:"score"`   // running them
}

func (t *Times) add(o Times) {
	t.Propose += o.Propose
	t.Build += o.Build
	t.Compile += o.Compile
	t.Score += o.Score
}

// Local evaluates proxies on this machine.
type Local struct {
	// Scorer runs the networks, on Data. Neither is needed where all proxies are static.
	Scorer *zico.Scorer
	Data   []images.Batch
	// DataName says what the images are.
	DataName string
	// Space makes the networks.
	Space spaces.Space
	// Input is what they are made for. Default: size and classes of the images; without images those of the space.
	Input spaces.Input
	// Proxies are what is computed.
	Proxies []*proxy.Proxy
}

// validate says what is missing.
func (l *Local) validate() error {
	if l.Space == nil || len(l.Proxies) == 0 {
		return errors.New("search: Local needs a Space and at least one proxy")
	}
	if l.static() {
		return nil
	}
	if l.Scorer == nil || len(l.Data) == 0 {
		return errors.New("search: Local needs a Scorer and Data for proxies that run networks")
	}
	return images.Alike(l.Data)
}

func (l *Local) static() bool {
	return !slices.ContainsFunc(l.Proxies, func(p *proxy.Proxy) bool { return !p.Static })
}

func (l *Local) input() spaces.Input {
	in := l.Input
	own := l.Space.Input()
	if len(l.Data) > 0 {
		own = spaces.Input{Size: l.Data[0].H, Classes: l.Data[0].Classes}
	}
	if in.Size == 0 {
		in.Size = own.Size
	}
	if in.Classes == 0 {
		in.Classes = own.Classes
	}
	return in
}

// Metrics implements Evaluator: a metric a proxy.
func (l *Local) Metrics() []Metric {
	m := make([]Metric, len(l.Proxies))
	for i, p := range l.Proxies {
		m[i] = Metric{p.Name, p.Lower}
	}
	return m
}

// About implements Evaluator. The instructions that kernels use are no part of it: they move scores by rounding only.
func (l *Local) About() map[string]string {
	in := l.input()
	about := map[string]string{"kind": "proxies", "networks": fmt.Sprintf("%s at %d pixels, %d classes", l.Space.Name(), in.Size, in.Classes)}
	if !l.static() {
		about["images"] = fmt.Sprintf("%s, %d batches of %d", l.DataName, len(l.Data), l.Data[0].N)
		about["images_hash"] = images.Hash(l.Data)
		about["dtype"] = l.Scorer.Config().DType
		about["statistic"] = map[zico.Statistic]string{zico.Signed: "code", zico.Absolute: "Eq. 15"}[l.Scorer.Config().Statistic]
	}
	return about
}

// Evaluate implements Evaluator.
func (l *Local) Evaluate(ctx context.Context, a spaces.Arch, seed uint64) (*Evaluation, error) {
	start := time.Now()
	if l.static() {
		v, err := proxy.Describe(l.Space, a, l.input(), l.Proxies)
		return &Evaluation{Values: v, Times: Times{Score: time.Since(start)}}, err
	}
	n, err := l.Space.Network(a, l.input())
	if err != nil {
		return nil, err
	}
	built := time.Since(start)
	r, err := proxy.Evaluate(ctx, l.Scorer, n, seed, l.Data, l.Proxies)
	if err != nil {
		return nil, err
	}
	return &Evaluation{Values: r.Values, Times: Times{Build: built, Compile: r.Wait, Score: time.Since(start) - built - r.Wait}, Kernels: r.Kernels, Compiled: r.Compiled}, nil
}
