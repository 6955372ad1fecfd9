package svg

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Dot is one point of a Dots chart.
type Dot struct {
	X, Y  float64
	Group int    // index into the chart's Groups
	Title string // shown under the mouse; default: the two numbers
}

// Dots is a chart of points whose axes fit the points, for values whose differences matter more than their size.
type Dots struct {
	Title  string
	XLabel string // with its unit
	YLabel string // with its unit
	Groups []Group
	Points []Dot // points that are not finite are left out and counted in a note
	// Radius of the points, pixels; default 4. Where there are thousands, small ones without titles keep the picture legible and its file small: Untitled leaves out the titles that points do not have themselves, and a point then takes about 14 bytes in place of 57.
	Radius   float64
	Untitled bool
	// Line, if not NaN, draws a horizontal line there, such as a mean, with its name LineName.
	Line     float64
	LineName string
}

// SVG implements Chart.
func (ch Dots) SVG() string { return ch.Draw(Light) }

// Draw implements Chart. The picture is 800 pixels wide.
func (ch Dots) Draw(t Theme) string {
	const w, h, left, right, top, bottom = 800, 360, 74.0, 20.0, 58.0, 52.0
	c := newCanvas(t, w, h, ch.Title)
	c.text(left, 20, 14, "start", c.t.Ink, 0, clipEnd(ch.Title, w-left-right, 14))
	legend(c, left, 40, ch.Groups)
	xlo, xhi := math.Inf(1), math.Inf(-1)
	ylo, yhi := xlo, xhi
	lost := 0
	for _, p := range ch.Points {
		if !finite(p.X) || !finite(p.Y) {
			lost++
			continue
		}
		xlo, xhi = min(xlo, p.X), max(xhi, p.X)
		ylo, yhi = min(ylo, p.Y), max(yhi, p.Y)
	}
	if ch.lined() {
		ylo, yhi = min(ylo, ch.Line), max(yhi, ch.Line)
	}
	if xlo > xhi {
		xlo, xhi, ylo, yhi = 0, 1, 0, 1
	}
	xt, yt := ticks(xlo, xhi, 9), ticks(ylo, yhi, 6)
	xlo, xhi, ylo, yhi = xt[0], xt[len(xt)-1], yt[0], yt[len(yt)-1]
	x := func(v float64) float64 { return left + 10 + (v-xlo)/(xhi-xlo)*(w-left-right-20) }
	y := func(v float64) float64 { return h - bottom - (v-ylo)/(yhi-ylo)*(h-bottom-top) }
	for _, v := range yt {
		c.line(left, y(v), w-right, y(v), c.t.Rule)
		c.text(left-6, y(v)+4, 11, "end", c.t.Ink, 0, tickLabel(v, yt[1]-yt[0]))
	}
	for _, v := range xt {
		c.line(x(v), h-bottom, x(v), h-bottom+4, c.t.Ink)
		c.text(x(v), h-bottom+17, 11, "middle", c.t.Ink, 0, tickLabel(v, xt[1]-xt[0]))
	}
	c.line(left, h-bottom, w-right, h-bottom, c.t.Ink)
	c.text(left+(w-left-right)/2, h-14, 12, "middle", c.t.Ink, 0, ch.XLabel)
	c.text(18, top+(h-bottom-top)/2, 12, "middle", c.t.Ink, -90, ch.YLabel)
	if ch.lined() {
		c.line(left, y(ch.Line), w-right, y(ch.Line), Vermillion)
		c.text(w-right, y(ch.Line)-5, 11, "end", c.t.Warn, 0, ch.LineName)
	}
	radius := ch.Radius
	if radius == 0 {
		radius = 4
	}
	// Points without titles go into one path a colour, below those that have one.
	paths := map[string]*strings.Builder{}
	var order []string
	for _, p := range ch.Points {
		color := ch.color(p)
		if !finite(p.X) || !finite(p.Y) || p.Title != "" || !ch.Untitled {
			continue
		}
		if paths[color] == nil {
			paths[color] = new(strings.Builder)
			order = append(order, color)
		}
		speck(paths[color], x(p.X), y(p.Y))
	}
	for _, color := range order {
		c.specks(paths[color].String(), color, radius)
	}
	for _, p := range ch.Points {
		if !finite(p.X) || !finite(p.Y) || p.Title == "" && ch.Untitled {
			continue
		}
		title := p.Title
		if title == "" {
			title = fmt.Sprintf("%.6g, %.6g", p.X, p.Y)
		}
		c.circle(x(p.X), y(p.Y), radius, ch.color(p), title)
	}
	if lost > 0 {
		c.text(w-right, 40, 11, "end", c.t.Warn, 0, fmt.Sprintf("%d points are not finite", lost))
	}
	return c.String()
}

// speck adds a dot to a path: the round ends of a line without length, which takes a quarter of the bytes of a circle.
func speck(path *strings.Builder, x, y float64) {
	fmt.Fprintf(path, "M%s %sh0", tenth(x), tenth(y))
}

// tenth rounds to a tenth of a pixel: dots are anti-aliased at their edges, where less is not seen.
func tenth(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// specks draws the dots of a path.
func (c *canvas) specks(path, color string, radius float64) {
	fmt.Fprintf(&c.b, `<path d="%s" fill="none" stroke="%s" stroke-width="%s" stroke-linecap="round"/>`, path, c.t.Color(color), num(2*radius))
}

func (ch Dots) color(p Dot) string {
	if p.Group >= 0 && p.Group < len(ch.Groups) {
		return ch.Groups[p.Group].Color
	}
	return Blue
}

func (ch Dots) lined() bool { return finite(ch.Line) && ch.LineName != "" }

// finite tells whether v can be drawn; the arithmetic of axes overflows a little above the limit.
func finite(v float64) bool { return math.Abs(v) <= 1e300 }

// clipEnd shortens a text to a width in pixels, at its end.
func clipEnd(s string, wide, size float64) string {
	r := []rune(s)
	for len(r) > 1 && width(string(r), size) > wide {
		r = r[:len(r)-1]
		s = string(r) + "…"
	}
	return s
}
