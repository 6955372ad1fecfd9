package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// correlateArgs are those of a small run with real parts.
func correlateArgs(store string, more ...string) []string {
	return append([]string{"correlate", "-space", "natstss:C=16,N=1", "-batch", "8", "-n", "40", "-columns", "cifar10/valid", "-proxies", "zico,snip,params", "-resamples", "200", "-store", store}, more...)
}

// lines is the number of whole lines of a file.
func lines(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	return bytes.Count(b, []byte("\n"))
}

// waitLines waits until a file has so many lines.
func waitLines(t *testing.T, path string, n int) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); lines(path) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s has %d lines after two minutes", path, lines(path))
		}
	}
}

// TestCorrelateKill kills a run with SIGKILL in the middle, twice, tears its last line, and resumes: what is printed and written is that of an uninterrupted run, byte by byte.
func TestCorrelateKill(t *testing.T) {
	dir := t.TempDir()
	want, errs, status := result(t, start(t, nil, correlateArgs(filepath.Join(dir, "whole.jsonl"), "-scores", filepath.Join(dir, "whole.csv"))...))
	if status != 0 {
		t.Fatalf("ends with %d: %s", status, errs)
	}
	store := filepath.Join(dir, "killed.jsonl")
	for _, n := range []int{6, 15} {
		c := start(t, nil, correlateArgs(store)...)
		var out bytes.Buffer
		c.Stdout = &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		waitLines(t, store, n)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err == nil || out.Len() > 0 {
			t.Fatalf("the run had ended, %v, before it was killed; it printed %q", err, out.String())
		}
	}
	before := lines(store)
	if before >= 41 {
		t.Fatalf("nothing is left to resume: %d lines", before)
	}
	b, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	whole := b[:bytes.LastIndexByte(b, '\n')+1]
	if err := os.WriteFile(store, whole[:len(whole)-20], 0o644); err != nil { // as if it had been writing
		t.Fatal(err)
	}
	got, errs, status := result(t, start(t, nil, correlateArgs(store, "-scores", filepath.Join(dir, "killed.csv"))...))
	if status != 0 || got != want {
		t.Errorf("the resumed run ends with %d and prints\n%s%s\nwant\n%s", status, got, errs, want)
	}
	if !strings.Contains(errs, "from the store") || !strings.Contains(errs, "bytes were cut off") {
		t.Errorf("it does not tell what it took from the store, and that a line was cut off:\n%s", errs)
	}
	if n := lines(store); n != 41 {
		t.Errorf("the store has %d lines, want a header and one for each of 40 architectures", n)
	}
	same(t, filepath.Join(dir, "killed.csv"), filepath.Join(dir, "whole.csv"))

	// The scores give the same report without being computed.
	again, errs, status := result(t, start(t, nil, "correlate", "-resamples", "200", "-from", filepath.Join(dir, "killed.csv")))
	if status != 0 || again != want {
		t.Errorf("-from ends with %d and prints\n%s%s\nwant\n%s", status, again, errs, want)
	}
}

// TestCorrelateBare writes scores without accuracies, and puts them back.
func TestCorrelateBare(t *testing.T) {
	bare := filepath.Join(t.TempDir(), "bare.csv")
	args := []string{"correlate", "-n", "50", "-columns", "cifar10/valid", "-proxies", "params,flops", "-store", "none"}
	want, errs, status := result(t, start(t, nil, append(args, "-bare", "-scores", bare)...))
	if status != 0 {
		t.Fatalf("ends with %d: %s", status, errs)
	}
	if b, err := os.ReadFile(bare); err != nil || bytes.Contains(b, []byte("cifar10/valid")) {
		t.Errorf("%v; the scores have accuracies:\n%.500s", err, b)
	}
	got, errs, status := result(t, start(t, nil, "correlate", "-from", bare, "-table", "embedded", "-columns", "cifar10/valid"))
	if status != 0 || got != want {
		t.Errorf("-from with -table ends with %d and prints\n%s%s\nwant\n%s", status, got, errs, want)
	}
	if _, errs, status := result(t, start(t, nil, "correlate", "-from", bare)); status != 2 || !strings.Contains(errs, "name a table of them with -table") {
		t.Errorf("without -table it ends with %d: %s", status, errs)
	}
	if _, errs, status := result(t, start(t, nil, "correlate", "-from", bare, "-table", "no/such/file")); status != 1 || !strings.Contains(errs, "no such file") {
		t.Errorf("with a table that is not there it ends with %d: %s", status, errs)
	}
}

