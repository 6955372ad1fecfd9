package gonbext

import (
	"context"
	"errors"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
	"github.com/zeroshotnas/zeroshot/zico/correlate"
)

// TestCorrelateText checks that outside a notebook the report is printed and returned, that a second call takes all from the store, and that a larger sample adds to it.
func TestCorrelateText(t *testing.T) {
	c := Correlation{Columns: []string{"cifar10/valid"}, Proxies: []string{"zico", "params"}, Sample: 6, Store: filepath.Join(t.TempDir(), "scores.jsonl")}
	var r *correlate.Report
	var s *correlate.Scores
	var err error
	first := capture(t, func() { r, s, err = Correlate(c, small) })
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cifar10/valid, 6 of 15625 architectures of natstss:C=4,N=1", "zico", "paper", r.Certificate} {
		if !strings.Contains(first, want) {
			t.Errorf("the output lacks %q:\n%s", want, first)
		}
	}
	if s.Len() != 6 || s.Done() != 6 || len(r.Rows) != 2 {
		t.Errorf("%d of %d scored, %d rows", s.Done(), s.Len(), len(r.Rows))
	}
	if again := capture(t, func() { _, _, err = Correlate(c, small) }); err != nil || again != first {
		t.Errorf("again: %v\n%s\nwant\n%s", err, again, first)
	}
	more := c
	more.Sample = 9
	quiet := small
	quiet.Quiet = true
	if text := capture(t, func() { _, s, err = Correlate(more, quiet) }); text != "" || err != nil || s.Len() != 9 {
		t.Errorf("Quiet printed %q, error %v", text, err)
	}
	for _, show := range []func() error{
		func() error { return ShowScatter(s, "zico", "cifar10/valid") },
		func() error { return ShowConvergence(s, "zico", "cifar10/valid") },
		func() error { return ShowProxies(r, "cifar10/valid") },
	} {
		if text := capture(t, func() { err = show() }); err != nil || !strings.Contains(text, "cifar10/valid") || !strings.Contains(text, "ZiCo") {
			t.Errorf("a picture's text is %q, error %v", text, err)
		}
	}
	for _, err := range []error{ShowScatter(s, "zico", "x"), ShowScatter(s, "x", "cifar10/valid"), ShowConvergence(s, "", ""), ShowProxies(r, "x")} {
		if err == nil {
			t.Error("an unknown proxy or column is no error")
		}
	}
}

