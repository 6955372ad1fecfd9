package kernel

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// proxyCase is an operation on float64 with a plain computation of what it returns.
type proxyCase struct {
	op   Op
	want func(in [][]float64) []float64
	// args changes random arguments into useful ones.
	args func(in [][]float64)
	tol  float64 // relative to the greatest value of a row
	row  int     // length of a row; 0 means all
	// tol32 is the tolerance in float32; 0 means tol, since sums are in double precision.
	tol32 float64
}

// as32 is the operation on float32.
func as32(op Op) Op {
	switch o := op.(type) {
	case WeightProducts:
		o.DType = dtypes.Float32
		return o
	case SignSum:
		o.DType = dtypes.Float32
		return o
	case GradGram:
		o.DType = dtypes.Float32
		return o
	}
	return narrowed(op)
}

// momentsOf is what Moments computes of x, with an eps of 1e-3.
func momentsOf(a Act, x []float64) []float64 {
	stats := make([]float64, a.Batches*3*a.C)
	n := a.Images * a.H * a.W
	for b := range a.Batches {
		for c := range a.C {
			var mean, m2 float64
			for p := range n {
				mean += x[(b*n+p)*a.C+c] / float64(n)
			}
			for p := range n {
				d := x[(b*n+p)*a.C+c] - mean
				m2 += d * d / float64(n)
			}
			// Rounded to float32, and what that took: both types see the same.
			m := float64(float32(mean))
			stats[(3*b)*a.C+c], stats[(3*b+1)*a.C+c], stats[(3*b+2)*a.C+c] = m, float64(float32(mean-m)), float64(float32(1/math.Sqrt(m2+1e-3)))
		}
	}
	return stats
}

// plainNormGrad is BatchNormGrad and the normalised x.
func plainNormGrad(a Act, relu bool, dy, x, stats []float64) (masked, y, dx []float64) {
	n := a.Images * a.H * a.W
	masked, y, dx = slices.Clone(dy), make([]float64, len(x)), make([]float64, len(x))
	for b := range a.Batches {
		for c := range a.C {
			mean, rest, inv := stats[3*b*a.C+c], stats[(3*b+1)*a.C+c], stats[(3*b+2)*a.C+c]
			var m1, m2 float64
			for p := range n {
				i := (b*n+p)*a.C + c
				y[i] = (x[i] - mean - rest) * inv
				if relu && !(y[i] > 0) {
					masked[i] = 0
				}
				m1 += masked[i] / float64(n)
				m2 += masked[i] * y[i] / float64(n)
			}
			for p := range n {
				i := (b*n+p)*a.C + c
				dx[i] = inv * (masked[i] - m1 - y[i]*m2)
			}
		}
	}
	return masked, y, dx
}

// plainSquares is for each batch and channel the sum over images of (the sum over pixels of x*y) squared.
func plainSquares(a Act, b, c int, x, y []float64) float64 {
	total := 0.0
	for i := range a.Images {
		s := 0.0
		for p := range a.H * a.W {
			at := ((b*a.Images+i)*a.H*a.W+p)*a.C + c
			s += x[at] * y[at]
		}
		total += s * s
	}
	return total
}

// plainSum is the sum of a batch's channel.
func plainSum(a Act, b, c int, x func(i int) float64) float64 {
	n, total := a.Images*a.H*a.W, 0.0
	for p := range n {
		total += x((b*n+p)*a.C + c)
	}
	return total
}

func normProductsCase(a Act, relu bool) proxyCase {
	return proxyCase{op: NormProducts{a, relu}, tol: 1e-9, row: a.C, args: func(in [][]float64) {
		if a.H > 10 { // far from 0
			for i, x := range in[1] {
				in[1][i] = float64(float32(100 + x))
			}
		}
		in[2] = momentsOf(a, in[1])
	}, want: func(in [][]float64) []float64 {
		dy, y, dx := plainNormGrad(a, relu, in[0], in[1], in[2])
		var out []float64
		for b := range a.Batches {
			var rows [3][]float64
			for c := range a.C {
				rows[0] = append(rows[0], plainSquares(a, b, c, in[1], dx))
				rows[1] = append(rows[1], plainSum(a, b, c, func(i int) float64 { return dy[i] * y[i] }))
				rows[2] = append(rows[2], plainSum(a, b, c, func(i int) float64 { return dy[i] }))
			}
			out = append(out, slices.Concat(rows[0], rows[1], rows[2])...)
		}
		return out
	}}
}

