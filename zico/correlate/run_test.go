package correlate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
	_ "github.com/zeroshotnas/zeroshot/spaces/darts"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/journal/journaltest"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

// fake stands in for a device: values are functions of architecture and proxy.
type fake struct {
	calls  atomic.Int64
	asked  sync.Map // architecture and proxies
	pause  time.Duration
	broken func(arch, proxy string) error
	after  int // networks after which stop is called
	stop   func()
}

func fakeValue(arch, proxy string) float64 {
	h := fnv.New32a()
	fmt.Fprint(h, arch, proxy)
	switch v := h.Sum32() % 1000; v {
	case 0:
		return math.NaN()
	case 1:
		return math.Inf(1)
	default:
		return float64(v)/7 - 50
	}
}

func (f *fake) evaluate(ctx context.Context, reqs []zico.Request, proxies []*proxy.Proxy) iter.Seq2[*proxy.Result, error] {
	return func(yield func(*proxy.Result, error) bool) {
		for _, r := range reqs {
			time.Sleep(f.pause)
			n := f.calls.Add(1)
			if f.stop != nil && int(n) > f.after {
				f.stop()
			}
			if ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
			res := &proxy.Result{Network: r.Arch}
			var names []string
			var err error
			for _, p := range proxies {
				names = append(names, p.Name)
				if f.broken != nil && err == nil {
					err = f.broken(r.Arch, p.Name)
				}
				res.Values = append(res.Values, fakeValue(r.Arch, p.Name))
			}
			f.asked.Store(r.Arch+" "+strings.Join(names, ","), true)
			if err != nil {
				res = nil
			}
			if !yield(res, err) {
				return
			}
		}
	}
}

// asks is what was asked for, sorted.
func (f *fake) asks() (list []string) {
	f.asked.Range(func(k, _ any) bool { list = append(list, k.(string)); return true })
	slices.Sort(list)
	return list
}

var (
	proxyA = &proxy.Proxy{Name: "a"}
	proxyB = &proxy.Proxy{Name: "b", Lower: true}
	proxyC = &proxy.Proxy{Name: "c", Pass: zico.Pass{Abs: true}}
	params = &proxy.Proxy{Name: "params", Static: true, Score: func(o *zico.Observation) float64 { return float64(net.Params(o.Network)) }}
	flops  = &proxy.Proxy{Name: "flops", Static: true, Score: func(o *zico.Observation) float64 { return float64(net.FLOPs(o.Network, net.XAutoDL)) }}
)

