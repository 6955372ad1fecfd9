package images

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shared returns a file of the folder shared/ beside the repository, or skips the test.
func shared(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	file := filepath.Join(dir, "..", "shared", filepath.FromSlash(name))
	if _, err := os.Stat(file); err != nil {
		t.Skipf("needs shared/%s beside the repository", name)
	}
	return file
}

func open(t *testing.T, spec string) Source {
	t.Helper()
	src, err := Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// batches makes batches that must be valid and as asked.
func batches(t *testing.T, src Source, o Options) []Batch {
	t.Helper()
	data, err := src.Batches(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) != o.N {
		t.Fatalf("%s made %d batches, want %d", src.Name(), len(data), o.N)
	}
	for i := range data {
		b := &data[i]
		if err := b.Validate(); err != nil {
			t.Fatalf("%s, batch %d: %v", src.Name(), i, err)
		}
		size := o.Size
		if size == 0 {
			size = src.Size()
		}
		if b.N != o.Batch || b.H != size || b.W != size || b.C != 3 || b.Classes != src.Classes() {
			t.Fatalf("%s, batch %d: %d images of %dx%dx%d in %d classes, want %d of %dx%dx3 in %d", src.Name(), i, b.N, b.H, b.W, b.C, b.Classes, o.Batch, size, size, src.Classes())
		}
	}
	return data
}

// wantError checks that an error says each of the words.
func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func write(t *testing.T, file string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestValidate(t *testing.T) {
	good := func() *Batch {
		return &Batch{N: 2, H: 2, W: 3, C: 3, Classes: 4, Pixels: make([]float32, 36), Labels: []int32{0, 3}}
	}
	if err := good().Validate(); err != nil {
		t.Fatalf("a good batch: %v", err)
	}
	tests := []struct {
		name  string
		spoil func(b *Batch)
		words []string
	}{
		{"zero batch", func(b *Batch) { *b = Batch{} }, []string{"at least 1"}},
		{"no rows", func(b *Batch) { b.H = 0 }, []string{"0x3x3"}},
		{"negative", func(b *Batch) { b.H, b.W = -2, -3 }, []string{"at least 1"}},
		{"too few pixels", func(b *Batch) { b.Pixels = b.Pixels[:35] }, []string{"35 pixel values"}},
		{"too few labels", func(b *Batch) { b.Labels = b.Labels[:1] }, []string{"1 labels for 2 images"}},
		{"product wraps to 0", func(b *Batch) { b.N, b.H, b.W, b.Labels, b.Pixels = 1, 1<<32, 1<<32, b.Labels[:1], nil }, []string{"0 pixel values"}},
		{"label too large", func(b *Batch) { b.Labels[1] = 4 }, []string{"image 1 has label 4", "0 to 3"}},
		{"label negative", func(b *Batch) { b.Labels[0] = -1 }, []string{"image 0 has label -1"}},
		{"NaN", func(b *Batch) { b.Pixels[18+9+3+2] = float32(math.NaN()) }, []string{"image 1", "NaN", "row 1, column 1, channel 2"}},
		{"infinite", func(b *Batch) { b.Pixels[0] = float32(math.Inf(-1)) }, []string{"image 0", "-Inf", "row 0, column 0, channel 0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := good()
			test.spoil(b)
			err := b.Validate()
			wantError(t, err, test.words...)
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%v does not wrap ErrInvalid", err)
			}
		})
	}
}

// TestHash checks that every part of the batches counts.
func TestHash(t *testing.T) {
	make2 := func() []Batch {
		b := Batch{N: 1, H: 2, W: 1, C: 1, Classes: 2, Pixels: []float32{0, 1}, Labels: []int32{1}}
		return []Batch{b, {N: 1, H: 2, W: 1, C: 1, Classes: 2, Pixels: []float32{2, 3}, Labels: []int32{0}}}
	}
	want := Hash(make2())
	if again := Hash(make2()); again != want {
		t.Errorf("equal batches have the hashes %s and %s", want, again)
	}
	for name, change := range map[string]func(b []Batch){
		"shape":        func(b []Batch) { b[0].H, b[0].W = 1, 2 },
		"classes":      func(b []Batch) { b[1].Classes = 3 },
		"pixel":        func(b []Batch) { b[1].Pixels[1] = 3.0000002 },
		"sign of zero": func(b []Batch) { b[0].Pixels[0] = float32(math.Copysign(0, -1)) },
		"label":        func(b []Batch) { b[1].Labels[0] = 1 },
		"order":        func(b []Batch) { b[0], b[1] = b[1], b[0] },
	} {
		b := make2()
		change(b)
		if Hash(b) == want {
			t.Errorf("another %s has the same hash", name)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	for spec, words := range map[string][]string{
		"embedded:classes=3":                       {"no options"},
		"digits:classes=3":                         {"no options"},
		"noise:classes=0":                          {"classes=N with N from 1 to", "noise:classes=0"},
		"noise:classes=ten":                        {"classes=N"},
		"formula:size=3":                           {"classes=N"},
		"noise:classes=3000000000":                 {"classes=N", "1048576"},
		filepath.Join(dir, "absent"):               {"neither embedded, digits, noise nor formula", "absent"},
		write(t, filepath.Join(dir, "x.npy"), nil): {"x.npy", ".tar.gz", ".png"},
	} {
		_, err := Open(spec)
		wantError(t, err, words...)
	}
}

func TestOptionErrors(t *testing.T) {
	for _, spec := range []string{"embedded", "noise"} {
		src := open(t, spec)
		for _, o := range []Options{{Batch: -1}, {N: -2}, {Size: -3}, {Size: 5000}} {
			_, err := src.Batches(t.Context(), o)
			wantError(t, err, "at least 1")
		}
		// 2^62 x 4 is 0 in 64 bits.
		for _, o := range []Options{{Batch: 1 << 62, N: 4}, {Batch: 1 << 20, Size: 224}} {
			_, err := src.Batches(t.Context(), o)
			wantError(t, err, "GiB", "smaller or fewer")
		}
	}
	_, err := open(t, "embedded").Batches(t.Context(), Options{Batch: 600})
	wantError(t, err, "has 640 images, 1200 were asked for")
	_, err = open(t, "embedded").Batches(t.Context(), Options{Size: 289})
	wantError(t, err, "up to 288 pixels", "289")
}

// TestInterrupted checks that every source stops when its context ends.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	folder := t.TempDir()
	writePNG(t, filepath.Join(folder, "a", "1.png"), uniform(8, 8, 9))
	for _, spec := range []string{"embedded", "digits", "noise", "formula", folder, writeCIFAR10(t, 1)} {
		_, err := open(t, spec).Batches(ctx, Options{Batch: 1, N: 1})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want context.Canceled", spec, err)
		}
	}
}

// TestFormula compares with the values that the reference printed for seed 11.
func TestFormula(t *testing.T) {
	text, err := os.ReadFile(shared(t, "golden/golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Check struct {
			Seed   uint64
			Image0 []float64 `json:"image_batch0"`
			Image1 []float64 `json:"image_batch1"`
			Label0 []int32   `json:"label_batch0_classes10"`
			Label1 []int32   `json:"label_batch1_classes10"`
		} `json:"self_check"`
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	check := golden.Check
	data := batches(t, open(t, "formula"), Options{Batch: 8, N: 2, Size: 16, Seed: check.Seed})
	for b, want := range [][]float64{check.Image0, check.Image1} {
		if len(want) == 0 {
			t.Fatal("golden.json has no image values")
		}
		for x, v := range want { // the first row of channel 0
			if got := float64(data[b].Pixels[3*x]); got != v {
				t.Errorf("batch %d, column %d is %v, want %v", b, x, got, v)
			}
		}
	}
	for b, want := range [][]int32{check.Label0, check.Label1} {
		for i, l := range want {
			if data[b].Labels[i] != l {
				t.Errorf("batch %d, label %d is %d, want %d", b, i, data[b].Labels[i], l)
			}
		}
	}
}

// TestNoise checks that pixels are standard normal, by moments and tails, and that all classes occur.
func TestNoise(t *testing.T) {
	src := open(t, "noise:classes=100")
	if src.Classes() != 100 || src.Len() != 0 {
		t.Fatalf("%d classes and %d images, want 100 and 0 (unlimited)", src.Classes(), src.Len())
	}
	data := batches(t, src, Options{Batch: 500, N: 2, Size: 16, Seed: 3})
	if Hash(data[:1]) == Hash(data[1:]) {
		t.Error("both batches are equal")
	}
	if Hash(data) != Hash(batches(t, src, Options{Batch: 500, N: 2, Size: 16, Seed: 3})) {
		t.Error("the same seed made different batches")
	}
	if Hash(data) == Hash(batches(t, src, Options{Batch: 500, N: 2, Size: 16, Seed: 4})) {
		t.Error("another seed made the same batches")
	}
	var n, sum, squares, fourth, beyond2 float64
	classes := map[int32]bool{}
	for _, b := range data {
		for _, p := range b.Pixels {
			v := float64(p)
			n++
			sum += v
			squares += v * v
			fourth += v * v * v * v
			if math.Abs(v) > 2 {
				beyond2++
			}
		}
		for _, l := range b.Labels {
			classes[l] = true
		}
	}
	// Five standard errors of 768,000 values: of the mean .0057, the variance .0081, the fourth moment .056, the tail .0012.
	for _, m := range []struct {
		name           string
		got, want, tol float64
	}{
		{"mean", sum / n, 0, .0057},
		{"variance", squares / n, 1, .0081},
		{"fourth moment", fourth / n, 3, .056},
		{"share beyond 2", beyond2 / n, .0455, .0012},
	} {
		if math.Abs(m.got-m.want) > m.tol {
			t.Errorf("%s is %.5f, want %.4f within %.4f", m.name, m.got, m.want, m.tol)
		}
	}
	if len(classes) != 100 {
		t.Errorf("%d of 100 classes occur in 1000 labels", len(classes))
	}
}
