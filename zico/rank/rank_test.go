package rank

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floats are values in JSON, which has no infinities and no NaN: these are strings.
type floats []float64

func (f *floats) UnmarshalJSON(b []byte) error {
	var raw []any
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	for _, v := range raw {
		x, ok := v.(float64)
		if !ok {
			var err error
			if x, err = strconv.ParseFloat(v.(string), 64); err != nil {
				return err
			}
		}
		*f = append(*f, x)
	}
	return nil
}

// TestSciPy compares with scipy and scikit-learn, by values that testdata/golden.py wrote.
func TestSciPy(t *testing.T) {
	raw, err := os.ReadFile("testdata/scipy.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Name                                 string
			Score, Truth                         floats
			Kendall, Spearman, Pearson, Weighted any
			NDCG                                 map[string]float64
		}
		Large struct{ Kendall, Spearman, Pearson, Weighted float64 }
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 20 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) {
			s := sample(t, c.Score, c.Truth)
			for _, v := range []struct {
				name string
				got  float64
				want any
			}{
				{"tau-b", s.KendallTau(), c.Kendall},
				{"rho", s.Spearman(), c.Spearman},
				{"r", s.Pearson(), c.Pearson},
				{"weighted tau", s.WeightedTau(), c.Weighted},
			} {
				want, ok := v.want.(float64)
				if !ok {
					want = math.NaN()
				}
				if !near(v.got, want, 1e-12) {
					t.Errorf("%s is %.17g, want %.17g", v.name, v.got, want)
				}
			}
			for k, want := range c.NDCG {
				n, err := strconv.Atoi(k)
				if err != nil {
					t.Fatal(err)
				}
				if got := s.NDCG(n); !near(got, want, 1e-12) {
					t.Errorf("nDCG at %d is %.17g, want %.17g", n, got, want)
				}
			}
		})
	}
	t.Run("as many pairs as NAS-Bench-101", func(t *testing.T) {
		score, truth := largePairs()
		s := sample(t, score, truth)
		same(t, "tau-b", s.KendallTau(), file.Large.Kendall)
		same(t, "rho", s.Spearman(), file.Large.Spearman)
		same(t, "r", s.Pearson(), file.Large.Pearson)
		same(t, "weighted tau", s.WeightedTau(), file.Large.Weighted)
	})
}

// largePairs are the pairs of golden.py's large.
func largePairs() (score, truth []float64) {
	for i := range 423624 {
		v := i * 7919 % 1000003
		score = append(score, float64(v/3))
		truth = append(truth, float64(v/4000+i*i*31%1009))
	}
	return score, truth
}

// TestBruteForce compares with the definitions, pair by pair, on data with ties of all kinds and irregular values.
func TestBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for trial := range 400 {
		score, truth := irregular(rng, rng.IntN(120), 1+rng.IntN(40), 1+rng.IntN(40))
		compareWithDefinitions(t, score, truth)
		if t.Failed() {
			t.Fatalf("in trial %d: scores %v, accuracies %v", trial, score, truth)
		}
	}
}

