package zico

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

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
	d, err := s.newDataset(data, 2)
	if err != nil {
		return nil, err
	}
	defer d.close()
	return s.score(ctx, n, seed, d)
}

func (s *Scorer) score(ctx context.Context, n *net.Network, seed uint64, d *dataset) (*Result, error) {
	needs := NeedRatios
	if s.cfg.Gradients {
		needs |= NeedGradients
	}
	o, err := s.observe(ctx, n, seed, d, Query{Needs: needs})
	if err != nil {
		return nil, err
	}
	res := &Result{
		Network: n.Name, Layers: describe(n), Losses: o.Losses, Logits: o.logits,
		Params: net.Params(n), MACs: net.FLOPs(n, net.MACs), Memory: o.Memory,
		Kernels: o.use.Calls, Compiled: o.use.Compiled, Compile: o.use.Wait,
		Build: o.build, Run: o.Time - o.build,
	}
	s.fill(res, o.stats)
	return res, nil
}

func gib(b int64) string { return fmt.Sprintf("%.2f GiB", float64(b)/(1<<30)) }

// layerStat is the statistic of a layer over all batches.
type layerStat struct {
	index int
	stat  []float64
	grads [][]float64 // with Config.Gradients
}

// combine computes the statistic of one layer from the gradients of all batches.
func (s *Scorer) combine(dtype dtypes.DType, grads []compute.Buffer, size int) ([]float64, kernel.Use, error) {
	out, use, err := s.cache.Call(kernel.Statistic{DType: dtype, Size: size, Batches: len(grads)}, grads)
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
		stat, _, err := s.combine(s.dtype, bufs, len(layer[0]))
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
		}
	}
	var skipped, bad []string
	for _, l := range res.Layers {
		res.Score += l.Log
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
