package images

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// uniform is a picture of one grey value.
func uniform(w, h int, v uint8) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.NRGBA{v, v, v, 255})
		}
	}
	return img
}

func encodePNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func writePNG(t *testing.T, file string, img image.Image) { write(t, file, encodePNG(t, img)) }

// normalised is ImageNet's normalisation of an 8-bit value.
func normalised(v float64, c int) float64 {
	return (v/255 - []float64{.485, .456, .406}[c]) / []float64{.229, .224, .225}[c]
}

// TestFolder checks classes, labels and what counts as a picture, with JPEG and PNG files.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for i, class := range []string{"n01", "n02", "n10"} {
		v := uint8(60 * (i + 1))
		writePNG(t, filepath.Join(dir, class, "a.png"), uniform(40, 30, v))
		var out bytes.Buffer
		if err := jpeg.Encode(&out, uniform(20, 50, v), nil); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, class, "b.JPEG"), out.Bytes())
		write(t, filepath.Join(dir, class, "notes.txt"), nil)
		write(t, filepath.Join(dir, class, ".a.png.swp.png"), nil)
	}
	write(t, filepath.Join(dir, "README.md"), nil)
	write(t, filepath.Join(dir, ".ipynb_checkpoints", "x.txt"), nil)
	linked := "n11"
	if err := os.Symlink(filepath.Join(dir, "n10"), filepath.Join(dir, linked)); err != nil {
		linked = ""
	}
	src := open(t, dir)
	classes := 3
	if linked != "" {
		classes = 4
	}
	if src.Classes() != classes || src.Len() != 2*classes || src.Size() != 224 {
		t.Fatalf("%d images in %d classes of %d pixels, want %d in %d of 224", src.Len(), src.Classes(), src.Size(), 2*classes, classes)
	}
	b := batches(t, src, Options{Batch: 2 * classes, N: 1, Size: 16})[0]
	count := make([]int, classes)
	for i, l := range b.Labels {
		count[l]++
		v := float64(60 * (min(l, 2) + 1))
		for p, got := range b.Pixels[i*16*16*3 : (i+1)*16*16*3] {
			if want := normalised(v, p%3); abs(float64(got)-want) > .02 { // one 8-bit step
				t.Fatalf("image %d of class %d has the value %v at %d, want %v", i, l, got, p, want)
			}
		}
	}
	for l, n := range count {
		if n != 2 {
			t.Errorf("class %d occurs %d times, want 2", l, n)
		}
	}
}

// TestFolderTransform checks the geometry: at 256 pixels nothing is scaled and the centre is cut out exactly; larger pictures are averaged, not sampled; any shape is cut in the middle.
func TestFolderTransform(t *testing.T) {
	one := func(t *testing.T, img image.Image, size int) []float32 {
		dir := t.TempDir()
		writePNG(t, filepath.Join(dir, "class", "x.png"), img)
		return batches(t, open(t, dir), Options{Batch: 1, N: 1, Size: size})[0].Pixels
	}
	t.Run("centre", func(t *testing.T) {
		img := image.NewNRGBA(image.Rect(0, 0, 300, 256))
		for y := range 256 {
			for x := range 300 {
				img.Set(x, y, color.NRGBA{uint8(x), uint8(y), uint8(x ^ y), 255})
			}
		}
		pix := one(t, img, 224)
		for _, p := range []image.Point{{0, 0}, {223, 0}, {0, 223}, {100, 57}} {
			x, y := p.X+(300-224)/2, p.Y+(256-224)/2
			for c, v := range []uint8{uint8(x), uint8(y), uint8(x ^ y)} {
				if got, want := float64(pix[(p.Y*224+p.X)*3+c]), normalised(float64(v), c); abs(got-want) > 1e-5 {
					t.Errorf("column %d, row %d, channel %d is %v, want %v", p.X, p.Y, c, got, want)
				}
			}
		}
	})
	t.Run("average", func(t *testing.T) {
		img := uniform(512, 512, 0)
		for y := range 512 {
			for x := range 512 {
				if (x+y)%2 == 0 {
					img.Set(x, y, color.White)
				}
			}
		}
		for i, v := range one(t, img, 224) {
			if want := normalised(127.5, i%3); abs(float64(v)-want) > .03 {
				t.Fatalf("a fine checkerboard becomes %v at %d, want grey %v", v, i, want)
			}
		}
	})
	for _, size := range []image.Point{{3000, 1}, {1, 3000}, {2, 2}} {
		img := uniform(size.X, size.Y, 77)
		for i, v := range one(t, img, 32) {
			if want := normalised(77, i%3); abs(float64(v)-want) > .02 {
				t.Fatalf("a %v picture of one grey has the value %v at %d, want %v", size, v, i, want)
			}
		}
	}
}

func TestFolderErrors(t *testing.T) {
	good := encodePNG(t, uniform(40, 40, 1))
	t.Run("empty", func(t *testing.T) {
		dir := t.TempDir()
		_, err := Open(dir)
		wantError(t, err, dir, "one a class", "data_batch_*.bin")
	})
	t.Run("empty class", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "cat", "1.png"), good)
		write(t, filepath.Join(dir, "dog", "notes.txt"), nil)
		_, err := Open(dir)
		wantError(t, err, filepath.Join(dir, "dog"), "holds no .jpg")
	})
	t.Run("other format", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "cat", "1.png"), good)
		write(t, filepath.Join(dir, "cat", "2.webp"), good)
		_, err := Open(dir)
		wantError(t, err, "2.webp", "JPEG or PNG")
	})

	// A header that claims 65535 x 65535 pixels, with a right checksum.
	huge := bytes.Clone(good)
	copy(huge[16:], []byte{0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff})
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	flipped := bytes.Clone(good)
	flipped[len(good)/2] ^= 0xff
	for name, bad := range map[string]struct {
		data []byte
		word string
	}{
		"text":    {[]byte("no picture"), "damaged"},
		"empty":   {nil, "damaged"},
		"cut off": {good[:len(good)-20], "damaged"},
		"flipped": {flipped, "damaged"},
		"huge":    {huge, "65535 x 65535"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "cat", "1.png"), good)
			write(t, filepath.Join(dir, "cat", "bad.png"), bad.data)
			_, err := open(t, dir).Batches(t.Context(), Options{Batch: 2, N: 1, Size: 8})
			wantError(t, err, filepath.Join("cat", "bad.png"), bad.word)
		})
	}
	t.Run("gone", func(t *testing.T) {
		dir := t.TempDir()
		file := write(t, filepath.Join(dir, "cat", "1.png"), good)
		src := open(t, dir)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		_, err := src.Batches(t.Context(), Options{Batch: 1, N: 1})
		wantError(t, err, "1.png", "no such file")
	})
	t.Run("too few", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "cat", "1.png"), good)
		_, err := open(t, dir).Batches(t.Context(), Options{Batch: 2, N: 1})
		wantError(t, err, dir, "has 1 images, 2 were asked for")
	})
}
