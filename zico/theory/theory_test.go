package theory

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/zeroshotnas/zeroshot/zico/images"
)

// digits draws sets of the embedded digits.
func digits(t *testing.T, sizes ...int) []*Set {
	t.Helper()
	src, err := images.Open("digits")
	if err != nil {
		t.Fatal(err)
	}
	sets, err := Draw(src, 1, sizes...)
	if err != nil {
		t.Fatal(err)
	}
	return sets
}

// random is a set of random directions, all with values of the same sign if acute.
func random(rng *rand.Rand, n, d int, acute bool) *Set {
	s := &Set{N: n, D: d}
	for range n {
		x, squares := make([]float64, d), 0.0
		for j := range x {
			x[j] = rng.NormFloat64()
			if acute {
				x[j] = math.Abs(x[j])
			}
			squares += x[j] * x[j]
		}
		for _, v := range x {
			s.X = append(s.X, v/math.Sqrt(squares))
		}
		s.Y = append(s.Y, rng.NormFloat64())
	}
	return s
}

// near checks a value within a relative tolerance.
func near(t *testing.T, name string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*max(1e-300, math.Abs(want))) {
		t.Errorf("%s is %v, want %v within %g of it", name, got, want, tol)
	}
}

func TestDraw(t *testing.T) {
	sets := digits(t, 100, 50)
	for _, s := range sets {
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
	}
	if again := digits(t, 100); !reflect.DeepEqual(again[0], sets[0]) {
		t.Error("the first set depends on the size of the second")
	}
	// Disjoint: no two images of scikit-learn's digits among these are equal.
	for i := range 100 {
		for j := range 50 {
			if slices.Equal(sets[0].X[i*64:(i+1)*64], sets[1].X[j*64:(j+1)*64]) {
				t.Errorf("image %d of the first set is image %d of the second", i, j)
			}
		}
	}
	if h := sets[0].Head(7); h.N != 7 || h.Validate() != nil || h.Y[6] != sets[0].Y[6] {
		t.Errorf("Head(7) has %d inputs: %v", h.N, h.Validate())
	}
	if r := sets[0].Relabel(func(y float64) float64 { return -y }); r.Y[3] != -sets[0].Y[3] || sets[0].Y[3] < 0 {
		t.Error("Relabel does not make labels of its own")
	}
}

func TestErrors(t *testing.T) {
	photos, err := images.Open("embedded")
	if err != nil {
		t.Fatal(err)
	}
	src, err := images.Open("digits")
	if err != nil {
		t.Fatal(err)
	}
	s := digits(t, 64, 8)
	long := &Set{N: 1, D: 2, X: []float64{1, 1}, Y: []float64{0}}
	n, err := NewNetwork(8, 64, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name string
		run  func() error
		word string
	}{
		{"colour", func() error { _, err := Draw(photos, 1, 10); return err }, "not greyscale"},
		{"too many", func() error { _, err := Draw(src, 1, 1000, 798); return err }, "1797"},
		{"no image", func() error { _, err := Draw(src, 1, 0); return err }, "at least 1"},
		{"length", func() error { _, err := Linear(t.Context(), long, LinearConfig{}); return err }, "input 0 has the length 1.414"},
		{"no set", func() error { _, err := GramLimit(nil); return err }, "invalid set"},
		{"rate", func() error { _, err := Linear(t.Context(), s[0], LinearConfig{Rate: math.NaN()}); return err }, "below 0"},
		{"weights", func() error { _, err := s[0].Step(make([]float64, 3), 1); return err }, "3 weights for inputs of 64"},
		{"width", func() error { _, err := NewNetwork(0, 3, 1, 1); return err }, "width 0"},
		{"inputs", func() error { _, err := n.Loss(long); return err }, "a network on 64 values, inputs of 2"},
		{"one batch", func() error { _, err := Epochs(t.Context(), s[0], s[1], EpochsConfig{Batch: 64}); return err }, "at least two batches"},
		{"rows", func() error { _, err := n.Linearised(s[0], mat.NewSymDense(3, nil), 1, 1); return err }, "3 rows for 64"},
		{"diverges", func() error {
			_, err := Epochs(t.Context(), s[0], s[1], EpochsConfig{Batch: 8, Rate: 1e200})
			return err
		}, "take a lower rate"},
	} {
		if err := test.run(); err == nil || !strings.Contains(err.Error(), test.word) {
			t.Errorf("%s: error %v does not say %q", test.name, err, test.word)
		}
	}
	for name, run := range map[string]func() error{
		"Linear":  func() error { _, err := Linear(ctx, s[0], LinearConfig{}); return err },
		"Epochs":  func() error { _, err := Epochs(ctx, s[0], s[1], EpochsConfig{Batch: 8}); return err },
		"Descend": func() error { _, err := n.Descend(ctx, s[0], 1, 1); return err },
	} {
		if err := run(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want context.Canceled", name, err)
		}
	}
}

