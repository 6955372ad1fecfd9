package svg

import (
	"fmt"
	"math"
)

// Bar is one bar of a chart.
type Bar struct {
	Label string  // name under or above the bar
	Value float64 // length, to the other side of zero where negative; a bar that is not finite is drawn as a cross
	Group int     // index into the chart's Groups, for its colour
	Title string  // shown under the mouse; default: label and value
	Void  bool    // has no value: drawn as a cross on the axis
}

// Group is a kind of bars.
type Group struct{ Name, Color string }

// Columns is a chart of many narrow bars beside each other, such as one a layer.
type Columns struct {
	Title  string
	XLabel string // what the bars are
	YLabel string // what their height is, with its unit
	Groups []Group
	Bars   []Bar
}

// SVG implements Chart.
func (ch Columns) SVG() string { return ch.Draw(Light) }

// Draw implements Chart. The picture is 800 pixels wide.
func (ch Columns) Draw(t Theme) string {
	const w, left, right, top, axis = 800, 62.0, 14.0, 58.0, 230.0
	longest := 0.0
	for _, b := range ch.Bars {
		longest = max(longest, width(b.Label, 10))
	}
	labels := min(longest, 150)
	h := int(top + axis + labels + 40)
	c := newCanvas(t, w, h, ch.Title)
	c.text(left, 20, 14, "start", c.t.Ink, 0, clipEnd(ch.Title, w-left-right, 14))
	legend(c, left, 40, ch.Groups)

	at := barTicks(ch.Bars, 6)
	lo, hi := at[0], at[len(at)-1]
	base := top + axis
	y := func(v float64) float64 { return base - (v-lo)/(hi-lo)*axis }
	for _, v := range at {
		c.line(left, y(v), w-right, y(v), c.t.Rule)
		c.text(left-6, y(v)+4, 11, "end", c.t.Ink, 0, tickLabel(v, at[1]-at[0]))
	}
	c.text(16, top+axis/2, 12, "middle", c.t.Ink, -90, ch.YLabel)

	slot := (w - left - right) / float64(max(1, len(ch.Bars)))
	every := int(math.Ceil(11 / slot)) // labels need 11 pixels each
	for i, b := range ch.Bars {
		x := left + (float64(i)+0.5)*slot
		wide := min(0.8*slot, 40)
		color := Grey
		if b.Group >= 0 && b.Group < len(ch.Groups) {
			color = ch.Groups[b.Group].Color
		}
		if b.finite() {
			c.rect(x-wide/2, y(max(b.Value, 0)), wide, max(math.Abs(y(b.Value)-y(0)), 0.5), color, b.title())
		} else {
			c.text(x, y(0)-3, 11, "middle", c.t.Warn, 0, "×")
			c.rect(x-slot/2, top, slot, axis, "#FFFFFF00", b.title())
		}
		if i%every == 0 {
			c.text(x+3, base+8, 10, "end", c.t.Ink, -90, clip(b.Label, labels, 10))
		}
	}
	c.line(left, y(0), w-right, y(0), c.t.Ink)
	c.text(left+(w-left-right)/2, float64(h)-10, 12, "middle", c.t.Ink, 0, ch.XLabel)
	return c.String()
}

// Rows is a chart of a few bars one below the other, each under its name.
type Rows struct {
	Title  string
	XLabel string // what the length is, with its unit
	Groups []Group
	Bars   []Bar
}

// SVG implements Chart.
func (ch Rows) SVG() string { return ch.Draw(Light) }

// Draw implements Chart. The picture is 800 pixels wide.
func (ch Rows) Draw(t Theme) string {
	const w, left, right, top, row = 800, 16.0, 80.0, 36.0, 40.0
	legendRoom := 0.0
	if len(ch.Groups) > 1 {
		legendRoom = 20
	}
	base := top + legendRoom + row*float64(len(ch.Bars))
	h := int(base + 46)
	c := newCanvas(t, w, h, ch.Title)
	c.text(left, 20, 14, "start", c.t.Ink, 0, clipEnd(ch.Title, w-left-right, 14))
	if legendRoom > 0 {
		legend(c, left, 40, ch.Groups)
	}
	at := barTicks(ch.Bars, 8)
	lo, hi := at[0], at[len(at)-1]
	x := func(v float64) float64 { return left + (v-lo)/(hi-lo)*(w-left-right) }
	for _, v := range at {
		// The lines stop at the names, which they would cross.
		for i := range ch.Bars {
			y := top + legendRoom + float64(i)*row
			c.line(x(v), y+18, x(v), y+36, c.t.Rule)
		}
		c.text(x(v), base+16, 11, "middle", c.t.Ink, 0, tickLabel(v, at[1]-at[0]))
	}
	for i, b := range ch.Bars {
		y := top + legendRoom + float64(i)*row
		color := Blue
		if b.Group >= 0 && b.Group < len(ch.Groups) {
			color = ch.Groups[b.Group].Color
		}
		c.text(left, y+14, 11, "start", c.t.Ink, 0, clip(b.Label, w-left-right, 11))
		if b.finite() {
			c.rect(x(min(b.Value, 0)), y+18, max(math.Abs(x(b.Value)-x(0)), 0.5), 15, color, b.title())
			c.text(x(max(b.Value, 0))+5, y+30, 11, "start", c.t.Ink, 0, plain(b.Value))
		} else {
			c.text(x(0)+5, y+30, 12, "start", c.t.Warn, 0, "× not a finite number")
		}
	}
	c.line(x(0), top+legendRoom, x(0), base, c.t.Ink)
	c.text(left+(w-left-right)/2, base+36, 12, "middle", c.t.Ink, 0, ch.XLabel)
	return c.String()
}

// barTicks are the ticks of an axis that holds zero and every bar.
func barTicks(bars []Bar, n int) []float64 {
	lo, hi := 0.0, 0.0
	for _, b := range bars {
		if b.finite() {
			lo, hi = min(lo, b.Value), max(hi, b.Value)
		}
	}
	return ticks(lo, hi, n)
}

func (b Bar) finite() bool { return !b.Void && finite(b.Value) }

func (b Bar) title() string {
	if b.Title != "" {
		return b.Title
	}
	return b.Label + ": " + plain(b.Value)
}

// plain prints counts with all digits and other numbers with six.
func plain(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.6g", v)
}

func legend(c *canvas, x, y float64, groups []Group) {
	for _, g := range groups {
		c.rect(x, y-9, 10, 10, g.Color, "")
		c.text(x+15, y, 11, "start", c.t.Ink, 0, g.Name)
		x += 30 + width(g.Name, 11)
	}
}

// clip shortens a text to a width in pixels, at its start: the ends of module names tell them apart.
func clip(s string, wide, size float64) string {
	r := []rune(s)
	for len(r) > 1 && width(string(r), size) > wide+1 {
		r = r[1:]
		s = "…" + string(r[1:])
	}
	return s
}
