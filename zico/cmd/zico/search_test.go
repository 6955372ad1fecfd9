package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// searchArgs are those of a small search with real parts.
func searchArgs(more ...string) []string {
	return append([]string{"search", "-space", "natstss:C=4,N=1", "-budget", "params=7000", "-size", "16", "-batch", "4", "-method", "aging:population=10,sample=3", "-n", "120", "-top", "3"}, more...)
}

// TestSearchInterrupt interrupts a search and goes on with the command that it names: it ends as one that was left alone.
func TestSearchInterrupt(t *testing.T) {
	dir := t.TempDir()
	untimed := func(out string) string { // the lines with times differ
		var keep []string
		for _, line := range strings.Split(out, "\n") {
			if !strings.HasPrefix(line, "time:") {
				line, _, _ = strings.Cut(line, " in ")
				keep = append(keep, line)
			}
		}
		return strings.Join(keep, "\n")
	}
	out, errs, status := result(t, start(t, nil, searchArgs("-log", filepath.Join(dir, "whole"))...))
	if status != 0 || !strings.Contains(out, "iteration limit reached: 120 iterations") || !strings.Contains(out, "rejected by params") || !strings.Contains(out, "result: |") {
		t.Fatalf("ends with %d: %s\n%s", status, out, errs)
	}
	want := untimed(out)
	log := filepath.Join(dir, "interrupted")
	c := start(t, nil, searchArgs("-log", log)...)
	var stderr strings.Builder
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitLines(t, log, 20)
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	if code := c.ProcessState.ExitCode(); code != 130 || !strings.Contains(stderr.String(), "iterations are kept; to go on: zico search -resume -space") {
		t.Fatalf("interrupted, it ends with %d: %s", code, stderr.String())
	}
	if n := lines(log); n >= 100 {
		t.Fatalf("nothing is left to resume: %d lines", n)
	}
	// Without -resume it is not touched.
	if _, errs, status := result(t, start(t, nil, searchArgs("-log", log)...)); status != 1 || !strings.Contains(errs, "resume it, or name another file") {
		t.Errorf("without -resume it ends with %d: %s", status, errs)
	}
	out, errs, status = result(t, start(t, nil, searchArgs("-log", log, "-resume")...))
	if status != 0 || untimed(out) != want {
		t.Errorf("resumed, it ends with %d and prints\n%s%s\nwant\n%s", status, untimed(out), errs, want)
	}
	// The log alone tells the same.
	shown, errs, status := result(t, start(t, nil, "search", "-show", log, "-top", "3"))
	_, table, _ := strings.Cut(untimed(shown), "\n")
	_, wantTable, _ := strings.Cut(want, "\n")
	if status != 0 || table != wantTable {
		t.Errorf("-show ends with %d and prints\n%s%s\nwant\n%s", status, shown, errs, want)
	}
}

// TestSearchTable searches by looking up, for two objectives, and prints JSON.
func TestSearchTable(t *testing.T) {
	out, errs, status := result(t, start(t, nil, "search", "-space", "natstss", "-table", "embedded", "-columns", "cifar100/valid", "-objectives", "cifar100/valid,params", "-method", "nsga2:population=20", "-n", "600", "-json"))
	if status != 0 {
		t.Fatalf("ends with %d: %s", status, errs)
	}
	var r struct {
		Status      string
		Iterations  int
		Best        found
		Hypervolume float64
		List        []found
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if r.Status != "iteration limit reached" || r.Iterations != 600 || len(r.List) < 5 || r.Hypervolume < 0.5 || r.Hypervolume > 1 {
		t.Errorf("%s after %d iterations with %d architectures, hypervolume %g", r.Status, r.Iterations, len(r.List), r.Hypervolume)
	}
	for i, a := range r.List {
		for _, b := range r.List[:i] {
			if a.Values["cifar100/valid"] >= b.Values["cifar100/valid"] && a.Costs["params"] <= b.Costs["params"] || b.Values["cifar100/valid"] >= a.Values["cifar100/valid"] && b.Costs["params"] <= a.Costs["params"] {
				t.Errorf("of %+v and %+v one dominates the other", a, b)
			}
		}
	}
}

// TestSearchUsage checks what a wrong call is told.
func TestSearchUsage(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"-preset", "paper"}, 2, "-data FOLDER"},
		{[]string{"-preset", "slow"}, 2, "quick, paper"},
		{[]string{"-budget", "flops"}, 2, "NAME=NUMBER"},
		{[]string{"-method", "hill"}, 1, "aging"},
		{[]string{"-proxies", "zicco"}, 2, "zicco"},
		{[]string{"-objectives", "speed", "-proxies", "params"}, 1, "speed"},
		{[]string{"-table", "embedded"}, 1, "space"},
		{[]string{"-space", "natstss", "-table", "embedded", "-columns", "x"}, 1, "cifar10/valid"},
		{[]string{"-proxies", "params", "-resume"}, 1, "without a Log"},
		{[]string{"-proxies", "params", "-log", text}, 1, "hello"},
		{[]string{"-show", text}, 1, "hello"},
		{[]string{"-show", filepath.Join(dir, "none")}, 1, "no such file"},
		{[]string{"ARCH"}, 2, "ARCH"},
	} {
		if out, errs, status := result(t, start(t, nil, append([]string{"search"}, c.args...)...)); status != c.status || !strings.Contains(errs, c.says) {
			t.Errorf("search %v ends with %d, want %d; it does not say %q:\n%s%s", c.args, status, c.status, c.says, out, errs)
		}
	}
	out, errs, _ := result(t, start(t, nil, "search", "-h"))
	for _, word := range []string{"aging", "mtf-pdns", "nars", "population", "quick", "paper", "latency"} {
		if !strings.Contains(out+errs, word) {
			t.Errorf("the help does not say %q", word)
		}
	}
}