// compareWithDefinitions checks all rank statistics of a sample against quadratic code that shares nothing with it.
func compareWithDefinitions(t *testing.T, score, truth []float64) {
	t.Helper()
	s := sample(t, score, truth)
	var x, y []float64
	for i := range truth {
		if !math.IsNaN(truth[i]) {
			x, y = append(x, score[i]), append(y, truth[i])
		}
	}
	n := len(x)
	if c := s.Counts(); c.N != n || c.MissingTruth != len(truth)-n {
		t.Errorf("counts are %+v, want N %d and %d missing", c, n, len(truth)-n)
	}

	var num, dx, dy float64
	for i := range n {
		for j := range i {
			a, b := float64(cmp.Compare(x[i], x[j])), float64(cmp.Compare(y[i], y[j]))
			num, dx, dy = num+a*b, dx+a*a, dy+b*b
		}
	}
	same(t, "tau-b", s.KendallTau(), num/math.Sqrt(dx*dy))

	var ab, aa, bb float64
	for i := range n {
		var a, b float64
		for j := range n {
			a += float64(cmp.Compare(x[i], x[j])) / 2
			b += float64(cmp.Compare(y[i], y[j])) / 2
		}
		ab, aa, bb = ab+a*b, aa+a*a, bb+b*b
	}
	same(t, "rho", s.Spearman(), ab/math.Sqrt(aa*bb))

	weighted := func(x, y []float64) float64 {
		order := indices(n)
		slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(x[j], x[i]), cmp.Compare(y[j], y[i])) })
		w := make([]float64, n)
		for place, i := range order {
			w[i] = 1 / float64(place+1)
		}
		var num, dx, dy float64
		for i := range n {
			for j := range i {
				a, b := float64(cmp.Compare(x[i], x[j])), float64(cmp.Compare(y[i], y[j]))
				num, dx, dy = num+a*b*(w[i]+w[j]), dx+a*a*(w[i]+w[j]), dy+b*b*(w[i]+w[j])
			}
		}
		return num / math.Sqrt(dx*dy)
	}
	same(t, "weighted tau", s.WeightedTau(), (weighted(x, y)+weighted(y, x))/2)

	var r Running
	for i := range score {
		r.Add(score[i], truth[i])
	}
	same(t, "running tau-b", r.KendallTau(), s.KendallTau())
	same(t, "running rho", r.Spearman(), s.Spearman())
	if r.N() != n || r.Missing() != len(truth)-n || r.Sample().Counts() != s.Counts() {
		t.Errorf("running counts are %d, %d, %+v", r.N(), r.Missing(), r.Sample().Counts())
	}

	for _, k := range []int{-1, 0, 1, 2, 5, n, n + 3} {
		precision, mean := topByDefinition(x, y, k)
		same(t, "precision at "+strconv.Itoa(k), s.Precision(k), precision)
		same(t, "mean of the top "+strconv.Itoa(k), s.TopMean(k), mean)
		if k == 1 {
			regret, picks := 0., 0.
			for i := range x {
				if !math.IsNaN(x[i]) && !slices.ContainsFunc(x, func(v float64) bool { return v > x[i] }) {
					picks++
					if best := slices.Max(y); y[i] != best {
						regret += best - y[i]
					}
				}
			}
			regret /= picks
			same(t, "regret", s.Regret(), regret)
		}
	}
}

// topByDefinition gives every network its chance to be among the k best-scored under random breaking of ties.
func topByDefinition(x, y []float64, k int) (precision, mean float64) {
	k = min(k, len(x))
	if k < 1 {
		return math.NaN(), math.NaN()
	}
	sorted := slices.Sorted(slices.Values(y))
	threshold := sorted[len(sorted)-k]
	var hits, sum, chances float64
	for i := range x {
		if math.IsNaN(x[i]) {
			continue
		}
		above, tied := 0, 0
		for j := range x {
			switch cmp.Compare(x[j], x[i]) {
			case 1:
				above++
			case 0:
				tied++
			}
		}
		chance := max(0, min(1, float64(k-above)/float64(tied)))
		if chance > 0 {
			chances += chance
			sum += chance * y[i]
		}
		if y[i] >= threshold {
			hits += chance
		}
	}
	return hits / float64(k), sum / chances
}

// TestInvariance: monotone transforms of scores and accuracies, and the order of the pairs, change no rank statistic; turning all scores changes signs.
func TestInvariance(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		score, truth := irregular(rng, 60, 30, 30)
		s := sample(t, score, truth)
		// exp(-Inf) is 0, still below the others.
		moved := sample(t, apply(score, func(v float64) float64 { return math.Exp(v / 50) }), apply(truth, func(v float64) float64 { return v*v*v + 3 }))
		order := rng.Perm(len(score))
		shuffled := sample(t, pick(score, order), pick(truth, order))
		for _, st := range Statistics() {
			want := st.Of(s)
			if got := st.Of(shuffled); !same(t, st.Name+" of shuffled pairs", got, want) || got != want && want == want {
				t.Errorf("%s depends on the order of the pairs", st.Name)
			}
			switch st.Name {
			case "kendall", "spearman", "weighted-tau", "precision@10", "precision@10%":
				same(t, st.Name+" of transformed values", st.Of(moved), want)
			}
		}
		finiteScores := apply(score, func(v float64) float64 {
			if math.IsNaN(v) {
				return -1000 // below all others, as NaN is
			}
			return v
		})
		if !slices.ContainsFunc(score, func(v float64) bool { return math.IsInf(v, 0) }) {
			low := sample(t, finiteScores, truth)
			same(t, "tau-b of NaN as the lowest", low.KendallTau(), s.KendallTau())
			turned := sample(t, Negated(finiteScores), truth)
			same(t, "tau-b of turned scores", turned.KendallTau(), -s.KendallTau())
			same(t, "rho of turned scores", turned.Spearman(), -s.Spearman())
		}
	}
}

