package render

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/vector"
)

// mostDots bounds the size of PNG files.
const mostDots = 1e8

// PNG writes the picture with scale dots a pixel in each direction: 2 is what fine screens show, 3.125 is 300 dots an inch. The bytes depend on the picture and the scale only. It fails on pictures of more than 100 million dots, and where w does.
func (p *Picture) PNG(w io.Writer, scale float64) error {
	img, err := p.Image(scale)
	if err != nil {
		return err
	}
	return (&png.Encoder{CompressionLevel: png.DefaultCompression}).Encode(w, img)
}

// Image draws the picture, as PNG does.
func (p *Picture) Image(scale float64) (*image.RGBA, error) {
	if !(scale > 0) || p.Width*scale*p.Height*scale > mostDots {
		return nil, fmt.Errorf("render: a picture of %g x %g pixels at a scale of %g is not possible; want a scale above 0 and at most %g dots", p.Width, p.Height, scale, float64(mostDots))
	}
	c := canvas{img: image.NewRGBA(image.Rect(0, 0, max(1, int(math.Round(p.Width*scale))), max(1, int(math.Round(p.Height*scale))))), scale: scale}
	for i := range p.shapes {
		c.shape(&p.shapes[i])
	}
	return c.img, nil
}

type canvas struct {
	img   *image.RGBA
	scale float64
	z     vector.Rasterizer
}

func (c *canvas) shape(s *shape) {
	if s.label != nil {
		if s.fill.A > 0 && s.label.size > 0 {
			c.fill(s.label.outline(c.scale), s.fill)
		}
		return
	}
	lines := flatten(s.path, c.scale)
	if s.fill.A > 0 {
		c.fill(lines, s.fill)
	}
	if s.stroke.A > 0 && s.width > 0 {
		scaled := make([]float64, len(s.dash))
		for i, v := range s.dash {
			scaled[i] = v * c.scale
		}
		bounds := c.img.Bounds()
		k := stroker{half: s.width * c.scale / 2, round: s.round, right: float64(bounds.Max.X), bottom: float64(bounds.Max.Y)}
		for _, l := range lines {
			k.stroke(l, scaled)
		}
		c.fill(k.parts, s.stroke)
	}
}

// outline is the text as lines.
func (l *label) outline(scale float64) []polyline {
	size := l.size * scale
	sin, cos := math.Sincos(l.angle * math.Pi / 180)
	pen := -l.anchor * l.width() * scale
	var list []polyline
	for _, r := range l.text {
		g := letter(r)
		for _, line := range flatten(g.outline, size) {
			for i, p := range line.points {
				x := pen + p.x
				line.points[i] = point{l.at.x*scale + cos*x - sin*p.y, l.at.y*scale + sin*x + cos*p.y}
			}
			list = append(list, line)
		}
		pen += g.advance * size
	}
	return list
}

// fill fills polygons by the rule nonzero.
func (c *canvas) fill(lines []polyline, col color.NRGBA) {
	lo, hi := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, l := range lines {
		for _, p := range l.points {
			lo, hi = point{min(lo.x, p.x), min(lo.y, p.y)}, point{max(hi.x, p.x), max(hi.y, p.y)}
		}
	}
	all := c.img.Bounds()
	floor := func(v float64) int { return int(math.Floor(min(max(v, -1), 1e6))) }
	box := image.Rect(floor(lo.x), floor(lo.y), floor(hi.x)+1, floor(hi.y)+1).Intersect(all)
	if box.Empty() {
		return
	}
	// Only as large as the shape: most are small.
	c.z.Reset(box.Dx(), box.Dy())
	x0, y0 := float64(box.Min.X), float64(box.Min.Y)
	for _, l := range lines {
		for i, p := range l.points {
			// What is far outside of the picture is cut off at a distance, within the rasterizer's range.
			x, y := float32(min(max(p.x-x0, -1e5), 1e5)), float32(min(max(p.y-y0, -1e5), 1e5))
			if i == 0 {
				c.z.MoveTo(x, y)
			} else {
				c.z.LineTo(x, y)
			}
		}
		c.z.ClosePath()
	}
	c.z.DrawOp = draw.Over
	c.z.Draw(c.img, box, image.NewUniform(col), image.Point{})
}

// stroker makes the outlines of strokes: polygons that all turn the same way, so that they fill what they cover together.
type stroker struct {
	half          float64 // of the width
	round         bool
	right, bottom float64 // of the picture
	parts         []polyline
}

