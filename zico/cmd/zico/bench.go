package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomlx/gomlx/ml/model"

	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
)

// benchHelp documents what -json prints.
const benchHelp = `
Every network is scored once to compile its kernels and to warm up (round 0), then -rounds times. Medians and
spread are over those rounds. The status is 1 when a score is not the float64 one (or where that is not
known the reference's) within the set's tolerance.

Other processes disturb: others is the share of the processors' time that they took during a measurement, and
times from 5 % on are marked.

With -json each line is an object; kind says what it holds. Times are in seconds, memory in bytes.
  machine  what, dtype, device, cpu, system, threads, plugin, api, zeroshot, go_xla, gomlx, go, xla_flags,
           heap; peak_gflops of a 2048x2048 matrix product, peak_gbs of a large addition (bytes read and
           written); others during these
  network  one score: round, inflight, index, arch, score, reference_score (float32), float64_score
           (absent where not known), build_s, compile_s (waiting for compilation), run_s
  round    all networks once (a few several times, where many are in flight): round, inflight, networks scored,
           wall_s, per_network_s (wall_s / networks); median_s, min_s, max_s of single networks; kernels held,
           hits, misses, hit_rate of the cache in this round, compile_s added up over threads, peak_bytes of the
           process so far, others
  median   a network over the rounds: inflight, index, arch, median_s, min_s, max_s
  summary  all rounds: inflight, rounds, per_network_s (median of the rounds), min_s, max_s, speedup against the
           first -inflight; peak_bytes; of the first -inflight also in_kernels (time in kernels, added
           up over networks, by wall time), gflops, share_of_peak
  kernel   name, calls, total_s, share of the time in kernels, call_s, compile_s; gflop and mb of a call, gflops,
           gbs, share_of_peak_gflops, share_of_peak_gbs (absent where the work of the kernel is not known)
  check    a float64 score (-check, -peer): id, by, batch, score, losses, reference_score, tolerance, zico_score,
           problem
  pair     the same networks by both sides (-peer): round, first, networks (indices), zico_s, peer_s, ratio
           (peer_s / zico_s), compile_s, peer_setup_s (not in peer_s), others
  ratio    the outcome (-peer), of undisturbed pairs where the networks have any: networks, rounds, inflight,
           disturbed (pairs), untrusted (networks or groups without an undisturbed pair), zico_s, peer_s (sums
           of medians), sum_ratio, round_ratios, round_min, round_max, median_ratio, min_ratio, max_ratio over
           the networks, zico_peak_bytes, peer_peak_bytes, peer_device_bytes (GPU), python, torch, numpy,
           peer_device, threads
  cost     a proxy (-proxies), medians over networks and rounds: proxy, shared (comes with ZiCo's pass), alone_s (its
           pass with only what it needs), beside_s (what it adds to a pass that others have asked for)
  proxies  the outcome (-proxies): proxies, rounds, zico_s, proxies_s (sums of medians), ratio, round_ratios, others
  cells    what the cells (-cells) were measured on: rounds, others
  cell     a time of notebook cells, over kernels started one after another: what, rounds, median_s, min_s, max_s; with
           -against also before_s (median), before_min_s, before_max_s of the other clone. what is start (of the
           kernel), hello, import (the first cell that does), same, changed, score, next (score), and the parts of a
           changed cell that scores twice
`

// benchOptions are the flags of bench.
type benchOptions struct {
	set, dtype, device, kernels, peerCommand, proxies, against string
	first, n, rounds, threads, top                             int
	inFlight                                                   []int
	shuffle                                                    uint64
	whole, peer, check, peaks, cells, json                     bool
}

