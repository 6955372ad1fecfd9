package svg

import (
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// linear are the parts of a colour as amounts of light, by WCAG 2.1.
func linear(t *testing.T, c string) [3]float64 {
	t.Helper()
	v, err := strconv.ParseUint(strings.TrimPrefix(c, "#"), 16, 32)
	if err != nil || len(c) != 7 {
		t.Fatalf("%q is no colour", c)
	}
	var out [3]float64
	for i := range out {
		s := float64(v>>(16-8*i)&0xFF) / 255
		if out[i] = s / 12.92; s > 0.04045 {
			out[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	return out
}

func contrast(t *testing.T, a, b string) float64 {
	l := func(c string) float64 {
		v := linear(t, c)
		return 0.2126*v[0] + 0.7152*v[1] + 0.0722*v[2] + 0.05
	}
	x, y := l(a), l(b)
	return max(x, y) / min(x, y)
}

// TestContrast checks that text and marks stand out from the ground, with the two exceptions that Light names.
func TestContrast(t *testing.T) {
	for _, th := range Themes {
		for _, c := range []string{th.Ink, th.Warn} {
			if v := contrast(t, c, th.Ground); v < 4.5 {
				t.Errorf("%s: text in %s has a contrast of %.2f, want 4.5", th.Name, c, v)
			}
		}
		for i, c := range th.Palette {
			v := contrast(t, c, th.Ground)
			if weak := th == Light && (c == Orange || c == Sky); weak != (v < 3) {
				t.Errorf("%s: colour %d, %s, has a contrast of %.2f", th.Name, i, c, v)
			}
		}
	}
}

// lab is a colour in CIELAB, in which distances are about those that are seen.
func lab(v [3]float64) [3]float64 {
	f := func(x float64) float64 {
		if x > 216.0/24389 {
			return math.Cbrt(x)
		}
		return (24389.0/27*x + 16) / 116
	}
	x := f((0.4124*v[0] + 0.3576*v[1] + 0.1805*v[2]) / 0.9505)
	y := f(0.2126*v[0] + 0.7152*v[1] + 0.0722*v[2])
	z := f((0.0193*v[0] + 0.1192*v[1] + 0.9505*v[2]) / 1.089)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// TestColourBlind checks that the colours of lines differ for eyes without red or green receptors too, as Viénot, Brettel and Mollon (Color Research and Application 24, 1999) describe what they see.
func TestColourBlind(t *testing.T) {
	see := map[string]func([3]float64) [3]float64{
		"all": func(v [3]float64) [3]float64 { return v },
		"protanope": func(v [3]float64) [3]float64 {
			r := 0.11238*v[0] + 0.88762*v[1]
			return [3]float64{r, r, 0.00401*v[0] - 0.00401*v[1] + v[2]}
		},
		"deuteranope": func(v [3]float64) [3]float64 {
			r := 0.29275*v[0] + 0.70725*v[1]
			return [3]float64{r, r, -0.02234*v[0] + 0.02234*v[1] + v[2]}
		},
	}
	for _, th := range Themes {
		for eyes, f := range see {
			for i, a := range th.Palette {
				for _, b := range th.Palette[:i] {
					p, q := lab(f(linear(t, a))), lab(f(linear(t, b)))
					if d := math.Sqrt(math.Pow(p[0]-q[0], 2) + math.Pow(p[1]-q[1], 2) + math.Pow(p[2]-q[2], 2)); d < 10 {
						t.Errorf("%s: %s and %s differ by %.1f for %s eyes, want 10", th.Name, a, b, d, eyes)
					}
				}
			}
		}
	}
}

// charts are one of each kind, with what charts get in bad times.
func charts() []Chart {
	nan, inf := math.NaN(), math.Inf(1)
	points := []BandPoint{{X: 1, Y: 1.0 / 3, Low: 0.1, High: 0.5, Title: "<t>"}, {X: 2, Y: nan, Low: nan, High: inf}, {X: -1, Y: -inf}}
	bars := []Bar{{Label: "a,\"", Value: 1.0 / 3, Group: 1}, {Label: "b", Value: inf, Group: -1}, {Label: "c", Void: true, Value: 7}}
	groups := []Group{{"g0", Blue}, {"g1", Black}}
	return []Chart{
		Columns{},
		Rows{},
		Dots{Line: nan},
		Band{Mark: nan},
		Intervals{},
		Lines{},
		Columns{Title: "t", YLabel: "nat", Groups: groups, Bars: bars},
		Rows{Title: "t", XLabel: "nat", Groups: groups, Bars: bars},
		Dots{Title: "t", Groups: groups, Points: []Dot{{X: 1, Y: 1.0 / 3}, {X: nan, Y: 2, Group: 1}}, Line: 0.5, LineName: "mean"},
		Band{Title: "t", Points: points, Mark: 0.5, MarkName: "paper"},
		Intervals{Title: "t", MarkName: "paper", Rows: []IntervalRow{{Label: "z", Value: 1.0 / 3, Low: nan, High: nan, Mark: nan}, {Label: "y", Value: -1, Low: -2, High: 0, Mark: 0.25}}},
		Lines{Title: "t", Clouds: []Cloud{{Name: "c", Color: Sky, X: []float64{1.0 / 3, nan}, Y: []float64{1, 2}}}, Lines: []Line{{Name: "l", Band: true, Points: points}, {Name: "m", Apart: true, Marks: true, Points: points}, {Name: "s", Step: true, Points: points}}, Guides: []Guide{{Name: "limit", At: 3, Vertical: true}, {Name: "value", At: 4}}},
	}
}

// TestThemes checks that charts are well-formed in each theme and use its colours alone.
func TestThemes(t *testing.T) {
	for i, ch := range charts() {
		for _, th := range Themes {
			picture := ch.Draw(th)
			d := xml.NewDecoder(strings.NewReader(picture))
			own := append([]string{"none", "#FFFFFF00", th.Ground, th.Ink, th.Rule, th.Warn}, th.Palette[:]...)
			first := ""
			for {
				tok, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("chart %d in %s is not well-formed: %v\n%s", i, th.Name, err, picture)
				}
				e, _ := tok.(xml.StartElement)
				for _, a := range e.Attr {
					if n := a.Name.Local; n == "fill" || n == "stroke" {
						if first == "" {
							first = a.Value
						}
						if !slices.Contains(own, a.Value) {
							t.Errorf("chart %d has the %s %s, which theme %s has not", i, n, a.Value, th.Name)
						}
					}
				}
			}
			if first != th.Ground {
				t.Errorf("chart %d in %s has the ground %s", i, th.Name, first)
			}
		}
		if ch.SVG() != ch.Draw(Light) {
			t.Errorf("SVG of chart %d is not Light", i)
		}
	}
}

// TestData checks that each chart gives all its numbers, as a table that is read back with the same values.
func TestData(t *testing.T) {
	for i, want := range [...]string{
		6:  "label,nat,group\n\"a,\"\"\",0.3333333333333333,g1\nb,Inf,\nc,,g0\n",
		7:  "label,nat,group\n\"a,\"\"\",0.3333333333333333,g1\nb,Inf,\nc,,g0\n",
		8:  "series,kind,x,y,title\ng0,dot,1,0.3333333333333333,\ng1,dot,NaN,2,\nmean,guide,,0.5,\n",
		9:  "series,kind,x,y,low,high,title\n,line,1,0.3333333333333333,0.1,0.5,<t>\n,line,2,NaN,,Inf,\n,line,-1,-Inf,0,0,\npaper,guide,,0.5,,,\n",
		10: "label,value,low,high,paper\nz,0.3333333333333333,,,\ny,-1,-2,0,0.25\n",
		11: "series,kind,x,y,low,high,title\nc,dot,0.3333333333333333,1,,,\nc,dot,NaN,2,,,\n" +
			"l,line,1,0.3333333333333333,0.1,0.5,<t>\nl,line,2,NaN,,Inf,\nl,line,-1,-Inf,0,0,\n" +
			"m,mark,1,0.3333333333333333,,,<t>\nm,mark,2,NaN,,,\nm,mark,-1,-Inf,,,\ns,step,1,0.3333333333333333,,,<t>\ns,step,2,NaN,,,\ns,step,-1,-Inf,,,\nlimit,guide,3,,,,\nvalue,guide,,4,,,\n",
	} {
		head, rows := charts()[i].Data()
		if i < 6 {
			if len(head) < 2 || len(rows) != 0 {
				t.Errorf("an empty chart, %d, has %d columns and %d rows", i, len(head), len(rows))
			}
			continue
		}
		var b strings.Builder
		w := csv.NewWriter(&b)
		if err := errors.Join(w.Write(head), w.WriteAll(rows)); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("chart %d has\n%s\nwant\n%s", i, b.String(), want)
		}
		if back, err := csv.NewReader(strings.NewReader(b.String())).ReadAll(); err != nil || !slices.EqualFunc(back[1:], rows, slices.Equal) {
			t.Errorf("chart %d is read back as %q: %v", i, back, err)
		}
	}
	if v, err := strconv.ParseFloat(full(math.Inf(-1)), 64); err != nil || !math.IsInf(v, -1) {
		t.Errorf("-Inf reads %v, %v", v, err)
	}
}

// TestDrawing checks that a drawing of package net in Dark keeps its boxes and changes the rest.
func TestDrawing(t *testing.T) {
	const drawing = `<svg><title>#222222</title><rect width="1" height="1" fill="#FFFFFF"/><text fill="#222222">t</text><path stroke="#555555"/><rect fill="#FFFFFF" stroke="#555555"/><text fill="#000000">b</text></svg>`
	want := fmt.Sprintf(`<svg><title>#222222</title><rect width="1" height="1" fill="%s"/><text fill="%s">t</text><path stroke="#A9AEB5"/><rect fill="#FFFFFF" stroke="#A9AEB5"/><text fill="#000000">b</text></svg>`, Dark.Ground, Dark.Ink)
	if got := Dark.Drawing(drawing); got != want {
		t.Errorf("the drawing is\n%s\nwant\n%s", got, want)
	}
	if Light.Drawing(drawing) != drawing {
		t.Error("a drawing changes in Light")
	}
	for _, c := range []string{"#A9AEB5", "#7A8088"} {
		if v := contrast(t, c, Dark.Ground); v < 3 {
			t.Errorf("lines in %s have a contrast of %.2f", c, v)
		}
	}
}

// TestDotsSize checks that dots without titles cost little, one by one.
func TestDotsSize(t *testing.T) {
	ch := Dots{Untitled: true, Line: math.NaN()}
	for i := range 1000 {
		ch.Points = append(ch.Points, Dot{X: float64(i) + 0.123456, Y: math.Sin(float64(i))})
	}
	picture := ch.SVG()
	ch.Points = nil
	if size := len(picture) - len(ch.SVG()); size > 16000 || strings.Count(picture, "h0") != 1000 {
		t.Errorf("1000 dots take %d bytes in %d marks", size, strings.Count(picture, "h0"))
	}
}