func channelProductsCase(a Act) proxyCase {
	return proxyCase{op: ChannelProducts{a}, tol: 1e-12, row: a.C, want: func(in [][]float64) []float64 {
		var out []float64
		for b := range a.Batches {
			var rows [2][]float64
			for c := range a.C {
				rows[0] = append(rows[0], plainSquares(a, b, c, in[0], in[1]))
				rows[1] = append(rows[1], plainSum(a, b, c, func(i int) float64 { return in[1][i] }))
			}
			out = append(out, slices.Concat(rows[0], rows[1])...)
		}
		return out
	}}
}

func signsCase(a Act) proxyCase {
	return proxyCase{op: Signs{a}, args: func(in [][]float64) {
		for i := range in[0] {
			switch {
			case i%3 == 0:
				in[0][i] = 0
			case i%31 == 1:
				in[0][i] = math.Copysign(0, -1)
			}
		}
	}, want: func(in [][]float64) []float64 {
		n := a.H * a.W * a.C
		var out []float64
		for b := range a.Batches {
			for i := range a.Images {
				for j := range a.Images {
					agree := 0.0
					for k := range n {
						if (in[0][(b*a.Images+i)*n+k] > 0) == (in[0][(b*a.Images+j)*n+k] > 0) {
							agree++
						}
					}
					out = append(out, agree)
				}
			}
		}
		return out
	}}
}

// covariancesCase checks Covariances of pictures a.
func covariancesCase(x Act) proxyCase {
	return proxyCase{op: Covariances{x}, tol: 1e-12, want: func(in [][]float64) []float64 {
		n, size := x.Batches*x.Images, x.H*x.W*x.C
		out := make([]float64, n*n)
		for i := range n {
			for j := range n {
				a, b := in[0][i*size:(i+1)*size], in[0][j*size:(j+1)*size]
				var ma, mb float64
				for k := range a {
					ma += a[k] / float64(size)
					mb += b[k] / float64(size)
				}
				for k := range a {
					out[i*n+j] += (a[k] - ma) * (b[k] - mb)
				}
			}
		}
		return out
	}}
}

func gradCases(size, n int) []proxyCase {
	zeros := func(in [][]float64) {
		for i := range in {
			for k := i % 5; k < size; k += 7 {
				in[i][k] = 0
			}
		}
	}
	return []proxyCase{
		{op: SignSum{dtypes.Float64, size, n}, tol: 1e-12, row: 1, args: zeros, want: func(in [][]float64) []float64 {
			out := make([]float64, 2)
			for k := range size {
				var sign, sum float64
				for _, g := range in {
					sum += g[k]
					if g[k] != 0 {
						sign += math.Copysign(1, g[k])
					}
				}
				out[0] += math.Abs(sign)
				out[1] += sum * sum
			}
			return out
		}},
		{op: GradGram{dtypes.Float64, size, n}, tol: 1e-12, want: func(in [][]float64) []float64 {
			var out []float64
			for _, x := range in {
				for _, y := range in {
					s := 0.0
					for k := range x {
						s += x[k] * y[k]
					}
					out = append(out, s)
				}
			}
			return out
		}},
	}
}

func weightProductsCase(k, in, out int) proxyCase {
	return proxyCase{op: WeightProducts{dtypes.Float64, k, in, out}, tol: 1e-12, row: 1, want: func(in [][]float64) []float64 {
		out := make([]float64, 4)
		for i, w := range in[0] {
			g := in[1][i]
			out[0] += math.Abs(w * g)
			out[1] += w * g
			out[2] += w * w
			out[3] += g * g
		}
		return out
	}}
}

func distanceCase(a Act) proxyCase {
	a.Batches = 2
	return proxyCase{op: FeatureDistance{a}, tol: 1e-12, want: func(in [][]float64) []float64 {
		n := a.H * a.W * a.C
		out := make([]float64, a.Images)
		for i := range in[0][:a.Images*n] {
			out[i/n] += math.Abs(in[0][i] - in[0][i+a.Images*n])
		}
		return out
	}}
}

