package gonbext

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
	"github.com/zeroshotnas/zeroshot/zico"
)

// capture returns what f prints to the standard output.
func capture(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = w
	out := make(chan string)
	go func() {
		b, _ := io.ReadAll(r)
		out <- string(b)
	}()
	f()
	os.Stdout = old
	w.Close()
	return <-out
}

var small = Options{Space: "natstss:C=4,N=1", Batch: 8}

// TestScoreText checks that outside a notebook the functions print what they found and return it.
func TestScoreText(t *testing.T) {
	var res *zico.Result
	var err error
	text := capture(t, func() { res, err = Score("1462", small) })
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{fmt.Sprintf("%.4f", res.Score), "cells.0.layers.1.op.1", "left out", "2 batches of 8 images"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	quiet := small
	quiet.Quiet = true
	if text := capture(t, func() { _, err = Score("1462", quiet) }); text != "" || err != nil {
		t.Errorf("Quiet printed %q, error %v", text, err)
	}
}

// TestCompareKeepsGoing checks that an architecture that cannot be scored loses nothing of the others.
func TestCompareKeepsGoing(t *testing.T) {
	var results []*zico.Result
	var err error
	text := capture(t, func() { results, err = Compare([]string{"7", "|bad~0|", "8"}, small) })
	if len(results) != 2 || err == nil || !strings.Contains(err.Error(), "|bad~0|") {
		t.Errorf("%d results and the error %v, want two and one that names |bad~0|", len(results), err)
	}
	if !strings.Contains(text, results[1].Network) {
		t.Errorf("the second score is not shown:\n%s", text)
	}
}

// TestErrors checks that mistakes in the options are errors that say what to do.
func TestErrors(t *testing.T) {
	for want, o := range map[string]Options{
		"unknown search space":     {Space: "nonsense"},
		"neither embedded":         {Images: "no/such/place"},
		"640 images":               {Batch: 1000},
		"unknown device":           {Device: "xla:abacus"},
		"use float32 or float64":   {DType: "int7"},
		"up to 288 pixels":         {Size: 1000},
		"compares gradients betwe": {Batches: 1},
	} {
		o.Quiet = true
		if o.Batch == 0 {
			o.Batch = 4
		}
		if _, err := Score("0", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: the error is %v, want one with %q", o, err, want)
		}
	}
}

// wellFormed checks that a picture is XML without anything that ties it to a page.
func wellFormed(t *testing.T, picture string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(picture))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, picture)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if n := e.Name.Local; n == "script" || n == "style" || n == "image" || n == "use" {
			t.Errorf("the picture has an element %q", n)
		}
		for _, a := range e.Attr {
			if a.Name.Local == "id" || a.Name.Local == "class" || strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" {
				t.Errorf("the picture has the attribute %s=%q", a.Name.Local, a.Value)
			}
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Errorf("%s has %s=%q", e.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
}

// TestCharts draws what charts get in bad times: nothing, NaN, infinities, hostile names, a hundred layers.
func TestCharts(t *testing.T) {
	nasty := `<script>"&'` + "\x00\xff"
	var many []svg.Bar
	for i := range 100 {
		many = append(many, svg.Bar{Label: fmt.Sprintf("cells.%d.layers.3.op.1", i), Value: float64(i)})
	}
	for _, bars := range [][]svg.Bar{nil, {{Label: nasty, Value: math.NaN()}}, {{Label: "a", Value: math.Inf(1)}, {Label: "b", Value: -3}, {Void: true}}, many} {
		wellFormed(t, svg.Columns{Title: nasty, Bars: bars, Groups: []svg.Group{{Name: nasty, Color: svg.Blue}}}.SVG())
		wellFormed(t, svg.Rows{Title: nasty, Bars: bars}.SVG())
	}
	for _, dots := range [][]svg.Dot{nil, {{X: 1, Y: math.NaN()}}, {{X: 2, Y: 3}}, {{X: 0, Y: 0}, {X: 1e9, Y: -1e-9}}} {
		wellFormed(t, svg.Dots{Title: nasty, Points: dots, Line: math.NaN()}.SVG())
	}
	h := (&table{caption: nasty, head: []string{nasty}, right: []bool{true}, rows: [][]string{{nasty}}}).HTML()
	if strings.Contains(h, "<script") {
		t.Errorf("the table does not escape its text: %s", h)
	}
}

// TestDependencies pins what every notebook cell links: a new module here makes each cell slower.
//
// gonum is there for the determinants and eigenvalues of package proxy (NASWOT, NTK, Jacob_cov), which any cell links that imports gonbext: 1.3 MB of a program of 22.8 MB. With all that Correlate brought, the program is 3.7 MB larger than without and its link takes 1.9 s of processor time in place of 1.5 s.
//
// fpdf, x/text and x/sys are there for Save, through package render. The linker leaves them out of cells that do not call it, but for what their packages initialise: 0.2 MB of 24.2 MB; Save adds 1.0 MB.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	mods := strings.Fields(string(out))
	slices.Sort(mods)
	got := strings.Join(slices.Compact(mods), "\n")
	want := strings.Join([]string{
		"codeberg.org/go-pdf/fpdf",
		"github.com/go-logr/logr",
		"github.com/gofrs/uuid",
		"github.com/gomlx/compute",
		"github.com/gomlx/go-xla",
		"github.com/gomlx/gomlx",
		"github.com/google/uuid",
		"github.com/janpfeifer/gonb",
		"github.com/pkg/errors",
		"github.com/zeroshotnas/zeroshot",
		"golang.org/x/exp",
		"golang.org/x/image",
		"golang.org/x/sys",
		"golang.org/x/text",
		"gonum.org/v1/gonum",
		"google.golang.org/protobuf",
		"k8s.io/klog/v2",
	}, "\n")
	if got != want {
		t.Errorf("gonbext links these modules:\n%s\nwanted:\n%s", got, want)
	}
}
