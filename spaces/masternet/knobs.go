package masternet

import (
	"fmt"
	"slices"

	"github.com/zeroshotnas/zeroshot/spaces"
)

var _ spaces.Editor = Space{}

// knob is one decision about a block.
type knob uint8

const (
	blockKind knob = iota
	blockOut
	blockMid
	blockStride
	blockLayers
)

// knobs are the decisions about a block.
func (b *block) knobs() []knob {
	switch {
	case b.family == plainConv:
		return []knob{blockKind, blockOut, blockStride, blockLayers}
	}
	return []knob{blockKind, blockOut, blockMid, blockStride, blockLayers}
}

// kindList are the kinds of super blocks in the order in which a knob offers them, and leftOut the choice behind them.
var (
	kindList = func() []kind {
		var list []kind
		for k := range kindNames {
			list = append(list, k)
		}
		slices.SortFunc(list, func(a, b kind) int {
			return (int(a.family)-int(b.family))*1000 + (a.kernel-b.kernel)*10 + a.expansion - b.expansion
		})
		return list
	}()
	kindChoices = func() []string {
		var words []string
		for _, k := range kindList {
			words = append(words, kindNames[k])
		}
		return append(words, "left out")
	}()
)

// strides are those that the knob offers.
var strides = []int{1, 2}

// channelKnob offers multiples of 8 up to a power of two that is 2.5 times the present number at least, which is as far as a mutation goes.
func channelKnob(group, name string, value int) spaces.Knob {
	most := 512
	for most < maxNumber && 2*most < 5*value {
		most *= 2
	}
	return spaces.Knob{Group: group, Name: name, Min: min(8, value), Max: most, Step: 8, Value: value}
}

// Knobs implements spaces.Editor: of each block its kind (or that it is left out), output channels, bottleneck channels, stride and layers.
func (s Space) Knobs(a spaces.Arch) ([]spaces.Knob, error) {
	chain, err := s.chain(a)
	if err != nil {
		return nil, err
	}
	var all []spaces.Knob
	for i := range chain {
		b := &chain[i]
		group := fmt.Sprintf("block %d", i+1)
		for _, k := range b.knobs() {
			switch k {
			case blockKind:
				all = append(all, spaces.Knob{Group: group, Name: "kind", Choices: kindChoices, Value: slices.Index(kindList, b.kind)})
			case blockOut:
				all = append(all, channelKnob(group, "channels", b.out))
			case blockMid:
				all = append(all, channelKnob(group, "bottleneck", b.mid))
			case blockStride:
				of, _ := spaces.ListOf(group, "stride", strides, b.stride)
				all = append(all, of)
			case blockLayers:
				all = append(all, spaces.Knob{Group: group, Name: "layers", Min: 1, Max: max(splitAt+1, b.layers), Step: 1, Value: b.layers})
			}
		}
	}
	return all, nil
}

// Set implements spaces.Editor. As in mutations, the block behind takes the new number of channels, and a residual block that gets six layers or more becomes two.
func (s Space) Set(a spaces.Arch, at, value int) (spaces.Arch, error) {
	of, err := spaces.FindKnob(s, a, at, value)
	if err != nil || value == of.Value {
		return a, err
	}
	chain, _ := s.chain(a) // FindKnob has read it
	i := 0
	for at >= len(chain[i].knobs()) {
		at -= len(chain[i].knobs())
		i++
	}
	b := &chain[i]
	split := false
	switch b.knobs()[at] {
	case blockKind:
		if value == len(kindList) {
			chain = slices.Delete(chain, i, i+1)
			break
		}
		b.kind = kindList[value]
		switch {
		case b.family == plainConv:
			b.mid = 0
		case b.mid == 0:
			b.mid = b.out
		}
	case blockOut:
		b.out = value
	case blockMid:
		b.mid = value
	case blockStride:
		_, list := spaces.ListOf("", "", strides, b.stride)
		b.stride = list[value]
	case blockLayers:
		b.layers = value
		split = true
	}
	if len(chain) == 0 {
		return "", spaces.Unsettable(s, a, "the only block cannot be left out")
	}
	if split {
		chain = slices.Concat(chain[:i], finish(chain[i:i+1]), chain[i+1:])
	}
	for j := range chain {
		if j == 0 {
			chain[j].in = 3
		} else {
			chain[j].in = chain[j-1].out
		}
	}
	changed := arch(chain)
	if _, err := s.chain(changed); err != nil { // too many layers
		return "", err
	}
	return changed, nil
}
