package zico

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
	"github.com/zeroshotnas/zeroshot/zico/tape"
)

// Observed is what the passes of some queries have left of a network.
type Observed struct {
	Network *net.Network
	Passes  []*Observation // in the order of the queries
}

// Observe runs passes over a network with the weights that seed gives. The same network, seed, batches and query give the same numbers on a device, whatever else is asked for, in whatever order and beside whatever other runs.
//
// Errors: batches that do not fit the network or hold NaN, fewer than a query needs, needs that its objective does not have, a network without what a pass needs (features before a global pooling, operations with a second derivative), ErrMemory, the context's error, and failures of the device.
func (s *Scorer) Observe(ctx context.Context, n *net.Network, seed uint64, data []images.Batch, queries ...Query) (*Observed, error) {
	d, err := s.newDataset(data, least(queries))
	if err != nil {
		return nil, err
	}
	defer d.close()
	return s.observeAll(ctx, n, seed, d, queries)
}

// ObserveAll runs the passes over many architectures on the same batches, Config.InFlight networks at once, and yields what they leave in the order of the requests. It treats errors as ScoreAll does.
func (s *Scorer) ObserveAll(ctx context.Context, data []images.Batch, reqs []Request, queries ...Query) iter.Seq2[*Observed, error] {
	return each(ctx, s, data, least(queries), reqs, func(ctx context.Context, n *net.Network, seed uint64, d *dataset) (*Observed, error) {
		return s.observeAll(ctx, n, seed, d, queries)
	})
}

// least is the number of batches that queries need.
func least(queries []Query) int {
	n := 0
	for _, q := range queries {
		n = max(n, 1)
		if q.Needs&NeedRatios != 0 || q.Pass.Objective == Perturbed && q.Pass.Input == Images {
			n = max(n, 2)
		}
		for _, r := range q.Ranges {
			n = max(n, r.To)
		}
	}
	return n
}

func (s *Scorer) observeAll(ctx context.Context, n *net.Network, seed uint64, d *dataset, queries []Query) (*Observed, error) {
	all := &Observed{Network: n}
	for _, q := range queries {
		o, err := s.observe(ctx, n, seed, d, q)
		if err != nil {
			return nil, err
		}
		all.Passes = append(all.Passes, &o.Observation)
	}
	return all, nil
}

// observation is an Observation with what a Result wants of it.
type observation struct {
	Observation
	use    kernel.Use
	build  time.Duration
	logits [][]float64
	stats  []layerStat
}

// stage is one or more runs of a plan over one network.
type stage struct {
	net  *net.Network
	opts tape.Options
	plan *tape.Plan
	feed []feed // of the runs
}

// observe runs the pass of one query.
func (s *Scorer) observe(ctx context.Context, n *net.Network, seed uint64, d *dataset, q Query) (*observation, error) {
	start := time.Now()
	if extra := q.Needs &^ q.Pass.Objective.needs(); extra != 0 {
		return nil, fmt.Errorf("zico: %s: needs %#x cannot be met by objective %d; see the comments of the Needs", n.Name, extra, q.Pass.Objective)
	}
	for _, r := range q.Ranges {
		if r.From < 0 || r.To < r.From+2 || r.To > len(d.batches) || q.Needs&NeedRatios == 0 {
			return nil, fmt.Errorf("zico: %s: statistics over batches %d to %d of %d: a range needs at least two of the batches at hand, and NeedRatios", n.Name, r.From, r.To-1, len(d.batches))
		}
	}
	seed += q.Pass.Reseed
	if err := d.fits(n); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o := &observation{Observation: Observation{Network: n, Classes: d.batches[0].Classes, Extra: map[Needs]time.Duration{}}}
	for _, l := range describe(n) {
		layer := LayerObservation{Name: l.Name, Op: net.Conv, Weight: l.Weight}
		if len(l.Weight) == 2 {
			layer.Op = net.Linear
		}
		o.Layers = append(o.Layers, layer)
	}
	stages, err := s.stages(n, seed, d, q, o)
	if err != nil {
		return nil, err
	}
	if err := s.memory.acquire(ctx, o.Memory); err != nil {
		return nil, err
	}
	defer s.memory.release(o.Memory)
	o.build = time.Since(start)

	outs, err := s.run(ctx, stages, q.Pass.draw(seed), d, o)
	defer func() {
		for _, out := range outs {
			out.Finalize()
		}
	}()
	if err != nil {
		return nil, err
	}
	if err := s.collect(outs, stages, q, seed, o); err != nil {
		return nil, err
	}
	o.Wait, o.Kernels, o.Compiled = o.use.Wait, o.use.Calls, o.use.Compiled
	o.Time = time.Since(start) - o.Wait
	return o, nil
}