func (o *benchOptions) parse(args []string) error {
	f := newFlags("bench", "")
	usage := f.Usage
	f.Usage = func() {
		usage()
		fmt.Fprint(f.Output(), benchHelp)
	}
	var inFlight string
	f.StringVar(&o.set, "set", "nb201", "set of networks: nb201, imagenet, search, or a JSON file of the same form")
	f.IntVar(&o.first, "first", 0, "start with this network of the set")
	f.IntVar(&o.n, "n", 0, "networks of the set (0: all)")
	f.IntVar(&o.rounds, "rounds", 3, "times to score all of them after the warm-up")
	f.StringVar(&inFlight, "inflight", "1", "networks at once; several numbers (1,2,3) are measured in turn")
	f.IntVar(&o.threads, "threads", 0, "processors to use, of both sides with -peer (0: all that there are)")
	f.Uint64Var(&o.shuffle, "shuffle", 0, "score each round in another random order of this seed (0: as listed)")
	f.IntVar(&o.top, "top", 15, "kernels to list, the most expensive first (0: none, and the machine's peaks are not measured)")
	deviceFlags(f, &o.device, &o.kernels)
	f.StringVar(&o.dtype, "dtype", "float32", "float32 or float64")
	f.BoolVar(&o.whole, "whole", false, "compile and run each network as one graph, as the kernels do not")
	f.BoolVar(&o.peer, "peer", false, "time PyTorch on the same networks in turn (installed by: make peer)")
	f.StringVar(&o.peerCommand, "peercmd", "", "command of another peer that speaks the protocol of zico/bench/peer, as in \"python3 zico/bench/peer/peer.py\"")
	f.StringVar(&o.proxies, "proxies", "", "time these proxies (shared, all, or names separated by commas) against ZiCo alone, in turn, and what each costs")
	f.BoolVar(&o.cells, "cells", false, "time the cells of a notebook, from the start of its kernel to a score, in -rounds kernels after a first")
	f.StringVar(&o.against, "against", "", "with -cells: in turn with the kernel of another clone, in this folder, where setup was run")
	f.BoolVar(&o.check, "check", false, "only score in float64, on small batches, and compare with the reference (with -peer: both sides)")
	f.BoolVar(&o.peaks, "peaks", false, "only measure the machine's peaks")
	f.BoolVar(&o.json, "json", false, "print one JSON object a line")
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return usageError{fmt.Errorf("unexpected argument %q", f.Arg(0))}
	}
	for word := range strings.SplitSeq(inFlight, ",") {
		k, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || k < 1 {
			return usageError{fmt.Errorf("-inflight %q: write whole numbers of at least 1, separated by commas", inFlight)}
		}
		o.inFlight = append(o.inFlight, k)
	}
	if o.threads == 0 {
		o.threads = runtime.NumCPU()
	}
	switch {
	case o.rounds < 1 || o.threads < 1 || o.top < 0:
		return usageError{errors.New("-rounds and -threads must be at least 1, -top at least 0")}
	case o.peer && o.whole:
		return usageError{errors.New("-whole and -peer exclude each other: the peer is compared with the kernels")}
	case o.peer && len(o.inFlight) > 1:
		return usageError{errors.New("-peer takes one number of networks in flight")}
	case o.peerCommand != "" && !o.peer:
		return usageError{errors.New("-peercmd needs -peer")}
	case o.against != "" && !o.cells:
		return usageError{errors.New("-against needs -cells")}
	}
	return nil
}

// childFlags are the flags with which another process works on the same networks and device.
func (o *benchOptions) childFlags() []string {
	return []string{"-set", o.set, "-first", strconv.Itoa(o.first), "-n", strconv.Itoa(o.n), "-threads", strconv.Itoa(o.threads), "-device", o.device, "-kernels", o.kernels, "-dtype", o.dtype}
}

// scored lists the networks of a round with k in flight. A set of few networks is scored several times over, so that k are in flight for most of the round.
func scored(networks, k int) []int {
	times := 1
	if k > 1 {
		times = (2*k + networks - 1) / networks
	}
	var list []int
	for range times {
		for i := range networks {
			list = append(list, i)
		}
	}
	return list
}

