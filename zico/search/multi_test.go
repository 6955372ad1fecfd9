package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// randomPoints draws points with many ties, equal points and infinite values, or with none of them.
func randomPoints(rng *rand.Rand, n, objectives int, ties bool) [][]float64 {
	points := make([][]float64, n)
	for i := range points {
		points[i] = make([]float64, objectives)
		for m := range points[i] {
			v := rng.NormFloat64()
			if ties {
				v = []float64{math.Inf(-1), math.NaN(), math.Inf(1), 0, 1, 2, 3, 4, 5, 6}[rng.IntN(10)]
			}
			points[i][m] = v
		}
	}
	return points
}

// better is Dominates as the definition has it.
func better(a, b []float64) bool {
	strictly := false
	for i := range a {
		x, y := a[i], b[i]
		if math.IsNaN(x) {
			x = math.Inf(-1)
		}
		if math.IsNaN(y) {
			y = math.Inf(-1)
		}
		if x < y {
			return false
		}
		if x > y {
			strictly = true
		}
	}
	return strictly
}

func TestSortFronts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for trial := range 400 {
		points := randomPoints(rng, rng.IntN(40), 1+rng.IntN(4), trial%2 == 0)
		got := sortFronts(points)
		// Peel off what nothing that is left dominates.
		want := make([]int, len(points))
		left := map[int]bool{}
		for i := range points {
			left[i] = true
		}
		for r := 0; len(left) > 0; r++ {
			var front []int
			for i := range left {
				dominated := false
				for j := range left {
					dominated = dominated || better(points[j], points[i])
				}
				if !dominated {
					front = append(front, i)
				}
			}
			for _, i := range front {
				want[i] = r
				delete(left, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("fronts of %v: %v, want %v", points, got, want)
		}

		var first []int
		for i, p := range points {
			repeated := slices.ContainsFunc(points[:i], func(q []float64) bool {
				return !better(p, q) && !better(q, p) && slices.EqualFunc(p, q, func(x, y float64) bool { return x == y || ordered(x) == ordered(y) })
			})
			if want[i] == 0 && !repeated {
				first = append(first, i)
			}
		}
		if front := ParetoFront(points); !slices.Equal(front, first) {
			t.Fatalf("ParetoFront of %v: %v, want %v", points, front, first)
		}
		for i := range points {
			for j := range points {
				if Dominates(points[i], points[j]) != better(points[i], points[j]) {
					t.Fatalf("Dominates(%v, %v) = %t", points[i], points[j], !better(points[i], points[j]))
				}
			}
		}
	}
}

func TestCrowding(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		points := randomPoints(rng, 1+rng.IntN(20), 1+rng.IntN(4), false)
		got := crowding(points)
		for i, p := range points {
			want := 0.0
			for m := range p {
				below, above := math.Inf(-1), math.Inf(1)
				lo, hi := math.Inf(1), math.Inf(-1)
				for j, q := range points {
					lo, hi = min(lo, q[m]), max(hi, q[m])
					if j != i && q[m] < p[m] {
						below = max(below, q[m])
					}
					if j != i && q[m] > p[m] {
						above = min(above, q[m])
					}
				}
				want += (above - below) / (hi - lo)
			}
			if len(points) == 1 {
				want = math.Inf(1)
			}
			if got[i] != want && !(math.Abs(got[i]-want) < 1e-12) {
				t.Fatalf("crowding of %v: point %d has %g, want %g", points, i, got[i], want)
			}
		}
	}

	inf := math.Inf(1)
	for _, test := range []struct {
		points [][]float64
		want   []float64
	}{
		{nil, []float64{}},
		{[][]float64{{1, 2}, {2, 1}}, []float64{inf, inf}},
		{[][]float64{{1}, {1}, {1}}, []float64{inf, 0, inf}},
		// What has no score is an end; the distances of the others are those among themselves.
		{[][]float64{{-inf, 9}, {0, 8}, {1, 6}, {4, 5}}, []float64{inf, (1-0)/4. + (9-6)/4., (4-0)/4. + (8-5)/4., inf}},
		{[][]float64{{-inf}, {-inf}, {-inf}}, []float64{inf, 0, inf}},
		{[][]float64{{-math.MaxFloat64}, {0}, {math.MaxFloat64}}, []float64{inf, 1, inf}},
	} {
		if got := crowding(test.points); !slices.Equal(got, test.want) {
			t.Errorf("crowding of %v: %v, want %v", test.points, got, test.want)
		}
	}
}