// stages plans the runs of a query and estimates their memory.
func (s *Scorer) stages(n *net.Network, seed uint64, d *dataset, q Query, o *observation) ([]stage, error) {
	p := q.Pass
	dtype := s.dtype
	if p.Exact {
		dtype = dtypes.Float64
	}
	o.Images = d.batches[0].N
	if p.Images > 0 {
		o.Images = min(o.Images, p.Images)
	}
	if p.Input == AllOnes {
		o.Images = 1
	}
	if p.NoNorm {
		n = withoutNorms(n)
	}
	pruned, _ := net.Prune(n)
	opts := tape.Options{DType: dtype, Batches: 1, Images: o.Images, Leave: tape.Raw, Logits: s.cfg.Logits}
	one := feed{input: p.Input, dtype: dtype, together: 1, images: o.Images}
	if p.Input == Noise {
		one.seed = seed
	}
	switch p.Objective {
	case Loss:
		return s.lossStages(n, pruned, opts, one, d, q, o)
	case Outputs:
		opts.Objective, opts.Products = tape.Outputs, q.Needs&NeedProducts != 0
	case EachOutput:
		opts.Objective, opts.Leave, opts.Channels = tape.EachOutput, tape.Gram, true
	case EachLoss:
		opts.Batches, opts.Images, opts.Leave = o.Images, 1, tape.SignSums
		one.alone = true
	case Curvature:
		opts.Objective = tape.Curvature
	case Perturbed:
		// Batch norms that lead nowhere count, too.
		pruned = n
		opts.Objective, opts.Features, opts.Batches = tape.Nothing, true, 2
		one.together, one.perturbed = 2, true
	default:
		return nil, fmt.Errorf("zico: unknown objective %d", p.Objective)
	}
	st := stage{net: pruned, opts: opts, feed: []feed{one}}
	return s.fit([]stage{st}, d, o)
}

// lossStages plans the runs of ZiCo's own pass. On a CPU a run is a batch: measured on NAS-Bench-201 at batch 128, two in one run take no less time (with XLA's kernels 1.36 s a network against 1.31 s) and twice the memory. Elsewhere it is all batches where nothing but the ratios over all of them is wanted and the memory limit allows, to keep a large device busy.
func (s *Scorer) lossStages(n, pruned *net.Network, opts tape.Options, one feed, d *dataset, q Query, o *observation) ([]stage, error) {
	first := stage{net: pruned, opts: opts, feed: []feed{one}}
	first.opts.Products, first.opts.Channels = q.Needs&NeedProducts != 0, q.Needs&NeedChannels != 0
	first.opts.Signs, first.opts.Jacobian = q.Needs&NeedSigns != 0, q.Needs&NeedJacobian != 0
	if q.Needs&^(NeedRatios|NeedGradients|NeedJacobian) != 0 {
		// The reference counts the rectifiers of dead branches, and the gradients of biases behind zeros.
		first.net = net.Trim(n, net.ReLU)
	}
	if q.Needs&(NeedRatios|NeedGradients) == 0 {
		return s.fit([]stage{first}, d, o)
	}
	var rest []feed
	for b := 1; b < len(d.batches); b++ {
		f := one
		f.from = b
		rest = append(rest, f)
	}
	if q.Needs&^NeedRatios == 0 && len(q.Ranges) == 0 && s.be.Platform() != "cpu" {
		all := stage{net: pruned, opts: opts, feed: []feed{one}}
		all.opts.Batches, all.opts.Leave, all.feed[0].together = len(d.batches), tape.Statistics, len(d.batches)
		if stages, err := s.fit([]stage{all}, d, o); err == nil {
			return stages, nil
		}
	}
	if first.opts == opts {
		first.feed = append(first.feed, rest...)
		return s.fit([]stage{first}, d, o)
	}
	return s.fit([]stage{first, {net: pruned, opts: opts, feed: rest}}, d, o)
}

// fit compiles the plans and checks that they fit in memory.
func (s *Scorer) fit(stages []stage, d *dataset, o *observation) ([]stage, error) {
	o.Memory = 0
	var earlier int64 // gradients of the runs before, which wait for those of the last
	for i := range stages {
		st := &stages[i]
		var err error
		if st.plan, err = tape.Compile(st.net, st.opts); err != nil {
			return nil, err
		}
		for range st.feed {
			o.Memory = max(o.Memory, s.need(st.plan.PeakBytes()+earlier))
			earlier += st.plan.GradientBytes()
		}
	}
	if o.Memory > s.cfg.MemoryLimit {
		n := stages[0].net
		return nil, fmt.Errorf("zico: %s: %w: %d images of %dx%d in %s need about %s at once, the limit is %s: use smaller batches or images, or raise Config.MemoryLimit",
			n.Name, ErrMemory, d.batches[0].N, n.Input.H, n.Input.W, stages[0].opts.DType, gib(o.Memory), gib(s.cfg.MemoryLimit))
	}
	return stages, nil
}

