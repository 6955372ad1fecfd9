package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	_ "github.com/zeroshotnas/zeroshot/spaces/plain"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

func scorer(t testing.TB, cfg zico.Config) *zico.Scorer {
	t.Helper()
	be, err := backend.Open("")
	if err != nil {
		t.Fatal(err)
	}
	s, err := zico.New(be, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func batches(t testing.TB, spec string, n int) []images.Batch {
	t.Helper()
	src, err := images.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	data, err := src.Batches(context.Background(), images.Options{Batch: 8, N: n, Size: 32, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func network(t testing.TB, arch string) *net.Network {
	t.Helper()
	s := natstss.Space{C: 8, N: 1}
	a, err := s.Parse(arch)
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Network(a, spaces.Input{Size: 32, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDocumented checks that every proxy says what it is and where it is from.
func TestDocumented(t *testing.T) {
	if len(proxy.All()) < 24 {
		t.Errorf("only %d proxies", len(proxy.All()))
	}
	for _, p := range proxy.All() {
		if p.Doc == "" || p.Source == "" || p.Title == "" {
			t.Errorf("%s lacks a title, a description or a source", p.Name)
		}
		if p.Static && (p.Pass != zico.Pass{} || p.Needs != 0) {
			t.Errorf("%s is static and has a pass", p.Name)
		}
	}
}

func TestFind(t *testing.T) {
	got, err := proxy.Find("zico", "params", "zico")
	if err != nil || len(got) != 2 || got[0].Name != "zico" || got[1].Name != "params" {
		t.Errorf("Find(zico, params, zico) = %v, %v; want each once, in order", got, err)
	}
	all, err := proxy.Find("all")
	if err != nil || len(all) != len(proxy.All()) {
		t.Errorf("all gives %d of %d proxies, %v", len(all), len(proxy.All()), err)
	}
	shared, err := proxy.Find("shared")
	if err != nil || !slices.ContainsFunc(shared, func(p *proxy.Proxy) bool { return p.Name == "naswot" }) || slices.ContainsFunc(shared, func(p *proxy.Proxy) bool { return p.Name == "zen" }) {
		t.Errorf("shared gives %v, %v; want naswot among them and not zen", shared, err)
	}
	if _, err := proxy.Find("zico", "zocio"); err == nil || !strings.Contains(err.Error(), `"zocio"`) || !strings.Contains(err.Error(), "naswot") {
		t.Errorf("the error of an unknown proxy is %v; want its name and the known ones", err)
	}
}

// TestVariants checks that a proxy under other conditions has the value, to the bit, that a run under these conditions gives, alone and beside others.
func TestVariants(t *testing.T) {
	ctx := context.Background()
	s := scorer(t, zico.Config{})
	data := batches(t, "embedded", 5)
	n := network(t, "1462")
	evaluate := func(s *zico.Scorer, seed uint64, data []images.Batch, names ...string) []float64 {
		t.Helper()
		list, err := proxy.Find(names...)
		if err != nil {
			t.Fatal(err)
		}
		r, err := proxy.Evaluate(ctx, s, n, seed, data, list)
		if err != nil {
			t.Fatal(err)
		}
		return r.Values
	}
	// The first four of each batch's images.
	few := slices.Clone(data)
	for i := range few {
		few[i].N, few[i].Pixels, few[i].Labels = 4, few[i].Pixels[:4*32*32*3], few[i].Labels[:4]
	}
	noise, err := zico.New(must(backend.Open("")), zico.Config{DType: "float64"})
	if err != nil {
		t.Fatal(err)
	}
	defer noise.Close()
	for name, want := range map[string]float64{
		"zico:batches=2":                      evaluate(s, 5, data[:2], "zico")[0],
		"zico:batches=3":                      evaluate(s, 5, data[:3], "zico")[0],
		"zico:batches=5":                      evaluate(s, 5, data, "zico")[0],
		"zico-eq15:batches=3-4":               evaluate(s, 5, data[2:4], "zico-eq15")[0],
		"zico:images=4":                       evaluate(s, 5, few, "zico")[0],
		"zico:images=8":                       evaluate(s, 5, data, "zico")[0],
		"zico-mean:batches=2-4:images=4":      evaluate(s, 5, few[1:4], "zico-mean")[0],
		"zico:reseed=2":                       evaluate(s, 7, data, "zico")[0],
		"snip:reseed=2:exact":                 evaluate(noise, 7, data, "snip")[0],
		"zico:exact":                          evaluate(noise, 5, data, "zico")[0],
		"zico-std:batches=4-5:exact:reseed=1": evaluate(noise, 6, data[3:], "zico-std")[0],
	} {
		if got := evaluate(s, 5, data, "zico", "zico:batches=4", "naswot", name)[3]; got != want || want == 0 {
			t.Errorf("%s is %v beside others, want %v", name, got, want)
		}
		if got := evaluate(s, 5, data, name)[0]; got != want {
			t.Errorf("%s is %v alone, want %v", name, got, want)
		}
	}
	// Noise does not depend on the images.
	if a, b, c := evaluate(s, 5, data, "zico:noise")[0], evaluate(s, 5, data[3:], "zico:batches=2:noise")[0], evaluate(s, 5, data[:2], "zico:noise")[0]; b != c || a == b {
		t.Errorf("zico on noise is %v over five batches, %v over the first two and %v over two; want the last two equal", a, b, c)
	}
	list, err := proxy.Find("zico:batches=6")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proxy.Evaluate(ctx, s, n, 5, data, list); err == nil || !strings.Contains(err.Error(), "at least 6") {
		t.Errorf("of five batches the first six give %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestVariantNames checks that one set of conditions has one name, and what is refused.
func TestVariantNames(t *testing.T) {
	list, err := proxy.Find("zico:exact:images=4:batches=1-3", "zico:batches=3:images=4:exact", "zico")
	if err != nil || len(list) != 2 || list[0].Name != "zico:batches=3:images=4:exact" || list[0].Title != "ZiCo (batches=3, images=4, exact)" || list[1].Name != "zico" {
		t.Errorf("the proxies are %+v, %v", list, err)
	}
	for name, want := range map[string]string{
		"zico:":              "no such option",
		"zico:dropout":       "no such option",
		"zico:images":        "invalid syntax",
		"zico:images=0":      "at least 1",
		"zico:images=+3":     "at least 1",
		"zico:batches=1":     "at least 2",
		"zico:batches=0-3":   "at least 1",
		"zico:batches=3-3":   "at least 4",
		"zico:batches=3-":    "invalid syntax",
		"zico:reseed=-1":     "at least 1",
		"zico:exact=1":       "no value",
		"zico:exact:exact":   "twice",
		"params:exact":       "static",
		"snip:batches=2":     "not one of the comparisons",
		"zen:noise":          "does not look at images",
		"synflow:noise":      "does not look at images",
		"zico:batches=2:foo": "there is no such option",
		"zocio:exact":        "unknown proxy",
	} {
		if _, err := proxy.Find(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %q", name, err, want)
		}
	}
}

// TestTogether checks that a proxy has the same value to the bit alone and beside all others, in both types, and that zico is the Scorer's score.
func TestTogether(t *testing.T) {
	ctx := context.Background()
	for _, dtype := range []string{"float32", "float64"} {
		s := scorer(t, zico.Config{DType: dtype})
		data := batches(t, "embedded", 2)
		all := proxy.All()
		for _, arch := range []string{"1462", "15000", "8000"} {
			n := network(t, arch)
			together, err := proxy.Evaluate(ctx, s, n, 5, data, all)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range all {
				alone, err := proxy.Evaluate(ctx, s, n, 5, data, []*proxy.Proxy{p})
				if err != nil {
					t.Fatal(err)
				}
				if got, want := together.Values[i], alone.Values[0]; math.Float64bits(got) != math.Float64bits(want) {
					t.Errorf("%s of %s in %s is %v beside others, %v alone", p.Name, arch, dtype, got, want)
				}
				if c := together.Costs[i]; c.Alone < c.Beside || c.Beside < 0 {
					t.Errorf("%s costs %v alone and %v beside others", p.Name, c.Alone, c.Beside)
				}
				if p.Name == "zico" {
					res, err := s.Score(ctx, n, 5, data)
					if err != nil || res.Score != together.Values[i] {
						t.Errorf("the Scorer says %v, %v; zico is %v", res.Score, err, together.Values[i])
					}
				}
			}
		}
	}
}

// TestKernels checks every proxy with XLA's kernels, which share nothing with those of package simd but the plan, in float64.
func TestKernels(t *testing.T) {
	ctx := context.Background()
	data := batches(t, "embedded", 2)
	n := network(t, "1462")
	a, b := scorer(t, zico.Config{DType: "float64"}), scorer(t, zico.Config{DType: "float64", Kernels: "xla"})
	all := slices.DeleteFunc(proxy.All(), func(p *proxy.Proxy) bool { return p.Name == "spread" })
	x, err := proxy.Evaluate(ctx, a, n, 5, data, all)
	if err != nil {
		t.Fatal(err)
	}
	y, err := proxy.Evaluate(ctx, b, n, 5, data, all)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range all {
		if d := math.Abs(x.Values[i] - y.Values[i]); !(d <= 1e-6*math.Abs(y.Values[i])) {
			t.Errorf("%s is %.12g by our kernels, %.12g by XLA's", p.Name, x.Values[i], y.Values[i])
		}
	}
}

// TestEvaluateAll checks the order, that a bad architecture stops nothing, and the end of the context.
func TestEvaluateAll(t *testing.T) {
	ctx := context.Background()
	s := scorer(t, zico.Config{})
	data := batches(t, "embedded", 2)
	proxies, err := proxy.Find("zico", "synflow", "params")
	if err != nil {
		t.Fatal(err)
	}
	reqs := []zico.Request{{Space: "natstss:C=8,N=1", Arch: "1462", Seed: 1}, {Space: "natstss:C=8,N=1", Arch: "nonsense", Seed: 1}, {Space: "natstss:C=8,N=1", Arch: "0", Seed: 1}}
	var values []string
	var failed int
	for r, err := range proxy.EvaluateAll(ctx, s, data, reqs, proxies) {
		if err != nil {
			failed++
			var parse *spaces.ParseError
			if !errors.As(err, &parse) || !strings.Contains(err.Error(), "nonsense") {
				t.Errorf("the error is %v; want one that names the architecture", err)
			}
			continue
		}
		values = append(values, fmt.Sprint(r.Values))
	}
	if failed != 1 || len(values) != 2 {
		t.Errorf("%d failures and values %v; want one failure and two networks", failed, values)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range proxy.EvaluateAll(canceled, s, data, reqs, proxies) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after the context's end: %v", err)
		}
	}
}

// TestStatic checks that counts need neither a device nor images.
func TestStatic(t *testing.T) {
	proxies, err := proxy.Find("params", "flops", "conv-edges")
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range proxy.EvaluateAll(context.Background(), nil, nil, []zico.Request{{Space: "natstss", Arch: "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"}}, proxies) {
		// Parameters and multiply-adds of this cell are in NATS-Bench's tables; 5 convolutions in each of 15 cells, a stem and two blocks of three.
		if err != nil || r.Values[0] != 1289050 && r.Values[0] != 1288506 || r.Values[2] != 5*15+1+2*3 {
			t.Errorf("counts are %v, %v", r.Values, err)
		}
	}
}

// bare is a space that counts and has no networks.
type bare struct{ natstss.Space }

func (bare) Name() string { return "bare" }

func (bare) Network(a spaces.Arch, in spaces.Input) (*net.Network, error) {
	return nil, errors.New("no network")
}

func init() {
	spaces.Register("bare", func(*spaces.Options) spaces.Space { return bare{natstss.Space{C: 8, N: 1}} })
}

// TestCounts checks that proxies of counts alone take no networks, in the order of many requests, and give what they give of networks; with others beside them they do.
func TestCounts(t *testing.T) {
	ctx := t.Context()
	counts, err := proxy.Find("flops", "params")
	if err != nil {
		t.Fatal(err)
	}
	mixed, err := proxy.Find("flops", "params", "conv-edges")
	if err != nil {
		t.Fatal(err)
	}
	requests := func(space string) (reqs []zico.Request) {
		for i := range 1000 {
			reqs = append(reqs, zico.Request{Space: space, Arch: fmt.Sprint(16 * i)}) // the last ones are no cells
		}
		return reqs
	}
	type outcome struct {
		network string
		values  []float64
		failed  bool
	}
	evaluate := func(space string, proxies []*proxy.Proxy) (list []outcome) {
		for r, err := range proxy.EvaluateAll(ctx, nil, nil, requests(space), proxies) {
			if err != nil {
				if want := fmt.Sprint(16 * len(list)); !strings.HasPrefix(err.Error(), want+": ") {
					t.Fatalf("%s: the error %q does not name the architecture %s", space, err, want)
				}
				list = append(list, outcome{failed: true})
				continue
			}
			if len(r.Costs) != len(proxies) {
				t.Fatalf("%d costs of %d proxies", len(r.Costs), len(proxies))
			}
			list = append(list, outcome{r.Network, r.Values[:2], false})
		}
		return list
	}
	got, want := evaluate("bare", counts), evaluate("natstss:C=8,N=1", mixed)
	if !reflect.DeepEqual(got, want) || len(got) != 1000 || got[976].failed || !got[977].failed {
		t.Errorf("counts are %v, of networks %v", got[970:], want[970:])
	}
	for _, o := range evaluate("bare", mixed) {
		if !o.failed {
			t.Fatal("conv-edges asks for no network")
		}
	}
	for range proxy.EvaluateAll(ctx, nil, nil, requests("bare"), counts) {
		break
	}
	dynamic, err := proxy.Find("params", "zico")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proxy.Describe(bare{}, "0", spaces.Input{Size: 32, Classes: 10}, dynamic); err == nil || !strings.Contains(err.Error(), "zico") {
		t.Errorf("Describe takes a proxy that runs networks: %v", err)
	}
}

// TestDisconnected checks the values of a network whose classifier sees nothing: no panic, and the values that mean nothing are NaN, infinite or 0 with a warning.
func TestDisconnected(t *testing.T) {
	s := scorer(t, zico.Config{DType: "float64"})
	data := batches(t, "embedded", 2)
	proxies, err := proxy.Find("jacov", "naswot", "synflow", "zen", "snip", "ntk", "zico")
	if err != nil {
		t.Fatal(err)
	}
	r, err := proxy.Evaluate(context.Background(), s, network(t, "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|none~2|"), 1, data, proxies)
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(r.Values[0]) || math.IsInf(r.Values[1], 0) || !math.IsInf(r.Values[2], -1) || !math.IsInf(r.Values[3], -1) || r.Values[4] != 0 || r.Values[5] != 0 {
		t.Errorf("values are %v; want NaN, finite, -Inf, -Inf, 0, 0", r.Values)
	}
	if len(r.Warnings) != 3 || !strings.Contains(r.Warnings[0], "jacov") {
		t.Errorf("warnings are %q; want one for each value that is not finite", r.Warnings)
	}
}

// TestErrors checks what a pass cannot do.
func TestErrors(t *testing.T) {
	ctx := context.Background()
	s := scorer(t, zico.Config{})
	find := func(name string) []*proxy.Proxy {
		p, err := proxy.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	n := network(t, "1462")
	if _, err := proxy.Evaluate(ctx, s, n, 1, batches(t, "embedded", 1), find("zico")); err == nil || !strings.Contains(err.Error(), "at least 2") {
		t.Errorf("zico of one batch: %v", err)
	}
	if _, err := proxy.Evaluate(ctx, s, n, 1, batches(t, "embedded", 1), find("snip")); err != nil {
		t.Errorf("snip needs one batch only: %v", err)
	}
	wrong := &proxy.Proxy{Name: "wrong", Pass: zico.Pass{Objective: zico.Curvature}, Needs: zico.NeedSigns, Score: func(*zico.Observation) float64 { return 0 }}
	if _, err := proxy.Evaluate(ctx, s, n, 1, batches(t, "embedded", 2), []*proxy.Proxy{wrong}); err == nil || !strings.Contains(err.Error(), "objective") {
		t.Errorf("a need that the objective lacks: %v", err)
	}
	count := func(net.Counts) float64 { return 0 }
	for _, bad := range []proxy.Proxy{{}, {Name: "two words", Score: wrong.Score}, {Name: "zico", Score: wrong.Score}, {Name: "both", Static: true, Score: wrong.Score, Count: count}, {Name: "run", Count: count}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Register took %q", bad.Name)
				}
			}()
			proxy.Register(bad)
		}()
	}
}

// TestPage checks that docs/proxies.md names every proxy and shows the example as it is.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range proxy.All() {
		if p.Name != "spread" && !strings.Contains(string(page), "`"+p.Name+"`") {
			t.Errorf("docs/proxies.md does not name %s", p.Name)
		}
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, own, _ := strings.Cut(string(page), "```go\n")
	own, _, _ = strings.Cut(own, "```")
	for line := range strings.Lines(own) {
		if line = strings.TrimSpace(line); !strings.Contains(string(example), line) {
			t.Errorf("docs/proxies.md has a line that example_test.go lacks: %s", line)
		}
	}
}

// TestInputs checks that proxies on noise and on ones do not depend on the images, and that exact ones do not depend on the type of the run.
func TestInputs(t *testing.T) {
	ctx := context.Background()
	n := network(t, "1462")
	proxies, err := proxy.Find("zen", "gradnorm-unit", "naswot-unit", "synflow", "synflow-bn", "synflow-unit", "l2norm", "snip")
	if err != nil {
		t.Fatal(err)
	}
	single, double := scorer(t, zico.Config{}), scorer(t, zico.Config{DType: "float64"})
	a, err := proxy.Evaluate(ctx, single, n, 5, batches(t, "embedded", 1), proxies)
	if err != nil {
		t.Fatal(err)
	}
	b, err := proxy.Evaluate(ctx, single, n, 5, batches(t, "noise", 1), proxies)
	if err != nil {
		t.Fatal(err)
	}
	c, err := proxy.Evaluate(ctx, double, n, 5, batches(t, "embedded", 1), proxies)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range proxies {
		if same := a.Values[i] == b.Values[i]; same != (p.Name != "snip") {
			t.Errorf("%s is %v on photographs and %v on noise", p.Name, a.Values[i], b.Values[i])
		}
		if strings.HasPrefix(p.Name, "synflow") && a.Values[i] != c.Values[i] {
			t.Errorf("%s is %v in float32 and %v in float64; it computes in float64 always", p.Name, a.Values[i], c.Values[i])
		}
	}
}