// The candidate with the highest log-rank sum is in the Pareto front, which is why methods with several objectives recommend nothing of their own.
func TestBestIsInFront(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for trial := range 200 {
		points := randomPoints(rng, 1+rng.IntN(60), 2+rng.IntN(3), trial%2 == 0)
		var l LogRank
		for _, p := range points {
			l.Add(p)
		}
		best := 0
		for i := range points {
			if l.Score(points[i]) > l.Score(points[best]) {
				best = i
			}
		}
		if !slices.Contains(ParetoFront(points), best) {
			t.Fatalf("%v has the highest log-rank sum of %v and is dominated", points[best], points)
		}
	}
}

// boxes is the hypervolume by inclusion and exclusion: of every subset the box that all of its points dominate.
func boxes(points [][]float64, ref []float64) float64 {
	sum := 0.0
	for set := 1; set < 1<<len(points); set++ {
		v, sign := 1.0, -1.0
		for i, r := range ref {
			lowest := math.Inf(1)
			for j, p := range points {
				if set>>j&1 == 1 {
					lowest = min(lowest, p[i])
				}
			}
			v *= max(0, lowest-r)
		}
		for j := range points {
			if set>>j&1 == 1 {
				sign = -sign
			}
		}
		sum += sign * v
	}
	return sum
}

func TestHypervolume(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for d := 1; d <= 5; d++ {
		ref := make([]float64, d)
		for i := range ref {
			ref[i] = float64(i) - 2
		}
		for trial := range 60 {
			points := make([][]float64, 1+rng.IntN(9))
			for i := range points {
				points[i] = make([]float64, d)
				for m := range points[i] {
					points[i][m] = ref[m] + rng.Float64()*10 - 1
				}
			}
			got, want := Hypervolume(points, ref), boxes(points, ref)
			if math.Abs(got-want) > 1e-9*(1+want) {
				t.Fatalf("hypervolume of %v over %v: %.15g, want %.15g", points, ref, got, want)
			}

			// Whole numbers give ties and equal points, and the volume is the number of cells that are dominated.
			points = make([][]float64, rng.IntN(25))
			for i := range points {
				points[i] = make([]float64, d)
				rest := 7.0
				for m := range points[i] {
					points[i][m] = float64(rng.IntN(7) - 1)
					if m == d-1 && trial%2 == 0 {
						points[i][m] = min(rest, 5) // mostly a front
					}
					rest -= points[i][m]
				}
			}
			cells, count := int(math.Pow(5, float64(d))), 0.0
			for c := range cells {
				if slices.ContainsFunc(points, func(p []float64) bool {
					rest := c
					for _, v := range p {
						if v <= float64(rest%5) {
							return false
						}
						rest /= 5
					}
					return true
				}) {
					count++
				}
			}
			before := fmt.Sprint(points)
			if got := Hypervolume(points, make([]float64, d)); got != count {
				t.Fatalf("hypervolume of %v: %g, want %g", points, got, count)
			}
			if fmt.Sprint(points) != before {
				t.Fatal("Hypervolume changed its points")
			}
		}
	}
}

func TestHypervolumeEdges(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, test := range []struct {
		points [][]float64
		ref    []float64
		want   float64
	}{
		{nil, nil, 0},
		{[][]float64{{}}, nil, 0},
		{nil, []float64{0, 0}, 0},
		{[][]float64{{3}, {2}, {3}}, []float64{1}, 2},
		{[][]float64{{1, 0}, {0, 1}, {-1, 9}}, []float64{0, 0}, 0},
		{[][]float64{{1, 2}, {nan, 7}, {7, -inf}}, []float64{0, 0}, 2},
		{[][]float64{{1, 2}, {inf, 0}}, []float64{0, 0}, 2},
		{[][]float64{{1, 2}, {inf, 1}}, []float64{0, 0}, inf},
		{[][]float64{{1, 2}}, []float64{-inf, 0}, inf},
		{[][]float64{{1, 2}}, []float64{-inf, 2}, 0},
		{[][]float64{{inf, inf}}, []float64{inf, 0}, 0},
		{[][]float64{{1, 2}}, []float64{nan, 0}, 0},
		// Neither is a number: the products of three.
		{[][]float64{{1e200, 1e200, 1e-300}, {1e200, 1e200, 1e-300}}, []float64{0, 0, 0}, 1e100},
		{[][]float64{{1e200, 1e200, 1}, {1e199, 1e201, 1}}, []float64{0, 0, 0}, inf},
	} {
		if got := Hypervolume(test.points, test.ref); got != test.want && !(math.Abs(got-test.want) < 1e-12*test.want) {
			t.Errorf("hypervolume of %v over %v: %g, want %g", test.points, test.ref, got, test.want)
		}
	}
}