func seedCase(a Act) proxyCase {
	images, n := a.Batches*a.Images, a.H*a.W*a.C
	from, to := images/3, (2*images+2)/3
	return proxyCase{op: Seed{a, from, to}, want: func([][]float64) []float64 {
		out := make([]float64, images*n)
		for i := from * n; i < to*n; i++ {
			out[i] = 1
		}
		return out
	}}
}

// tangentCase has expected values from the three rows of the formula, which TestTangents compares with automatic gradients.
func tangentCase(a Act) proxyCase {
	return proxyCase{op: BatchNormTangent{a}, tol: 1e-12, tol32: 2e-6, args: func(in [][]float64) { in[2] = momentsOf(a, in[1]) }, want: func(in [][]float64) []float64 {
		dy, x, stats, dyt, xt := in[0], in[1], in[2], in[3], in[4]
		_, y, dx := plainNormGrad(a, false, dy, x, stats)
		_, _, yt := plainNormGrad(a, false, xt, x, stats)
		_, _, linear := plainNormGrad(a, false, dyt, x, stats)
		n := a.Images * a.H * a.W
		out := make([]float64, len(dx))
		for b := range a.Batches {
			for c := range a.C {
				mean := func(x, y []float64) float64 {
					return plainSum(a, b, c, func(i int) float64 { return x[i] * y[i] }) / float64(n)
				}
				inv, q, m2, m3 := stats[(3*b+2)*a.C+c], mean(y, xt), mean(dy, y), mean(dy, yt)
				for p := range n {
					i := (b*n+p)*a.C + c
					out[i] = linear[i] - inv*q*dx[i] - inv*(yt[i]*m2+y[i]*m3)
				}
			}
		}
		return out
	}}
}

func maxTangentCase(o MaxPooling) proxyCase {
	return proxyCase{op: MaxPoolingTangent{o}, args: func(in [][]float64) {
		for i, x := range in[0] {
			in[0][i] = math.Round(2 * x) // many are alike
		}
	}, want: func(in [][]float64) []float64 {
		y := o.OutAct()
		var out []float64
		for i := range o.X.Batches * o.X.Images {
			for r := range y.H {
				for c := range y.W {
					for ch := range y.C {
						best, at := math.Inf(-1), -1
						for kr := range o.Kernel {
							for kc := range o.Kernel {
								row, col := r*o.Stride-o.Pad+kr, c*o.Stride-o.Pad+kc
								if row < 0 || row >= o.X.H || col < 0 || col >= o.X.W {
									continue
								}
								if k := ((i*o.X.H+row)*o.X.W+col)*o.X.C + ch; in[0][k] > best {
									best, at = in[0][k], k
								}
							}
						}
						out = append(out, in[1][at])
					}
				}
			}
		}
		return out
	}}
}

// proxyCases are all operations of the proxies on a shape.
func proxyCases(a Act) []proxyCase {
	cases := []proxyCase{normProductsCase(a, false), normProductsCase(a, true), channelProductsCase(a), signsCase(a), covariancesCase(a), distanceCase(a), seedCase(a), tangentCase(a)}
	for _, o := range []MaxPooling{{a, 3, 1, 1}, {a, 3, 2, 1}, {a, 2, 2, 0}} {
		if a.H >= o.Kernel && a.W >= o.Kernel {
			cases = append(cases, maxTangentCase(o))
		}
	}
	return cases
}

