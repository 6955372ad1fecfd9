package rank

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// TestDifference compares with statistics of samples that are made anew from the networks drawn.
func TestDifference(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	a, truth := irregular(rng, 90, 30, 30)
	b, _ := irregular(rng, 90, 30, 30)
	o := Options{Resamples: 40, Level: 0.9, Seed: 5}
	for _, st := range Statistics() {
		got, err := Difference(a, b, truth, st.Of, o)
		if err != nil {
			t.Fatal(err)
		}
		var x, y, z []float64
		type network struct{ t, a, b float64 }
		var list []network
		for i := range truth {
			if !math.IsNaN(truth[i]) {
				list = append(list, network{truth[i], a[i], b[i]})
			}
		}
		slices.SortFunc(list, func(p, q network) int {
			for _, v := range [][2]float64{{p.t, q.t}, {p.a, q.a}, {p.b, q.b}} {
				if k, l := key(v[0]), key(v[1]); k < l {
					return -1
				} else if k > l {
					return 1
				}
			}
			return 0
		})
		var values []float64
		var buf []int32
		for i := range o.Resamples {
			x, y, z = x[:0], y[:0], z[:0]
			for k, n := range times(&buf, len(list), o.Seed, i) {
				for range n {
					x, y, z = append(x, list[k].a), append(y, list[k].b), append(z, list[k].t)
				}
			}
			if v := st.Of(sample(t, x, z)) - st.Of(sample(t, y, z)); !math.IsNaN(v) {
				values = append(values, v)
			}
		}
		slices.Sort(values)
		same(t, st.Name+": estimate", got.Estimate, st.Of(sample(t, a, truth))-st.Of(sample(t, b, truth)))
		same(t, st.Name+": low", got.Low, quantile(values, 0.05))
		same(t, st.Name+": high", got.High, quantile(values, 0.95))

		order := rng.Perm(len(truth))
		procs := runtime.GOMAXPROCS(5)
		again, err := Difference(pick(a, order), pick(b, order), pick(truth, order), st.Of, o)
		runtime.GOMAXPROCS(procs)
		if err != nil || !sameInterval(again, got) {
			t.Errorf("%s: in another order and on five processors the interval is %+v, %v; want %+v", st.Name, again, err, got)
		}
	}
}

// TestDifferencePaired checks that what two scores share does not widen the interval of their difference.
func TestDifferencePaired(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	var a, b, truth []float64
	for range 300 {
		x := rng.NormFloat64()
		truth = append(truth, x+rng.NormFloat64())
		a = append(a, x+0.1*rng.NormFloat64())
		b = append(b, x+0.7*rng.NormFloat64())
	}
	tau := (*Sample).KendallTau
	d, err := Difference(a, b, truth, tau, Options{})
	if err != nil {
		t.Fatal(err)
	}
	x, y := sample(t, a, truth).Bootstrap(tau, Options{}), sample(t, b, truth).Bootstrap(tau, Options{})
	if !(d.Low > 0) || !(x.Low < y.High) || d.High-d.Low > 0.8*(x.High-x.Low) {
		t.Errorf("the difference of %v and %v, whose intervals overlap, is %v; want it above 0 and surer than each", x, y, d)
	}
	if d.Resamples != 1000 || d.Level != 0.95 || d.Undefined != 0 {
		t.Errorf("by default the interval is %+v", d)
	}
	if d, _ := Difference(a, a, truth, tau, Options{}); d.Low != 0 || d.High != 0 || d.Estimate != 0 {
		t.Errorf("a score exceeds itself by %v", d)
	}
	if _, err := Difference(a, b[1:], truth, tau, Options{}); err == nil {
		t.Error("no error for scores of different lengths")
	}
}

func TestRepeats(t *testing.T) {
	r, err := NewRepeats([]float64{1, 2, 3}, []float64{1, 3, 2}, []float64{3, 2, 1}, []float64{1, 2, math.NaN()})
	if err != nil {
		t.Fatal(err)
	}
	// NaN in the second run of a pair leaves its network out.
	if got, want := r.Between((*Sample).KendallTau), []float64{1. / 3, -1, 1, -1. / 3, 1, -1}; !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
		t.Errorf("tau between the runs is %v, want %v", got, want)
	}
	v := Repeats{{-8, 5, 1}, {-12, 5, -1}}.Variation()
	if math.Abs(v[0]-math.Sqrt(8)/10) > 1e-15 || v[1] != 0 || !math.IsNaN(v[2]) {
		t.Errorf("the coefficients of variation are %v, want sqrt(8)/10, 0 and, with a mean of 0, NaN", v)
	}
	var got [][]float64
	for m := range r[:3].Means(2) {
		got = append(got, slices.Clone(m))
	}
	if want := [][]float64{{1, 2.5, 2.5}, {2, 2, 2}, {2, 2.5, 1.5}}; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the means of two runs of three are %v, want %v", got, want)
	}
	for k, want := range []int{0, 4, 6, 4, 1, 0} {
		n := 0
		for range r.Means(k) {
			n++
		}
		if n != want {
			t.Errorf("%d choices of %d runs of 4, want %d", n, k, want)
		}
	}
	for range r.Means(2) {
		break
	}
	for _, runs := range [][][]float64{nil, {{1}}, {{1, 2}, {1}}} {
		if _, err := NewRepeats(runs...); err == nil {
			t.Errorf("no error for the runs %v", runs)
		}
	}
}
