package proxy

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

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

// EvaluateAll computes the proxies of many architectures on the same batches and yields the results in the order of the requests, as zico.Scorer.ScoreAll does: an architecture that cannot be evaluated yields an error that names it, and the loop goes on; when ctx ends its error is yielded and the loop ends. With static proxies alone s and data may be nil.
func EvaluateAll(ctx context.Context, s *zico.Scorer, data []images.Batch, reqs []zico.Request, proxies []*Proxy) iter.Seq2[*Result, error] {
	queries, of := plan(proxies)
	return func(yield func(*Result, error) bool) {
		if len(queries) == 0 {
			describeAll(ctx, reqs, proxies, of, yield)
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

// describeAll is EvaluateAll of static proxies, which run nothing.
func describeAll(ctx context.Context, reqs []zico.Request, proxies []*Proxy, of []int, yield func(*Result, error) bool) {
	for _, r := range reqs {
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		n, err := r.Network()
		var res *Result
		if err != nil {
			err = fmt.Errorf("%s: %w", r.Arch, err)
		} else {
			res = result(&zico.Observed{Network: n}, proxies, of)
		}
		if !yield(res, err) {
			return
		}
	}
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
		of = append(of, i)
	}
	return queries, of
}

func result(observed *zico.Observed, proxies []*Proxy, of []int) *Result {
	r := &Result{Network: observed.Network.Name}
	for _, o := range observed.Passes {
		r.Time += o.Time
		r.Wait += o.Wait
	}
	for i, p := range proxies {
		start := time.Now()
		o := &zico.Observation{Network: observed.Network}
		if of[i] >= 0 {
			o = observed.Passes[of[i]]
		}
		v := p.Score(o)
		spent := time.Since(start)
		r.Time += spent
		r.Values = append(r.Values, v)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s of %s is %g", p.Name, r.Network, v))
		}
		c := Cost{Alone: o.Time + spent, Beside: spent}
		for need, extra := range o.Extra {
			if p.Needs&need != 0 {
				c.Beside += extra
			} else {
				c.Alone -= extra
			}
		}
		r.Costs = append(r.Costs, c)
	}
	return r
}