func TestNegatedKeepsNaNLast(t *testing.T) {
	// Perplexities: the third network has none, the fourth is the worst.
	s := sample(t, Negated([]float64{10, 20, math.NaN(), math.Inf(1)}), []float64{94, 93, 50, 60})
	if got := s.Regret(); got != 0 {
		t.Errorf("the regret is %v, want 0", got)
	}
	if got := s.KendallTau(); got != 1 {
		t.Errorf("tau is %v, want 1: the network without a score is the least accurate", got)
	}
	if c := s.Counts(); c.NaNScores != 1 || c.InfScores != 1 || c.NonFinite != 2 {
		t.Errorf("counts are %+v", c)
	}
}

func TestCounts(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	c := sample(t,
		[]float64{1, 1, nan, nan, inf, -inf, 7, 2, 3},
		[]float64{5, 6, 7, nan, 8, 9, nan, inf, 9}).Counts()
	want := Counts{N: 7, MissingTruth: 2, NaNScores: 1, InfScores: 2, InfTruth: 1, NonFinite: 4, TiedScores: 2, TiedTruth: 2}
	if c != want {
		t.Errorf("counts are %+v, want %+v", c, want)
	}
	if got, want := c.String(), "7 pairs; 2 left out without accuracy; 1 without score, ranked last; 2 with infinite score; 1 with infinite accuracy; 4 not in Pearson's r; 2 with tied score; 2 with tied accuracy"; got != want {
		t.Errorf("counts print as %q, want %q", got, want)
	}
	if got := (Counts{N: 3}).String(); got != "3 pairs" {
		t.Errorf("regular counts print as %q", got)
	}
}

func TestNewLeavesInputAlone(t *testing.T) {
	score, truth := []float64{3, math.NaN(), 1}, []float64{1, 2, math.NaN()}
	sample(t, score, truth)
	if score[0] != 3 || score[2] != 1 || truth[0] != 1 || truth[1] != 2 || !math.IsNaN(truth[2]) {
		t.Errorf("New changed its input to %v, %v", score, truth)
	}
	if _, err := New([]float64{1}, nil); err == nil || !strings.Contains(err.Error(), "1 scores for 0 accuracies") {
		t.Errorf("the error for different lengths is %v", err)
	}
}

// TestUndefined: no statistic of degenerate samples is an error or a panic; correlations are NaN.
func TestUndefined(t *testing.T) {
	nan := math.NaN()
	for name, s := range map[string]*Sample{
		"empty":           sample(t, nil, nil),
		"zero value":      {},
		"one pair":        sample(t, []float64{1}, []float64{2}),
		"equal scores":    sample(t, []float64{.1, .1, .1}, []float64{1, 2, 3}),
		"equal accuracy":  sample(t, []float64{1, 2, 3}, []float64{.1, .1, .1}),
		"no scores":       sample(t, []float64{nan, nan, nan}, []float64{1, 2, 3}),
		"no accuracies":   sample(t, []float64{1, 2, 3}, []float64{nan, nan, nan}),
		"infinite scores": sample(t, []float64{math.Inf(1), math.Inf(1)}, []float64{1, 2}),
	} {
		for _, st := range Statistics() {
			v := st.Of(s)
			if strings.ContainsRune("ksw", rune(st.Name[0])) || st.Name == "pearson" {
				if !math.IsNaN(v) {
					t.Errorf("%s: %s is %v, want NaN", name, st.Name, v)
				}
			}
			if i := s.Bootstrap(st.Of, Options{Resamples: 5}); i.Undefined < 0 || i.Undefined > 5 {
				t.Errorf("%s: %s has the interval %+v", name, st.Name, i)
			}
		}
	}
	one := sample(t, []float64{1}, []float64{90})
	if one.TopMean(1) != 90 || one.Regret() != 0 || one.Precision(1) != 1 {
		t.Error("a single network is not its own pick")
	}
	tied := sample(t, []float64{7, 7, 1}, []float64{90, 94, 95})
	if got := tied.Regret(); got != 3 {
		t.Errorf("the regret of two tied picks is %v, want 3", got)
	}
	if got := sample(t, []float64{nan, nan}, []float64{1, 2}).Regret(); !math.IsNaN(got) {
		t.Errorf("the regret of no pick is %v, want NaN", got)
	}
	if got := sample(t, []float64{5, nan, nan, 4}, []float64{1, 2, 3, 4}).Precision(3); got != 1./3 {
		t.Errorf("the precision at 3 of two scored networks is %v, want a third: one of the best, one not, one place empty", got)
	}
}

func TestTop(t *testing.T) {
	ramp := make([]float64, 30)
	for i := range ramp {
		ramp[i] = float64(i)
	}
	s := sample(t, ramp, ramp)
	for share, want := range map[float64]int{0.1: 3, 0.5: 15, 1: 30, 2: 30, 1e-9: 1, 0: 0, -1: 0, math.Inf(1): 30, math.NaN(): 0} {
		if got := s.Top(share); got != want {
			t.Errorf("a share of %v of 30 is %d, want %d", share, got, want)
		}
	}
	if got := sample(t, nil, nil).Top(1); got != 0 {
		t.Errorf("all of no networks are %d", got)
	}
}

