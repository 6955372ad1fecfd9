package natstss

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces"
)

var _ spaces.Editor = Space{}

// Knobs implements spaces.Editor: the operation of each of the six edges.
func (s Space) Knobs(a spaces.Arch) ([]spaces.Knob, error) {
	c, err := s.read(a)
	if err != nil {
		return nil, err
	}
	knobs := make([]spaces.Knob, len(c))
	for e, edge := range edges {
		knobs[e] = spaces.Knob{Name: fmt.Sprintf("edge %d → %d", edge[0], edge[1]), Choices: Ops[:], Value: int(c[e])}
	}
	return knobs, nil
}

// Set implements spaces.Editor.
func (s Space) Set(a spaces.Arch, knob, value int) (spaces.Arch, error) {
	if _, err := spaces.FindKnob(s, a, knob, value); err != nil {
		return "", err
	}
	c, _ := s.read(a) // FindKnob has read it
	c[knob] = uint8(value)
	return c.arch(), nil
}
