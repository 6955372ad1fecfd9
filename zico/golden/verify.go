package golden

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/zeroshotnas/zeroshot/spaces"
	_ "github.com/zeroshotnas/zeroshot/spaces/natstss" // the spaces of golden networks
	"github.com/zeroshotnas/zeroshot/spaces/net"
	_ "github.com/zeroshotnas/zeroshot/spaces/plain"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/formula"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

// Verify compares everything in a file, in float64 and float32, and yields a row for each comparison, in order. It stops with an error when ctx ends or the backend cannot be used; a network that cannot be scored is a failed row.
//
// float64: score and layer logs within the tolerances that the file gives for each network, losses and logits to 1e-9 relative, numbers of non-zero weights and counts exactly. float32 can be held to less, for reasons that lie in the method (a layer's sum is dominated by weights whose gradients almost cancel): where the reference's own float32 run had no rectifier flip, clipped logs to 5e-3, gradient norms to 1e-4 relative and the score to max(0.5, 0.5 %); elsewhere the score to 2.5 %.
func Verify(ctx context.Context, be *backend.Backend, f *File, yield func(*Row)) error {
	scorers := map[string]*zico.Scorer{}
	for _, dtype := range []string{"float64", "float32"} {
		s, err := zico.New(be, zico.Config{DType: dtype, Logits: true})
		if err != nil {
			return err
		}
		defer s.Close()
		scorers[dtype] = s
	}
	for i := range f.Networks {
		for _, dtype := range []string{"float64", "float32"} {
			row := verifyNetwork(ctx, scorers[dtype], &f.Networks[i], dtype)
			if err := ctx.Err(); err != nil {
				return err
			}
			yield(row)
		}
	}
	for i := range f.Functions {
		yield(verifyFunction(be, &f.Functions[i]))
	}
	return ctx.Err()
}

func verifyNetwork(ctx context.Context, s *zico.Scorer, g *Network, dtype string) *Row {
	row := &Row{ID: g.ID, DType: dtype}
	name, arch, missing := g.space()
	if missing != "" {
		row.Skipped = missing
		return row
	}
	n, err := build(name, arch, spaces.Input{Size: g.Size, Classes: g.Classes})
	if errors.Is(err, spaces.ErrUnknownSpace) {
		row.Skipped = err.Error()
		return row
	}
	if err != nil {
		row.problem("%v", err)
		return row
	}
	src, err := images.Open(fmt.Sprintf("formula:classes=%d", g.Classes))
	if err != nil {
		row.problem("%v", err)
		return row
	}
	data, err := src.Batches(ctx, images.Options{Batch: g.Batch, N: 2, Size: g.Size, Seed: g.Seed})
	if err != nil {
		row.problem("%v", err)
		return row
	}
	res, err := s.Score(ctx, n, g.Seed, data)
	if err != nil {
		row.problem("%v", err)
		return row
	}
	row.Score = res.Score
	if len(res.Layers) != len(g.Layers) {
		row.problem("%d weighted layers, want %d", len(res.Layers), len(g.Layers))
		return row
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
		g.single(row, res)
	}
	return row
}

func build(space, arch string, in spaces.Input) (*net.Network, error) {
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
	params := net.Params(n)
	for key, got := range map[string]int64{
		"params_conv_linear_bn": params,
		"xautodl_params":        params,
		"xautodl_flops":         net.FLOPs(n, net.XAutoDL),
		"num_conv_linear":       int64(convs),
		"num_bn":                int64(norms),
	} {
		if want, ok := number(g.Counts, key); ok && float64(got) != want {
			row.problem("%s is %d, want %.0f", key, got, want)
		}
	}
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

// single is the comparison in float32.
func (g *Network) single(row *Row, res *zico.Result) {
	row.Reference, _ = number(g.ZiCo, "f64")
	free, _ := g.ZiCo["f32_flip_free"].(bool)
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

func verifyFunction(be *backend.Backend, f *Function) *Row {
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
	res, err := zico.ScoreGradients(be, zico.Config{DType: f.DType}, grads)
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
