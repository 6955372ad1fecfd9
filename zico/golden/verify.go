package golden

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/masternet"
	"github.com/zeroshotnas/zeroshot/spaces/nasbench101"
	_ "github.com/zeroshotnas/zeroshot/spaces/natssss" // the spaces of golden networks
	_ "github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	_ "github.com/zeroshotnas/zeroshot/spaces/plain"
	_ "github.com/zeroshotnas/zeroshot/spaces/transnas"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/formula"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

// Verify compares everything in a file, in float64 and float32, with the kernels that zico.Config.Kernels names ("" for the best), and yields a row for each comparison, in order. It stops with an error when ctx ends or the backend cannot be used; a network that cannot be scored is a failed row.
//
// float64: score and layer logs within the tolerances that the file gives for each network, losses and logits to 1e-9 relative, numbers of non-zero weights and counts exactly. float32 can be held to less, for reasons that lie in the method (a layer's sum is dominated by weights whose gradients almost cancel): where no rectifier flips, clipped logs to 5e-3, gradient norms to 1e-4 relative and the score to max(0.5, 0.5 %); elsewhere the score to 2.5 %. A rectifier whose input is nearly 0 flips where rounding gives it the other sign, and the gradients of all layers below change. The file says by f32_flip_free whether that happened to the reference; whether it happened here is found by the same measure, Row.GradError.
func Verify(ctx context.Context, be *backend.Backend, kernels string, f *File, yield func(*Row)) error {
	scorers := map[string]*zico.Scorer{}
	for _, dtype := range []string{"float64", "float32"} {
		s, err := zico.New(be, zico.Config{DType: dtype, Kernels: kernels, Logits: true, Gradients: true})
		if err != nil {
			return err
		}
		defer s.Close()
		scorers[dtype] = s
	}
	for i := range f.Networks {
		var exact *zico.Result
		for _, dtype := range []string{"float64", "float32"} {
			row, res := verifyNetwork(ctx, scorers[dtype], &f.Networks[i], dtype, exact)
			exact = res
			if err := ctx.Err(); err != nil {
				return err
			}
			yield(row)
		}
		if exact == nil || len(f.Networks[i].Proxies) == 0 {
			continue
		}
		row := verifyProxies(ctx, scorers["float64"], &f.Networks[i])
		if err := ctx.Err(); err != nil {
			return err
		}
		yield(row)
	}
	for i := range f.Functions {
		yield(verifyFunction(be, kernels, &f.Functions[i]))
	}
	return ctx.Err()
}

// verifyNetwork compares one network in one type. exact is the result in float64 for the comparison in float32, nil if there is none.
func verifyNetwork(ctx context.Context, s *zico.Scorer, g *Network, dtype string, exact *zico.Result) (row *Row, res *zico.Result) {
	row = &Row{ID: g.ID, DType: dtype}
	n, data, err := g.open(ctx)
	if errors.Is(err, errMissing) || errors.Is(err, spaces.ErrUnknownSpace) {
		row.Skipped = err.Error()
		return row, nil
	}
	if err != nil {
		row.problem("%v", err)
		return row, nil
	}
	res, err = s.Score(ctx, n, g.Seed, data)
	if err != nil {
		row.problem("%v", err)
		return row, nil
	}
	row.Score = res.Score
	if len(res.Layers) != len(g.Layers) {
		row.problem("%d weighted layers, want %d", len(res.Layers), len(g.Layers))
		return row, nil
	}
	for i, l := range res.Layers {
		if w := &g.Layers[i]; l.Name != w.Name || !slices.Equal(l.Weight, w.Weight) {
			row.problem("layer %d is %s %v, want %s %v", i, l.Name, l.Weight, w.Name, w.Weight)
		}
	}
	if dtype == "float64" {
		g.counts(row, n)
		g.exact(row, res)
	} else {
		row.GradError = gradError(res, exact)
		g.single(row, res)
	}
	return row, res
}

