package gonbext

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

// sessions puts the sessions of a test into a folder of its own.
func sessions(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("ZEROSHOT_SESSIONS", dir)
	return dir
}

// TestSessionResults checks that scores are found again with all their numbers, and only where everything they depend on is the same.
func TestSessionResults(t *testing.T) {
	sessions(t)
	o := small
	o.Session, o.Quiet = "one", true
	first, err := Compare([]string{"1462", "7"}, o)
	if err != nil {
		t.Fatal(err)
	}
	// A second process has nothing but the file; the times in it tell that nothing was computed.
	again, err := Compare([]string{"7", "8", "1462"}, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]*zico.Result{{first[1], again[0]}, {first[0], again[2]}} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("the session gives\n%+v\nfor\n%+v", pair[1], pair[0])
		}
	}
	s, err := OpenSession("one")
	if err != nil {
		t.Fatal(err)
	}
	results, err := s.Results()
	if err != nil || len(results) != 3 || results[2].Network != again[1].Network {
		t.Fatalf("the session has %d results, error %v; want 3, the last that of 8", len(results), err)
	}
	for name, change := range map[string]func(*Options){
		"space":     func(o *Options) { o.Space = "natstss:C=8,N=1" },
		"batch":     func(o *Options) { o.Batch = 4 },
		"batches":   func(o *Options) { o.Batches = 3 },
		"size":      func(o *Options) { o.Size = 16 },
		"seed":      func(o *Options) { o.Seed = 2 },
		"images":    func(o *Options) { o.ImageSeed = 2 },
		"numbers":   func(o *Options) { o.DType = "float64" },
		"statistic": func(o *Options) { o.Statistic = zico.Absolute },
	} {
		other := o
		change(&other)
		r, err := Score("1462", other)
		if err != nil {
			t.Fatal(err)
		}
		if r.Score == first[0].Score {
			t.Errorf("with another %s the session gives the old score", name)
		}
	}
	if results, err = s.Results(); err != nil || len(results) != 11 {
		t.Errorf("the session has %d results, error %v; want 11", len(results), err)
	}
}

