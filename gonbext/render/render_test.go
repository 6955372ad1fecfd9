package render

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
)

// sheet is a picture of 100 by 50 pixels on white.
func sheet(body string) string {
	return `<svg xmlns="http://www.w3.org/2000/svg" width="100" height="50" viewBox="0 0 100 50"><title>a &amp; b</title><rect width="100" height="50" fill="#FFFFFF"/>` + body + `</svg>`
}

func read(t *testing.T, text string) *Picture {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPixels checks where shapes are drawn, and that nothing is beside them.
func TestPixels(t *testing.T) {
	black, white := color.RGBA{A: 255}, color.RGBA{255, 255, 255, 255}
	red := color.RGBA{R: 255, A: 255}
	for body, want := range map[string]map[[2]int]color.RGBA{
		`<rect x="10" y="10" width="20" height="10" fill="#FF0000"/>`:                                        {{10, 10}: red, {29, 19}: red, {9, 10}: white, {30, 10}: white, {10, 20}: white},
		`<rect x="10" y="10" width="20" height="20" rx="10"/>`:                                               {{20, 20}: black, {11, 11}: white, {28, 28}: white, {20, 11}: black},
		`<circle cx="50" cy="25" r="10" fill="#FF0000"/>`:                                                    {{50, 25}: red, {42, 25}: red, {41, 17}: white, {58, 25}: red},
		`<rect width="100" height="50" fill="#000000" fill-opacity="0.4"/>`:                                  {{50, 25}: {153, 153, 153, 255}},
		`<rect width="100" height="50" fill="#FF000000"/>`:                                                   {{50, 25}: white},
		`<line x1="0" y1="25" x2="100" y2="25" stroke="#FF0000" stroke-width="2"/>`:                          {{0, 24}: red, {99, 25}: red, {50, 23}: white, {50, 26}: white},
		`<line x1="0" y1="25" x2="100" y2="25" stroke="#FF0000" stroke-width="2" stroke-dasharray="6 4"/>`:   {{0, 24}: red, {5, 24}: red, {7, 24}: white, {12, 24}: red, {18, 24}: white},
		`<path d="M20 20h0M40 20h0" fill="none" stroke="#FF0000" stroke-width="10" stroke-linecap="round"/>`: {{20, 20}: red, {16, 20}: red, {40, 23}: red, {30, 20}: white, {15, 16}: white},
		`<path d="M20 20h0" fill="none" stroke="#FF0000" stroke-width="10"/>`:                                {{20, 20}: white},
		`<polyline points="10,40 10,10 40,10" fill="none" stroke="#FF0000" stroke-width="8"/>`:               {{7, 7}: red, {12, 30}: red, {35, 12}: red, {20, 20}: white},
		`<polygon points="10,10 40,10 40,40 10,40" fill="#FF0000" stroke="#000000" stroke-width="4"/>`:       {{25, 25}: red, {9, 9}: black, {25, 41}: black, {40, 25}: black},
		`<path d="M10 10c0 20 30 20 30 0z" fill="#FF0000"/>`:                                                 {{25, 20}: red, {25, 26}: white, {12, 24}: white},
		`<g transform="translate(0,20)"><rect width="10" height="10" fill="#FF0000"/></g>`:                   {{5, 25}: red, {5, 15}: white},
		`<rect x="40" y="20" width="30" height="2" fill="#FF0000" transform="rotate(90 40 20)"/>`:            {{39, 45}: red, {38, 21}: red, {60, 21}: white},
		`<rect x="-50" y="-50" width="1000" height="60" fill="#FF0000"/>`:                                    {{0, 0}: red, {99, 9}: red, {50, 10}: white},
	} {
		img, err := read(t, sheet(body)).Image(1)
		if err != nil {
			t.Fatal(err)
		}
		for at, c := range want {
			if got := img.RGBAAt(at[0], at[1]); got != c {
				t.Errorf("%s: the pixel %v is %v, want %v", body, at, got, c)
			}
		}
	}
}

// inked is the box around everything that is not white.
func inked(t *testing.T, body string) (left, top, right, bottom int) {
	t.Helper()
	img, err := read(t, sheet(body)).Image(1)
	if err != nil {
		t.Fatal(err)
	}
	left, top = 1000, 1000
	for y := range 50 {
		for x := range 100 {
			if img.RGBAAt(x, y).R < 128 {
				left, top, right, bottom = min(left, x), min(top, y), max(right, x), max(bottom, y)
			}
		}
	}
	return left, top, right, bottom
}

// TestText checks where text stands: on its base line, by its anchor, turned clockwise.
func TestText(t *testing.T) {
	text := func(attrs string) string { return `<text font-size="20" ` + attrs + `>HH</text>` }
	l, top, r, b := inked(t, text(`x="50" y="30"`))
	wide := r - l
	if l < 50 || l > 53 || b != 29 || top < 13 || top > 17 || wide < 22 || wide > 32 {
		t.Errorf("text at 50, 30 covers %d to %d and %d to %d", l, r, top, b)
	}
	if l, _, r, _ := inked(t, text(`x="50" y="30" text-anchor="middle"`)); l+r < 97 || l+r > 102 {
		t.Errorf("text in the middle of 50 covers %d to %d", l, r)
	}
	if _, _, r, _ := inked(t, text(`x="50" y="30" text-anchor="end"`)); r < 46 || r >= 50 {
		t.Errorf("text that ends at 50 covers up to %d", r)
	}
	if l, top, r, b := inked(t, text(`x="50" y="40" transform="rotate(-90 50 40)"`)); r != 49 || l < 33 || b > 39 || b < 36 || b-top < wide-1 || b-top > wide+1 {
		t.Errorf("text that is read upwards covers %d to %d and %d to %d", l, r, top, b)
	}
	p := read(t, sheet(`<text x="1" y="9">τρ²×–…±≤≥Δ 本</text>`))
	if p.Missing != "本" || p.Title != "a & b" {
		t.Errorf("the font lacks %q and the title is %q, want 本 and a & b", p.Missing, p.Title)
	}
}

// TestUnknown checks that what is not known is named.
func TestUnknown(t *testing.T) {
	for body, want := range map[string]string{
		`<ellipse rx="1"/>`:                 "<ellipse>",
		`<rect clip-path="x"/>`:             "clip-path",
		`<rect fill="red"/>`:                "fill is \"red\"",
		`<path d="M0 0A1 1 0 0 0 2 2"/>`:    "command 'A'",
		`<path d="L0 0"/>`:                  "want M",
		`<path d="M0"/>`:                    "number was expected",
		`<g transform="scale(2)"/>`:         "scale(2)",
		`<text><tspan>a</tspan></text>`:     "<tspan>",
		`<rect width="1e9"/>`:               "width",
		`<line stroke-dasharray="0.001"/>`:  "at least 0.5",
		`<text text-anchor="left">a</text>`: "left",
		`<polygon points="1,2,3"/>`:         "pairs",
		`<rect>a</rect>`:                    "has the text",
		`<line stroke-linecap="square"/>`:   "square",
		`<g>`:                               "",
		strings.Repeat("<g>", 100):          "within each other",
	} {
		if p, err := Parse(sheet(body)); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "render: line 1") {
			t.Errorf("%s gives %v and %v, want an error with %q", body, p, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "no picture", "abc": "outside", "<svg/>": "width and height", `<svg width="1" height="1" viewBox="0 0 2 2"/>`: "viewBox", "<html/>": "<html>",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want an error with %q", text, err, want)
		}
	}
	if _, err := read(t, sheet("")).Image(1e5); err == nil {
		t.Error("a picture of 5e13 dots is no error")
	}
}

// pictures are those of this module.
func pictures(t *testing.T) map[string]string {
	t.Helper()
	s := natstss.Space{C: 4, N: 1}
	a, err := s.Parse("1462")
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Network(a, s.Input())
	if err != nil {
		t.Fatal(err)
	}
	cell, err := spaces.CellDrawer(s).CellSVG(a)
	if err != nil {
		t.Fatal(err)
	}
	dots := svg.Dots{Title: "τ", Untitled: true, Line: 1, LineName: "mean", Points: []svg.Dot{{X: 1, Y: 2}, {X: 2, Y: 3}}}
	lines := svg.Lines{Title: "two", Lines: []svg.Line{{Name: "l", Band: true, Marks: true, Points: []svg.BandPoint{{X: 1, Y: 2, Low: 1, High: 3}, {X: 2, Y: 4, Low: 3, High: 5}}}}, Guides: []svg.Guide{{Name: "g", At: 3}}}
	bars := []svg.Bar{{Label: "a", Value: 1}, {Label: "b", Void: true}}
	return map[string]string{
		"network": n.SVG(), "cell": cell, "dark cell": svg.Dark.Drawing(cell), "dots": dots.SVG(), "dark dots": dots.Draw(svg.Dark), "lines": lines.SVG(),
		"columns": svg.Columns{Bars: bars}.SVG(), "rows": svg.Rows{Bars: bars}.SVG(), "intervals": svg.Intervals{Rows: []svg.IntervalRow{{Label: "a", Value: 1, Low: 0, High: 2, Mark: 1}}}.SVG(),
		"band": svg.Band{Points: []svg.BandPoint{{X: 1, Y: 2, Low: 1, High: 3}, {X: 10, Y: 4, Low: 3, High: 5}}, Mark: 2, MarkName: "m"}.SVG(),
	}
}

// TestFiles checks that every picture of this module becomes PNG and PDF, the same bytes each time, and that the PDF's text can be read where pdftotext is installed.
func TestFiles(t *testing.T) {
	for name, text := range pictures(t) {
		var png, pdf [2]bytes.Buffer
		for i := range png {
			p := read(t, text)
			if err := p.PNG(&png[i], 1); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := p.PDF(&pdf[i]); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if !bytes.Equal(png[0].Bytes(), png[1].Bytes()) || !bytes.Equal(pdf[0].Bytes(), pdf[1].Bytes()) {
			t.Errorf("%s gives other bytes the second time", name)
		}
		for _, part := range []string{"%PDF-1", "/FontFile2", "/ToUnicode", "/CreationDate (D:20000101", "%%EOF"} {
			if !bytes.Contains(pdf[0].Bytes(), []byte(part)) {
				t.Errorf("the PDF of %s lacks %s", name, part)
			}
		}
	}
	program, err := exec.LookPath("pdftotext")
	if err != nil {
		t.Skip("pdftotext is not installed: the text of PDF files is not read back")
	}
	file := filepath.Join(t.TempDir(), "a.pdf")
	w, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	const text = "Kendall's τ, ρ² × 3 – … done"
	if err := read(t, sheet(fmt.Sprintf(`<text x="5" y="20" font-size="5">%s</text><text x="5" y="40" font-size="5" transform="rotate(-90 5 40)">turned</text>`, text))).PDF(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, file, "-").CombinedOutput()
	if err != nil || !strings.Contains(string(out), text) || !strings.Contains(string(out), "turned") {
		t.Errorf("pdftotext reads %q, %v; want %q and turned", out, err, text)
	}
}

// FuzzParse checks that no text makes the package panic or take long, and that what is read can be drawn.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		`<g transform="translate(1,2) rotate(3)"><text x="1" y="2" font-size="11" text-anchor="end">a</text></g>`,
		`<path d="M1 2l3 4h5v6c1 2 3 4 5 6zM7 8h0" stroke="#123456" stroke-dasharray="4 3" stroke-linecap="round"/>`,
		`<polygon points="1,2 3,4 5,6" fill="#12345678" fill-opacity="0.5" stroke="#000000"/><circle r="5"/><rect rx="3" width="9" height="9"/>`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		p, err := Parse(sheet(body))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := p.PNG(&b, 1); err != nil {
			t.Errorf("PNG of %q: %v", body, err)
		}
		if err := p.PDF(&b); err != nil {
			t.Errorf("PDF of %q: %v", body, err)
		}
	})
}