// TestProxies compares the operations that other proxies need with plain computations, in every lowering and both types, on odd shapes, and checks that the results do not depend on the number of threads.
func TestProxies(t *testing.T) {
	all := lowerings(t)
	rng := rand.New(rand.NewPCG(11, 12))
	act := func(batches, images, h, w, c int) Act {
		return Act{DType: dtypes.Float64, Batches: batches, Images: images, H: h, W: w, C: c}
	}
	var cases []proxyCase
	for _, a := range []Act{
		act(2, 7, 5, 5, 3), act(1, 7, 5, 5, 17), act(2, 3, 7, 3, 33), act(1, 9, 1, 1, 10), act(2, 1, 5, 5, 8),
		act(1, 33, 9, 9, 16), act(2, 5, 33, 31, 17), act(1, 2, 19, 21, 4), act(1, 6, 4, 4, 12), act(1, 4, 6, 5, 64),
	} {
		cases = append(cases, proxyCases(a)...)
	}
	cases = append(cases, weightProductsCase(0, 64, 10), weightProductsCase(3, 3, 17), weightProductsCase(3, 33, 70), weightProductsCase(1, 1, 1))
	for _, s := range [][2]int{{1, 1}, {5, 3}, {433, 7}, {2309, 4}, {5000, 13}, {40001, 3}, {900, 128}, {17, 41}} {
		cases = append(cases, gradCases(s[0], s[1])...)
	}
	worst := map[string]float64{}
	for _, tc := range cases {
		t.Run(tc.op.Name(), func(t *testing.T) {
			// The values are those of float32, so that both types see the same.
			var in [][]float64
			for _, s := range tc.op.Inputs() {
				v := make([]float64, s.Size())
				for i := range v {
					v[i] = float64(float32(rng.NormFloat64() + 0.5))
				}
				in = append(in, v)
			}
			if tc.args != nil {
				tc.args(in)
			}
			want := tc.want(in)
			var in64, in32 []any
			for _, v := range in {
				n := make([]float32, len(v))
				for i := range v {
					n[i] = float32(v[i])
				}
				in64, in32 = append(in64, v), append(in32, n)
			}
			for _, l := range all {
				if l.name != "xla" && !vectorized(tc.op) {
					continue
				}
				run := func(bits int) []float64 {
					if bits == 64 {
						return runOp(t, l.Cache, tc.op, in64...)[0]
					}
					if as32(tc.op).(vectorOutputs).outputs()[0].DType == dtypes.Float64 {
						return runOp(t, l.Cache, as32(tc.op), in32...)[0]
					}
					var out []float64
					for _, x := range runAs[float32](t, l.Cache, as32(tc.op), in32...)[0] {
						out = append(out, float64(x))
					}
					return out
				}
				for _, bits := range []int{64, 32} {
					what, tol := fmt.Sprintf("%s, float%d", l.name, bits), tc.tol
					if bits == 32 && tc.tol32 > 0 {
						tol = tc.tol32
					}
					got := run(bits)
					e := off(got, want, tc.row)
					if !(e <= tol) {
						t.Errorf("%s: off by %.2g of the greatest value, want at most %.2g", what, e, tol)
					}
					key := fmt.Sprintf("%T %s", tc.op, what)
					worst[key] = max(worst[key], e)
					if l.name == "xla" {
						continue
					}
					threads := runtime.GOMAXPROCS(1)
					for _, n := range []int{1, 3, 8} {
						runtime.GOMAXPROCS(n)
						if again := run(bits); !slices.Equal(again, got) {
							t.Errorf("%s: %d threads give other bits", what, n)
						}
					}
					runtime.GOMAXPROCS(threads)
				}
			}
		})
	}
	if testing.Verbose() {
		for what, e := range worst {
			fmt.Printf("%.1e %s\n", e, what)
		}
	}
}

// off is the greatest difference of two vectors, relative to the greatest value of the second in a row of so many; infinite if their lengths differ or a value is not a number.
func off(got, want []float64, row int) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	if row == 0 {
		row = len(want)
	}
	worst := 0.0
	for ; len(want) > 0; got, want = got[row:], want[row:] {
		var diff, scale float64
		for i, w := range want[:row] {
			d := math.Abs(got[i] - w)
			if math.IsNaN(d) {
				return math.Inf(1)
			}
			diff, scale = max(diff, d), max(scale, math.Abs(w))
		}
		if diff > 0 {
			worst = max(worst, diff/scale)
		}
	}
	return worst
}

// tangentOf turns a function of some inputs into one that takes also a tangent of each and a zero of the output's shape, and returns the tangent of the output: the gradient, by the weights of a sum of the output, of the sum's gradient along the tangents.
func tangentOf(f func(in []*Node) *Node) func(*Graph, []*Node) []*Node {
	return func(g *Graph, in []*Node) []*Node {
		n := len(in) / 2
		x, xt, w := in[:n], in[n:2*n], in[2*n]
		var along *Node
		for i, d := range Gradient(ReduceAllSum(Mul(f(x), w)), x...) {
			s := ReduceAllSum(Mul(d, xt[i]))
			if along == nil {
				along = s
			} else {
				along = Add(along, s)
			}
		}
		return Gradient(along, w)
	}
}

