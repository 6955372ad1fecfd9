package correlate

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces/tables"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

// shared returns a file of the folder shared/ beside the repository, or skips the test.
func shared(t testing.TB, name ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "..", "shared"}, name...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs %s beside the repository", filepath.Join(append([]string{"shared"}, name...)...))
	}
	return path
}

// TestBenchmarks correlates parameters and FLOPs of all architectures of three benchmarks with their accuracies. Wanted are Spearman's rho and Kendall's tau as SciPy has them (spearmanr, kendalltau) of the same counts and of the accuracies as whole numbers of images. shared/reference/DATA.md has them with four digits; its taus are up to 0.0006 lower where accuracies are averages, of which rounding had parted some that tie.
func TestBenchmarks(t *testing.T) {
	for _, b := range []struct {
		file  string
		slow  bool
		wants map[string][][2]float64 // by proxy, in the order of the columns
	}{
		{"tss.bin.gz", false, map[string][][2]float64{"params": {{.752694, .577849}, {.727826, .553421}, {.691503, .520327}}, "flops": {{.752694, .577849}, {.727826, .553421}, {.691503, .520327}}}},
		{"sss.bin.gz", false, map[string][][2]float64{"params": {{.872066, .690357}, {.717406, .532637}, {.856868, .677149}}, "flops": {{.608954, .441942}, {.281186, .192464}, {.574966, .414600}}}},
		// DATA.md has .4350 for the parameters, and the paper .31 and .43 (Fig. 3).
		{"nb101_test.bin.gz", true, map[string][][2]float64{"params": {{.4350, .31}}}},
	} {
		t.Run(b.file, func(t *testing.T) {
			path := shared(t, "data", b.file)
			if b.slow && testing.Short() {
				t.Skip("423,624 networks take a minute")
			}
			table, err := tables.Open(t.Context(), path, tables.Options{})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			s := mustRun(t, Config{Table: table, Proxies: []*proxy.Proxy{params, flops}[:len(b.wants)], SampleSeed: 1})
			t.Logf("%d architectures in %v", s.Len(), time.Since(start))
			r := s.Report(ReportOptions{Resamples: 2})
			for _, row := range r.Rows {
				want := b.wants[row.Proxy.Name][s.Column(row.Column)]
				rho, tau := 1e-6, 1e-6
				if b.slow {
					rho, tau = 5e-5, 5e-3
				}
				if math.Abs(float64(row.Spearman.Value)-want[0]) > rho || math.Abs(float64(row.Kendall.Value)-want[1]) > tau {
					t.Errorf("%s, %s: rho %.6f, tau %.6f, want %.6f, %.6f", row.Proxy.Name, row.Column, row.Spearman.Value, row.Kendall.Value, want[0], want[1])
				}
			}
		})
	}
}

// TestPaper checks the paper's numbers that stand in the text of the tables, one of each kind, and that all tables are whole.
func TestPaper(t *testing.T) {
	for _, c := range []struct {
		space, dataset, proxy string
		kt, spr               float64
	}{
		{"natstss", "cifar10", "zico", 0.61, 0.80},
		{"natstss:C=16,N=5", "ImageNet16-120", "gradsign", 0.59, 0.78},
		{"natssss", "cifar10", "grasp", -0.09, -0.13},
		{"natssss", "ImageNet16-120", "zico-std", 0.45, 0.62},
		{"nasbench101", "cifar10", "fisher", -0.20, -0.28},
		{"transnas:C=64,macro=0", "normal", "zico", 0.50, 0.68},
		{"natstss", "cifar100", "naswot-unit", 0.62, 0.80},
	} {
		p, ok := PaperCorrelation(c.space, c.dataset, c.proxy)
		if !ok || p.Kendall != c.kt || p.Spearman != c.spr || p.Source == "" {
			t.Errorf("%+v: %+v, %v", c, p, ok)
		}
	}
	for _, c := range [][3]string{{"natstss", "cifar10", "plain"}, {"transnas:C=64,macro=1", "normal", "zico"}, {"darts", "cifar10", "zico"}, {"natstss", "cifar10", ""}} {
		if p, ok := PaperCorrelation(c[0], c[1], c[2]); ok {
			t.Errorf("%v has %v", c, p)
		}
	}
	for _, table := range paperTables {
		for _, r := range table.rows {
			if len(r.values) != len(table.datasets) {
				t.Errorf("%s, %s: %d values for %d datasets", table.source, r.proxy, len(r.values), len(table.datasets))
			}
			for _, v := range r.values {
				if math.Abs(v[0]) > math.Abs(v[1]) || math.Abs(v[1]) > 1 {
					t.Errorf("%s, %s: %v", table.source, r.proxy, v)
				}
			}
		}
	}
	if b, ok := PaperFirst("natstss", "ImageNet16-120", "zico"); !ok || b.Value != 41.8 || b.Spread != 0.3 {
		t.Errorf("ZiCo's best is %v", b)
	}
	if b, ok := PaperFirst("transnas", "class_scene", ""); !ok || b.Value != 54.9 {
		t.Errorf("the best of all is %v", b)
	}
	for _, b := range bestTables {
		for p, v := range b.rows {
			if len(v) != len(b.datasets) || len(b.truth) != len(b.datasets) {
				t.Errorf("%s, %s: %d values", b.source, p, len(v))
			}
		}
	}
}

