package zico

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
	"github.com/zeroshotnas/zeroshot/zico/tape"
)

// ErrMemory marks a network that cannot be scored within Config.MemoryLimit; the message says how much it needs.
var ErrMemory = errors.New("not enough memory")

// Scorer computes scores on one device. It keeps the compiled kernels, so use one Scorer for many networks. It is safe for concurrent use.
type Scorer struct {
	be     *backend.Backend
	cfg    Config
	dtype  dtypes.DType
	cache  *kernel.Cache
	memory *budget
}

// New makes a Scorer on an open backend. It fails on an unknown Config.DType or Config.Kernels and on a negative limit.
func New(be *backend.Backend, cfg Config) (*Scorer, error) {
	s := &Scorer{be: be, cfg: cfg}
	switch cfg.DType {
	case "", "float32":
		s.cfg.DType, s.dtype = "float32", dtypes.Float32
	case "float64":
		s.dtype = dtypes.Float64
	default:
		return nil, fmt.Errorf("zico: unknown type %q; use float32 or float64", cfg.DType)
	}
	if cfg.Statistic > Absolute {
		return nil, fmt.Errorf("zico: unknown statistic %d; use Signed or Absolute", cfg.Statistic)
	}
	if cfg.InFlight < 0 || cfg.MemoryLimit < 0 {
		return nil, fmt.Errorf("zico: networks in flight (%d) and memory limit (%d) cannot be negative", cfg.InFlight, cfg.MemoryLimit)
	}
	if cfg.InFlight == 0 {
		s.cfg.InFlight = defaultInFlight(be.Platform())
	}
	if cfg.MemoryLimit == 0 {
		free, err := backend.FreeMemory()
		if err != nil {
			return nil, fmt.Errorf("zico: %w; set Config.MemoryLimit", err)
		}
		s.cfg.MemoryLimit = free / 10 * 9
	}
	s.memory = newBudget(s.cfg.MemoryLimit)
	var err error
	if s.cache, err = kernel.New(be, kernel.Config{Kernels: cfg.Kernels}); err != nil {
		return nil, fmt.Errorf("zico: %w", err)
	}
	s.cfg.Kernels = s.cache.Kernels()
	return s, nil
}

// Config returns the configuration in force, with the defaults filled in.
func (s *Scorer) Config() Config { return s.cfg }

// Kernels returns what the kernel cache has done so far.
func (s *Scorer) Kernels() kernel.Stats { return s.cache.Stats() }

// KernelProfile is the time spent in one kernel.
type KernelProfile = kernel.Profile

// Profile returns what each kernel has cost so far, in no order.
func (s *Scorer) Profile() []KernelProfile { return s.cache.Profile() }

// Close frees the compiled kernels. Scores in progress fail.
func (s *Scorer) Close() error {
	s.cache.Finalize()
	return nil
}

// Score computes the ZiCo score of a network with the weights that seed gives, on at least two batches of equal shape. The same network, seed and batches give the same bits on a device, in whatever order and beside whatever other scores.
//
// A layer whose sum is 0 (no gradient, or the same one in every batch) is skipped as in the reference and named in Result.Warnings; a NaN or infinite score is returned with a warning, not as an error.
// Errors: batches that do not fit the network or hold NaN, ErrMemory, the context's error when it ends, and failures of the device.
func (s *Scorer) Score(ctx context.Context, n *net.Network, seed uint64, data []images.Batch) (*Result, error) {
	d, err := s.newDataset(data)
	if err != nil {
		return nil, err
	}
	defer d.close()
	return s.score(ctx, n, seed, d)
}

