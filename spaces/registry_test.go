package spaces_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	_ "github.com/zeroshotnas/zeroshot/spaces/natstss"
	_ "github.com/zeroshotnas/zeroshot/spaces/plain"
	"github.com/zeroshotnas/zeroshot/spaces/spacetest"
)

// TestOwnSpace checks the space of the example as other spaces are checked.
func TestOwnSpace(t *testing.T) {
	spacetest.Run(t, kernels{16}, "", "35", "35711", "3541", "3x71", "-571")
}

func TestOptionsOf(t *testing.T) {
	got, err := spaces.OptionsOf("natstss")
	want := []spaces.Option{{Name: "C", Default: 16, Min: 1, Max: 4096, Doc: "channels of the first stage"}, {Name: "N", Default: 5, Min: 1, Max: 100, Doc: "cells in a stage"}, {Name: "super", Max: 1, Doc: "1: supernets, which mix operations on an edge, are described too"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("OptionsOf gives %v, %v, want %v", got, err, want)
	}
	if _, err := spaces.OptionsOf("natsts"); !errors.Is(err, spaces.ErrUnknownSpace) {
		t.Errorf("an unknown space gives %v", err)
	}
}

func TestOpen(t *testing.T) {
	for spec, want := range map[string]string{
		"":                   "unknown search space",
		"natsts":             "natstss, plain",
		"natstss:D=3":        "unknown option D; natstss has C, N",
		"natstss:C=0":        "from 1 to 4096",
		"natstss:C=x":        "whole number",
		"natstss:C":          "NAME=VALUE",
		"natstss:C=1,C=2":    "once",
		"natstss:C=16,N=101": "from 1 to 100",
	} {
		_, err := spaces.Open(spec)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) gives %v, want an error with %q", spec, err, want)
		}
		if unknown := spec == "" || spec == "natsts"; errors.Is(err, spaces.ErrUnknownSpace) != unknown {
			t.Errorf("Open(%q): ErrUnknownSpace is %t", spec, !unknown)
		}
	}
	s, err := spaces.Open("natstss:N=1")
	if err != nil || s.Name() != "natstss:C=16,N=1" {
		t.Errorf("Open gives %v, %v", s, err)
	}
}

// TestParseError checks that the place is marked, in inputs too long to print whole too.
func TestParseError(t *testing.T) {
	long := strings.Repeat("a", 5000) + "B" + strings.Repeat("c", 5000)
	for _, c := range []struct {
		input string
		pos   int
		want  string
	}{
		{"abc", 1, `s: position 1 of "a►bc": want x`},
		{"abc", 3, `s: position 3 of "abc►": want x`},
		{"abc", 9, `"abc►"`},
		{"abc", -1, `"►abc"`},
		{"", 0, `"►"`},
		{long, 5000, `aaa►Bccc`},
		{long, 10001, `ccc►"`},
		{"\xff\n", 1, `"\xff►\n"`},
	} {
		got := (&spaces.ParseError{Space: "s", Input: c.input, Pos: c.pos, Want: "want x"}).Error()
		if !strings.Contains(got, c.want) || len(got) > 400 {
			t.Errorf("position %d of %.20q gives %q, want %q in it", c.pos, c.input, got, c.want)
		}
	}
}

func ExampleOpen() {
	s, err := spaces.Open("natstss:C=32")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Name(), s.Size())
	// Output: natstss:C=32,N=5 15625
}