// TestCoverage draws samples of a bivariate normal distribution, whose tau, rho and r are known, and counts the intervals that hold them.
func TestCoverage(t *testing.T) {
	const rho, trials, n = 0.6, 200, 80
	for _, st := range []struct {
		name  string
		of    func(*Sample) float64
		truth float64
	}{
		{"kendall", (*Sample).KendallTau, 2 / math.Pi * math.Asin(rho)},
		{"spearman", (*Sample).Spearman, 6 / math.Pi * math.Asin(rho/2)},
		{"pearson", (*Sample).Pearson, rho},
	} {
		rng := rand.New(rand.NewPCG(5, 6))
		held, width := 0, 0.
		for trial := range trials {
			x, y := correlated(rng, n, rho)
			i := sample(t, x, y).Bootstrap(st.of, Options{Resamples: 400, Seed: uint64(trial)})
			if i.Low <= st.truth && st.truth <= i.High {
				held++
			}
			width += (i.High - i.Low) / trials
		}
		t.Logf("%s: %d of %d intervals of level 0.95 hold %.4f; their mean width is %.3f", st.name, held, trials, st.truth, width)
		if held < trials*90/100 || held > trials*99/100 {
			t.Errorf("%s: %d of %d intervals hold the true value", st.name, held, trials)
		}
	}
}

// TestBootstrapDeterminism: neither processors nor the order of the pairs nor monotone transforms change an interval; seeds do.
func TestBootstrapDeterminism(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	score, truth := irregular(rng, 150, 50, 50)
	order := rng.Perm(len(score))
	s, shuffled := sample(t, score, truth), sample(t, pick(score, order), pick(truth, order))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, st := range Statistics() {
		o := Options{Resamples: 101, Level: 0.9, Seed: 9}
		runtime.GOMAXPROCS(1)
		want := s.Bootstrap(st.Of, o)
		for _, procs := range []int{2, 7} {
			runtime.GOMAXPROCS(procs)
			for _, s := range []*Sample{s, shuffled} {
				if got := s.Bootstrap(st.Of, o); !sameInterval(got, want) {
					t.Errorf("%s: %+v on %d processors, %+v on one", st.Name, got, procs, want)
				}
			}
		}
		if want.Level != 0.9 || want.Resamples != 101 || want.Seed != 9 || !(want.Low <= want.Estimate && want.Estimate <= want.High) && st.Name == "kendall" {
			t.Errorf("%s: the interval is %+v", st.Name, want)
		}
	}
	tau := (*Sample).KendallTau
	if a, b := s.Bootstrap(tau, Options{Seed: 1}), s.Bootstrap(tau, Options{Seed: 2}); a.Low == b.Low || a.Resamples != 1000 || a.Level != 0.95 {
		t.Errorf("the intervals of seeds 1 and 2 are %+v and %+v", a, b)
	}
}

// TestResampleIsASample: a resample has the statistics of a sample made anew from its pairs.
func TestResampleIsASample(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	score, truth := irregular(rng, 80, 40, 40)
	s := sample(t, score, truth)
	r := s.resample()
	for i := range 50 {
		s.fill(r, times(&r.work.drawn, s.N(), 3, i))
		x, y := make([]float64, r.N()), make([]float64, r.N())
		for p := range x {
			x[p], y[p] = r.scores[r.score[p]], r.truths[r.truth[p]]
		}
		anew := sample(t, x, y)
		for _, st := range Statistics() {
			// Weights are added in another order where fewer levels occur.
			same(t, st.Name+" of a resample", st.Of(r), st.Of(anew))
		}
		a, b := r.Counts(), anew.Counts()
		a.MissingTruth = 0
		if a != b {
			t.Errorf("counts of a resample are %+v, of its pairs %+v", a, b)
		}
	}
}

func TestQuantile(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		v     []float64
		share float64
		want  float64
	}{
		{[]float64{1, 2, 3, 4}, 0.5, 2.5},
		{[]float64{1, 2, 3, 4}, 0.1, 1.3},
		{[]float64{1, 2, 3, 4}, 1, 4},
		{[]float64{5}, 0.3, 5},
		{[]float64{inf, inf}, 0.5, inf},
		{nil, 0.5, math.NaN()},
	} {
		if got := quantile(c.v, c.share); !near(got, c.want, 1e-15) {
			t.Errorf("quantile %v of %v is %v, want %v", c.share, c.v, got, c.want)
		}
	}
}

