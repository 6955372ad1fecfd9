package svg

import (
	"cmp"
	"math"
	"strconv"
)

// Chart is a picture with the data that it draws.
type Chart interface {
	// SVG draws the chart in the theme Light.
	SVG() string
	// Draw draws the chart in a theme.
	Draw(t Theme) string
	// Data is what the chart draws, as a table with which it can be drawn elsewhere: all digits of each number, points that the picture leaves out too; NaN, Inf and -Inf for what is not finite; empty where there is no value. Columns of axes are named by their labels.
	Data() (head []string, rows [][]string)
}

var _ = []Chart{Columns{}, Rows{}, Dots{}, Band{}, Intervals{}, Lines{}}

// full prints a number so that it is read back as the same.
func full(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// some is a number, or empty for NaN, where NaN stands for none.
func some(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return full(v)
}

// barData is the table of bars.
func barData(label, value string, groups []Group, bars []Bar) (head []string, rows [][]string) {
	head = []string{label, value}
	if len(groups) > 0 {
		head = append(head, "group")
	}
	for _, b := range bars {
		row := []string{b.Label, full(b.Value)}
		if b.Void {
			row[1] = ""
		}
		if len(groups) > 0 {
			row = append(row, groupName(groups, b.Group))
		}
		rows = append(rows, row)
	}
	return head, rows
}

func groupName(groups []Group, i int) string {
	if i < 0 || i >= len(groups) {
		return ""
	}
	return groups[i].Name
}

// Data implements Chart: a row a bar, with no value for bars that are void.
func (ch Columns) Data() (head []string, rows [][]string) {
	return barData("label", cmp.Or(ch.YLabel, "value"), ch.Groups, ch.Bars)
}

// Data implements Chart: a row a bar, with no value for bars that are void.
func (ch Rows) Data() (head []string, rows [][]string) {
	return barData("label", cmp.Or(ch.XLabel, "value"), ch.Groups, ch.Bars)
}

// Data implements Chart: a row a point, with its title where it has one, and a row for the line.
func (ch Dots) Data() (head []string, rows [][]string) {
	head = []string{"series", "kind", cmp.Or(ch.XLabel, "x"), cmp.Or(ch.YLabel, "y"), "title"}
	for _, p := range ch.Points {
		rows = append(rows, []string{groupName(ch.Groups, p.Group), "dot", full(p.X), full(p.Y), p.Title})
	}
	if ch.lined() {
		rows = append(rows, []string{ch.LineName, "guide", "", full(ch.Line), ""})
	}
	return head, rows
}

// Data implements Chart: a row a point, with its interval and its title where it has one, and a row for the mark.
func (ch Band) Data() (head []string, rows [][]string) {
	head = []string{"series", "kind", cmp.Or(ch.XLabel, "x"), cmp.Or(ch.YLabel, "y"), "low", "high", "title"}
	for _, p := range ch.Points {
		rows = append(rows, []string{ch.Name, "line", full(p.X), full(p.Y), some(p.Low), some(p.High), p.Title})
	}
	if ch.marked() {
		rows = append(rows, []string{ch.MarkName, "guide", "", full(ch.Mark), "", "", ""})
	}
	return head, rows
}

// Data implements Chart: a row a value, with its interval and its mark.
func (ch Intervals) Data() (head []string, rows [][]string) {
	head = []string{"label", cmp.Or(ch.XLabel, "value"), "low", "high", cmp.Or(ch.MarkName, "mark")}
	for _, r := range ch.Rows {
		rows = append(rows, []string{r.Label, full(r.Value), some(r.Low), some(r.High), some(r.Mark)})
	}
	return head, rows
}

// Data implements Chart: a row a dot, a point of a line, with its interval where the line has a band, or a guide, which has only the one of its coordinates.
func (ch Lines) Data() (head []string, rows [][]string) {
	head = []string{"series", "kind", cmp.Or(ch.XLabel, "x"), cmp.Or(ch.YLabel, "y"), "low", "high", "title"}
	for _, cl := range ch.Clouds {
		for i, x := range cl.X {
			rows = append(rows, []string{cl.Name, "dot", full(x), full(cl.Y[i]), "", "", ""})
		}
	}
	for _, l := range ch.Lines {
		kind := "line"
		switch {
		case l.Apart:
			kind = "mark"
		case l.Step:
			kind = "step"
		}
		for _, p := range l.Points {
			row := []string{l.Name, kind, full(p.X), full(p.Y), "", "", p.Title}
			if l.Band {
				row[4], row[5] = some(p.Low), some(p.High)
			}
			rows = append(rows, row)
		}
	}
	for _, g := range ch.Guides {
		row := []string{g.Name, "guide", "", full(g.At), "", "", ""}
		if g.Vertical {
			row[2], row[3] = row[3], row[2]
		}
		rows = append(rows, row)
	}
	return head, rows
}