// gradError is the greatest relative error, in the Euclidean norm, of the weight gradient of any layer and batch. Without a result to compare with it is infinite.
func gradError(res, exact *zico.Result) float64 {
	if exact == nil {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range exact.Layers {
		for b, want := range exact.Layers[i].Gradients {
			var diff, norm float64
			for k, w := range want {
				d := res.Layers[i].Gradients[b][k] - w
				diff += d * d
				norm += w * w
			}
			if diff > 0 {
				worst = max(worst, math.Sqrt(diff/norm))
			}
		}
	}
	return worst
}

// errMissing marks a network of a kind that there is no space for.
var errMissing = errors.New("no search space yet")

// open builds the network and draws its images.
func (g *Network) open(ctx context.Context) (*net.Network, []images.Batch, error) {
	name, arch, missing := g.space()
	if missing != "" {
		return nil, nil, fmt.Errorf("%w: %s", errMissing, missing)
	}
	n, err := g.build(name, arch)
	if err != nil {
		return nil, nil, err
	}
	src, err := images.Open(fmt.Sprintf("formula:classes=%d", g.Classes))
	if err != nil {
		return nil, nil, err
	}
	data, err := src.Batches(ctx, images.Options{Batch: g.Batch, N: 2, Size: g.Size, Seed: g.Seed})
	return n, data, err
}

func (g *Network) build(space, arch string) (*net.Network, error) {
	in := spaces.Input{Size: g.Size, Classes: g.Classes}
	if g.Kind == "nb101" {
		// As it is written: the reference's file has a cell of ten edges, which Parse refuses.
		return nasbench101.Space{C: g.Stem, N: g.Modules}.Build(nasbench101.Spec{Matrix: g.Matrix, Ops: g.Ops}, in)
	}
	sp, err := spaces.Open(space)
	if err != nil {
		return nil, err
	}
	a, err := sp.Parse(arch)
	if err != nil {
		return nil, err
	}
	return sp.Network(a, in)
}

// counts compares parameters and multiply-adds, exactly.
func (g *Network) counts(row *Row, n *net.Network) {
	var convs, norms int
	for i := range n.Nodes {
		switch op := n.Nodes[i].Op; {
		case op.HasWeights():
			convs++
		case op == net.BatchNorm:
			norms++
		}
	}
	params := float64(net.Params(n))
	counts := map[string]float64{
		"params_conv_linear_bn": params,
		"xautodl_params":        params,
		"xautodl_flops":         float64(net.FLOPs(n, net.XAutoDL)),
		"num_conv_linear":       float64(convs),
		"num_bn":                float64(norms),
	}
	if g.Kind == "nb101" {
		all := params + float64(g.placeholders())
		counts["params_all_tensors"], counts["xautodl_params"] = all, all
	}
	if g.Kind == "plainnet" {
		if err := g.masternet(counts); err != nil {
			row.problem("%v", err)
		}
		counts["params_all_tensors"] = params
	}
	for key, got := range counts {
		if want, ok := number(g.Counts, key); ok && got != want {
			row.problem("%s is %.16g, want %.16g", key, got, want)
		}
	}
}

// masternet adds what the reference's own counters say: of the network without residual links, and as its search counts budgets.
func (g *Network) masternet(counts map[string]float64) error {
	in := spaces.Input{Size: g.Size, Classes: g.Classes}
	plain, err := masternet.Space{}.Count(spaces.Arch(g.Arch), in)
	if err != nil {
		return err
	}
	budget, err := masternet.Space{}.Budget(spaces.Arch(g.Arch), in)
	if err != nil {
		return err
	}
	counts["flops_no_reslink"], counts["params_no_reslink"] = plain.FLOPs, float64(plain.Params)
	counts["budget_flops_reslink"], counts["budget_params_reslink"] = budget.FLOPs, float64(budget.Params)
	counts["num_layers"] = float64(plain.Layers)
	return nil
}

// placeholders counts the scalar parameters that the PyTorch port of NAS-Bench-101 has wherever a cell has no module: for the operation and the projection of the input, and for the projection of each vertex that does not read the input.
func (g *Network) placeholders() int {
	cell := 2
	for _, reads := range g.Matrix[0][1:] {
		cell += 1 - reads
	}
	return 3 * g.Modules * cell
}

// exact is the comparison in float64.
func (g *Network) exact(row *Row, res *zico.Result) {
	row.Reference, _ = number(g.ZiCo, "f64")
	row.Tolerance, _ = number(g.ZiCo, "tol_f64")
	tolLog, _ := number(g.ZiCo, "tol_layer_log_f64")
	tolClip, _ := number(g.ZiCo, "tol_layer_clip_f64")
	if d := math.Abs(res.Score - row.Reference); !(d <= row.Tolerance) {
		row.problem("the score is off by %.3g", d)
	}
	for b, want := range g.Losses {
		near(row, fmt.Sprintf("loss of batch %d", b), res.Losses[b], want)
	}
	for b := range g.Logits {
		for k, want := range g.Logits[b] {
			near(row, fmt.Sprintf("logit %d of batch %d", k, b), res.Logits[b][k], want)
		}
	}
	for i, l := range res.Layers {
		w := &g.Layers[i]
		if l.NonZero != w.NonZero {
			row.problem("%s: %d weights count, want %d", l.Name, l.NonZero, w.NonZero)
		}
		if l.Skipped != (w.Log == nil) {
			row.problem("%s: skipped is %t, want %t", l.Name, l.Skipped, w.Log == nil)
		}
		if l.Skipped || w.Log == nil {
			continue
		}
		d := math.Abs(l.Log - *w.Log)
		row.Worst = max(row.Worst, d)
		if !(d <= tolLog) {
			row.problem("%s: log is %.12g, want %.12g", l.Name, l.Log, *w.Log)
		}
		if w.Clipped != nil && !(math.Abs(l.Clipped-*w.Clipped) <= tolClip) {
			row.problem("%s: clipped log is %.12g, want %.12g", l.Name, l.Clipped, *w.Clipped)
		}
		for b, want := range []float64{w.G0, w.G1} {
			if !(math.Abs(l.GradL2[b]-want) <= 1e-6*want) {
				row.problem("%s: gradient norm of batch %d is %.12g, want %.12g", l.Name, b, l.GradL2[b], want)
			}
		}
	}
}

// near compares to 1e-9 relative; the file has ten digits, so values below 1 get the same absolute bound.
func near(row *Row, what string, got, want float64) {
	if !(math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))) {
		row.problem("%s is %.12g, want %.12g", what, got, want)
	}
}