func noise(t testing.TB) []images.Batch {
	t.Helper()
	src, err := images.Open("noise")
	if err != nil {
		t.Fatal(err)
	}
	b, err := src.Batches(t.Context(), images.Options{Batch: 2, Seed: 1, Size: 8})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func config(t testing.TB, f *fake, n int, store string, proxies ...*proxy.Proxy) Config {
	t.Helper()
	table, err := tables.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return Config{Table: table, Space: "natstss:C=4,N=1", Columns: []string{"cifar10/valid"}, Proxies: proxies, Sample: n, SampleSeed: 1, Data: noise(t), DataName: "noise", Seed: 1, Evaluate: f.evaluate, DType: "float32", Store: store}
}

func mustRun(t testing.TB, c Config) *Scores {
	t.Helper()
	s, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func temp(t testing.TB) string { return filepath.Join(t.TempDir(), "scores.jsonl") }

// equal compares scores with everything in them.
func equal(t *testing.T, got, want *Scores) {
	t.Helper()
	var a, b bytes.Buffer
	if err := errors.Join(got.WriteCSV(&a), want.WriteCSV(&b)); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		t.Errorf("scores differ:\n%s\nwant\n%s", a.String(), b.String())
	}
	if x, y := got.Report(ReportOptions{Resamples: 50}).Text(), want.Report(ReportOptions{Resamples: 50}).Text(); x != y {
		t.Errorf("reports differ:\n%s\nwant\n%s", x, y)
	}
}

// TestExtend extends a sample: the first architectures stay, what is known is not asked for again, and the result is that of a run of one piece.
func TestExtend(t *testing.T) {
	store := temp(t)
	f := &fake{}
	five := mustRun(t, config(t, f, 5, store, proxyA, params))
	if f.calls.Load() != 5 {
		t.Errorf("%d evaluations for 5 networks", f.calls.Load())
	}
	f2 := &fake{}
	ten := mustRun(t, config(t, f2, 10, store, proxyA, params))
	if f2.calls.Load() != 5 {
		t.Errorf("%d evaluations for 5 more networks", f2.calls.Load())
	}
	if !slices.Equal(ten.Archs[:5], five.Archs) || !slices.Equal(ten.Index[:5], five.Index) || !reflect.DeepEqual(ten.Values[1][:5], five.Values[1]) {
		t.Errorf("the sample of 10 begins with %v, that of 5 is %v", ten.Archs[:5], five.Archs)
	}
	equal(t, ten, mustRun(t, config(t, &fake{}, 10, "", proxyA, params)))
	// A larger set of proxies takes what is there, and a smaller one asks for nothing.
	f3 := &fake{}
	mustRun(t, config(t, f3, 10, store, proxyB, proxyA, proxyC))
	for _, a := range f3.asks() {
		if !strings.HasSuffix(a, " b,c") {
			t.Errorf("asked for %q; only b and c were missing", a)
		}
	}
	f4 := &fake{}
	mustRun(t, config(t, f4, 7, store, proxyC, proxyB))
	if f4.calls.Load() != 0 {
		t.Errorf("%d evaluations of what is known", f4.calls.Load())
	}
}

// TestKey changes one thing after another: scores of other conditions are not taken.
func TestKey(t *testing.T) {
	store := temp(t)
	mustRun(t, config(t, &fake{}, 3, store, proxyA))
	for name, change := range map[string]func(*Config){
		"space":   func(c *Config) { c.Space = "natstss:C=4,N=2" },
		"seed":    func(c *Config) { c.Seed = 2 },
		"dtype":   func(c *Config) { c.DType = "float64" },
		"input":   func(c *Config) { c.Input.Classes = 11 },
		"pixels":  func(c *Config) { c.Data[1].Pixels[7]++ },
		"labels":  func(c *Config) { c.Data[0].Labels[0] = (c.Data[0].Labels[0] + 1) % 10 },
		"batches": func(c *Config) { c.Data = append(c.Data, c.Data[0]) },
		"order":   func(c *Config) { c.Data[0], c.Data[1] = c.Data[1], c.Data[0] },
	} {
		f := &fake{}
		c := config(t, f, 3, store, proxyA)
		change(&c)
		mustRun(t, c)
		if f.calls.Load() != 3 {
			t.Errorf("another %s: %d of 3 networks are evaluated", name, f.calls.Load())
		}
	}
	f := &fake{}
	mustRun(t, config(t, f, 3, store, proxyA))
	if f.calls.Load() != 0 {
		t.Errorf("nothing has changed, and %d networks are evaluated", f.calls.Load())
	}
}

// TestStop ends a run at every place: it returns what it has, and the next one completes it to the same result.
func TestStop(t *testing.T) {
	want := mustRun(t, config(t, &fake{}, 9, "", proxyA, proxyC, params))
	for after := range 9 {
		store := temp(t)
		ctx, cancel := context.WithCancel(t.Context())
		f := &fake{after: after, stop: cancel}
		s, err := Run(ctx, config(t, f, 9, store, proxyA, proxyC, params))
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), fmt.Sprintf("%d of 9", after)) || s.Done() != after {
			t.Errorf("stopped after %d: %v", after, err)
		}
		for _, row := range s.Report(ReportOptions{Resamples: 10}).Rows {
			if n := row.Counts.N; n != after && !row.Proxy.Static {
				t.Errorf("stopped after %d: a report on %d for %s", after, n, row.Proxy.Name)
			}
		}
		f = &fake{}
		equal(t, mustRun(t, config(t, f, 9, store, proxyA, proxyC, params)), want)
		if int(f.calls.Load()) != 9-after {
			t.Errorf("stopped after %d: then %d evaluations", after, f.calls.Load())
		}
	}
}

