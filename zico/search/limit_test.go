package search

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico/backend"
)

// TestQuantities checks the counters of budgets: the reference's for masternet (SLDGroup/ZiCo, golden/published.json), the benchmark's for NATS-Bench.
func TestQuantities(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		space, arch, name string
		in                spaces.Input
		want              float64
	}{
		{"masternet", "initial", "flops", spaces.Input{}, 162396776},
		{"masternet", "initial", "params", spaces.Input{}, 2813889},
		{"masternet", "initial", "layers", spaces.Input{}, 6},
		{"masternet", "zico_450M", "flops", spaces.Input{}, 438385944},
		{"masternet", "zico_450M", "params", spaces.Input{}, 5716393},
		{"masternet", "zico_450M", "layers", spaces.Input{}, 14},
		// Index 0 of the benchmark, which gives 15.64737 million (NATS-Bench): with the ten biases of the classifier.
		{"natstss", "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|", "flops", spaces.Input{}, 15647360},
		// A stem, 15 cells of one 3x3 convolution, two reductions of three convolutions, a linear layer.
		{"natstss", "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|", "layers", spaces.Input{}, 1 + 15 + 6 + 1},
	} {
		s := open(t, c.space)
		l, err := Quantity(c.name, 1, s, c.in)
		if err != nil {
			t.Fatal(err)
		}
		a, err := s.Parse(c.arch)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := l.Measure(ctx, a); err != nil || got != c.want {
			t.Errorf("%s of %s: %.0f, want %.0f: %v", c.name, c.arch, got, c.want, err)
		}
	}
	s := open(t, "masternet")
	memory := func(size int) float64 {
		l, err := Quantity("memory", 1, s, spaces.Input{Size: size})
		if err != nil {
			t.Fatal(err)
		}
		v, err := l.Measure(ctx, s.(spaces.Evolver).Initial())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	// Weights are a part of it, activations grow with the square of the size.
	if small, large := memory(32), memory(224); small < 4*2.7e6 || large < small+1e6 {
		t.Errorf("%.0f bytes at 32 pixels, %.0f at 224", small, large)
	}
}

// TestBudget runs a search under every kind of limit and checks that nothing breaks one and that rejections are counted by reason.
func TestBudget(t *testing.T) {
	s := open(t, "masternet")
	limits, err := ParseBudget("flops=180e6, layers=8,params=3.2e6,memory=16e6", s, spaces.Input{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	own := errors.New("no odd stems")
	limits = append(limits, Limit{Name: "mine", Max: 0, Measure: func(_ context.Context, a spaces.Arch) (float64, error) {
		switch {
		case strings.Contains(string(a), "K7"):
			return 1, nil // of one's own rules: no 7x7
		case strings.HasPrefix(string(a), "SuperConvK3BNRELU(3,24,"):
			return 0, own
		}
		return 0, nil
	}})
	r := &recorded{}
	state, err := Run(context.Background(), Config{Space: s, Evaluator: &fixed{metrics: []string{"a"}}, Limits: limits, Evaluations: 300, Seed: 2, Recorder: r})
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{"flops", "layers", "params", "memory", "mine"} {
		if state.Rejected[reason] == 0 {
			t.Errorf("nothing was rejected by %s: %v", reason, state.Rejected)
		}
	}
	rejected := map[string]int{}
	for _, c := range r.list {
		switch c.Verdict {
		case Rejected:
			rejected[c.Reason]++
			i := len(c.Costs) - 1
			if limits[i].Name != c.Reason || c.Costs[i] <= limits[i].Max {
				t.Errorf("%s is rejected by %s with costs %v", c.Arch, c.Reason, c.Costs)
			}
		case Scored:
			for i, l := range limits {
				if c.Costs[i] > l.Max {
					t.Errorf("%s has %s %g, the limit is %g", c.Arch, l.Name, c.Costs[i], l.Max)
				}
			}
			if strings.Contains(string(c.Arch), "K7") {
				t.Errorf("%s breaks a limit of one's own", c.Arch)
			}
		case Failed:
			if !strings.Contains(c.Reason, own.Error()) {
				t.Errorf("%s failed: %s", c.Arch, c.Reason)
			}
		}
	}
	for reason, n := range rejected {
		if state.Rejected[reason] != n {
			t.Errorf("%d rejected by %s, counted as %d", n, reason, state.Rejected[reason])
		}
	}
	if v, ok := state.Cost(state.Best(), "flops"); !ok || v > 180e6 {
		t.Errorf("the best has %g flops, %v", v, ok)
	}
}

// TestParseBudget checks what is read, what is measured in any case, and what a user is told.
func TestParseBudget(t *testing.T) {
	s := open(t, "masternet")
	latency := func(limit float64) (Limit, error) { return Limit{Name: "latency", Max: limit}, nil }
	names := func(l []Limit) (list []string, most []float64) {
		for _, l := range l {
			list, most = append(list, l.Name), append(most, l.Max)
		}
		return list, most
	}
	for _, c := range []struct {
		budget, names string
		most          []float64
	}{
		{"", "flops params", []float64{math.Inf(1), math.Inf(1)}},
		{"layers=14,flops=450e6", "params layers flops", []float64{math.Inf(1), 14, 450e6}},
		{"latency=20,params=5e6", "flops params latency", []float64{math.Inf(1), 5e6, 20}},
	} {
		l, err := ParseBudget(c.budget, s, spaces.Input{}, latency)
		got, most := names(l)
		if err != nil || strings.Join(got, " ") != c.names {
			t.Fatalf("%q: %v, want %s: %v", c.budget, got, c.names, err)
		}
		for i := range most {
			if most[i] != c.most[i] {
				t.Errorf("%q: limits %v, want %v", c.budget, most, c.most)
			}
		}
	}
	for _, c := range []struct{ budget, says string }{
		{"flops", "NAME=NUMBER"},
		{"flops=x", "flops=x"},
		{"flops=-1", "positive"},
		{"flops=NaN", "positive"},
		{"flops=1,flops=2", "twice"},
		{"width=3", "flops, params, layers, memory"},
	} {
		if _, err := ParseBudget(c.budget, s, spaces.Input{}, latency); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v does not say %q", c.budget, err, c.says)
		}
	}
	if _, err := ParseBudget("latency=3", s, spaces.Input{}, nil); err == nil {
		t.Error("latency without a device")
	}
}

// TestLatency measures two networks, of which one is much larger.
func TestLatency(t *testing.T) {
	be, err := backend.Open("xla:cpu")
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, "natstss:C=8,N=1")
	l, err := Latency(be, s, spaces.Input{Size: 64}, 1e6)
	if err != nil {
		t.Fatal(err)
	}
	var ms [2]float64
	for i, arch := range []string{
		"|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
		"|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
	} {
		if ms[i], err = l.Measure(context.Background(), spaces.Arch(arch)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%.3f and %.3f ms", ms[0], ms[1])
	if !(ms[0] > 0) || ms[1] < 1.2*ms[0] {
		t.Errorf("eighteen convolutions more take %.3f ms, without them %.3f ms", ms[1], ms[0])
	}
	if _, err := l.Measure(context.Background(), "nonsense"); err == nil {
		t.Error("the latency of nonsense")
	}
}
