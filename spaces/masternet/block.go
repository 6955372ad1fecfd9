package masternet

import (
	"fmt"
	"math"
	"strconv"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// family is what a super block is made of.
type family uint8

const (
	plainConv  family = iota // convolution, batch normalisation, ReLU
	invertedDW               // two inverted bottlenecks with depthwise convolutions
	bottleneck               // two bottlenecks 1x1, kxk, 1x1
	basicPair                // two convolutions kxk
)

// kind is the class of a super block. expansion is 0 where the family has none.
type kind struct {
	family            family
	expansion, kernel int
}

// kinds are all super blocks by the names that structures have for them, and kindNames the names.
var kinds, kindNames = func() (map[string]kind, map[kind]string) {
	names := map[kind]string{}
	for _, k := range []int{1, 3, 5, 7} {
		names[kind{plainConv, 0, k}] = fmt.Sprintf("SuperConvK%dBNRELU", k)
	}
	for _, k := range []int{3, 5, 7} {
		for _, e := range []int{1, 2, 4, 6} {
			names[kind{invertedDW, e, k}] = fmt.Sprintf("SuperResIDWE%dK%d", e, k)
		}
		names[kind{bottleneck, 0, k}] = fmt.Sprintf("SuperResK1K%dK1", k)
		names[kind{basicPair, 0, k}] = fmt.Sprintf("SuperResK%dK%d", k, k)
	}
	byName := map[string]kind{}
	for k, name := range names {
		byName[name] = k
	}
	return byName, names
}()

// arguments names the numbers in the parentheses of a super block.
func (k kind) arguments() []string {
	if k.family == plainConv {
		return []string{"in", "out", "stride", "layers"}
	}
	return []string{"in", "out", "stride", "bottleneck", "layers"}
}

// block is a super block. mid, the number of channels of the bottleneck, is 0 for a plainConv.
type block struct {
	kind
	in, out, stride, mid, layers int
}

// numbers points at the block's numbers in the order of arguments.
func (b *block) numbers() []*int {
	if b.family == plainConv {
		return []*int{&b.in, &b.out, &b.stride, &b.layers}
	}
	return []*int{&b.in, &b.out, &b.stride, &b.mid, &b.layers}
}

// String is the block as structures have it.
func (b block) String() string { return string(b.append(nil)) }

func (b block) append(to []byte) []byte {
	to = append(to, kindNames[b.kind]...)
	sep := byte('(')
	for _, v := range b.numbers() {
		to = append(to, sep)
		to = strconv.AppendInt(to, int64(*v), 10)
		sep = ','
	}
	return append(to, ')')
}

// arch is the structure string of a chain.
func arch(chain []block) spaces.Arch {
	var s []byte
	for _, b := range chain {
		s = b.append(s)
	}
	return spaces.Arch(s)
}

// depth is the sum of the blocks' layers, the reference's get_num_layers.
func depth(chain []block) int {
	n := 0
	for _, b := range chain {
		n += b.layers
	}
	return n
}

// round8 rounds to a multiple of 8, halves to the even multiple as Python does, and to 8 at least (the reference's smart_round).
func round8(x float64) int { return max(8, 8*int(math.RoundToEven(x/8))) }
