// Package darts is the search space of DARTS (Liu et al., ICLR 2019): genotypes of two cells, stacked to networks for CIFAR or ImageNet.
//
// A cell reads the outputs of the two cells before it, states 0 and 1, and makes four more states, 2 to 5, each the sum of two operations on earlier states; states 2 to 5 side by side are its output. A normal cell keeps the resolution, a reduction cell halves it. A cell has (1*3*6*10)*7^8 = 1,037,664,180 forms, a genotype is any two of them: about 1.08e18, which can be drawn from but not listed.
//
// A genotype is written as two cells in the notation of NAS-Bench-201, nodes separated by "+":
//
//	normal=|sep_conv_3x3~0|sep_conv_3x3~1|+|...|...|+|...|...|+|...|...|;reduce=|max_pool_3x3~0|max_pool_3x3~1|+...
//
// The two operations into a node are ordered by their source. Published genotypes often list them otherwise, which changes the order, and with it the seeds of the weights, of the layers in the reference's code but not what the network computes.
package darts

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Ops are the operations of an edge, in the order of DARTS, which leaves its eighth, none, out of genotypes.
var Ops = [...]string{"max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"}

const (
	maxPool = iota
	avgPool
	skip
	sepConv3
	sepConv5
	dilConv3
	dilConv5
)

// steps is the number of states that a cell adds to its two inputs.
const steps = 4

// edge is an operation on a state.
type edge struct{ op, from uint8 }

// cell holds the two edges into each of the states 2 to 5, the one with the smaller source first.
type cell [steps][2]edge

// genotype is a normal and a reduction cell.
type genotype [2]cell

// names are those of the two cells of a genotype.
var names = [...]string{"normal", "reduce"}

// Space is the networks of Cells cells, the first of which have C channels for each state. Two reduction cells, after one third and two thirds of the cells, double the channels. The stem is that for CIFAR, or with ImageNet three convolutions that halve the picture three times.
//
// The literature has C = 36 and 20 cells on CIFAR, C = 48 and 14 cells on ImageNet, and searches with C = 16 and 8 cells.
type Space struct {
	C, Cells int
	ImageNet bool
}

func init() {
	spaces.Register("darts", func(o *spaces.Options) spaces.Space {
		return Space{C: o.Int("C", 36, 1, 4096, "channels of a state in the first cells"), Cells: o.Int("cells", 20, 1, 100, "cells"), ImageNet: o.Int("imagenet", 0, 0, 1, "1 for the stem and images of ImageNet") == 1}
	})
}

// Name implements spaces.Space.
func (s Space) Name() string {
	imagenet := 0
	if s.ImageNet {
		imagenet = 1
	}
	return fmt.Sprintf("darts:C=%d,cells=%d,imagenet=%d", s.C, s.Cells, imagenet)
}

// Doc implements spaces.Space.
func (s Space) Doc() string {
	return "DARTS genotypes of a normal and a reduction cell: normal=|op~source|op~source|+...;reduce=..., Genotype(normal=[('sep_conv_3x3', 0), ...) or a name such as DARTS_V2"
}

// Input implements spaces.Space: CIFAR-10, or ImageNet at 224 pixels.
func (s Space) Input() spaces.Input {
	if s.ImageNet {
		return spaces.Input{Size: 224, Classes: 1000}
	}
	return spaces.Input{Size: 32, Classes: 10}
}

func (g genotype) arch() spaces.Arch {
	var b strings.Builder
	for k, c := range g {
		if k > 0 {
			b.WriteByte(';')
		}
		b.WriteString(names[k] + "=")
		for i, node := range c {
			if i > 0 {
				b.WriteByte('+')
			}
			fmt.Fprintf(&b, "|%s~%d|%s~%d|", Ops[node[0].op], node[0].from, Ops[node[1].op], node[1].from)
		}
	}
	return spaces.Arch(b.String())
}

// Sample implements spaces.Space.
func (s Space) Sample(rng *rand.Rand) spaces.Arch {
	var g genotype
	for k := range g {
		for i := range g[k] {
			states := i + 2
			from := rng.IntN(states)
			other := (from + 1 + rng.IntN(states-1)) % states
			g[k][i] = [2]edge{{uint8(rng.IntN(len(Ops))), uint8(min(from, other))}, {uint8(rng.IntN(len(Ops))), uint8(max(from, other))}}
		}
	}
	return g.arch()
}

// Mutate implements spaces.Space: a random neighbour.
func (s Space) Mutate(rng *rand.Rand, a spaces.Arch) spaces.Arch {
	g, err := s.parse(string(a))
	if err != nil {
		return a
	}
	all := g.neighbors()
	return all[rng.IntN(len(all))].arch()
}

// Neighbors implements spaces.Space: the 120 genotypes with one operation changed (96) or one edge moved to another source (24).
func (s Space) Neighbors(a spaces.Arch) iter.Seq[spaces.Arch] {
	return func(yield func(spaces.Arch) bool) {
		g, err := s.parse(string(a))
		if err != nil {
			return
		}
		for _, n := range g.neighbors() {
			if !yield(n.arch()) {
				return
			}
		}
	}
}

func (g genotype) neighbors() []genotype {
	var all []genotype
	for k := range g {
		for i := range g[k] {
			for e, old := range g[k][i] {
				for op := range uint8(len(Ops)) {
					if op != old.op {
						n := g
						n[k][i][e].op = op
						all = append(all, n)
					}
				}
				for from := range uint8(i + 2) {
					if from != g[k][i][0].from && from != g[k][i][1].from {
						n := g
						n[k][i][e].from = from
						n[k][i] = sorted(n[k][i])
						all = append(all, n)
					}
				}
			}
		}
	}
	return all
}

// sorted puts the edge with the smaller source first.
func sorted(node [2]edge) [2]edge {
	if node[0].from > node[1].from {
		node[0], node[1] = node[1], node[0]
	}
	return node
}

// Size implements spaces.Space: 0, as no program lists 1.08e18 genotypes.
func (s Space) Size() int { return 0 }

// All implements spaces.Space: nothing, as Size is 0.
func (s Space) All() iter.Seq[spaces.Arch] { return func(func(spaces.Arch) bool) {} }
