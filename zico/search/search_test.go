package search

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
	_ "github.com/zeroshotnas/zeroshot/spaces/darts"
	_ "github.com/zeroshotnas/zeroshot/spaces/masternet"
	_ "github.com/zeroshotnas/zeroshot/spaces/nasbench101"
	_ "github.com/zeroshotnas/zeroshot/spaces/natssss"
	_ "github.com/zeroshotnas/zeroshot/spaces/natstss"
	_ "github.com/zeroshotnas/zeroshot/spaces/plain"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
	_ "github.com/zeroshotnas/zeroshot/spaces/transnas"
	"github.com/zeroshotnas/zeroshot/zico/journal"
	"github.com/zeroshotnas/zeroshot/zico/journal/journaltest"
)

func open(t testing.TB, name string) spaces.Space {
	t.Helper()
	s, err := spaces.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fixed is an Evaluator whose values are functions of the architecture: its length, and a hash.
type fixed struct {
	metrics []string
	delay   bool // evaluations end in another order than they begin
	fail    func(a spaces.Arch) error
	mu      sync.Mutex
	calls   []spaces.Arch
	seeds   []uint64
	running int
	most    int // that ran at once
}

func (f *fixed) Metrics() []Metric {
	var list []Metric
	for _, m := range f.metrics {
		list = append(list, Metric{Name: m})
	}
	return list
}

func (f *fixed) About() map[string]string { return map[string]string{"kind": "fixed"} }

func hash(a spaces.Arch, salt string) float64 {
	h := fnv.New32a()
	h.Write([]byte(a))
	h.Write([]byte(salt))
	return float64(h.Sum32()%1000) / 1000
}

func (f *fixed) Evaluate(ctx context.Context, a spaces.Arch, seed uint64) (*Evaluation, error) {
	f.mu.Lock()
	f.calls = append(f.calls, a)
	f.seeds = append(f.seeds, seed)
	f.running++
	f.most = max(f.most, f.running)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.running--
		f.mu.Unlock()
	}()
	if f.delay {
		select {
		case <-time.After(time.Duration(hash(a, "delay") * float64(2*time.Millisecond))):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if f.fail != nil {
		if err := f.fail(a); err != nil {
			return nil, err
		}
	}
	e := &Evaluation{}
	for _, m := range f.metrics {
		e.Values = append(e.Values, hash(a, m))
	}
	return e, nil
}

// recorded keeps the candidates of a run.
type recorded struct{ list []*Candidate }

func (r *recorded) Record(_ *State, c *Candidate) { r.list = append(r.list, c) }

// candidates are the lines of a log that are a function of its header.
func candidates(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var keep []string
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		if i > 0 && !strings.HasPrefix(line, `{"clock":`) {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "\n")
}

func embedded(t testing.TB, noise float64, columns ...string) *Table {
	t.Helper()
	tb, err := tables.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewTable(tb, noise, 1, columns...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestMethods runs every method on every space: what they propose is canonical, and a run is a function of seed and evaluations in flight, whichever evaluation ends first.
func TestMethods(t *testing.T) {
	ctx := context.Background()
	for _, space := range []string{"darts", "masternet", "nasbench101", "natssss", "natstss", "natstss:super=1", "plain", "transnas", "transnas:macro=1"} {
		s := open(t, space)
		for _, m := range Methods() {
			if m.Fits != nil && m.Fits(s) != nil {
				continue
			}
			for _, k := range []int{1, 3} {
				var runs [2]*recorded
				var states [2]*State
				for i := range runs {
					runs[i] = &recorded{}
					limits, err := ParseBudget("", s, spaces.Input{}, nil)
					if err != nil {
						t.Fatal(err)
					}
					// Something must be rejected in every space.
					limits = append(limits, Limit{Name: "hash", Max: 0.8, Measure: func(_ context.Context, a spaces.Arch) (float64, error) { return hash(a, "limit"), nil }})
					state, err := Run(ctx, Config{
						Space: s, Method: m.Name, Evaluator: &fixed{metrics: []string{"a", "b"}, delay: k > 1 && i > 0}, Objectives: []string{"a", "b", "params"},
						Limits: limits, Seed: 7, InFlight: k, Iterations: 60, Recorder: runs[i],
					})
					if err != nil {
						t.Fatalf("%s on %s, %d in flight: %v", m.Name, space, k, err)
					}
					states[i] = state
				}
				name := fmt.Sprintf("%s on %s, %d in flight", m.Name, space, k)
				if states[0].Iterations != 60 || states[0].Status != IterationLimit || states[0].Evaluations == 0 || states[0].Rejected["hash"] == 0 && states[0].Supernets == 0 { // supernets are not rejected
					t.Errorf("%s: %d iterations, %d evaluations, %v rejected: %s", name, states[0].Iterations, states[0].Evaluations, states[0].Rejected, states[0].Status)
				}
				for i, c := range runs[0].list {
					if p, err := s.Parse(string(c.Arch)); err != nil || p != c.Arch {
						t.Fatalf("%s proposes %q, which is %q: %v", name, c.Arch, p, err)
					}
					if o := runs[1].list[i]; o.Arch != c.Arch || o.Verdict != c.Verdict || !slices.Equal(o.Objectives, c.Objectives) {
						t.Fatalf("%s: candidate %d is %s (%s) in one run, %s (%s) in the other", name, i, c.Arch, c.Verdict, o.Arch, o.Verdict)
					}
				}
			}
		}
	}
}

// TestResume cuts the log of a run at many places, as a kill may, and goes on: the log ends as that of the uninterrupted run.
func TestResume(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	for _, m := range Methods() {
		s := open(t, "natstss")
		if m.Fits != nil && m.Fits(s) != nil {
			s = open(t, "natstss:super=1")
		}
		for _, k := range []int{1, 3} {
			config := func(path string, n int, resume bool) Config {
				limits, err := ParseBudget("flops=120e6", s, spaces.Input{}, nil)
				if err != nil {
					t.Fatal(err)
				}
				return Config{
					Space: s, Method: m.Name, Evaluator: &fixed{metrics: []string{"a", "b"}, delay: k > 1, fail: func(a spaces.Arch) error {
						if hash(a, "fail") < 0.1 {
							return errors.New("a \"quoted\"\nfailure")
						}
						return nil
					}},
					Limits: limits, Seed: 3, InFlight: k, Iterations: n, Log: path, Resume: resume,
				}
			}
			whole := filepath.Join(dir, fmt.Sprintf("%s-%d", m.Name, k))
			end, err := Run(ctx, config(whole, 150, false))
			if err != nil {
				t.Fatal(err)
			}
			want := candidates(t, whole)
			data, err := os.ReadFile(whole)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, uint64(k)))
			for i := range 12 {
				cut := rng.IntN(len(data))
				switch i {
				case 0:
					cut = 5 // in the header
				case 1:
					cut = bytes.IndexByte(data, '\n') // a header without newline
				case 2:
					cut = len(data) - 1
				}
				path := filepath.Join(dir, "cut")
				if err := os.WriteFile(path, data[:cut], 0o644); err != nil {
					t.Fatal(err)
				}
				state, err := Run(ctx, config(path, 150, true))
				if err != nil {
					t.Fatalf("%s, %d in flight, cut at %d of %d: %v", m.Name, k, cut, len(data), err)
				}
				if got := candidates(t, path); got != want {
					t.Fatalf("%s, %d in flight, cut at %d of %d: the resumed log differs from the uninterrupted one at %s", m.Name, k, cut, len(data), firstDifference(got, want))
				}
				if state.Evaluations != end.Evaluations || state.Failed != end.Failed || state.Duplicates != end.Duplicates || state.Rejected["flops"] != end.Rejected["flops"] {
					t.Errorf("%s, %d in flight: the resumed run counts %+v, the uninterrupted one %+v", m.Name, k, state, end)
				}
				if a, b := state.Best(), end.Best(); (a == nil) != (b == nil) || a != nil && a.Arch != b.Arch {
					t.Errorf("%s, %d in flight: the resumed run chooses %v, the uninterrupted one %v", m.Name, k, a, b)
				}
			}
			// A shorter run is the beginning of a longer one.
			path := filepath.Join(dir, fmt.Sprintf("%s-%d-longer", m.Name, k))
			for _, n := range []int{40, 41, 150} {
				if _, err := Run(ctx, config(path, n, true)); err != nil {
					t.Fatal(err)
				}
			}
			if got := candidates(t, path); got != want {
				t.Errorf("%s, %d in flight: a run in three parts differs at %s", m.Name, k, firstDifference(got, want))
			}
			h, err := ReadLog(path)
			if err != nil {
				t.Fatal(err)
			}
			read := h.State()
			if read.Evaluations != end.Evaluations || read.Iterations != end.Iterations || read.Duplicates != end.Duplicates || read.Failed != end.Failed || len(read.Scored()) != len(end.Scored()) {
				t.Errorf("%s, %d in flight: the log reads as %d evaluations, %d duplicates, %d failed; the run had %d, %d, %d", m.Name, k, read.Evaluations, read.Duplicates, read.Failed, end.Evaluations, end.Duplicates, end.Failed)
			}
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			return fmt.Sprintf("line %d: %q, want %q", i, x[i], append(y, "", "")[min(i, len(y))])
		}
	}
	return fmt.Sprintf("its end: %d lines, want %d", len(x), len(y))
}

// TestFresh is the reference's treatment of duplicates and weights.
func TestFresh(t *testing.T) {
	s := open(t, "natstss")
	for _, fresh := range []bool{false, true} {
		e := &fixed{metrics: []string{"a"}}
		r := &recorded{}
		state, err := Run(context.Background(), Config{Space: s, Evaluator: e, Method: "zico:first=100", Initial: "1462", Iterations: 50, Weights: 1000, Fresh: fresh, Recorder: r})
		if err != nil {
			t.Fatal(err)
		}
		// One-edit mutations of one cell: 24 of them.
		if fresh {
			if state.Duplicates != 0 || state.Evaluations != 50 || len(e.calls) != 50 {
				t.Errorf("fresh: %d duplicates, %d evaluations, %d calls", state.Duplicates, state.Evaluations, len(e.calls))
			}
			for i, seed := range e.seeds {
				if seed != 1000+uint64(i) {
					t.Errorf("fresh: candidate %d has weights seed %d", i, seed)
				}
			}
			continue
		}
		if state.Evaluations > 24 || state.Duplicates+state.Evaluations != 50 || len(e.calls) != state.Evaluations {
			t.Errorf("%d evaluations, %d duplicates, %d calls; there are only 24 candidates", state.Evaluations, state.Duplicates, len(e.calls))
		}
		for _, seed := range e.seeds {
			if seed != 1000 {
				t.Errorf("weights seed %d", seed)
			}
		}
		for _, c := range r.list {
			if c.Verdict == Duplicate && (r.list[c.First].Arch != c.Arch || r.list[c.First].Verdict != Scored || !slices.Equal(r.list[c.First].Values, c.Values)) {
				t.Errorf("candidate %d is no duplicate of %d", c.Iteration, c.First)
			}
		}
	}
}

// script is a Method that proposes what it is given, and keeps what it learns.
type script struct {
	archs   []spaces.Arch
	learned *[]*Candidate
	at      int
}

func (s *script) Propose(*rand.Rand) (spaces.Arch, bool) {
	if s.at == len(s.archs) {
		return "", false
	}
	s.at++
	return s.archs[s.at-1], true
}

func (s *script) Learn(c *Candidate) { *s.learned = append(*s.learned, c) }

var scripts = map[uint64]*script{}

func init() {
	Register(Info{Name: "script", Doc: "Proposes what a test says.", Source: "tests", New: func(s Setup, o *Options) (Method, error) {
		m, ok := scripts[uint64(o.Int("script", 0, 0, 1<<30, "which"))]
		if !ok {
			return random{s.Space}, nil
		}
		return m, nil
	}})
}

// TestOrder checks that results are learned in the order of the proposals, everything that was rejected in its place, and that no more than k evaluations run at once.
func TestOrder(t *testing.T) {
	s := open(t, "natstss")
	var archs []spaces.Arch
	for a := range s.All() {
		if archs = append(archs, a); len(archs) == 40 {
			break
		}
	}
	var learned []*Candidate
	scripts[1] = &script{archs: archs, learned: &learned}
	e := &fixed{metrics: []string{"a"}, delay: true, fail: func(spaces.Arch) error {
		time.Sleep(20 * time.Millisecond)
		return nil
	}}
	limit := Limit{Name: "hash", Max: 0.5, Measure: func(_ context.Context, a spaces.Arch) (float64, error) { return hash(a, "limit"), nil }}
	state, err := Run(context.Background(), Config{Space: s, Evaluator: e, Method: "script:script=1", InFlight: 4, Iterations: 1000, Limits: []Limit{limit}})
	if err != nil {
		t.Fatal(err)
	}
	if state.Status != Exhausted || len(learned) != 40 {
		t.Fatalf("%s after %d candidates", state.Status, len(learned))
	}
	for i, c := range learned {
		if c.Iteration != i || c.Arch != archs[i] || (c.Verdict == Rejected) != (hash(c.Arch, "limit") > 0.5) {
			t.Errorf("learned as number %d: %+v", i, c)
		}
	}
	if e.most != 4 {
		t.Errorf("%d evaluations at once, want 4", e.most)
	}
}

// TestLimits checks each reason to end, and that a run that ends and goes on is the run.
func TestLimits(t *testing.T) {
	s := open(t, "natstss")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	all := Limit{Name: "all", Max: 0, Measure: func(context.Context, spaces.Arch) (float64, error) { return math.NaN(), nil }}
	for _, c := range []struct {
		name   string
		config Config
		status Status
	}{
		{"iterations", Config{Iterations: 30}, IterationLimit},
		{"evaluations", Config{Evaluations: 30, InFlight: 3}, EvaluationLimit},
		{"time", Config{Time: 50 * time.Millisecond}, TimeLimit},
		{"stalled", Config{Evaluations: 1, Limits: []Limit{all}}, Stalled},
	} {
		c.config.Space, c.config.Evaluator, c.config.Method = s, &fixed{metrics: []string{"a"}, delay: c.name == "time"}, "random"
		state, err := Run(ctx, c.config)
		if err != nil || state.Status != c.status {
			t.Errorf("%s: %v, %v", c.name, state.Status, err)
		}
		switch c.name {
		case "iterations":
			if state.Iterations != 30 {
				t.Errorf("%d iterations", state.Iterations)
			}
		case "evaluations":
			if state.Evaluations != 30 {
				t.Errorf("%d evaluations", state.Evaluations)
			}
		case "stalled":
			if state.Rejected["all"] != stall || state.Best() != nil {
				t.Errorf("%v rejected, best %v", state.Rejected, state.Best())
			}
		}
	}
	n := 0
	e := &fixed{metrics: []string{"a"}, fail: func(spaces.Arch) error {
		if n++; n == 10 {
			stop()
		}
		return nil
	}}
	state, err := Run(ctx, Config{Space: s, Evaluator: e, Method: "random", Iterations: 1000})
	if err != nil || state.Status != Interrupted || state.Evaluations < 9 || state.Evaluations > 10 {
		t.Errorf("interrupted: %s after %d evaluations, %v", state.Status, state.Evaluations, err)
	}
}

// TestFailures checks that a candidate that fails costs itself only, and that an evaluator that never works ends the run.
func TestFailures(t *testing.T) {
	s := open(t, "natstss")
	broken := errors.New("no such device")
	state, err := Run(context.Background(), Config{Space: s, Evaluator: &fixed{metrics: []string{"a"}, fail: func(spaces.Arch) error { return broken }}, Method: "random", Iterations: 1000})
	if !errors.Is(err, broken) || state.Failed != hopeless || state.Status != Broken {
		t.Errorf("%v after %d failures, %s", err, state.Failed, state.Status)
	}
	state, err = Run(context.Background(), Config{Space: s, Evaluator: &fixed{metrics: []string{"a"}, fail: func(a spaces.Arch) error {
		if hash(a, "fail") < 0.5 {
			return broken
		}
		return nil
	}}, Method: "evolution", Iterations: 300})
	if err != nil || state.Failed < 50 || len(state.Scored()) < 50 || !strings.Contains(state.Failure, broken.Error()) {
		t.Errorf("%d failed, %d scored, the first %q: %v", state.Failed, len(state.Scored()), state.Failure, err)
	}
	// NaN ranks below everything and is not dropped.
	nan := evaluatorFunc(func(a spaces.Arch) []float64 {
		if hash(a, "nan") < 0.5 {
			return []float64{math.NaN()}
		}
		return []float64{-1e300}
	})
	path := filepath.Join(t.TempDir(), "log")
	for _, resume := range []bool{false, true} {
		state, err = Run(context.Background(), Config{Space: s, Evaluator: nan, Method: "evolution:population=5", Iterations: 100, Log: path, Resume: resume})
		if err != nil || len(state.Scored()) != 100 || state.Score(state.Best()) != -1e300 {
			t.Fatalf("%d scored, best %v: %v", len(state.Scored()), state.Best(), err)
		}
	}
}

type evaluatorFunc func(spaces.Arch) []float64

func (f evaluatorFunc) Metrics() []Metric        { return []Metric{{Name: "f"}} }
func (f evaluatorFunc) About() map[string]string { return map[string]string{} }
func (f evaluatorFunc) Evaluate(_ context.Context, a spaces.Arch, _ uint64) (*Evaluation, error) {
	return &Evaluation{Values: f(a)}, nil
}

// TestErrors checks what a user is told of a Config that makes no sense, and of logs that are not the run's.
func TestErrors(t *testing.T) {
	s := open(t, "natstss")
	dir := t.TempDir()
	good := func() Config {
		return Config{Space: s, Evaluator: &fixed{metrics: []string{"a"}}, Method: "random", Iterations: 20, Log: filepath.Join(dir, "log")}
	}
	if _, err := Run(context.Background(), good()); err != nil {
		t.Fatal(err)
	}
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	data, err := os.ReadFile(good().Log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	for _, c := range []struct {
		name   string
		change func(*Config)
		is     error
		says   []string
	}{
		{"nothing", func(c *Config) { *c = Config{} }, nil, []string{"Space", "Evaluator"}},
		{"no end", func(c *Config) { c.Iterations = 0 }, nil, []string{"never end"}},
		{"method", func(c *Config) { c.Method = "hill" }, ErrUnknownMethod, []string{"hill", "aging", "zico"}},
		{"option", func(c *Config) { c.Method = "aging:size=3" }, nil, []string{"size", "population", "sample"}},
		{"option value", func(c *Config) { c.Method = "aging:population=0" }, nil, []string{"population=0", "from 1"}},
		{"option form", func(c *Config) { c.Method = "aging:population" }, nil, []string{"NAME=VALUE"}},
		{"objective", func(c *Config) { c.Objectives = []string{"b"} }, nil, []string{`"b"`, "a"}},
		{"initial", func(c *Config) { c.Initial = "nonsense" }, nil, []string{"nonsense"}},
		{"in use before", func(*Config) {}, ErrLog, []string{"resume it"}},
		{"another seed", func(c *Config) { c.Resume, c.Seed = true, 9 }, ErrLog, []string{"seed", "0", "9"}},
		{"another method", func(c *Config) { c.Resume, c.Method = true, "aging" }, ErrLog, []string{"method", "random", "aging"}},
		{"another space", func(c *Config) { c.Resume, c.Space = true, open(t, "natssss") }, ErrLog, []string{"space", "natstss", "natssss"}},
		{"no log", func(c *Config) { c.Resume, c.Log = true, file("text", "hello\nworld\n") }, ErrLog, []string{"hello", "another file"}},
		{"later version", func(c *Config) {
			c.Resume, c.Log = true, file("later", `{"format":"zeroshot-search","version":2}`+"\n")
		}, ErrLog, []string{"version 2"}},
		{"damaged", func(c *Config) {
			c.Resume, c.Log = true, file("damaged", strings.Join(lines[:5], "")+"{\"i\":4,\x00\n"+strings.Join(lines[6:], ""))
		}, ErrLog, []string{"line 6", "head -n 5"}},
		{"a line is missing", func(c *Config) {
			c.Resume, c.Log = true, file("missing", strings.Join(lines[:5], "")+strings.Join(lines[6:], ""))
		}, ErrLog, []string{"line 6", "candidate 5", "4"}},
		{"another program", func(c *Config) {
			c.Resume, c.Log = true, file("other", lines[0]+strings.Replace(lines[2], `"i":1`, `"i":0`, 1))
		}, ErrLog, []string{"candidate 0", "another version"}},
		{"latency", func(c *Config) {
			c.InFlight, c.Limits = 2, []Limit{{Name: "latency", Max: 1, Measure: func(context.Context, spaces.Arch) (float64, error) { return 0, nil }}}
		}, nil, []string{"InFlight 1"}},
		{"folder", func(c *Config) { c.Log = dir }, nil, []string{dir}},
	} {
		config := good()
		c.change(&config)
		_, err := Run(context.Background(), config)
		if err == nil || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %v", c.name, err, c.is)
			continue
		}
		for _, word := range c.says {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q does not say %q", c.name, err, word)
			}
		}
	}
	if again, err := os.ReadFile(good().Log); err != nil || !bytes.Equal(again, data) {
		t.Error("a refused run changed the log")
	}
	if _, err := ReadLog(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a log that is not there: %v", err)
	}
}

// TestSkip goes on behind a candidate whose evaluation ends the process.
func TestSkip(t *testing.T) {
	s := open(t, "natstss")
	path := filepath.Join(t.TempDir(), "log")
	r := &recorded{}
	config := Config{Space: s, Evaluator: &fixed{metrics: []string{"a"}}, Method: "random", Iterations: 10, Log: path, Resume: true, Recorder: r}
	if _, err := Run(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	config.Iterations, config.Skip = 20, true
	config.Evaluator = &fixed{metrics: []string{"a"}}
	r.list = nil
	state, err := Run(context.Background(), config)
	if err != nil || state.Failed != 1 || state.Evaluations != 20 || r.list[10].Verdict != Failed || !strings.Contains(state.Failure, "skipped") {
		t.Fatalf("%d failed (%s) of %d, %v", state.Failed, state.Failure, state.Evaluations, err)
	}
	for _, a := range config.Evaluator.(*fixed).calls {
		if a == r.list[10].Arch {
			t.Errorf("%s was evaluated", a)
		}
	}
	config.Skip = false
	if state, err = Run(context.Background(), config); err != nil || state.Failed != 1 || state.Iterations != 20 {
		t.Errorf("resumed: %d failed, %v", state.Failed, err)
	}
}

// TestLocked checks that one run has a log at a time.
func TestLocked(t *testing.T) {
	s := open(t, "natstss")
	path := filepath.Join(t.TempDir(), "log")
	var second error
	e := evaluatorFunc(func(a spaces.Arch) []float64 {
		if second == nil {
			_, second = Run(context.Background(), Config{Space: s, Evaluator: evaluatorFunc(nil), Method: "random", Iterations: 5, Log: path, Resume: true})
		}
		return []float64{1}
	})
	if _, err := Run(context.Background(), Config{Space: s, Evaluator: e, Method: "random", Iterations: 5, Log: path}); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(second, journal.ErrLocked) {
		t.Errorf("the second run on one log: %v", second)
	}
}

// TestDiskFull checks that a full disk stops a run with a log that is whole, and that it goes on when there is room.
func TestDiskFull(t *testing.T) {
	s := open(t, "natstss")
	dir := t.TempDir()
	config := Config{Space: s, Evaluator: &fixed{metrics: []string{"a"}}, Method: "evolution", Iterations: 100, Log: filepath.Join(dir, "whole")}
	if _, err := Run(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	want := candidates(t, config.Log)
	config.Log = filepath.Join(dir, "full")
	room := journaltest.FullDisk(t, config.Log, 5000)
	state, err := Run(context.Background(), config)
	if !errors.Is(err, journaltest.DiskFull) || state.Status != Broken || !strings.Contains(err.Error(), "make room") {
		t.Fatalf("%v, %s", err, state.Status)
	}
	room()
	if data, err := os.ReadFile(config.Log); err != nil || !bytes.HasSuffix(data, []byte("\n")) || !strings.HasPrefix(want, candidates(t, config.Log)) {
		t.Errorf("the log is not whole: %v", err)
	}
	config.Resume = true
	if _, err := Run(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	if got := candidates(t, config.Log); got != want {
		t.Errorf("the log after the full disk differs at %s", firstDifference(got, want))
	}
}

// TestLogRank compares with the definition.
func TestLogRank(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var l LogRank
	var seen [][]float64
	for range 200 {
		o := []float64{float64(rng.IntN(20)), rng.NormFloat64(), math.Inf(-1)}
		if rng.IntN(10) == 0 {
			o[1] = math.NaN()
		}
		l.Add(o)
		seen = append(seen, o)
		want := 0.0
		for i := range o {
			rank := 0
			for _, p := range seen {
				if cmp.Compare(p[i], o[i]) <= 0 { // NaN is below all numbers; the test draws no -Inf beside it
					rank++
				}
			}
			want += math.Log(float64(rank) / float64(len(seen)))
		}
		if got := l.Score(o); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%v among %d: %g, want %g", o, len(seen), got, want)
		}
	}
	if got := l.Score([]float64{1e9, 1e9, 1e9}); got != 0 {
		t.Errorf("what is best in everything has %g, want 0", got)
	}
}

// FuzzLog reads arbitrary files.
func FuzzLog(f *testing.F) {
	f.Add([]byte(`{"format":"zeroshot-search","version":1,"objectives":["a"],"metrics":[{"name":"a"}],"limits":[]}` + "\n" + `{"i":0,"arch":"x","values":[1]}` + "\n" + `{"i":1,"arch":"x","same":0}` + "\n" + `{"clock":{"elapsed_ns":5}}` + "\n" + `{"i":2,"arch":"y","failed":"z"}`))
	f.Add([]byte(`{"format":"zeroshot-search","version":1,"objectives":["flops"],"metrics":[],"limits":[{"name":"flops","max":"+Inf"}]}` + "\n" + `{"i":0,"arch":"x","rejected":"flops","costs":[1]}`))
	path := filepath.Join(f.TempDir(), "log")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if h, err := ReadLog(path); err == nil {
			s := h.State()
			s.Best()
			s.Front()
			s.Top(3)
			_ = s.Line()
		}
	})
}
