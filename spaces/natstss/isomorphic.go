package natstss

import (
	"slices"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Live replaces by none the operation of every edge that lies on no path from the input to the output of the cell without a none in it. The network of the result computes the same, and its weights that were there before have the same gradients. Cells without a path become the cell of six nones. 9,445 cells are their own Live form.
//
// It fails with a *spaces.ParseError on what is no architecture.
func Live(a spaces.Arch) (spaces.Arch, error) {
	c, err := Space{}.parse(string(a))
	if err != nil {
		return "", err
	}
	// fed says whether a path leads from the input to a node, used whether one leads from it to the output.
	fed, used := [4]bool{0: true}, [4]bool{3: true}
	for e, edge := range edges {
		fed[edge[1]] = fed[edge[1]] || fed[edge[0]] && c[e] != none
	}
	for e, edge := range slices.Backward(edges[:]) {
		used[edge[0]] = used[edge[0]] || used[edge[1]] && c[e] != none
	}
	for e, edge := range edges {
		if !fed[edge[0]] || !used[edge[1]] {
			c[e] = none
		}
	}
	return c.arch(), nil
}

// Unique describes what a cell computes by the benchmark's own rule, under which 6,466 cells are unique. Cells with equal descriptions are isomorphic. A cell is described by the description of its output node:
//
//	the input node is 0;
//	a node is the sum of its edges, sorted as text and joined by "+";
//	an edge is # (zero) if its operation is none or its source is #,
//	the description of its source if its operation is skip_connect,
//	and (source)@operation otherwise.
//
// The rule is Structure.to_unique_str of xautodl (D-X-Y/AutoDL-Projects), with consider_zero. It identifies less than could be: a sum keeps its zero terms, so that cells may differ in nothing but the number of # in a sum, and #+# is not #. And it identifies cells with different numbers of weights (430 of the 6,466 classes hold such cells, useless edges apart), as it does not tell one convolution that is read twice from two convolutions of the same input.
//
// It fails with a *spaces.ParseError on what is no architecture.
func Unique(a spaces.Arch) (string, error) {
	c, err := Space{}.parse(string(a))
	if err != nil {
		return "", err
	}
	const zero = "#"
	nodes := []string{"0"}
	var terms []string
	for e, edge := range edges {
		switch from := nodes[edge[0]]; {
		case c[e] == none || from == zero:
			terms = append(terms, zero)
		case c[e] == skip:
			terms = append(terms, from)
		default:
			terms = append(terms, "("+from+")@"+Ops[c[e]])
		}
		if edge[0] == edge[1]-1 { // the last edge into its node
			slices.Sort(terms)
			nodes = append(nodes, strings.Join(terms, "+"))
			terms = nil
		}
	}
	return nodes[3], nil
}
