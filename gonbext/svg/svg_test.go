package svg

import (
	"encoding/xml"
	"math"
	"strconv"
	"strings"
	"testing"
)

// TestTicks checks that ticks cover their range, rise, are not too many and read differently, for ranges that rounding makes awkward too.
func TestTicks(t *testing.T) {
	for _, c := range []struct{ lo, hi float64 }{
		{0, 0},
		{0, 1},
		{3, 17},
		{-8, 40},
		{-12, 0},
		{0, 13.6},
		{0.1, 0.3},
		{713, 747},
		{700, math.Nextafter(700, 701)}, // scores one rounding step apart
		{700, 700},
		{-700, -700},
		{1e20, 1e20},
		{1e9, 1e9 + 1},
		{1e15, 1e15 + 0.25},
		{0, 5e-324},
		{0, 1e-9},
		{0, 1.8e8},
		{-1e300, 1e300},
	} {
		got := ticks(c.lo, c.hi, 6)
		if len(got) < 2 || len(got) > 9 {
			t.Errorf("ticks(%g, %g) are %d: %g", c.lo, c.hi, len(got), got)
			continue
		}
		step := got[1] - got[0]
		if got[0] > c.lo || got[len(got)-1] < c.hi-step*1e-6 {
			t.Errorf("ticks(%g, %g) = %g do not cover the range", c.lo, c.hi, got)
		}
		labels := map[string]bool{}
		for i, v := range got {
			if i > 0 && v <= got[i-1] {
				t.Errorf("ticks(%g, %g) = %g do not rise", c.lo, c.hi, got)
			}
			l := tickLabel(v, step)
			if labels[l] || len(l) > 20 {
				t.Errorf("ticks(%g, %g): the label %q of %g is there twice or too long", c.lo, c.hi, l, v)
			}
			labels[l] = true
			if back, err := strconv.ParseFloat(l, 64); err != nil || math.Abs(back-v) > step/100 {
				t.Errorf("ticks(%g, %g): the tick %g reads %q", c.lo, c.hi, v, l)
			}
		}
	}
}

// box is where a bar was drawn.
type box struct{ x, y, w, h float64 }

// boxes are the rectangles of a picture that carry a title, by title.
func boxes(t *testing.T, picture string) map[string]box {
	t.Helper()
	var doc struct {
		Rects []struct {
			X     float64 `xml:"x,attr"`
			Y     float64 `xml:"y,attr"`
			W     float64 `xml:"width,attr"`
			H     float64 `xml:"height,attr"`
			Title string  `xml:"title"`
		} `xml:"rect"`
	}
	if err := xml.Unmarshal([]byte(picture), &doc); err != nil {
		t.Fatalf("not well-formed: %v\n%s", err, picture)
	}
	out := map[string]box{}
	for _, r := range doc.Rects {
		if r.Title != "" {
			out[r.Title] = box{r.X, r.Y, r.W, r.H}
		}
	}
	return out
}

// TestBarLengths checks that bars are as long as their values, negative ones on the other side of zero.
func TestBarLengths(t *testing.T) {
	bars := []Bar{{Value: 10, Title: "ten"}, {Value: 40, Title: "forty"}, {Value: -20, Title: "minus"}}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.05 {
			t.Errorf("%s is %.2f, want %.2f", what, got, want)
		}
	}
	c := boxes(t, Columns{Bars: bars}.SVG())
	near("columns: forty", c["forty"].h, 4*c["ten"].h)
	near("columns: minus twenty", c["minus"].h, 2*c["ten"].h)
	near("columns: the top of minus twenty", c["minus"].y, c["ten"].y+c["ten"].h)
	r := boxes(t, Rows{Bars: bars}.SVG())
	near("rows: forty", r["forty"].w, 4*r["ten"].w)
	near("rows: minus twenty", r["minus"].w, 2*r["ten"].w)
	near("rows: the right end of minus twenty", r["minus"].x+r["minus"].w, r["ten"].x)
	if r["ten"].w < 50 || c["ten"].h < 20 {
		t.Errorf("ten is %.0f wide and %.0f high, too small to be to scale", r["ten"].w, c["ten"].h)
	}
}

// TestLongTitles checks that a title that does not fit is cut and says so.
func TestLongTitles(t *testing.T) {
	long := strings.Repeat("architecture ", 20)
	for name, picture := range map[string]string{"Columns": Columns{Title: long}.SVG(), "Rows": Rows{Title: long}.SVG(), "Dots": Dots{Title: long}.SVG(), "Lines": Lines{Title: long}.SVG()} {
		if !strings.Contains(picture, "…</text>") {
			t.Errorf("%s writes the whole of a title of %d letters", name, len(long))
		}
	}
}