func (s *Scorer) score(ctx context.Context, n *net.Network, seed uint64, d *dataset) (*Result, error) {
	start := time.Now()
	if err := d.fits(n); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	pruned, _ := net.Prune(n)
	together, plan, need, err := s.plan(pruned, d)
	if err != nil {
		return nil, err
	}
	if err := s.memory.acquire(ctx, need); err != nil {
		return nil, err
	}
	defer s.memory.release(need)
	res := &Result{Network: n.Name}
	res.Params = net.Params(n)
	res.MACs = net.FLOPs(n, net.MACs)
	res.Memory = need
	res.Build = time.Since(start)

	// Kernels that are not there yet compile in the background, in the order of their use; the run waits only for those it has caught up with.
	compiling, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.cache.Prepare(compiling, plan.Ops()) // the run meets the same errors
	}()
	defer func() {
		stop()
		<-done
	}()

	start = time.Now()
	weights := tape.NewParameters(s.be, pruned, s.dtype, seed)
	defer weights.Finalize()
	layers, use, err := s.run(ctx, plan, together, weights, d, res)
	if err != nil {
		return nil, err
	}
	res.Layers = describe(n)
	s.fill(res, layers)
	res.Kernels, res.Compiled, res.Compile = use.Calls, use.Compiled, use.Wait
	res.Run = time.Since(start) - use.Wait
	return res, nil
}

// plan chooses how many batches go through one run. On a CPU it is one: measured on NAS-Bench-201 at batch 128, two in one run take no less time (with XLA's kernels 1.36 s a network against 1.31 s) and twice the memory. Elsewhere it is all of them where the memory limit allows, to keep a large device busy.
func (s *Scorer) plan(n *net.Network, d *dataset) (together int, plan *tape.Plan, need int64, err error) {
	choices := []int{len(d.batches), 1}
	if s.be.Platform() == "cpu" {
		choices = choices[1:]
	}
	for _, together = range choices {
		plan, err = tape.Compile(n, tape.Options{DType: s.dtype, Batches: together, Images: d.batches[0].N, Raw: together < len(d.batches) || s.cfg.Gradients, Logits: s.cfg.Logits})
		if err != nil {
			return 0, nil, 0, err
		}
		// The gradients of the runs before wait for those of the last.
		if need = s.need(plan, len(d.batches)/together-1); need <= s.cfg.MemoryLimit {
			return together, plan, need, nil
		}
	}
	return 0, nil, 0, fmt.Errorf("zico: %s: %w: %d images of %dx%d in %s need about %s at once, the limit is %s: use smaller batches or images, or raise Config.MemoryLimit",
		n.Name, ErrMemory, d.batches[0].N, n.Input.H, n.Input.W, s.cfg.DType, gib(need), gib(s.cfg.MemoryLimit))
}

// need estimates the memory in bytes that a score takes. A CPU holds more than what is in use: with the kernels of package simd the buffers that wait for the next of their shape (a quarter at most), with XLA's the gaps in a heap that is kept for speed (package backend; 4.9 GB for 2.4 GB at batch 512 on NAS-Bench-201).
func (s *Scorer) need(plan *tape.Plan, earlier int) int64 {
	bytes := plan.PeakBytes() + int64(earlier)*plan.GradientBytes()
	switch {
	case s.be.Platform() != "cpu":
		return bytes
	case s.cfg.Kernels == "xla":
		return 2 * bytes
	}
	return bytes + bytes/4
}

func gib(b int64) string { return fmt.Sprintf("%.2f GiB", float64(b)/(1<<30)) }

// layerStat is the statistic of a layer over all batches.
type layerStat struct {
	index int
	stat  []float64
	grads [][]float64 // with Config.Gradients
}

