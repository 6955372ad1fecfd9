// Package spacetest holds the tests that every search space passes. A space's own test calls Run.
package spacetest

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Run checks that a space keeps the promises of spaces.Space. malformed are strings that Parse must refuse.
func Run(t *testing.T, s spaces.Space, malformed ...string) {
	t.Run("name", func(t *testing.T) {
		again, err := spaces.Open(s.Name())
		if err != nil {
			t.Fatal(err)
		}
		if again.Name() != s.Name() {
			t.Errorf("Open(%q) gives %q", s.Name(), again.Name())
		}
	})
	t.Run("parse", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		for range 300 {
			a := s.Sample(rng)
			back, err := s.Parse(string(a))
			if err != nil || back != a {
				t.Fatalf("Parse(%q) = %q, %v", a, back, err)
			}
		}
		for _, m := range malformed {
			_, err := s.Parse(m)
			var p *spaces.ParseError
			if !errors.As(err, &p) {
				t.Errorf("Parse(%q) gives the error %v, want a *spaces.ParseError", m, err)
			} else if p.Pos < 0 || p.Pos > len(m) || p.Want == "" {
				t.Errorf("Parse(%q) gives the position %d and the advice %q", m, p.Pos, p.Want)
			}
			if _, err := s.Network(spaces.Arch(m), s.Input()); err == nil {
				t.Errorf("Network(%q) gives no error", m)
			}
		}
	})
	t.Run("determinism", func(t *testing.T) {
		a, b := rand.New(rand.NewPCG(2, 3)), rand.New(rand.NewPCG(2, 3))
		for range 50 {
			x, y := s.Sample(a), s.Sample(b)
			if x != y {
				t.Fatalf("the same seed samples %q and %q", x, y)
			}
			if x, y = s.Mutate(a, x), s.Mutate(b, y); x != y {
				t.Fatalf("the same seed mutates to %q and %q", x, y)
			}
		}
	})
	t.Run("neighbours", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(4, 5))
		for range 30 {
			a := s.Sample(rng)
			seen := map[spaces.Arch]bool{}
			for n := range s.Neighbors(a) {
				if n == a || seen[n] {
					t.Fatalf("%q has the neighbour %q twice, or itself", a, n)
				}
				seen[n] = true
				if back, err := s.Parse(string(n)); err != nil || back != n {
					t.Fatalf("the neighbour %q of %q is not canonical: %q, %v", n, a, back, err)
				}
			}
			for range 20 {
				m := s.Mutate(rng, a)
				if m == a {
					t.Fatalf("%q mutates to itself", a)
				}
				if back, err := s.Parse(string(m)); err != nil || back != m {
					t.Fatalf("the mutation %q of %q is not canonical: %q, %v", m, a, back, err)
				}
			}
		}
	})
	t.Run("networks", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(6, 7))
		for range 20 {
			a := s.Sample(rng)
			n, err := s.Network(a, s.Input())
			if err != nil {
				t.Fatalf("%q: %v", a, err)
			}
			if err := n.Validate(); err != nil {
				t.Fatalf("%q: %v", a, err)
			}
			if n.Classes != s.Input().Classes {
				t.Fatalf("%q has %d outputs for %d classes", a, n.Classes, s.Input().Classes)
			}
		}
		if _, err := s.Network(s.Sample(rng), spaces.Input{Size: 0, Classes: 10}); err == nil {
			t.Error("images of 0 pixels give no error")
		}
		if _, err := s.Network(s.Sample(rng), spaces.Input{Size: 32, Classes: 0}); err == nil {
			t.Error("0 classes give no error")
		}
	})
	t.Run("all", func(t *testing.T) {
		seen := map[spaces.Arch]bool{}
		for a := range s.All() {
			if seen[a] {
				t.Fatalf("%q comes twice", a)
			}
			seen[a] = true
		}
		if len(seen) != s.Size() {
			t.Errorf("All yields %d architectures, Size is %d", len(seen), s.Size())
		}
	})
}