// TestFailures has networks that fail with one pass, with all, and in the end never: others are not touched, a run tries once, the next one again.
func TestFailures(t *testing.T) {
	store := temp(t)
	all := mustRun(t, config(t, &fake{}, 12, "", proxyA, proxyB, proxyC))
	bad := map[string]bool{string(all.Archs[0]): true, string(all.Archs[3]): true, string(all.Archs[4]): true, string(all.Archs[8]): true, string(all.Archs[10]): true}
	f := &fake{broken: func(arch, p string) error {
		if bad[arch] && p == "c" || arch == string(all.Archs[6]) {
			return errors.New("no luck")
		}
		return nil
	}}
	var last Progress
	c := config(t, f, 12, store, proxyA, proxyB, proxyC)
	c.Chunk = 2
	c.Progress = func(p Progress) { last = p }
	s := mustRun(t, c)
	for row, arch := range s.Archs {
		whole := arch != all.Archs[6]
		for p, want := range []bool{whole, whole, whole && !bad[string(arch)]} {
			if s.Known[p][row] != want {
				t.Errorf("row %d, proxy %d: known is %v", row, p, !want)
			}
		}
	}
	if len(s.Failed) != 7 || s.Failed[0].Row != 0 || s.Failed[0].Error != "no luck" || !slices.Equal(s.Failed[0].Proxies, []string{"c"}) {
		t.Errorf("the failures are %+v", s.Failed)
	}
	r := s.Report(ReportOptions{Resamples: 10})
	if r.FailedArchs != 6 || r.Done != 6 || last.Failed != 6 || last.Done != 12 || !strings.Contains(r.Text(), "6 architectures failed") {
		t.Errorf("%d failed, %d done; progress %+v", r.FailedArchs, r.Done, last)
	}
	f2 := &fake{}
	equal(t, mustRun(t, config(t, f2, 12, store, proxyA, proxyB, proxyC)), all)
	if f2.calls.Load() != 6 {
		t.Errorf("the next run evaluates %d networks, want the 6 that failed", f2.calls.Load())
	}
}

// TestGiveUp ends a run of which nothing works.
func TestGiveUp(t *testing.T) {
	f := &fake{broken: func(string, string) error { return zico.ErrMemory }}
	_, err := Run(t.Context(), config(t, f, 100, "", proxyA, proxyC))
	if !errors.Is(err, zico.ErrMemory) || f.calls.Load() > 100 {
		t.Errorf("after %d evaluations: %v", f.calls.Load(), err)
	}
}

// TestTogether runs several at once on one store: each has the whole result, and together they do little twice.
func TestTogether(t *testing.T) {
	const n, runs = 60, 3
	store := temp(t)
	want := mustRun(t, config(t, &fake{}, n, "", proxyA))
	var wg sync.WaitGroup
	var calls atomic.Int64
	for range runs {
		f := &fake{pause: 3 * time.Millisecond}
		c := config(t, f, n, store, proxyA)
		c.Chunk = 2
		wg.Go(func() {
			s, err := Run(t.Context(), c)
			if err != nil {
				t.Error(err)
				return
			}
			equal(t, s, want)
			calls.Add(f.calls.Load())
		})
	}
	wg.Wait()
	t.Logf("%d evaluations of %d networks by %d runs at once", calls.Load(), n, runs)
	if calls.Load() > runs*n*2/3 {
		t.Errorf("%d evaluations of %d networks: the runs do not share", calls.Load(), n)
	}
}