func TestBootstrapOptions(t *testing.T) {
	s := sample(t, []float64{1, 2}, []float64{1, 2})
	for _, o := range []Options{{Level: 1}, {Level: -.5}, {Level: 95}, {Level: math.NaN()}, {Resamples: -1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for %+v", o)
				}
			}()
			s.Bootstrap((*Sample).KendallTau, o)
		}()
	}
	// Of two pairs, half of the resamples are one pair twice, and have no tau.
	i := s.Bootstrap((*Sample).KendallTau, Options{})
	if i.Undefined < 400 || i.Undefined > 600 || i.Low != 1 || i.High != 1 {
		t.Errorf("the interval of two pairs is %+v", i)
	}
	if got := i.String(); got != "1.0000 [1.0000, 1.0000]" {
		t.Errorf("it prints as %q", got)
	}
}

func FuzzSample(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04\x05\x06"), false)
	f.Add([]byte("\xf0\x02\xf1\x04\xf2\x06\x07\xf0"), false)
	f.Add(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, math.Float64bits(1e308)), math.Float64bits(-1e308)), true)
	f.Fuzz(func(t *testing.T, data []byte, wide bool) {
		var v []float64
		if wide { // any float64
			for ; len(data) >= 8; data = data[8:] {
				v = append(v, math.Float64frombits(binary.LittleEndian.Uint64(data)))
			}
		} else { // few values, for ties
			special := []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)}
			for _, b := range data {
				if b >= 0xf0 {
					v = append(v, special[b%4])
				} else {
					v = append(v, float64(b%16))
				}
			}
		}
		n := min(len(v)/2, 200)
		score, truth := v[:n], v[n:2*n]
		s := sample(t, score, truth)
		for _, st := range Statistics() {
			x := st.Of(s)
			lo, hi := -1., 1.
			switch {
			case strings.HasPrefix(st.Name, "top-mean"):
				continue
			case st.Name == "regret":
				lo, hi = 0, math.Inf(1)
			case st.Name[0] == 'n' || strings.HasPrefix(st.Name, "precision"):
				lo = 0
			}
			if x < lo || x > hi {
				t.Errorf("%s is %v", st.Name, x)
			}
			s.Bootstrap(st.Of, Options{Resamples: 3})
		}
		if !wide { // sums of values near the largest there are differ by their order
			compareWithDefinitions(t, score, truth)
		}
		_ = s.Counts().String()
	})
}

func sample(t testing.TB, score, truth []float64) *Sample {
	t.Helper()
	s, err := New(score, truth)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// irregular makes n pairs of so many levels, with a correlation, and in most cases some NaNs and infinities.
func irregular(rng *rand.Rand, n, levels, truthLevels int) (score, truth []float64) {
	score, truth = correlated(rng, n, 2*rng.Float64()-1)
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1)}
	share := rng.Float64() * 0.2
	if rng.IntN(4) == 0 {
		share = 0
	}
	for i := range n {
		score[i] = math.Round(score[i] * float64(levels) / 4)
		truth[i] = math.Round(truth[i] * float64(truthLevels) / 4)
		if rng.Float64() < share {
			score[i] = odd[rng.IntN(3)]
		}
		if rng.Float64() < share {
			truth[i] = odd[rng.IntN(3)]
		}
	}
	return score, truth
}

// correlated draws pairs of a bivariate normal distribution.
func correlated(rng *rand.Rand, n int, rho float64) (x, y []float64) {
	x, y = make([]float64, n), make([]float64, n)
	for i := range n {
		x[i] = rng.NormFloat64()
		y[i] = rho*x[i] + math.Sqrt(1-rho*rho)*rng.NormFloat64()
	}
	return x, y
}

func apply(v []float64, f func(float64) float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = f(x)
	}
	return out
}

func pick(v []float64, order []int) []float64 {
	out := make([]float64, len(order))
	for i, j := range order {
		out[i] = v[j]
	}
	return out
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func near(got, want, tolerance float64) bool {
	return got == want || math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) <= tolerance
}

func same(t *testing.T, name string, got, want float64) bool {
	t.Helper()
	if near(got, want, 1e-12*max(1, math.Abs(want))) {
		return true
	}
	t.Errorf("%s is %.17g, want %.17g", name, got, want)
	return false
}

func sameInterval(a, b Interval) bool {
	return a.Undefined == b.Undefined && near(a.Estimate, b.Estimate, 0) && near(a.Low, b.Low, 0) && near(a.High, b.High, 0)
}
