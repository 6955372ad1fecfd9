package spaces_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	_ "github.com/zeroshotnas/zeroshot/spaces/natstss"
	_ "github.com/zeroshotnas/zeroshot/spaces/plain"
)

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

func ExampleOpen() {
	s, err := spaces.Open("natstss:C=32")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Name(), s.Size())
	// Output: natstss:C=32,N=5 15625
}
