package zico_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

var be *backend.Backend

func TestMain(m *testing.M) {
	var err error
	if be, err = backend.Open(""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func batches(t testing.TB, spec string, o images.Options) []images.Batch {
	t.Helper()
	src, err := images.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	b, err := src.Batches(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func scorer(t testing.TB, cfg zico.Config) *zico.Scorer {
	t.Helper()
	s, err := zico.New(be, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func cell(t testing.TB, arch string, size int) *net.Network {
	t.Helper()
	s := natstss.Space{C: 4, N: 1}
	a, err := s.Parse(arch)
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Network(a, spaces.Input{Size: size, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// everyOp is a network with every operation that a description can hold, which no space of today has.
func everyOp(t testing.TB) *net.Network {
	t.Helper()
	b := net.NewBuilder("every operation", net.Shape{C: 3, H: 11, W: 10})
	x := b.ReLU(b.BatchNorm("", b.Conv("stem", 0, 8, 3, 2), 1e-3))
	y := b.Add(net.Node{Op: net.Conv, Name: "grouped", In: []int{x}, Out: 12, Kernel: 3, Stride: 1, Pad: 1, Groups: 2, Bias: true})
	y = b.Add(net.Node{Op: net.Concat, In: []int{y, b.Depthwise("depthwise", x, 5, 1), x}})
	y = b.BatchNorm("", b.Conv("mix", y, 10, 1, 1), 0)
	gate := b.Add(net.Node{Op: net.GlobalAvgPool, In: []int{y}})
	gate = b.Add(net.Node{Op: net.Sigmoid, In: []int{b.Conv("squeeze", gate, 10, 1, 1)}})
	y = b.Add(net.Node{Op: net.Gate, In: []int{y, gate}})
	low := b.Add(net.Node{Op: net.Slice, In: []int{y}, From: 0, To: 4})
	high := b.Add(net.Node{Op: net.Shift, In: []int{b.Add(net.Node{Op: net.Slice, In: []int{y}, From: 4, To: 10})}})
	y = b.Add(net.Node{Op: net.Concat, In: []int{low, high}})
	p := b.Add(net.Node{Op: net.MaxPool, In: []int{y}, Kernel: 3, Stride: 2, Pad: 1})
	q := b.Add(net.Node{Op: net.AvgPool, In: []int{y}, Kernel: 3, Stride: 2, Pad: 1, CountPad: true})
	r := b.BatchNorm("", b.Conv("strided", b.ReLU(y), 10, 1, 2), 0)
	z := b.Add(net.Node{Op: net.Zero, In: []int{p}})
	y = b.Add(net.Node{Op: net.Scale, In: []int{b.Sum(p, q, r, z)}, Factor: 0.2})
	y = b.ReLU(b.ReLU(y))
	n, err := b.Network(b.Head("classifier", y, 10))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSameNetworkBothWays scores networks through the kernels and as one GoMLX graph with automatic gradients, in float64. This checks the tape, every kernel and every gradient, pruning, and that ScoreModel takes any model.
func TestSameNetworkBothWays(t *testing.T) {
	s := scorer(t, zico.Config{DType: "float64"})
	nets := []*net.Network{
		everyOp(t),
		cell(t, "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|", 16),
		cell(t, "|none~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|none~2|", 16),
	}
	for _, n := range nets {
		for _, count := range []int{2, 3} {
			data := make([]images.Batch, count)
			rng := rand.New(rand.NewPCG(1, uint64(count)))
			for b := range data {
				data[b] = images.Batch{N: 6, H: n.Input.H, W: n.Input.W, C: 3, Classes: 10}
				for range data[b].N * n.Input.Elements() {
					data[b].Pixels = append(data[b].Pixels, float32(rng.NormFloat64()))
				}
				for range data[b].N {
					data[b].Labels = append(data[b].Labels, int32(rng.IntN(10)))
				}
			}
			got, err := s.Score(context.Background(), n, 7, data)
			if err != nil {
				t.Fatal(err)
			}
			want, err := zico.ScoreModel(context.Background(), be, model.NewStore(), zico.NetworkModel(n, 7), data, zico.ModelConfig{DType: "float64"})
			if err != nil {
				t.Fatal(err)
			}
			if len(want.Layers) != n.Layers || len(got.Layers) != n.Layers {
				t.Fatalf("%s: %d and %d layers, want %d", n.Name, len(got.Layers), len(want.Layers), n.Layers)
			}
			for i, w := range want.Layers {
				g := got.Layers[i]
				// GoMLX leaves gradients of dead branches as exact zeros too, but may leave some within rounding of zero.
				if g.Skipped != w.Skipped || math.Abs(g.Log-w.Log) > 1e-5 || g.NonZero != w.NonZero {
					t.Errorf("%s, %d batches, layer %s: ln %.10f from %d weights, as one graph %.10f from %d", n.Name, count, g.Name, g.Log, g.NonZero, w.Log, w.NonZero)
				}
			}
			for b := range want.Losses {
				if math.Abs(got.Losses[b]-want.Losses[b]) > 1e-10 {
					t.Errorf("%s: loss %d is %v, as one graph %v", n.Name, b, got.Losses[b], want.Losses[b])
				}
			}
			if want.Params > got.Params { // batch normalisation has parameters that the model function leaves out
				t.Errorf("%s: %d parameters, as one graph %d", n.Name, got.Params, want.Params)
			}
		}
	}
}

// TestSameBits scores networks in random orders, one at a time and three at once: every score is the same to the bit.
func TestSameBits(t *testing.T) {
	data := batches(t, "embedded", images.Options{Batch: 16, Seed: 3})
	var reqs []zico.Request
	rng := rand.New(rand.NewPCG(5, 6))
	for range 12 {
		reqs = append(reqs, zico.Request{Space: "natstss:C=8,N=1", Arch: string(natstss.Space{}.Sample(rng)), Seed: rng.Uint64()})
	}
	want := map[zico.Request]float64{}
	for _, inFlight := range []int{1, 3, 1, 3} {
		s := scorer(t, zico.Config{InFlight: inFlight})
		rng.Shuffle(len(reqs), func(i, j int) { reqs[i], reqs[j] = reqs[j], reqs[i] })
		i := 0
		for res, err := range s.ScoreAll(context.Background(), data, reqs) {
			if err != nil {
				t.Fatal(err)
			}
			if res.Network != reqs[i].Arch {
				t.Fatalf("result %d is of %s, want %s: results come in the order of the requests", i, res.Network, reqs[i].Arch)
			}
			if was, ok := want[reqs[i]]; ok && was != res.Score {
				t.Errorf("%s scores %v, and %v before", res.Network, res.Score, was)
			}
			want[reqs[i]] = res.Score
			i++
		}
		if i != len(reqs) {
			t.Errorf("%d results for %d requests", i, len(reqs))
		}
	}
}

// TestStatistics compares the code's statistic and the paper's on the same gradients: Eq. 15 is never smaller with two batches, as ||a|-|b|| is never larger than |a-b|.
func TestStatistics(t *testing.T) {
	data := batches(t, "formula", images.Options{Batch: 8, Seed: 1})
	n := cell(t, "1462", 32)
	code, err := scorer(t, zico.Config{DType: "float64"}).Score(context.Background(), n, 1, data)
	if err != nil {
		t.Fatal(err)
	}
	paper, err := scorer(t, zico.Config{DType: "float64", Statistic: zico.Absolute}).Score(context.Background(), n, 1, data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range code.Layers {
		if paper.Layers[i].Sum < code.Layers[i].Sum {
			t.Errorf("%s: Eq. 15 gives %v, the code %v", code.Layers[i].Name, paper.Layers[i].Sum, code.Layers[i].Sum)
		}
	}
	if paper.Score <= code.Score {
		t.Errorf("Eq. 15 scores %v, the code %v", paper.Score, code.Score)
	}
}

// TestBadData checks that data that cannot be scored are errors that say what is wrong.
func TestBadData(t *testing.T) {
	n := cell(t, "1462", 32)
	fresh := func() []images.Batch { return batches(t, "formula", images.Options{Batch: 4, Seed: 1}) }
	s := scorer(t, zico.Config{})
	for want, spoil := range map[string]func([]images.Batch) []images.Batch{
		"at least 2":                         func(b []images.Batch) []images.Batch { return b[:1] },
		"image 2 has the value NaN at row 1": func(b []images.Batch) []images.Batch { b[1].Pixels[2*3072+96] = float32(math.NaN()); return b },
		"image 0 has the value +Inf":         func(b []images.Batch) []images.Batch { b[0].Pixels[0] = float32(math.Inf(1)); return b },
		"image 3 has label 10":               func(b []images.Batch) []images.Batch { b[0].Labels[3] = 10; return b },
		"image 1 has label -1":               func(b []images.Batch) []images.Batch { b[0].Labels[1] = -1; return b },
		"12287 pixel values":                 func(b []images.Batch) []images.Batch { b[0].Pixels = b[0].Pixels[1:]; return b },
		"all batches must be alike": func(b []images.Batch) []images.Batch {
			return append(b, batches(t, "formula", images.Options{Batch: 5})[0])
		},
		"takes images [3,32,32], the batches": func([]images.Batch) []images.Batch { return batches(t, "formula", images.Options{Batch: 4, Size: 16}) },
		"10 outputs, the labels have 100 clas": func([]images.Batch) []images.Batch {
			return batches(t, "formula:classes=100", images.Options{Batch: 4})
		},
	} {
		if _, err := s.Score(context.Background(), n, 1, spoil(fresh())); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
}

// TestRanges checks that ranges of batches that cannot be compared are errors; what they give is tested in package proxy.
func TestRanges(t *testing.T) {
	n, s := cell(t, "1462", 32), scorer(t, zico.Config{})
	data := batches(t, "formula", images.Options{Batch: 4, N: 3})
	for _, q := range []zico.Query{
		{Needs: zico.NeedRatios, Ranges: []zico.Range{{From: 0, To: 2}, {From: 1, To: 2}}},
		{Needs: zico.NeedRatios, Ranges: []zico.Range{{From: -1, To: 2}}},
		{Needs: zico.NeedProducts, Ranges: []zico.Range{{From: 0, To: 3}}},
	} {
		if _, err := s.Observe(context.Background(), n, 1, data, q); err == nil || !strings.Contains(err.Error(), "a range needs at least two") {
			t.Errorf("%+v gives %v", q, err)
		}
	}
	q := zico.Query{Needs: zico.NeedRatios, Ranges: []zico.Range{{From: 2, To: 4}}}
	if _, err := s.Observe(context.Background(), n, 1, data, q); err == nil || !strings.Contains(err.Error(), "3 batches; what is asked for needs at least 4") {
		t.Errorf("%+v gives %v", q, err)
	}
}

// TestNotFinite checks that a score that is not finite comes with a warning and can be written as JSON.
func TestNotFinite(t *testing.T) {
	inf := float32(math.Inf(1))
	res, err := zico.ScoreGradients(be, zico.Config{}, [][][]float32{{{1, 2}, {3, 4}}, {{1, inf}, {2, 3}}})
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(res.Score) || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "not finite") {
		t.Errorf("the score is %v with the warnings %q", res.Score, res.Warnings)
	}
	b, err := json.Marshal(res)
	if err != nil || !strings.Contains(string(b), `"score":null`) {
		t.Errorf("as JSON: %s, %v", b, err)
	}
}

// TestMemory checks that a network that cannot fit is refused before anything runs, with what it needs.
func TestMemory(t *testing.T) {
	n := cell(t, "11718", 32)
	data := batches(t, "formula", images.Options{Batch: 64, Seed: 1})
	tight := scorer(t, zico.Config{MemoryLimit: 1 << 20})
	_, err := tight.Score(context.Background(), n, 1, data)
	if !errors.Is(err, zico.ErrMemory) || !strings.Contains(err.Error(), "GiB") {
		t.Errorf("the error is %v, want ErrMemory with the need in GiB", err)
	}
	if k := tight.Kernels(); k.Misses != 0 {
		t.Errorf("%d kernels were compiled for a network that cannot fit", k.Misses)
	}
}

// TestInterrupt ends a sweep in the middle: it returns soon, with the context's error, and keeps what is done.
func TestInterrupt(t *testing.T) {
	data := batches(t, "formula", images.Options{Batch: 64, Seed: 1})
	reqs := make([]zico.Request, 500)
	for i := range reqs {
		reqs[i] = zico.Request{Space: "natstss:C=8,N=1", Arch: fmt.Sprint(i * 31)}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := 0
	var stopped time.Time
	var last error
	for _, err := range scorer(t, zico.Config{}).ScoreAll(ctx, data, reqs) {
		if err != nil {
			last = err
			continue
		}
		if done++; done == 3 {
			stopped = time.Now()
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) || done != 3 {
		t.Errorf("%d scores, then %v; want 3, then context.Canceled", done, last)
	}
	if took := time.Since(stopped); took > 5*time.Second {
		t.Errorf("it took %v to stop", took)
	}
}

// TestBadRequests checks that a bad architecture costs only itself.
func TestBadRequests(t *testing.T) {
	data := batches(t, "formula", images.Options{Batch: 4})
	reqs := []zico.Request{
		{Space: "natstss:C=4,N=1", Arch: "7"},
		{Space: "natstss:C=4,N=1", Arch: "|none~0|+|bad~0|"},
		{Space: "nowhere", Arch: "7"},
		{Space: "natstss:C=4,N=1", Arch: "8"},
	}
	var got []string
	for res, err := range scorer(t, zico.Config{}).ScoreAll(context.Background(), data, reqs) {
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, res.Network)
	}
	if len(got) != 4 || !strings.Contains(got[1], "position 10") || !strings.Contains(got[2], "unknown search space") || !strings.HasPrefix(got[3], "|") {
		t.Errorf("got %q", got)
	}
	if _, err := zico.New(be, zico.Config{DType: "int8"}); err == nil {
		t.Error("type int8 is accepted")
	}
	s := scorer(t, zico.Config{})
	s.Close()
	if _, err := s.Score(context.Background(), cell(t, "7", 32), 1, data); err == nil {
		t.Error("a closed Scorer scores")
	}
}

// TestModels checks ScoreModel on models that are not descriptions, and on those that cannot be scored.
func TestModels(t *testing.T) {
	data := batches(t, "embedded", images.Options{Batch: 8})
	good := func(scope *model.Scope, x *graph.Node) *graph.Node {
		x = layers.Convolution(scope.In("conv"), x).Channels(8).KernelSize(3).Done()
		x = graph.Max(x, graph.ZerosLike(x))
		return layers.Dense(scope.In("dense"), graph.ReduceMean(x, 1, 2), true, 10)
	}
	score := func(fn zico.ModelFn, cfg zico.ModelConfig) (*zico.Result, error) {
		return zico.ScoreModel(context.Background(), be, model.NewStore(), fn, data, cfg)
	}
	a, err := score(good, zico.ModelConfig{Reinit: true, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	b, err := score(good, zico.ModelConfig{Reinit: true, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if a.Score != b.Score || len(a.Layers) != 2 || a.Params != 3*3*3*8+8+8*10+10 {
		t.Errorf("scores %v and %v, %d layers, %d parameters", a.Score, b.Score, len(a.Layers), a.Params)
	}
	if w := a.Layers[0].Weight; !slices.Equal(w, []int{3, 3, 3, 8}) {
		t.Errorf("the first layer's weight is %v", w)
	}
	for want, fn := range map[string]zico.ModelFn{
		"logits are [images, classes]": func(scope *model.Scope, x *graph.Node) *graph.Node { return x },
		"no trainable variable": func(scope *model.Scope, x *graph.Node) *graph.Node {
			return graph.Zeros(x.Graph(), graph.Reshape(graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, 1), graph.AxisRange(0, 10), graph.AxisRange(0, 1)), 8, 10).Shape())
		},
		"boom": func(scope *model.Scope, x *graph.Node) *graph.Node { panic("boom") },
	} {
		if _, err := score(fn, zico.ModelConfig{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
}

// TestConcurrentUse scores from several goroutines over one Scorer, as a search does.
func TestConcurrentUse(t *testing.T) {
	s := scorer(t, zico.Config{})
	data := batches(t, "formula", images.Options{Batch: 4})
	var all sync.WaitGroup
	scores := make([]float64, 6)
	for i := range scores {
		all.Go(func() {
			res, err := s.Score(context.Background(), cell(t, "1462", 32), 9, data)
			if err != nil {
				t.Error(err)
				return
			}
			scores[i] = res.Score
		})
	}
	all.Wait()
	if slices.Min(scores) != slices.Max(scores) {
		t.Errorf("the same network scores %v", scores)
	}
}

func ExampleScorer_Score() {
	be, err := backend.Open("")
	if err != nil {
		fmt.Println(err)
		return
	}
	src, err := images.Open("embedded")
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := src.Batches(context.Background(), images.Options{Batch: 16, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := zico.New(be, zico.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	n, err := natstss.Space{C: 4, N: 1}.Network("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|", spaces.Input{Size: 32, Classes: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := s.Score(context.Background(), n, 1, data)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d layers, %d parameters, score about %.0f\n", len(res.Layers), res.Params, math.Round(res.Score/10)*10)
	// Output: 11 layers, 7974 parameters, score about 90
}
