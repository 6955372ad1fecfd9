package net

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
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
		fmt.Fprintf(&b, "  n%d [label=%q, tooltip=%q, fillcolor=%q, fontcolor=%q];\n", i, nd.Label()+"\n"+nd.Shape.String(), nd.Name, fill, ink)
		for _, j := range nd.In {
			fmt.Fprintf(&b, "  n%d -> n%d;\n", j, i)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// Sizes of drawings, in pixels.
const (
	boxW, boxH = 132, 20
	gapX, gapY = 14, 20
	pitch      = boxH + gapY
	margin     = 16
	lineH      = 16 // of a title
	lane       = 6  // between lines that lead from one column to the next
	columnGap  = 36 // without those lines
	// Widths of a letter of titles (12 pixels high) and of labels (11), in the widest of the fonts that stand in for Helvetica.
	titleGlyph = 7.2
	labelGlyph = 6.4
	titleLines = 6 // at most
)

// boxWidth is the width of a box with a label: boxW for almost all, so that columns are straight.
func boxWidth(label string) int {
	return max(boxW, int(labelGlyph*float64(utf8.RuneCountInString(label)))+10)
}

// wrap cuts a title into lines of at most most letters, where it can behind a mark that ends a part of an architecture. A title of too many lines ends in an ellipsis.
func wrap(title string, most int) []string {
	var lines []string
	rest := []rune(title)
	for len(rest) > most && len(lines) < titleLines-1 {
		cut := most
		for k := most; k > most/2; k-- {
			if strings.ContainsRune("|+,;):_- ", rest[k-1]) {
				cut = k
				break
			}
		}
		lines = append(lines, string(rest[:cut]))
		rest = rest[cut:]
	}
	if len(rest) > most {
		rest = append(rest[:most-1], '…')
	}
	return append(lines, string(rest))
}

// SVG draws the network as a self-contained picture: a box a layer, in rows by their distance from the input, wrapped into columns that are read from left to right. Colours tell the kinds of layers apart; the mouse over a box shows its name and shape. The picture has its own background, so it reads on light and dark pages. n must be valid.
func (n *Network) SVG() string {
	var f figure
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		fill, ink := nd.Op.colors()
		f = append(f, box{in: nd.In, label: nd.Label(), tip: strings.TrimSpace(nd.Name + " " + nd.Label() + " " + nd.Shape.String()), fill: fill, ink: ink, width: boxWidth(nd.Label())})
	}
	return picture(n.Name, f)
}

// picture puts figures beside each other under a title.
func picture(title string, figures ...figure) string {
	var body strings.Builder
	w, h := margin, 0
	for i, f := range figures {
		if i > 0 {
			w += columnGap
		}
		fw, fh := f.draw(&body, w, 0)
		w, h = w+fw, max(h, fh)
	}
	w = max(320, w+margin)
	lines := wrap(title, int(float64(w-2*margin)/titleGlyph))
	top := margin + 8 + lineH*len(lines)
	h += top + margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif"><title>%s</title>`, w, h, w, h, escape(title))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#FFFFFF"/>`, w, h)
	for i, line := range lines {
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-size="12" fill="#222222">%s</text>`, margin, margin+6+lineH*i, escape(line))
	}
	fmt.Fprintf(&b, `<g transform="translate(0,%d)">%s</g></svg>`, top, body.String())
	return b.String()
}

// box is a node of a figure. in holds the indices of the boxes that lead to it, all smaller than its own.
type box struct {
	in         []int
	label, tip string
	fill, ink  string // colours
	width      int    // pixels
	round      bool   // a pill rather than a box
	faint      bool   // dashed, as are the lines to and from it
}

// figure is a graph to be drawn.
type figure []box