// front draws points on the part of a sphere where all coordinates are positive: none dominates another.
func front(rng *rand.Rand, n, objectives int) [][]float64 {
	points := make([][]float64, n)
	for i := range points {
		points[i] = make([]float64, objectives)
		length := 0.0
		for m := range points[i] {
			points[i][m] = math.Abs(rng.NormFloat64())
			length = math.Hypot(length, points[i][m])
		}
		for m := range points[i] {
			points[i][m] /= length
		}
	}
	return points
}

func TestMultiObjectiveSpeed(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, test := range []struct {
		name string
		do   func()
	}{
		{"hypervolume of 100 points in 4 objectives", func() { Hypervolume(front(rng, 100, 4), make([]float64, 4)) }},
		{"front of 20,000 points in 2 objectives, all in it", func() { ParetoFront(front(rng, 20_000, 2)) }},
		{"fronts of 400 points in 4 objectives", func() { sortFronts(front(rng, 400, 4)) }},
	} {
		// All take milliseconds. On a machine that is busy with something else one of five is not held up.
		best := time.Hour
		for range 5 {
			began := time.Now()
			test.do()
			best = min(best, time.Since(began))
			if best < time.Second {
				break
			}
		}
		if best > time.Second {
			t.Errorf("%s: %v, want well below a second", test.name, best)
		}
	}
}

func BenchmarkHypervolume(b *testing.B) {
	for _, d := range []int{2, 3, 4, 5} {
		points := front(rand.New(rand.NewPCG(11, 12)), 100, d)
		b.Run(fmt.Sprintf("100 points in %d objectives", d), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Hypervolume(points, make([]float64, d))
			}
		})
	}
}

func BenchmarkSortFronts(b *testing.B) {
	for _, d := range []int{2, 4} {
		points := randomPoints(rand.New(rand.NewPCG(13, 14)), 400, d, false)
		b.Run(fmt.Sprintf("400 points in %d objectives", d), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sortFronts(points)
			}
		})
	}
}

// trade is a run on a small problem with two objectives: validation accuracy of NAS-Bench-201 on CIFAR-10 against parameters.
func trade(t testing.TB, method string, seed uint64) Config {
	t.Helper()
	s := open(t, "natstss")
	params, err := Quantity("params", math.Inf(1), s, s.Input())
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Space: s, Method: method, Evaluator: embedded(t, 0, "cifar10/valid"), Objectives: []string{"cifar10/valid", "params"},
		Limits: []Limit{params}, Seed: seed, Evaluations: 1000, // as the paper of MTF-PDNS
	}
}

// tradeRef is an accuracy below which nobody is interested, and more parameters than any cell has.
var tradeRef = []float64{80, -1.6e6}

func frontOf(s *State) [][]float64 {
	var points [][]float64
	for _, c := range s.Front() {
		points = append(points, c.Objectives)
	}
	return points
}

