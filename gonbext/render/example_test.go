package render_test

import (
	"bytes"
	"fmt"
	"image/png"

	"github.com/zeroshotnas/zeroshot/gonbext/render"
	"github.com/zeroshotnas/zeroshot/gonbext/svg"
)

func ExampleParse() {
	p, err := render.Parse(svg.Rows{Title: "ZiCo", Bars: []svg.Bar{{Label: "a", Value: 735}, {Label: "b", Value: 972}}}.SVG())
	if err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	if err := p.PNG(&file, 2); err != nil {
		fmt.Println(err)
		return
	}
	picture, err := png.Decode(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Title, float64(picture.Bounds().Dx())/p.Width)
	// Output: ZiCo 2
}
