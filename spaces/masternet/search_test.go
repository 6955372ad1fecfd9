package masternet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// file is the values that the reference code gives, in the form of shared/golden/search.json; testdata/search.json is a part of it, with the counts of the published structures.
type file struct {
	Round8     [][2]float64 `json:"smart_round8"`
	TypeOrder  []string     `json:"type_order"`
	TypeWeight []int        `json:"type_weight"`
	Structures []struct {
		S            spaces.Arch
		Layers       int
		FLOPs        float64 `json:"flops224"`
		Params       float64
		FLOPsScored  float64 `json:"flops224_no_reslink"`
		ParamsScored float64 `json:"params_no_reslink"`
		Split6       spaces.Arch
	}
	Candidates []struct {
		Block         string
		Unique, Total int
		Channels      []int
		Hash          string `json:"sha256_sorted_unique"`
		First, Last   string
	} `json:"mutation_candidates"`
	Expansions []struct {
		S       spaces.Arch
		Without string `json:"expanded_no_reslink"`
		With    string `json:"expanded_reslink"`
	}
	FirstDiffering map[string]float64 `json:"first_differing_block_counts_4000"`
	Published      []struct {
		Name      string
		Structure spaces.Arch
		Counts    map[string]float64
	}
}

// files runs a test with the repository's own values and, where they are beside the checkout, with all of shared/golden.
func files(t *testing.T, run func(*testing.T, *file)) {
	t.Helper()
	read := func(t *testing.T, into any, parts ...string) {
		t.Helper()
		path := filepath.Join(parts...)
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) && parts[0] == ".." {
			t.Skipf("only the repository's own values: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	t.Run("own", func(t *testing.T) {
		var f file
		read(t, &f, "testdata", "search.json")
		if len(f.Structures) == 0 || len(f.Candidates) == 0 || len(f.Expansions) == 0 || len(f.Published) == 0 {
			t.Fatal("testdata/search.json lacks values")
		}
		run(t, &f)
	})
	t.Run("shared", func(t *testing.T) {
		var f file
		shared := []string{"..", "..", "..", "shared", "golden"}
		read(t, &f, append(shared, "search.json")...)
		var p struct{ Networks json.RawMessage }
		read(t, &p, append(shared, "published.json")...)
		if err := json.Unmarshal(p.Networks, &f.Published); err != nil {
			t.Fatal(err)
		}
		run(t, &f)
	})
}

func count(t *testing.T, s Space, a spaces.Arch) Counts { return countAt(t, s, a, 224) }

func countAt(t *testing.T, s Space, a spaces.Arch, size int) Counts {
	t.Helper()
	c, err := s.Count(a, spaces.Input{Size: size, Classes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func budget(t *testing.T, a spaces.Arch) Counts {
	t.Helper()
	// The options of the space must not change the budget.
	c, err := Space{SE: true}.Budget(a, imageNet)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRound8(t *testing.T) {
	files(t, func(t *testing.T, f *file) {
		for _, p := range f.Round8 {
			if got := round8(p[0]); float64(got) != p[1] {
				t.Errorf("%g rounds to %d, want %g", p[0], got, p[1])
			}
		}
	})
}

func TestTypes(t *testing.T) {
	files(t, func(t *testing.T, f *file) {
		var names []string
		for _, k := range types {
			names = append(names, kindNames[k])
		}
		if !slices.Equal(names, f.TypeOrder) || !slices.Equal(typeWeights, f.TypeWeight) {
			t.Errorf("types %v with weights %v, want %v with %v", names, typeWeights, f.TypeOrder, f.TypeWeight)
		}
	})
}

// TestStructures compares the counters and the splitting.
func TestStructures(t *testing.T) {
	files(t, func(t *testing.T, f *file) {
		for _, s := range f.Structures {
			if a, err := (Space{}).Parse(string(s.S)); err != nil || a != s.S {
				t.Fatalf("Parse(%q) gives %q, %v", s.S, a, err)
			}
			if got, want := budget(t, s.S), (Counts{FLOPs: s.FLOPs, Params: int64(s.Params), Layers: s.Layers}); got != want {
				t.Errorf("%s: the budget counts %+v, want %+v", s.S, got, want)
			}
			if got, want := count(t, Space{}, s.S), (Counts{FLOPs: s.FLOPsScored, Params: int64(s.ParamsScored), Layers: s.Layers}); got != want {
				t.Errorf("%s: the scored network counts %+v, want %+v", s.S, got, want)
			}
			chain, err := Space{}.parse(string(s.S))
			if err != nil {
				t.Fatal(err)
			}
			if got := arch(finish(chain)); got != s.Split6 {
				t.Errorf("%s splits to %s, want %s", s.S, got, s.Split6)
			}
		}
	})
}

// TestExpand compares what super blocks stand for.
func TestExpand(t *testing.T) {
	files(t, func(t *testing.T, f *file) {
		for _, e := range f.Expansions {
			for _, c := range []struct {
				s    Space
				want string
			}{{Space{}, e.Without}, {Space{ResLink: true}, e.With}} {
				if got, err := c.s.Expand(e.S); err != nil || got != c.want {
					t.Errorf("%s: %s expands to\n%s, %v, want\n%s", c.s.Name(), e.S, got, err, c.want)
				}
			}
		}
	})
}

// TestCandidates compares the set of blocks that each block mutates to, and its size with every string as often as the reference draws it.
func TestCandidates(t *testing.T) {
	files(t, func(t *testing.T, f *file) {
		for _, m := range f.Candidates {
			b := single(t, m.Block)
			c := choicesFor(b, maxLayers)
			var list []string
			for other := range c.all(b) {
				list = append(list, other.String())
			}
			weights := 0
			for _, w := range c.weights {
				weights += w
			}
			if total := weights * len(list) / len(c.types); len(list) != m.Unique || total != m.Total {
				t.Errorf("%s has %d candidates in a list of %d, want %d and %d", m.Block, len(list), total, m.Unique, m.Total)
			}
			slices.Sort(list)
			hash := sha256.Sum256([]byte(strings.Join(list, "\n")))
			if list[0] != m.First || list[len(list)-1] != m.Last || hex.EncodeToString(hash[:]) != m.Hash {
				t.Errorf("%s has other candidates than the reference, from %s to %s, want from %s to %s", m.Block, list[0], list[len(list)-1], m.First, m.Last)
			}
			if got := channels(b.out); !slices.Equal(got, m.Channels) {
				t.Errorf("%d channels become %v, want %v", b.out, got, m.Channels)
			}
		}
	})
}

// single parses one block, whose in need not be 3.
func single(t *testing.T, str string) block {
	t.Helper()
	name, rest, _ := strings.Cut(str, "(")
	b := block{kind: kinds[name]}
	for i, part := range strings.Split(strings.TrimSuffix(rest, ")"), ",") {
		n := 0
		if err := json.Unmarshal([]byte(part), &n); err != nil {
			t.Fatal(err)
		}
		*b.numbers()[i] = n
	}
	if b.String() != str {
		t.Fatalf("%q reads as %q", str, b)
	}
	return b
}
