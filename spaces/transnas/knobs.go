package transnas

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces"
)

var _ spaces.Editor = Space{}

// opNames are the operations of an edge in words.
var opNames = []string{zero: "zero", skip: "skip connection", conv1x1: "1x1 convolution", conv3x3: "3x3 convolution"}

// moduleNames are the modules 1 to 4 in words.
var moduleNames = [...]string{"normal", "channels doubled", "resolution halved", "doubled and halved"}

// Knobs implements spaces.Editor: in the micro space the operation of each edge; in the macro space each module, which can also be left out or get another before it, and one more at the end.
func (s Space) Knobs(a spaces.Arch) ([]spaces.Knob, error) {
	x, err := s.read(a)
	if err != nil {
		return nil, err
	}
	var knobs []spaces.Knob
	if !s.Macro {
		for e, edge := range edges {
			knobs = append(knobs, spaces.Knob{Name: fmt.Sprintf("edge %d → %d", edge[0], edge[1]), Choices: opNames, Value: int(x.cell[e])})
		}
		return knobs, nil
	}
	choices := append(moduleNames[:], "left out")
	for _, m := range moduleNames {
		choices = append(choices, "before it: "+m)
	}
	for i := range len(x.modules) {
		knobs = append(knobs, spaces.Knob{Name: fmt.Sprintf("module %d", i+1), Choices: choices, Value: int(x.modules[i] - '1')})
	}
	return append(knobs, spaces.Knob{Name: "at the end", Choices: append([]string{"nothing"}, moduleNames[:]...)}), nil
}

// Set implements spaces.Editor. What would leave the macro space, as a seventh module or a fourth doubling of the channels, is an error.
func (s Space) Set(a spaces.Arch, knob, value int) (spaces.Arch, error) {
	k, err := spaces.FindKnob(s, a, knob, value)
	if err != nil || value == k.Value {
		return a, err
	}
	x, _ := s.read(a) // FindKnob has read it
	if !s.Macro {
		x.cell[knob] = uint8(value)
		return s.print(x), nil
	}
	m := x.modules
	if knob == len(m) {
		m += string(rune('0' + value))
	} else {
		head, tail := m[:knob], m[knob+1:]
		switch leftOut := len(moduleNames); {
		case value < leftOut:
			m = head + string(rune('1'+value)) + tail
		case value == leftOut:
			m = head + tail
		default:
			m = head + string(rune('1'+value-leftOut-1)) + m[knob:]
		}
	}
	if _, problem := wrong(m); problem != "" {
		return "", spaces.Unsettable(s, a, "modules %s: %s", m, problem)
	}
	return s.print(arch{modules: m}), nil
}
