package net_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// TestDrawCells checks the pictures of cells: a box for each point and each operation, dashes for zeros, the whole title, and that no two boxes of a cell overlap.
func TestDrawCells(t *testing.T) {
	cell := net.Cell{Points: []string{"in", `<&">`, "", "a point with a long label"}, Edges: []net.CellEdge{
		{From: 0, To: 1, Label: "an operation whose name is longer than a box", Op: net.Conv},
		{From: 0, To: 2, Label: "none", Op: net.Zero},
		{From: 0, To: 2, Label: "skip", Op: net.Add},
		{From: 1, To: 2, Label: "pool", Op: net.MaxPool},
		{From: 1, To: 3},
		{From: 2, To: 3},
	}}
	title := strings.Repeat("|operation~0|operation~1|+", 8)
	svg := net.DrawCells(title, cell)
	picture, boxes := drawing(t, svg)
	if len(boxes) != 8 {
		t.Errorf("%d boxes for 4 points and 4 operations", len(boxes))
	}
	for i, r := range boxes {
		if r.X < 0 || r.Y < 0 || r.X+r.Width > picture.Width || r.Y+r.Height > picture.Height {
			t.Errorf("the box %v is not inside the picture %v", r, picture)
		}
		for _, q := range boxes[:i] {
			if r.X < q.X+q.Width && q.X < r.X+r.Width && r.Y < q.Y+q.Height && q.Y < r.Y+r.Height {
				t.Errorf("the boxes %v and %v overlap", q, r)
			}
		}
	}
	if got := strings.Count(svg, "stroke-dasharray"); got != 2 { // the box, and the lines to and from it
		t.Errorf("%d dashed elements, want the box of the zero and its lines", got)
	}
	lines := 0
	for _, part := range strings.Split(svg, `font-size="12"`)[1:] {
		_, text, _ := strings.Cut(part, ">")
		text, _, _ = strings.Cut(text, "<")
		if !strings.HasPrefix(title, text) {
			t.Fatalf("the title goes on with %q", text)
		}
		title = strings.TrimPrefix(title, text)
		lines++
	}
	if title != "" || lines < 2 {
		t.Errorf("the title has %d lines, which leave out %q", lines, title)
	}
	if _, boxes := drawing(t, net.DrawCells("two", cell, cell)); len(boxes) != 16 {
		t.Errorf("%d boxes in two cells", len(boxes))
	}
	if _, boxes := drawing(t, net.DrawCells("nothing", net.Cell{})); len(boxes) != 0 {
		t.Errorf("%d boxes in a cell without points", len(boxes))
	}
	for _, e := range []net.CellEdge{{From: 1, To: 1}, {From: 2, To: 1}, {From: 0, To: 4}, {From: -1, To: 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the edge %v does not panic", e)
				}
			}()
			net.DrawCells("", net.Cell{Points: cell.Points, Edges: []net.CellEdge{e}})
		}()
	}
}

// TestLongTitle checks that a title without end is cut.
func TestLongTitle(t *testing.T) {
	svg := net.DrawCells(strings.Repeat("x", 5000), net.Cell{Points: []string{"in"}})
	if got := strings.Count(svg, `font-size="12"`); got != 6 || !strings.Contains(svg, "…</text>") {
		t.Errorf("a title of 5000 letters has %d lines", got)
	}
}

func ExampleDrawCells() {
	residual := net.Cell{Points: []string{"in", "", "out"}, Edges: []net.CellEdge{
		{From: 0, To: 1, Label: "conv 3x3", Op: net.Conv},
		{From: 1, To: 2, Label: "conv 3x3", Op: net.Conv},
		{From: 0, To: 2, Label: "skip", Op: net.Add},
	}}
	svg := net.DrawCells("residual block", residual)
	fmt.Println(strings.Count(svg, "<rect")-1, "boxes")
	// Output: 6 boxes
}
