package zico

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

// Request asks for the score of an architecture. It is plain data: it can be logged, compared and sent elsewhere.
type Request struct {
	Space string       `json:"space"` // name of a registered space, with options, e.g. "natstss:C=16,N=5"
	Arch  string       `json:"arch"`  // any form that the space parses
	Input spaces.Input `json:"input"` // image size and classes; zero fields mean those of the batches at hand
	Seed  uint64       `json:"seed"`  // of the weights
}

// Network builds the network that the request names. Zero fields of Input mean the space's own.
func (r Request) Network() (*net.Network, error) {
	space, arch, in, err := r.Resolve()
	if err != nil {
		return nil, err
	}
	return space.Network(arch, in)
}

// Resolve opens the space and parses the architecture. Zero fields of Input become the space's own.
func (r Request) Resolve() (space spaces.Space, arch spaces.Arch, in spaces.Input, err error) {
	if space, err = spaces.Open(r.Space); err != nil {
		return nil, "", in, err
	}
	if arch, err = space.Parse(r.Arch); err != nil {
		return nil, "", in, err
	}
	in = r.Input
	if in.Size == 0 {
		in.Size = space.Input().Size
	}
	if in.Classes == 0 {
		in.Classes = space.Input().Classes
	}
	return space, arch, in, nil
}

// ScoreAll scores many architectures on the same batches, Config.InFlight of them at once, and yields the results in the order of the requests. The loop may be left at any time; scores in progress are then abandoned.
//
// An architecture that cannot be scored (malformed, impossible, too large) yields an error that names it, and the loop goes on with the next. When ctx ends, its error is yielded and the loop ends. An error in the batches themselves is yielded once, alone.
func (s *Scorer) ScoreAll(ctx context.Context, data []images.Batch, reqs []Request) iter.Seq2[*Result, error] {
	return each(ctx, s, data, 2, reqs, s.score)
}

// each calls f for the networks of many requests, Config.InFlight at once, on the same batches, and yields what it returns in the order of the requests.
func each[T any](ctx context.Context, s *Scorer, data []images.Batch, least int, reqs []Request, f func(context.Context, *net.Network, uint64, *dataset) (*T, error)) iter.Seq2[*T, error] {
	type outcome struct {
		res *T
		err error
	}
	return func(yield func(*T, error) bool) {
		d, err := s.newDataset(data, least)
		if err != nil {
			yield(nil, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		done := make([]chan outcome, len(reqs))
		for i := range done {
			done[i] = make(chan outcome, 1)
		}
		var next atomic.Int64
		var workers sync.WaitGroup
		for range min(s.cfg.InFlight, len(reqs)) {
			workers.Go(func() {
				for ctx.Err() == nil {
					i := int(next.Add(1)) - 1
					if i >= len(reqs) {
						return
					}
					n, err := reqs[i].on(d)
					var res *T
					if err == nil {
						res, err = f(ctx, n, reqs[i].Seed, d)
					}
					if err != nil {
						res, err = nil, fmt.Errorf("%s: %w", reqs[i].Arch, err)
					}
					done[i] <- outcome{res, err}
				}
			})
		}
		// The device copies of the batches may go only when no run uses them any more.
		defer func() {
			cancel()
			workers.Wait()
			d.close()
		}()
		for i := range reqs {
			select {
			case o := <-done[i]:
				if ctx.Err() != nil {
					yield(nil, ctx.Err())
					return
				}
				if !yield(o.res, o.err) {
					return
				}
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// on builds the network for the batches at hand.
func (r Request) on(d *dataset) (*net.Network, error) {
	if len(d.batches) > 0 {
		if r.Input.Size == 0 {
			r.Input.Size = d.batches[0].H
		}
		if r.Input.Classes == 0 {
			r.Input.Classes = d.batches[0].Classes
		}
	}
	return r.Network()
}