func same(t *testing.T, a, b string) {
	t.Helper()
	x, err1 := os.ReadFile(a)
	y, err2 := os.ReadFile(b)
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(x, y) {
		t.Errorf("%s and %s differ (%v):\n%s\n%s", a, b, err, x, y)
	}
}

// TestCorrelateTogether runs two processes at once on one store: both print the whole table.
func TestCorrelateTogether(t *testing.T) {
	dir := t.TempDir()
	want, errs, status := result(t, start(t, nil, correlateArgs(filepath.Join(dir, "alone.jsonl"))...))
	if status != 0 {
		t.Fatalf("ends with %d: %s", status, errs)
	}
	store := filepath.Join(dir, "both.jsonl")
	var wg sync.WaitGroup
	for range 2 {
		c := start(t, nil, correlateArgs(store)...)
		wg.Go(func() {
			if got, errs, status := result(t, c); status != 0 || got != want {
				t.Errorf("ends with %d and prints\n%s%s\nwant\n%s", status, got, errs, want)
			}
		})
	}
	wg.Wait()
	b, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		if !json.Valid(l) {
			t.Errorf("a torn line: %s", l)
		}
	}
	t.Logf("40 architectures, %d entries by two processes", lines(store)-1)
}

// TestCorrelateInterrupt sends SIGINT: the table so far, how to go on, status 130 soon; and the run goes on.
func TestCorrelateInterrupt(t *testing.T) {
	store := filepath.Join(t.TempDir(), "it's here.jsonl")
	args := correlateArgs(store, "-n", "4000")
	c := start(t, nil, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitLines(t, store, 8)
	sent := time.Now()
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if took := time.Since(sent); c.ProcessState.ExitCode() != 130 || took > 20*time.Second {
		t.Errorf("it ended with %d after %v, want 130 soon", c.ProcessState.ExitCode(), took)
	}
	for _, want := range []string{"certificate: natstss:C=16,N=1, 4000 of 15625 architectures", "the run was stopped"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
	for _, want := range []string{"to go on: zico correlate -space natstss:C=16,N=1", `'\''s here.jsonl'`, "interrupted"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("the errors lack %q:\n%s", want, errs.String())
		}
	}
	if _, errs, status := result(t, start(t, nil, correlateArgs(store, "-n", "4")...)); status != 0 || !strings.Contains(errs, "4 of 4 architectures, 4 from the store") {
		t.Errorf("a smaller sample of the same ends with %d: %s", status, errs)
	}
}

// TestCorrelateErrors has wrong files and flags: clear errors, nothing written over.
func TestCorrelateErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := write("a.txt", "no table, no store, no scores\n")
	sizes := write("sizes.csv", "# space: natssss\narch,cifar10/test\n8:8:8:8:8,50\n")
	write("pictures/a.png", "")
	var sheet bytes.Buffer
	if err := png.Encode(&sheet, image.NewRGBA(image.Rect(0, 0, 1024, 40))); err != nil {
		t.Fatal(err)
	}
	unlabelled := write("sheet.png", sheet.String())
	short := write("short.csv", "arch,cifar10/test\n|none~0|+|none~0|none~1|\n")
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"-n", "none"}, 2, "or all"},
		{[]string{"-n", "0"}, 2, "at least 1"},
		{[]string{"-proxies", "magic"}, 2, "known: all, shared"},
		{[]string{"-proxies", ","}, 2, "names none"},
		{[]string{"-level", "95"}, 2, "between 0 and 1"},
		{[]string{"1462"}, 2, "unexpected argument"},
		{[]string{"-from", "x", "-n", "3"}, 2, "leave out -n"},
		{[]string{"-from", text}, 1, "as zico correlate -scores writes it"},
		{[]string{"-table", text}, 1, text},
		{[]string{"-table", short}, 1, "line 2"},
		{[]string{"-table", filepath.Join(dir, "none")}, 1, "no such file"},
		{[]string{"-table", sizes, "-space", "natstss"}, 1, "of the space natssss, not of natstss"},
		{[]string{"-space", "natssss"}, 1, "not of natssss"},
		{[]string{"-space", "nothing"}, 1, "unknown search space"},
		{[]string{"-columns", "cifar10/test"}, 1, "it has cifar10/valid"},
		{[]string{"-n", "20000"}, 1, "15625"},
		{[]string{"-data", filepath.Join(dir, "pictures")}, 1, "one a class"},
		{[]string{"-data", unlabelled}, 1, "sheet.labels.txt"},
		{[]string{"-store", text}, 1, "not a store"},
		{[]string{"-store", filepath.Join(text, "x")}, 1, "not a directory"},
		{[]string{"-csv", filepath.Join(dir, "no", "x.csv"), "-proxies", "params"}, 1, "no such file"},
		{[]string{"-dtype", "int7"}, 1, "use float32 or float64"},
	} {
		args := append([]string{"correlate", "-batch", "8", "-n", "3"}, c.args...)
		if c.args[0] == "-from" {
			args = append([]string{"correlate"}, c.args...)
		}
		env := []string{"XDG_CACHE_HOME=" + dir}
		out, errs, status := result(t, start(t, env, args...))
		if status != c.status || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("zico %q ends with %d, want %d, and prints\n%s%s\nwanted %q", args, status, c.status, out, errs, c.want)
		}
	}
	if b, err := os.ReadFile(text); err != nil || string(b) != "no table, no store, no scores\n" {
		t.Errorf("a file that was named by mistake is now %q, %v", b, err)
	}
}