// TestErrors has mistakes that are found before anything is computed.
func TestErrors(t *testing.T) {
	foreign, err := tables.Open(t.Context(), csvTable(t, "arch,cifar10/test\n8:8:8:8:8,50\n"), tables.Options{})
	if err != nil {
		t.Fatal(err)
	}
	notStore := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(notStore, []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"no table":                      func(c *Config) { c.Table = nil },
		"no proxies":                    func(c *Config) { c.Proxies = nil },
		"must not be negative":          func(c *Config) { c.Sample = -1 },
		"of the 15625":                  func(c *Config) { c.Sample = 15626 },
		"unknown search space":          func(c *Config) { c.Space = "nothing" },
		"another space":                 func(c *Config) { c.Table = foreign },
		"no column \"cifar10/nothing\"": func(c *Config) { c.Columns = []string{"cifar10/nothing"} },
		"no images":                     func(c *Config) { c.Data = nil },
		"0 labels for 2 images":         func(c *Config) { c.Data[1].Labels = nil },
		"label 10; labels are 0 to 9":   func(c *Config) { c.Data[0].Labels[1] = 10 },
		"image 0 has the value NaN":     func(c *Config) { c.Data[0].Pixels[3] = float32(math.NaN()) },
		"must be alike":                 func(c *Config) { c.Data[1].Classes = 11 },
		"networks are built for 16x16":  func(c *Config) { c.Input.Size = 16 },
		"no scorer":                     func(c *Config) { c.Evaluate = nil },
		"not a store":                   func(c *Config) { c.Store = notStore },
	} {
		f := &fake{}
		c := config(t, f, 3, "", proxyA)
		change(&c)
		s, err := Run(t.Context(), c)
		if s != nil || err == nil || !strings.Contains(err.Error(), want) || f.calls.Load() > 0 {
			t.Errorf("the error is %v, want one with %q, before anything is computed", err, want)
		}
	}
	c := config(t, &fake{}, 3, "", proxyA)
	c.Table = foreign
	if _, err := Run(t.Context(), c); !errors.Is(err, tables.ErrSpace) {
		t.Errorf("a table of another space gives %v", err)
	}
}

