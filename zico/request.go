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
	space, err := spaces.Open(r.Space)
	if err != nil {
		return nil, err
	}
	arch, err := space.Parse(r.Arch)
	if err != nil {
		return nil, err
	}
	in := r.Input
	if in.Size == 0 {
		in.Size = space.Input().Size
	}
	if in.Classes == 0 {
		in.Classes = space.Input().Classes
	}
	return space.Network(arch, in)
}

// ScoreAll scores many architectures on the same batches, Config.InFlight of them at once, and yields the results in the order of the requests. The loop may be left at any time; scores in progress are then abandoned.
//
// An architecture that cannot be scored (malformed, impossible, too large) yields an error that names it, and the loop goes on with the next. When ctx ends, its error is yielded and the loop ends. An error in the batches themselves is yielded once, alone.
func (s *Scorer) ScoreAll(ctx context.Context, data []images.Batch, reqs []Request) iter.Seq2[*Result, error] {
	return func(yield func(*Result, error) bool) {
		d, err := s.newDataset(data)
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
					done[i] <- s.answer(ctx, reqs[i], d)
				}
			})
		}
		// The device copies of the batches may go only when no score uses them any more.
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

type outcome struct {
	res *Result
	err error
}

func (s *Scorer) answer(ctx context.Context, r Request, d *dataset) outcome {
	if r.Input.Size == 0 {
		r.Input.Size = d.batches[0].H
	}
	if r.Input.Classes == 0 {
		r.Input.Classes = d.batches[0].Classes
	}
	n, err := r.Network()
	var res *Result
	if err == nil {
		res, err = s.score(ctx, n, r.Seed, d)
	}
	if err != nil {
		return outcome{nil, fmt.Errorf("%s: %w", r.Arch, err)}
	}
	return outcome{res, nil}
}