// points are those of the polylines of a picture with a title, by title.
func points(t *testing.T, picture string) map[string][][2]float64 {
	t.Helper()
	var doc struct {
		Lines []struct {
			Points string `xml:"points,attr"`
			Title  string `xml:"title"`
		} `xml:"polyline"`
	}
	if err := xml.Unmarshal([]byte(picture), &doc); err != nil {
		t.Fatalf("not well-formed: %v\n%s", err, picture)
	}
	out := map[string][][2]float64{}
	for _, l := range doc.Lines {
		for p := range strings.FieldsSeq(l.Points) {
			x, y, _ := strings.Cut(p, ",")
			a, errX := strconv.ParseFloat(x, 64)
			b, errY := strconv.ParseFloat(y, 64)
			if errX != nil || errY != nil {
				t.Fatalf("the point %q", p)
			}
			out[l.Title] = append(out[l.Title], [2]float64{a, b})
		}
	}
	return out
}

// TestLineScales checks that lines are to scale on linear and logarithmic axes, and that steps keep their height.
func TestLineScales(t *testing.T) {
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.05 {
			t.Errorf("%s is %.2f, want %.2f", what, got, want)
		}
	}
	line := []BandPoint{{X: 1, Y: 1}, {X: 10, Y: 10}, {X: 100, Y: 100}}
	p := points(t, Lines{Lines: []Line{{Name: "a", Points: line}, {Name: "step", Step: true, Points: line}}}.SVG())
	a, step := p["a"], p["step"]
	if len(a) != 3 || len(step) != 5 {
		t.Fatalf("%d points and %d with steps, want 3 and 5", len(a), len(step))
	}
	near("linear: x from 10 to 100", a[2][0]-a[1][0], 10*(a[1][0]-a[0][0]))
	near("linear: y from 10 to 100", a[2][1]-a[1][1], 10*(a[1][1]-a[0][1]))
	near("the end of the first step, across", step[1][0], a[1][0])
	near("the end of the first step, up", step[1][1], a[0][1])
	if a[0][0] >= a[1][0] || a[0][1] <= a[1][1] {
		t.Errorf("the line goes from %v to %v, want right and up", a[0], a[1])
	}
	a = points(t, Lines{LogX: true, LogY: true, Lines: []Line{{Name: "a", Points: append(line, BandPoint{X: 1000, Y: 0})}}}.SVG())["a"]
	if len(a) != 3 {
		t.Fatalf("%d points, want 3: 0 has no place on a logarithmic axis", len(a))
	}
	near("logarithmic: x from 10 to 100", a[2][0]-a[1][0], a[1][0]-a[0][0])
	near("logarithmic: y from 10 to 100", a[2][1]-a[1][1], a[1][1]-a[0][1])
}

// TestLineParts checks that all parts of a chart of lines are there: dots, bands, marks, guides within the plot, and a legend in as many rows as it needs.
func TestLineParts(t *testing.T) {
	var lines []Line
	for i := range 12 {
		lines = append(lines, Line{Name: "a line with a name " + strconv.Itoa(i), Band: true, Points: []BandPoint{{X: 1, Y: 1, Low: 0, High: 2}, {X: 2, Y: 3, Low: 2, High: 4}}})
	}
	ch := Lines{
		Lines:  append(lines, Line{Marks: true, Apart: true, Points: []BandPoint{{X: 1, Y: 2, Title: "the mark"}}}),
		Clouds: []Cloud{{Color: Sky, X: []float64{1, 2, math.NaN()}, Y: []float64{1, 2, 3}}},
		Guides: []Guide{{Name: "limit", At: 50, Vertical: true}},
	}
	picture := ch.SVG()
	for part, n := range map[string]int{"h0": 2, "fill-opacity": 12, "<polyline": 12, "the mark": 1, "stroke-dasharray": 6, ">limit</text>": 1} {
		if got := strings.Count(picture, part); got != n {
			t.Errorf("%q is there %d times, want %d", part, got, n)
		}
	}
	if p := points(t, picture)["a line with a name 0"]; p[1][0] > 150 {
		t.Errorf("the axis does not reach the guide: 2 is at %.0f", p[1][0])
	}
	if got := place(ch.items(lines), 74, 780); got < 3 {
		t.Errorf("the legend has %d rows", got)
	}
}

func TestLogTicks(t *testing.T) {
	got := logTicks(0.1, 12)
	want := []float64{0.1, 0.2, 0.5, 1, 2, 5, 10}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range got {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
