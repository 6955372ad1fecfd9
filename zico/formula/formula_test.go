package formula

import (
	"fmt"
	"math"
	"testing"
)

// TestSelfCheck compares with values that the reference's generator printed for seed 11 (golden.json, self_check).
func TestSelfCheck(t *testing.T) {
	b := Base(11, 0)
	if want := uint64(5833679380957638813); b != want {
		t.Fatalf("Base(11, 0) = %d, want %d", b, want)
	}
	for i, want := range []uint64{10520313552068553934, 4919299050227587188, 3598333411332322078, 15178826513207040651} {
		if got := Raw(b, uint64(i)); got != want {
			t.Errorf("Raw %d = %d, want %d", i, got, want)
		}
	}
	for i, want := range []float64{0.5703073404190709, 0.2666757358681314, 0.19506604509468395, 0.8228458340699824} {
		if got := Uniform(b, uint64(i)); got != want {
			t.Errorf("Uniform %d = %v, want %v", i, got, want)
		}
	}
	weights := make([]float32, 4)
	FillWeights(weights, 11, 0, 27)
	for i, want := range []float64{0.027061307802796364, -0.08980654925107956, -0.11736913025379181, 0.12426342070102692} {
		if float64(weights[i]) != want {
			t.Errorf("weight %d = %v, want %v", i, weights[i], want)
		}
	}
	for batch, want := range [][]float64{{0.9975662231445312, 0.7492004632949829, -0.2296900749206543, -1.598914384841919}, {-1.416672945022583, -0.22923314571380615, -1.6419057846069336, -1.4170433282852173}} {
		// The first values of a planar image are the first row of channel 0: every third value of ours.
		img := make([]float32, 3*4*4)
		FillImages(img, 11, batch, 1, 3, 4, 4)
		for i := range want {
			if float64(img[3*i]) != want[i] {
				t.Errorf("batch %d, image value %d = %v, want %v", batch, i, img[3*i], want[i])
			}
		}
	}
	for batch, want := range [][]int32{{7, 5, 3, 5, 8, 5, 8, 6}, {4, 5, 8, 3, 8, 3, 2, 4}} {
		got := make([]int32, len(want))
		FillLabels(got, 11, batch, 10)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("labels of batch %d are %v, want %v", batch, got, want)
		}
	}
}

// TestImagesContinue checks that the second image of a batch goes on where the first ends.
func TestImagesContinue(t *testing.T) {
	two := make([]float32, 2*3*2*2)
	FillImages(two, 5, 1, 2, 3, 2, 2)
	want := float32(Signed(Base(5, ImageStream+1), 12+4) * math.Sqrt(3)) // image 1, channel 1, pixel 0
	if got := two[12+1]; got != want {
		t.Errorf("image 1, channel 1, pixel 0 is %v, want %v", got, want)
	}
}

func ExampleFillWeights() {
	w := make([]float32, 3)
	FillWeights(w, 11, 0, 27) // the first layer of a network with seed 11: 3x3 windows on 3 channels
	fmt.Println(w)
	// Output: [0.027061308 -0.08980655 -0.11736913]
}

func BenchmarkFillWeights(b *testing.B) {
	w := make([]float32, 36864)
	b.SetBytes(int64(4 * len(w)))
	for b.Loop() {
		FillWeights(w, 1, 2, 576)
	}
}
