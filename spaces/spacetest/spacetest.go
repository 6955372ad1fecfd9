// Package spacetest holds the tests that every search space passes: a space's own test calls Run, and Golden where the reference's networks are described in a golden file.
package spacetest

import (
	"encoding/xml"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
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
			// Of what is no architecture, searches must survive a step.
			if got := s.Mutate(rng, spaces.Arch(m)); got != spaces.Arch(m) {
				t.Errorf("%q is no architecture and mutates to %q", m, got)
			}
			for n := range s.Neighbors(spaces.Arch(m)) {
				t.Errorf("%q is no architecture and has the neighbour %q", m, n)
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
			stopEarly(t, "Neighbors", s.Neighbors(a))
			for range 20 {
				m := s.Mutate(rng, a)
				if !seen[m] {
					t.Fatalf("%q mutates to %q, which is not one decision away", a, m)
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
			if again, err := s.Network(a, s.Input()); err != nil || !reflect.DeepEqual(n, again) {
				t.Fatalf("%q gives another network the second time (error %v)", a, err)
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
	t.Run("counts", func(t *testing.T) {
		counter, ok := s.(spaces.Counter)
		if !ok {
			t.Skip("counts in its networks")
		}
		rng := rand.New(rand.NewPCG(10, 11))
		usual := s.Input()
		inputs := []spaces.Input{usual, {Size: usual.Size + 1, Classes: 1}, {Size: 2*usual.Size - 2, Classes: 1000}, {Size: usual.Size, Classes: 0}, {Size: -1, Classes: 10}, {Size: 1 << 20, Classes: 10}, {Size: 1 << 30, Classes: 10}, {Size: usual.Size, Classes: 1 << 50}}
		for size := range 17 {
			inputs = append(inputs, spaces.Input{Size: size, Classes: 10})
		}
		for k := range 100 {
			a := s.Sample(rng)
			for i, in := range inputs {
				if i > 0 && k > 5 { // the usual input for many, others for some
					break
				}
				got, err := counter.Counts(a, in)
				n, failed := s.Network(a, in)
				switch {
				case (err == nil) != (failed == nil) || errors.Is(err, net.ErrShape) != errors.Is(failed, net.ErrShape):
					t.Errorf("%q for %+v: Counts gives the error %v, Network %v", a, in, err, failed)
				case err == nil && got != net.Count(n):
					t.Errorf("%q for %+v: Counts gives %+v, its network has %+v", a, in, got, net.Count(n))
				case err == nil && n.Name != string(a):
					t.Errorf("the network of %q is named %q", a, n.Name)
				}
			}
		}
		for _, m := range malformed {
			if _, err := counter.Counts(spaces.Arch(m), usual); err == nil {
				t.Errorf("Counts(%q) gives no error", m)
			}
		}
	})
	t.Run("drawings", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(8, 9))
		drawer, _ := s.(spaces.CellDrawer)
		for k := range 20 {
			a := s.Sample(rng)
			if n, err := s.Network(a, s.Input()); err != nil {
				t.Fatalf("%q: %v", a, err)
			} else if k < 3 { // whole networks are large
				checkSVG(t, a, n.SVG())
			}
			if drawer == nil {
				continue
			}
			picture, err := drawer.CellSVG(a)
			if err != nil {
				t.Fatalf("%q: %v", a, err)
			}
			checkSVG(t, a, picture)
		}
		for _, m := range malformed {
			if drawer == nil {
				break
			}
			if _, err := drawer.CellSVG(spaces.Arch(m)); err == nil {
				t.Errorf("CellSVG(%q) gives no error", m)
			}
		}
	})
	t.Run("knobs", func(t *testing.T) { knobs(t, s, malformed) })
	t.Run("all", func(t *testing.T) {
		seen := map[spaces.Arch]bool{}
		indexer, _ := s.(spaces.Indexer)
		for a := range s.All() {
			if seen[a] {
				t.Fatalf("%q comes twice", a)
			}
			if indexer != nil && len(seen) < 1000 {
				if i, err := indexer.Index(a); err != nil || i != len(seen) {
					t.Fatalf("Index(%q) = %d, %v, and it is number %d of All", a, i, err, len(seen))
				}
				if back, err := s.Parse(strconv.Itoa(len(seen))); err != nil || back != a {
					t.Fatalf("Parse(\"%d\") = %q, %v, want %q", len(seen), back, err, a)
				}
			}
			seen[a] = true
			// A large space is not parsed as a whole.
			if back, err := s.Parse(string(a)); len(seen) < 1000 && (err != nil || back != a) {
				t.Fatalf("All yields %q, which is not canonical: %q, %v", a, back, err)
			}
		}
		if len(seen) != s.Size() {
			t.Errorf("All yields %d architectures, Size is %d", len(seen), s.Size())
		}
		stopEarly(t, "All", s.All())
	})
}

// checkSVG checks that a picture stands alone: XML with nothing that a page must bring along or that meets with another picture on it, and without numbers that are none.
func checkSVG(t *testing.T, a spaces.Arch, picture string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(picture))
	elements := 0
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the picture of %q is not well-formed: %v", a, err)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if elements++; elements == 1 && e.Name.Local != "svg" || slices.Contains([]string{"script", "style", "image", "use"}, e.Name.Local) {
			t.Errorf("the picture of %q has the element %q", a, e.Name.Local)
		}
		for _, at := range e.Attr {
			if n := at.Name.Local; n == "id" || n == "class" || n == "href" || strings.HasPrefix(n, "on") || strings.Contains(at.Value, "NaN") || strings.Contains(at.Value, "Inf") {
				t.Errorf("the picture of %q has %s=%q", a, n, at.Value)
			}
		}
	}
	if elements == 0 {
		t.Errorf("the picture of %q is empty", a)
	}
}

// stopEarly leaves an iterator after one, two and more values. One that goes on makes the program panic.
func stopEarly(t *testing.T, name string, seq iter.Seq[spaces.Arch]) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s goes on after its reader has left: %v", name, r)
		}
	}()
	for most := 1; most <= 40; most++ {
		k := 0
		for range seq {
			if k++; k == most {
				break
			}
		}
	}
}