// draw writes the figure with its upper left corner at left, top, and returns its width and height.
func (f figure) draw(b *strings.Builder, left, top int) (width, height int) {
	if len(f) == 0 {
		return 0, 0
	}
	l := layOut(f)
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
	edge := make([]float64, len(first)+1) // left edges of the columns
	edge[0] = float64(left)
	for c := range first {
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := range l.spots {
			if s := &l.spots[i]; column[s.rank] == c {
				lo, hi = min(lo, s.x-s.width/2), max(hi, s.x+s.width/2)
			}
		}
		shift[c] = edge[c] - lo
		edge[c+1] = edge[c] + hi - lo + columnGap + float64(lanes*lane)
	}
	if len(first) > 1 {
		top += lanes * lane
		height = 2*lanes*lane + gapY
	}
	tallest := 0
	for c, f := range first {
		end := len(l.ranks)
		if c+1 < len(first) {
			end = first[c+1]
		}
		tallest = max(tallest, end-f)
	}
	width = int(math.Ceil(edge[len(first)])) - columnGap - lanes*lane - left
	height += tallest*pitch - gapY
	x := func(s int) int { return int(math.Round(l.spots[s].x + shift[column[l.spots[s].rank]])) }
	y := func(s int) int { r := l.spots[s].rank; return top + (r-first[column[r]])*pitch }

	if len(l.far) > 0 {
		b.WriteString(`<path d="`)
		for _, e := range l.far {
			fmt.Fprintf(b, "M%d %dL%d %d", x(e[0]), y(e[0])+boxH, x(e[1]), y(e[1]))
		}
		b.WriteString(`" fill="none" stroke="#CCCCCC"/>`)
	}
	var solid, dashed, heads strings.Builder
	lines := func(from, to int) *strings.Builder {
		if f[l.spots[from].node].faint || f[l.spots[to].node].faint {
			return &dashed
		}
		return &solid
	}
	for c := range first {
		if c == 0 {
			continue
		}
		for k, s := range l.crossing(first[c]) {
			side := int(edge[c]) - columnGap/2 - k*lane
			for _, t := range l.spots[s].down {
				fmt.Fprintf(lines(s, t), "M%d %dV%dH%dV%dH%dV%d", x(s), y(s)+boxH, y(s)+boxH+gapY/2+k*lane, side, top-gapY/2-k*lane, x(t), y(t))
			}
		}
	}
	for i := range l.spots {
		s := &l.spots[i]
		if s.pass {
			fmt.Fprintf(lines(i, i), "M%d %dv%d", x(i), y(i), boxH)
		} else if len(s.up) > 0 {
			fmt.Fprintf(&heads, "M%d %dl3 5l3 -5z", x(i)-3, y(i)-5)
		}
		for _, t := range s.down {
			if column[s.rank] != column[s.rank+1] {
				break
			}
			y1, y2 := y(i)+boxH, y(t)
			fmt.Fprintf(lines(i, t), "M%d %dC%d %d %d %d %d %d", x(i), y1, x(i), y1+gapY*2/3, x(t), y2-gapY*2/3, x(t), y2)
		}
	}
	if dashed.Len() > 0 {
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="#AAAAAA" stroke-dasharray="4 3"/>`, dashed.String())
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="#555555"/><path d="%s" fill="#555555"/>`, solid.String(), heads.String())
	for i := range l.spots {
		s := &l.spots[i]
		if s.pass {
			continue
		}
		nd := &f[s.node]
		radius, stroke := 4, `stroke="#555555"`
		if nd.round {
			radius = boxH / 2
		}
		if nd.faint {
			stroke = `stroke="#AAAAAA" stroke-dasharray="4 3"`
		}
		fmt.Fprintf(b, `<g><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="%d" fill="%s" %s/><text x="%d" y="%d" font-size="11" text-anchor="middle" fill="%s">%s</text></g>`, escape(nd.tip), x(i)-nd.width/2, y(i), nd.width, boxH, radius, nd.fill, stroke, x(i), y(i)+14, nd.ink, escape(nd.label))
	}
	return width, height
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