// stroke adds a line, in dashes if there are any.
func (k *stroker) stroke(l polyline, dash []float64) {
	pts := l.points[:1:1]
	for _, p := range l.points[1:] {
		if p != pts[len(pts)-1] {
			pts = append(pts, p)
		}
	}
	if l.closed && len(pts) > 1 && pts[len(pts)-1] == pts[0] {
		pts = pts[:len(pts)-1]
	}
	if len(pts) == 1 {
		// A line without length has ends only.
		if k.round {
			k.disc(pts[0])
		}
		return
	}
	if len(dash) == 0 {
		k.solid(pts, l.closed)
		return
	}
	if l.closed {
		pts = append(pts, pts[0])
	}
	part := []point{pts[0]}
	at, left := 0, dash[0]
	for i := 1; i < len(pts); i++ {
		a, b := pts[i-1], pts[i]
		length := math.Hypot(b.x-a.x, b.y-a.y)
		if k.outside(a, b) {
			// Dashes that nobody sees may be many.
			part, at, left = []point{b}, 0, dash[0]
			continue
		}
		done := 0.0
		for length-done > left {
			done += left
			p := point{a.x + (b.x-a.x)*done/length, a.y + (b.y-a.y)*done/length}
			if at%2 == 0 {
				k.solid(append(part, p), false)
			}
			part = []point{p}
			at = (at + 1) % len(dash)
			left = dash[at]
		}
		left -= length - done
		if at%2 == 0 {
			part = append(part, b)
		}
	}
	if at%2 == 0 && len(part) > 1 {
		k.solid(part, false)
	}
}

// outside reports whether a line is on one side of the picture.
func (k *stroker) outside(a, b point) bool {
	m := k.half
	return a.x < -m && b.x < -m || a.y < -m && b.y < -m || a.x > k.right+m && b.x > k.right+m || a.y > k.bottom+m && b.y > k.bottom+m
}

// solid adds a line of at least two points, each unlike the one before.
func (k *stroker) solid(pts []point, closed bool) {
	n := len(pts)
	ends := n - 1
	if closed {
		ends = n
	}
	for i := range ends {
		a, b := pts[i], pts[(i+1)%n]
		o := k.normal(a, b)
		k.add(point{a.x + o.x, a.y + o.y}, point{b.x + o.x, b.y + o.y}, point{b.x - o.x, b.y - o.y}, point{a.x - o.x, a.y - o.y})
	}
	for i := range pts {
		if closed || i > 0 && i < n-1 {
			k.join(pts[(i+n-1)%n], pts[i], pts[(i+1)%n])
		}
	}
	if k.round && !closed {
		k.disc(pts[0])
		k.disc(pts[n-1])
	}
}

// normal is across a line, half its width long.
func (k *stroker) normal(a, b point) point {
	length := math.Hypot(b.x-a.x, b.y-a.y)
	return point{-(b.y - a.y) / length * k.half, (b.x - a.x) / length * k.half}
}

// miterLimit is that of SVG: corners whose tips were longer, in widths of the stroke, are cut off.
const miterLimit = 4

// join fills the outer side of a corner.
func (k *stroker) join(a, b, c point) {
	u, v := k.normal(a, b), k.normal(b, c)
	if u.x*v.y-u.y*v.x > 0 { // the corner turns towards the normals: its outer side is the other
		u, v = point{-u.x, -u.y}, point{-v.x, -v.y}
	}
	p, q := point{b.x + u.x, b.y + u.y}, point{b.x + v.x, b.y + v.y}
	mid := point{u.x + v.x, u.y + v.y}
	square := mid.x*mid.x + mid.y*mid.y
	// The tip is at mid·2h²/|mid|², at a distance of 2h²/|mid| of the corner.
	if tip := 2 * k.half * k.half / math.Sqrt(square); square > 0 && tip <= miterLimit*k.half {
		f := 2 * k.half * k.half / square
		k.add(b, p, point{b.x + mid.x*f, b.y + mid.y*f}, q)
		return
	}
	k.add(b, p, q)
}

// disc adds a circle.
func (k *stroker) disc(at point) {
	n := int(min(max(12, math.Ceil(4*math.Sqrt(k.half)*2)), 200))
	pts := make([]point, n)
	for i := range pts {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		pts[i] = point{at.x + k.half*cos, at.y + k.half*sin}
	}
	k.add(pts...)
}

// add keeps a polygon, turned the way that all are.
func (k *stroker) add(pts ...point) {
	area := 0.0
	for i, p := range pts {
		q := pts[(i+1)%len(pts)]
		area += p.x*q.y - q.x*p.y
	}
	if area < 0 {
		for i, j := 0, len(pts)-1; i < j; i, j = i+1, j-1 {
			pts[i], pts[j] = pts[j], pts[i]
		}
	}
	k.parts = append(k.parts, polyline{points: pts, closed: true})
}