// TestCorrelateStatic needs neither images nor a device, and writes the files asked for.
func TestCorrelateStatic(t *testing.T) {
	dir := t.TempDir()
	args := []string{"correlate", "-proxies", "params,flops", "-n", "all", "-data", "nowhere", "-device", "nothing", "-resamples", "10"}
	for _, f := range []string{"csv", "json", "md", "scores"} {
		args = append(args, "-"+f, filepath.Join(dir, f))
	}
	out, errs, status := result(t, start(t, []string{"XDG_CACHE_HOME=" + dir}, args...))
	if status != 0 || !strings.Contains(out, "cifar100/valid, 15625 of 15625 architectures") {
		t.Fatalf("ends with %d and\n%s%s", status, out, errs)
	}
	for f, want := range map[string]string{"csv": `"natstss:C=16,N=5",cifar10/valid,params,15625,15625,`, "json": `"certificate": "certificate: natstss`, "md": "| #Params |", "scores": "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,0,"} {
		if b, err := os.ReadFile(filepath.Join(dir, f)); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("-%s writes no %q: %v\n%.600s", f, want, err, b)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "zeroshot")); err == nil {
		t.Error("a store was made for what needs none")
	}
}

// TestProxies lists the proxies as a user does.
func TestProxies(t *testing.T) {
	names := []string{
		"conv-edges", "fisher", "flops", "gradnorm", "gradnorm-unit", "gradsign", "grasp", "jacov", "knas", "l2norm", "naswot", "naswot-unit", "ntk", "params", "plain",
		"snip", "synflow", "synflow-bn", "synflow-unit", "zen", "zico", "zico-eq15", "zico-inverse", "zico-mean", "zico-std",
	}
	out, errs, status := result(t, start(t, nil, "proxies", "-json"))
	if status != 0 {
		t.Fatalf("ends with %d: %s", status, errs)
	}
	var got []string
	for line := range strings.Lines(out) {
		var p proxyInfo
		if err := json.Unmarshal([]byte(line), &p); err != nil || p.Doc == "" || p.Source == "" || p.Title == "" || p.Static != (p.Pass == "none") {
			t.Errorf("%s: %v", line, err)
		}
		got = append(got, p.Name)
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("the proxies are %q, want %q", got, names)
	}
	if out, _, status := result(t, start(t, nil, "proxies", "zico", "params")); status != 0 || strings.Count(out, "pass: ") != 2 || !strings.Contains(out, "pass: ZiCo's") {
		t.Errorf("two by name end with %d and\n%s", status, out)
	}
	if out, _, status := result(t, start(t, nil, "proxies", "-md")); status != 0 || strings.Count(out, "\n| `") != len(names) {
		t.Errorf("-md ends with %d and\n%s", status, out)
	}
	if _, errs, status := result(t, start(t, nil, "proxies", "magic")); status != 2 || !strings.Contains(errs, "unknown proxy") {
		t.Errorf("an unknown one ends with %d and %s", status, errs)
	}
}