// TestTangents compares the tangents of gradients with GoMLX's automatic gradients in float64.
func TestTangents(t *testing.T) {
	all := lowerings(t)
	c := all[0].Cache
	rng := rand.New(rand.NewPCG(13, 14))
	t.Run("batchnorm", func(t *testing.T) {
		for _, x := range []Act{{DType: dtypes.Float64, Batches: 1, Images: 7, H: 5, W: 5, C: 3}, {DType: dtypes.Float64, Batches: 1, Images: 1, H: 4, W: 6, C: 17}} {
			norm := func(in []*Node) *Node {
				mean := ReduceAndKeep(in[0], ReduceMean, 0, 1, 2)
				d := Sub(in[0], mean)
				return Div(d, Sqrt(AddScalar(ReduceAndKeep(Mul(d, d), ReduceMean, 0, 1, 2), 1e-1)))
			}
			// in: dy, x
			grad := func(in []*Node) *Node { return Gradient(ReduceAllSum(Mul(norm(in[1:]), in[0])), in[1])[0] }
			o := &oracle{"oracle", repeat(x.Shape(), 5), tangentOf(grad)}
			dy, xs, dyt, xt := normal(rng, x.Shape()), normal(rng, x.Shape()), normal(rng, x.Shape()), normal(rng, x.Shape())
			want := runOp(t, c, o, dy, xs, dyt, xt, make([]float64, len(xs)))[0]
			for _, l := range all {
				stats := runOp(t, l.Cache, Moments{x, 1e-1}, xs)[0]
				compare(t, l.name, runOp(t, l.Cache, BatchNormTangent{x}, dy, xs, stats, dyt, xt)[0], want)
			}
		}
	})
	t.Run("cross-entropy", func(t *testing.T) {
		x := Act{DType: dtypes.Float64, Batches: 1, Images: 6, H: 1, W: 1, C: 5}
		grad := func(in []*Node) *Node {
			logits := Reshape(in[0], 6, 5)
			hot := OneHot(Const(in[0].Graph(), []int32{0, 4, 2, 1, 1, 3}), 5, dtypes.Float64)
			nll := Neg(MulScalar(ReduceAllSum(Mul(hot, Sub(logits, Log(ReduceAndKeep(Exp(logits), ReduceSum, -1))))), 1.0/6))
			return Gradient(nll, in[0])[0]
		}
		o := &oracle{"oracle", repeat(x.Shape(), 3), tangentOf(grad)}
		logits, tangent := normal(rng, x.Shape()), normal(rng, x.Shape())
		want := runOp(t, c, o, logits, tangent, make([]float64, len(logits)))[0]
		compare(t, "tangent", runOp(t, c, CrossEntropyTangent{x}, logits, tangent)[0], want)
		two := x
		two.Batches, two.Images = 2, 3 // each batch has its own mean
		for i := range want {
			want[i] *= 2
		}
		compare(t, "tangent of two batches", runOp(t, c, CrossEntropyTangent{two}, logits, tangent)[0], want)
	})
}

// TestSignsLarge compares the counts of bits on more images than are compared at once, and more bits than a word has, with exclusive ors.
func TestSignsLarge(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	a := Act{DType: dtypes.Float64, Batches: 1, Images: 70, H: 8, W: 8, C: 20}
	n := a.H * a.W * a.C
	y := make([]float64, a.Images*n)
	packed := make([]uint64, len(y)/64)
	for i := range y {
		if y[i] = rng.NormFloat64(); y[i] > 0 {
			packed[i/64] |= 1 << (i % 64)
		}
	}
	for _, l := range lowerings(t) {
		got := runOp(t, l.Cache, Signs{a}, y)[0]
		for i := range a.Images {
			for j := range a.Images {
				want := n
				for k := range n / 64 {
					want -= bits.OnesCount64(packed[i*n/64+k] ^ packed[j*n/64+k])
				}
				if got[i*a.Images+j] != float64(want) {
					t.Fatalf("%s: images %d and %d: %v, want %d", l.name, i, j, got[i*a.Images+j], want)
				}
			}
		}
	}
}

// vectorOutputs are operations that know the shapes of their outputs.
type vectorOutputs interface{ outputs() []shapes.Shape }
