package natstss

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/spacetest"
)

// mixed is a supernet with two mixed edges.
const mixed = "|{skip_connect,nor_conv_3x3}~0|+|nor_conv_1x1~0|none~1|+|{none,skip_connect,nor_conv_1x1,nor_conv_3x3,avg_pool_3x3}~0|none~1|skip_connect~2|"

var malformedSets = []string{
	"|{}~0|+|none~0|none~1|+|none~0|none~1|none~2|",
	"|{none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
	"|none}~0|+|none~0|none~1|+|none~0|none~1|none~2|",
	"|{none,none}~0|+|none~0|none~1|+|none~0|none~1|none~2|",
	"|{none,}~0|+|none~0|none~1|+|none~0|none~1|none~2|",
	"|{none,skip}~0|+|none~0|none~1|+|none~0|none~1|none~2|",
	"supernets",
}

func TestSuper(t *testing.T) {
	spacetest.Run(t, Super{Space{16, 5}}, append(malformedSets, malformed...)...)
	// The space without supernets does not know them.
	for _, s := range []string{mixed, "supernet", string(Super{}.Supernet())} {
		if a, err := (Space{16, 5}).Parse(s); err == nil {
			t.Errorf("%s parses %q as %q", Space{16, 5}.Name(), s, a)
		}
	}
}

