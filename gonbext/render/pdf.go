package render

import (
	"fmt"
	"image/color"
	"io"
	"slices"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/goregular"
)

// points in a pixel
const pt = 0.75

// made stands in files in place of the time at which they are written, so that the same picture gives the same bytes.
var made = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// PDF writes the picture as a page of its size, of lines and text that can be searched and copied. The bytes depend on the picture only. It fails where w does.
func (p *Picture) PDF(w io.Writer) error {
	f := fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: p.Width * pt, Ht: p.Height * pt}})
	f.SetCatalogSort(true)
	f.SetCreationDate(made)
	f.SetModificationDate(made)
	f.SetProducer("zeroshot", false)
	f.SetTitle(p.Title, true)
	f.SetMargins(0, 0, 0)
	f.SetAutoPageBreak(false, 0)
	f.AddUTF8FontFromBytes("Go", "", slices.Clone(goregular.TTF))
	f.AddPage()
	for i := range p.shapes {
		page{f}.shape(&p.shapes[i])
	}
	if err := f.Output(w); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	return nil
}

type page struct{ *fpdf.Fpdf }

func (g page) shape(s *shape) {
	if s.label != nil {
		g.label(s.label, s.fill)
		return
	}
	if s.fill.A > 0 {
		g.SetAlpha(float64(s.fill.A)/255, "Normal")
		g.SetFillColor(int(s.fill.R), int(s.fill.G), int(s.fill.B))
		g.trace(s.path)
		g.DrawPath("F")
	}
	if s.stroke.A == 0 || s.width == 0 {
		return
	}
	g.SetAlpha(float64(s.stroke.A)/255, "Normal")
	g.SetDrawColor(int(s.stroke.R), int(s.stroke.G), int(s.stroke.B))
	g.SetLineWidth(s.width * pt)
	ends := "butt"
	if s.round {
		ends = "round"
	}
	g.SetLineCapStyle(ends)
	dash := make([]float64, len(s.dash))
	for i, v := range s.dash {
		dash[i] = v * pt
	}
	g.SetDashPattern(dash, 0)
	g.trace(s.path)
	g.DrawPath("D")
}

// trace says where a path goes.
func (g page) trace(path []segment) {
	for _, s := range path {
		p := s.p
		for i := range p {
			p[i].x *= pt
			p[i].y *= pt
		}
		switch s.op {
		case 'M':
			g.MoveTo(p[0].x, p[0].y)
		case 'L':
			g.LineTo(p[0].x, p[0].y)
		case 'C':
			g.CurveBezierCubicTo(p[0].x, p[0].y, p[1].x, p[1].y, p[2].x, p[2].y)
		case 'Z':
			g.ClosePath()
		}
	}
}

func (g page) label(l *label, c color.NRGBA) {
	if c.A == 0 || l.size == 0 {
		return
	}
	g.SetAlpha(float64(c.A)/255, "Normal")
	g.SetTextColor(int(c.R), int(c.G), int(c.B))
	g.SetFont("Go", "", l.size*pt)
	x, y := l.at.x*pt, l.at.y*pt
	if l.angle != 0 {
		g.TransformBegin()
		g.TransformRotate(-l.angle, x, y)
		defer g.TransformEnd()
	}
	g.Text(x-l.anchor*l.width()*pt, y, l.text)
}