// order is the order of n things in a round.
func (o *benchOptions) order(n, round int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if o.shuffle != 0 {
		rng := rand.New(rand.NewPCG(o.shuffle, uint64(round)))
		rng.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	return order
}

func bench(ctx context.Context, args []string) error {
	o := &benchOptions{}
	if err := o.parse(args); err != nil {
		return err
	}
	if err := pin(o.threads); err != nil {
		return err
	}
	r := &report{w: os.Stdout, json: o.json}
	if o.cells {
		return benchCells(ctx, o, r)
	}
	b, err := loadSet(o.set)
	if err != nil {
		return err
	}
	if err := b.take(o.first, o.n); err != nil {
		return err
	}
	if o.peer {
		return benchAgainstPeer(ctx, b, o, r)
	}
	if o.proxies != "" {
		return benchProxies(ctx, b, o, r)
	}
	if o.check || o.peaks {
		be, err := backend.Open(o.device)
		if err != nil {
			return err
		}
		if o.check {
			return checkOurs(ctx, be, o.kernels, b, r)
		}
		m := newMachineRow(be, b, o.dtype, o.threads)
		if m.peaks, err = measurePeaks(be, o.dtype); err != nil {
			return err
		}
		return r.add(m)
	}
	var limits peaks
	if o.top > 0 {
		if limits, err = childPeaks(ctx, o); err != nil {
			return err
		}
	}
	start := time.Now()
	be, err := backend.Open(o.device)
	if err != nil {
		return err
	}
	opened := time.Since(start)
	m := newMachineRow(be, b, o.dtype, o.threads)
	m.peaks = limits
	if err := r.add(m); err != nil {
		return err
	}
	s, err := zico.New(be, zico.Config{DType: o.dtype, Kernels: o.kernels, InFlight: slices.Max(o.inFlight)})
	if err != nil {
		return err
	}
	defer s.Close()
	t := &timing{be: be, s: s, set: b, o: o, r: r, limits: limits, opened: opened, same: newSameBits(b)}
	return t.run(ctx)
}

// benchAgainstPeer checks both sides' scores and then times them in turn.
func benchAgainstPeer(ctx context.Context, b *benchSet, o *benchOptions, r *report) error {
	command, err := peerCommand(o.peerCommand)
	if err != nil {
		return err
	}
	device := "cpu"
	if strings.Contains(o.device, "cuda") || o.device == "" && strings.Contains(os.Getenv("GOMLX_BACKEND"), "cuda") {
		device = "cuda"
	}
	p, err := startPeer(ctx, command, o.threads, device)
	if err != nil {
		return err
	}
	defer p.kill()
	rows, err := childChecks(ctx, o, r)
	if err != nil {
		return err
	}
	if err := checkPeer(ctx, p, b, rows, r); err != nil {
		return err
	}
	if err := p.close(); err != nil {
		return err
	}
	if o.check {
		return nil
	}
	var limits peaks
	if o.top > 0 {
		if limits, err = childPeaks(ctx, o); err != nil {
			return err
		}
	}
	if p, err = startPeer(ctx, command, o.threads, device); err != nil {
		return err
	}
	defer p.kill()
	be, err := backend.Open(o.device)
	if err != nil {
		return err
	}
	m := newMachineRow(be, b, o.dtype, o.threads)
	m.peaks = limits
	if err := r.add(m); err != nil {
		return err
	}
	s, err := zico.New(be, zico.Config{DType: o.dtype, Kernels: o.kernels, InFlight: o.inFlight[0]})
	if err != nil {
		return err
	}
	defer s.Close()
	row, work, err := compare(ctx, s, p, b, o, r)
	if err != nil {
		return err
	}
	if err := listKernels(work, limits, o.top, r); err != nil {
		return err
	}
	if err := r.add(row); err != nil {
		return err
	}
	return p.close()
}

// report is where results go.
type report struct {
	w    io.Writer
	json bool
}

// add prints a row.
func (r *report) add(row fmt.Stringer) error {
	if r.json {
		return json.NewEncoder(r.w).Encode(row)
	}
	_, err := io.WriteString(r.w, row.String())
	return err
}

// say prints text that has no row.
func (r *report) say(format string, args ...any) {
	if !r.json {
		fmt.Fprintf(r.w, format, args...)
	}
}

// networkRow is the measurement of one score.
type networkRow struct {
	Kind      string   `json:"kind"` // "network"
	Round     int      `json:"round"`
	InFlight  int      `json:"inflight"`
	Index     int      `json:"index"`
	Arch      string   `json:"arch"`
	Score     *float64 `json:"score"`                     // null: not finite
	Reference float64  `json:"reference_score,omitempty"` // 0: not known
	Float64   float64  `json:"float64_score,omitempty"`   // 0: not known
	Build     float64  `json:"build_s"`
	Compile   float64  `json:"compile_s"`
	Run       float64  `json:"run_s"`
}

func (n networkRow) seconds() float64 { return n.Build + n.Compile + n.Run }

// String is the row as text.
func (n networkRow) String() string {
	s := fmt.Sprintf("%2d  %8.3f s  (build %.3f compile %.3f run %.3f)  score ", n.Index, n.seconds(), n.Build, n.Compile, n.Run)
	if n.Score == nil {
		return s + "not finite\n"
	}
	s += fmt.Sprintf("%9.4f", *n.Score)
	if n.Reference != 0 {
		s += fmt.Sprintf("  reference %9.4f", n.Reference)
	}
	if n.Float64 != 0 {
		s += fmt.Sprintf("  float64 %9.4f  %+.2f %%", n.Float64, 100*(*n.Score/n.Float64-1))
	}
	return s + "\n"
}

// roundRow is the measurement of one round.
type roundRow struct {
	Kind       string  `json:"kind"` // "round"
	Round      int     `json:"round"`
	InFlight   int     `json:"inflight"`
	Networks   int     `json:"networks"`
	Wall       float64 `json:"wall_s"`
	PerNetwork float64 `json:"per_network_s"`
	Median     float64 `json:"median_s"`
	Min        float64 `json:"min_s"`
	Max        float64 `json:"max_s"`
	Kernels    int     `json:"kernels"`
	Hits       int64   `json:"hits"`
	Misses     int64   `json:"misses"`
	HitRate    float64 `json:"hit_rate"`
	Compile    float64 `json:"compile_s"`
	Memory     int64   `json:"peak_bytes"`
	Others     float64 `json:"others"`
}

// String is the row as text.
func (r roundRow) String() string {
	return fmt.Sprintf("round %d, %d in flight: %.3f s a network (throughput), median %.3f, %.3f to %.3f; %d kernels, %.2f s compiling, %.2f %% of %d requests hit; peak memory %s%s\n",
		r.Round, r.InFlight, r.PerNetwork, r.Median, r.Min, r.Max, r.Kernels, r.Compile, 100*r.HitRate, r.Hits+r.Misses, gb(r.Memory), disturbance(r.Others))
}

// medianRow is a network over the rounds.
type medianRow struct {
	Kind     string  `json:"kind"` // "median"
	InFlight int     `json:"inflight"`
	Index    int     `json:"index"`
	Arch     string  `json:"arch"`
	Median   float64 `json:"median_s"`
	Min      float64 `json:"min_s"`
	Max      float64 `json:"max_s"`
}

// String is the row as text.
func (m medianRow) String() string {
	return fmt.Sprintf("%2d  median %8.3f s  (%.3f to %.3f)  %s\n", m.Index, m.Median, m.Min, m.Max, m.Arch)
}

// summaryRow is everything measured with one number of networks in flight.
type summaryRow struct {
	Kind       string  `json:"kind"` // "summary"
	InFlight   int     `json:"inflight"`
	Rounds     int     `json:"rounds"`
	PerNetwork float64 `json:"per_network_s"`
	Min        float64 `json:"min_s"`
	Max        float64 `json:"max_s"`
	Speedup    float64 `json:"speedup"`
	Memory     int64   `json:"peak_bytes"`
	InKernels  float64 `json:"in_kernels,omitempty"`
	GFLOPs     float64 `json:"gflops,omitempty"`
	Share      float64 `json:"share_of_peak,omitempty"`
}

// String is the row as text.
func (s summaryRow) String() string {
	t := fmt.Sprintf("%d in flight: %.3f s a network (median of %d rounds, %.3f to %.3f), %.2f times the first; peak memory so far %s", s.InFlight, s.PerNetwork, s.Rounds, s.Min, s.Max, s.Speedup, gb(s.Memory))
	if s.InKernels > 0 {
		t += fmt.Sprintf("; %.1f %% of the time in kernels", 100*s.InKernels)
	}
	if s.GFLOPs > 0 {
		t += fmt.Sprintf("; %.1f GFLOP/s", s.GFLOPs)
	}
	if s.Share > 0 {
		t += fmt.Sprintf(", %.1f %% of the peak", 100*s.Share)
	}
	return t + "\n"
}

// timing is one run of the bench without the peer.
type timing struct {
	be     *backend.Backend
	s      *zico.Scorer
	set    *benchSet
	o      *benchOptions
	r      *report
	limits peaks
	opened time.Duration // what opening the device took
	same   *sameBits
	wrong  []string
}

func (t *timing) run(ctx context.Context) error {
	ks := t.o.inFlight
	rounds := make([][]roundRow, len(ks))
	seconds := make([][][]float64, len(ks)) // by networks in flight, network and round
	for i := range seconds {
		seconds[i] = make([][]float64, len(t.set.Networks))
	}
	// The kernels' times are those of the first number in flight: with others beside it, a kernel waits for processors.
	work := map[string]zico.KernelProfile{}
	for round := range t.o.rounds + 1 {
		for i, k := range ks {
			if round == 0 && i > 0 {
				break
			}
			before := profiles(t.s)
			row, rows, err := t.round(ctx, round, k)
			if err != nil {
				return err
			}
			if round == 0 {
				continue
			}
			if i == 0 {
				addWork(work, before, profiles(t.s))
			}
			rounds[i] = append(rounds[i], row)
			for _, n := range rows {
				seconds[i][n.Index-t.o.first] = append(seconds[i][n.Index-t.o.first], n.seconds())
			}
		}
	}
	for i, k := range ks {
		for j, s := range seconds[i] {
			m := medianRow{Kind: "median", InFlight: k, Index: t.o.first + j, Arch: t.set.Networks[j].Arch}
			m.Median, m.Min, m.Max = spread(s)
			if err := t.r.add(m); err != nil {
				return err
			}
		}
	}
	if err := listKernels(work, t.limits, t.o.top, t.r); err != nil {
		return err
	}
	var firstK float64
	for i, k := range ks {
		var per []float64
		sum := summaryRow{Kind: "summary", InFlight: k, Rounds: len(rounds[i])}
		var wall float64
		for _, r := range rounds[i] {
			per = append(per, r.PerNetwork)
			wall += r.Wall
			sum.Memory = r.Memory
		}
		sum.PerNetwork, sum.Min, sum.Max = spread(per)
		if i == 0 {
			firstK = sum.PerNetwork
			for _, p := range work {
				sum.InKernels += p.Total.Seconds() / wall
				sum.GFLOPs += p.FLOPs * float64(p.Calls) / wall / 1e9
			}
			if t.limits.GFLOPs > 0 {
				sum.Share = sum.GFLOPs / t.limits.GFLOPs
			}
		}
		sum.Speedup = firstK / sum.PerNetwork
		if err := t.r.add(sum); err != nil {
			return err
		}
	}
	var reference float64
	for _, n := range t.set.Networks {
		reference += n.Seconds / float64(len(t.set.Networks))
	}
	if reference > 0 {
		t.r.say("reference on its machine (%s): %.3f s a network\n", t.set.Reference, reference)
	}
	if len(t.wrong) > 0 {
		return fmt.Errorf("%d scores are wrong; the first: %s", len(t.wrong), t.wrong[0])
	}
	return nil
}

// round scores every network once.
func (t *timing) round(ctx context.Context, round, k int) (roundRow, []networkRow, error) {
	list := scored(len(t.set.Networks), k)
	order := t.o.order(len(list), round)
	jobs := make([]func() (*zico.Result, error), len(order))
	for at := range order {
		order[at] = list[order[at]]
		i := order[at]
		// Made before the clock starts.
		data, err := t.set.batches(ctx, i)
		if err != nil {
			return roundRow{}, nil, err
		}
		jobs[at] = func() (*zico.Result, error) {
			if t.o.whole {
				return wholeGraph(ctx, t.be, t.set.request(i), data, t.o.dtype)
			}
			return t.s.Score(ctx, t.set.Networks[i].net, t.set.Networks[i].Seed, data)
		}
	}
	runtime.GC()
	before := t.s.Kernels()
	load := busyNow()
	start := time.Now()
	results, err := inParallel(k, jobs)
	wall := time.Since(start).Seconds()
	others := load.others(busyNow())
	if err != nil {
		return roundRow{}, nil, err
	}
	row := cacheUse(before, t.s.Kernels())
	row.Others = others
	row.Kind, row.Round, row.InFlight, row.Networks, row.Wall, row.PerNetwork, row.Memory = "round", round, k, len(order), wall, wall/float64(len(order)), peakBytes()
	var rows []networkRow
	var seconds []float64
	for at, i := range order {
		res, n := results[at], &t.set.Networks[i]
		if err := t.same.check(i, res.Score); err != nil {
			return roundRow{}, nil, err
		}
		if w := t.set.wrong(i, ours, res.Score); w != "" && round == 0 {
			t.wrong = append(t.wrong, w)
		}
		nr := networkRow{"network", round, k, t.o.first + i, n.Arch, finite(res.Score), n.Score, n.Float64, res.Build.Seconds(), res.Compile.Seconds(), res.Run.Seconds()}
		rows = append(rows, nr)
		seconds = append(seconds, nr.seconds())
		if err := t.r.add(nr); err != nil {
			return roundRow{}, nil, err
		}
	}
	row.Median, row.Min, row.Max = spread(seconds)
	if round == 0 && k == 1 {
		one := rows[0]
		t.r.say("first score of the process: %.2f s (%.2f opening the device, %.2f compiling, %.2f running)\n", t.opened.Seconds()+one.seconds(), t.opened.Seconds(), one.Compile, one.Run)
	}
	return row, rows, t.r.add(row)
}

// cacheUse is what the kernel cache did between two counts.
func cacheUse(before, after kernel.Stats) roundRow {
	row := roundRow{Kernels: after.Kernels, Hits: after.Hits - before.Hits, Misses: after.Misses - before.Misses, Compile: (after.Compile - before.Compile).Seconds()}
	if all := row.Hits + row.Misses; all > 0 {
		row.HitRate = float64(row.Hits) / float64(all)
	}
	return row
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

// kernelRow is what one kernel cost in the measured rounds.
type kernelRow struct {
	Kind        string  `json:"kind"` // "kernel"
	Name        string  `json:"name"`
	Calls       int64   `json:"calls"`
	Total       float64 `json:"total_s"`
	Share       float64 `json:"share"`
	Call        float64 `json:"call_s"`
	Compile     float64 `json:"compile_s"`
	GFLOP       float64 `json:"gflop,omitempty"`
	MB          float64 `json:"mb,omitempty"`
	GFLOPs      float64 `json:"gflops,omitempty"`
	GBs         float64 `json:"gbs,omitempty"`
	ShareGFLOPs float64 `json:"share_of_peak_gflops,omitempty"`
	ShareGBs    float64 `json:"share_of_peak_gbs,omitempty"`
}

// String is the row as text.
func (k kernelRow) String() string {
	s := fmt.Sprintf("%5.1f %%  %8.3f ms a call, %5d calls, %4.0f ms to compile", 100*k.Share, 1e3*k.Call, k.Calls, 1e3*k.Compile)
	if k.GFLOPs > 0 || k.GBs > 0 {
		s += fmt.Sprintf("  %6.1f GFLOP/s (%3.0f %%)  %6.1f GB/s (%3.0f %%)", k.GFLOPs, 100*k.ShareGFLOPs, k.GBs, 100*k.ShareGBs)
	}
	return s + "  " + k.Name + "\n"
}

// profiles are the kernels' costs so far by their names.
func profiles(s *zico.Scorer) map[string]zico.KernelProfile {
	m := map[string]zico.KernelProfile{}
	for _, p := range s.Profile() {
		m[p.Name] = p
	}
	return m
}

// addWork adds what the kernels did between two looks. A kernel that was dropped in between is left out.
func addWork(work, before, after map[string]zico.KernelProfile) {
	for name, p := range after {
		was := before[name]
		if p.Calls <= was.Calls {
			continue
		}
		w := p
		w.Calls = work[name].Calls + p.Calls - was.Calls
		w.Total = work[name].Total + p.Total - was.Total
		work[name] = w
	}
}

// listKernels prints the kernels that took the most time.
func listKernels(work map[string]zico.KernelProfile, limits peaks, most int, r *report) error {
	var total time.Duration
	var all []zico.KernelProfile
	for _, p := range work {
		total += p.Total
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b zico.KernelProfile) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name))
	})
	for _, p := range all[:min(most, len(all))] {
		if err := r.add(newKernelRow(p, total, limits)); err != nil {
			return err
		}
	}
	return nil
}

