package svg

import (
	"fmt"
	"math"
	"strings"
)

// Black is the eighth colour of Okabe and Ito's palette.
const Black = "#000000"

// Line is a named line of a Lines chart.
type Line struct {
	Name  string
	Color string // default: by its place, dashed from the ninth line on
	// Points in the order in which they are joined; those that cannot be drawn are left out. Low and High are drawn where Band is set.
	Points []BandPoint
	// Band draws Low to High as a pale area: an interval.
	Band bool
	// Step keeps Y until the next point changes it.
	Step bool
	// Marks draws a mark with a title at each point, as a diamond.
	Marks bool
	// Apart leaves the points unjoined.
	Apart bool

	dashed bool
}

// Cloud is a layer of many small dots below the lines. They have no titles and take about 14 bytes each.
type Cloud struct {
	Name   string
	Color  string
	X, Y   []float64 // dots that cannot be drawn are left out
	Radius float64   // pixels; default 1.5
}

// Guide is a named dashed line across a Lines chart: a limit or a published value.
type Guide struct {
	Name     string
	At       float64
	Vertical bool
}

// Lines is a chart of lines over clouds of dots, whose axes fit what is drawn.
type Lines struct {
	Title  string
	XLabel string // with its unit
	YLabel string // with its unit
	// LogX and LogY make an axis logarithmic: what is not positive cannot be drawn.
	LogX, LogY bool

	Clouds []Cloud
	Lines  []Line
	Guides []Guide
	Height int // pixels; default 320
}

// frame is a plot's place and the range of its axes.
type frame struct {
	left, right, top, bottom float64 // pixels
	xlo, xhi, ylo, yhi       float64
	logX, logY               bool
}

func (f *frame) shows(x, y float64) bool { return f.showsX(x) && f.showsY(y) }

func (f *frame) showsX(x float64) bool { return finite(x) && (!f.logX || x > 0) }

func (f *frame) showsY(y float64) bool { return finite(y) && (!f.logY || y > 0) }

func (f *frame) take(x, y float64) {
	f.xlo, f.xhi = min(f.xlo, x), max(f.xhi, x)
	f.ylo, f.yhi = min(f.ylo, y), max(f.yhi, y)
}

func (f *frame) x(v float64) float64 {
	return f.left + 10 + part(v, f.xlo, f.xhi, f.logX)*(f.right-f.left-20)
}

func (f *frame) y(v float64) float64 {
	return f.bottom - part(v, f.ylo, f.yhi, f.logY)*(f.bottom-f.top)
}

// part is how far v is from lo to hi.
func part(v, lo, hi float64, logarithmic bool) float64 {
	if logarithmic {
		v, lo, hi = math.Log(v), math.Log(lo), math.Log(hi)
	}
	return (v - lo) / (hi - lo)
}

// SVG implements Chart.
func (ch Lines) SVG() string { return ch.Draw(Light) }

// Draw implements Chart. The picture is 800 pixels wide.
func (ch Lines) Draw(t Theme) string {
	const w = 800
	h := ch.Height
	if h == 0 {
		h = 320
	}
	f := &frame{left: 74, right: w - 20, logX: ch.LogX, logY: ch.LogY, xlo: math.Inf(1), xhi: math.Inf(-1), ylo: math.Inf(1), yhi: math.Inf(-1)}
	lines := ch.fit(f)
	items := ch.items(lines)
	rows := place(items, f.left, f.right)
	f.top, f.bottom = 40+16*float64(rows), float64(h)-52
	c := newCanvas(t, w, h, ch.Title)
	c.text(f.left, 20, 14, "start", c.t.Ink, 0, clipEnd(ch.Title, f.right-f.left, 14))
	ch.axes(c, f)
	for _, cl := range ch.Clouds {
		c.cloud(f, cl)
	}
	for _, l := range lines {
		if l.Band {
			c.area(f, l)
		}
	}
	for _, g := range ch.Guides {
		switch {
		case g.Vertical && !f.showsX(g.At), !g.Vertical && !f.showsY(g.At):
		case g.Vertical:
			c.dashed(f.x(g.At), f.top, f.x(g.At), f.bottom, Vermillion)
		default:
			c.dashed(f.left, f.y(g.At), f.right, f.y(g.At), Vermillion)
		}
	}
	for _, l := range lines {
		c.polyline(f, l)
	}
	for _, it := range items {
		it.draw(c)
	}
	return c.String()
}

