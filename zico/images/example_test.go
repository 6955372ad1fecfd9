package images_test

import (
	"context"
	"fmt"
	"log"

	"github.com/zeroshotnas/zeroshot/zico/images"
)

func Example() {
	src, err := images.Open("embedded")
	if err != nil {
		log.Fatal(err)
	}
	data, err := src.Batches(context.Background(), images.Options{Batch: 64, N: 2, Size: 96, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	for _, b := range data {
		fmt.Printf("%d images of %dx%dx%d in %d classes\n", b.N, b.H, b.W, b.C, b.Classes)
	}
	// Output:
	// 64 images of 96x96x3 in 10 classes
	// 64 images of 96x96x3 in 10 classes
}

// A batch made by hand is checked before it is scored.
func ExampleBatch_Validate() {
	b := images.Batch{N: 1, H: 1, W: 1, C: 3, Classes: 10, Pixels: []float32{.1, .2, .3}, Labels: []int32{10}}
	fmt.Println(b.Validate())
	// Output: images: invalid batch: image 0 has label 10; labels are 0 to 9
}
