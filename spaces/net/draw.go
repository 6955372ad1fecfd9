package net

import (
	"fmt"
	"strings"
)

// colors are Okabe and Ito's, which colour-blind readers can tell apart, by kind of layer; ink is what reads on them.
func (o Op) colors() (fill, ink string) {
	switch o {
	case Conv:
		return "#56B4E9", "#000000"
	case Linear:
		return "#009E73", "#FFFFFF"
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

// DOT is the network in Graphviz's language.
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
	gapX, gapY = 14, 16
	margin     = 16
	columnRows = 32 // layers below each other before the drawing goes on in the next column
	columnGap  = 36
)

// SVG draws the network as a self-contained picture: a box a layer, in rows by their distance from the input, wrapped into columns. Colours tell the kinds of layers apart; the mouse over a box shows its name and shape.
func (n *Network) SVG() string {
	rank := make([]int, len(n.Nodes))
	place := make([]int, len(n.Nodes)) // within the rank
	var inRank []int
	for i := range n.Nodes {
		for _, j := range n.Nodes[i].In {
			rank[i] = max(rank[i], rank[j]+1)
		}
		for len(inRank) <= rank[i] {
			inRank = append(inRank, 0)
		}
		place[i] = inRank[rank[i]]
		inRank[rank[i]]++
	}
	// A column is as wide as its widest rank.
	columns := (len(inRank) + columnRows - 1) / columnRows
	left := make([]int, columns+1)
	left[0] = margin
	for c := range columns {
		widest := 1
		for r := c * columnRows; r < min(len(inRank), (c+1)*columnRows); r++ {
			widest = max(widest, inRank[r])
		}
		left[c+1] = left[c] + widest*(boxW+gapX) - gapX + columnGap
	}
	at := func(i int) (x, y int) {
		c := rank[i] / columnRows
		wide := left[c+1] - left[c] - columnGap
		own := inRank[rank[i]]*(boxW+gapX) - gapX
		return left[c] + (wide-own)/2 + place[i]*(boxW+gapX), margin + 24 + rank[i]%columnRows*(boxH+gapY)
	}
	w := left[columns] - columnGap + margin
	h := margin + 24 + min(len(inRank), columnRows)*(boxH+gapY) + margin
	w = max(w, 420)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif"><title>%s</title>`, w, h, w, h, escape(n.Name))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#FFFFFF"/><text x="%d" y="%d" font-size="12" fill="#222222">%s</text>`, w, h, margin, margin+6, escape(n.Name))
	for i := range n.Nodes {
		x2, y2 := at(i)
		x2 += boxW / 2
		for _, j := range n.Nodes[i].In {
			x1, y1 := at(j)
			x1 += boxW / 2
			y1 += boxH
			switch {
			case rank[i]/columnRows != rank[j]/columnRows:
				fmt.Fprintf(&b, `<path d="M%d %dC%d %d %d %d %d %d" fill="none" stroke="#999999" stroke-dasharray="4 3"/>`, x1, y1, x1, y1+28, x2, y2-28, x2, y2)
			case rank[i] == rank[j]+1:
				fmt.Fprintf(&b, `<path d="M%d %dL%d %d" fill="none" stroke="#555555"/>`, x1, y1, x2, y2)
			default: // past layers in between: around them
				bend := boxW/2 + 10
				fmt.Fprintf(&b, `<path d="M%d %dC%d %d %d %d %d %d" fill="none" stroke="#555555"/>`, x1, y1, x1-bend, y1+24, x2-bend, y2-24, x2, y2)
			}
		}
	}
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		x, y := at(i)
		fill, ink := nd.Op.colors()
		tip := strings.TrimSpace(nd.Name + " " + nd.describe() + " " + nd.Shape.String())
		fmt.Fprintf(&b, `<g><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="4" fill="%s" stroke="#555555"/><text x="%d" y="%d" font-size="11" text-anchor="middle" fill="%s">%s</text></g>`, escape(tip), x, y, boxW, boxH, fill, x+boxW/2, y+14, ink, escape(nd.describe()))
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
