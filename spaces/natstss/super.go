package natstss

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// Super is the space with its supernets, natstss:super=1: Parse, Network, Counts and CellSVG also take cells whose edges mix several operations, as in "|{nor_conv_3x3,skip_connect}~0|+...", or "supernet" for the one that mixes all on every edge. Cells without a mixed edge are those of Space, and so are their networks.
//
// On a mixed edge each operation that is left has the weight 1/5: what the softmax of five equal parameters gives it. Weights of operations that are taken away are not shared out among the others, and the only operation of a decided edge has the weight 1: so the code of Zero-Cost-PT has it (Xiang et al., AAAI 2023, masks in nasbench201/init_projection.py). A convolution has the same initial weights in all supernets, whatever else they mix, as its place among the layers of the whole supernet decides; in a cell without mixed edges it has those of the cell.
type Super struct{ Space }

var (
	_ spaces.Relaxer    = Super{}
	_ spaces.Counter    = Super{}
	_ spaces.CellDrawer = Super{}
)

// mix holds the operations of each edge, a bit each.
type mix [len(edges)]uint8

const allOps = 1<<len(Ops) - 1

// ops are the operations of an edge.
func (m mix) ops(edge int) []int {
	var list []int
	for op := range Ops {
		if m[edge]>>op&1 == 1 {
			list = append(list, op)
		}
	}
	return list
}

// cell is the cell of a mix without mixed edges.
func (m mix) cell() (c cell, ok bool) {
	for e, set := range m {
		if bits.OnesCount8(set) != 1 {
			return cell{}, false
		}
		c[e] = uint8(bits.TrailingZeros8(set))
	}
	return c, true
}

func (m mix) arch() spaces.Arch {
	return join(func(edge int) string {
		names := make([]string, 0, len(Ops))
		for _, op := range m.ops(edge) {
			names = append(names, Ops[op])
		}
		if len(names) == 1 {
			return names[0]
		}
		return "{" + strings.Join(names, ",") + "}"
	})
}

// set reads the operations of an edge as they are written; at is where something is wrong with them.
func set(text string) (ops uint8, at int, want string) {
	inner, open := strings.CutPrefix(text, "{")
	if !open {
		if i := slices.Index(Ops[:], text); i >= 0 {
			return 1 << i, 0, ""
		}
		return 0, 0, "an operation (" + strings.Join(Ops[:], ", ") + "), or several as {nor_conv_3x3,skip_connect}"
	}
	inner, closed := strings.CutSuffix(inner, "}")
	at = 1
	for name := range strings.SplitSeq(inner, ",") {
		i := slices.Index(Ops[:], name)
		if i < 0 || ops>>i&1 == 1 {
			return 0, at, "operations (" + strings.Join(Ops[:], ", ") + "), each once"
		}
		ops |= 1 << i
		at += len(name) + 1
	}
	if !closed {
		return 0, len(text), `"}" after the operations`
	}
	return ops, 0, ""
}

// Name implements spaces.Space.
func (s Super) Name() string { return s.Space.Name() + ",super=1" }

// Doc implements spaces.Space.
func (s Super) Doc() string {
	return s.Space.Doc() + `; and its supernets, |{op,op}~source|+... or "supernet"`
}

// Parse implements spaces.Space: a cell as Space reads it, or a supernet.
func (s Super) Parse(str string) (spaces.Arch, error) {
	if str == "supernet" {
		return s.Supernet(), nil
	}
	m, err := s.parse(str)
	if err != nil {
		return "", err
	}
	return m.arch(), nil
}

func (s Super) parse(str string) (mix, error) { return scan(s.Name(), str, set) }

// read reads an Arch that Parse has returned.
func (s Super) read(a spaces.Arch) (mix, error) {
	m, err := s.parse(string(a))
	if err != nil {
		return mix{}, err
	}
	if want := m.arch(); want != a {
		return mix{}, spaces.NotCanonical(s.Name(), a, want)
	}
	return m, nil
}

// Supernet implements spaces.Relaxer.
func (s Super) Supernet() spaces.Arch {
	var m mix
	for e := range m {
		m[e] = allOps
	}
	return m.arch()
}

// Choices implements spaces.Relaxer: the six edges in the order of the string, with numbers of Ops.
func (s Super) Choices(a spaces.Arch) ([][]int, error) {
	m, err := s.read(a)
	if err != nil {
		return nil, err
	}
	list := make([][]int, len(m))
	for e := range m {
		list[e] = m.ops(e)
	}
	return list, nil
}

// Choose implements spaces.Relaxer.
func (s Super) Choose(a spaces.Arch, edge int, ops ...int) (spaces.Arch, error) {
	m, err := s.read(a)
	if err != nil {
		return "", err
	}
	if edge < 0 || edge >= len(m) || len(ops) == 0 {
		return "", fmt.Errorf("%s: %d operations for edge %d; it takes at least one, for an edge from 0 to %d", s.Name(), len(ops), edge, len(m)-1)
	}
	m[edge] = 0
	for _, op := range ops {
		if op < 0 || op >= len(Ops) {
			return "", fmt.Errorf("%s: operation %d; they are numbered from 0 to %d", s.Name(), op, len(Ops)-1)
		}
		m[edge] |= 1 << op
	}
	return m.arch(), nil
}

// Network implements spaces.Space. Modules of supernets are named after their edge and operation and numbered as in the whole supernet.
func (s Super) Network(a spaces.Arch, in spaces.Input) (*net.Network, error) {
	m, err := s.read(a)
	if err != nil {
		return nil, err
	}
	if _, ok := m.cell(); ok {
		return s.Space.Network(a, in)
	}
	return s.stack(string(a), in, m.build)
}

// build adds one cell of a supernet.
func (m mix) build(b *net.Builder, name string, x int) int {
	nodes := []int{x}
	var terms []int
	for e, edge := range edges {
		from := nodes[edge[0]]
		var mixed []int
		for op := range Ops {
			switch {
			case m[e]>>op&1 == 1:
				mixed = append(mixed, addOp(b, op, fmt.Sprintf("%s.edges.%d.%d.op", name, e, op), from))
			case op == conv1x1 || op == conv3x3:
				b.Skip(1)
			}
		}
		y := b.Sum(mixed...)
		if len(mixed) > 1 {
			y = b.Add(net.Node{Op: net.Scale, In: []int{y}, Factor: 1 / float64(len(Ops))})
		}
		terms = append(terms, y)
		if edge[0] == edge[1]-1 { // the last edge into its node
			nodes = append(nodes, b.Sum(terms...))
			terms = nil
		}
	}
	return nodes[3]
}

// Counts implements spaces.Counter. A supernet has the parameters and multiply-adds of the operations that it mixes.
func (s Super) Counts(a spaces.Arch, in spaces.Input) (net.Counts, error) {
	m, err := s.read(a)
	if err != nil {
		return net.Counts{}, err
	}
	if _, ok := m.cell(); ok {
		return s.Space.Counts(a, in)
	}
	n, err := s.Network(a, in)
	if err != nil {
		return net.Counts{}, err
	}
	return net.Count(n), nil
}

// CellSVG implements spaces.CellDrawer: a box for each operation of an edge.
func (s Super) CellSVG(a spaces.Arch) (string, error) {
	m, err := s.read(a)
	if err != nil {
		return "", err
	}
	return net.DrawCells(string(a), drawn(m.ops)), nil
}
