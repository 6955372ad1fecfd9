// Package natstss is the topology search space of NATS-Bench (Dong et al., TPAMI 2021), which is NAS-Bench-201's (Dong and Yang, ICLR 2020): cells of four nodes and six edges, each edge one of five operations, 15,625 cells in all.
//
// Papers report on three populations of these cells, over which rank correlations differ:
//
//   - all 15,625 (Space.All), as the benchmark's tables list them;
//   - the 9,445 without useless edges, which are their own form under Live: what studies on NASLib's zero-cost tables keep (Kadlecová et al., ICML 2024, leave out cells with unreachable operations);
//   - the 6,466 that the benchmark counts as unique (Dong et al., TPAMI 2021, Table 1), the number of different values of Unique.
package natstss

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// Ops are the operations of an edge, in the order of the digits of a cell's index.
var Ops = [...]string{"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}

const (
	none = iota
	skip
	conv1x1
	conv3x3
	avgPool
)

// edges are the source and target nodes of the six edges, in the order of the string.
var edges = [...][2]int{{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}}

// Size is the number of cells, 5^6.
const Size = 15625

// cell holds the operation of each edge.
type cell [6]uint8

// Space is NATS-TSS with cells stacked N times in each of three stages of C, 2C and 4C channels. The benchmark has C = 16 and N = 5.
type Space struct{ C, N int }

func init() {
	spaces.Register("natstss", func(o *spaces.Options) spaces.Space {
		s := Space{C: o.Int("C", 16, 1, 4096, "channels of the first stage"), N: o.Int("N", 5, 1, 100, "cells in a stage")}
		if o.Int("super", 0, 0, 1, "1: supernets, which mix operations on an edge, are described too") == 1 {
			return Super{s}
		}
		return s
	})
}

// Name implements spaces.Space.
func (s Space) Name() string { return fmt.Sprintf("natstss:C=%d,N=%d", s.C, s.N) }

// Doc implements spaces.Space.
func (s Space) Doc() string {
	return "NATS-Bench topology space (NAS-Bench-201): 15,625 cells of six edges with five operations; |op~source|+... or an index 0..15624"
}

// Input implements spaces.Space: CIFAR-10.
func (s Space) Input() spaces.Input { return spaces.Input{Size: 32, Classes: 10} }

// Parse reads a cell as "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|" or as an index, a decimal number whose six base-5 digits are the operations in that order, the first the most significant. (NATS-Bench numbers its cells by a random permutation of this index.)
func (s Space) Parse(str string) (spaces.Arch, error) {
	c, err := s.parse(str)
	if err != nil {
		return "", err
	}
	return c.arch(), nil
}

func (s Space) parse(str string) (cell, error) {
	m, err := scan(s.Name(), str, func(text string) (uint8, int, string) {
		if i := slices.Index(Ops[:], text); i >= 0 {
			return 1 << i, 0, ""
		}
		return 0, 0, "an operation (" + strings.Join(Ops[:], ", ") + ")"
	})
	c, _ := m.cell()
	return c, err
}

// scan reads what Parse takes. set reads what stands for the operations of an edge and gives them, a bit each, or what it wants and at which of its bytes.
func scan(space, str string, set func(text string) (ops uint8, at int, want string)) (mix, error) {
	var m mix
	fail := func(pos int, format string, args ...any) (mix, error) {
		return mix{}, &spaces.ParseError{Space: space, Input: str, Pos: pos, Want: fmt.Sprintf(format, args...)}
	}
	if str != "" && strings.Trim(str, "0123456789") == "" {
		i, err := strconv.Atoi(str)
		if err != nil || i >= Size {
			return fail(0, "the index must be below %d", Size)
		}
		for e, op := range fromIndex(i) {
			m[e] = 1 << op
		}
		return m, nil
	}
	pos := 0
	take := func(want string) bool {
		if strings.HasPrefix(str[pos:], want) {
			pos += len(want)
			return true
		}
		return false
	}
	for e, edge := range edges {
		if edge[0] == 0 {
			if e > 0 && !take("+") {
				return fail(pos, `expected "+" between the nodes`)
			}
			if !take("|") {
				return fail(pos, `expected "|" before the edges of node %d`, edge[1])
			}
		}
		text, _, found := strings.Cut(str[pos:], "~")
		if !found {
			text = ""
		}
		ops, at, want := set(text)
		if ops == 0 {
			return fail(pos+at, "expected %s and ~%d", want, edge[0])
		}
		m[e] = ops
		pos += len(text)
		if !take("~" + strconv.Itoa(edge[0])) {
			return fail(pos, "the edge from node %d to node %d is written ~%d", edge[0], edge[1], edge[0])
		}
		if !take("|") {
			return fail(pos, `expected "|" after the edge`)
		}
	}
	if pos != len(str) {
		return fail(pos, "nothing may follow the six edges")
	}
	return m, nil
}

func (c cell) arch() spaces.Arch {
	return join(func(edge int) string { return Ops[c[edge]] })
}

// join writes a cell, whose edges have the given operations.
func join(op func(edge int) string) spaces.Arch {
	var b strings.Builder
	for e, edge := range edges {
		if edge[0] == 0 {
			if e > 0 {
				b.WriteByte('+')
			}
			b.WriteByte('|')
		}
		fmt.Fprintf(&b, "%s~%d|", op(e), edge[0])
	}
	return spaces.Arch(b.String())
}

func fromIndex(i int) cell {
	var c cell
	for e := len(c) - 1; e >= 0; e-- {
		c[e] = uint8(i % len(Ops))
		i /= len(Ops)
	}
	return c
}

// Index implements spaces.Indexer: the operations of a cell as base-5 digits, the first edge the most significant.
func (s Space) Index(a spaces.Arch) (int, error) {
	c, err := s.parse(string(a))
	if err != nil {
		return 0, err
	}
	i := 0
	for _, op := range c {
		i = i*len(Ops) + int(op)
	}
	return i, nil
}

// Sample implements spaces.Space.
func (s Space) Sample(rng *rand.Rand) spaces.Arch { return fromIndex(rng.IntN(Size)).arch() }

// Mutate implements spaces.Space: one random edge gets another operation.
func (s Space) Mutate(rng *rand.Rand, a spaces.Arch) spaces.Arch {
	c, err := s.parse(string(a))
	if err != nil {
		return a
	}
	e := rng.IntN(len(c))
	c[e] = uint8((int(c[e]) + 1 + rng.IntN(len(Ops)-1)) % len(Ops))
	return c.arch()
}

// Neighbors implements spaces.Space: the 24 cells that differ in one edge.
func (s Space) Neighbors(a spaces.Arch) iter.Seq[spaces.Arch] {
	return func(yield func(spaces.Arch) bool) {
		c, err := s.parse(string(a))
		if err != nil {
			return
		}
		for e := range c {
			for op := range len(Ops) {
				d := c
				d[e] = uint8(op)
				if d != c && !yield(d.arch()) {
					return
				}
			}
		}
	}
}

// Size implements spaces.Space.
func (s Space) Size() int { return Size }

// All implements spaces.Space, in the order of the index.
func (s Space) All() iter.Seq[spaces.Arch] {
	return spaces.Enumerate(Size, func(i int) spaces.Arch { return fromIndex(i).arch() })
}

// Network implements spaces.Space: stem, N cells, residual block to 2C, N cells, residual block to 4C, N cells, batch norm and ReLU, global pool, classifier. Modules are named and ordered as in xautodl's TinyNetwork.
func (s Space) Network(a spaces.Arch, in spaces.Input) (*net.Network, error) {
	c, err := s.read(a)
	if err != nil {
		return nil, err
	}
	return s.stack(string(a), in, c.build)
}

// stack makes the network of which cell adds each cell to.
func (s Space) stack(name string, in spaces.Input, cell func(b *net.Builder, name string, x int) int) (*net.Network, error) {
	if in.Classes < 1 {
		return nil, fmt.Errorf("%s: %d classes; at least one is needed", s.Name(), in.Classes)
	}
	b := net.NewBuilder(name, net.Shape{C: 3, H: in.Size, W: in.Size})
	x := b.BatchNorm("stem.1", b.Conv("stem.0", 0, s.C, 3, 1), 0)
	k := 0 // position among cells and residual blocks
	for stage := range 3 {
		if stage > 0 {
			x = Reduction(b, fmt.Sprintf("cells.%d", k), x, 2*b.Shape(x).C)
			k++
		}
		for range s.N {
			x = cell(b, fmt.Sprintf("cells.%d", k), x)
			k++
		}
	}
	x = b.ReLU(b.BatchNorm("lastact.0", x, 0))
	return b.Network(b.Head("classifier", x, in.Classes))
}

// build adds one cell. Each convolution has a rectifier of its own, as in the reference's modules: proxies count them.
func (c cell) build(b *net.Builder, name string, x int) int {
	nodes := []int{x}
	var terms []int
	for e, edge := range edges {
		terms = append(terms, addOp(b, int(c[e]), fmt.Sprintf("%s.layers.%d.op", name, e), nodes[edge[0]]))
		if edge[0] == edge[1]-1 { // the last edge into its node
			nodes = append(nodes, b.Sum(terms...))
			terms = nil
		}
	}
	return nodes[3]
}

// addOp adds an operation on a node, with modules named below name.
func addOp(b *net.Builder, op int, name string, from int) int {
	switch op {
	case none:
		return b.Add(net.Node{Op: net.Zero, In: []int{from}})
	case conv1x1, conv3x3:
		kernel := 1
		if op == conv3x3 {
			kernel = 3
		}
		return b.BatchNorm(name+".2", b.Conv(name+".1", b.ReLU(from), b.Shape(from).C, kernel, 1), 0)
	case avgPool:
		return b.Add(net.Node{Op: net.AvgPool, In: []int{from}, Kernel: 3, Stride: 1, Pad: 1})
	}
	return from // skip
}

// Reduction adds NATS-Bench's residual block of stride 2 (xautodl's ResNetBasicblock) from node x to out channels, with modules named below name, and returns its output. Both of the benchmark's spaces have it.
func Reduction(b *net.Builder, name string, x, out int) int {
	y := b.BatchNorm(name+".conv_a.op.2", b.Conv(name+".conv_a.op.1", b.ReLU(x), out, 3, 2), 0)
	y = b.BatchNorm(name+".conv_b.op.2", b.Conv(name+".conv_b.op.1", b.ReLU(y), out, 3, 1), 0)
	pool := b.Add(net.Node{Op: net.AvgPool, In: []int{x}, Kernel: 2, Stride: 2})
	return b.Sum(y, b.Conv(name+".downsample.1", pool, out, 1, 1))
}

// read reads an Arch that Parse has returned.
func (s Space) read(a spaces.Arch) (cell, error) {
	c, err := s.parse(string(a))
	if err != nil {
		return cell{}, err
	}
	if want := c.arch(); want != a {
		return cell{}, spaces.NotCanonical(s.Name(), a, want)
	}
	return c, nil
}
