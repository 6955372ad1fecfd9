package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

// zeroCost runs Zero-Cost-PT with scores that are a function of the architecture, and returns the candidates.
func zeroCost(t *testing.T, method string, config Config) (*State, []*Candidate) {
	t.Helper()
	r := &recorded{}
	config.Space, config.Method, config.Recorder, config.Iterations = open(t, "natstss:super=1"), method, r, 10000
	if config.Evaluator == nil {
		config.Evaluator = &fixed{metrics: []string{"a"}, delay: config.InFlight > 1}
	}
	s, err := Run(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	return s, r.list
}

// TestZeroCostPT follows runs step by step: each edge of the supernet is decided by the scores without, or with, each of its operations, and what is decided last is an architecture.
func TestZeroCostPT(t *testing.T) {
	space := open(t, "natstss:super=1").(spaces.Relaxer)
	for _, alone := range []bool{false, true} {
		for _, k := range []int{1, 3} {
			method := map[bool]string{false: "zero-cost-pt:proposals=4", true: "zero-cost-pt:proposals=4,disc=1"}[alone]
			name := fmt.Sprintf("%s, %d in flight", method, k)
			s, list := zeroCost(t, method, Config{InFlight: k, Seed: 5})
			if len(list) != 4*31 || s.Status != Exhausted {
				t.Fatalf("%s: %d candidates, %s; want 31 for each of 4 proposals", name, len(list), s.Status)
			}
			orders := map[string]bool{}
			var results []*Candidate
			for p := range 4 {
				current, order := space.Supernet(), ""
				for step := range 6 {
					group := list[p*31+step*5:][:5]
					edge := -1 // the one in which the group differs from what has been decided so far
					before, _ := space.Choices(current)
					first, _ := space.Choices(group[0].Arch)
					for e := range before {
						if !slices.Equal(before[e], first[e]) {
							edge = e
						}
					}
					best := 0
					for op, c := range group {
						keep := []int{op}
						if !alone {
							keep = slices.Delete([]int{0, 1, 2, 3, 4}, op, op+1)
						}
						if want, err := space.Choose(current, edge, keep...); err != nil || c.Arch != want {
							t.Fatalf("%s: candidate %d is %s, want %s: %v", name, c.Iteration, c.Arch, want, err)
						}
						if less := c.Objectives[0] < group[best].Objectives[0]; less != alone && c.Objectives[0] != group[best].Objectives[0] {
							best = op
						}
					}
					current, _ = space.Choose(current, edge, best)
					order += fmt.Sprint(edge)
				}
				c := list[p*31+30]
				if c.Arch != current || c.Supernet {
					t.Fatalf("%s: proposal %d ends with %s (supernet: %t), decided is %s", name, p, c.Arch, c.Supernet, current)
				}
				orders[order] = true
				results = append(results, c)
			}
			if len(orders) < 3 {
				t.Errorf("%s: the edges are decided in the orders %v", name, orders)
			}
			best := slices.MaxFunc(results, func(a, b *Candidate) int {
				return map[bool]int{true: -1, false: 1}[a.Objectives[0] < b.Objectives[0]]
			})
			// With disc=1 the last edge is scored by architectures, the best of which is what is decided.
			if b := s.Best(); b == nil || b.Arch != best.Arch {
				t.Errorf("%s: the result is %v, the best proposal %s", name, b, best.Arch)
			}
		}
	}
}

// TestSupernetsApart checks that what a run reports are architectures, whatever supernets score, live and from the log; and that limits reject architectures alone.
func TestSupernetsApart(t *testing.T) {
	space := open(t, "natstss:super=1")
	high := &fixed{metrics: []string{"a"}}
	log := filepath.Join(t.TempDir(), "log")
	few := Limit{Name: "hash", Max: 0.5, Measure: func(_ context.Context, a spaces.Arch) (float64, error) {
		if spaces.IsSupernet(space, a) {
			return 2, nil
		}
		return hash(a, "limit"), nil
	}}
	s, list := zeroCost(t, "zero-cost-pt", Config{Evaluator: high, Limits: []Limit{few}, Log: log})
	cells, repeated := 0, 0
	for _, c := range list {
		if c.Supernet != strings.Contains(string(c.Arch), "{") {
			t.Errorf("%s: a supernet: %t", c.Arch, c.Supernet)
		}
		if c.Supernet && !c.Has() {
			t.Errorf("supernet %s is %s by %s", c.Arch, c.Verdict, c.Reason)
		}
		if !c.Supernet {
			cells++
		}
		if c.Supernet && c.Verdict == Duplicate {
			repeated++
		}
	}
	if cells != 10 || s.Rejected["hash"] == 0 || s.Supernets+repeated != 300 || len(s.Scored()) == 0 || len(s.Scored()) > 10-s.Rejected["hash"] {
		t.Errorf("%d cells, %v rejected, %d supernets and %d repeated ones, %d scored", cells, s.Rejected, s.Supernets, repeated, len(s.Scored()))
	}
	h, err := ReadLog(log)
	if err != nil {
		t.Fatal(err)
	}
	read := h.State()
	for what, s := range map[string]*State{"the run": s, "its log": read} {
		for _, c := range slices.Concat(s.Scored(), s.Top(100), s.Front(), []*Candidate{s.Best()}) {
			if c == nil || c.Supernet {
				t.Fatalf("%s: %v is among the results", what, c)
			}
		}
	}
	if read.Supernets != s.Supernets || read.Best().Arch != s.Best().Arch || read.Evaluations != s.Evaluations {
		t.Errorf("the log has %d supernets of %d evaluations and chooses %s; the run %d of %d, %s", read.Supernets, read.Evaluations, read.Best().Arch, s.Supernets, s.Evaluations, s.Best().Arch)
	}
}

// TestZeroCostPTFailures checks that an operation without a score does not stay, and what cannot be searched.
func TestZeroCostPTFailures(t *testing.T) {
	ctx := context.Background()
	broken := errors.New("no such device")
	s, list := zeroCost(t, "zero-cost-pt:proposals=3,disc=1", Config{Evaluator: &fixed{metrics: []string{"a"}, fail: func(a spaces.Arch) error {
		if strings.Contains(string(a), "|nor_conv_3x3~0|+") {
			return broken
		}
		return nil
	}}})
	if s.Failed == 0 || s.Best() == nil {
		t.Fatalf("%d failed, the result is %v", s.Failed, s.Best())
	}
	for _, c := range list {
		if strings.HasPrefix(string(c.Arch), "|nor_conv_3x3~0|+") && c.Verdict != Failed {
			t.Errorf("%s is %s", c.Arch, c.Verdict)
		}
	}
	if strings.HasPrefix(string(s.Best().Arch), "|nor_conv_3x3~0|+") {
		t.Errorf("%s stays, though each of its scores failed", s.Best().Arch)
	}
	_, err := Run(ctx, Config{Space: open(t, "natstss:super=1"), Method: "zero-cost-pt", Evaluator: &fixed{metrics: []string{"a"}, fail: func(spaces.Arch) error { return broken }}, Iterations: 1000})
	if !errors.Is(err, broken) {
		t.Errorf("an evaluator that never works gives %v", err)
	}
	_, err = Run(ctx, Config{Space: open(t, "plain"), Method: "zero-cost-pt", Evaluator: &fixed{metrics: []string{"a"}}, Iterations: 10})
	if err == nil || !strings.Contains(err.Error(), "plain:bn=1 describes no supernets") {
		t.Errorf("a space without supernets gives %v", err)
	}
	// A supernet to begin with restricts what is found.
	s, _ = zeroCost(t, "zero-cost-pt:proposals=5", Config{Initial: "|{skip_connect,nor_conv_3x3}~0|+|nor_conv_1x1~0|none~1|+|{none,skip_connect}~0|none~1|skip_connect~2|"})
	if a := string(s.Best().Arch); !strings.Contains(a, "|nor_conv_1x1~0|none~1|+") || !strings.HasSuffix(a, "~0|none~1|skip_connect~2|") || s.Iterations != 5*5 {
		t.Errorf("from a supernet with two mixed edges comes %s after %d iterations", a, s.Iterations)
	}
}

// TestSupernetScores computes every proxy of real supernets. Taking away the operation none changes no network, so no score; and an architecture has the scores that it has in the space without supernets.
func TestSupernetScores(t *testing.T) {
	ctx := context.Background()
	be, err := backend.Open("xla:cpu")
	if err != nil {
		t.Skip(err)
	}
	scorer, err := zico.New(be, zico.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer scorer.Close()
	src, err := images.Open("embedded")
	if err != nil {
		t.Fatal(err)
	}
	data, err := src.Batches(ctx, images.Options{Batch: 4, N: 2, Size: 16, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	proxies := proxy.All()
	plain, super := open(t, "natstss:C=4,N=1"), open(t, "natstss:C=4,N=1,super=1").(spaces.Relaxer)
	values := func(s spaces.Space, a spaces.Arch) []float64 {
		e, err := (&Local{Scorer: scorer, Data: data, DataName: "embedded", Space: s, Proxies: proxies}).Evaluate(ctx, a, 1)
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		return e.Values
	}
	whole := super.Supernet()
	without := whole
	for edge := range 6 {
		if without, err = super.Choose(without, edge, 1, 2, 3, 4); err != nil {
			t.Fatal(err)
		}
	}
	cell, err := super.Parse("11718")
	if err != nil {
		t.Fatal(err)
	}
	a, b, c, d := values(super, whole), values(super, without), values(super, cell), values(plain, cell)
	for i, p := range proxies {
		if math.IsNaN(a[i]) || math.IsInf(a[i], 0) {
			t.Errorf("%s of the supernet is %g", p.Name, a[i])
		}
		if a[i] != b[i] {
			t.Errorf("%s of the supernet is %g, without none %g", p.Name, a[i], b[i])
		}
		if c[i] != d[i] && !(math.IsNaN(c[i]) && math.IsNaN(d[i])) {
			t.Errorf("%s of %s is %g beside supernets, %g without", p.Name, cell, c[i], d[i])
		}
	}
}
