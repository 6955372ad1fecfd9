package kernel

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/kernel/simd"
)

var be *backend.Backend

func TestMain(m *testing.M) {
	var err error
	if be, err = backend.Open("xla:cpu"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// newCache makes a cache that the test finalizes.
func newCache(t testing.TB, cfg Config) *Cache {
	t.Helper()
	c, err := New(be, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Finalize)
	return c
}

// lowered is a cache that computes in one of the ways of Config.Kernels.
type lowered struct {
	name string
	*Cache
}

// lowerings are caches for all ways that this machine can compute in. The first is XLA's, which also computes expected values.
func lowerings(t testing.TB) []lowered {
	all := []lowered{{"xla", newCache(t, Config{Kernels: "xla"})}}
	for _, isa := range simd.ISAs {
		if simd.Find(isa, 8) == nil {
			t.Logf("this machine has no %s: not tested", isa)
			continue
		}
		all = append(all, lowered{isa, newCache(t, Config{Kernels: isa})})
	}
	return all
}

// runOp runs one operation on float64 (or int32) host data and returns its outputs.
func runOp(t *testing.T, c *Cache, op Op, in ...any) [][]float64 {
	t.Helper()
	return runAs[float64](t, c, op, in...)
}

// runAs is runOp for an operation whose outputs are of type T.
func runAs[T float32 | float64](t *testing.T, c *Cache, op Op, in ...any) [][]T {
	t.Helper()
	var bufs []compute.Buffer
	for i, s := range op.Inputs() {
		b, err := be.BufferFromFlatData(0, in[i], s)
		if err != nil {
			t.Fatalf("%s: input %d: %v", op.Name(), i, err)
		}
		bufs = append(bufs, b)
	}
	out, _, err := c.Call(op, bufs)
	if err != nil {
		t.Fatal(err)
	}
	var res [][]T
	for _, b := range out {
		s, err := b.Shape()
		if err != nil {
			t.Fatal(err)
		}
		v := make([]T, s.Size())
		if err := b.ToFlatData(v); err != nil {
			t.Fatal(err)
		}
		res = append(res, v)
	}
	return res
}

// oracle is an operation made of a graph function, to compute expected values through GoMLX's own operations and automatic gradients.
type oracle struct {
	name string
	in   []shapes.Shape
	fn   func(g *Graph, in []*Node) []*Node
}

func (o *oracle) Name() string           { return o.name }
func (o *oracle) Inputs() []shapes.Shape { return o.in }
func (o *oracle) Graph(_ string, g *Graph, in []*Node) []*Node {
	return o.fn(g, in)
}

// gradOf turns a function of some inputs into one that takes the gradient of its output as a last argument and returns the gradients of the inputs.
func gradOf(f func(in []*Node) *Node) func(*Graph, []*Node) []*Node {
	return func(g *Graph, in []*Node) []*Node {
		x, dy := in[:len(in)-1], in[len(in)-1]
		return Gradient(ReduceAllSum(Mul(f(x), dy)), x...)
	}
}

func normal(rng *rand.Rand, s shapes.Shape) []float64 {
	v := make([]float64, s.Size())
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

func compare(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	scale := 0.0
	for _, w := range want {
		scale = max(scale, math.Abs(w))
	}
	for i := range want {
		if d := math.Abs(got[i] - want[i]); !(d <= 1e-11*max(scale, 1)) {
			t.Fatalf("%s: value %d of %d is %.17g, want %.17g", what, i, len(want), got[i], want[i])
		}
	}
}

// perBatch computes a weight gradient batch by batch with the oracle and concatenates the results.
func perBatch(t *testing.T, c *Cache, o *oracle, batches int, x, w, dy []float64) [][]float64 {
	var out [][]float64
	nx, ny := len(x)/batches, len(dy)/batches
	for b := range batches {
		out = append(out, runOp(t, c, o, x[b*nx:(b+1)*nx], w, dy[b*ny:(b+1)*ny])[1])
	}
	return out
}

// TestConvAgainstAutodiff compares every lowering of the convolution, on random shapes nobody tuned, with GoMLX's convolution and its automatic gradients in float64.
func TestConvAgainstAutodiff(t *testing.T) {
	all := lowerings(t)
	c := all[0].Cache
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 30 {
		x := Act{DType: dtypes.Float64, Batches: 1 + rng.IntN(3), Images: 1 + rng.IntN(5), H: 5 + rng.IntN(13), W: 5 + rng.IntN(13), C: 1 + rng.IntN(12)}
		k := []int{1, 3, 5, 7}[rng.IntN(4)]
		v := Window{Kernel: k, Stride: 1 + rng.IntN(2), Pad: (k - 1) / 2, Groups: 1, Out: 1 + rng.IntN(12)}
		switch i % 4 {
		case 2: // depthwise
			v.Groups, v.Out = x.C, x.C
		case 3: // grouped
			g := 1 + rng.IntN(3)
			v.Groups, x.C, v.Out = g, g*(1+rng.IntN(3)), g*(1+rng.IntN(3))
		}
		if i%6 == 5 {
			v.Dilation = 2 + rng.IntN(2)
			v.Pad *= v.Dilation
			x.H, x.W = x.H+v.reach(), x.W+v.reach()
		}
		if i == 0 { // larger than the pieces that work is cut into, and no multiple of anything
			x = Act{DType: dtypes.Float64, Batches: 1, Images: 50, H: 17, W: 17, C: 24}
			v = Window{Kernel: 3, Stride: 1, Pad: 1, Groups: 1, Out: 24}
		}
		name := Conv{X: x, Window: v}.Name()
		t.Run(name, func(t *testing.T) {
			f := func(in []*Node) *Node {
				w := in[1]
				if v.Dilation > 1 { // a dilated weight is one with zeros between
					gap := PadAxis{Interior: v.Dilation - 1}
					w = Pad(w, ScalarZero(w.Graph(), w.DType()), gap, gap, PadAxis{}, PadAxis{})
				}
				return Convolve(in[0], w).Strides(v.Stride).PaddingPerDim([][2]int{{v.Pad, v.Pad}, {v.Pad, v.Pad}}).ChannelGroupCount(v.Groups).Done()
			}
			one := x
			one.Batches = 1
			inShapes := func(a Act) []shapes.Shape {
				return []shapes.Shape{a.Shape(), v.WeightShape(a), v.OutAct(a).Shape()}
			}
			both := &oracle{"oracle", inShapes(x), gradOf(f)}
			single := &oracle{"oracle of one batch", inShapes(one), gradOf(f)}
			fwd := &oracle{"oracle forward", inShapes(x)[:2], func(_ *Graph, in []*Node) []*Node { return []*Node{f(in)} }}

			xs, ws, dy := normal(rng, x.Shape()), normal(rng, v.WeightShape(x)), normal(rng, v.OutAct(x).Shape())
			y, dx, dw := runOp(t, c, fwd, xs, ws)[0], runOp(t, c, both, xs, ws, dy)[0], perBatch(t, c, single, x.Batches, xs, ws, dy)
			compareStatistic(t, runOp(t, c, ConvWeightGrad{X: x, Window: v}, xs, dy)[0], dw)
			for i, l := range all {
				if i > 0 && !vectorized(Conv{X: x, Window: v}) {
					break // XLA's again
				}
				compare(t, l.name+": forward", runOp(t, l.Cache, Conv{X: x, Window: v}, xs, ws)[0], y)
				fused := runOp(t, l.Cache, ConvMoments{Conv{X: x, Window: v}, 1e-3}, xs, ws)
				compare(t, l.name+": forward with moments", fused[0], y)
				compare(t, l.name+": moments", fused[1], runOp(t, l.Cache, Moments{v.OutAct(x), 1e-3}, y)[0])
				compare(t, l.name+": input gradient", runOp(t, l.Cache, ConvInputGrad{X: x, Window: v}, dy, ws)[0], dx)
				got := runOp(t, l.Cache, ConvWeightGrad{X: x, Window: v, Raw: true}, xs, dy)
				if v.Groups == 1 && v.Stride == 1 {
					// Both gradients through a batch norm and a rectifier, against the three kernels one after the other.
					z, stats := v.OutAct(x), fused[1]
					dz := runOp(t, c, BatchNormGrad{X: z, ReLU: true}, dy, y, stats)[0]
					through := runOp(t, l.Cache, ConvNormGrad{X: x, Window: v, ReLU: true, Raw: true}, dy, y, stats, xs, ws)
					want := runOp(t, c, ConvInputGrad{X: x, Window: v}, dz, ws)[0]
					compare(t, l.name+": input gradient through batch norm", through[0], want)
					other := normal(rng, x.Shape())
					masked := runOp(t, l.Cache, ConvNormGrad{X: x, Window: v, ReLU: true, Masked: true, Add: true, Raw: true}, dy, y, stats, xs, ws, other)
					alone := runOp(t, l.Cache, ConvNormGrad{X: x, Window: v, ReLU: true, Masked: true, Add: true, InputOnly: true}, dy, y, stats, xs, ws, other)
					if len(alone) != 1 || !slices.Equal(alone[0], masked[0]) {
						t.Errorf("%s: the input gradient alone is another than beside the weight gradient", l.name)
					}
					for k := range want {
						if xs[k] <= 0 {
							want[k] = 0
						}
						want[k] += other[k]
					}
					compare(t, l.name+": input gradient through batch norm and rectifier, added", masked[0], want)
					for b, want := range runOp(t, c, ConvWeightGrad{X: x, Window: v, Raw: true}, xs, dz) {
						compare(t, fmt.Sprintf("%s: weight gradient of batch %d through batch norm", l.name, b), through[1+b], want)
					}
				}
				for b := range dw {
					compare(t, fmt.Sprintf("%s: weight gradient of batch %d", l.name, b), got[b], dw[b])
				}
			}
		})
	}
}

// compareStatistic checks a statistic against a plain computation on the host. Its sums amplify rounding where the gradients of two batches almost cancel, so they get a relative tolerance.
func compareStatistic(t *testing.T, got []float64, grads [][]float64) {
	t.Helper()
	want := hostStatistic(grads)
	for i := range want {
		if d := math.Abs(got[i] - want[i]); !(d <= 1e-6*max(1, math.Abs(want[i]))) {
			t.Errorf("statistic %d is %.12g, want %.12g", i, got[i], want[i])
		}
	}
}

func hostStatistic(grads [][]float64) []float64 {
	n := float64(len(grads))
	want := make([]float64, StatisticLen(len(grads)))
	for i := range grads[0] {
		var m, mAbs float64
		for b := range grads {
			m += grads[b][i] / n
			mAbs += math.Abs(grads[b][i]) / n
			want[StatSquares+b] += grads[b][i] * grads[b][i]
		}
		var v, vAbs float64
		for b := range grads {
			v += (grads[b][i] - m) * (grads[b][i] - m) / n
			vAbs += (math.Abs(grads[b][i]) - mAbs) * (math.Abs(grads[b][i]) - mAbs) / n
		}
		want[StatMean] += mAbs
		want[StatStd] += math.Sqrt(v)
		if v != 0 {
			want[StatInverse] += 1 / math.Sqrt(v)
			want[StatSum] += mAbs / math.Sqrt(v)
			want[StatClipped] += min(1000, mAbs/math.Sqrt(v))
			want[StatNonZero]++
		}
		if vAbs != 0 {
			want[StatAbsSum] += mAbs / math.Sqrt(vAbs)
			want[StatAbsNonZero]++
		}
	}
	return want
}

// TestOpsAgainstAutodiff compares every other operation and its gradient with GoMLX's in float64.
func TestOpsAgainstAutodiff(t *testing.T) {
	all := lowerings(t)
	c := all[0].Cache
	rng := rand.New(rand.NewPCG(3, 4))
	x := Act{DType: dtypes.Float64, Batches: 2, Images: 3, H: 7, W: 9, C: 5}
	vec := x.with(1, 1, 5)
	one := x
	one.Batches = 1
	pool := func(in *Node, k, s, p int, avg bool) *Node {
		b := func() *PoolBuilder {
			if avg {
				return MeanPool(in)
			}
			return MaxPool(in)
		}()
		return b.Window(k).Strides(s).PaddingPerDim([][2]int{{p, p}, {p, p}}).Done()
	}
	cases := []struct {
		name     string
		fwd      Op
		fn       func(in []*Node) *Node
		grad     Op
		gradArgs func(x, y, dy []float64) []any
	}{
		{"relu", Merge{X: x, Terms: 1, ReLU: true}, func(in []*Node) *Node { return Max(in[0], ZerosLike(in[0])) }, Sum{X: x, Masked: [3]int{1}}, func(x, y, dy []float64) []any { return []any{y, dy} }},
		{"sigmoid", SigmoidForward{x}, func(in []*Node) *Node { return Sigmoid(in[0]) }, SigmoidGrad{x}, func(x, y, dy []float64) []any { return []any{dy, y} }},
		{"maxpool3/1", MaxPooling{x, 3, 1, 1}, func(in []*Node) *Node { return pool(in[0], 3, 1, 1, false) }, MaxPoolingGrad{MaxPooling{x, 3, 1, 1}}, func(x, y, dy []float64) []any { return []any{x, dy} }},
		{"maxpool2/2", MaxPooling{x, 2, 2, 0}, func(in []*Node) *Node { return pool(in[0], 2, 2, 0, false) }, MaxPoolingGrad{MaxPooling{x, 2, 2, 0}}, func(x, y, dy []float64) []any { return []any{x, dy} }},
		{"maxpool3/2", MaxPooling{x, 3, 2, 1}, func(in []*Node) *Node { return pool(in[0], 3, 2, 1, false) }, MaxPoolingGrad{MaxPooling{x, 3, 2, 1}}, func(x, y, dy []float64) []any { return []any{x, dy} }},
		{"avgpool3/1", AvgPooling{X: x, Kernel: 3, Stride: 1, Pad: 1}, func(in []*Node) *Node { return pool(in[0], 3, 1, 1, true) }, AvgPoolingGrad{AvgPooling{X: x, Kernel: 3, Stride: 1, Pad: 1}}, func(x, y, dy []float64) []any { return []any{dy} }},
		{"avgpool3/2", AvgPooling{X: x, Kernel: 3, Stride: 2, Pad: 1}, func(in []*Node) *Node { return pool(in[0], 3, 2, 1, true) }, AvgPoolingGrad{AvgPooling{X: x, Kernel: 3, Stride: 2, Pad: 1}}, func(x, y, dy []float64) []any { return []any{dy} }},
		{"avgpool2/2", AvgPooling{X: x, Kernel: 2, Stride: 2}, func(in []*Node) *Node { return pool(in[0], 2, 2, 0, true) }, AvgPoolingGrad{AvgPooling{X: x, Kernel: 2, Stride: 2}}, func(x, y, dy []float64) []any { return []any{dy} }},
		{"globalpool", GlobalPooling{x}, func(in []*Node) *Node { return ReduceAndKeep(ReduceAndKeep(in[0], ReduceMean, 1), ReduceMean, 2) }, GlobalPoolingGrad{x}, func(x, y, dy []float64) []any { return []any{dy} }},
		{"translate", Translate{X: x}, func(in []*Node) *Node {
			z := Concatenate([]*Node{Slice(in[0], AxisRange(), AxisRange(1), AxisRange(), AxisRange()), ZerosLike(Slice(in[0], AxisRange(), AxisRange(0, 1), AxisRange(), AxisRange()))}, 1)
			return Concatenate([]*Node{Slice(z, AxisRange(), AxisRange(), AxisRange(1), AxisRange()), ZerosLike(Slice(z, AxisRange(), AxisRange(), AxisRange(0, 1), AxisRange()))}, 2)
		}, Translate{X: x, Back: true}, func(x, y, dy []float64) []any { return []any{dy} }},
		{"scale", Scaling{x, 0.2}, func(in []*Node) *Node { return MulScalar(in[0], 0.2) }, Scaling{x, 0.2}, func(x, y, dy []float64) []any { return []any{dy} }},
		{"channels", Channels{x, 1, 4}, func(in []*Node) *Node { return SliceAxis(in[0], 3, AxisRange(1, 4)) }, ChannelsGrad{x, 1, 4}, func(x, y, dy []float64) []any { return []any{dy} }},
		{"linear", Linear{X: vec, Out: 4}, func(in []*Node) *Node { return Reshape(Dot(Reshape(in[0], -1, 5), in[1]).Product(), -1, 1, 1, 4) }, LinearInputGrad{X: vec, Out: 4}, func(x, y, dy []float64) []any { return []any{dy, nil} }},
		{"gate", Gate{x}, func(in []*Node) *Node { return Mul(in[0], in[1]) }, GateGrad{x}, func(x, y, dy []float64) []any { return []any{dy, x, nil} }},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			in := tc.fwd.Inputs()
			var args []any
			for _, s := range in {
				args = append(args, normal(rng, s))
			}
			o := &oracle{"oracle", in, func(_ *Graph, in []*Node) []*Node { return []*Node{tc.fn(in)} }}
			y := runOp(t, c, o, args...)[0]
			for _, l := range all {
				compare(t, l.name+": forward", runOp(t, l.Cache, tc.fwd, args...)[0], y)
			}

			dy := make([]float64, len(y))
			for i := range dy {
				dy[i] = rng.NormFloat64()
			}
			var out shapes.Shape
			g := &oracle{"oracle gradient", nil, gradOf(tc.fn)}
			probe := NewGraph(be.Backend, "probe")
			var params []*Node
			for i, s := range in {
				params = append(params, Parameter(probe, fmt.Sprint(i), s))
			}
			out = tc.fn(params).Shape()
			g.in = append(append([]shapes.Shape(nil), in...), out)
			want := runOp(t, c, g, append(append([]any(nil), args...), dy)...)
			gradArgs := tc.gradArgs(args[0].([]float64), y, dy)
			for i, a := range gradArgs {
				if a == nil {
					gradArgs[i] = args[1]
				}
			}
			for _, l := range all {
				for i, got := range runOp(t, l.Cache, tc.grad, gradArgs...) {
					compare(t, fmt.Sprintf("%s: gradient of input %d", l.name, i), got, want[i])
				}
			}
		})
	}

	t.Run("batchnorm", func(t *testing.T) {
		// Each batch has its own statistics: the oracle sees one batch at a time.
		fn := func(in []*Node) *Node {
			mean := ReduceAndKeep(ReduceAndKeep(ReduceAndKeep(in[0], ReduceMean, 0), ReduceMean, 1), ReduceMean, 2)
			d := Sub(in[0], mean)
			v := ReduceAndKeep(ReduceAndKeep(ReduceAndKeep(Mul(d, d), ReduceMean, 0), ReduceMean, 1), ReduceMean, 2)
			return Div(d, Sqrt(AddScalar(v, 1e-3)))
		}
		relu := func(in []*Node) *Node { y := fn(in); return Max(y, ZerosLike(y)) }
		xs, dy, other := normal(rng, x.Shape()), normal(rng, x.Shape()), normal(rng, x.Shape())
		oracles := []*oracle{
			{"oracle", []shapes.Shape{one.Shape()}, func(_ *Graph, in []*Node) []*Node { return []*Node{fn(in)} }},
			{"oracle gradient", []shapes.Shape{one.Shape(), one.Shape()}, gradOf(fn)},
			{"oracle gradient with relu", []shapes.Shape{one.Shape(), one.Shape()}, gradOf(relu)},
		}
		var want [3][]float64
		for b, n := 0, len(xs)/2; b < 2; b++ {
			xs, dy := xs[b*n:(b+1)*n], dy[b*n:(b+1)*n]
			want[0] = append(want[0], runOp(t, c, oracles[0], xs)[0]...)
			want[1] = append(want[1], runOp(t, c, oracles[1], xs, dy)[0]...)
			want[2] = append(want[2], runOp(t, c, oracles[2], xs, dy)[0]...)
		}
		sum, positive := make([]float64, len(xs)), make([]float64, len(xs))
		for i := range xs {
			sum[i] = other[i] + 2*want[0][i]
			positive[i] = max(sum[i], 0)
		}
		for _, l := range all {
			stats := runOp(t, l.Cache, Moments{x, 1e-3}, xs)[0]
			compare(t, l.name+": forward", runOp(t, l.Cache, Merge{X: x, Normalized: 1, Sum: true}, xs, stats)[0], want[0])
			compare(t, l.name+": gradient", runOp(t, l.Cache, BatchNormGrad{X: x}, dy, xs, stats)[0], want[1])
			compare(t, l.name+": gradient through relu", runOp(t, l.Cache, BatchNormGrad{X: x, ReLU: true}, dy, xs, stats)[0], want[2])
			got := runOp(t, l.Cache, Merge{X: x, Terms: 1, Normalized: 2, Sum: true, ReLU: true}, other, xs, stats, xs, stats)
			compare(t, l.name+": sum of plain and normalised", got[0], sum)
			compare(t, l.name+": its positive part", got[1], positive)
		}
	})

	t.Run("cross-entropy", func(t *testing.T) {
		logits, labels := normal(rng, vec.Shape()), []int32{0, 4, 2, 1, 1, 3}
		out := runOp(t, c, CrossEntropy{vec}, logits, labels)
		for b := range 2 {
			loss := 0.0
			for i := 3 * b; i < 3*b+3; i++ {
				sum := 0.0
				for k := range 5 {
					sum += math.Exp(logits[i*5+k])
				}
				loss += (math.Log(sum) - logits[i*5+int(labels[i])]) / 3
				for k := range 5 {
					want := math.Exp(logits[i*5+k]) / sum / 3
					if k == int(labels[i]) {
						want -= 1.0 / 3
					}
					compare(t, "dlogits", out[1][i*5+k:i*5+k+1], []float64{want})
				}
			}
			compare(t, "loss", out[0][b:b+1], []float64{loss})
		}
	})

	t.Run("sum", func(t *testing.T) {
		// Two plain terms and two rectifiers with two and one gradients.
		op := Sum{X: x, Terms: 2, Masked: [3]int{2, 1}}
		var args []any
		v := make([][]float64, 7)
		for i := range v {
			v[i] = normal(rng, x.Shape())
			args = append(args, v[i])
		}
		v[2][0], v[5][1] = 0, 0 // the derivative of a rectifier at 0 is 0
		want := make([]float64, len(v[0]))
		for i := range want {
			want[i] = v[0][i] + v[1][i]
			if v[2][i] > 0 {
				want[i] += v[3][i] + v[4][i]
			}
			if v[5][i] > 0 {
				want[i] += v[6][i]
			}
		}
		for _, l := range all {
			compare(t, l.name+": sum", runOp(t, l.Cache, op, args...)[0], want)
		}
	})
}

// TestStatistic checks the statistic on its own, with entries that are equal in all batches and entries that are zero.
func TestStatistic(t *testing.T) {
	all := lowerings(t)
	rng := rand.New(rand.NewPCG(5, 6))
	for _, batches := range []int{2, 3, 5} {
		op := Statistic{dtypes.Float64, 50, batches}
		grads := make([][]float64, batches)
		var args []any
		for b := range grads {
			grads[b] = normal(rng, shapes.Make(dtypes.Float64, 50))
			grads[b][0] = 0
			grads[b][1] = 0.5
			args = append(args, grads[b])
		}
		grads[0][2], grads[1][2] = 0.25, -0.25 // equal in size only: counts for the code's statistic, not for the paper's with two batches
		for _, l := range all {
			got := runOp(t, l.Cache, op, args...)[0]
			compareStatistic(t, got, grads)
			if got[StatNonZero] != 48 {
				t.Errorf("%s, %d batches: %v weights counted, want 48: two are equal in every batch", l.name, batches, got[StatNonZero])
			}
			if batches == 2 && got[StatAbsNonZero] != 47 {
				t.Errorf("%s, Eq. 15: %v weights counted, want 47", l.name, got[StatAbsNonZero])
			}
		}
	}
}

// TestCache checks that an operation is compiled once, that the limit holds, that evicted operations come back, and that a finalized cache says so.
func TestCache(t *testing.T) {
	c := newCache(t, Config{Limit: 2, Kernels: "xla"})
	act := func(n int) Act { return Act{DType: dtypes.Float32, Batches: 1, Images: 1, H: 1, W: 1, C: n} }
	relu := func(n int) Op { return Merge{X: act(n), Terms: 1, ReLU: true} }
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := c.Prepare(context.Background(), []Op{relu(1), relu(2)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s := c.Stats(); s.Misses != 2 || s.Kernels != 2 || s.Evicted != 0 {
		t.Errorf("after asking 8 times for 2 operations: %+v", s)
	}
	for n := range 5 {
		b, err := be.BufferFromFlatData(0, make([]float32, n+1), act(n+1).Shape())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Call(relu(n+1), []compute.Buffer{b}); err != nil {
			t.Fatal(err)
		}
	}
	if s := c.Stats(); s.Kernels != 2 || s.Evicted != 3 {
		t.Errorf("after 5 operations through a cache of 2: %+v", s)
	}
	bad := Channels{X: act(3), From: 1, To: 9}
	if _, _, err := c.Call(bad, nil); err == nil || !strings.Contains(err.Error(), bad.Name()) {
		t.Errorf("an impossible operation gave the error %v, which should name %q", err, bad.Name())
	}
	c.Finalize()
	if _, _, err := c.Call(relu(1), nil); err != ErrFinalized {
		t.Errorf("after Finalize: %v, want ErrFinalized", err)
	}
}
