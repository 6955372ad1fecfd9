package natssss

import (
	"fmt"
	"slices"

	"github.com/zeroshotnas/zeroshot/spaces"
)

var _ spaces.Editor = Space{}

// Knobs implements spaces.Editor: the five widths.
func (s Space) Knobs(a spaces.Arch) ([]spaces.Knob, error) {
	d, err := s.read(a)
	if err != nil {
		return nil, err
	}
	knobs := make([]spaces.Knob, len(d))
	for b := range d {
		knobs[b] = spaces.Knob{Name: fmt.Sprintf("width %d", b+1), Min: Widths[0], Max: Widths[len(Widths)-1], Step: Widths[1] - Widths[0], Value: d.width(b)}
	}
	return knobs, nil
}

// Set implements spaces.Editor.
func (s Space) Set(a spaces.Arch, knob, value int) (spaces.Arch, error) {
	if _, err := spaces.FindKnob(s, a, knob, value); err != nil {
		return "", err
	}
	d, _ := s.read(a) // FindKnob has read it
	i := slices.Index(Widths[:], value)
	if i < 0 {
		return "", spaces.Unsettable(s, a, "a width is one of 8, 16, 24, ..., 64, not %d", value)
	}
	d[knob] = uint8(i)
	return d.arch(), nil
}
