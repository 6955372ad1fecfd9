package spacetest

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// knobs checks what spaces.Editor promises, and that one turn of one knob leads to everything that Mutate does.
func knobs(t *testing.T, s spaces.Space, malformed []string) {
	e, ok := s.(spaces.Editor)
	if !ok {
		t.Skip("has no knobs")
	}
	rng := rand.New(rand.NewPCG(12, 13))
	for range 4 {
		a := s.Sample(rng)
		list, err := e.Knobs(a)
		if err != nil || len(list) == 0 {
			t.Fatalf("%q has %d knobs, error %v", a, len(list), err)
		}
		names := map[[2]string]bool{}
		last, left := "", map[string]bool{}
		reached := map[spaces.Arch]bool{}
		for i, k := range list {
			if names[[2]string{k.Group, k.Name}] || k.Name == "" {
				t.Fatalf("%q: knob %d, %q %q, has no name of its own", a, i, k.Group, k.Name)
			}
			names[[2]string{k.Group, k.Name}] = true
			if k.Group != last {
				left[last] = true
				last = k.Group
			}
			if left[k.Group] {
				t.Fatalf("%q: the knobs of the group %q are not together", a, k.Group)
			}
			if same, err := e.Set(a, i, k.Value); err != nil || same != a {
				t.Fatalf("%q: Set(%d, %d), the present value of %q, gives %q, %v", a, i, k.Value, k.Name, same, err)
			}
			for _, v := range values(t, a, k) {
				b, err := e.Set(a, i, v)
				if err != nil {
					unsettable(t, a, i, v, err)
					continue
				}
				reached[b] = true
				if back, err := s.Parse(string(b)); err != nil || back != b {
					t.Fatalf("%q: Set(%d, %d) of %q gives %q, which is not canonical: %q, %v", a, i, v, k.Name, b, back, err)
				}
				follow(t, e, a, b, i, v, list)
			}
			for _, v := range outside(k) {
				_, err := e.Set(a, i, v)
				unsettable(t, a, i, v, err)
			}
		}
		for _, i := range []int{-1, len(list)} {
			_, err := e.Set(a, i, 0)
			unsettable(t, a, i, 0, err)
		}
		for range 20 {
			if m := s.Mutate(rng, a); !reached[m] {
				t.Errorf("%q mutates to %q, which no knob reaches", a, m)
			}
		}
	}
	for _, m := range malformed {
		if _, err := e.Knobs(spaces.Arch(m)); err == nil {
			t.Errorf("Knobs(%q) gives no error", m)
		}
		if _, err := e.Set(spaces.Arch(m), 0, 0); err == nil {
			t.Errorf("Set(%q, 0, 0) gives no error", m)
		}
	}
}

// values are all that a knob can be set to.
func values(t *testing.T, a spaces.Arch, k spaces.Knob) (list []int) {
	t.Helper()
	if !k.Number() {
		if k.Value < 0 || k.Value >= len(k.Choices) {
			t.Fatalf("%q: %q has the choice %d of %d", a, k.Name, k.Value, len(k.Choices))
		}
		for v := range k.Choices {
			list = append(list, v)
		}
		return list
	}
	if k.Step < 1 || k.Min > k.Value || k.Value > k.Max {
		t.Fatalf("%q: %q is %d, from %d to %d in steps of %d", a, k.Name, k.Value, k.Min, k.Max, k.Step)
	}
	for v := k.Min; v <= k.Max; v += k.Step {
		list = append(list, v)
	}
	return list
}

// outside are values that a knob cannot have.
func outside(k spaces.Knob) []int {
	if k.Number() {
		return []int{k.Min - 1, k.Max + 1}
	}
	return []int{-1, len(k.Choices)}
}

// unsettable checks the error of a value that makes no architecture.
func unsettable(t *testing.T, a spaces.Arch, knob, value int, err error) {
	t.Helper()
	var p *spaces.ParseError
	if !errors.As(err, &p) || p.Want == "" {
		t.Fatalf("%q: Set(%d, %d) gives the error %v, want a *spaces.ParseError that says why", a, knob, value, err)
	}
}

// follow checks that where a turn leaves the knobs as they are but for their values, the one that was turned, and no other, has the new value.
func follow(t *testing.T, e spaces.Editor, a, b spaces.Arch, knob, value int, before []spaces.Knob) {
	t.Helper()
	after, err := e.Knobs(b)
	if err != nil {
		t.Fatalf("%q, by Set(%d, %d) of %q, has no knobs: %v", b, knob, value, a, err)
	}
	if value == before[knob].Value && !reflect.DeepEqual(before, after) {
		t.Fatalf("%q has knobs that change from call to call", a)
	}
	if a == b && value != before[knob].Value {
		// Such a turn does nothing only where the knob goes back by itself.
		if after[knob].Value == value {
			t.Fatalf("%q: Set(%d, %d) changes nothing, and the knob shows the new value", a, knob, value)
		}
	}
}