// TestReadScores reads scores without accuracies, joins them, and shows the tables of the report.
func TestReadScores(t *testing.T) {
	quiet := small
	quiet.Quiet = true
	_, s, err := Correlate(Correlation{Proxies: []string{"params", "flops"}, Sample: 20, Store: "none"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "scores.csv")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Bare().WriteCSV(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	bare, err := ReadScores(file, "")
	if err != nil || bare.Len() != 20 || len(bare.Columns) != 0 {
		t.Fatalf("%v, %v", bare, err)
	}
	joined, err := ReadScores(file, "embedded", "cifar100/valid")
	if err != nil || len(joined.Columns) != 1 || joined.Truth[0][7] != s.Truth[s.Column("cifar100/valid")][7] {
		t.Fatalf("%v, %v", joined, err)
	}
	r := joined.Report(correlate.ReportOptions{Resamples: 20})
	text := capture(t, func() {
		ShowOverview(r)
		ShowBest(r)
		ShowNotes(r)
		err = ShowProxies(r, "cifar100/valid", "flops")
	})
	for _, want := range []string{"Kendall's tau-b with its 95 % interval, 20 of 15625", "Spearman's rho", "best of all", "P@10% cifar100/valid  regret", "certificate: ", "FLOPs: tau"} {
		if !strings.Contains(text, want) || err != nil {
			t.Errorf("the output lacks %q (%v):\n%s", want, err, text)
		}
	}
	if strings.Contains(text, "#Params: tau") {
		t.Errorf("the picture has a proxy that was not asked for:\n%s", text)
	}
	if err := ShowProxies(r, "cifar100/valid", "zico"); err == nil {
		t.Error("a proxy that is not there is no error")
	}
	for _, c := range [][]string{{"no/such/file", ""}, {file, "no/such/table"}, {file, "embedded", "x/y"}, {"correlate.go", ""}} {
		if _, err := ReadScores(c[0], c[1], c[2:]...); err == nil {
			t.Errorf("%q is no error", c)
		}
	}
}

// TestCorrelateErrors checks that mistakes are errors that say what to do.
func TestCorrelateErrors(t *testing.T) {
	for want, c := range map[string]Correlation{
		"unknown proxy \"magic\"": {Proxies: []string{"magic"}},
		"none of the proxies":     {Show: "grasp"},
		"it has cifar10/valid":    {Columns: []string{"cifar10/test"}},
		"no such file":            {Table: "no/such/file"},
		"of the 15625":            {Sample: 20000},
		"must not be negative":    {Sample: -7},
		"is a directory":          {Store: t.TempDir()},
	} {
		if c.Store == "" {
			c.Store = "none"
		}
		o := small
		o.Quiet = true
		if _, _, err := Correlate(c, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: the error is %v, want one with %q", c, err, want)
		}
	}
}

// TestCorrelateInterrupt interrupts a long run: it ends soon with what is done, and the next one goes on.
func TestCorrelateInterrupt(t *testing.T) {
	c := Correlation{Columns: []string{"cifar10/valid"}, Proxies: []string{"zico"}, Sample: All, Store: filepath.Join(t.TempDir(), "scores.jsonl")}
	ours := make(chan os.Signal, 1)
	signal.Notify(ours, os.Interrupt)
	defer signal.Stop(ours)
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(1500*time.Millisecond, func() { _ = self.Signal(os.Interrupt) })
	var s *correlate.Scores
	start := time.Now()
	text := capture(t, func() { _, s, err = Correlate(c, small) })
	if took := time.Since(start); took > 6*time.Second {
		t.Errorf("it went on for %s; the kernel kills a cell 5 seconds after the interrupt", took)
	}
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "run the cell again") {
		t.Errorf("the error is %v", err)
	}
	if s == nil || s.Done() == 0 || s.Done() >= 15625 {
		t.Fatalf("the scores are %v", s)
	}
	if !strings.Contains(text, "certificate: ") {
		t.Errorf("what was done is not shown:\n%s", text)
	}
	c.Sample = s.Done()
	if _, err := os.Stat(c.Store); err != nil {
		t.Error(err)
	}
}

// TestCorrelateCharts draws what the charts get in bad times, and checks that the pictures of a real report are whole.
func TestCorrelateCharts(t *testing.T) {
	nasty := `<script>"&'` + "\x00"
	nan, inf := math.NaN(), math.Inf(1)
	for _, rows := range [][]svg.IntervalRow{nil, {{Label: nasty, Value: nan, Low: nan, High: nan, Mark: nan}}, {{Label: strings.Repeat("x", 100), Value: -1, Low: -inf, High: inf, Mark: 0.5}, {Value: 0}}} {
		wellFormed(t, svg.Intervals{Title: nasty, XLabel: nasty, Name: nasty, MarkName: nasty, Rows: rows}.SVG())
	}
	for _, points := range [][]svg.BandPoint{nil, {{X: 0, Y: 1}}, {{X: 5, Y: nan}}, {{X: 10, Y: 0.5, Low: nan, High: nan}}, {{X: 10, Y: 0.5, Low: 0.4, High: 0.6}, {X: 1e6, Y: 0.5, Low: 0.49, High: 0.51, Title: nasty}}} {
		for _, mark := range []float64{nan, 0.6} {
			wellFormed(t, svg.Band{Title: nasty, Name: nasty, Points: points, Mark: mark, MarkName: nasty}.SVG())
		}
	}
	_, s, err := Correlate(Correlation{Proxies: []string{"params", "flops"}, Sample: 4000, Store: "none"}, Options{Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Values[0][3], s.Values[0][5] = nan, inf
	picture := scatter(s, 0, 0).SVG()
	wellFormed(t, picture)
	if len(picture) > 250_000 || !strings.Contains(picture, "3000 of 4000 architectures") {
		t.Errorf("a scatter plot of 4000 points takes %d bytes", len(picture))
	}
	wellFormed(t, new(bandCache).chart(s, 0, 0, 20).SVG())
	wellFormed(t, bars(s.Report(correlate.ReportOptions{Resamples: 20}), s.Columns[0].Name, nil).SVG())
	if h := new(view).picture(s); strings.Count(h, "<svg") != 2 || strings.Count(h, "</svg>") != 2 || !strings.Contains(h, "<table") {
		t.Errorf("the live picture is %.300s", h)
	}
}

// TestSteps checks the sizes at which intervals are computed.
func TestSteps(t *testing.T) {
	for n, want := range map[int][]int{3: {3}, 10: {10}, 11: {10, 11}, 30: {10, 12, 15, 18, 22, 27, 30}} {
		got := steps(n)
		if len(got) != len(want) {
			t.Errorf("steps(%d) are %v, want %v", n, got, want)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("steps(%d) are %v, want %v", n, got, want)
			}
		}
	}
}
