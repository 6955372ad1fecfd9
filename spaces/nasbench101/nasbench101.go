// Package nasbench101 is the search space of NAS-Bench-101 (Ying et al., ICML 2019): cells that are graphs of at most seven vertices and nine edges, the vertices between input and output each one of three operations; 423,624 cells up to isomorphism.
//
// The benchmark names a cell by its module hash, which isomorphic cells share, and trained one representative of each. The canonical form here is that representative: which vertices get the odd channels of an uneven split depends on their order, so another one could be another network.
package nasbench101

import (
	"encoding/hex"
	"fmt"
	"iter"
	"math/rand/v2"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Ops are the operations of a vertex, by the names and in the order of the benchmark.
var Ops = [...]string{"conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"}

const (
	conv3x3 = iota
	conv1x1
	maxPool
)

// Size is the number of cells (Ying et al., section 2.2).
const Size = 423624

// Space is NAS-Bench-101 with cells stacked N times in each of three stacks of C, 2C and 4C channels. The benchmark has C = 128 and N = 3. C must be at least 5: up to five vertices share the output channels of a cell.
type Space struct{ C, N int }

// minChannels is one channel for each vertex that can feed the output.
const minChannels = maxVertices - 2

func init() {
	spaces.Register("nasbench101", func(o *spaces.Options) spaces.Space {
		return Space{C: o.Int("C", 128, minChannels, 4096, "channels of the first stack"), N: o.Int("N", 3, 1, 100, "cells in a stack")}
	})
}

// Name implements spaces.Space.
func (s Space) Name() string { return fmt.Sprintf("nasbench101:C=%d,N=%d", s.C, s.N) }

// Doc implements spaces.Space.
func (s Space) Doc() string {
	return `NAS-Bench-101: 423,624 cells of up to 7 vertices and 9 edges; conv3x3~0,conv1x1~0+1,output~1+2 or {"matrix": ..., "ops": ...}, a module hash or an index 0..423623`
}

// Input implements spaces.Space: CIFAR-10.
func (s Space) Input() spaces.Input { return spaces.Input{Size: 32, Classes: 10} }

// Parse reads a cell in any of these forms, removes the vertices and edges that lie on no path from the input to the output, and returns the canonical form of what is left:
//
//   - "conv3x3~0,conv1x1~0+1,output~1+2": a vertex after the other with the vertices that it reads; 0 is the input, and an operation may be written with its -bn-relu;
//   - {"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"]}: the benchmark's matrix and list of operations, also under their names in its answers, module_adjacency and module_operations;
//   - the 32 hexadecimal digits of a module hash;
//   - an index in the order of All.
//
// The last two need the table of all hashes; the first use in a process makes it (see All).
func (s Space) Parse(str string) (spaces.Arch, error) {
	c, err := parse(s.Name(), str)
	if err != nil {
		return "", err
	}
	return c.arch(), nil
}

// Hash returns the benchmark's module hash of a cell, in any form that Parse takes: 32 hexadecimal digits.
func Hash(a spaces.Arch) (string, error) {
	c, err := parse("nasbench101", string(a))
	if err != nil {
		return "", err
	}
	h := c.hash()
	return hex.EncodeToString(h[:]), nil
}

// Index implements spaces.Indexer, for a cell in any form that Parse takes: the number of its record in the benchmark's files. The first use in a process makes the table of all hashes (see All).
func (s Space) Index(a spaces.Arch) (int, error) {
	p := &parser{s.Name(), string(a)}
	if i, ok, err := p.place(); ok {
		return i, err
	}
	c, err := p.cell()
	if err != nil {
		return 0, err
	}
	i, _ := find(c.hash()) // what parses is in the table
	return i, nil
}

// Spec is a cell as the benchmark writes it, and Parse reads its JSON.
type Spec struct {
	Matrix [][]int  `json:"matrix"` // Matrix[u][v] is 1 where vertex v reads vertex u
	Ops    []string `json:"ops"`    // "input", the operations of the vertices between, "output"
}

// NewSpec returns the canonical matrix and operations of a cell, in any form that Parse takes.
func NewSpec(a spaces.Arch) (Spec, error) {
	c, err := parse("nasbench101", string(a))
	if err != nil {
		return Spec{}, err
	}
	n := int(c.n)
	s := Spec{Matrix: make([][]int, n), Ops: make([]string, n)}
	for u := range n {
		s.Matrix[u] = make([]int, n)
		for v := range n {
			s.Matrix[u][v] = int(c.in[v] >> u & 1)
		}
		s.Ops[u] = Ops[c.ops[u]]
	}
	s.Ops[0], s.Ops[n-1] = "input", "output"
	return s, nil
}

// Sample implements spaces.Space: each of the cells with the same probability.
func (s Space) Sample(rng *rand.Rand) spaces.Arch { return cells()[rng.IntN(Size)].arch() }

// Mutate implements spaces.Space: a random neighbour.
func (s Space) Mutate(rng *rand.Rand, a spaces.Arch) spaces.Arch {
	c, err := parse(s.Name(), string(a))
	if err != nil {
		return a
	}
	near := c.neighbors()
	return near[rng.IntN(len(near))].arch()
}

// Neighbors implements spaces.Space: the cells that come of one edit of the graph. An edit gives a vertex another operation, adds or removes an edge, or adds or removes a vertex that reads one vertex and is read by one, with its two edges. Edits that leave a vertex off every path from the input to the output, close a cycle, or exceed seven vertices or nine edges are none. Every edit can be undone by another, and edits lead from every cell to every other.
func (s Space) Neighbors(a spaces.Arch) iter.Seq[spaces.Arch] {
	return func(yield func(spaces.Arch) bool) {
		c, err := parse(s.Name(), string(a))
		if err != nil {
			return
		}
		for _, d := range c.neighbors() {
			if !yield(d.arch()) {
				return
			}
		}
	}
}

// Size implements spaces.Space.
func (s Space) Size() int { return Size }

// All implements spaces.Space, in the order of the module hashes, which is the order of the records in the benchmark's files. The first use in a process computes all hashes, which takes 3 seconds on 2 cores (Intel Xeon) and keeps 20 MB.
func (s Space) All() iter.Seq[spaces.Arch] {
	return func(yield func(spaces.Arch) bool) {
		for _, e := range table() {
			if !yield(e.cell.arch()) {
				return
			}
		}
	}
}