// TestMultiObjectiveSearch compares the methods with random search at equal evaluations, in hypervolume as a part of the true front's.
func TestMultiObjectiveSearch(t *testing.T) {
	ctx := context.Background()
	c := trade(t, "random", 0)
	var all [][]float64
	for a := range c.Space.All() {
		e, err := c.Evaluator.Evaluate(ctx, a, 0)
		if err != nil {
			t.Fatal(err)
		}
		params, err := c.Limits[0].Measure(ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, []float64{e.Values[0], -params})
	}
	truth := Hypervolume(all, tradeRef)
	t.Logf("the true front has %d of %d cells", len(ParetoFront(all)), len(all))
	for _, k := range []int{1, 3} {
		reached := map[string][]float64{}
		for seed := range uint64(5) {
			for _, m := range []string{"random", "nsga2", "mtf-pdns"} {
				c := trade(t, m, seed)
				c.InFlight = k
				s, err := Run(ctx, c)
				if err != nil {
					t.Fatal(err)
				}
				reached[m] = append(reached[m], Hypervolume(frontOf(s), tradeRef)/truth)
				if !slices.Contains(s.Front(), s.Best()) {
					t.Errorf("%s recommends %v, which is dominated", m, s.Best().Objectives)
				}
			}
		}
		t.Logf("%d in flight: random %.4f, nsga2 %.4f, mtf-pdns %.4f", k, reached["random"], reached["nsga2"], reached["mtf-pdns"])
		for _, m := range []string{"nsga2", "mtf-pdns"} {
			for i, v := range reached[m] {
				if v < 0.98 || v <= reached["random"][i] {
					t.Errorf("%s, seed %d, %d in flight: %.4f of the hypervolume of the true front; random search has %.4f", m, i, k, v, reached["random"][i])
				}
			}
		}
	}
}

// TestOneObjective: with one objective they are evolutions that beat random search.
func TestOneObjective(t *testing.T) {
	sum := map[string]float64{}
	for seed := range uint64(10) {
		for _, m := range []string{"random", "nsga2", "mtf-pdns"} {
			c := trade(t, m, seed)
			c.Objectives, c.Evaluations = []string{"cifar10/valid"}, 300
			s, err := Run(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			sum[m] += s.Best().Objectives[0] / 10
		}
	}
	t.Log(sum)
	for _, m := range []string{"nsga2", "mtf-pdns"} {
		if sum[m] <= sum["random"] {
			t.Errorf("%s finds %.3f %%, random search %.3f %%", m, sum[m], sum["random"])
		}
	}
}

// archived checks that the archive of mtf-pdns is the front of all that it has learned.
type archived struct {
	t    *testing.T
	size []int
}

func (r *archived) Record(s *State, c *Candidate) {
	var want, got []spaces.Arch
	for _, c := range s.Front() {
		want = append(want, c.Arch)
	}
	for _, o := range s.method.(*pdns).archive {
		got = append(got, o.arch)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		r.t.Fatalf("after candidate %d the archive is %v, the front %v", c.Iteration, got, want)
	}
	r.size = append(r.size, len(got))
}

func TestArchive(t *testing.T) {
	c := trade(t, "mtf-pdns", 1)
	// Noise makes large fronts.
	c.Evaluator, c.Objectives = embedded(t, 0.1, "cifar10/valid", "cifar100/valid", "ImageNet16-120/valid"), []string{"cifar10/valid", "cifar100/valid", "ImageNet16-120/valid", "params"}
	c.Evaluations = 400
	r := &archived{t: t}
	c.Recorder = r
	if _, err := Run(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if first, last := r.size[19], r.size[len(r.size)-1]; last < 2*first {
		t.Errorf("the archive has %d members after the first population, %d at the end", first, last)
	}
}

func TestNovelty(t *testing.T) {
	m := &pdns{generations: generations{Setup: Setup{Objectives: 2}}, archive: []member{{"a", []float64{4, 0}}, {"b", []float64{0, 30}}}}
	inf := math.Inf(1)
	got := m.novelty([]member{{"a", []float64{4, 0}}, {"c", []float64{2, 0}}, {"none", []float64{-inf, 0}}})
	want := []float64{
		(0 + math.Sqrt2) / 2,            // in the archive
		-(0.5 + math.Hypot(0.5, 1)) / 2, // dominated by the first
		-(1.0 + 1) / 2,                  // in no metric better than the worst
	}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Errorf("novelty %v, want %v", got, want)
		}
	}
}

