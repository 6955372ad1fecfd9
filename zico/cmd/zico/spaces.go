package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// spaceInfo is what is said of a space.
type spaceInfo struct {
	Name       string       `json:"name"` // with the options in force
	Doc        string       `json:"doc"`
	Size       int          `json:"size"` // architectures; 0: cannot be counted
	Pixels     int          `json:"pixels"`
	Classes    int          `json:"classes"`
	Options    []optionInfo `json:"options"`
	DrawsCells bool         `json:"draws_cells"`
	Example    string       `json:"example"`
}

type optionInfo struct {
	Name    string `json:"name"`
	Default int    `json:"default"`
	Min     int    `json:"min"`
	Max     int    `json:"max"`
	Doc     string `json:"doc"`
}

// enumeration is what listing a whole space took.
type enumeration struct {
	Name    string  `json:"name"`
	Count   int     `json:"count"`
	Seconds float64 `json:"seconds"`
	Peak    int64   `json:"peak_bytes"` // largest resident size of the process so far; 0: unknown
}

func listSpaces(ctx context.Context, args []string) error {
	f := newFlags("spaces", "[SPACE...]")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	enumerate := f.Bool("enumerate", false, "list all architectures of the spaces that can be counted, and say what it took; name one space to have its own peak of memory")
	if err := parse(f, args); err != nil {
		return err
	}
	names := f.Args()
	if len(names) == 0 {
		names = spaces.Names()
	}
	var list []spaces.Space
	for _, name := range names {
		s, err := openSpace(name)
		if err != nil {
			return err
		}
		list = append(list, s)
	}
	out := json.NewEncoder(os.Stdout)
	if *enumerate {
		return enumerateSpaces(ctx, list, f.NArg() > 0, *asJSON, out)
	}
	for i, s := range list {
		info, err := describeSpace(s)
		if err != nil {
			return err
		}
		if *asJSON {
			if err := out.Encode(info); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			fmt.Println()
		}
		info.print(os.Stdout)
	}
	return nil
}

func describeSpace(s spaces.Space) (*spaceInfo, error) {
	base, _, _ := strings.Cut(s.Name(), ":")
	options, err := spaces.OptionsOf(base)
	if err != nil {
		return nil, err
	}
	in := s.Input()
	_, cells := s.(spaces.CellDrawer)
	info := &spaceInfo{Name: s.Name(), Doc: s.Doc(), Size: s.Size(), Pixels: in.Size, Classes: in.Classes, Options: []optionInfo{}, DrawsCells: cells}
	for _, o := range options {
		info.Options = append(info.Options, optionInfo(o))
	}
	info.Example = string(s.Sample(rand.New(rand.NewPCG(1, 1))))
	return info, nil
}

func (s *spaceInfo) print(w io.Writer) {
	size := "more architectures than can be listed"
	if s.Size > 0 {
		size = fmt.Sprintf("%d architectures", s.Size)
	}
	fmt.Fprintf(w, "%s: %s; images of %dx%d pixels, %d classes\n  %s\n", s.Name, size, s.Pixels, s.Pixels, s.Classes, s.Doc)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range s.Options {
		fmt.Fprintf(t, "  %s=%d\t%d to %d\t%s\n", o.Name, o.Default, o.Min, o.Max, o.Doc)
	}
	t.Flush()
	fmt.Fprintf(w, "  for example %s\n", s.Example)
}

// enumerateSpaces walks through spaces. A space that cannot be counted is left out, unless it was named.
func enumerateSpaces(ctx context.Context, list []spaces.Space, named, asJSON bool, out *json.Encoder) error {
	if !asJSON {
		fmt.Printf("%13s %9s %11s  %s\n", "architectures", "seconds", "peak so far", "space")
	}
	for _, s := range list {
		if s.Size() == 0 {
			if named {
				return fmt.Errorf("%s cannot be enumerated: it has more architectures than can be listed", s.Name())
			}
			continue
		}
		e := enumeration{Name: s.Name()}
		start := time.Now()
		for range s.All() {
			e.Count++
			if e.Count%1024 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
		}
		e.Seconds = time.Since(start).Seconds()
		e.Peak = peakBytes()
		if e.Count != s.Size() {
			return fmt.Errorf("%s lists %d architectures and says that it has %d: a mistake in the space", s.Name(), e.Count, s.Size())
		}
		if asJSON {
			if err := out.Encode(e); err != nil {
				return err
			}
			continue
		}
		peak := "unknown"
		if e.Peak > 0 {
			peak = fmt.Sprintf("%.0f MB", float64(e.Peak)/1e6)
		}
		fmt.Printf("%13d %9.3f %11s  %s\n", e.Count, e.Seconds, peak, e.Name)
	}
	return nil
}

// openSpace opens a space for a command, whose user is told about a wrong name as about a wrong flag.
func openSpace(name string) (spaces.Space, error) {
	s, err := spaces.Open(name)
	if err != nil {
		return nil, usageError{err}
	}
	return s, nil
}
