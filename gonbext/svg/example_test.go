package svg_test

import (
	"fmt"
	"strings"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
)

func ExampleRows() {
	picture := svg.Rows{
		Title:  "Two networks",
		XLabel: "ZiCo score (nat)",
		Bars:   []svg.Bar{{Label: "3x3", Value: 978.3}, {Label: "1x1", Value: 801.9}},
	}.SVG()
	fmt.Println(strings.HasPrefix(picture, "<svg"), strings.Contains(picture, "<title>3x3: 978.3</title>"))
	// Output: true true
}
