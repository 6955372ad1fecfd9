package net

import (
	"fmt"
	"math"
	"strings"
)

// colors are Okabe and Ito's, which colour-blind readers can tell apart, by kind of layer; ink is what reads on them.
func (o Op) colors() (fill, ink string) {
	switch o {
	case Conv:
		return "#56B4E9", "#000000"
	case Linear:
		return "#009E73", "#000000"
	case BatchNorm:
		return "#F0E442", "#000000"
	case ReLU, Sigmoid:
		return "#E69F00", "#000000"
	case AvgPool, MaxPool, GlobalAvgPool:
		return "#CC79A7", "#000000"
	case Zero:
		return "#DDDDDD", "#000000"
	case Input:
		return "#0072B2", "#FFFFFF"
	}
	return "#FFFFFF", "#000000"
}

// DOT is the network in Graphviz's language, with the colours of SVG. n must be valid.
func (n *Network) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph network {\n  label=%q;\n  node [shape=box, style=\"filled,rounded\", fontname=Helvetica, fontsize=10];\n", n.Name)
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		fill, ink := nd.Op.colors()
		fmt.Fprintf(&b, "  n%d [label=%q, tooltip=%q, fillcolor=%q, fontcolor=%q];\n", i, nd.describe()+"\n"+nd.Shape.String(), nd.Name, fill, ink)
		for _, j := range nd.In {
			fmt.Fprintf(&b, "  n%d -> n%d;\n", j, i)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// Sizes of SVG's drawing, in pixels.
const (
	boxW, boxH = 132, 20
	gapX, gapY = 14, 20
	pitch      = boxH + gapY
	margin     = 16
	titleH     = 24
	lane       = 6  // between lines that lead from one column to the next
	columnGap  = 36 // without those lines
	glyphW     = 6.6
)

// SVG draws the network as a self-contained picture: a box a layer, in rows by their distance from the input, wrapped into columns that are read from left to right. Colours tell the kinds of layers apart; the mouse over a box shows its name and shape. The picture has its own background, so it reads on light and dark pages. n must be valid.
func (n *Network) SVG() string {
	l := layOut(n)
	// As many rows as make a picture somewhat wider than high, if columns are two boxes wide.
	rows := max(28, int(math.Sqrt(float64(len(l.ranks))*5)))
	first := l.columns(rows)

	column := make([]int, len(l.ranks))
	lanes := 1
	for c, f := range first {
		for r := f; r < len(l.ranks); r++ {
			column[r] = c
		}
		if c > 0 {
			lanes = max(lanes, len(l.crossing(f)))
		}
	}
	// shift moves each column's spots to where the column stands.
	shift := make([]float64, len(first))
	left := make([]float64, len(first)+1)
	left[0] = margin
	for c := range first {
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := range l.spots {
			if s := &l.spots[i]; column[s.rank] == c {
				lo, hi = min(lo, s.x-s.width()/2), max(hi, s.x+s.width()/2)
			}
		}
		shift[c] = left[c] - lo
		left[c+1] = left[c] + hi - lo + columnGap + float64(lanes*lane)
	}
	top := margin + titleH
	if len(first) > 1 {
		top += lanes * lane
	}
	tallest := 0
	for c, f := range first {
		end := len(l.ranks)
		if c+1 < len(first) {
			end = first[c+1]
		}
		tallest = max(tallest, end-f)
	}
	x := func(s int) int { return int(math.Round(l.spots[s].x + shift[column[l.spots[s].rank]])) }
	y := func(s int) int { r := l.spots[s].rank; return top + (r-first[column[r]])*pitch }

	w := max(320, int(left[len(first)])-columnGap-lanes*lane+margin)
	h := top + tallest*pitch - gapY + margin
	if len(first) > 1 {
		h += gapY + lanes*lane
	}
	title := []rune(n.Name)
	if most := int(float64(w-2*margin) / glyphW); len(title) > most {
		title = append(title[:most-1], '…')
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif"><title>%s</title>`, w, h, w, h, escape(n.Name))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#FFFFFF"/><text x="%d" y="%d" font-size="12" fill="#222222">%s</text>`, w, h, margin, margin+6, escape(string(title)))
	if len(l.far) > 0 {
		b.WriteString(`<path d="`)
		for _, e := range l.far {
			fmt.Fprintf(&b, "M%d %dL%d %d", x(e[0]), y(e[0])+boxH, x(e[1]), y(e[1]))
		}
		b.WriteString(`" fill="none" stroke="#CCCCCC"/>`)
	}
	var lines, heads strings.Builder
	for c := range first {
		if c == 0 {
			continue
		}
		for k, s := range l.crossing(first[c]) {
			side := int(left[c]) - columnGap/2 - k*lane
			for _, t := range l.spots[s].down {
				fmt.Fprintf(&lines, "M%d %dV%dH%dV%dH%dV%d", x(s), y(s)+boxH, y(s)+boxH+gapY/2+k*lane, side, top-gapY/2-k*lane, x(t), y(t))
			}
		}
	}
	for i := range l.spots {
		s := &l.spots[i]
		if s.pass {
			fmt.Fprintf(&lines, "M%d %dv%d", x(i), y(i), boxH)
		} else if len(s.up) > 0 {
			fmt.Fprintf(&heads, "M%d %dl3 5l3 -5z", x(i)-3, y(i)-5)
		}
		for _, t := range s.down {
			if column[s.rank] != column[s.rank+1] {
				break
			}
			y1, y2 := y(i)+boxH, y(t)
			fmt.Fprintf(&lines, "M%d %dC%d %d %d %d %d %d", x(i), y1, x(i), y1+gapY*2/3, x(t), y2-gapY*2/3, x(t), y2)
		}
	}
	fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="#555555"/><path d="%s" fill="#555555"/>`, lines.String(), heads.String())
	for i := range l.spots {
		s := &l.spots[i]
		if s.pass {
			continue
		}
		nd := &n.Nodes[s.node]
		fill, ink := nd.Op.colors()
		tip := strings.TrimSpace(nd.Name + " " + nd.describe() + " " + nd.Shape.String())
		fmt.Fprintf(&b, `<g><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="4" fill="%s" stroke="#555555"/><text x="%d" y="%d" font-size="11" text-anchor="middle" fill="%s">%s</text></g>`, escape(tip), x(i)-boxW/2, y(i), boxW, boxH, fill, x(i), y(i)+14, ink, escape(nd.describe()))
	}
	b.WriteString("</svg>")
	return b.String()
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// escape makes text safe in XML, which knows no control characters.
func escape(s string) string {
	return escaper.Replace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xFFFE || r == 0xFFFF {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
}
