package darts

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces"
)

var _ spaces.Editor = Space{}

// Knobs implements spaces.Editor: of both cells and each of the states 2 to 5, the source and the operation of either edge.
func (s Space) Knobs(a spaces.Arch) ([]spaces.Knob, error) {
	g, err := s.read(a)
	if err != nil {
		return nil, err
	}
	var knobs []spaces.Knob
	for k, c := range g {
		for i, node := range c {
			state := i + 2
			sources := []string{"cell k-2", "cell k-1"}
			for from := 2; from < state; from++ {
				sources = append(sources, fmt.Sprintf("state %d", from))
			}
			for e, of := range node {
				name := fmt.Sprintf("state %d%c", state, 'a'+e)
				knobs = append(knobs,
					spaces.Knob{Group: []string{"normal cell", "reduction cell"}[k], Name: name + " reads", Choices: sources, Value: int(of.from)},
					spaces.Knob{Group: []string{"normal cell", "reduction cell"}[k], Name: name + " by", Choices: Ops[:], Value: int(of.op)})
			}
		}
	}
	return knobs, nil
}

// Set implements spaces.Editor. The two edges into a state come from two states, the one with the smaller number first: moving an edge may make it the other.
func (s Space) Set(a spaces.Arch, knob, value int) (spaces.Arch, error) {
	if _, err := spaces.FindKnob(s, a, knob, value); err != nil {
		return "", err
	}
	g, _ := s.read(a) // FindKnob has read it
	const perCell = 4 * steps
	k, i, e := knob/perCell, knob%perCell/4, knob%4/2
	node := &g[k][i]
	if knob%2 == 1 {
		node[e].op = uint8(value)
		return g.arch(), nil
	}
	if uint8(value) == node[1-e].from {
		return "", spaces.Unsettable(s, a, "the two edges into state %d come from two different states", i+2)
	}
	node[e].from = uint8(value)
	*node = sorted(*node)
	return g.arch(), nil
}