// run executes the plan over all batches and combines what the runs leave.
func (s *Scorer) run(ctx context.Context, plan *tape.Plan, together int, weights *tape.Parameters, d *dataset, res *Result) (layers []layerStat, use kernel.Use, err error) {
	var outs []*tape.Outcome
	defer func() {
		for _, o := range outs {
			o.Finalize()
		}
	}()
	for b := 0; b < len(d.batches); b += together {
		in, err := d.inputs(b, together)
		if err != nil {
			return nil, use, err
		}
		o, err := plan.Run(ctx, s.cache, in, weights)
		if err != nil {
			return nil, use, err
		}
		outs = append(outs, o)
		use.Add(o.Kernels)
		res.Losses = append(res.Losses, o.Losses...)
		res.Logits = append(res.Logits, o.Logits...)
	}
	for l, first := range outs[0].Layers {
		if first.Statistic != nil {
			layers = append(layers, layerStat{index: first.Index, stat: first.Statistic})
			continue
		}
		var grads []compute.Buffer
		for _, o := range outs {
			grads = append(grads, o.Layers[l].Gradients...)
		}
		stat, u, err := s.combine(grads, first.Size)
		use.Add(u)
		if err != nil {
			return nil, use, err
		}
		st := layerStat{index: first.Index, stat: stat}
		if s.cfg.Gradients {
			for _, b := range grads {
				g, err := tape.Floats(b, first.Size, s.dtype)
				if err != nil {
					return nil, use, err
				}
				st.grads = append(st.grads, g)
			}
		}
		layers = append(layers, st)
	}
	return layers, use, nil
}

// combine computes the statistic of one layer from the gradients of all batches.
func (s *Scorer) combine(grads []compute.Buffer, size int) ([]float64, kernel.Use, error) {
	out, use, err := s.cache.Call(kernel.Statistic{DType: s.dtype, Size: size, Batches: len(grads)}, grads)
	if err != nil {
		return nil, use, err
	}
	defer func() { _ = out[0].Finalize() }()
	stat, err := tape.Floats(out[0], kernel.StatisticLen(len(grads)), dtypes.Float64)
	return stat, use, err
}

// ScoreGradients is the score function alone: the ZiCo score of weight gradients that were computed elsewhere, grads[layer][batch][weight], of at least two batches. Config.DType says what type the gradients are taken in; layers are named by their position.
func ScoreGradients(be *backend.Backend, cfg Config, grads [][][]float32) (*Result, error) {
	s, err := New(be, cfg)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	res := &Result{Network: "gradients"}
	var stats []layerStat
	for k, layer := range grads {
		if len(layer) < 2 || len(layer) != len(grads[0]) || len(layer[0]) == 0 {
			return nil, fmt.Errorf("zico: layer %d has gradients of %d batches; every layer needs the same number, at least two, of at least one weight", k, len(layer))
		}
		var bufs []compute.Buffer
		defer func() {
			for _, b := range bufs {
				_ = b.Finalize()
			}
		}()
		for b, g := range layer {
			if len(g) != len(layer[0]) {
				return nil, fmt.Errorf("zico: layer %d has %d weights in batch %d and %d in batch 0", k, len(g), b, len(layer[0]))
			}
			buf, err := tape.UploadFloats(be, s.dtype, g, len(g))
			if err != nil {
				return nil, err
			}
			bufs = append(bufs, buf)
		}
		stat, _, err := s.combine(bufs, len(layer[0]))
		if err != nil {
			return nil, err
		}
		stats = append(stats, layerStat{index: k, stat: stat})
		res.Layers = append(res.Layers, Layer{Index: k, Name: strconv.Itoa(k), Op: "gradient", Weight: []int{len(layer[0])}, Params: len(layer[0]), Skipped: true})
	}
	s.fill(res, stats)
	return res, nil
}

// describe lists the weighted layers of a network in the order of the reference's modules, all marked as skipped.
func describe(n *net.Network) []Layer {
	layers := make([]Layer, n.Layers)
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		if !nd.Op.HasWeights() {
			continue
		}
		dims, fanIn := n.WeightShape(i)
		layers[nd.Layer] = Layer{Index: nd.Layer, Name: nd.Name, Op: nd.Op.String(), Weight: dims, Params: dims[0] * fanIn, Skipped: true}
	}
	return layers
}