// TestGenerations: many generations, of which part is rejected and part fails, are the same for the same seed, whichever evaluation ends first.
func TestGenerations(t *testing.T) {
	s := open(t, "nasbench101")
	for _, m := range []string{"nsga2:population=7", "mtf-pdns:population=6"} {
		for _, k := range []int{1, 3} {
			run := func(seed uint64, delay bool) []spaces.Arch {
				r := &recorded{}
				_, err := Run(context.Background(), Config{
					Space: s, Method: m, Seed: seed, InFlight: k, Iterations: 300, Recorder: r,
					Evaluator: &fixed{metrics: []string{"a", "b"}, delay: delay, fail: func(a spaces.Arch) error {
						if hash(a, "fail") < 0.2 {
							return errors.New("fails")
						}
						return nil
					}},
					Limits: []Limit{{Name: "hash", Max: 0.6, Measure: func(_ context.Context, a spaces.Arch) (float64, error) { return hash(a, "limit"), nil }}},
				})
				if err != nil {
					t.Fatal(err)
				}
				var list []spaces.Arch
				for _, c := range r.list {
					if c.Verdict == Duplicate {
						t.Errorf("%s proposes %s again", m, c.Arch)
					}
					list = append(list, c.Arch)
				}
				return list
			}
			first := run(1, false)
			if !slices.Equal(first, run(1, true)) {
				t.Errorf("%s, %d in flight: two runs of a seed differ", m, k)
			}
			if slices.Equal(first, run(2, false)) {
				t.Errorf("%s, %d in flight: two seeds give the same run", m, k)
			}
		}
	}
}

// TestTightBudget: where random architectures hardly ever keep the budget, populations come about nevertheless; where nothing does, the methods go on proposing.
func TestTightBudget(t *testing.T) {
	s := open(t, "masternet")
	for _, m := range []string{"nsga2", "mtf-pdns"} {
		for _, k := range []int{1, 3} {
			limits, err := ParseBudget("flops=450e6,layers=14,params=3e6", s, spaces.Input{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			c := Config{Space: s, Method: m, Evaluator: &fixed{metrics: []string{"a", "b"}}, Limits: limits, InFlight: k, Iterations: 2000, Evaluations: 100}
			state, err := Run(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			// Random search needs 17 proposals for each.
			if state.Status != EvaluationLimit || state.Iterations > 400 {
				t.Errorf("%s, %d in flight: %d evaluations with %d proposals", m, k, state.Evaluations, state.Iterations)
			}

			c.Limits[0].Max, c.Iterations = 1, 500
			state, err = Run(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			if state.Status != IterationLimit || state.Evaluations != 0 || state.Best() != nil {
				t.Errorf("%s, %d in flight, nothing within the budget: %d evaluations, %s", m, k, state.Evaluations, state.Status)
			}
		}
	}
}

// few is a space of twenty architectures.
type few struct{ spaces.Space }

func (few) Size() int                                          { return 20 }
func (few) Sample(rng *rand.Rand) spaces.Arch                  { return spaces.Arch(strconv.Itoa(rng.IntN(20))) }
func (f few) Mutate(rng *rand.Rand, _ spaces.Arch) spaces.Arch { return f.Sample(rng) }

func TestExhausted(t *testing.T) {
	for _, m := range []string{"nsga2", "mtf-pdns", "nsga2:population=5", "mtf-pdns:population=5"} {
		state, err := Run(context.Background(), Config{Space: few{open(t, "plain")}, Method: m, Evaluator: &fixed{metrics: []string{"a"}}, Evaluations: 100, InFlight: 2})
		if err != nil {
			t.Fatal(err)
		}
		if state.Status != Exhausted || state.Evaluations != 20 {
			t.Errorf("%s: %d evaluations of 20, %s", m, state.Evaluations, state.Status)
		}
	}
}

func BenchmarkMethod(b *testing.B) {
	for _, m := range []string{"random", "nsga2", "mtf-pdns"} {
		b.Run(m, func(b *testing.B) {
			c := trade(b, m, 1)
			c.Evaluations = 2500
			for b.Loop() {
				if _, err := Run(context.Background(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(m+" with 4 objectives", func(b *testing.B) {
			c := trade(b, m, 1)
			c.Evaluator, c.Objectives = embedded(b, 0.1, "cifar10/valid", "cifar100/valid", "ImageNet16-120/valid"), []string{"cifar10/valid", "cifar100/valid", "ImageNet16-120/valid", "params"}
			c.Evaluations = 2500
			for b.Loop() {
				if _, err := Run(context.Background(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
