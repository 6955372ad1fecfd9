package images

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// cifarRecord is a record whose picture has the value value(channel, row, column).
func cifarRecord(head []byte, value func(c, y, x int) uint8) []byte {
	r := bytes.Clone(head)
	for c := range 3 {
		for y := range 32 {
			for x := range 32 {
				r = append(r, value(c, y, x))
			}
		}
	}
	return r
}

// numbered are CIFAR-10 records first..last-1: picture i has the label i%10 and the value i everywhere.
func numbered(first, last int) []byte {
	var out []byte
	for i := first; i < last; i++ {
		out = append(out, cifarRecord([]byte{uint8(i % 10)}, func(c, y, x int) uint8 { return uint8(i) })...)
	}
	return out
}

type member struct {
	name string
	data []byte
}

func tarGz(t *testing.T, members ...member) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, m := range members {
		if err := w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// writeCIFAR10 writes an archive of n numbered pictures over two files, beside members that are no training data.
func writeCIFAR10(t *testing.T, n int) string {
	t.Helper()
	members := []member{
		{"cifar-10-batches-bin/batches.meta.txt", []byte("airplane\n")},
		{"cifar-10-batches-bin/data_batch_1.bin", numbered(0, (n+1)/2)},
	}
	if n > 1 {
		members = append(members, member{"cifar-10-batches-bin/data_batch_2.bin", numbered((n+1)/2, n)})
	}
	members = append(members, member{"cifar-10-batches-bin/test_batch.bin", numbered(200, 210)})
	return write(t, filepath.Join(t.TempDir(), "cifar-10-binary.tar.gz"), tarGz(t, members...))
}

// TestCIFAR10 draws a whole archive: every training picture once over both batches, none of the test file.
func TestCIFAR10(t *testing.T) {
	archive := writeCIFAR10(t, 24)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "data_batch_1.bin"), numbered(0, 12))
	write(t, filepath.Join(folder, "data_batch_2.bin"), numbered(12, 24))
	write(t, filepath.Join(folder, "test_batch.bin"), numbered(200, 210))
	write(t, filepath.Join(folder, "readme.html"), nil)
	file := write(t, filepath.Join(t.TempDir(), "data_batch_7.bin"), numbered(0, 24))

	var hashes []string
	for _, spec := range []string{archive, folder, file} {
		src := open(t, spec)
		if src.Len() != 24 || src.Classes() != 10 || src.Size() != 32 {
			t.Fatalf("%s: %d images in %d classes of %d pixels, want 24, 10, 32", spec, src.Len(), src.Classes(), src.Size())
		}
		data := batches(t, src, Options{Batch: 12, N: 2, Seed: 5})
		hashes = append(hashes, Hash(data))
		seen := map[int]bool{}
		for _, b := range data {
			for i := range b.N {
				first := b.Pixels[i*32*32*3]
				v := int(first*63 + 125.3 + .5) // undo the normalisation of red
				if seen[v] || v > 23 {
					t.Errorf("%s: picture %d is drawn twice or is no training picture", spec, v)
				}
				seen[v] = true
				if int(b.Labels[i]) != v%10 {
					t.Errorf("%s: picture %d has label %d, want %d", spec, v, b.Labels[i], v%10)
				}
			}
		}
		_, err := src.Batches(t.Context(), Options{Batch: 13, N: 2})
		wantError(t, err, "has 24 images, 26 were asked for")
	}
	if hashes[0] != hashes[1] || hashes[0] != hashes[2] {
		t.Errorf("archive, folder and file give different batches: %v", hashes)
	}
}