// TestSessionDamage checks that a torn or damaged file costs the scores on the damaged lines only, and that numbers which are not finite are not kept as others.
func TestSessionDamage(t *testing.T) {
	sessions(t)
	o := small
	o.Session, o.Quiet = "torn", true
	if _, err := Compare([]string{"7", "8", "9"}, o); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSession("torn")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.results())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	lines[2] = strings.Repeat("#", len(lines[2])-1) + "\n"
	lines[3] = lines[3][:len(lines[3])/2]
	if err := os.WriteFile(s.results(), []byte(strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	if results, err := s.Results(); err != nil || len(results) != 1 {
		t.Fatalf("%d results of the damaged file, error %v; want 1", len(results), err)
	}
	if _, err := Compare([]string{"7", "8", "9"}, o); err != nil {
		t.Fatal(err)
	}
	if results, err := s.Results(); err != nil || len(results) != 3 {
		t.Errorf("%d results after the damage was mended, error %v; want 3", len(results), err)
	}

	l, err := s.ledger()
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	for _, r := range []*zico.Result{{Score: math.NaN()}, {Score: 1, Losses: []float64{math.Inf(1)}}, {Score: 1, Layers: []zico.Layer{{Sum: math.Inf(1)}}}} {
		if err := l.put(resultKey{Arch: "nan"}, r); err != nil {
			t.Error(err)
		}
	}
	if results, err := s.Results(); err != nil || len(results) != 3 {
		t.Errorf("%d results, error %v; those that are not finite must not be kept", len(results), err)
	}

	if err := os.WriteFile(s.results(), []byte("my notes\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Score("7", o); err == nil || !strings.Contains(err.Error(), "results.jsonl") {
		t.Errorf("a file that is something else gives the error %v", err)
	}
}

// TestSessionBatches checks that images of a file are read once, and again when the file changes or what was kept is damaged.
func TestSessionBatches(t *testing.T) {
	sessions(t)
	// A CIFAR-10 binary file: 20 images.
	file := filepath.Join(t.TempDir(), "data.bin")
	write := func(seed byte) {
		b := make([]byte, 20*3073)
		for i := range b {
			b[i] = byte(i)*7 + seed
		}
		for i := range 20 {
			b[i*3073] = byte(i % 10)
		}
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(1)
	s, err := OpenSession("pictures")
	if err != nil {
		t.Fatal(err)
	}
	o := images.Options{Batch: 8, N: 2, Seed: 1}
	hash := func() string {
		t.Helper()
		lent.asked = "" // a process of its own
		b, err := s.batches(context.Background(), file, o)
		if err != nil {
			t.Fatal(err)
		}
		if sum := images.Hash(b.Batches); sum != b.Hash {
			t.Errorf("the batches have the hash %s, and are said to have %s", sum, b.Hash)
		}
		again, err := s.batches(context.Background(), file, o)
		if err != nil || &again.Batches[0] != &b.Batches[0] || again.Hash != b.Hash {
			t.Errorf("the process reads its batches again (error %v)", err)
		}
		return b.Hash
	}
	want := hash()
	kept, err := filepath.Glob(filepath.Join(s.Dir, "batches", "*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("the session has the files %v, error %v; want one", kept, err)
	}
	// The file may be unreadable now: what is asked for is known.
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, make([]byte, info.Size()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if got := hash(); got != want {
		t.Error("the batches were read again")
	}
	write(2)
	if err := os.Chtimes(file, time.Time{}, info.ModTime().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if got := hash(); got == want {
		t.Error("the old batches of a file that has changed")
	}
	write(1)
	if err := os.Chtimes(file, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept[0], []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := hash(); got != want {
		t.Error("damaged batches were not made anew")
	}
	if _, err := s.batches(context.Background(), filepath.Join(t.TempDir(), "absent"), o); err == nil {
		t.Error("no error for a file that is not there")
	}
}

// TestSessionSearch checks that a search goes on in its session where it was, that another one has its own log, and that both are found.
func TestSessionSearch(t *testing.T) {
	sessions(t)
	o := SearchOptions{Space: "natstss", Table: "embedded", Method: "aging:population=10,sample=3", Evaluations: 20, Session: "runs", Quiet: true}
	first, err := Search(o)
	if err != nil {
		t.Fatal(err)
	}
	o.Evaluations = 30
	longer, err := Search(o)
	if err != nil {
		t.Fatal(err)
	}
	if longer.Evaluations != 30 || first.Evaluations != 20 {
		t.Errorf("%d and %d evaluations, want 20 and 30", first.Evaluations, longer.Evaluations)
	}
	o.Seed = 2
	if _, err := Search(o); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSession("runs")
	if err != nil {
		t.Fatal(err)
	}
	runs, err := s.Runs()
	if err != nil || len(runs) != 2 {
		t.Fatalf("%d logs, error %v; want 2: one for each seed", len(runs), err)
	}
	for _, r := range runs {
		if !strings.HasPrefix(r.Name, "aging-population") {
			t.Errorf("the log %s does not name its method", r.Name)
		}
		if st, err := quietly(r.Path); err != nil || st != 30 {
			t.Errorf("%s has %d evaluations, error %v; want 30", r.Path, st, err)
		}
	}
}

// quietly is the number of evaluations that ShowSearch finds in a log.
func quietly(path string) (n int, err error) {
	old := os.Stdout
	defer func() { os.Stdout = old }()
	if os.Stdout, err = os.Open(os.DevNull); err != nil {
		return 0, err
	}
	s, err := ShowSearch(path)
	if err != nil {
		return 0, err
	}
	return s.Evaluations, nil
}

// TestShowSession checks what a session says of itself, and that a wrong name is an error and makes nothing.
func TestShowSession(t *testing.T) {
	dir := sessions(t)
	o := small
	o.Session, o.Quiet = "all", true
	res, err := Score("1462", o)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Correlate(Correlation{Columns: []string{"cifar10/valid"}, Proxies: []string{"zico"}, Sample: 3}, Options{Session: "all", Batch: 4, Quiet: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := Search(SearchOptions{Space: "natstss", Table: "embedded", Evaluations: 10, Method: "random", Session: "all", Quiet: true}); err != nil {
		t.Fatal(err)
	}
	text := capture(t, func() { err = ShowSession("all") })
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{score(res.Score), "natstss:C=4,N=1", "random-", "3 entries of proxies"} {
		if !strings.Contains(text, want) {
			t.Errorf("the session lacks %q:\n%s", want, text)
		}
	}
	if err := ShowSession("never"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a session that is not there gives the error %v", err)
	}
	for _, name := range []string{"", "..", ".hidden", "a/b", `a\b`, "/abs"} {
		if _, err := OpenSession(name); err == nil {
			t.Errorf("the name %q is accepted", name)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%d sessions, error %v; want the one that was used", len(left), err)
	}
	// All that is JSON is written as one object a line.
	b, err := os.ReadFile(filepath.Join(dir, "all", "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
}
