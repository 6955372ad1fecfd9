package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// critical95 is the 95 % quantile of the chi-square distribution with 5 and with 9 degrees of freedom.
var critical95 = map[int]float64{5: 11.070, 9: 16.919}

// blocks splits a structure at its blocks.
func blocks(a spaces.Arch) []string {
	return strings.SplitAfter(strings.TrimSuffix(string(a), ")"), ")")
}

// TestReferenceProposals compares 4,000 proposals of reference mode, with scores that are a function of the structure, with as many mutations that the reference code made: the first block in which they differ from the initial structure. All are mutations of that while the population is not to be larger than ten.
func TestReferenceProposals(t *testing.T) {
	data, err := os.ReadFile("../../../shared/golden/search.json")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no reference to compare with: %v", err)
	}
	var reference struct {
		Counts map[string]float64 `json:"first_differing_block_counts_4000"`
	}
	if err := errors.Join(err, json.Unmarshal(data, &reference)); err != nil {
		t.Fatal(err)
	}
	s := open(t, "masternet")
	initial := s.(spaces.Evolver).Initial()
	r := &recorded{}
	if _, err := Run(context.Background(), Config{Space: s, Evaluator: &fixed{metrics: []string{"a"}}, Method: "zico:first=4000", Iterations: 4000, Seed: 2023, Fresh: true, Recorder: r}); err != nil {
		t.Fatal(err)
	}
	counts := make([]float64, 7)
	was := blocks(initial)
	for _, c := range r.list {
		is := blocks(c.Arch)
		i := 0
		for i < len(was) && i < len(is) && is[i] == was[i] {
			i++
		}
		counts[i]++
	}
	want := make([]float64, 7)
	want[6] = 4000
	for i := range 6 {
		want[i] = reference.Counts[strconv.Itoa(i)]
		want[6] -= want[i]
	}
	x := 0.0
	for i := range counts {
		if sum := counts[i] + want[i]; sum > 0 {
			x += (counts[i] - want[i]) * (counts[i] - want[i]) / sum
		}
	}
	t.Logf("first differing blocks %v, the reference's %v: chi-square %.3f with 5 degrees of freedom", counts, want, x)
	if x > critical95[5] {
		t.Errorf("first differing blocks %v, the reference's %v: chi-square %.3f", counts, want, x)
	}
}

// counting is a space in which every replacement gives a new architecture, a number, and tells what was asked for.
type counting struct {
	spaces.Space
	asked *[]string
	next  *int
}

func (c counting) Initial() spaces.Arch { return "initial" }

func (c counting) Replace(_ *rand.Rand, a spaces.Arch, n int) spaces.Arch {
	*c.asked = append(*c.asked, fmt.Sprintf("%s x%d", a, n))
	*c.next++
	return spaces.Arch(strconv.Itoa(*c.next - 1))
}

func (c counting) Name() string                                { return "counting" }
func (c counting) Neighbors(spaces.Arch) iter.Seq[spaces.Arch] { return nil }

// TestReferenceLoop follows the reference's loop step by step: what is replaced and how often, which candidates join the population, and which member leaves.
func TestReferenceLoop(t *testing.T) {
	var asked []string
	next := 0
	space := counting{asked: &asked, next: &next}
	// Scores by the number of the candidate; every fifth breaks the budget and costs an iteration only.
	score := func(a spaces.Arch) float64 {
		n, _ := strconv.Atoi(string(a))
		return float64(n * 7 % 10)
	}
	rejected := func(a spaces.Arch) bool { n, _ := strconv.Atoi(string(a)); return n%5 == 4 }
	m := &zicoEvolution{Setup: Setup{Space: space, Initial: "initial", Objectives: 1, Score: func(o []float64) float64 { return o[0] }}, most: 14, first: 10}

	// The model: a population of numbers, as in section 6 of the specification.
	var pop []spaces.Arch
	rng, own := rand.New(rand.NewPCG(4, 4)), rand.New(rand.NewPCG(4, 4))
	removed := 0
	for it := range 400 {
		a, ok := m.Propose(rng)
		if !ok || a != spaces.Arch(strconv.Itoa(it)) {
			t.Fatalf("step %d proposes %s", it, a)
		}
		for len(pop) > 14 {
			low := 0
			for i := range pop {
				if score(pop[i]) < score(pop[low]) {
					low = i
				}
			}
			pop = slices.Delete(pop, low, low+1)
			removed++
		}
		want := "initial x1"
		if len(pop) > 10 {
			want = fmt.Sprintf("%s x2", pop[own.IntN(len(pop))])
		}
		if asked[it] != want {
			t.Fatalf("step %d replaces %s, the reference %s", it, asked[it], want)
		}
		var have []spaces.Arch
		for _, p := range m.pop {
			have = append(have, p.arch)
		}
		if !slices.Equal(have, pop) {
			t.Fatalf("step %d: the population is %v, the reference's %v", it, have, pop)
		}
		c := &Candidate{Iteration: it, Arch: a, Verdict: Rejected, Reason: "flops"}
		if !rejected(a) {
			c = &Candidate{Iteration: it, Arch: a, Objectives: []float64{score(a)}}
			pop = append(pop, a)
		}
		m.Learn(c)
		if n := len(m.pop); n > 15 {
			t.Fatalf("step %d: %d members; one more than the limit of 14 is what may be", it, n)
		}
	}
	if removed < 200 {
		t.Errorf("only %d members left the population: the test does not test that", removed)
	}
}

// TestReferenceParents checks that parents are drawn uniformly from the population.
func TestReferenceParents(t *testing.T) {
	var asked []string
	next := 0
	m := &zicoEvolution{Setup: Setup{Space: counting{asked: &asked, next: &next}, Initial: "initial", Score: func(o []float64) float64 { return o[0] }}, most: 512, first: 5}
	for i := range 10 {
		m.Learn(&Candidate{Arch: spaces.Arch("p" + strconv.Itoa(i)), Objectives: []float64{float64(i)}})
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 4000 {
		m.Propose(rng)
	}
	x := 0.0
	for i := range 10 {
		n := 0.0
		for _, a := range asked {
			if a == fmt.Sprintf("p%d x2", i) {
				n++
			}
		}
		x += (n - 400) * (n - 400) / 400
	}
	t.Logf("parents: chi-square %.3f with 9 degrees of freedom", x)
	if x > critical95[9] {
		t.Errorf("parents are not uniform: chi-square %.3f", x)
	}
}
