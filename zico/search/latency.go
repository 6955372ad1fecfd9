package search

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/train"
)

// latencyRuns is the number of warm runs whose median is taken.
const latencyRuns = 15

// Latency is a limit on the time of inference in milliseconds, measured on the device: the network that would be trained (spaces.Training) is compiled whole, in float32, for one image of the input's size (zero fields: the space's own), and the median of 15 warm runs is taken.
//
// That costs a compilation of some seconds a candidate, so it is measured last, of what has passed the other limits. It is a measurement: it depends on the machine and on what else runs there, and two runs of one search may differ by it; a log keeps what was measured, so resuming does not.
func Latency(be *backend.Backend, s spaces.Space, in spaces.Input, limit float64) (Limit, error) {
	s = spaces.Training(s)
	in = filled(in, s)
	return Limit{
		Name: "latency", Max: limit, Unit: "ms", About: fmt.Sprintf("%s at %d pixels, %d classes, one image on %s", s.Name(), in.Size, in.Classes, be.Platform()),
		Measure: func(ctx context.Context, a spaces.Arch) (float64, error) {
			n, err := s.Network(a, in)
			if err != nil {
				return 0, err
			}
			return measureLatency(ctx, be, n)
		},
	}, nil
}

func measureLatency(ctx context.Context, be *backend.Backend, n *net.Network) (ms float64, err error) {
	// Graph building panics; the caller has a network that is no use to it, not a broken program.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("search: latency of %s: %v", n.Name, r)
		}
	}()
	store := model.NewStore()
	defer store.Finalize()
	fn := train.Model(n, 1)
	exec, err := model.NewExec(be.Backend, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
		store.SetTraining(x.Graph(), false)
		return fn(scope, x)
	})
	if err != nil {
		return 0, fmt.Errorf("search: latency of %s: %w", n.Name, err)
	}
	defer exec.Finalize()
	image := tensors.FromShape(shapes.Make(dtypes.Float32, 1, n.Input.H, n.Input.W, n.Input.C))
	defer image.FinalizeAll()
	var runs []time.Duration
	for i := range latencyRuns + 3 { // the first compile and warm up
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		start := time.Now()
		out, err := exec.Exec(image)
		if err == nil {
			// What was computed is there when it can be read.
			_ = out[0].Value()
			out[0].FinalizeAll()
		}
		if err != nil {
			return 0, fmt.Errorf("search: latency of %s: %w", n.Name, err)
		}
		if i >= 3 {
			runs = append(runs, time.Since(start))
		}
	}
	slices.Sort(runs)
	return float64(runs[len(runs)/2].Microseconds()) / 1000, nil
}
