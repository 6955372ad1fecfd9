package render

import (
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// face is the font that pictures are set in, with the outlines that were needed so far.
var face struct {
	sync.Mutex
	font   *sfnt.Font
	buf    sfnt.Buffer
	em     float64
	glyphs map[rune]*glyph
}

// glyph is a letter at a size of one pixel.
type glyph struct {
	advance float64
	outline []segment
}

// letter returns the glyph of a letter, nil where the font has none.
func letter(c rune) *glyph {
	face.Lock()
	defer face.Unlock()
	if face.font == nil {
		f, err := sfnt.Parse(goregular.TTF)
		if err != nil {
			panic(err) // it is compiled in
		}
		face.font, face.em, face.glyphs = f, float64(f.UnitsPerEm()), map[rune]*glyph{}
	}
	if g, ok := face.glyphs[c]; ok {
		return g
	}
	face.glyphs[c] = load(c)
	return face.glyphs[c]
}

func load(c rune) *glyph {
	index, err := face.font.GlyphIndex(&face.buf, c)
	if err != nil || index == 0 || c > 0xFFFF { // package fpdf writes no letters beyond
		return nil
	}
	ppem := fixed.I(int(face.em)) // one unit of the font is one pixel
	advance, err := face.font.GlyphAdvance(&face.buf, index, ppem, font.HintingNone)
	if err != nil {
		return nil
	}
	outline, err := face.font.LoadGlyph(&face.buf, index, ppem, nil)
	if err != nil {
		return nil
	}
	g := &glyph{advance: float64(advance) / 64 / face.em}
	at := func(p fixed.Point26_6) point {
		return point{float64(p.X) / 64 / face.em, float64(p.Y) / 64 / face.em}
	}
	var last point
	for _, s := range outline {
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			last = at(s.Args[0])
			g.outline = append(g.outline, segment{op: 'M', p: [3]point{last}})
		case sfnt.SegmentOpLineTo:
			last = at(s.Args[0])
			g.outline = append(g.outline, segment{op: 'L', p: [3]point{last}})
		case sfnt.SegmentOpQuadTo:
			q, end := at(s.Args[0]), at(s.Args[1])
			g.outline = append(g.outline, segment{op: 'C', p: [3]point{
				{last.x + (q.x-last.x)*2/3, last.y + (q.y-last.y)*2/3},
				{end.x + (q.x-end.x)*2/3, end.y + (q.y-end.y)*2/3},
				end,
			}})
			last = end
		case sfnt.SegmentOpCubeTo:
			last = at(s.Args[2])
			g.outline = append(g.outline, segment{op: 'C', p: [3]point{at(s.Args[0]), at(s.Args[1]), last}})
		}
	}
	return g
}

func hasGlyph(c rune) bool { return letter(c) != nil }

// width is how wide a text is, in pixels.
func (l *label) width() float64 {
	w := 0.0
	for _, c := range l.text {
		w += letter(c).advance
	}
	return w * l.size
}
