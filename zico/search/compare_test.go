package search

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
)

// TestCompare checks what every comparison on NAS-Bench-201 shows: all methods come near the best cell, evolution and local search nearer than random search; and where the score is a noisy rank, neighbourhoods help (Wang et al., BMVC 2021).
func TestCompare(t *testing.T) {
	s := open(t, "natstss")
	table, err := tables.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	const column = "cifar10/valid"
	best := 0.0
	for _, v := range table.All(column) {
		best = max(best, v)
	}
	run := func(noise float64, methods ...string) *Curves {
		c, err := Compare(context.Background(), Comparison{
			Methods: methods, Seeds: 6, Config: Config{Space: s, Evaluator: embedded(t, noise, column), Iterations: 1500},
			Truth: func(a spaces.Arch) []float64 {
				v, _ := table.Value(a, column)
				return []float64{v}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	regret := func(c *Curves, method string, at int) float64 {
		mean, _ := c.Mean(slices.Index(c.Methods, method), at, 0)
		return best - mean
	}
	var names []string
	for _, m := range Methods() {
		if m.Name != "script" && m.Fits == nil { // the table has no supernets
			names = append(names, m.Name)
		}
	}
	c := run(0, names...)
	last := len(c.At) - 1
	if c.At[last] != 1500 || c.At[0] != 1 {
		t.Errorf("looked at %v", c.At)
	}
	for _, name := range names {
		r := regret(c, name, last)
		t.Logf("%s: regret %.3f", name, r)
		if limit := map[bool]float64{true: 1.5, false: 0.5}[name == "nars"]; !(r >= 0 && r < limit) {
			t.Errorf("%s: regret %.3f %% after 1500 look-ups", name, r)
		}
		// What a run has seen, it keeps: but for nars, whose choice is no maximum, regret falls.
		for at := 1; at <= last && name != "nars" && name != "mtf-pdns"; at++ {
			if a, b := regret(c, name, at-1), regret(c, name, at); b > a+1e-9 && !math.IsNaN(a) {
				t.Errorf("%s: regret rises from %.3f to %.3f at %d", name, a, b, c.At[at])
			}
		}
	}
	for _, name := range []string{"aging", "local", "evolution"} {
		if a, b := regret(c, name, last), regret(c, "random", last); a >= b {
			t.Errorf("%s: regret %.3f, random search has %.3f", name, a, b)
		}
	}
	c = run(0.4, "random", "nars")
	last = len(c.At) - 1
	if a, b := regret(c, "nars", last), regret(c, "random", last); a >= b {
		t.Errorf("with noise nars has regret %.3f, random search %.3f", a, b)
	}
	for _, bad := range []Comparison{{}, {Methods: []string{"random"}}, {Methods: []string{"nothing"}, Truth: func(spaces.Arch) []float64 { return nil }, Config: Config{Space: s, Evaluator: embedded(t, 0, column), Iterations: 5}}} {
		if _, err := Compare(context.Background(), bad); err == nil {
			t.Errorf("%+v was compared", bad)
		}
	}
}
