// Package render turns pictures of this module into PNG and PDF: those of package svg, and of package net in the spaces.
//
// It reads the part of SVG that they use and fails on everything else by name, so that nothing is lost in silence: svg with a viewBox of its own size, g, title, rect, circle, line, polyline, polygon, path (M, L, H, V, C, Z) and text; fill, stroke, stroke-width, stroke-dasharray, stroke-linecap, opacities, text-anchor, and the transforms translate and rotate. Text is set in Go Regular, whatever font-family says, so that files do not depend on a machine's fonts.
package render

import (
	"encoding/xml"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Picture is a drawing that has been read.
type Picture struct {
	Title         string
	Width, Height float64 // pixels of 1/96 inch
	// Missing has the letters of the picture's texts that the font lacks. They are drawn as question marks.
	Missing string

	shapes []shape
}

// shape is a path or a text, in pixels from the upper left corner of the picture.
type shape struct {
	path         []segment
	fill, stroke color.NRGBA // transparent: none
	width        float64     // of the stroke
	dash         []float64   // lengths of dashes and gaps; none: solid
	round        bool        // round ends of the stroke; else none
	label        *label      // in place of a path
}

// segment is a part of a path. Curves are cubic.
type segment struct {
	op byte // M, L, C or Z
	p  [3]point
}

type point struct{ x, y float64 }

// label is a line of text.
type label struct {
	text   string
	at     point   // on the base line
	size   float64 // height of an em, pixels
	anchor float64 // part of the text's width that is before the point: 0, 1/2 or 1
	angle  float64 // degrees clockwise
}

// The limits keep pictures within what can be drawn.
const (
	mostPixels = 20000 // width and height
	farthest   = 1e6   // coordinate
	leastDash  = 0.5
	deepest    = 64 // elements within each other
)

// Attributes by element; all that are drawn may have those of style too.
var (
	attributes = map[string]string{
		"svg":      "xmlns width height viewBox role",
		"g":        "transform",
		"title":    "",
		"rect":     "x y width height rx transform",
		"circle":   "cx cy r transform",
		"line":     "x1 y1 x2 y2 transform",
		"polyline": "points transform",
		"polygon":  "points transform",
		"path":     "d transform",
		"text":     "x y transform",
	}
	styles = strings.Fields("fill stroke fill-opacity stroke-opacity opacity stroke-width stroke-dasharray stroke-linecap font-size font-family text-anchor")
)

// style is what elements inherit.
type style struct {
	fill, stroke               color.NRGBA
	fillOpacity, strokeOpacity float64
	opacity                    float64 // of the element and all around it
	width                      float64
	dash                       []float64
	round                      bool
	size, anchor               float64
	angle                      float64 // of the coordinates, degrees clockwise
	shift                      point   // of the coordinates
	cos, sin                   float64
}

func (s *style) place(x, y float64) point {
	return point{s.shift.x + s.cos*x - s.sin*y, s.shift.y + s.sin*x + s.cos*y}
}

// Parse reads a picture. It fails where the text is no SVG or uses more of SVG than the package knows, and says what it is.
func Parse(svg string) (*Picture, error) {
	r := &reader{d: xml.NewDecoder(strings.NewReader(svg)), p: &Picture{}}
	if err := r.document(); err != nil {
		line, column := r.d.InputPos()
		return nil, fmt.Errorf("render: line %d, column %d: %w", line, column, err)
	}
	return r.p, nil
}

type reader struct {
	d     *xml.Decoder
	p     *Picture
	depth int
}

func (r *reader) document() error {
	seen := false
	for {
		tok, err := r.d.Token()
		if err == io.EOF && seen {
			return nil
		}
		if err == io.EOF {
			return errors.New("there is no picture: want an element <svg>")
		}
		if err != nil {
			return err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if tok.Name.Local != "svg" || seen {
				return fmt.Errorf("want one element <svg>, not <%s>", tok.Name.Local)
			}
			seen = true
			s := style{fill: color.NRGBA{A: 255}, fillOpacity: 1, strokeOpacity: 1, opacity: 1, width: 1, size: 16, cos: 1}
			if err := r.element(tok, s); err != nil {
				return err
			}
		case xml.CharData:
			if strings.TrimSpace(string(tok)) != "" {
				return fmt.Errorf("text %.20q outside of <svg>", tok)
			}
		}
	}
}

// element reads an element to its end; s is what it inherits.
func (r *reader) element(e xml.StartElement, s style) error {
	if r.depth++; r.depth > deepest {
		return fmt.Errorf("more than %d elements within each other", deepest)
	}
	defer func() { r.depth-- }()
	known, ok := attributes[e.Name.Local]
	if !ok {
		return fmt.Errorf("the element <%s> is not known", e.Name.Local)
	}
	a := attrs{element: e.Name.Local, values: map[string]string{}}
	own := strings.Fields(known)
	for _, at := range e.Attr {
		name := at.Name.Local
		if at.Name.Space != "" || !slices.Contains(own, name) && (e.Name.Local == "title" || !slices.Contains(styles, name)) {
			return fmt.Errorf("the attribute %s of <%s> is not known", name, e.Name.Local)
		}
		if _, twice := a.values[name]; twice {
			return fmt.Errorf("<%s> has the attribute %s twice", e.Name.Local, name)
		}
		a.values[name] = at.Value
	}
	a.style(&s)
	if e.Name.Local == "svg" {
		r.size(&a)
	}
	at := len(r.p.shapes)
	if path, ok := a.path(&s); ok && a.err == nil {
		r.p.shapes = append(r.p.shapes, shape{path: path, fill: faded(s.fill, s.fillOpacity*s.opacity), stroke: faded(s.stroke, s.strokeOpacity*s.opacity), width: s.width, dash: s.dash, round: s.round})
	}
	if a.err != nil {
		return a.err
	}
	text, err := r.content(e, s)
	if err != nil {
		return err
	}
	text = strings.Join(strings.Fields(text), " ")
	switch e.Name.Local {
	case "title":
		if r.depth == 2 && r.p.Title == "" {
			r.p.Title = text
		}
	case "text":
		l := &label{text: r.known(text), at: s.place(a.number("x", 0), a.number("y", 0)), size: s.size, anchor: s.anchor, angle: s.angle}
		if text != "" {
			r.p.shapes = slices.Insert(r.p.shapes, at, shape{label: l, fill: faded(s.fill, s.fillOpacity*s.opacity)})
		}
	default:
		if text != "" {
			return fmt.Errorf("<%s> has the text %.20q", e.Name.Local, text)
		}
	}
	return a.err
}

// content reads what is in an element, up to its end, and returns its text.
func (r *reader) content(e xml.StartElement, s style) (text string, err error) {
	var b strings.Builder
	for {
		tok, err := r.d.Token()
		if err != nil {
			return "", err // EOF within an element is a syntax error here
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if inner := tok.Name.Local; e.Name.Local != "svg" && e.Name.Local != "g" && inner != "title" || e.Name.Local == "title" || inner == "svg" {
				return "", fmt.Errorf("the element <%s> in <%s> is not known", inner, e.Name.Local)
			}
			if err := r.element(tok, s); err != nil {
				return "", err
			}
		case xml.EndElement:
			return b.String(), nil
		case xml.CharData:
			b.Write(tok)
		case xml.Directive, xml.ProcInst:
			return "", errors.New("directives within a picture are not known")
		}
	}
}

// size reads that of the picture.
func (r *reader) size(a *attrs) {
	w, h := a.number("width", 0), a.number("height", 0)
	if a.err == nil && !(w > 0 && h > 0 && w <= mostPixels && h <= mostPixels) {
		a.fail("width and height are %g and %g; want up to %d pixels", w, h, mostPixels)
	}
	if box, ok := a.values["viewBox"]; ok {
		if v := a.numbers("viewBox", box); a.err == nil && !slices.Equal(v, []float64{0, 0, w, h}) {
			a.fail("the viewBox %q is not known; want 0 0 %g %g, the size of the picture", box, w, h)
		}
	}
	r.p.Width, r.p.Height = w, h
}

// known replaces letters that the font lacks.
func (r *reader) known(text string) string {
	return strings.Map(func(c rune) rune {
		if hasGlyph(c) {
			return c
		}
		if !strings.ContainsRune(r.p.Missing, c) {
			r.p.Missing += string(c)
		}
		return '?'
	}, text)
}

func faded(c color.NRGBA, opacity float64) color.NRGBA {
	c.A = uint8(math.Round(float64(c.A) * opacity))
	return c
}

// attrs are the attributes of an element. The first mistake is kept.
type attrs struct {
	element string
	values  map[string]string
	err     error
}

func (a *attrs) fail(format string, args ...any) {
	if a.err == nil {
		a.err = fmt.Errorf("<%s>: "+format, append([]any{a.element}, args...)...)
	}
}

// number is the value of an attribute, or the default.
func (a *attrs) number(name string, def float64) float64 {
	text, ok := a.values[name]
	if !ok {
		return def
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(math.Abs(v) <= farthest) {
		a.fail("%s is %.40q; want a number of pixels up to %g", name, text, farthest)
		return def
	}
	return v
}

// between is a number with limits.
func (a *attrs) between(name string, def, lo, hi float64) float64 {
	v := a.number(name, def)
	if !(v >= lo && v <= hi) {
		a.fail("%s is %g; want %g to %g", name, v, lo, hi)
		return def
	}
	return v
}

func (a *attrs) numbers(name, text string) []float64 {
	s := scanner{text: text}
	var list []float64
	for !s.end() {
		v, ok := s.number()
		if !ok {
			a.fail("%s has %.20q where a number was expected", name, s.text[s.at:])
			return nil
		}
		list = append(list, v)
	}
	return list
}

// style changes what is inherited by what the element says.
func (a *attrs) style(s *style) {
	for name, c := range map[string]*color.NRGBA{"fill": &s.fill, "stroke": &s.stroke} {
		if text, ok := a.values[name]; ok {
			if *c, ok = parseColor(text); !ok {
				a.fail("%s is %.40q; want none, or #RRGGBB or #RRGGBBAA", name, text)
			}
		}
	}
	s.fillOpacity = a.between("fill-opacity", s.fillOpacity, 0, 1)
	s.strokeOpacity = a.between("stroke-opacity", s.strokeOpacity, 0, 1)
	s.opacity *= a.between("opacity", 1, 0, 1)
	s.width = a.between("stroke-width", s.width, 0, 1000)
	s.size = a.between("font-size", s.size, 0, 1000)
	if text, ok := a.values["stroke-dasharray"]; ok {
		s.dash = nil
		if text != "none" {
			s.dash = a.numbers("stroke-dasharray", text)
		}
		if len(s.dash)%2 == 1 {
			s.dash = append(s.dash, s.dash...)
		}
		for _, v := range s.dash {
			if !(v >= leastDash) {
				a.fail("stroke-dasharray has %g; want at least %g", v, leastDash)
			}
		}
	}
	switch v, ok := a.values["stroke-linecap"]; {
	case ok && v != "round" && v != "butt":
		a.fail("the stroke-linecap %.20q is not known", v)
	case ok:
		s.round = v == "round"
	}
	if v, ok := a.values["text-anchor"]; ok {
		i := slices.Index([]string{"start", "middle", "end"}, v)
		if i < 0 {
			a.fail("the text-anchor %.20q is not known", v)
		}
		s.anchor = float64(i) / 2
	}
	if v, ok := a.values["transform"]; ok {
		a.transform(v, s)
	}
}

// transform moves and turns the coordinates.
func (a *attrs) transform(text string, s *style) {
	rest := strings.TrimSpace(text)
	for rest != "" {
		name, inner, ok := strings.Cut(rest, "(")
		inner, after, closed := strings.Cut(inner, ")")
		v := a.numbers("transform", inner)
		name = strings.TrimSpace(name)
		switch {
		case a.err != nil:
			return
		case ok && closed && name == "translate" && (len(v) == 1 || len(v) == 2):
			s.shift = s.place(v[0], append(v, 0)[1])
		case ok && closed && name == "rotate" && (len(v) == 1 || len(v) == 3):
			center := point{}
			if len(v) == 3 {
				center = point{v[1], v[2]}
			}
			s.shift = s.place(center.x, center.y)
			s.angle = math.Mod(s.angle+v[0], 360)
			s.sin, s.cos = math.Sincos(s.angle * math.Pi / 180)
			s.shift = s.place(-center.x, -center.y)
		default:
			a.fail("the transform %.40q is not known; want translate(x y) or rotate(angle x y)", text)
			return
		}
		if math.Abs(s.shift.x) > farthest || math.Abs(s.shift.y) > farthest {
			a.fail("the transform %.40q leads out of the picture", text)
			return
		}
		rest = strings.TrimSpace(after)
	}
}

func parseColor(s string) (c color.NRGBA, ok bool) {
	if s == "none" {
		return c, true
	}
	v, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 16, 32)
	switch {
	case err != nil || s[0] != '#':
		return c, false
	case len(s) == 7:
		v = v<<8 | 0xFF
	case len(s) != 9:
		return c, false
	}
	return color.NRGBA{uint8(v >> 24), uint8(v >> 16), uint8(v >> 8), uint8(v)}, true
}

// path is the outline of the element, in pixels of the picture. ok is false for elements without one.
func (a *attrs) path(s *style) (path []segment, ok bool) {
	b := builder{s: s}
	switch a.element {
	case "rect":
		b.rect(a.number("x", 0), a.number("y", 0), a.between("width", 0, 0, farthest), a.between("height", 0, 0, farthest), a.between("rx", 0, 0, farthest))
	case "circle":
		x, y, r := a.number("cx", 0), a.number("cy", 0), a.between("r", 0, 0, farthest)
		if r > 0 {
			b.rect(x-r, y-r, 2*r, 2*r, r)
		}
	case "line":
		b.add('M', a.number("x1", 0), a.number("y1", 0))
		b.add('L', a.number("x2", 0), a.number("y2", 0))
	case "polyline", "polygon":
		v := a.numbers("points", a.values["points"])
		if len(v)%2 != 0 {
			a.fail("points are %d numbers; want pairs", len(v))
			return nil, false
		}
		for i := 0; i < len(v); i += 2 {
			b.add("ML"[min(i, 1)], v[i], v[i+1])
		}
		if len(v) > 0 && a.element == "polygon" {
			b.add('Z')
		}
	case "path":
		if err := b.data(a.values["d"]); err != nil {
			a.fail("%w", err)
		}
	default:
		return nil, false
	}
	return b.path, len(b.path) > 0
}