// need estimates the memory in bytes that a run takes whose tensors take the given bytes. A CPU holds more than what is in use: with the kernels of package simd the buffers that wait for the next of their shape (a quarter at most), with XLA's the gaps in a heap that is kept for speed (package backend; 4.9 GB for 2.4 GB at batch 512 on NAS-Bench-201).
func (s *Scorer) need(bytes int64) int64 {
	switch {
	case s.be.Platform() != "cpu":
		return bytes
	case s.cfg.Kernels == "xla":
		return 2 * bytes
	}
	return bytes + bytes/4
}

// withoutNorms is the network with its batch norms replaced by the identity, a sum of one term.
func withoutNorms(n *net.Network) *net.Network {
	m := *n
	m.Nodes = slices.Clone(n.Nodes)
	for i := range m.Nodes {
		if nd := &m.Nodes[i]; nd.Op == net.BatchNorm {
			nd.Op = net.Add
		}
	}
	return &m
}

// run executes the stages.
func (s *Scorer) run(ctx context.Context, stages []stage, draw tape.Draw, d *dataset, o *observation) (outs []*tape.Outcome, err error) {
	for i := range stages {
		st := &stages[i]
		if outs, err = s.runStage(ctx, st, draw, d, o, outs); err != nil {
			return outs, err
		}
	}
	return outs, nil
}

func (s *Scorer) runStage(ctx context.Context, st *stage, draw tape.Draw, d *dataset, o *observation, outs []*tape.Outcome) ([]*tape.Outcome, error) {
	// Kernels that are not there yet compile in the background, in the order of their use; the run waits only for those it has caught up with.
	compiling, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.cache.Prepare(compiling, st.plan.Ops()) // the run meets the same errors
	}()
	defer func() {
		stop()
		<-done
	}()
	weights := tape.NewParameters(s.be, st.net, st.opts.DType, draw)
	defer weights.Finalize()
	for _, f := range st.feed {
		start := time.Now()
		in, err := d.inputs(f)
		if err != nil {
			return outs, err
		}
		out, err := st.plan.Run(ctx, s.cache, in, weights)
		if err != nil {
			return outs, err
		}
		o.use.Add(out.Kernels)
		if len(outs) > 0 {
			o.Extra[NeedRatios] += time.Since(start) - out.Kernels.Wait
		}
		outs = append(outs, out)
	}
	return outs, nil
}

// collect turns what the runs have left into an observation.
func (s *Scorer) collect(outs []*tape.Outcome, stages []stage, q Query, seed uint64, o *observation) error {
	for _, out := range outs {
		o.Losses = append(o.Losses, out.Losses...)
		o.logits = append(o.logits, out.Logits...)
	}
	first := outs[0]
	for need, part := range map[Needs]tape.Part{NeedProducts: tape.ForProducts, NeedChannels: tape.ForChannels, NeedSigns: tape.ForSigns, NeedJacobian: tape.ForJacobian} {
		if q.Needs&need != 0 {
			o.Extra[need] = first.Parts[part]
		}
	}
	for i := range first.Layers {
		l := &first.Layers[i]
		to := &o.Layers[l.Index]
		to.Reached = true
		if p := l.Products; p != nil {
			to.Products = Products{p[0], p[1], p[2], p[3]}
		}
		if l.SignSum != nil {
			o.SignSum += l.SignSum[0]
			o.SumSquares += l.SignSum[1]
		}
		o.addGram(l.Gram)
	}
	if q.Needs&NeedProducts != 0 {
		o.unreached(q.Pass, seed)
	}
	o.collectChannels(first, q)
	o.Agreements, o.Distances, o.Curvature = first.Agreements, first.Distances, first.Curvature
	o.Jacobian = first.Jacobian
	for _, v := range first.Variances {
		o.Running = append(o.Running, running(stages[0].net.Nodes[v.Node].Momentum, v))
	}
	start := time.Now()
	err := s.collectStats(outs, stages[0].opts.DType, q, o)
	o.Extra[NeedRatios] += time.Since(start)
	return err
}

// draw says how the weights of a pass are drawn.
func (p Pass) draw(seed uint64) tape.Draw {
	return tape.Draw{Seed: seed, Unit: p.Init == UnitVariance, Abs: p.Abs}
}

// unreached fills in the squares of the weights that no run has touched, as they have no gradient.
func (o *observation) unreached(p Pass, seed uint64) {
	for i := range o.Network.Nodes {
		nd := &o.Network.Nodes[i]
		if !nd.Op.HasWeights() || o.Layers[nd.Layer].Reached {
			continue
		}
		w, _ := tape.Weights(o.Network, i, p.draw(seed))
		for _, x := range w {
			o.Layers[nd.Layer].Products.Weights += float64(x) * float64(x)
		}
	}
}