// TestScoresCSV writes scores, reads them back, and reports the same; a file that is cut off anywhere is an error.
func TestScoresCSV(t *testing.T) {
	f := &fake{broken: func(arch, p string) error {
		if strings.HasPrefix(arch, "|none") && p == "c" {
			return os.ErrPermission
		}
		return nil
	}}
	c := config(t, f, 40, "", proxyA, proxyB, proxyC, params, flops)
	c.Columns = nil // all datasets: parameters of each
	s := mustRun(t, c)
	if len(s.Failed) == 0 {
		t.Fatal("the sample has no failure")
	}
	s.Values[0][3], s.Values[0][4], s.Values[1][5] = math.NaN(), math.Inf(1), math.Inf(-1)
	var b bytes.Buffer
	if err := s.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	back, err := ReadCSV(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, back, s)
	for cut := range len(text) - 1 {
		if cut < len(text)-3000 && cut%97 > 0 {
			continue
		}
		if _, err := ReadCSV(strings.NewReader(text[:cut])); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Fatalf("cut at byte %d of %d: %v", cut, len(text), err)
		}
	}
	for bad, want := range map[string]string{
		strings.Replace(text, "arch,index", "arch,nr", 1):      "the header is",
		strings.Replace(text, "\"rows\":40", "\"rows\":41", 1): "40 rows of 41",
		strings.Replace(text, ",NaN,", ",abc,", 1):             `"abc" is no number`,
		"arch,zico\n1,2\n":          "as zico correlate -scores writes it",
		"# zeroshot scores 1: {}\n": "as zico correlate -scores writes it",
		strings.Replace(text, "population\":1", "population\":-1", 1): "of a population",
	} {
		if _, err := ReadCSV(strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}

// TestReport looks at the report of a sample made by hand.
func TestReport(t *testing.T) {
	c := config(t, &fake{}, 30, "", proxyA, proxyB, params)
	s := mustRun(t, c)
	// b is the accuracy with its sign turned, and better when lower: a perfect proxy. a is the accuracy but for two without a value.
	copy(s.Values[0], s.Truth[0])
	for i, v := range s.Truth[0] {
		s.Values[1][i] = -v
	}
	s.Values[0][2], s.Values[0][7] = math.NaN(), math.NaN()
	s.Proxies[1].Name = "zico"
	r := s.Report(ReportOptions{})
	if len(r.Rows) != 3 || r.Rows[0].Proxy.Name != "params" || r.Rows[1].Proxy.Name != "a" || r.Rows[2].Proxy.Name != "zico" {
		t.Fatalf("the rows are %+v, want the order of the paper, ZiCo last", r.Rows)
	}
	a, perfect := r.Rows[1], r.Rows[2]
	if perfect.Kendall.Value != 1 || perfect.Spearman.Value != 1 || perfect.Precision != 1 || perfect.Regret != 0 || perfect.First != r.Best[0] || perfect.KendallAgrees || perfect.Paper.Kendall != 0.61 {
		t.Errorf("the perfect proxy has %+v", perfect)
	}
	if a.Counts.NaNScores != 2 || a.Counts.N != 30 || a.Paper != nil || !(a.Kendall.Low < a.Kendall.Value && a.Kendall.Value < 1) {
		t.Errorf("the proxy with two NaN has %+v", a)
	}
	text := r.Text()
	for _, want := range []string{"cifar10/valid, 30 of 15625 architectures of natstss:C=4,N=1", "1.000 [1.000, 1.000]   0.61  out", "sign turned: zico", "test accuracies, cifar10/valid is not", "best of all", "94.0±0.4"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := lines[len(lines)-1]
	for _, want := range []string{"certificate: natstss:C=4,N=1, 30 of 15625", "sample seed 1", "SHA-256 " + s.Images[:12], "SHA-256 " + s.TableHash[:12], "2 batches of 2", "weights seed 1", "float32", "2 NaN", "1000 resamples", "scoring version 1"} {
		if !strings.Contains(last, want) {
			t.Errorf("the certificate lacks %q: %s", want, last)
		}
	}
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back.Rows) != 3 || back.Rows[1].Kendall != a.Kendall || back.Certificate != r.Certificate || back.Population != 15625 {
		t.Errorf("the JSON gives %v and %+v", err, back)
	}
	b.Reset()
	if err := r.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	cr := csv.NewReader(&b)
	cr.Comment = '#'
	if records, err := cr.ReadAll(); err != nil || len(records) != 4 || records[3][2] != "zico" || records[3][5] != "1" || records[3][8] != "0.61" {
		t.Errorf("the CSV gives %v, %v", records, err)
	}
	if md := r.Markdown(); !strings.Contains(md, "| proxy | KT [95 %] |") || strings.Count(md, "|---|") != 2 {
		t.Errorf("the Markdown is\n%s", md)
	}
}

// TestValue reads what it writes.
func TestValue(t *testing.T) {
	for _, v := range []float64{0, 1.0 / 3, -5e-324, 1e300, math.Inf(1), math.Inf(-1), math.NaN()} {
		b, err := json.Marshal(Value(v))
		var back Value
		if err != nil || json.Unmarshal(b, &back) != nil || math.Float64bits(float64(back)) != math.Float64bits(v) {
			t.Errorf("%v is written %s and read %v", v, b, back)
		}
	}
	for _, bad := range []string{`"x"`, `null`, `1e999`, `{}`, `"nan"`} {
		var v Value
		if err := json.Unmarshal([]byte(bad), &v); err == nil {
			t.Errorf("%s is read as %v", bad, v)
		}
	}
}