// fit makes the axes hold everything, and returns the lines with what can be drawn of them, and colours.
func (ch Lines) fit(f *frame) []Line {
	lines := make([]Line, len(ch.Lines))
	for i, l := range ch.Lines {
		if l.Color == "" {
			l.Color, l.dashed = Light.Palette[i%len(Light.Palette)], i >= len(Light.Palette)
		}
		var points []BandPoint
		for _, p := range l.Points {
			if !f.shows(p.X, p.Y) {
				continue
			}
			if !l.Band || !finite(p.Low) || !finite(p.High) {
				p.Low, p.High = p.Y, p.Y
			}
			f.take(p.X, p.Y)
			if f.showsY(p.High) {
				f.take(p.X, p.High)
			}
			if !f.logY {
				f.take(p.X, p.Low) // near 0 it would stretch a logarithmic axis without end
			}
			points = append(points, p)
		}
		l.Points = points
		lines[i] = l
	}
	for _, cl := range ch.Clouds {
		for i, x := range cl.X {
			if f.shows(x, cl.Y[i]) {
				f.take(x, cl.Y[i])
			}
		}
	}
	if f.xlo > f.xhi {
		f.xlo, f.xhi, f.ylo, f.yhi = 1, 10, 1, 10
	}
	for _, g := range ch.Guides {
		switch {
		case g.Vertical && f.showsX(g.At):
			f.take(g.At, f.ylo)
		case !g.Vertical && f.showsY(g.At):
			f.take(f.xlo, g.At)
		}
	}
	if ch.LogX {
		f.xhi = max(f.xhi, 2*f.xlo)
	}
	if ch.LogY {
		f.yhi = max(f.yhi, 2*f.ylo)
	}
	return lines
}

// axes draws them and widens the ranges to whole ticks, but for a logarithmic axis.
func (ch Lines) axes(c *canvas, f *frame) {
	across := func(v float64, label string) {
		c.line(f.left, f.y(v), f.right, f.y(v), c.t.Rule)
		c.text(f.left-6, f.y(v)+4, 11, "end", c.t.Ink, 0, label)
	}
	if ch.LogY {
		last := math.Inf(1)
		for _, v := range logTicks(f.ylo, f.yhi) {
			if last-f.y(v) >= 14 {
				across(v, fmt.Sprintf("%.6g", v))
				last = f.y(v)
			}
		}
	} else {
		yt := ticks(f.ylo, f.yhi, 6)
		f.ylo, f.yhi = yt[0], yt[len(yt)-1]
		for _, v := range yt {
			across(v, tickLabel(v, yt[1]-yt[0]))
		}
	}
	if ch.LogX {
		c.logAxis(f.x, f.xlo, f.xhi, f.bottom)
	} else {
		xt := ticks(f.xlo, f.xhi, 9)
		f.xlo, f.xhi = xt[0], xt[len(xt)-1]
		for _, v := range xt {
			c.line(f.x(v), f.bottom, f.x(v), f.bottom+4, c.t.Ink)
			c.text(f.x(v), f.bottom+17, 11, "middle", c.t.Ink, 0, tickLabel(v, xt[1]-xt[0]))
		}
	}
	c.line(f.left, f.bottom, f.right, f.bottom, c.t.Ink)
	c.text((f.left+f.right)/2, f.bottom+38, 12, "middle", c.t.Ink, 0, ch.XLabel)
	c.text(18, (f.top+f.bottom)/2, 12, "middle", c.t.Ink, -90, ch.YLabel)
}

// cloud draws dots without titles.
func (c *canvas) cloud(f *frame, cl Cloud) {
	var path strings.Builder
	for i, x := range cl.X {
		if f.shows(x, cl.Y[i]) {
			speck(&path, f.x(x), f.y(cl.Y[i]))
		}
	}
	if path.Len() == 0 {
		return
	}
	radius := cl.Radius
	if radius == 0 {
		radius = 1.5
	}
	c.specks(path.String(), cl.Color, radius)
}

