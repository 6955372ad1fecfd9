package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestSpaces lists the spaces as a user does, in text and as JSON, and enumerates those that can be.
func TestSpaces(t *testing.T) {
	names := []string{"darts", "masternet", "nasbench101", "natssss", "natstss", "plain", "transnas"}
	text, errs, status := result(t, start(t, nil, "spaces"))
	if status != 0 {
		t.Fatalf("ends with %d: %s", status, errs)
	}
	for _, want := range append(names, "15625 architectures", "423624 architectures", "C=16", "cells in a stage", "for example") {
		if !strings.Contains(text, want) {
			t.Errorf("the list lacks %q:\n%s", want, text)
		}
	}

	text, errs, status = result(t, start(t, nil, "spaces", "-json"))
	if status != 0 {
		t.Fatalf("ends with %d: %s", status, errs)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != len(names) {
		t.Fatalf("%d lines for %d spaces", len(lines), len(names))
	}
	for i, l := range lines {
		var s spaceInfo
		if err := json.Unmarshal([]byte(l), &s); err != nil {
			t.Fatal(err)
		}
		if base, _, _ := strings.Cut(s.Name, ":"); base != names[i] || s.Doc == "" || s.Pixels == 0 || s.Classes == 0 {
			t.Errorf("line %d is of %+v, want %s", i, s, names[i])
		}
		// The example is one that the other command takes.
		if _, errs, status := result(t, start(t, nil, "describe", "-brief", "-space", s.Name, s.Example)); status != 0 {
			t.Errorf("describe -space %s %q ends with %d: %s", s.Name, s.Example, status, errs)
		}
	}

	text, errs, status = result(t, start(t, nil, "spaces", "-enumerate", "-json", "natstss", "natssss", "nasbench101", "transnas", "transnas:macro=1"))
	if status != 0 {
		t.Fatalf("ends with %d: %s", status, errs)
	}
	var counts []int
	for line := range strings.Lines(text) {
		var e enumeration
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		counts = append(counts, e.Count)
		if e.Seconds <= 0 || e.Seconds > 30 || e.Peak > 500e6 {
			t.Errorf("%s takes %g s and %d bytes, want less than 30 s and 500 MB", e.Name, e.Seconds, e.Peak)
		}
	}
	if got := fmt.Sprint(counts); got != "[15625 32768 423624 4096 3256]" {
		t.Errorf("the spaces have %s architectures", got)
	}
	if text, _, status := result(t, start(t, nil, "spaces", "-enumerate", "natssss", "transnas")); status != 0 || !strings.Contains(text, "32768") || strings.Contains(text, "15625") {
		t.Errorf("the named spaces give %d and\n%s", status, text)
	}
}

// TestSpacesUsage checks what is said to wrong calls.
func TestSpacesUsage(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"spaces", "nothing"}, 2, "known: darts, masternet"},
		{[]string{"spaces", "natstss:D=3"}, 2, "natstss has C, N"},
		{[]string{"spaces", "natssss:C=3"}, 2, "natssss has none"},
		{[]string{"spaces", "-enumerate", "darts"}, 1, "cannot be enumerated"},
		{[]string{"describe"}, 2, "no architecture given"},
		{[]string{"describe", "-space", "nothing", "1"}, 2, "unknown search space"},
		{[]string{"describe", "-svg", "x.svg", "1", "2"}, 2, "draw one architecture, 2 were given"},
		{[]string{"describe", "-space", "masternet", "-cell-svg", "x.svg", "zico_1G"}, 2, "-svg draws the whole network"},
		{[]string{"describe", "-size", "-1", "1"}, 2, "must not be negative"},
		{[]string{"describe", "-size", "1", "1"}, 1, "too small"},
		{[]string{"describe", "-svg", "no/such/folder/x.svg", "1"}, 1, "no/such/folder/x.svg"},
		{[]string{"describe", "-space", "darts", "normal=|none~0|"}, 1, "position 8"},
		{[]string{"describe", "-space", "nasbench101", "conv3x3~0,output~0+2"}, 1, "►2"},
		{[]string{"describe", "-space", "masternet", "SuperConvK3BNRELU(3,0,2,1)"}, 1, "position 20"},
	} {
		out, errs, status := result(t, start(t, nil, c.args...))
		if status != c.status || !strings.Contains(errs, c.want) {
			t.Errorf("zico %q ends with %d, want %d, and prints\n%s%s\nwanted %q", c.args, status, c.status, out, errs, c.want)
		}
	}
}
