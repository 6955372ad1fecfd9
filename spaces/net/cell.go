package net

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Cell is a cell as papers draw it: points, which are feature maps, and the operations that lead from one to another. It serves its picture only: what is computed, a Network says.
type Cell struct {
	Points []string // labels of the points, inputs before what is made of them
	Edges  []CellEdge
}

// CellEdge is an operation on point From that goes into point To, a later one. Points with several edges into them hold the sum, unless their label says otherwise.
type CellEdge struct {
	From, To int
	Label    string // name of the operation; "" draws a line without a box
	Op       Op     // gives the colour: Conv, MaxPool, ...; Zero is drawn dashed, and Add, which makes no change, white
}

// DrawCells draws cells beside each other as a self-contained picture with a title: points as pills, operations as boxes on the edges, in the colours of Network.SVG. It panics if an edge does not lead from a point to a later one.
func DrawCells(title string, cells ...Cell) string {
	figures := make([]figure, len(cells))
	for i, c := range cells {
		figures[i] = c.figure()
	}
	return picture(title, figures...)
}

// figure is the cell with its operations as boxes between the points.
func (c *Cell) figure() figure {
	for _, e := range c.Edges {
		if e.From < 0 || e.From >= e.To || e.To >= len(c.Points) {
			panic(fmt.Sprintf("net: an edge of a cell leads from point %d to point %d of %d; it must lead to a later one", e.From, e.To, len(c.Points)))
		}
	}
	var f figure
	at := make([]int, len(c.Points)) // boxes of the points
	for p, label := range c.Points {
		var in []int
		for _, e := range c.Edges {
			switch {
			case e.To != p:
				continue
			case e.Label == "":
				in = append(in, at[e.From])
				continue
			}
			fill, ink := e.Op.colors()
			f = append(f, box{in: []int{at[e.From]}, label: e.Label, tip: c.Points[e.From] + " to " + label + ": " + e.Label, fill: fill, ink: ink, width: boxWidth(e.Label), faint: e.Op == Zero})
			in = append(in, len(f)-1)
		}
		f = append(f, box{in: in, label: label, tip: strings.TrimSpace("point " + label), fill: "#FFFFFF", ink: "#000000", width: max(2*boxH, int(labelGlyph*float64(utf8.RuneCountInString(label)))+boxH), round: true})
		at[p] = len(f) - 1
	}
	return f
}
