package proxy

import (
	"context"
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

// Result is the values of one network.
type Result struct {
	Network  string        // name of the network
	Values   []float64     // in the order of the proxies
	Costs    []Cost        // in the order of the proxies
	Time     time.Duration // all passes
	Wait     time.Duration // beside it, waiting for compilation
	Kernels  int           // kernels run
	Compiled int           // of these, kernels that had to be compiled first
	Warnings []string      // values that are not finite
}

// Cost is the time that a proxy takes.
type Cost struct {
	Alone  time.Duration // its pass, with only what it needs of it
	Beside time.Duration // of Alone, what it adds to the pass when others have asked for that: what it needs
}

// Evaluate computes the proxies of a network with the weights that seed gives. Proxies with the same Pass share one run. With static proxies alone s and data may be nil.
// It fails where zico.Scorer.Observe does; values that are not finite are warnings.
func Evaluate(ctx context.Context, s *zico.Scorer, n *net.Network, seed uint64, data []images.Batch, proxies []*Proxy) (*Result, error) {
	queries, of := plan(proxies)
	observed := &zico.Observed{Network: n}
	if len(queries) > 0 {
		var err error
		if observed, err = s.Observe(ctx, n, seed, data, queries...); err != nil {
			return nil, err
		}
	}
	return result(observed, proxies, of), nil
}

// EvaluateAll computes the proxies of many architectures on the same batches and yields the results in the order of the requests, as zico.Scorer.ScoreAll does: an architecture that cannot be evaluated yields an error that names it, and the loop goes on; when ctx ends its error is yielded and the loop ends. With static proxies alone s and data may be nil, and where all of these have a Count and the space is a spaces.Counter no network is built.
func EvaluateAll(ctx context.Context, s *zico.Scorer, data []images.Batch, reqs []zico.Request, proxies []*Proxy) iter.Seq2[*Result, error] {
	queries, of := plan(proxies)
	return func(yield func(*Result, error) bool) {
		if len(queries) == 0 {
			describeAll(ctx, reqs, proxies, yield)
			return
		}
		for observed, err := range s.ObserveAll(ctx, data, reqs, queries...) {
			var r *Result
			if err == nil {
				r = result(observed, proxies, of)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// Describe computes static proxies of a canonical architecture, in their order. It fails where the space's Network does, and for proxies that are not static.
func Describe(s spaces.Space, a spaces.Arch, in spaces.Input, proxies []*Proxy) ([]float64, error) {
	for _, p := range proxies {
		if !p.Static {
			return nil, fmt.Errorf("proxy: %s is not static", p.Name)
		}
	}
	d, err := newDescription(s, a, in, proxies)
	if err != nil {
		return nil, err
	}
	values := make([]float64, len(proxies))
	for i, p := range proxies {
		values[i] = d.value(p)
	}
	return values, nil
}

// description is what static proxies look at: a network or, where that is enough for all, its counts.
type description struct {
	network *net.Network
	counts  net.Counts
}

func newDescription(s spaces.Space, a spaces.Arch, in spaces.Input, proxies []*Proxy) (d description, err error) {
	counter, ok := s.(spaces.Counter)
	if ok && !slices.ContainsFunc(proxies, func(p *Proxy) bool { return p.Count == nil }) {
		d.counts, err = counter.Counts(a, in)
	} else {
		d.network, err = s.Network(a, in)
	}
	return d, err
}

func (d *description) value(p *Proxy) float64 {
	if d.network == nil {
		return p.Count(d.counts)
	}
	return p.Score(&zico.Observation{Network: d.network})
}

// describeAll is EvaluateAll of static proxies, which run nothing, on all processors.
func describeAll(ctx context.Context, reqs []zico.Request, proxies []*Proxy, yield func(*Result, error) bool) {
	type outcome struct {
		res *Result
		err error
	}
	const part = 64 // requests that a processor takes at once
	parts := slices.Collect(slices.Chunk(reqs, part))
	done := make([]chan []outcome, len(parts))
	for i := range done {
		done[i] = make(chan []outcome, 1)
	}
	ctx, cancel := context.WithCancel(ctx)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(parts)) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(parts) {
					return
				}
				out := make([]outcome, len(parts[i]))
				for k, r := range parts[i] {
					out[k].res, out[k].err = describe(r, proxies)
				}
				done[i] <- out
			}
		})
	}
	defer func() {
		cancel()
		workers.Wait()
	}()
	for i := range parts {
		select {
		case out := <-done[i]:
			for _, o := range out {
				if err := ctx.Err(); err != nil {
					yield(nil, err)
					return
				}
				if !yield(o.res, o.err) {
					return
				}
			}
		case <-ctx.Done():
			yield(nil, ctx.Err())
			return
		}
	}
}

// describe computes static proxies of a request.
func describe(r zico.Request, proxies []*Proxy) (*Result, error) {
	s, arch, in, err := r.Resolve()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Arch, err)
	}
	d, err := newDescription(s, arch, in, proxies)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Arch, err)
	}
	res := &Result{Network: string(arch)} // where a space counts, its networks are named so
	if d.network != nil {
		res.Network = d.network.Name
	}
	for _, p := range proxies {
		res.add(p, &zico.Observation{}, func() float64 { return d.value(p) })
	}
	return res, nil
}

// plan groups proxies by their passes: the queries, and for each proxy the place of its own, -1 for a static one.
func plan(proxies []*Proxy) (queries []zico.Query, of []int) {
	for _, p := range proxies {
		if p.Static {
			of = append(of, -1)
			continue
		}
		i := slices.IndexFunc(queries, func(q zico.Query) bool { return q.Pass == p.Pass })
		if i < 0 {
			i = len(queries)
			queries = append(queries, zico.Query{Pass: p.Pass})
		}
		queries[i].Needs |= p.Needs
		if r := p.Range; r != (zico.Range{}) && !slices.Contains(queries[i].Ranges, r) {
			queries[i].Ranges = append(queries[i].Ranges, r)
		}
		of = append(of, i)
	}
	return queries, of
}

func result(observed *zico.Observed, proxies []*Proxy, of []int) *Result {
	r := &Result{Network: observed.Network.Name}
	for _, o := range observed.Passes {
		r.Time += o.Time
		r.Wait += o.Wait
		r.Kernels += o.Kernels
		r.Compiled += o.Compiled
	}
	for i, p := range proxies {
		o := &zico.Observation{Network: observed.Network}
		if of[i] >= 0 {
			o = observed.Passes[of[i]]
		}
		r.add(p, o, func() float64 { return p.Score(o) })
	}
	return r
}

// add computes the value of a proxy after its pass.
func (r *Result) add(p *Proxy, pass *zico.Observation, value func() float64) {
	start := time.Now()
	v := value()
	spent := time.Since(start)
	r.Time += spent
	r.Values = append(r.Values, v)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s of %s is %g", p.Name, r.Network, v))
	}
	c := Cost{Alone: pass.Time + spent, Beside: spent}
	for need, extra := range pass.Extra {
		if p.Needs&need != 0 {
			c.Beside += extra
		} else {
			c.Alone -= extra
		}
	}
	r.Costs = append(r.Costs, c)
}