// TestStep computes a step from the per-sample gradients, and those by finite differences.
func TestStep(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	s := random(rng, 9, 5, false)
	a := make([]float64, s.D)
	for j := range a {
		a[j] = rng.NormFloat64()
	}
	loss := func(i int, a []float64) float64 {
		e := -s.Y[i]
		for j, x := range s.X[i*s.D : (i+1)*s.D] {
			e += a[j] * x
		}
		return e * e / 2
	}
	m := float64(s.N)
	next, mu := slices.Clone(a), make([]float64, s.D)
	var before, after, mean, variance, g float64
	const rate, h = .3, 1e-5
	for j := range s.D {
		var sum, squares float64
		for i := range s.N {
			up, down := slices.Clone(a), slices.Clone(a)
			up[j] += h
			down[j] -= h
			d := (loss(i, up) - loss(i, down)) / (2 * h)
			sum += d
			squares += d * d
		}
		mu[j] = sum / m
		next[j] -= rate * sum
		mean += mu[j] * mu[j]
		variance += squares/m - mu[j]*mu[j]
		g += squares
	}
	for i := range s.N {
		before += loss(i, a)
		after += loss(i, next)
	}
	st, err := s.Step(a, rate)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "loss before", st.Before, before, 1e-12)
	near(t, "loss after", st.After, after, 1e-8)
	near(t, "sum mu^2", st.Mean, mean, 1e-8)
	near(t, "sum sigma^2", st.Variance, variance, 1e-8)
	near(t, "G", st.g(), g, 1e-8)
	near(t, "G/2 as the loss before", st.g()/2, before, 1e-8)
	near(t, "the printed bound", st.Printed(), g/2-rate/2*m*m*(2-rate)*mean, 1e-8)
}

// TestBounds tries the bounds on random instances: those that are proven hold in each, and the first as printed does not.
func TestBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	printed, trials := 0, 0
	for trial := range 300 {
		n, d := 1+rng.IntN(30), 1+rng.IntN(30)
		s := random(rng, n, d, trial%2 == 0)
		a := make([]float64, d)
		for j := range a {
			a[j] = rng.NormFloat64() * math.Exp(3*rng.NormFloat64())
		}
		for _, rate := range []float64{1 / float64(n), 2 * rng.Float64(), rng.Float64() / float64(n)} {
			st, err := s.Step(a, rate)
			if err != nil {
				t.Fatal(err)
			}
			// Rounding is relative to the terms that a bound is a difference of.
			slack := 1e-9 * (st.Before + rate*rate*float64(n*n*n)*st.Mean)
			if st.After > st.MeanBound()+slack {
				t.Errorf("%d inputs, rate %v: the loss %v is above the bound of the mean %v", n, rate, st.After, st.MeanBound())
			}
			if st.After < st.Floor()-slack {
				t.Errorf("%d inputs, rate %v: the loss %v is below the floor %v", n, rate, st.After, st.Floor())
			}
			if rate == 1/float64(n) {
				if st.After > st.VarianceBound()+slack {
					t.Errorf("%d inputs: the loss %v is above the bound of the variance %v", n, st.After, st.VarianceBound())
				}
				near(t, "the bound of the variance", st.VarianceBound(), st.MeanBound(), 1e-6)
			}
			trials++
			if st.After <= st.Printed()+slack {
				printed++
			}
		}
	}
	if printed == trials {
		t.Errorf("the bound as printed held in all %d steps: what Printed and the notebook say of it is wrong", trials)
	}
}