// TestCIFARPixels follows single pixels from the planes of the file into [row, column, channel], and their mean into a smaller size.
func TestCIFARPixels(t *testing.T) {
	value := func(c, y, x int) uint8 { return uint8(50*c + 4*y + x) }
	data := cifarRecord([]byte{19, 99}, value) // coarse and fine label
	src := open(t, write(t, filepath.Join(t.TempDir(), "cifar-100-binary.tar.gz"), tarGz(t, member{"cifar-100-binary/train.bin", data})))
	b := batches(t, src, Options{Batch: 1, N: 1})[0]
	if b.Classes != 100 || b.Labels[0] != 99 {
		t.Errorf("label %d of %d classes, want the fine label 99 of 100", b.Labels[0], b.Classes)
	}
	mean, std := [3]float64{129.3, 124.1, 112.4}, [3]float64{68.2, 65.4, 70.4}
	half := batches(t, src, Options{Batch: 1, N: 1, Size: 16})[0]
	for _, p := range [][3]int{{0, 0, 0}, {1, 0, 31}, {2, 31, 0}, {0, 17, 5}} {
		c, y, x := p[0], p[1], p[2]
		want := (float64(value(c, y, x)) - mean[c]) / std[c]
		if got := float64(b.Pixels[(y*32+x)*3+c]); abs(got-want) > 1e-6 {
			t.Errorf("channel %d, row %d, column %d is %v, want %v", c, y, x, got, want)
		}
		y, x = y/2, x/2
		want = (float64(value(c, 2*y, 2*x)) + 2.5 - mean[c]) / std[c] // the four pixels are v, v+1, v+4, v+5
		if got := float64(half.Pixels[(y*16+x)*3+c]); abs(got-want) > 1e-6 {
			t.Errorf("16 pixels: channel %d, row %d, column %d is %v, want %v", c, y, x, got, want)
		}
	}
	for _, size := range []int{64, 24} {
		_, err := src.Batches(t.Context(), Options{Batch: 1, N: 1, Size: size})
		wantError(t, err, "32 and its divisors", fmt.Sprint(size))
	}
}

func TestCIFARErrors(t *testing.T) {
	whole := tarGz(t, member{"cifar-10-batches-bin/data_batch_1.bin", numbered(0, 8)})
	badLabel := numbered(0, 3)
	badLabel[2*3073] = 10
	tests := []struct {
		name, file string
		data       []byte
		words      []string
	}{
		{"record cut off", "data_batch_1.bin", numbered(0, 3)[:2*3073+100], []string{"data_batch_1.bin", "record 2, at byte 6146", "100 bytes of 3073"}},
		{"label out of range", "data_batch_1.bin", badLabel, []string{"data_batch_1.bin", "record 2, at byte 6146", "label 10", "0 to 9"}},
		{"CIFAR-100 label", "train.bin", cifarRecord([]byte{0, 100}, func(c, y, x int) uint8 { return 0 }), []string{"train.bin", "label 100", "0 to 99"}},
		{"empty file", "data_batch_1.bin", nil, []string{"data_batch_1.bin", "empty"}},
		{"archive cut off", "a.tar.gz", whole[:len(whole)*2/3], []string{"a.tar.gz", "unexpected EOF"}},
		{"end of archive cut off", "a.tar.gz", whole[:len(whole)-6], []string{"a.tar.gz", "unexpected EOF"}},
		{"not gzip", "a.tar.gz", []byte("<html>404 Not Found</html>"), []string{"a.tar.gz", "gzip"}},
		{"python version", "a.tar.gz", tarGz(t, member{"cifar-10-batches-py/data_batch_1", []byte("\x80\x02}")}), []string{"data_batch_*.bin", "binary version"}},
		{"record cut off in the archive", "a.tar.gz", tarGz(t, member{"c/data_batch_3.bin", numbered(0, 2)[:4000]}), []string{"a.tar.gz", "c/data_batch_3.bin", "record 1, at byte 3073", "927 bytes of 3073"}},
		{"two data sets", "a.tar.gz", tarGz(t, member{"data_batch_1.bin", numbered(0, 1)}, member{"train.bin", numbered(0, 1)}), []string{"mixed"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Open(write(t, filepath.Join(t.TempDir(), test.file), test.data))
			wantError(t, err, test.words...)
		})
	}
	t.Run("damaged archive", func(t *testing.T) {
		damaged := bytes.Clone(whole)
		for i := range 20 {
			damaged[len(damaged)/2+i] ^= 0x5a
		}
		_, err := Open(write(t, filepath.Join(t.TempDir(), "a.tar.gz"), damaged))
		wantError(t, err, "a.tar.gz")
	})
	t.Run("record cut off in a folder", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "data_batch_1.bin"), numbered(0, 2))
		write(t, filepath.Join(dir, "data_batch_2.bin"), numbered(0, 2)[:5000])
		_, err := Open(dir)
		wantError(t, err, "data_batch_2.bin", "record 1, at byte 3073")
	})
}

