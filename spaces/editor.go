package spaces

import (
	"fmt"
	"slices"
)

// Editor is a Space whose architectures can be changed decision by decision, as by a person who turns knobs.
type Editor interface {
	Space
	// Knobs are the decisions of a canonical architecture, in the order in which the space makes them.
	// It fails with a *ParseError for what is no canonical architecture.
	Knobs(a Arch) ([]Knob, error)
	// Set returns the canonical architecture whose decision number knob, counted in Knobs(a), has another value; the present value gives a itself.
	// A value that makes no architecture gives a *ParseError that says why, as do a knob or a value that there is not. The result may have other knobs than a: one block more, vertices in another order.
	Set(a Arch, knob, value int) (Arch, error)
}

// Knob is one decision of an architecture: a choice from a list, or a number.
type Knob struct {
	Group   string   // the part of the architecture that it belongs to, as "normal cell"; the knobs of a group follow each other, and spaces with one part have none
	Name    string   // what is decided, in a few words; with Group it tells the knobs of an architecture apart
	Choices []string // the choices in words; nil for a number
	// Of a number, the smallest and the largest value that a slider need offer, and its step. The present value may lie off the grid.
	Min, Max, Step int
	Value          int // the present choice, counted in Choices, or the present number
}

// Number tells whether the knob is a number, which a slider sets, and not a choice from a list.
func (k Knob) Number() bool { return k.Choices == nil }

// Word is the present value in words.
func (k Knob) Word() string {
	if k.Number() {
		return fmt.Sprint(k.Value)
	}
	return k.Choices[k.Value]
}

// FindKnob returns a knob of a canonical architecture for a value to be set: the first step of an Editor's Set. It fails with the *ParseError that Set promises where there is no such knob or no such choice, and for numbers outside Min to Max other than the present one.
func FindKnob(s Editor, a Arch, knob, value int) (Knob, error) {
	knobs, err := s.Knobs(a)
	if err != nil {
		return Knob{}, err
	}
	if knob < 0 || knob >= len(knobs) {
		return Knob{}, Unsettable(s, a, "there is no knob %d: %d are counted from 0", knob, len(knobs))
	}
	k := knobs[knob]
	switch {
	case value == k.Value:
	case k.Number() && (value < k.Min || value > k.Max):
		return k, Unsettable(s, a, "%s must be from %d to %d, not %d", k.label(), k.Min, k.Max, value)
	case !k.Number() && (value < 0 || value >= len(k.Choices)):
		return k, Unsettable(s, a, "%s has %d choices, counted from 0; there is none %d", k.label(), len(k.Choices), value)
	}
	return k, nil
}

func (k Knob) label() string {
	if k.Group == "" {
		return k.Name
	}
	return k.Group + ", " + k.Name
}

// Unsettable is the error of an Editor for a value that makes no architecture of a; the words say why.
func Unsettable(s Space, a Arch, format string, args ...any) *ParseError {
	return &ParseError{Space: s.Name(), Input: string(a), Want: fmt.Sprintf(format, args...)}
}

// ListOf is a knob that chooses one of some numbers, to which the present one is added where it is none of them; the numbers come back in the order of the choices.
func ListOf(group, name string, from []int, present int) (Knob, []int) {
	list := slices.Clone(from)
	if !slices.Contains(list, present) {
		list = append(list, present)
		slices.Sort(list)
	}
	k := Knob{Group: group, Name: name, Value: slices.Index(list, present)}
	for _, v := range list {
		k.Choices = append(k.Choices, fmt.Sprint(v))
	}
	return k, list
}
