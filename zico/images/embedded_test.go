package images

import (
	"crypto/sha256"
	"math"
	"os"
	"strings"
	"testing"
)

// TestEmbeddedHash pins the batches that results are published with: a change of photographs, windows, order or normalisation changes scores and must be meant.
func TestEmbeddedHash(t *testing.T) {
	src := open(t, "")
	const want = "436a4c18631126440c917a6c1672d417295031cbbe9a6f50461b8b52b2f98239"
	data := batches(t, src, Options{Batch: 128, N: 2, Seed: 1})
	if got := Hash(data); got != want {
		t.Errorf("hash of seed 1 is %s, want %s", got, want)
	}
	if Hash(data) != Hash(batches(t, open(t, "embedded"), Options{Batch: 128, N: 2, Seed: 1})) {
		t.Error("the same seed made different batches")
	}
	if Hash(data) == Hash(batches(t, src, Options{Batch: 128, N: 2, Seed: 2})) {
		t.Error("another seed made the same batches")
	}
}

// TestEmbeddedPatches takes the whole set: every patch once, classes of equal size, no patch flat.
func TestEmbeddedPatches(t *testing.T) {
	src := open(t, "embedded")
	b := batches(t, src, Options{Batch: src.Len(), N: 1})[0]
	count := make([]int, src.Classes())
	seen := map[[32]byte]int{}
	size := b.H * b.W * b.C
	for i := range b.N {
		count[b.Labels[i]]++
		img := Batch{N: 1, H: b.H, W: b.W, C: b.C, Classes: b.Classes, Pixels: b.Pixels[i*size : (i+1)*size], Labels: []int32{0}}
		key := sha256.Sum256([]byte(Hash([]Batch{img})))
		if j, ok := seen[key]; ok {
			t.Errorf("images %d and %d are equal", j, i)
		}
		seen[key] = i
		widest := 0.
		for c := range 3 {
			var sum, squares float64
			for p := c; p < size; p += 3 {
				v := float64(img.Pixels[p])
				sum += v
				squares += v * v
			}
			n := float64(size / 3)
			widest = max(widest, math.Sqrt(max(0, squares/n-sum/n*sum/n)))
		}
		// Three of 255 steps, normalised.
		if limit := 3 / 255. / .2764; widest < limit {
			t.Errorf("image %d (class %s) is flat: standard deviation %.4f, want at least %.4f", i, photographs[b.Labels[i]], widest, limit)
		}
	}
	for c, n := range count {
		if n != src.Len()/src.Classes() {
			t.Errorf("class %s has %d images, want %d", photographs[c], n, src.Len()/src.Classes())
		}
	}
}

// TestEmbeddedSizes checks that a larger image is the same window of the same photograph with more around it.
func TestEmbeddedSizes(t *testing.T) {
	src := open(t, "embedded")
	small := batches(t, src, Options{Batch: 4, N: 2, Seed: 7})
	for _, size := range []int{16, 64, 128, 224, 288} {
		data := batches(t, src, Options{Batch: 4, N: 2, Size: size, Seed: 7})
		for b := range data {
			for i, l := range data[b].Labels {
				if l != small[b].Labels[i] {
					t.Errorf("size %d, batch %d, image %d has label %d, at 32 pixels %d", size, b, i, l, small[b].Labels[i])
				}
			}
		}
	}
}

// TestEmbeddedNormalisation computes the documented constants from the photographs.
func TestEmbeddedNormalisation(t *testing.T) {
	e, err := loadPhotographs()
	if err != nil {
		t.Fatal(err)
	}
	for c := range 3 {
		var n, sum, squares float64
		for _, pix := range e.pix {
			if len(pix) != photographSide*photographSide*3 {
				t.Fatalf("a photograph has %d values, want %d", len(pix), photographSide*photographSide*3)
			}
			for p := c; p < len(pix); p += 3 {
				v := float64(pix[p]) / 255
				n++
				sum += v
				squares += v * v
			}
		}
		mean := sum / n
		std := math.Sqrt(squares/n - mean*mean)
		if math.Abs(mean-photographNorm.mean[c]) > 5e-5 || math.Abs(std-photographNorm.std[c]) > 5e-5 {
			t.Errorf("channel %d has mean %.4f and standard deviation %.4f; photographNorm says %.4f and %.4f", c, mean, std, photographNorm.mean[c], photographNorm.std[c])
		}
	}
}

// TestNotice checks that every embedded photograph is credited.
func TestNotice(t *testing.T) {
	text, err := os.ReadFile("../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	files, err := photographFiles.ReadDir("embedded")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(photographs) {
		t.Errorf("%d files are embedded for %d classes", len(files), len(photographs))
	}
	for _, f := range files {
		if !strings.Contains(string(text), f.Name()) {
			t.Errorf("NOTICE does not name %s", f.Name())
		}
	}
}
