// Package svg draws the charts of notebooks as self-contained SVG: no script, no style sheet, no identifiers, nothing from elsewhere. So a chart shows the same in Jupyter, in exported pages and on code hosts, and several can stand on one page. Each mark carries a title that browsers show under the mouse.
//
// Charts are drawn in a Theme, for light or dark pages, with a ground of their own, so that they read on the other kind too; colours are Okabe and Ito's, which colour-blind readers can tell apart. Each chart also gives the data that it draws, see Chart. Package render turns pictures into PNG and PDF.
package svg

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Okabe and Ito's palette, in the order of use.
const (
	Blue       = "#0072B2"
	Orange     = "#E69F00"
	Green      = "#009E73"
	Vermillion = "#D55E00"
	Purple     = "#CC79A7"
	Sky        = "#56B4E9"
	Grey       = "#767676"
)

const (
	ink  = "#222222"
	rule = "#DDDDDD"
	font = "Helvetica, Arial, sans-serif"
)

// canvas collects the elements of a picture.
type canvas struct {
	t    Theme
	w, h int
	b    strings.Builder
}

func newCanvas(t Theme, w, h int, label string) *canvas {
	c := &canvas{t: t, w: w, h: h}
	fmt.Fprintf(&c.b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" font-family="%s"><title>%s</title>`, w, h, w, h, font, escape(label))
	c.rect(0, 0, float64(w), float64(h), t.Ground, "")
	return c
}

func (c *canvas) String() string { return c.b.String() + "</svg>" }

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// escape makes text safe inside elements and attributes; control characters, which XML does not know, become spaces.
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xFFFE || r == 0xFFFF {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return escaper.Replace(s)
}

func num(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }

// rect draws a filled rectangle; title, if any, shows under the mouse.
func (c *canvas) rect(x, y, w, h float64, fill, title string) {
	fmt.Fprintf(&c.b, `<rect x="%s" y="%s" width="%s" height="%s" fill="%s"`, num(x), num(y), num(w), num(h), c.t.Color(fill))
	c.end("rect", title)
}

func (c *canvas) circle(x, y, r float64, fill, title string) {
	fmt.Fprintf(&c.b, `<circle cx="%s" cy="%s" r="%s" fill="%s"`, num(x), num(y), num(r), c.t.Color(fill))
	c.end("circle", title)
}

func (c *canvas) end(element, title string) {
	if title == "" {
		c.b.WriteString("/>")
		return
	}
	fmt.Fprintf(&c.b, "><title>%s</title></%s>", escape(title), element)
}

func (c *canvas) line(x1, y1, x2, y2 float64, stroke string) {
	fmt.Fprintf(&c.b, `<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s"/>`, num(x1), num(y1), num(x2), num(y2), c.t.Color(stroke))
}

// text writes a line; anchor is start, middle or end; angle turns it about its point, degrees clockwise.
func (c *canvas) text(x, y, size float64, anchor, fill string, angle float64, s string) {
	fmt.Fprintf(&c.b, `<text x="%s" y="%s" font-size="%s" text-anchor="%s" fill="%s"`, num(x), num(y), num(size), anchor, c.t.Color(fill))
	if angle != 0 {
		fmt.Fprintf(&c.b, ` transform="rotate(%s %s %s)"`, num(angle), num(x), num(y))
	}
	fmt.Fprintf(&c.b, ">%s</text>", escape(s))
}

// ticks are round numbers that cover lo to hi, about n of them.
func ticks(lo, hi float64, n int) []float64 {
	// Values that differ by little more than their rounding count as equal: ticks between them would all round to one number.
	size := max(math.Abs(lo), math.Abs(hi))
	if !(hi-lo > max(1e-12*size, 1e-300)) {
		hi = lo + max(1, 1e-3*size)
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/float64(n))))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if (hi-lo)/(m*step) <= float64(n) {
			step *= m
			break
		}
	}
	var t []float64
	for i := math.Floor(lo / step); ; i++ {
		t = append(t, i*step)
		if i*step >= hi-step*1e-9 {
			return t
		}
	}
}

// tickLabel prints a tick with as many digits as its step needs, with a power of ten where the digits would not fit beside an axis.
func tickLabel(v, step float64) string {
	if math.Abs(v) < step/2 {
		return "0"
	}
	if math.Abs(v) >= 1e7 || step < 1e-5 {
		return strconv.FormatFloat(v, 'g', max(1, int(math.Ceil(math.Log10(math.Abs(v)/step)-1e-9))+2), 64)
	}
	digits := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	if s := step * math.Pow(10, float64(digits)); math.Abs(s-math.Round(s)) > 1e-6 {
		digits++
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// width estimates how wide a text is in pixels.
func width(s string, size float64) float64 { return 0.56 * size * float64(len([]rune(s))) }