func (c *canvas) area(f *frame, l Line) {
	if len(l.Points) < 2 {
		return
	}
	var edge strings.Builder
	to := func(x, y float64) {
		// On a logarithmic axis the lower ends of intervals may lie below it.
		fmt.Fprintf(&edge, "%s,%s ", num(f.x(x)), num(f.y(max(y, f.ylo))))
	}
	for i, p := range l.Points {
		if l.Step && i > 0 {
			to(p.X, l.Points[i-1].High)
		}
		to(p.X, p.High)
	}
	for i := len(l.Points) - 1; i >= 0; i-- {
		p := l.Points[i]
		to(p.X, p.Low)
		if l.Step && i > 0 {
			to(p.X, l.Points[i-1].Low)
		}
	}
	fmt.Fprintf(&c.b, `<polygon points="%s" fill="%s" fill-opacity="0.15"/>`, strings.TrimSpace(edge.String()), c.t.Color(l.Color))
}

func (c *canvas) polyline(f *frame, l Line) {
	if len(l.Points) > 1 && !l.Apart {
		var way strings.Builder
		for i, p := range l.Points {
			if l.Step && i > 0 {
				fmt.Fprintf(&way, "%s,%s ", num(f.x(p.X)), num(f.y(l.Points[i-1].Y)))
			}
			fmt.Fprintf(&way, "%s,%s ", num(f.x(p.X)), num(f.y(p.Y)))
		}
		fmt.Fprintf(&c.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"`, strings.TrimSpace(way.String()), c.t.Color(l.Color))
		if l.dashed {
			c.b.WriteString(` stroke-dasharray="8 3"`)
		}
		c.end("polyline", l.Name)
	}
	for _, p := range l.Points {
		title := p.Title
		switch {
		case title == "" && l.Band:
			title = fmt.Sprintf("%s: %.6g, %.4g [%.4g, %.4g]", l.Name, p.X, p.Y, p.Low, p.High)
		case title == "":
			title = fmt.Sprintf("%s: %.6g, %.6g", l.Name, p.X, p.Y)
		}
		switch {
		case l.Marks:
			c.diamond(f.x(p.X), f.y(p.Y), 4, l.Color, title)
		case p.Title != "" || len(l.Points) == 1:
			c.circle(f.x(p.X), f.y(p.Y), 2.5, l.Color, title)
		}
	}
}

// item is an entry of the legend.
type item struct {
	name string
	mark func(c *canvas, x, y float64) // 20 pixels wide
	x, y float64
}

func (it *item) draw(c *canvas) {
	it.mark(c, it.x, it.y)
	c.text(it.x+26, it.y+4, 11, "start", c.t.Ink, 0, it.name)
}

// items are what the legend explains: everything that has a name.
func (ch Lines) items(lines []Line) []*item {
	var list []*item
	for _, cl := range ch.Clouds {
		list = append(list, &item{name: cl.Name, mark: func(c *canvas, x, y float64) { c.circle(x+10, y, 3, cl.Color, "") }})
	}
	for _, l := range lines {
		list = append(list, &item{name: l.Name, mark: func(c *canvas, x, y float64) {
			switch {
			case l.Apart:
			case l.dashed:
				c.rect(x, y-1, 8, 2, l.Color, "")
				c.rect(x+11, y-1, 8, 2, l.Color, "")
			default:
				c.rect(x, y-1, 20, 2, l.Color, "")
			}
			if l.Marks {
				c.diamond(x+10, y, 4, l.Color, "")
			}
		}})
	}
	for _, g := range ch.Guides {
		list = append(list, &item{name: g.Name, mark: func(c *canvas, x, y float64) { c.dashed(x, y, x+20, y, Vermillion) }})
	}
	var named []*item
	for _, it := range list {
		if it.name != "" {
			named = append(named, it)
		}
	}
	return named
}

// place sets the entries of a legend in rows and returns how many there are.
func place(items []*item, left, right float64) (rows int) {
	if len(items) == 0 {
		return 0
	}
	rows = 1
	x := left
	for _, it := range items {
		wide := 44 + width(it.name, 11)
		if x > left && x+wide > right {
			x = left
			rows++
		}
		it.x, it.y = x, 36+16*float64(rows-1)
		x += wide
	}
	return rows
}
