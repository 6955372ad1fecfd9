package correlate

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces/tables"
	"github.com/zeroshotnas/zeroshot/zico/images"
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
	proxies, err := proxy.Find("params", "flops")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []struct {
		file  string
		slow  bool
		wants map[string][][2]float64 // by proxy, in the order of the columns
	}{
		{"tss.bin.gz", false, map[string][][2]float64{"params": {{.752694, .577849}, {.727826, .553421}, {.691503, .520327}}, "flops": {{.752694, .577849}, {.727826, .553421}, {.691503, .520327}}}},
		{"sss.bin.gz", false, map[string][][2]float64{"params": {{.872066, .690357}, {.717406, .532637}, {.856868, .677149}}, "flops": {{.608954, .441942}, {.281186, .192464}, {.574966, .414600}}}},
		// DATA.md has the first number only; the paper (Fig. 3) .43 and .31 for parameters, .44 and .31 for FLOPs.
		{"nb101_test.bin.gz", true, map[string][][2]float64{"params": {{.434987, .306631}}, "flops": {{.434247, .305844}}}},
	} {
		t.Run(b.file, func(t *testing.T) {
			path := shared(t, "data", b.file)
			if b.slow && testing.Short() {
				t.Skip("computes 423,624 hashes")
			}
			table, err := tables.Open(t.Context(), path, tables.Options{})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			s := mustRun(t, Config{Table: table, Proxies: proxies, SampleSeed: 1})
			counted := time.Since(start)
			r := s.Report(ReportOptions{Resamples: 2})
			all := time.Since(start)
			t.Logf("%d architectures counted in %v, compared in %v", s.Len(), counted, all-counted)
			if all > time.Minute {
				t.Errorf("took %v", all)
			}
			for _, row := range r.Rows {
				want := b.wants[row.Proxy.Name][s.Column(row.Column)]
				if math.Abs(float64(row.Spearman.Value)-want[0]) > 1e-6 || math.Abs(float64(row.Kendall.Value)-want[1]) > 1e-6 {
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

// TestJoin passes scores on without accuracies and puts them back, from the same table and from another.
func TestJoin(t *testing.T) {
	c := config(t, &fake{}, 40, "", proxyA, proxyC, params)
	c.Columns = nil
	c.DataName = filepath.Join(t.TempDir(), "sheet.png")
	s := mustRun(t, c)
	var b bytes.Buffer
	if err := s.Bare().WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Contains(text, "/valid") || strings.Contains(text, filepath.Dir(c.DataName)) || !strings.Contains(text, `"data":"sheet.png"`) {
		t.Errorf("bare scores hold accuracies or a path: %.1500s", text)
	}
	bare, err := ReadCSV(&b)
	if err != nil {
		t.Fatal(err)
	}
	if r := bare.Report(ReportOptions{}); len(r.Rows) != 0 || !strings.Contains(r.Text(), "come without accuracies") {
		t.Errorf("the report on bare scores is\n%s", r.Text())
	}
	back, err := bare.Join(c.Table)
	if err != nil {
		t.Fatal(err)
	}
	s.Data = "sheet.png"
	equal(t, back, s)
	if one, err := bare.Join(c.Table, "cifar100/valid"); err != nil || len(one.Columns) != 1 || one.Truth[0][3] != s.Truth[s.Column("cifar100/valid")][3] || one.Proxy("params", 0) < 0 {
		t.Errorf("one column: %+v, %v", one, err)
	}

	// Another table, with some of the architectures only.
	open := func(name, text string) *tables.Table {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		table, err := tables.Open(t.Context(), path, tables.Options{Space: "natstss"})
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	text := "arch,mine/test\n"
	for row := range 5 {
		text += string(s.Archs[row]) + "," + []string{"50", "51", "52", "53", "54"}[row] + "\n"
	}
	other, err := bare.Join(open("mine.csv", text))
	if err != nil {
		t.Fatal(err)
	}
	r := other.Report(ReportOptions{Resamples: 5})
	if r.Rows[0].Counts.N != 5 || r.Rows[0].Counts.MissingTruth != 35 || r.Row("c", "mine/test") == nil {
		t.Errorf("five of forty accuracies: %+v", r.Rows[0].Counts)
	}
	for _, want := range []string{"those of another table", "mine.csv", "the sample drawn from embedded"} {
		if !strings.Contains(r.Text(), want) {
			t.Errorf("the report lacks %q:\n%s", want, r.Text())
		}
	}
	if again, err := other.Join(c.Table); err != nil || again.Drawn != "" || again.DrawnHash != "" || again.TableHash != s.TableHash {
		t.Errorf("back to the first table: %+v, %v", again.About, err)
	}
	unknown := string(s.Archs[0])
	for arch := range c.Table.All("cifar10/valid") {
		if !slices.Contains(s.Archs, arch) {
			unknown = string(arch)
			break
		}
	}
	if _, err := bare.Join(open("none.csv", "arch,mine/test\n"+unknown+",1\n")); err == nil || !strings.Contains(err.Error(), "none of the 40 architectures") {
		t.Errorf("a table of other architectures: %v", err)
	}
	if _, err := bare.Join(c.Table, "x/y"); err == nil || !strings.Contains(err.Error(), "it has cifar10/valid") {
		t.Errorf("an unknown column: %v", err)
	}
	bare.Space = "natssss"
	if _, err := bare.Join(c.Table); !errors.Is(err, tables.ErrSpace) {
		t.Errorf("a table of another space: %v", err)
	}
}

// TestOverview checks the tables that have the columns side by side.
func TestOverview(t *testing.T) {
	c := config(t, &fake{}, 30, "", proxyA, params)
	c.Columns = nil
	s := mustRun(t, c)
	copy(s.Values[0], s.Truth[1])
	s.Proxies[0].Name = "zico"
	r := s.Report(ReportOptions{Resamples: 50})
	for name, table := range map[string]func() ([]string, [][]string){"tau": r.TauTable, "rho": r.RhoTable, "top": r.TopTable} {
		head, rows := table()
		if len(head) != 7 || len(rows) != 2 || len(rows[0]) != 7 || rows[0][0] != "params" || !strings.Contains(head[3], "cifar100/valid") {
			t.Errorf("%s: %q\n%q", name, head, rows)
			continue
		}
		if name != "top" && (rows[1][3] != "1.000 [1.000, 1.000]" || !strings.HasSuffix(rows[1][4], " *")) || name == "top" && (rows[1][3] != "1.00" || rows[1][4] != "0.00" || head[3] != "P@10% cifar100/valid") {
			t.Errorf("%s: %q", name, rows[1])
		}
	}
	if text := r.FirstsTitle(); !strings.Contains(text, "of the 30 of the sample") {
		t.Error(text)
	}
	if text := (Interval{Value: Value(math.NaN())}).String(); text != "-" {
		t.Error(text)
	}
}

// TestDataName takes the folder off files and leaves other names alone.
func TestDataName(t *testing.T) {
	for want, spec := range map[string]string{"data_batch_1.bin": filepath.Join(t.TempDir(), "data_batch_1.bin"), "embedded photographs (640 patches of 10 photographs from scikit-image)": "embedded"} {
		if spec != "embedded" {
			if err := os.WriteFile(spec, make([]byte, 3073), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		src, err := images.Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		if got := DataName(src); got != want {
			t.Errorf("%s is called %q, want %q", spec, got, want)
		}
	}
}
