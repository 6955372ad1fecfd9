package svg

import (
	"slices"
	"strings"
)

// Theme has the colours of pictures for one kind of page. Pictures fill their whole area with Ground, so that those of one theme read on pages of the other too.
type Theme struct {
	Name   string
	Ground string // behind everything
	Ink    string // text and axes
	Rule   string // lines that guide the eye
	Warn   string // text about what is missing
	// Palette has the colours of marks in the order Blue, Orange, Green, Vermillion, Purple, Sky, Black, Grey, in which lines without a colour of their own take them; lines beyond them begin anew.
	Palette [8]string
}

// The themes. Text has a contrast of at least 4.5 to the ground and marks one of 3, as WCAG 2.1 asks (1.4.3, 1.4.11), except Orange (2.2) and Sky (2.3) in Light: Okabe and Ito's palette is told apart by lightness too, and needs light colours for that. What is drawn in them alone also has a label, a value or a title.
var (
	Light = Theme{
		Name: "light", Ground: "#FFFFFF", Ink: ink, Rule: rule, Warn: "#A84A00",
		Palette: [8]string{Blue, Orange, Green, Vermillion, Purple, Sky, Black, Grey},
	}
	Dark = Theme{
		Name: "dark", Ground: "#17191C", Ink: "#E4E4E4", Rule: "#3A3E44", Warn: "#F08A3C",
		Palette: [8]string{Blue, Orange, Green, Vermillion, Purple, Sky, "#F4F4F4", Grey},
	}
)

// Themes are all themes, the default first.
var Themes = []Theme{Light, Dark}

// Color is a colour of Light's palette in this theme. Other colours stay as they are.
func (t Theme) Color(c string) string {
	if i := slices.Index(Light.Palette[:], c); i >= 0 {
		return t.Palette[i]
	}
	return c
}

// Drawing is a picture of package net (Network.SVG, DrawCells) in this theme: ground, title and lines change, boxes keep their colours, on which their text reads. Charts draw themselves, see Chart.
func (t Theme) Drawing(picture string) string {
	if t == Light {
		return picture
	}
	// The ground is the first rectangle; white boxes on it stay light, as their text is black.
	head, ground, ok := strings.Cut(picture, `<rect `)
	if ok {
		ground = strings.Replace(ground, `fill="#FFFFFF"`, `fill="`+t.Ground+`"`, 1)
		picture = head + `<rect ` + ground
	}
	return strings.NewReplacer(
		`fill="`+ink+`"`, `fill="`+t.Ink+`"`, // titles
		`stroke="#555555"`, `stroke="#A9AEB5"`, // lines
		`fill="#555555"`, `fill="#A9AEB5"`, // heads of arrows
		`stroke="#AAAAAA"`, `stroke="#7A8088"`, // what is faint
		`stroke="`+rule+`"`, `stroke="`+t.Rule+`"`,
		`stroke="#CCCCCC"`, `stroke="#4A4F56"`, // distant links
	).Replace(picture)
}
