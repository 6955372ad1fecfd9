// Package transnas is TransNAS-Bench-101 (Duan et al., CVPR 2021): the micro space, 4,096 cells of six edges with four operations in a fixed skeleton, and the macro space, 3,256 skeletons of four to six modules of residual blocks.
//
// A network is written as in the benchmark, "64-41414-3_12_023": the channels of the stem, a digit for each module, the cell. Module digits: 1 keeps channels and resolution, 2 doubles the channels, 3 halves the resolution, 4 does both. A module is two cells, the first of which makes the change. The cell is "basic" (a residual block, in the macro space) or lists the operations into nodes 1, 2 and 3, from node 0 on (in the micro space): 0 zero, 1 skip connection, 2 1x1 convolution, 3 3x3 convolution.
//
// The seven tasks of the benchmark share these backbones and differ in what comes behind them; see Tasks for which of them a Network is exactly.
package transnas

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/zeroshotnas/zeroshot/spaces"
)

const (
	// MicroSize is the number of cells of the micro space, 4^6.
	MicroSize = 4096
	// MacroSize is the number of skeletons of the macro space: four to six modules, of which one to three double the channels and one to four halve the resolution.
	MacroSize = 3256

	microSkeleton = "41414"
	basic         = "basic"
)

// The operations of an edge of a micro cell.
const (
	zero = iota
	skip
	conv1x1
	conv3x3
	operations
)

// edges are the source and target nodes of the six edges, in the order of the string.
var edges = [...][2]int{{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}}

// Space is one of the two search spaces, with stems of C channels. The benchmark has C = 64.
type Space struct {
	C     int
	Macro bool
}

func init() {
	spaces.Register("transnas", func(o *spaces.Options) spaces.Space {
		return Space{C: o.Int("C", 64, 2, 4096, "channels of the stem, an even number"), Macro: o.Int("macro", 0, 0, 1, "1 for the macro space, 0 for the micro space") == 1}
	})
}

// Name implements spaces.Space.
func (s Space) Name() string {
	macro := 0
	if s.Macro {
		macro = 1
	}
	return fmt.Sprintf("transnas:C=%d,macro=%d", s.C, macro)
}

// Doc implements spaces.Space.
func (s Space) Doc() string {
	if s.Macro {
		return "TransNAS-Bench-101, macro: 3,256 skeletons of four to six modules; 64-4231-basic or an index 0..3255"
	}
	return "TransNAS-Bench-101, micro: 4,096 cells of six edges with four operations; 64-41414-3_12_023 or an index 0..4095"
}

// Input implements spaces.Space: scene classification.
func (s Space) Input() spaces.Input { return Tasks[0].Input }

// arch is an architecture: the module digits and, in the micro space, the operation of each edge of the cell.
type arch struct {
	modules string
	cell    [len(edges)]uint8
}

func (s Space) print(a arch) spaces.Arch {
	if s.Macro {
		return spaces.Arch(fmt.Sprintf("%d-%s-%s", s.C, a.modules, basic))
	}
	c := a.cell
	return spaces.Arch(fmt.Sprintf("%d-%s-%d_%d%d_%d%d%d", s.C, a.modules, c[0], c[1], c[2], c[3], c[4], c[5]))
}

// Parse reads "64-41414-3_12_023" or "64-4231-basic" or a decimal index. The index of a micro cell is the base-4 number of its six digits, the first the most significant; that of a macro skeleton is its position in the order of length, then of digits.
func (s Space) Parse(str string) (spaces.Arch, error) {
	a, err := s.parse(str)
	if err != nil {
		return "", err
	}
	return s.print(a), nil
}

func (s Space) parse(str string) (arch, error) {
	pos := 0
	fail := func(format string, args ...any) (arch, error) {
		return arch{}, &spaces.ParseError{Space: s.Name(), Input: str, Pos: pos, Want: fmt.Sprintf(format, args...)}
	}
	if str != "" && strings.Trim(str, "0123456789") == "" {
		i, err := strconv.Atoi(str)
		if err != nil || i >= s.Size() {
			return fail("the index must be below %d", s.Size())
		}
		return s.fromIndex(i), nil
	}
	stem, rest, found := strings.Cut(str, "-")
	if stem != strconv.Itoa(s.C) || !found {
		return fail(`expected %d- (stems of this space have %d channels; option C sets another number)`, s.C, s.C)
	}
	pos += len(stem) + 1
	modules, cell, found := strings.Cut(rest, "-")
	if !s.Macro && modules != microSkeleton {
		return fail("the modules of the micro space are %s; option macro=1 opens the other space", microSkeleton)
	}
	if s.Macro {
		if at, problem := wrong(modules); problem != "" {
			pos += at
			return fail("%s", problem)
		}
	}
	pos += len(modules)
	if !found {
		return fail(`expected "-" and the cell`)
	}
	pos++
	a := arch{modules: modules}
	if s.Macro {
		if cell != basic {
			return fail("the cell of the macro space is %q; option macro=0 opens the other space", basic)
		}
		return a, nil
	}
	for e, edge := range edges {
		if e > 0 && edge[0] == 0 {
			if !strings.HasPrefix(str[pos:], "_") {
				return fail(`expected "_" before the operations into node %d`, edge[1])
			}
			pos++
		}
		if pos == len(str) || str[pos] < '0' || str[pos] >= '0'+operations {
			return fail("expected the operation from node %d to node %d: 0 zero, 1 skip, 2 1x1 convolution, 3 3x3 convolution", edge[0], edge[1])
		}
		a.cell[e] = str[pos] - '0'
		pos++
	}
	if pos != len(str) {
		return fail("nothing may follow the six operations")
	}
	return a, nil
}

