package render

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// builder makes a path of coordinates of an element.
type builder struct {
	s    *style
	path []segment
}

// add appends a segment; the numbers are pairs.
func (b *builder) add(op byte, v ...float64) {
	seg := segment{op: op}
	for i := 0; i < len(v); i += 2 {
		seg.p[i/2] = b.s.place(v[i], v[i+1])
	}
	b.path = append(b.path, seg)
}

// arc is how far the control points of a quarter of a circle are from its ends, in radii.
const arc = 0.5522847498307936

// rect adds a rectangle whose corners are quarters of circles.
func (b *builder) rect(x, y, w, h, r float64) {
	if w <= 0 || h <= 0 {
		return
	}
	rx, ry := min(r, w/2), min(r, h/2)
	if r == 0 {
		b.add('M', x, y)
		b.add('L', x+w, y)
		b.add('L', x+w, y+h)
		b.add('L', x, y+h)
		b.add('Z')
		return
	}
	cx, cy := rx*(1-arc), ry*(1-arc)
	b.add('M', x+rx, y)
	b.add('L', x+w-rx, y)
	b.add('C', x+w-cx, y, x+w, y+cy, x+w, y+ry)
	b.add('L', x+w, y+h-ry)
	b.add('C', x+w, y+h-cy, x+w-cx, y+h, x+w-rx, y+h)
	b.add('L', x+rx, y+h)
	b.add('C', x+cx, y+h, x, y+h-cy, x, y+h-ry)
	b.add('L', x, y+ry)
	b.add('C', x, y+cy, x+cx, y, x+rx, y)
	b.add('Z')
}

// data adds the path of an attribute d.
func (b *builder) data(d string) error {
	s := scanner{text: d}
	var at, first point
	var op byte
	for !s.end() {
		if c := s.text[s.at]; c >= 'A' && c <= 'z' {
			if !strings.ContainsRune("MmLlHhVvCcZz", rune(c)) {
				return fmt.Errorf("the command %q of a path is not known", c)
			}
			op = c
			s.at++
		} else if op == 0 || op == 'Z' || op == 'z' {
			return fmt.Errorf("a path has %.20q where a command was expected", s.text[s.at:])
		}
		if len(b.path) == 0 && op != 'M' && op != 'm' {
			return fmt.Errorf("a path begins with %q; want M", op)
		}
		var v [6]float64
		n := map[byte]int{'M': 2, 'L': 2, 'H': 1, 'V': 1, 'C': 6, 'Z': 0}[op&^0x20]
		for i := range n {
			var ok bool
			if v[i], ok = s.number(); !ok {
				return fmt.Errorf("a path has %.20q where a number was expected", s.text[s.at:])
			}
		}
		base := point{}
		if op >= 'a' {
			base = at
		}
		switch op &^ 0x20 {
		case 'M', 'L':
			at = point{base.x + v[0], base.y + v[1]}
			b.add(op&^0x20, at.x, at.y)
			if op&^0x20 == 'M' {
				first = at
				op-- // further pairs are lines
			}
		case 'H':
			at.x = base.x + v[0]
			b.add('L', at.x, at.y)
		case 'V':
			at.y = base.y + v[0]
			b.add('L', at.x, at.y)
		case 'C':
			b.add('C', base.x+v[0], base.y+v[1], base.x+v[2], base.y+v[3], base.x+v[4], base.y+v[5])
			at = point{base.x + v[4], base.y + v[5]}
		case 'Z':
			b.add('Z')
			at = first
		}
		if !(math.Abs(at.x) <= farthest && math.Abs(at.y) <= farthest) {
			return fmt.Errorf("a path leads to %g, %g, far out of the picture", at.x, at.y)
		}
	}
	return nil
}

// scanner reads numbers that spaces, commas or signs separate.
type scanner struct {
	text string
	at   int
}

// end skips what separates and reports whether nothing follows.
func (s *scanner) end() bool {
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n,", s.text[s.at]) >= 0 {
		s.at++
	}
	return s.at == len(s.text)
}

func (s *scanner) number() (float64, bool) {
	if s.end() {
		return 0, false
	}
	start, i := s.at, s.at
	digits := func() bool {
		from := i
		for i < len(s.text) && s.text[i] >= '0' && s.text[i] <= '9' {
			i++
		}
		return i > from
	}
	sign := func() {
		if i < len(s.text) && (s.text[i] == '+' || s.text[i] == '-') {
			i++
		}
	}
	sign()
	some := digits()
	if i < len(s.text) && s.text[i] == '.' {
		i++
		some = digits() || some
	}
	if !some {
		return 0, false
	}
	if i < len(s.text) && (s.text[i] == 'e' || s.text[i] == 'E') {
		mark := i
		i++
		sign()
		if !digits() {
			i = mark
		}
	}
	v, err := strconv.ParseFloat(s.text[start:i], 64)
	if err != nil || math.Abs(v) > farthest {
		return 0, false
	}
	s.at = i
	return v, true
}

// polyline is a part of a path without curves.
type polyline struct {
	points []point
	closed bool
}

// flatten turns a path into lines, scaled, that are within a tenth of a pixel of its curves.
func flatten(path []segment, scale float64) []polyline {
	var list []polyline
	var line polyline
	end := func() {
		if len(line.points) > 0 {
			list = append(list, line)
		}
		line = polyline{}
	}
	scaled := func(p point) point { return point{p.x * scale, p.y * scale} }
	for _, s := range path {
		switch s.op {
		case 'M':
			end()
			line.points = []point{scaled(s.p[0])}
		case 'L':
			line.points = append(line.points, scaled(s.p[0]))
		case 'C':
			last := line.points[len(line.points)-1]
			line.points = cubic(line.points, last, scaled(s.p[0]), scaled(s.p[1]), scaled(s.p[2]))
		case 'Z':
			if len(line.points) == 0 {
				continue
			}
			first := line.points[0]
			line.closed = true
			end()
			line.points = []point{first} // where a path goes on that has no M
		}
	}
	if n := len(path); n > 0 && path[n-1].op != 'Z' {
		end()
	}
	return list
}

// cubic appends a curve as lines, without its first point.
func cubic(to []point, a, b, c, d point) []point {
	// The second differences bound how far a part of the curve is from its chord.
	bend := max(math.Hypot(a.x-2*b.x+c.x, a.y-2*b.y+c.y), math.Hypot(b.x-2*c.x+d.x, b.y-2*c.y+d.y))
	n := min(max(1, math.Ceil(math.Sqrt(0.75*bend/0.1))), 500)
	for i := 1.0; i < n; i++ {
		t := i / n
		u := 1 - t
		k0, k1, k2, k3 := u*u*u, 3*u*u*t, 3*u*t*t, t*t*t
		to = append(to, point{k0*a.x + k1*b.x + k2*c.x + k3*d.x, k0*a.y + k1*b.y + k2*c.y + k3*d.y})
	}
	return append(to, d)
}