func csvTable(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPartialTable samples from a table of a few architectures, some without one of the accuracies, in the order of the space whatever the order of the file.
func TestPartialTable(t *testing.T) {
	table, err := tables.Open(t.Context(), csvTable(t, "# space: natstss\nindex,cifar10/test,cifar100/test\n900,50,\n7,60,40\n12000,,30\n8,61,41\n"), tables.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, &fake{}, 0, "", proxyA)
	c.Table, c.Columns = table, nil
	s := mustRun(t, c)
	got := map[int]string{}
	for row, i := range s.Index {
		got[i] = fmt.Sprint(s.Truth[0][row], s.Truth[1][row])
	}
	if want := map[int]string{900: "50 NaN", 7: "60 40", 12000: "NaN 30", 8: "61 41"}; !reflect.DeepEqual(got, want) || s.Population != 4 {
		t.Errorf("the sample is %v of %d, want %v", got, s.Population, want)
	}
	space, err := spaces.Open("natstss")
	if err != nil {
		t.Fatal(err)
	}
	for row, a := range s.Archs {
		if i, err := space.(spaces.Indexer).Index(a); err != nil || i != s.Index[row] {
			t.Errorf("%s has the index %d, not %d", a, i, s.Index[row])
		}
	}
	if r := s.Report(ReportOptions{Resamples: 10}); r.Rows[0].Counts.N != 3 || r.Rows[0].Counts.MissingTruth != 1 {
		t.Errorf("the counts are %+v", r.Rows[0].Counts)
	}
}

// TestSample pins the sample, so that scores of today extend those of yesterday.
func TestSample(t *testing.T) {
	s := mustRun(t, config(t, &fake{}, 4, "", params))
	other := config(t, &fake{}, 4, "", params)
	other.SampleSeed = 2
	want := "[4281 193 13793 11452]"
	if got, two := fmt.Sprint(s.Index), fmt.Sprint(mustRun(t, other).Index); got != want || got == two {
		t.Errorf("the samples of seeds 1 and 2 are %s and %s, want %s and another", got, two, want)
	}
}

// TestProgress follows a run.
func TestProgress(t *testing.T) {
	store := temp(t)
	mustRun(t, config(t, &fake{}, 4, store, proxyA))
	c := config(t, &fake{}, 10, store, proxyA, params)
	seen := map[int]int{}
	done := 0
	var last Progress
	c.Progress = func(p Progress) {
		for _, row := range p.Rows {
			seen[row]++
			if !p.Scores.Known[0][row] || !p.Scores.Known[1][row] {
				t.Errorf("row %d is reported before it is known", row)
			}
		}
		if p.Done < done || p.Total != 10 {
			t.Errorf("the progress %+v after %d", p, done)
		}
		done, last = p.Done, p
	}
	mustRun(t, c)
	if len(seen) != 10 || last.Done != 10 || last.Cached != 4 {
		t.Errorf("%d rows reported, the last progress is %d done, %d cached", len(seen), last.Done, last.Cached)
	}
	for row, n := range seen {
		if n != 1 {
			t.Errorf("row %d is reported %d times", row, n)
		}
	}
}

// TestFullStore runs into a full disk: what is scored is there, and told.
func TestFullStore(t *testing.T) {
	other := temp(t)
	mustRun(t, config(t, &fake{}, 5, other, proxyA))
	lines := bytes.SplitAfter(content(t, other), []byte("\n"))
	r, err := newRun(config(t, &fake{}, 5, temp(t), proxyA))
	if err != nil {
		t.Fatal(err)
	}
	defer r.store.Close()
	room := journaltest.FullDisk(t, r.store.Path(), len(bytes.Join(lines[1:4], nil))+len(lines[4])/2)
	err = r.dynamic(t.Context())
	room()
	if !errors.Is(err, journaltest.DiskFull) || !strings.Contains(err.Error(), "make room") || r.scores.Done() != 3 {
		t.Errorf("%d done, error %v", r.scores.Done(), err)
	}
	if got := len(read2(t, r.store.Path(), r.scores.Key)); got != 3 {
		t.Errorf("%d entries are in the store, want 3", got)
	}
}

func read2(t *testing.T, path string, key Key) (got []Entry) {
	t.Helper()
	if _, err := openTest(t, path).Read(key, func(e *Entry) { got = append(got, *e) }); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestNamedSpace samples from a table of a space without indices.
func TestNamedSpace(t *testing.T) {
	space, err := spaces.Open("darts")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	text := "# space: darts\narch,cifar10/test,cifar100/test\n"
	want := map[spaces.Arch]string{}
	for i := range 6 {
		a := space.Sample(rng)
		want[a] = fmt.Sprint(90+i, " NaN")
		text += fmt.Sprintf("%q,%d,\n", a, 90+i)
	}
	a := space.Sample(rng)
	want[a] = "NaN 70"
	text += fmt.Sprintf("%q,,70\n", a)
	table, err := tables.Open(t.Context(), csvTable(t, text), tables.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, &fake{}, 0, "", proxyA)
	c.Table, c.Columns, c.Space = table, nil, ""
	s := mustRun(t, c)
	got := map[spaces.Arch]string{}
	for row, a := range s.Archs {
		got[a] = fmt.Sprint(s.Truth[0][row], s.Truth[1][row])
		if s.Index[row] != -1 {
			t.Errorf("%s has the index %d in a space without", a, s.Index[row])
		}
	}
	if !reflect.DeepEqual(got, want) || s.Population != 7 {
		t.Errorf("the sample is %v of %d, want %v", got, s.Population, want)
	}
	c.Sample = 3
	if small := mustRun(t, c); !slices.Equal(small.Archs, s.Archs[:3]) {
		t.Error("a sample of 3 does not begin that of 7")
	}
}