// wrong says what is wrong with the module digits of a macro skeleton, and at which of them; "" if nothing is.
func wrong(modules string) (at int, problem string) {
	doublings, halvings := 0, 0
	for i := range len(modules) {
		switch modules[i] {
		case '1':
		case '2':
			doublings++
		case '3':
			halvings++
		case '4':
			doublings++
			halvings++
		default:
			return i, "expected modules 1 (normal), 2 (channels doubled), 3 (resolution halved) or 4 (both)"
		}
		if i >= 6 || doublings > 3 || halvings > 4 {
			return i, "a skeleton has at most six modules, of which three double the channels and four halve the resolution"
		}
	}
	if len(modules) < 4 || doublings < 1 || halvings < 1 {
		return len(modules), "a skeleton has at least four modules, of which one doubles the channels and one halves the resolution"
	}
	return 0, ""
}

// skeletons are the module digits of the macro space in the order of the index.
var skeletons = sync.OnceValue(func() []string {
	var all []string
	level := []string{""}
	for range 6 {
		var longer []string
		for _, m := range level {
			for d := range 4 {
				longer = append(longer, m+string(rune('1'+d)))
			}
		}
		level = longer
		for _, m := range level {
			if _, problem := wrong(m); problem == "" {
				all = append(all, m)
			}
		}
	}
	return all
})

func (s Space) fromIndex(i int) arch {
	if s.Macro {
		return arch{modules: skeletons()[i]}
	}
	a := arch{modules: microSkeleton}
	for e := len(a.cell) - 1; e >= 0; e-- {
		a.cell[e] = uint8(i % operations)
		i /= operations
	}
	return a
}

// Index implements spaces.Indexer; see Parse for the order.
func (s Space) Index(str spaces.Arch) (int, error) {
	a, err := s.parse(string(str))
	if err != nil {
		return 0, err
	}
	if s.Macro {
		return slices.Index(skeletons(), a.modules), nil
	}
	i := 0
	for _, op := range a.cell {
		i = i*operations + int(op)
	}
	return i, nil
}

// Sample implements spaces.Space.
func (s Space) Sample(rng *rand.Rand) spaces.Arch { return s.print(s.fromIndex(rng.IntN(s.Size()))) }

// Mutate implements spaces.Space: a random neighbour.
func (s Space) Mutate(rng *rand.Rand, a spaces.Arch) spaces.Arch {
	return spaces.Draw(rng, s.Neighbors(a), a)
}

// Neighbors implements spaces.Space: in the micro space the 18 cells with another operation on one edge, in the macro space the skeletons with one module changed, left out or added.
func (s Space) Neighbors(a spaces.Arch) iter.Seq[spaces.Arch] {
	return func(yield func(spaces.Arch) bool) {
		x, err := s.parse(string(a))
		if err != nil {
			return
		}
		if s.Macro {
			for _, m := range edits(x.modules) {
				if !yield(s.print(arch{modules: m})) {
					return
				}
			}
			return
		}
		for e := range x.cell {
			for op := range uint8(operations) {
				y := x
				y.cell[e] = op
				if y != x && !yield(s.print(y)) {
					return
				}
			}
		}
	}
}

// edits lists the valid skeletons one edit away from modules, each once: the same word can come about by adding a digit before or behind an equal one.
func edits(modules string) []string {
	var all []string
	add := func(m string) {
		if _, problem := wrong(m); problem == "" && m != modules {
			all = append(all, m)
		}
	}
	for i := range len(modules) + 1 {
		head, tail := modules[:i], modules[i:]
		for _, d := range []string{"1", "2", "3", "4"} {
			add(head + d + tail)
			if tail != "" {
				add(head + d + tail[1:])
			}
		}
		if tail != "" {
			add(head + tail[1:])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Size implements spaces.Space: MicroSize or MacroSize.
func (s Space) Size() int {
	if s.Macro {
		return MacroSize
	}
	return MicroSize
}

// All implements spaces.Space, in the order of the index.
func (s Space) All() iter.Seq[spaces.Arch] {
	return spaces.Enumerate(s.Size(), func(i int) spaces.Arch { return s.print(s.fromIndex(i)) })
}
