package svg

import (
	"fmt"
	"math"
	"strings"
)

// BandPoint is a value with an interval.
type BandPoint struct {
	X, Y, Low, High float64
	Title           string // shown under the mouse; default: the numbers
}

// Band is a chart of an estimate that becomes better from left to right: a line with its interval as a band around it. The horizontal axis is logarithmic.
type Band struct {
	Title  string
	XLabel string // with its unit
	YLabel string // with its unit
	Name   string // of the line, for the legend
	Points []BandPoint
	// Mark, if not NaN, draws a horizontal line there, such as a published value, with its name MarkName.
	Mark     float64
	MarkName string
}

// SVG implements Chart.
func (ch Band) SVG() string { return ch.Draw(Light) }

// Draw implements Chart. The picture is 800 pixels wide. Points whose X is not positive or whose Y is not finite are left out.
func (ch Band) Draw(t Theme) string {
	const w, h, left, right, top, bottom = 800, 300, 74.0, 20.0, 58.0, 52.0
	c := newCanvas(t, w, h, ch.Title)
	c.text(left, 20, 14, "start", c.t.Ink, 0, clipEnd(ch.Title, w-left-right, 14))
	var points []BandPoint
	xlo, xhi := math.Inf(1), math.Inf(-1)
	ylo, yhi := xlo, xhi
	for _, p := range ch.Points {
		if !(p.X > 0) || !finite(p.X) || !finite(p.Y) {
			continue
		}
		if !finite(p.Low) || !finite(p.High) {
			p.Low, p.High = p.Y, p.Y
		}
		points = append(points, p)
		xlo, xhi = min(xlo, p.X), max(xhi, p.X)
		ylo, yhi = min(ylo, p.Low), max(yhi, p.High)
	}
	marked := ch.marked()
	if marked {
		ylo, yhi = min(ylo, ch.Mark), max(yhi, ch.Mark)
	}
	if xlo > xhi {
		xlo, xhi = 1, 10
	}
	if ylo > yhi {
		ylo, yhi = 0, 1
	}
	if xhi < 2*xlo {
		xhi = 2 * xlo
	}
	yt := ticks(ylo, yhi, 6)
	ylo, yhi = yt[0], yt[len(yt)-1]
	x := func(v float64) float64 {
		return left + 10 + (math.Log(v)-math.Log(xlo))/(math.Log(xhi)-math.Log(xlo))*(w-left-right-20)
	}
	y := func(v float64) float64 { return h - bottom - (v-ylo)/(yhi-ylo)*(h-bottom-top) }
	for _, v := range yt {
		c.line(left, y(v), w-right, y(v), c.t.Rule)
		c.text(left-6, y(v)+4, 11, "end", c.t.Ink, 0, tickLabel(v, yt[1]-yt[0]))
	}
	c.logAxis(x, xlo, xhi, h-bottom)
	c.line(left, h-bottom, w-right, h-bottom, c.t.Ink)
	c.text(left+(w-left-right)/2, h-14, 12, "middle", c.t.Ink, 0, ch.XLabel)
	c.text(18, top+(h-bottom-top)/2, 12, "middle", c.t.Ink, -90, ch.YLabel)
	if len(points) > 0 {
		var area, line strings.Builder
		for _, p := range points {
			fmt.Fprintf(&area, "%s,%s ", num(x(p.X)), num(y(p.High)))
			fmt.Fprintf(&line, "%s,%s ", num(x(p.X)), num(y(p.Y)))
		}
		for i := len(points) - 1; i >= 0; i-- {
			fmt.Fprintf(&area, "%s,%s ", num(x(points[i].X)), num(y(points[i].Low)))
		}
		fmt.Fprintf(&c.b, `<polygon points="%s" fill="%s" fill-opacity="0.2"/>`, strings.TrimSpace(area.String()), c.t.Color(Blue))
		fmt.Fprintf(&c.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`, strings.TrimSpace(line.String()), c.t.Color(Blue))
		for _, p := range points {
			title := p.Title
			if title == "" {
				title = fmt.Sprintf("%.6g: %.4g [%.4g, %.4g]", p.X, p.Y, p.Low, p.High)
			}
			c.circle(x(p.X), y(p.Y), 2.5, Blue, title)
		}
	}
	if marked {
		c.dashed(left, y(ch.Mark), w-right, y(ch.Mark), Vermillion)
	}
	// The legend is above the plot, where no line runs into it.
	at := left
	if ch.Name != "" {
		c.rect(at, 31, 10, 10, Blue, "")
		c.text(at+15, 40, 11, "start", c.t.Ink, 0, ch.Name)
		at += 35 + width(ch.Name, 11)
	}
	if marked {
		c.dashed(at, 36, at+20, 36, Vermillion)
		c.text(at+25, 40, 11, "start", c.t.Ink, 0, ch.MarkName)
	}
	return c.String()
}

func (ch Band) marked() bool { return finite(ch.Mark) && ch.MarkName != "" }

// dashed draws a line that differs from others in more than its colour.
func (c *canvas) dashed(x1, y1, x2, y2 float64, stroke string) {
	fmt.Fprintf(&c.b, `<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s" stroke-width="1.5" stroke-dasharray="6 4"/>`, num(x1), num(y1), num(x2), num(y2), c.t.Color(stroke))
}

// logAxis draws the ticks of a logarithmic horizontal axis at the height y; x places a value.
func (c *canvas) logAxis(x func(float64) float64, lo, hi, y float64) {
	last := math.Inf(-1)
	for _, v := range logTicks(lo, hi) {
		c.line(x(v), y, x(v), y+4, c.t.Ink)
		if label := fmt.Sprintf("%.6g", v); x(v)-last > width(label, 11)+8 {
			c.text(x(v), y+17, 11, "middle", c.t.Ink, 0, label)
			last = x(v)
		}
	}
}

// logTicks are 1, 2 and 5 in each power of ten, from lo to hi.
func logTicks(lo, hi float64) []float64 {
	var list []float64
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi)); e++ {
		for _, m := range []float64{1, 2, 5} {
			if v := m * math.Pow(10, e); v >= lo*(1-1e-9) && v <= hi*(1+1e-9) {
				list = append(list, v)
			}
		}
	}
	return list
}