func newKernelRow(p zico.KernelProfile, total time.Duration, limits peaks) kernelRow {
	row := kernelRow{
		Kind: "kernel", Name: p.Name, Calls: p.Calls, Total: p.Total.Seconds(), Share: p.Total.Seconds() / total.Seconds(),
		Call: p.Total.Seconds() / float64(p.Calls), Compile: p.Compile.Seconds(), GFLOP: p.FLOPs / 1e9, MB: p.Bytes / 1e6,
	}
	row.GFLOPs, row.GBs = row.GFLOP/row.Call, row.MB/1e3/row.Call
	if limits.GFLOPs > 0 {
		row.ShareGFLOPs, row.ShareGBs = row.GFLOPs/limits.GFLOPs, row.GBs/limits.GBs
	}
	return row
}

// wholeGraph scores a network the way that the kernels replace: compiled with its gradients as one graph.
func wholeGraph(ctx context.Context, be *backend.Backend, r zico.Request, data []images.Batch, dtype string) (*zico.Result, error) {
	n, err := r.Network()
	if err != nil {
		return nil, err
	}
	return zico.ScoreModel(ctx, be, model.NewStore(), zico.NetworkModel(n, r.Seed), data, zico.ModelConfig{DType: dtype})
}

// median is the middle of the values, or the mean of the two in the middle; NaN of none.
func median(v []float64) float64 {
	m, _, _ := spread(v)
	return m
}

// spread is the median and the ends of the values; NaN of none.
func spread(v []float64) (mid, least, most float64) {
	if len(v) == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2, s[0], s[n-1]
}

func sum(v []float64) float64 {
	var t float64
	for _, x := range v {
		t += x
	}
	return t
}