// flipFree is the limit of Row.GradError below which no rectifier has flipped, as the golden files define it.
const flipFree = 5e-5

// single is the comparison in float32.
func (g *Network) single(row *Row, res *zico.Result) {
	row.Reference, _ = number(g.ZiCo, "f64")
	free, _ := g.ZiCo["f32_flip_free"].(bool)
	free = free && row.GradError < flipFree
	if free {
		row.Tolerance = max(0.5, 0.005*row.Reference)
	} else {
		row.Tolerance = 0.025 * row.Reference
	}
	if d := math.Abs(res.Score - row.Reference); !(d <= row.Tolerance) {
		row.problem("the score is off by %.3g", d)
	}
	for i, l := range res.Layers {
		w := &g.Layers[i]
		if l.Skipped || w.Clipped == nil {
			if l.Skipped != (w.Log == nil) {
				row.problem("%s: skipped is %t, want %t", l.Name, l.Skipped, w.Log == nil)
			}
			continue
		}
		d := math.Abs(l.Clipped - *w.Clipped)
		row.Worst = max(row.Worst, d)
		if !free {
			continue
		}
		if !(d <= 5e-3) {
			row.problem("%s: clipped log is %.8g, want %.8g", l.Name, l.Clipped, *w.Clipped)
		}
		for b, want := range []float64{w.G0, w.G1} {
			if !(math.Abs(l.GradL2[b]-want) <= 1e-4*want) {
				row.problem("%s: gradient norm of batch %d is %.8g, want %.8g", l.Name, b, l.GradL2[b], want)
			}
		}
	}
}

func verifyFunction(be *backend.Backend, kernels string, f *Function) *Row {
	row := &Row{ID: f.ID, DType: f.DType, Reference: f.Score, Tolerance: 1e-9 * math.Abs(f.Score)}
	if f.DType == "float32" {
		// The reference's arithmetic is float32 there; ours is float64 on the same gradients.
		row.Tolerance = 1e-5 * math.Abs(f.Score)
	}
	grads := make([][][]float32, len(f.Sizes))
	for k, size := range f.Sizes {
		for b := range f.Batches {
			base := formula.Base(f.Seed, uint64(100*k+b))
			g := make([]float32, size)
			for i := range g {
				g[i] = float32(formula.Signed(base, uint64(i)))
			}
			switch {
			case f.Mutation == "zero_layer1" && k == 1:
				clear(g)
			case f.Mutation == "equal_first10" && b > 0:
				copy(g[:min(10, size)], grads[k][0])
			}
			grads[k] = append(grads[k], g)
		}
	}
	res, err := zico.ScoreGradients(be, zico.Config{DType: f.DType, Kernels: kernels}, grads)
	if err != nil {
		row.problem("%v", err)
		return row
	}
	row.Score = res.Score
	if d := math.Abs(res.Score - f.Score); !(d <= row.Tolerance) {
		row.problem("the score is off by %.3g", d)
	}
	for k, l := range res.Layers {
		if l.NonZero != f.NonZero[k] {
			row.problem("layer %d: %d weights count, want %d", k, l.NonZero, f.NonZero[k])
		}
		rel := 1e-9
		if f.DType == "float32" {
			rel = 1e-4
		}
		if !(math.Abs(l.Sum-f.Sums[k]) <= rel*max(1, f.Sums[k])) {
			row.problem("layer %d: the sum is %.15g, want %.15g", k, l.Sum, f.Sums[k])
		}
	}
	return row
}