// TestSuperParse checks canonical forms and where errors point.
func TestSuperParse(t *testing.T) {
	s := Super{Space{16, 5}}
	for in, want := range map[string]spaces.Arch{
		mixed:      mixed,
		"supernet": s.Supernet(),
		"|{none}~0|+|none~0|none~1|+|none~0|none~1|none~2|":                "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
		"|{nor_conv_3x3,none}~0|+|none~0|none~1|+|none~0|none~1|{none}~2|": "|{none,nor_conv_3x3}~0|+|none~0|none~1|+|none~0|none~1|none~2|",
		"0": "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
	} {
		got, err := s.Parse(in)
		if again, _ := s.Parse(string(got)); err != nil || got != want || again != got {
			t.Errorf("Parse(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for in, pos := range map[string]int{
		malformedSets[0]: 2, malformedSets[1]: 6, malformedSets[2]: 1, malformedSets[3]: 7, malformedSets[4]: 7, malformedSets[5]: 7,
	} {
		if _, err := s.Parse(in); err == nil || err.(*spaces.ParseError).Pos != pos {
			t.Errorf("Parse(%q) gives %v, want position %d", in, err, pos)
		}
	}
	if _, err := s.Network("|{nor_conv_3x3,none}~0|+|none~0|none~1|+|none~0|none~1|none~2|", s.Input()); err == nil || !strings.Contains(err.Error(), "canonical") {
		t.Errorf("the network of what is not canonical gives %v", err)
	}
}

// TestRelaxer takes random ways from the supernet to a cell, edge by edge.
func TestRelaxer(t *testing.T) {
	s := Super{Space{16, 5}}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		a := s.Supernet()
		for i, e := range rng.Perm(len(edges)) {
			choices, err := s.Choices(a)
			if err != nil || len(choices) != len(edges) || len(choices[e]) != len(Ops) {
				t.Fatalf("%q has the choices %v, %v", a, choices, err)
			}
			if !spaces.IsSupernet(s, a) {
				t.Fatalf("%q, with %d decided edges, is no supernet", a, i)
			}
			op := choices[e][rng.IntN(len(Ops))]
			if a, err = s.Choose(a, e, op); err != nil {
				t.Fatal(err)
			}
			if choices, _ = s.Choices(a); !slices.Equal(choices[e], []int{op}) {
				t.Fatalf("%q has %v on edge %d, want %d", a, choices[e], e, op)
			}
		}
		if _, err := s.Index(a); err != nil || spaces.IsSupernet(s, a) {
			t.Fatalf("%q, with all edges decided, is no cell: %v", a, err)
		}
	}
	for _, bad := range [][]int{{-1, 0}, {6, 0}, {0}, {0, 5}, {0, -1}} {
		if a, err := s.Choose(mixed, bad[0], bad[1:]...); err == nil {
			t.Errorf("Choose with edge and operations %v gives %q", bad, a)
		}
	}
	if spaces.IsSupernet(s.Space, mixed) || spaces.IsSupernet(s, "nothing") {
		t.Error("a supernet in a space that has none, or what is nothing, passes as one")
	}
}

// TestSuperNetwork checks what a supernet's network is made of: the operations of each edge, weighted, with the numbers and names that the whole supernet gives their layers.
func TestSuperNetwork(t *testing.T) {
	s := Super{Space{4, 1}}
	in := spaces.Input{Size: 8, Classes: 3}
	network := func(a spaces.Arch) *net.Network {
		n, err := s.Network(a, in)
		if err == nil {
			err = n.Validate()
		}
		if err != nil {
			t.Fatalf("%q: %v", a, err)
		}
		return n
	}
	// Cells are those of the space without supernets.
	for i := 0; i < Size; i += 625 {
		a := fromIndex(i).arch()
		want, err := s.Space.Network(a, in)
		if err != nil {
			t.Fatal(err)
		}
		if got := network(a); !reflect.DeepEqual(got, want) {
			t.Errorf("%q is another network than without supernets", a)
		}
	}
	whole := network(s.Supernet())
	numbers := map[string]int{}
	for _, nd := range whole.Nodes {
		if nd.Op.HasWeights() {
			numbers[nd.Name] = nd.Layer
		}
	}
	// Stem, 3 cells of 12 convolutions, 2 residual blocks of 3, classifier.
	if len(numbers) != 1+3*12+2*3+1 || whole.Layers != len(numbers) {
		t.Errorf("the supernet has %d weighted layers, %d names", whole.Layers, len(numbers))
	}
	count := func(n *net.Network, op net.Op, name string) (k int) {
		for _, nd := range n.Nodes {
			if nd.Op == op && strings.HasPrefix(nd.Name, name) {
				k++
			}
		}
		return k
	}
	n := network(mixed)
	for _, want := range []struct {
		op   net.Op
		name string
		n    int
	}{{net.Scale, "", 3 * 2}, {net.Conv, "cells.0.edges.0", 1}, {net.Conv, "cells.0.edges.1", 1}, {net.Conv, "cells.0.edges.3", 2}, {net.Conv, "cells.0", 4}, {net.AvgPool, "", 3 + 2}} {
		if got := count(n, want.op, want.name); got != want.n {
			t.Errorf("%q has %d of %s %s, want %d\n%s", mixed, got, want.op, want.name, want.n, n)
		}
	}
	for _, nd := range n.Nodes {
		if at, ok := numbers[nd.Name]; nd.Op.HasWeights() && (!ok || at != nd.Layer) {
			t.Errorf("%s has the number %d, in the whole supernet %d", nd.Name, nd.Layer, at)
		}
		if nd.Op == net.Scale && nd.Factor != 0.2 {
			t.Errorf("an edge is weighted by %g, want a fifth", nd.Factor)
		}
	}
	got, err := s.Counts(mixed, in)
	if err != nil || got != net.Count(n) || got.Params <= 0 {
		t.Errorf("%q counts %+v, %v, its network %+v", mixed, got, err, net.Count(n))
	}
	picture, err := s.CellSVG(mixed)
	if boxes := strings.Count(picture, "nor_conv_1x1</text>"); err != nil || boxes != 2 {
		t.Errorf("the picture of %q has %d boxes of nor_conv_1x1, want 2: %v", mixed, boxes, err)
	}
}

func ExampleSuper() {
	s := Super{Space{C: 16, N: 5}}
	a, err := s.Choose(s.Supernet(), 0, 1, 3)
	for edge := 1; edge < 6 && err == nil; edge++ {
		a, err = s.Choose(a, edge, 0)
	}
	fmt.Println(a, err)
	fmt.Println(s.Choices(a))
	// Output:
	// |{skip_connect,nor_conv_3x3}~0|+|none~0|none~1|+|none~0|none~1|none~2| <nil>
	// [[1 3] [0] [0] [0] [0] [0]] <nil>
}
