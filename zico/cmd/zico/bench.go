package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/gomlx/ml/model"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

//go:embed bench.json
var benchFile []byte

// benchSet is a set of networks with the reference's scores and times.
type benchSet struct {
	What      string `json:"what"`
	Reference string `json:"reference"`
	Space     string `json:"space"`
	Size      int    `json:"size"`
	Batch     int    `json:"batch"`
	Classes   int    `json:"classes"`
	Networks  []struct {
		Arch    string  `json:"arch"`
		Seed    uint64  `json:"seed"`
		Score   float64 `json:"reference_score"`
		Seconds float64 `json:"reference_seconds"`
	} `json:"networks"`
}

// benchRow is the measurement of one network.
type benchRow struct {
	Round     int     `json:"round"`
	Arch      string  `json:"arch"`
	Score     float64 `json:"score"`
	Reference float64 `json:"reference_score"`
	Build     float64 `json:"build_s"`
	Compile   float64 `json:"compile_s"`
	Run       float64 `json:"run_s"`
}

func bench(ctx context.Context, args []string) error {
	f := newFlags("bench", "")
	set := f.String("set", "nb201", "set of networks")
	n := f.Int("n", 0, "networks of the set (0: all)")
	rounds := f.Int("rounds", 2, "times to score all of them; the first compiles")
	inFlight := f.Int("inflight", 1, "networks at once")
	whole := f.Bool("whole", false, "compile and run each network as one graph, as the kernels do not")
	first := f.Int("first", 0, "start with this network of the set")
	shuffle := f.Uint64("shuffle", 0, "score each round in another random order of this seed (0: as listed)")
	kernels := f.Int("kernels", 15, "kernels to list, the most expensive first")
	device := f.String("device", "", "xla:cpu or xla:cuda (default: $GOMLX_BACKEND, else xla:cpu)")
	dtype := f.String("dtype", "float32", "float32 or float64")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	if err := parse(f, args); err != nil {
		return err
	}
	var sets map[string]benchSet
	if err := json.Unmarshal(benchFile, &sets); err != nil {
		return err
	}
	b, ok := sets[*set]
	if !ok {
		return usageError{fmt.Errorf("no set %q; there is nb201", *set)}
	}
	if *first < 0 || *first >= len(b.Networks) || *n < 0 || *rounds < 1 || *inFlight < 1 {
		return usageError{fmt.Errorf("-first must be 0 to %d, -n at least 0, -rounds and -inflight at least 1", len(b.Networks)-1)}
	}
	b.Networks = b.Networks[*first:]
	if *n > 0 && *n < len(b.Networks) {
		b.Networks = b.Networks[:*n]
	}
	start := time.Now()
	be, err := backend.Open(*device)
	if err != nil {
		return err
	}
	opened := time.Since(start)
	s, err := zico.New(be, zico.Config{DType: *dtype, InFlight: *inFlight})
	if err != nil {
		return err
	}
	defer s.Close()
	src, err := images.Open(fmt.Sprintf("formula:classes=%d", b.Classes))
	if err != nil {
		return err
	}
	say := func(format string, args ...any) {
		if !*asJSON {
			fmt.Printf(format, args...)
		}
	}
	out := json.NewEncoder(os.Stdout)
	say("%s\n%s, %s on %s, %d in flight\n", b.What, *dtype, be.Description(), runtime.GOARCH, *inFlight)
	scores := map[string]float64{}
	for round := range *rounds {
		order := make([]int, len(b.Networks))
		for i := range order {
			order[i] = i
		}
		if *shuffle != 0 {
			rng := rand.New(rand.NewPCG(*shuffle, uint64(round)))
			rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		// Each network has images of its own seed, so that the scores compare with the reference's. They are made before the clock starts.
		jobs := make([]func() (*zico.Result, error), len(order))
		for k, i := range order {
			net := b.Networks[i]
			data, err := src.Batches(ctx, images.Options{Batch: b.Batch, N: 2, Size: b.Size, Seed: net.Seed})
			if err != nil {
				return err
			}
			req := zico.Request{Space: b.Space, Arch: net.Arch, Input: spaces.Input{Size: b.Size, Classes: b.Classes}, Seed: net.Seed}
			jobs[k] = func() (*zico.Result, error) {
				if *whole {
					return wholeGraph(ctx, be, req, data, *dtype)
				}
				for res, err := range s.ScoreAll(ctx, data, []zico.Request{req}) {
					return res, err
				}
				return nil, ctx.Err()
			}
		}
		started := time.Now()
		results, err := inParallel(*inFlight, jobs)
		if err != nil {
			return err
		}
		mean := time.Since(started).Seconds() / float64(len(order))
		var seconds []float64
		for k, i := range order {
			res, net := results[k], b.Networks[i]
			row := benchRow{round, net.Arch, res.Score, net.Score, res.Build.Seconds(), res.Compile.Seconds(), res.Run.Seconds()}
			seconds = append(seconds, row.Build+row.Compile+row.Run)
			if was, ok := scores[net.Arch]; ok && was != res.Score {
				return fmt.Errorf("%s scored %v in round %d and %v before: the same network must give the same bits", net.Arch, res.Score, round, was)
			}
			scores[net.Arch] = res.Score
			if *asJSON {
				if err := out.Encode(row); err != nil {
					return err
				}
			}
			say("%2d  %8.3f s  (build %.3f compile %.3f run %.3f)  score %9.4f  reference %9.4f  %+.2f %%\n", i, seconds[k], row.Build, row.Compile, row.Run, res.Score, net.Score, 100*(res.Score/net.Score-1))
		}
		slices.Sort(seconds)
		say("round %d: %.3f s a network (throughput), median %.3f, %.3f to %.3f\n", round, mean, seconds[len(seconds)/2], seconds[0], seconds[len(seconds)-1])
		if round == 0 && *inFlight == 1 {
			one := results[0]
			say("first score of the process: %.2f s (%.2f opening the device, %.2f compiling, %.2f running)\n", (opened + one.Build + one.Compile + one.Run).Seconds(), opened.Seconds(), one.Compile.Seconds(), one.Run.Seconds())
		}
	}
	st := s.Kernels()
	var reference float64
	for _, net := range b.Networks {
		reference += net.Seconds / float64(len(b.Networks))
	}
	say("reference on its machine (%s): %.3f s a network\n", b.Reference, reference)
	say("%d kernels, %.2f s compiling (added up over threads), %d hits, %d misses, peak memory %s\n", st.Kernels, st.Compile.Seconds(), st.Hits, st.Misses, peakMemory())
	if *kernels > 0 && !*asJSON {
		profile(s, *kernels)
	}
	return nil
}

// inParallel runs jobs in order, k at once.
func inParallel(k int, jobs []func() (*zico.Result, error)) ([]*zico.Result, error) {
	results := make([]*zico.Result, len(jobs))
	errs := make(chan error, len(jobs))
	slots := make(chan struct{}, k)
	for i, job := range jobs {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			var err error
			results[i], err = job()
			errs <- err
		}()
	}
	var first error
	for range jobs {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return results, first
}

// profile lists the kernels that took the most time.
func profile(s *zico.Scorer, most int) {
	all := s.Profile()
	var total time.Duration
	for _, p := range all {
		total += p.Total
	}
	slices.SortFunc(all, func(a, b zico.KernelProfile) int { return int(b.Total - a.Total) })
	for _, p := range all[:min(most, len(all))] {
		fmt.Printf("%5.1f %%  %8.3f ms a call, %5d calls, %4.0f ms to compile  %s\n", 100*p.Total.Seconds()/total.Seconds(), 1e3*p.Total.Seconds()/float64(p.Calls), p.Calls, 1e3*p.Compile.Seconds(), p.Name)
	}
}

// wholeGraph scores a network the way that the kernels replace: compiled with its gradients as one graph.
func wholeGraph(ctx context.Context, be *backend.Backend, r zico.Request, data []images.Batch, dtype string) (*zico.Result, error) {
	n, err := r.Network()
	if err != nil {
		return nil, err
	}
	return zico.ScoreModel(ctx, be, model.NewStore(), zico.NetworkModel(n, r.Seed), data, zico.ModelConfig{DType: dtype})
}

// peakMemory is the largest resident size of the process so far.
func peakMemory() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}
