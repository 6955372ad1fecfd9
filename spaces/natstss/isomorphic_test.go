package natstss

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// TestPopulations counts the populations of cells that the literature reports on.
func TestPopulations(t *testing.T) {
	all, kept := 0, 0
	live, unique := map[spaces.Arch]bool{}, map[string]map[[2]int]bool{} // of a class, the numbers of 3x3 and 1x1 convolutions
	for a := range (Space{16, 5}).All() {
		l, err := Live(a)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Live(l); err != nil || again != l {
			t.Fatalf("Live(%q) = %q, whose own Live form is %q, %v", a, l, again, err)
		}
		u, err := Unique(a)
		if err != nil {
			t.Fatal(err)
		}
		all++
		if l == a {
			kept++
		}
		live[l] = true
		if unique[u] == nil {
			unique[u] = map[[2]int]bool{}
		}
		unique[u][[2]int{strings.Count(string(l), Ops[conv3x3]), strings.Count(string(l), Ops[conv1x1])}] = true
	}
	mixed := 0
	for _, numbers := range unique {
		if len(numbers) > 1 {
			mixed++
		}
	}
	if all != 15625 || kept != 9445 || len(live) != 9445 || len(unique) != 6466 {
		t.Errorf("%d cells, %d without useless edges (%d forms), %d unique; want 15625, 9445, 9445, 6466", all, kept, len(live), len(unique))
	}
	if mixed != 430 {
		t.Errorf("%d classes hold cells with different numbers of weights, want 430", mixed)
	}
}

// TestLive checks all cells against the general pruning of networks: what is left of a cell and of its Live form is the same, layer by layer.
func TestLive(t *testing.T) {
	space, in := Space{C: 2, N: 1}, spaces.Input{Size: 4, Classes: 2}
	pruned := func(a spaces.Arch) []string {
		n, err := space.Network(a, in)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := net.Prune(n)
		var layers []string
		for i := range p.Nodes {
			nd := &p.Nodes[i]
			layers = append(layers, fmt.Sprintf("%s %s of %d at %d", nd.Name, nd.Op, len(nd.In), nd.Shape))
		}
		slices.Sort(layers)
		return layers
	}
	for a := range space.All() {
		l, _ := Live(a)
		if l == a {
			continue
		}
		if x, y := pruned(a), pruned(l); !slices.Equal(x, y) {
			t.Fatalf("%q leaves %q, its Live form %q leaves %q", a, x, l, y)
		}
	}
}

// TestIsomorphic checks the rules on single cells.
func TestIsomorphic(t *testing.T) {
	for _, c := range []struct{ arch, live, unique spaces.Arch }{
		{ // Kadlecová et al.'s example: (2, 1, 0, 1, 0, 2) and (2, 1, 0, 1, 0, 1) in NASLib's numbers are the same, as no path leads to node 2
			"|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|nor_conv_3x3~2|",
			"|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|",
			"(#+#)@nor_conv_3x3+(0)@nor_conv_3x3+0",
		},
		{ // node 2 is a copy of the input and is used twice
			"|none~0|+|skip_connect~0|none~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_1x1~2|",
			"|none~0|+|skip_connect~0|none~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|",
			"#+(#+0)@nor_conv_1x1+(0)@avg_pool_3x3",
		},
		{ // no path
			"|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|none~2|",
			"|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
			"#+#+#",
		},
	} {
		if got, err := Live(c.arch); err != nil || got != c.live {
			t.Errorf("Live(%q) = %q, %v, want %q", c.arch, got, err, c.live)
		}
		if got, err := Unique(c.arch); err != nil || got != string(c.unique) {
			t.Errorf("Unique(%q) = %q, %v, want %q", c.arch, got, err, c.unique)
		}
	}
	if _, err := Live("|none~0|"); err == nil {
		t.Error("Live of half a cell gives no error")
	}
	if _, err := Unique("|none~0|"); err == nil {
		t.Error("Unique of half a cell gives no error")
	}
}