// TestAlike has all inputs equal, where the bounds are equalities.
func TestAlike(t *testing.T) {
	s := &Set{N: 4, D: 2, X: slices.Repeat([]float64{.6, .8}, 4), Y: []float64{1, 2, 3, 6}}
	st, err := s.Step([]float64{.5, -1}, 1./4)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "loss after", st.After, 7, 1e-12) // sum of (y-3)^2, halved
	near(t, "the bound of the variance", st.VarianceBound(), 7, 1e-12)
	near(t, "the bound of the mean", st.MeanBound(), 7, 1e-12)
}

// TestGradient compares the network's gradient with finite differences and its loss with the definition.
func TestGradient(t *testing.T) {
	s := digits(t, 12)[0].Relabel(func(y float64) float64 { return y / 9 })
	n, err := NewNetwork(6, s.D, 1.5, 4)
	if err != nil {
		t.Fatal(err)
	}
	var want float64
	for i := range s.N {
		var h float64
		for r := range n.Width {
			var z float64
			for j := range s.D {
				z += n.W[r*s.D+j] * s.X[i*s.D+j]
			}
			h += n.S[r] * max(z, 0) / math.Sqrt(float64(n.Width))
		}
		want += (h - s.Y[i]) * (h - s.Y[i]) / 2 / float64(s.N)
	}
	loss := func() float64 {
		l, err := n.Loss(s)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	near(t, "loss", loss(), want, 1e-12)
	g, err := n.Gradient(s)
	if err != nil {
		t.Fatal(err)
	}
	const h = 1e-6
	for i, w := range n.W {
		n.W[i] = w + h
		up := loss()
		n.W[i] = w - h
		down := loss()
		n.W[i] = w
		if d := (up - down) / (2 * h); math.Abs(g[i]-d) > 1e-8 {
			t.Fatalf("the gradient of weight %d is %v, by finite differences %v", i, g[i], d)
		}
	}
}

// TestEpochs repeats one network by hand, and checks that results depend on neither progress nor what runs beside them.
func TestEpochs(t *testing.T) {
	sets := digits(t, 100, 40)
	c := EpochsConfig{Widths: []int{8, 16}, Draws: 3, Scales: []float64{.5, 1}, Batch: 32, Rate: .5, Seed: 9}
	var told []int
	c.Progress = func(done, total int) { told = append(told, done*100+total) }
	es, err := Epochs(t.Context(), sets[0], sets[1], c)
	if err != nil {
		t.Fatal(err)
	}
	if len(es) != 12 || len(told) != 12 || told[11] != 1212 {
		t.Fatalf("%d networks, progress %v, want 12 of each", len(es), told)
	}
	c.Progress = nil
	if again, _ := Epochs(t.Context(), sets[0], sets[1], c); !reflect.DeepEqual(again, es) {
		t.Error("the same configuration gave other results")
	}
	e := es[1*2*3+1*3+2] // second scale, second width, third draw
	n, err := NewNetwork(16, 64, 1, 11)
	if err != nil {
		t.Fatal(err)
	}
	if e.Width != 16 || e.Scale != 1 || e.Seed != 11 {
		t.Fatalf("network %+v, want width 16, scale 1, seed 11", e)
	}
	start, _ := n.Loss(sets[0])
	near(t, "loss at the start", e.Start, start, 1e-12)
	var grads [][]float64
	for b := range 3 {
		g, err := n.Gradient(sets[0].part(b*32, (b+1)*32))
		if err != nil {
			t.Fatal(err)
		}
		grads = append(grads, g)
		if b == 1 { // both at the initial weights
			at, _ := NewNetwork(16, 64, 1, 11)
			first, _ := at.Gradient(sets[0].part(0, 32))
			second, _ := at.Gradient(sets[0].part(32, 64))
			near(t, "ZiCo", e.ZiCo, ZiCo(first, second), 1e-12)
		}
		for i, v := range g {
			n.W[i] -= .5 * v
		}
	}
	var sigma, mean float64
	for w := range n.W {
		m := (grads[0][w] + grads[1][w] + grads[2][w]) / 3
		var v float64
		for b := range 3 {
			v += (grads[b][w] - m) * (grads[b][w] - m) / 3
		}
		sigma += math.Sqrt(v) / float64(len(n.W))
		mean += math.Abs(m) / float64(len(n.W))
	}
	train, _ := n.Loss(sets[0])
	test, _ := n.Loss(sets[1])
	near(t, "sigma", e.Sigma, sigma, 1e-9)
	near(t, "mean", e.Mean, mean, 1e-9)
	near(t, "training loss", e.Train, train, 1e-12)
	near(t, "test loss", e.Test, test, 1e-12)
}

// TestGram compares the Gram matrix with its definition and with the gradients of the outputs, whose scalar products it is.
func TestGram(t *testing.T) {
	s := digits(t, 7)[0]
	n, err := NewNetwork(5, s.D, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	h, err := n.Gram(s)
	if err != nil {
		t.Fatal(err)
	}
	row := func(i int) []float64 { return s.X[i*s.D : (i+1)*s.D] }
	dot := func(a, b []float64) (v float64) {
		for j, x := range a {
			v += x * b[j]
		}
		return v
	}
	// With one input and the label h(x)-1, the gradient of the loss is that of h(x).
	output := func(i int) []float64 {
		one := s.part(i, i+1)
		p := &pass{}
		n.forward(one, p)
		g, err := n.Gradient(one.Relabel(func(y float64) float64 { return y + p.residual[0] - 1 }))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for i := range s.N {
		for j := range s.N {
			var want float64
			for r := range n.Width {
				w := n.W[r*s.D : (r+1)*s.D]
				if dot(w, row(i)) >= 0 && dot(w, row(j)) >= 0 {
					want += dot(row(i), row(j)) / float64(n.Width)
				}
			}
			if math.Abs(h.At(i, j)-want) > 1e-12 {
				t.Errorf("H[%d,%d] is %v, want %v", i, j, h.At(i, j), want)
			}
			if got := dot(output(i), output(j)); math.Abs(got-want) > 1e-9 {
				t.Errorf("the gradients of outputs %d and %d have the product %v, H has %v", i, j, got, want)
			}
		}
	}
}

// TestGramLimit compares the closed form with a wide network and checks that the distance falls as one over the root of the width.
func TestGramLimit(t *testing.T) {
	s := digits(t, 40)[0]
	limit, err := GramLimit(s)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "H of an input with itself", limit.At(3, 3), .5, 1e-12)
	distance := func(width int) float64 {
		var squares float64
		for seed := range uint64(10) {
			n, err := NewNetwork(width, s.D, 1, seed)
			if err != nil {
				t.Fatal(err)
			}
			h, err := n.Gram(s)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Distance(h, limit)
			if err != nil {
				t.Fatal(err)
			}
			squares += d * d / 10
		}
		return math.Sqrt(squares)
	}
	small, large := distance(50), distance(5000)
	// An entry's standard deviation is at most 1/(2 sqrt m), so the root mean square of the norm is at most N times that.
	if large > 40*.5/math.Sqrt(5000) || small/large < 6 || small/large > 16 {
		t.Errorf("the Gram matrix is %v from its limit at width 50 and %v at 5000 (root mean square of 10 draws), want a tenth", small, large)
	}
	lo, hi, err := Extremes(limit)
	if err != nil || lo <= 0 || hi <= 40*.25 || hi > 20 { // positive definite; between the means and the trace
		t.Errorf("the limit has eigenvalues from %v to %v (%v)", lo, hi, err)
	}
}

// TestSharpness checks that the second derivative of the loss has the Gram matrix's largest eigenvalue over N: along the gradient's power iteration by finite differences, and by where descent stops being stable.
func TestSharpness(t *testing.T) {
	s := digits(t, 30)[0].Relabel(func(y float64) float64 { return y / 9 })
	n, err := NewNetwork(200, s.D, 1, 7)
	if err != nil {
		t.Fatal(err)
	}
	h, err := n.Gram(s)
	if err != nil {
		t.Fatal(err)
	}
	_, top, err := Extremes(h)
	if err != nil {
		t.Fatal(err)
	}
	w := slices.Clone(n.W)
	v := make([]float64, len(w))
	for i := range v {
		v[i] = 1
	}
	var curvature float64
	for range 60 {
		norm := 0.0
		for _, x := range v {
			norm += x * x
		}
		curvature = math.Sqrt(norm)
		diff := make([]float64, len(v))
		for _, sign := range []float64{1, -1} {
			const step = 1e-6 // so short that no unit switches
			for i := range w {
				n.W[i] = w[i] + sign*step*v[i]/curvature
			}
			g, err := n.Gradient(s)
			if err != nil {
				t.Fatal(err)
			}
			for i := range g {
				diff[i] += sign * g[i] / (2 * step)
			}
		}
		v = diff
	}
	near(t, "the largest second derivative", curvature, top/float64(s.N), 1e-5)

	for _, test := range []struct {
		share float64
		grows bool
	}{{.9, false}, {1.3, true}} {
		n, _ := NewNetwork(2000, s.D, 1, 7)
		h, _ := n.Gram(s)
		_, top, _ := Extremes(h)
		losses, err := n.Descend(t.Context(), s, test.share*2*float64(s.N)/top, 6)
		if err != nil {
			t.Fatal(err)
		}
		if grows := losses[6] > losses[0]; grows != test.grows {
			t.Errorf("at %v of the limit of stability, losses are %v", test.share, losses)
		}
	}
}

// TestLinearised checks that a wide network descends as its Gram matrix says, and a wider one more closely.
func TestLinearised(t *testing.T) {
	s := digits(t, 30)[0].Relabel(func(y float64) float64 { return y / 9 })
	off := func(width int) float64 {
		n, err := NewNetwork(width, s.D, 1, 3)
		if err != nil {
			t.Fatal(err)
		}
		h, err := n.Gram(s)
		if err != nil {
			t.Fatal(err)
		}
		want, err := n.Linearised(s, h, 1, 40)
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.Descend(t.Context(), s, 1, 40)
		if err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for i := range want {
			worst = max(worst, math.Abs(got[i]/want[i]-1))
		}
		return worst
	}
	narrow, wide := off(50), off(5000)
	if wide > .1 || wide > narrow/2 {
		t.Errorf("losses are up to %.3f off at width 50, %.3f at 5000", narrow, wide)
	}
}

// TestProgressError checks that the first error ends a run.
func TestProgressError(t *testing.T) {
	var calls int
	_, err := each(t.Context(), 1000, func(done, total int) { calls++ }, func(i int) (int, error) {
		if i == 20 {
			return 0, fmt.Errorf("number %d", i)
		}
		return i, nil
	})
	if err == nil || err.Error() != "number 20" || calls > 100 {
		t.Errorf("error %v after %d results, want that of number 20 at once", err, calls)
	}
}
