package svg

import (
	"fmt"
	"math"
)

// IntervalRow is a value with its interval and a published value.
type IntervalRow struct {
	Label            string
	Value, Low, High float64
	Mark             float64 // NaN for none
	Title            string  // shown under the mouse; default: the numbers
}

// Intervals is a chart of values with their intervals, one below the other, with marks of what others have found.
type Intervals struct {
	Title    string
	XLabel   string // what the values are, with their unit
	Name     string // of the values, for the legend
	MarkName string // of the marks
	Rows     []IntervalRow
}

// SVG implements Chart.
func (ch Intervals) SVG() string { return ch.Draw(Light) }

// Draw implements Chart. The picture is 800 pixels wide: a bar from 0 with the interval over it, and a diamond for the mark.
func (ch Intervals) Draw(t Theme) string {
	const w, right, top, row = 800, 70.0, 58.0, 22.0
	left := 60.0
	for _, r := range ch.Rows {
		left = max(left, 24+width(r.Label, 11))
	}
	left = min(left, 240)
	base := top + row*float64(len(ch.Rows))
	c := newCanvas(t, w, int(base+50), ch.Title)
	c.text(16, 20, 14, "start", c.t.Ink, 0, clipEnd(ch.Title, w-32, 14))
	lo, hi := 0.0, 0.0
	marks := false
	for _, r := range ch.Rows {
		for _, v := range []float64{r.Value, r.Low, r.High, r.Mark} {
			if finite(v) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
		marks = marks || finite(r.Mark)
	}
	scale := ticks(lo, hi, 8)
	lo, hi = scale[0], scale[len(scale)-1]
	x := func(v float64) float64 { return left + (v-lo)/(hi-lo)*(w-left-right) }
	for _, v := range scale {
		c.line(x(v), top, x(v), base, c.t.Rule)
		c.text(x(v), base+16, 11, "middle", c.t.Ink, 0, tickLabel(v, scale[1]-scale[0]))
	}
	for i, r := range ch.Rows {
		y := top + (float64(i)+0.5)*row
		c.text(left-8, y+4, 11, "end", c.t.Ink, 0, clip(r.Label, left-16, 11))
		title := r.Title
		if title == "" {
			title = fmt.Sprintf("%s: %.4g [%.4g, %.4g]", r.Label, r.Value, r.Low, r.High)
		}
		if !finite(r.Value) {
			c.text(x(0)+5, y+4, 11, "start", c.t.Warn, 0, "× no value")
		} else {
			c.rect(min(x(r.Value), x(0)), y-6, max(math.Abs(x(r.Value)-x(0)), 0.5), 12, Sky, title)
			if finite(r.Low) && finite(r.High) {
				for _, v := range []float64{r.Low, r.High} {
					c.line(x(v), y-4, x(v), y+4, c.t.Ink)
				}
				c.line(x(r.Low), y, x(r.High), y, c.t.Ink)
			}
			c.text(w-right+8, y+4, 11, "start", c.t.Ink, 0, fmt.Sprintf("%.3f", r.Value))
		}
		if finite(r.Mark) {
			c.diamond(x(r.Mark), y, 5, Vermillion, fmt.Sprintf("%s: %.4g (%s)", r.Label, r.Mark, ch.MarkName))
		}
	}
	c.line(x(0), top, x(0), base, c.t.Ink)
	c.text(left+(w-left-right)/2, base+36, 12, "middle", c.t.Ink, 0, ch.XLabel)
	at := left
	if ch.Name != "" {
		c.rect(at, 31, 10, 10, Sky, "")
		c.text(at+15, 40, 11, "start", c.t.Ink, 0, ch.Name)
		at += 35 + width(ch.Name, 11)
	}
	if marks {
		c.diamond(at+5, 36, 5, Vermillion, "")
		c.text(at+15, 40, 11, "start", c.t.Ink, 0, ch.MarkName)
	}
	return c.String()
}

// diamond is a mark that differs from circles and bars in form too.
func (c *canvas) diamond(x, y, r float64, fill, title string) {
	fmt.Fprintf(&c.b, `<polygon points="%s,%s %s,%s %s,%s %s,%s" fill="%s" stroke="%s"`, num(x-r), num(y), num(x), num(y-r), num(x+r), num(y), num(x), num(y+r), c.t.Color(fill), c.t.Ground)
	c.end("polygon", title)
}