// running is the variance that a batch norm keeps after one pass for each batch, from 1 at the beginning.
func running(momentum float64, v tape.Variance) []float64 {
	if momentum == 0 {
		momentum = 0.1
	}
	kept := make([]float64, len(v.Values[0]))
	for k := range kept {
		kept[k] = 1
		for _, pass := range v.Values {
			// PyTorch normalises by the biased variance and keeps the unbiased one.
			n := float64(v.Count)
			kept[k] = (1-momentum)*kept[k] + momentum*pass[k]*n/(n-1)
		}
	}
	return kept
}

// addGram adds the inner products of one layer.
func (o *observation) addGram(gram []float64) {
	if o.Gram == nil && gram != nil {
		o.Gram = make([]float64, len(gram))
	}
	for i, g := range gram {
		o.Gram[i] += g
	}
}

// collectChannels takes the sums over channels: of one sweep, or of one sweep an image for the Gram matrix.
func (o *observation) collectChannels(out *tape.Outcome, q Query) {
	if q.Pass.Objective == EachOutput {
		if o.Gram == nil {
			o.Gram = make([]float64, o.Images*o.Images)
		}
		byNorm := map[int][][]float64{}
		var order []int
		for _, c := range out.Channels {
			if c.Norm {
				if byNorm[c.Node] == nil {
					order = append(order, c.Node)
				}
				byNorm[c.Node] = append(byNorm[c.Node], c.Scale[0])
			}
		}
		for _, norm := range order {
			scale := byNorm[norm]
			for i := range scale {
				for j := range scale {
					o.Gram[i*o.Images+j] += dot(scale[i], scale[j])
				}
			}
		}
		return
	}
	for _, c := range out.Channels {
		if c.Layer >= 0 {
			for _, f := range c.Fisher[0] {
				o.Layers[c.Layer].Fisher += f / float64(2*o.Images)
			}
		}
		switch {
		case c.Norm:
			o.Norms = append(o.Norms, NormObservation{dot(c.Scale[0], c.Scale[0]), dot(c.Offset[0], c.Offset[0])})
		case c.Bias:
			o.Layers[c.Layer].Bias = dot(c.Offset[0], c.Offset[0])
		}
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// collectStats computes the statistics of the weight gradients over all runs.
func (s *Scorer) collectStats(outs []*tape.Outcome, dtype dtypes.DType, q Query, o *observation) error {
	if q.Needs&(NeedRatios|NeedGradients) == 0 {
		return nil
	}
	byLayer := map[int][]compute.Buffer{}
	for _, out := range outs {
		for _, l := range out.Layers {
			byLayer[l.Index] = append(byLayer[l.Index], l.Gradients...)
		}
	}
	for _, l := range outs[0].Layers {
		st := layerStat{index: l.Index, stat: l.Statistic}
		grads := byLayer[l.Index]
		to := &o.Layers[l.Index]
		if q.Needs&NeedGradients != 0 {
			for _, b := range grads {
				g, err := tape.Floats(b, l.Size, dtype)
				if err != nil {
					return err
				}
				st.grads = append(st.grads, g)
			}
			to.Gradients = st.grads
		}
		if q.Needs&NeedRatios == 0 {
			continue
		}
		if st.stat == nil {
			var use kernel.Use
			var err error
			st.stat, use, err = s.combine(dtype, grads, l.Size)
			o.use.Add(use)
			if err != nil {
				return err
			}
		}
		to.Ratios = ratios(st.stat)
		o.stats = append(o.stats, st)
		for _, r := range q.Ranges {
			if len(grads) < len(outs) {
				break // only the first run has it, behind zeros (see lossStages): its gradients are 0
			}
			stat, use, err := s.combine(dtype, grads[r.From:r.To], l.Size)
			o.use.Add(use)
			if err != nil {
				return err
			}
			if to.Over == nil {
				to.Over = make(map[Range]Ratios, len(q.Ranges))
			}
			to.Over[r] = ratios(stat)
		}
	}
	return nil
}

func ratios(stat []float64) Ratios {
	return Ratios{
		Signed: stat[kernel.StatSum], Absolute: stat[kernel.StatAbsSum],
		Mean: stat[kernel.StatMean], Std: stat[kernel.StatStd], Inverse: stat[kernel.StatInverse],
		NonZero: int(stat[kernel.StatNonZero]), AbsNonZero: int(stat[kernel.StatAbsNonZero]),
		SquaredNorms: slices.Clone(stat[kernel.StatSquares:]),
	}
}
