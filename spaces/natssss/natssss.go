// Package natssss is the size search space of NATS-Bench (Dong et al., TPAMI 2021): one cell, the best of the topology space, in networks of five widths, each one of 8, 16, ..., 64 channels; 32,768 networks in all.
//
// The widths c0 to c4 are those of five blocks: the stem and a first cell of c0 channels, a residual block to c1, a cell to c2, a residual block to c3, a cell to c4. The index of a network is the base-8 number of its widths, c0 the most significant digit; it is also the index in the benchmark's files.
package natssss

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// Widths are the numbers of channels that a block may have, in the order of the digits of the index.
var Widths = [...]int{8, 16, 24, 32, 40, 48, 56, 64}

// blocks is the number of widths of a network.
const blocks = 5

// Size is the number of networks, 8^5.
const Size = 32768

// digits holds the position in Widths of each block's width.
type digits [blocks]uint8

// Space is NATS-SSS. It has no options.
type Space struct{}

var _ spaces.Indexer = Space{}

func init() {
	spaces.Register("natssss", func(*spaces.Options) spaces.Space { return Space{} })
}

// Name implements spaces.Space.
func (Space) Name() string { return "natssss" }

// Doc implements spaces.Space.
func (Space) Doc() string {
	return "NATS-Bench size space: 32,768 networks of five widths 8, 16, ..., 64; c0:c1:c2:c3:c4 or an index 0..32767"
}

// Input implements spaces.Space: CIFAR-10.
func (Space) Input() spaces.Input { return spaces.Input{Size: 32, Classes: 10} }

// Parse reads "c0:c1:c2:c3:c4", as in 8:24:16:40:32, or a decimal index.
func (s Space) Parse(str string) (spaces.Arch, error) {
	d, err := s.parse(str)
	if err != nil {
		return "", err
	}
	return d.arch(), nil
}

func (s Space) parse(str string) (digits, error) {
	fail := func(pos int, format string, args ...any) (digits, error) {
		return digits{}, &spaces.ParseError{Space: s.Name(), Input: str, Pos: pos, Want: fmt.Sprintf(format, args...)}
	}
	if str != "" && strings.Trim(str, "0123456789") == "" {
		i, err := strconv.Atoi(str)
		if err != nil || i >= Size {
			return fail(0, "the index must be below %d; five widths are written 8:24:16:40:32", Size)
		}
		return fromIndex(i), nil
	}
	var d digits
	pos := 0
	for b := range d {
		word, _, more := strings.Cut(str[pos:], ":")
		digit := -1
		for i, w := range Widths {
			if word == strconv.Itoa(w) {
				digit = i
			}
		}
		if digit < 0 {
			return fail(pos, "expected width %d of %d, one of 8, 16, 24, ..., 64", b+1, blocks)
		}
		d[b] = uint8(digit)
		pos += len(word)
		if b < blocks-1 {
			if !more {
				return fail(pos, `expected ":" and another width: there are %d`, blocks)
			}
			pos++
		}
	}
	if pos != len(str) {
		return fail(pos, "nothing may follow the %d widths", blocks)
	}
	return d, nil
}

func (d digits) arch() spaces.Arch {
	words := make([]string, len(d))
	for b := range d {
		words[b] = strconv.Itoa(d.width(b))
	}
	return spaces.Arch(strings.Join(words, ":"))
}

func (d digits) width(block int) int { return Widths[d[block]] }

func fromIndex(i int) digits {
	var d digits
	for b := len(d) - 1; b >= 0; b-- {
		d[b] = uint8(i % len(Widths))
		i /= len(Widths)
	}
	return d
}

// Index implements spaces.Indexer: 0..32767, the index that NATS-Bench uses too.
func (s Space) Index(a spaces.Arch) (int, error) {
	d, err := s.parse(string(a))
	if err != nil {
		return 0, err
	}
	i := 0
	for _, v := range d {
		i = i*len(Widths) + int(v)
	}
	return i, nil
}

// Sample implements spaces.Space.
func (Space) Sample(rng *rand.Rand) spaces.Arch { return fromIndex(rng.IntN(Size)).arch() }

// Mutate implements spaces.Space: one random width gets another value.
func (s Space) Mutate(rng *rand.Rand, a spaces.Arch) spaces.Arch {
	d, err := s.parse(string(a))
	if err != nil {
		return a
	}
	b := rng.IntN(len(d))
	d[b] = uint8((int(d[b]) + 1 + rng.IntN(len(Widths)-1)) % len(Widths))
	return d.arch()
}

// Neighbors implements spaces.Space: the 35 networks that differ in one width.
func (s Space) Neighbors(a spaces.Arch) iter.Seq[spaces.Arch] {
	return func(yield func(spaces.Arch) bool) {
		d, err := s.parse(string(a))
		if err != nil {
			return
		}
		for b := range d {
			for v := range len(Widths) {
				e := d
				e[b] = uint8(v)
				if e != d && !yield(e.arch()) {
					return
				}
			}
		}
	}
}

// Size implements spaces.Space.
func (Space) Size() int { return Size }

// All implements spaces.Space, in the order of the index.
func (Space) All() iter.Seq[spaces.Arch] {
	return spaces.Enumerate(Size, func(i int) spaces.Arch { return fromIndex(i).arch() })
}

// Network implements spaces.Space. Modules are named and ordered as in xautodl's DynamicShapeTinyNet.
func (s Space) Network(a spaces.Arch, in spaces.Input) (*net.Network, error) {
	d, err := s.read(a)
	if err != nil {
		return nil, err
	}
	if in.Classes < 1 {
		return nil, fmt.Errorf("%s: %d classes; at least one is needed", s.Name(), in.Classes)
	}
	b := net.NewBuilder(string(a), net.Shape{C: 3, H: in.Size, W: in.Size})
	x := b.BatchNorm("stem.1", b.Conv("stem.0", 0, d.width(0), 3, 1), 0)
	x = cell(b, "cells.0", x, d.width(0))
	x = natstss.Reduction(b, "cells.1", x, d.width(1))
	x = cell(b, "cells.2", x, d.width(2))
	x = natstss.Reduction(b, "cells.3", x, d.width(3))
	x = cell(b, "cells.4", x, d.width(4))
	x = b.ReLU(b.BatchNorm("lastact.0", x, 0))
	return b.Network(b.Head("classifier", x, in.Classes))
}

// cell adds the one cell of the space, |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|. Its first edges go from the channels of x to out.
func cell(b *net.Builder, name string, x, out int) int {
	conv := func(edge, from int) int {
		layer := fmt.Sprintf("%s.layers.%d.op", name, edge)
		return b.BatchNorm(layer+".2", b.Conv(layer+".1", b.ReLU(from), out, 3, 1), 0)
	}
	n1 := conv(0, x)
	n2 := b.Sum(conv(1, x), conv(2, n1))
	skip := x
	if b.Shape(x).C != out {
		// A skip that changes the channels is a 1x1 convolution without a rectifier.
		layer := name + ".layers.3"
		skip = b.BatchNorm(layer+".bn", b.Conv(layer+".conv", x, out, 1, 1), 0)
	}
	return b.Sum(skip, conv(4, n1), conv(5, n2))
}

// read reads an Arch that Parse has returned.
func (s Space) read(a spaces.Arch) (digits, error) {
	d, err := s.parse(string(a))
	if err != nil {
		return digits{}, err
	}
	if want := d.arch(); want != a {
		return digits{}, spaces.NotCanonical(s.Name(), a, want)
	}
	return d, nil
}
