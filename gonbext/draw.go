package gonbext

import (
	"fmt"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/export"
)

// Draw shows what an architecture is made of: its cell, in spaces of cells (spaces.CellDrawer), else its whole network. Its text form has the counts, as zico describe prints them. Of the options only Space, Size and Quiet matter. It fails as the space's Parse and Network do.
func Draw(arch string, o Options) error {
	picture, text, err := draw(arch, o.withDefaults())
	if err == nil && !o.Quiet {
		showSVG(picture, text)
	}
	return report(err, o)
}

func draw(arch string, o Options) (picture, text string, err error) {
	s, err := spaces.Open(o.Space)
	if err != nil {
		return "", "", err
	}
	a, err := s.Parse(arch)
	if err != nil {
		return "", "", err
	}
	in := s.Input()
	if o.Size > 0 {
		in.Size = o.Size
	}
	n, err := s.Network(a, in)
	if err != nil {
		return "", "", err
	}
	d, err := export.Describe(n, export.About{Space: s, Arch: a})
	if err != nil {
		return "", "", err
	}
	picture, err = drawing(s, a, in)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s, images of %dx%d pixels, %d classes\n", a, d.Space, d.Pixels, d.Pixels, d.Classes)
	if d.Index != nil {
		fmt.Fprintf(&b, "index %d\n", *d.Index)
	}
	fmt.Fprintf(&b, "%d parameters\n", d.Params)
	for _, c := range net.Conventions() {
		fmt.Fprintf(&b, "%d FLOPs (%s)\n", d.FLOPs[c.String()], c)
	}
	fmt.Fprintf(&b, "%d layers with weights, of which %d have no gradient\n", d.Weighted, len(d.Dead))
	return picture, b.String(), err
}

// drawing is the picture of an architecture: its cells, or its whole network.
func drawing(s spaces.Space, a spaces.Arch, in spaces.Input) (string, error) {
	if d, ok := s.(spaces.CellDrawer); ok {
		return d.CellSVG(a)
	}
	n, err := s.Network(a, in)
	if err != nil {
		return "", err
	}
	return n.SVG(), nil
}