// TestSheet reads the 1,000 CIFAR-10 images and checks them against the file's own label list.
func TestSheet(t *testing.T) {
	src := open(t, shared(t, "data/images/cifar10_batch_0.png"))
	if src.Len() != 1000 || src.Classes() != 10 {
		t.Fatalf("%d images in %d classes, want 1000 in 10", src.Len(), src.Classes())
	}
	all := batches(t, src, Options{Batch: 500, N: 2, Seed: 2})
	count := make([]int, 10)
	var n, sum, squares float64
	for _, b := range all {
		for _, l := range b.Labels {
			count[l]++
		}
		for _, p := range b.Pixels {
			n++
			sum += float64(p)
			squares += float64(p) * float64(p)
		}
	}
	for l, k := range count {
		if k < 50 || k > 150 {
			t.Errorf("label %d occurs %d times in 1000", l, k)
		}
	}
	mean, variance := sum/n, squares/n-sum/n*sum/n
	if abs(mean) > .1 || abs(variance-1) > .1 {
		t.Errorf("normalised images have mean %.3f and variance %.3f, want about 0 and 1", mean, variance)
	}
}

func TestSheetPixels(t *testing.T) {
	dir := t.TempDir()
	sheet := func(name, labels string, w, h int) string {
		img := uniform(w, h, 0)
		for i := range img.Pix {
			if i%4 < 3 {
				img.Pix[i] = uint8(i * 7)
			}
		}
		writePNG(t, filepath.Join(dir, name+".png"), img)
		if labels != "" {
			write(t, filepath.Join(dir, name+".labels.txt"), []byte(labels))
		}
		return filepath.Join(dir, name+".png")
	}
	b := batches(t, open(t, sheet("good", "9\n", 1024, 1)), Options{Batch: 1, N: 1})[0]
	want := (float64((40*4+1)*7%256) - 123) / 62.1
	if got := float64(b.Pixels[40*3+1]); b.Labels[0] != 9 || abs(got-want) > 1e-6 {
		t.Errorf("row 1, column 8, green is %v with label %d, want %v with label 9", got, b.Labels[0], want)
	}
	for name, test := range map[string]struct {
		file  string
		words []string
	}{
		"narrow":          {sheet("narrow", "1", 1000, 1), []string{"narrow.png", "1000 pixels wide", "1024"}},
		"no labels":       {sheet("nolabels", "", 1024, 1), []string{"nolabels.labels.txt"}},
		"too few labels":  {sheet("few", "1 2", 1024, 3), []string{"2 labels for the 3 images"}},
		"label too large": {sheet("large", "1 10", 1024, 2), []string{"large.labels.txt", `label 1 is "10"`, "0 to 9"}},
		"no PNG":          {write(t, filepath.Join(dir, "text.png"), []byte("text")), []string{"text.png", "damaged"}},
	} {
		_, err := Open(test.file)
		t.Run(name, func(t *testing.T) { wantError(t, err, test.words...) })
	}
}

// FuzzCIFAR checks that any bytes are either read completely or refused.
func FuzzCIFAR(f *testing.F) {
	f.Add("data_batch_1.bin", numbered(0, 2))
	f.Add("train.bin", numbered(0, 2)[:3074])
	f.Add("train.bin", []byte{})
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		var s thumbs
		if err := s.readBin(name, bytes.NewReader(data)); err != nil {
			return
		}
		record := 3073
		if s.classes == 100 {
			record = 3074
		}
		if len(data) != s.Len()*record || len(s.pix) != s.Len()*3072 {
			t.Errorf("%d bytes became %d images of %d values", len(data), s.Len(), len(s.pix))
		}
	})
}

func BenchmarkOpenCIFAR10(b *testing.B) {
	dir := b.TempDir()
	file := filepath.Join(dir, "data_batch_1.bin")
	var data []byte
	for range 40 {
		data = append(data, numbered(0, 250)...)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Open(file); err != nil {
			b.Fatal(err)
		}
	}
}

func abs(v float64) float64 { return max(v, -v) }