// fill turns statistics into the layers' numbers and the score. Layers without a statistic stay skipped.
func (s *Scorer) fill(res *Result, stats []layerStat) {
	for _, st := range stats {
		l := &res.Layers[st.index]
		l.Gradients = st.grads
		l.Sum, l.NonZero = st.stat[kernel.StatSum], int(st.stat[kernel.StatNonZero])
		if s.cfg.Statistic == Absolute {
			l.Sum, l.NonZero = st.stat[kernel.StatAbsSum], int(st.stat[kernel.StatAbsNonZero])
		}
		for _, sq := range st.stat[kernel.StatSquares:] {
			l.GradL2 = append(l.GradL2, math.Sqrt(sq))
		}
		if l.Sum != 0 {
			l.Skipped = false
			l.Log = math.Log(l.Sum)
			l.Clipped = math.Log(st.stat[kernel.StatClipped])
			res.Score += l.Log
		}
	}
	var skipped, bad []string
	for _, l := range res.Layers {
		switch {
		case l.Skipped:
			skipped = append(skipped, l.Name)
		case math.IsNaN(l.Log) || math.IsInf(l.Log, 0):
			bad = append(bad, l.Name)
		}
	}
	if len(skipped) > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("%d of %d layers have no gradient that differs between the batches and are left out of the score: %s", len(skipped), len(res.Layers), list(skipped)))
	}
	if len(bad) > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("the score is not finite: NaN or infinite gradients in %s", list(bad)))
	}
}

// list joins names and cuts long lists.
func list(names []string) string {
	const most = 8
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// dataset is a set of checked batches and their copies on the device.
type dataset struct {
	s       *Scorer
	batches []images.Batch

	mu     sync.Mutex
	device map[[2]int]*tape.Inputs // by the first batch and their number
}

func (s *Scorer) newDataset(data []images.Batch) (*dataset, error) {
	if len(data) < 2 {
		return nil, fmt.Errorf("zico: %d batches; the score compares gradients between at least two", len(data))
	}
	for i := range data {
		b := &data[i]
		if err := b.Validate(); err != nil {
			return nil, fmt.Errorf("zico: batch %d: %w", i, err)
		}
		if f := &data[0]; b.N != f.N || b.H != f.H || b.W != f.W || b.C != f.C || b.Classes != f.Classes {
			return nil, fmt.Errorf("zico: batch %d has %d images [%d,%d,%d] in %d classes, batch 0 has %d images [%d,%d,%d] in %d classes: all batches must be alike", i, b.N, b.C, b.H, b.W, b.Classes, f.N, f.C, f.H, f.W, f.Classes)
		}
	}
	return &dataset{s: s, batches: slices.Clone(data), device: map[[2]int]*tape.Inputs{}}, nil
}

// fits checks the images against what the network was built for.
func (d *dataset) fits(n *net.Network) error {
	b := &d.batches[0]
	if got := (net.Shape{C: b.C, H: b.H, W: b.W}); got != n.Input {
		return fmt.Errorf("zico: %s takes images %v, the batches hold %v: build the network for that size or take other images", n.Name, n.Input, got)
	}
	if b.Classes > n.Classes {
		return fmt.Errorf("zico: %s has %d outputs, the labels have %d classes: build the network for that many", n.Name, n.Classes, b.Classes)
	}
	return nil
}

// inputs returns batches from to from+together on the device, copied there once, also when several scores ask at the same time.
func (d *dataset) inputs(from, together int) (*tape.Inputs, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := [2]int{from, together}
	if in, ok := d.device[key]; ok {
		return in, nil
	}
	b := &d.batches[from]
	act := kernel.Act{DType: d.s.dtype, Batches: together, Images: b.N, H: b.H, W: b.W, C: b.C}
	var pix []float32
	var lab []int32
	for _, b := range d.batches[from : from+together] {
		pix = append(pix, b.Pixels...)
		lab = append(lab, b.Labels...)
	}
	in, err := tape.Upload(d.s.be, act, pix, lab)
	if err != nil {
		return nil, err
	}
	d.device[key] = in
	return in, nil
}

// close frees the copies; no score may use them any more.
func (d *dataset) close() {
	for _, in := range d.device {
		in.Finalize()
	}
}
