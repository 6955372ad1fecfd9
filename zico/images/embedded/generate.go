//go:build ignore

// Generate makes the embedded photographs from the scikit-image wheel: the largest centred square of each, scaled to 288x288 pixels, as PNG.
//
//	pip download --no-deps scikit-image==0.25.2
//	go run generate.go scikit_image-0.25.2-*.whl
package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg"
	"image/png"
	"log"
	"math"
	"os"

	"golang.org/x/image/draw"
)

const side = 288

// The photographs are those that the wheel's documentation (skimage/data/_fetchers.py) puts under CC0 or in the public domain; NOTICE has the list. The order is the order of the labels.
var photographs = []struct {
	file string
	// zoom is the share of the largest centred square that is kept: the retina lies in a black frame.
	zoom float64
}{
	{"astronaut.png", 1},
	{"brick.png", 1},
	{"camera.png", 1},
	{"chelsea.png", 1},
	{"coffee.png", 1},
	{"grass.png", 1},
	{"gravel.png", 1},
	{"hubble_deep_field.jpg", 1},
	{"retina.jpg", 0.65},
	{"rocket.jpg", 1},
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: go run generate.go WHEEL")
	}
	wheel, err := zip.OpenReader(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var sum, squares [3]float64
	for _, p := range photographs {
		f, err := wheel.Open("skimage/data/" + p.file)
		if err != nil {
			log.Fatal(err)
		}
		src, _, err := image.Decode(f)
		if err != nil {
			log.Fatalf("%s: %v", p.file, err)
		}
		b := src.Bounds()
		n := int(float64(min(b.Dx(), b.Dy())) * p.zoom)
		at := image.Pt(b.Min.X+(b.Dx()-n)/2, b.Min.Y+(b.Dy()-n)/2)
		square := image.Rectangle{at, at.Add(image.Pt(n, n))}
		var dst draw.Image = image.NewRGBA(image.Rect(0, 0, side, side))
		if src.ColorModel() == color.GrayModel {
			dst = image.NewGray(image.Rect(0, 0, side, side))
		}
		draw.CatmullRom.Scale(dst, dst.Bounds(), src, square, draw.Src, nil)
		for y := range side {
			for x := range side {
				r, g, b, _ := dst.At(x, y).RGBA()
				for c, v := range []uint32{r, g, b} {
					u := float64(v>>8) / 255
					sum[c] += u
					squares[c] += u * u
				}
			}
		}
		var out bytes.Buffer
		if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, dst); err != nil {
			log.Fatal(err)
		}
		name := p.file[:len(p.file)-4] + ".png"
		if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, out.Len())
	}
	total := float64(len(photographs) * side * side)
	for c := range sum {
		mean := sum[c] / total
		fmt.Printf("channel %d: mean %.4f std %.4f\n", c, mean, math.Sqrt(squares[c]/total-mean*mean))
	}
}
