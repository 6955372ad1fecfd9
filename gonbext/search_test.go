package gonbext

import (
	"compress/gzip"
	"context"
	"errors"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico/search"
)

// lookUps is a search that takes a moment.
var lookUps = SearchOptions{Table: "embedded", Method: "evolution", Budget: "flops=100e6", Evaluations: 200}

// evaluated are the architectures that a run has evaluated, in order.
func evaluated(s *search.State) []spaces.Arch {
	var list []spaces.Arch
	for _, c := range s.Scored() {
		list = append(list, c.Arch)
	}
	return list
}

// TestSearchText checks that outside a notebook the result is printed and returned, and that a run depends on nothing but its options.
func TestSearchText(t *testing.T) {
	var s, again *search.State
	var err error
	text := capture(t, func() { s, err = Search(lookUps) })
	if err != nil {
		t.Fatal(err)
	}
	if s.Evaluations != 200 || s.Status != search.EvaluationLimit || s.Rejected["flops"] == 0 {
		t.Errorf("%d evaluations, %s, rejected %v", s.Evaluations, s.Status, s.Rejected)
	}
	for _, want := range []string{"evolution on natstss:C=16,N=5, FLOPs up to 100M", "evaluation limit reached: ", "200 evaluations", "10 of 200 architectures with the best score", string(s.Best().Arch), "rejected by flops, more than 100M", "Pareto-optimal", "Where the time goes", "candidates an hour"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	for _, c := range s.Scored() {
		if v, ok := s.Cost(c, "flops"); !ok || v > 100e6 {
			t.Errorf("%s has %g FLOPs", c.Arch, v)
		}
	}
	quiet := lookUps
	quiet.Quiet = true
	if text := capture(t, func() { again, err = Search(quiet) }); text != "" || err != nil {
		t.Errorf("Quiet printed %q, error %v", text, err)
	}
	if !slices.Equal(evaluated(again), evaluated(s)) {
		t.Error("the same search again evaluates something else")
	}
	quiet.Budget = "flops=1"
	quiet.Evaluations, quiet.Iterations, quiet.Quiet = 0, 50, false
	if text := capture(t, func() { s, err = Search(quiet) }); err != nil || s.Best() != nil || !strings.Contains(text, "no architecture has a score") {
		t.Errorf("nothing fits, the error is %v:\n%s", err, text)
	}
}

// TestSearchProxies runs a real search with two proxies, whose front and log-rank sums are shown.
func TestSearchProxies(t *testing.T) {
	o := SearchOptions{Space: "natstss:C=4,N=1", Method: "evolution", Proxies: []string{"params", "zico"}, Size: 32, Batch: 4, Evaluations: 8, Limits: []search.Limit{{
		Name: "letters", Max: 100, Unit: "letters", Measure: func(_ context.Context, a spaces.Arch) (float64, error) { return float64(len(a)), nil },
	}}}
	var s *search.State
	var err error
	text := capture(t, func() { s, err = Search(o) })
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Scored()) != 8 || s.Kernels == 0 || s.Times.Score == 0 || len(s.Objectives()) != 2 {
		t.Errorf("%d scored with %d kernels in %s", len(s.Scored()), s.Kernels, s.Times.Score)
	}
	for _, want := range []string{"that no other dominates, by the sum of their log-ranks", "log-ranks", "ZiCo", "letters", "kernels run", "embedded", "2 batches of 4"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	o.Quiet, o.InFlight = true, 2
	if s, err = Search(o); err != nil || s.Evaluations != 8 {
		t.Errorf("with two in flight: %v", err)
	}
}

// TestSearchResume checks that a cell that is run again goes on, that it ends as a run in one go, and that its log, packed too, shows the same.
func TestSearchResume(t *testing.T) {
	o := lookUps
	o.Quiet, o.Evaluations = true, 300
	whole, err := Search(o)
	if err != nil {
		t.Fatal(err)
	}
	o.Log, o.Evaluations = filepath.Join(t.TempDir(), "run.jsonl"), 100
	first, err := Search(o)
	if err != nil || first.Evaluations != 100 {
		t.Fatalf("%v, %v", first, err)
	}
	o.Evaluations = 300
	resumed, err := Search(o)
	if err != nil {
		t.Fatal(err)
	}
	if resumed.FreshEvaluations != 200 || resumed.Iterations != whole.Iterations || !slices.Equal(evaluated(resumed), evaluated(whole)) || resumed.Best().Arch != whole.Best().Arch || !reflect.DeepEqual(resumed.Rejected, whole.Rejected) {
		t.Errorf("a resumed run differs from one in one go: %s, %s", resumed.Line(), whole.Line())
	}

	other := o
	other.Seed, other.Budget = 2, "flops=90e6"
	if _, err := Search(other); !errors.Is(err, search.ErrLog) || !strings.Contains(err.Error(), "its seed is 1, this one's 2") || !strings.Contains(err.Error(), "its limits") || !strings.Contains(err.Error(), o.Log) {
		t.Errorf("the log of another run: the error is %v", err)
	}

	raw, err := os.ReadFile(o.Log)
	if err != nil {
		t.Fatal(err)
	}
	packed := o.Log + ".gz"
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	_, err = z.Write(raw)
	if err := errors.Join(err, z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, path := range []string{o.Log, packed} {
		var s *search.State
		texts = append(texts, capture(t, func() { s, err = ShowSearch(path) }))
		if err != nil || s.Iterations != whole.Iterations || s.Best().Arch != whole.Best().Arch {
			t.Fatalf("%s: %v", path, err)
		}
	}
	if texts[0] != texts[1] || !strings.Contains(texts[0], "the log has: ") || !strings.Contains(texts[0], "begun on ") || !strings.Contains(texts[0], string(whole.Best().Arch)) {
		t.Errorf("the logs show:\n%s\n%s", texts[0], texts[1])
	}
	if err := os.WriteFile(packed, []byte("\x1f\x8bnonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"no/such/file", packed, "search.go"} {
		if _, err := ShowSearch(path); err == nil || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%s: the error is %v", path, err)
		}
	}
}

// TestSearchInterrupt interrupts a long search: it ends soon with what is done and says how to go on, which works.
func TestSearchInterrupt(t *testing.T) {
	o := SearchOptions{Space: "natstss:C=4,N=1", Size: 32, Batch: 4, Evaluations: 15000, Method: "random", Log: filepath.Join(t.TempDir(), "the run.jsonl")}
	ours := make(chan os.Signal, 1)
	signal.Notify(ours, os.Interrupt)
	defer signal.Stop(ours)
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(time.Second, func() { _ = self.Signal(os.Interrupt) })
	var s *search.State
	start := time.Now()
	text := capture(t, func() { s, err = Search(o) })
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it went on for %s; the kernel kills a cell 5 seconds after the interrupt", took)
	}
	if s == nil || s.Status != search.Interrupted || s.Evaluations == 0 {
		t.Fatalf("the state is %+v, error %v", s, err)
	}
	if !strings.Contains(text, "interrupted: ") || !strings.Contains(text, string(s.Best().Arch)) {
		t.Errorf("what was done is not shown:\n%s", text)
	}
	for _, want := range []string{"run the cell again", "zico search -resume -log '" + o.Log + "' -space natstss:C=4,N=1 -preset quick -method random -evaluations 15000 -size 32 -batch 4"} {
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
	o.Quiet, o.Evaluations = true, s.Evaluations+3
	more, err := Search(o)
	if err != nil || more.FreshEvaluations != 3 || !slices.Equal(evaluated(more)[:len(s.Scored())], evaluated(s)) {
		t.Errorf("going on: %v", err)
	}
	o.Log = ""
	if err := o.interrupted(s, o.Space); !strings.Contains(err.Error(), "nothing of the run is kept") {
		t.Errorf("without a log: %v", err)
	}
	o.Log, o.Limits = "x", make([]search.Limit, 1)
	if err := o.interrupted(s, o.Space); strings.Contains(err.Error(), "zico search") {
		t.Errorf("the command cannot have the limit of a function, but is offered: %v", err)
	}
}

// TestSearchPage checks that a page holds its pictures, nothing that a page should not, and stays small however long the run was.
func TestSearchPage(t *testing.T) {
	for _, c := range []struct {
		o        SearchOptions
		pictures int
		want     []string
	}{
		{SearchOptions{Table: "embedded", Method: "random", Evaluations: 15000, Budget: "flops=100e6"}, 4, []string{"Best cifar10/valid: ", "limit: 100M", "the worst", "rejected by flops", "FLOPs, multiply-adds, millions"}},
		{SearchOptions{Table: "embedded", Method: "random", Iterations: 15000, Columns: []string{"cifar10/valid", "cifar100/valid"}, Objectives: []string{"cifar10/valid", "flops"}}, 4, []string{"sum of log-ranks", "against FLOPs"}},
		{SearchOptions{Table: "embedded", Method: "random", Iterations: 3000, Columns: []string{"cifar10/valid", "cifar100/valid", "ImageNet16-120/valid"}}, 4, []string{"in all 3 objectives", "against cifar100/valid"}},
		{SearchOptions{Table: "embedded", Method: "random", Iterations: 500, Noise: 0.3, Objectives: []string{"flops"}}, 3, []string{"Best FLOPs", "rank in cifar10/valid with noise", "(lower is better)"}},
		{SearchOptions{Space: "natstss", Method: "random", Iterations: 50, Proxies: []string{"params"}, Budget: "layers=1"}, 2, []string{"rejected by layers, more than 1"}},
	} {
		o, err := c.o.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		config, closing, err := o.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, err := search.Run(t.Context(), *config)
		closing()
		if err != nil {
			t.Fatal(err)
		}
		v := &searchView{page: newSearchPage(config), config: config}
		v.page.top = 10
		page := v.html(s)
		if len(page) > 200_000 {
			t.Errorf("the page of %+v takes %d bytes", c.o, len(page))
		}
		if n := strings.Count(page, "<svg"); n != c.pictures || strings.Contains(page, "<script") {
			t.Errorf("the page of %+v has %d pictures, want %d", c.o, n, c.pictures)
		}
		for _, want := range append(c.want, `<progress max="1" value="`, "What became of") {
			if !strings.Contains(page, want) {
				t.Errorf("the page of %+v lacks %q", c.o, want)
			}
		}
		for _, p := range v.page.pictures(s) {
			wellFormed(t, p.chart.SVG())
		}
		s.Replaying = true
		if page := v.html(s); strings.Contains(page, "<svg") {
			t.Error("pictures are drawn while the log is read")
		}
	}
}

// TestFloor checks which candidates are drawn: all, unless the worst twentieth takes more than half of the axis.
func TestFloor(t *testing.T) {
	value := measure{of: func(c *search.Candidate) float64 { return c.Values[0] }}
	list := func(outlier float64) (list []*search.Candidate) {
		for i := range 99 {
			list = append(list, &search.Candidate{Values: []float64{100 + float64(i)}})
		}
		return append(list, &search.Candidate{Values: []float64{outlier}})
	}
	lower := value
	lower.lower = true
	for _, c := range []struct {
		y       measure
		outlier float64
		want    float64
	}{{value, 90, math.NaN()}, {value, -1e6, 104}, {value, math.Inf(-1), math.NaN()}, {lower, 0, math.NaN()}, {lower, 1e6, 194}, {value, 1e6, math.NaN()}} {
		if got := floor(list(c.outlier), c.y); got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("the floor with %g among values from 100 to 198, lower %t, is %g, want %g", c.outlier, c.y.lower, got, c.want)
		}
	}
}

// TestSearchQuick checks that the defaults of a search are small where notebooks are only tried out.
func TestSearchQuick(t *testing.T) {
	full, err := SearchOptions{}.withDefaults()
	if err != nil || full.Evaluations != 2000 || full.Batch != 16 || full.Space != "masternet" {
		t.Errorf("the defaults are %+v", full)
	}
	t.Setenv("ZEROSHOT_QUICK", "1")
	s, err := Search(SearchOptions{Table: "embedded", Quiet: true})
	if err != nil || s.Evaluations != 20 {
		t.Errorf("a quick search: %v", err)
	}
	quick, err := SearchOptions{Batch: 32, Iterations: 7}.withDefaults()
	if err != nil || quick.Batch != 32 || quick.Iterations != 7 || quick.Evaluations != 0 {
		t.Errorf("what is set is %+v", quick)
	}
	curves, err := CompareMethods(MethodComparison{Methods: []string{"random"}, Quiet: true})
	if err != nil || len(curves[0].States[0]) != 3 || curves[0].States[0][2].Iterations != 200 {
		t.Errorf("a quick comparison: %v", err)
	}
}

// TestSearchErrors checks that mistakes are errors that say what to do.
func TestSearchErrors(t *testing.T) {
	for want, o := range map[string]SearchOptions{
		"unknown preset":             {Preset: "hurried"},
		"unknown search space":       {Space: "nonsense"},
		"unknown search method":      {Table: "embedded", Method: "magic"},
		"unknown proxy \"magic\"":    {Proxies: []string{"magic"}},
		"write NAME=NUMBER":          {Budget: "flops"},
		"unknown objective":          {Table: "embedded", Objectives: []string{"beauty"}},
		"SearchOptions.Images is th": {Preset: "paper"},
		"it has cifar10/valid":       {Table: "embedded", Columns: []string{"cifar10/test"}},
		"no such file":               {Table: "no/such/file"},
		"standard deviation of rank": {Table: "embedded", Noise: -1},
		"is a directory":             {Table: "embedded", Log: t.TempDir()},
		"compares gradients betwe":   {Space: "natstss:C=4,N=1", Batches: 1, Batch: 4, Size: 32},
	} {
		o.Quiet = true
		if _, err := Search(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: the error is %v, want one with %q", o, err, want)
		}
	}
}

// TestCompareMethods compares two methods with and without noise, and checks that the regret is that of the table.
func TestCompareMethods(t *testing.T) {
	m := MethodComparison{Methods: []string{"local", "random"}, Seeds: 4, LookUps: 400, Noise: []float64{0, 0.2}}
	var curves []*search.Curves
	var err error
	text := capture(t, func() { curves, err = CompareMethods(m) })
	if err != nil || len(curves) != 2 {
		t.Fatal(err)
	}
	for _, want := range []string{"After 400 candidates, searching by cifar10/valid on natstss:C=16,N=5: means of 4 runs", "searching by ranks in cifar10/valid with noise 0.2", "ImageNet16-120/valid, %", "best of all", "91.607", "±"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	j, err := m.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range curves {
		ch := j.regret(c, m.Noise[i])
		wellFormed(t, ch.SVG())
		for k, line := range ch.Lines {
			for n, p := range line.Points {
				if mean, _ := c.Mean(k, n, 0); math.Abs(mean+p.Y-j.best[0]) > 1e-9 || !(p.Y > 0) {
					t.Errorf("%s: the regret of %g is %g, the best %g", line.Name, mean, p.Y, j.best[0])
				}
			}
		}
	}
	exact, _ := curves[0].Mean(0, len(curves[0].At)-1, 0)
	noisy, _ := curves[1].Mean(0, len(curves[1].At)-1, 0)
	if exact <= noisy {
		t.Errorf("local search ends at %g, with noise at %g", exact, noisy)
	}
	for want, m := range map[string]MethodComparison{
		"unknown search method": {Methods: []string{"magic"}},
		"it has cifar10/valid":  {Column: "cifar10/test"},
		"has cifar10/valid":     {Judge: []string{"x"}},
		"MethodComparison.Show": {Show: "cifar10/test"},
		"at least 1 of each":    {Seeds: -1},
		"standard deviation":    {Noise: []float64{-1}},
		"no such file":          {Table: "no/such/file"},
	} {
		m.Quiet = true
		if _, err := CompareMethods(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: the error is %v, want one with %q", m, err, want)
		}
	}
}

// TestLines draws what charts of lines get in bad times.
func TestLines(t *testing.T) {
	nasty := `<script>"&'` + "\x00"
	nan, inf := math.NaN(), math.Inf(1)
	for _, points := range [][]svg.BandPoint{nil, {{X: 0, Y: 0}}, {{X: nan, Y: inf}}, {{X: 1, Y: 1e-300, Low: -1, High: inf}, {X: 1e300, Y: 5}}, {{X: -3, Y: 4, Title: nasty}, {X: 2, Y: 7, Low: 0, High: 9}}} {
		for _, logarithmic := range []bool{false, true} {
			ch := svg.Lines{Title: nasty, XLabel: nasty, YLabel: nasty, LogX: logarithmic, LogY: logarithmic, Guides: []svg.Guide{{Name: nasty, At: nan}, {At: -1}, {At: 0, Vertical: true}, {Name: "x", At: 12, Vertical: true}}}
			ch.Clouds = []svg.Cloud{{Name: nasty, Color: svg.Sky, X: []float64{1, nan, -1}, Y: []float64{1, 2, inf}}}
			ch.Lines = []svg.Line{{Name: nasty, Band: true, Points: points}, {Step: true, Band: true, Marks: true, Points: points}, {Apart: true, Points: points}}
			wellFormed(t, ch.SVG())
		}
	}
}
