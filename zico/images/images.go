// Package images turns pictures into the batches that scores are computed on: CIFAR archives, MNIST files, image folders, picture sheets, photographs and handwritten digits embedded in the program, noise, and the reference's formula images.
package images

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
)

// Batch is N labelled images, normalised, in the layout the tape runs on.
type Batch struct {
	N, H, W, C int       // images, rows, columns, channels (3)
	Classes    int       // labels are 0..Classes-1
	Pixels     []float32 // [N, H, W, C], row-major
	Labels     []int32   // [N]
}

// ErrInvalid is wrapped by the errors of Validate.
var ErrInvalid = errors.New("invalid batch")

// Validate checks what a batch made by hand can get wrong: sizes, lengths, labels out of range, pixels that are NaN or infinite. The error names the image.
func (b *Batch) Validate() error {
	if b.N < 1 || b.H < 1 || b.W < 1 || b.C < 1 || b.Classes < 1 {
		return fmt.Errorf("images: %w: %d images of %dx%dx%d in %d classes; every number must be at least 1", ErrInvalid, b.N, b.H, b.W, b.C, b.Classes)
	}
	// Floats, because the product of absurd sizes must not wrap around to a length that fits.
	if len(b.Labels) != b.N || float64(b.N)*float64(b.H)*float64(b.W)*float64(b.C) != float64(len(b.Pixels)) {
		return fmt.Errorf("images: %w: %d pixel values and %d labels for %d images of %dx%dx%d", ErrInvalid, len(b.Pixels), len(b.Labels), b.N, b.H, b.W, b.C)
	}
	size := b.H * b.W * b.C
	for i, l := range b.Labels {
		if l < 0 || int(l) >= b.Classes {
			return fmt.Errorf("images: %w: image %d has label %d; labels are 0 to %d", ErrInvalid, i, l, b.Classes-1)
		}
	}
	for i, p := range b.Pixels {
		if p-p != 0 { // NaN or infinite
			at := i % size
			return fmt.Errorf("images: %w: image %d has the value %v at row %d, column %d, channel %d", ErrInvalid, i/size, p, at/(b.W*b.C), at/b.C%b.W, at%b.C)
		}
	}
	return nil
}

// Hash is the SHA-256 of shapes, pixels and labels in hexadecimal: equal hashes mean equal batches.
func Hash(batches []Batch) string {
	h := sha256.New()
	var buf []byte
	for i := range batches {
		b := &batches[i]
		buf = buf[:0]
		for _, v := range []int{b.N, b.H, b.W, b.C, b.Classes} {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(v))
		}
		for _, p := range b.Pixels {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(p))
		}
		for _, l := range b.Labels {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(l))
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Options say what batches to make. The zero value of each field means the default in its comment.
type Options struct {
	Batch int    // images in a batch; default 128
	N     int    // batches; default 2
	Size  int    // height and width, pixels; default the source's own
	Seed  uint64 // which images, in which order
}

// maxValues bounds the pixel values of a request: 2^32 are 16 GiB.
const maxValues = 1 << 32

// withDefaults fills in the defaults and refuses numbers that make no batches or batches no machine holds. size is the source's own.
func (o Options) withDefaults(size int) (Options, error) {
	if o.Batch == 0 {
		o.Batch = 128
	}
	if o.N == 0 {
		o.N = 2
	}
	if o.Size == 0 {
		o.Size = size
	}
	if o.Batch < 1 || o.N < 1 || o.Size < 1 || o.Size > 4096 {
		return o, fmt.Errorf("images: %d batches of %d images of %d pixels; every number must be at least 1, the size at most 4096", o.N, o.Batch, o.Size)
	}
	if values := float64(o.N) * float64(o.Batch) * float64(o.Size) * float64(o.Size) * 3; values > maxValues {
		return o, fmt.Errorf("images: %d batches of %d images of %dx%d pixels need %.0f GiB; at most %d GiB can be made at once: take smaller or fewer batches", o.N, o.Batch, o.Size, o.Size, values*4/(1<<30), maxValues*4>>30)
	}
	return o, nil
}

// Source is a collection of labelled images.
type Source interface {
	// Name says what the images are and where they come from.
	Name() string
	// Classes is the number of classes.
	Classes() int
	// Len is the number of images, or 0 for a source that makes as many as asked.
	Len() int
	// Size is the images' own height and width in pixels.
	Size() int
	// Batches makes the batches of Options. Images of a finite source are drawn without replacement over all batches, in the order of math/rand/v2's Perm on the generator PCG(seed, 0x7a69636f): the same seed gives the same batches everywhere.
	// It fails when the source holds fewer images, on files that cannot be read or decoded (named), and when ctx ends. Nothing is skipped.
	Batches(ctx context.Context, o Options) ([]Batch, error)
}

// Open returns the source that spec names:
//
//	embedded          patches of photographs in the program, 10 classes, up to 288 pixels (the default: "")
//	digits            1797 handwritten digits in the program, greyscale, 10 classes, 8 pixels
//	noise             standard normal pixels and uniform labels; noise:classes=100
//	formula           the images of the golden files; formula:classes=100
//	FOLDER            CIFAR-10/100 binary files, MNIST's train-images-idx3-ubyte with its labels (or .gz), or pictures in one folder a class
//	FILE.tar.gz       a CIFAR-10/100 binary archive, or one .bin file of it
//	FILE-idx3-ubyte   MNIST's images (or .gz), with the file of labels beside it
//	FILE.png          a sheet: one 32x32 image a row, with labels in FILE.labels.txt
//
// A folder that has the name of a source is reached as ./noise. CIFAR and MNIST files and sheets are read here, pictures of a folder when batches are made.
func Open(spec string) (Source, error) {
	name, opts, _ := strings.Cut(spec, ":")
	switch name {
	case "", "embedded":
		if opts != "" {
			return nil, fmt.Errorf("images: %q: the embedded photographs have no options", spec)
		}
		return openEmbedded()
	case "digits":
		if opts != "" {
			return nil, fmt.Errorf("images: %q: the embedded digits have no options", spec)
		}
		return loadDigits()
	case "noise", "formula":
		classes := 10
		if opts != "" {
			v, ok := strings.CutPrefix(opts, "classes=")
			n, err := strconv.Atoi(v)
			if !ok || err != nil || n < 1 || n > maxClasses {
				return nil, fmt.Errorf("images: %q: the only option is classes=N with N from 1 to %d", spec, maxClasses)
			}
			classes = n
		}
		return generated{kind: name, classes: classes}, nil
	}
	info, err := os.Stat(spec)
	if err != nil {
		return nil, fmt.Errorf("images: %q is neither embedded, digits, noise nor formula, nor a file or folder: %w", spec, err)
	}
	switch {
	case info.IsDir():
		return openFolder(spec)
	case strings.HasSuffix(spec, ".tar.gz"), strings.HasSuffix(spec, ".tgz"), strings.HasSuffix(spec, ".bin"):
		return openCIFAR(spec)
	case strings.HasSuffix(spec, ".png"):
		return openSheet(spec)
	case idxImages(spec):
		return openMNIST(spec)
	}
	return nil, fmt.Errorf("images: %s: unknown kind of file; expected a folder, a CIFAR archive (.tar.gz, .bin), MNIST's images (-images-idx3-ubyte) or a sheet (.png)", spec)
}

// maxClasses keeps labels well inside int32 and a classifier inside memory.
const maxClasses = 1 << 20

// order is a random permutation of n images, of which count are needed.
func order(name string, n, count int, seed uint64) ([]int, error) {
	if count > n {
		return nil, fmt.Errorf("images: %s has %d images, %d were asked for: take smaller or fewer batches", name, n, count)
	}
	return rand.New(rand.NewPCG(seed, 0x7a69636f)).Perm(n)[:count], nil
}

// collect makes batches from single images: fill writes image i's pixels [size,size,3], normalised, and returns its label.
func collect(ctx context.Context, o Options, classes int, pick []int, fill func(i int, dst []float32) (int32, error)) ([]Batch, error) {
	size := o.Size * o.Size * 3
	batches := make([]Batch, o.N)
	for b := range batches {
		batches[b] = Batch{N: o.Batch, H: o.Size, W: o.Size, C: 3, Classes: classes, Pixels: make([]float32, o.Batch*size), Labels: make([]int32, o.Batch)}
		for i := range o.Batch {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			l, err := fill(pick[b*o.Batch+i], batches[b].Pixels[i*size:(i+1)*size])
			if err != nil {
				return nil, err
			}
			batches[b].Labels[i] = l
		}
	}
	return batches, nil
}

// norm is a normalisation: (value/255 - mean) / std for each channel.
type norm struct{ mean, std [3]float64 }

// apply converts one 8-bit value.
func (n *norm) apply(v uint8, channel int) float32 {
	return float32((float64(v)/255 - n.mean[channel]) / n.std[channel])
}

// Alike validates batches and checks that all have the shape and the classes of the first. The error names the batch.
func Alike(data []Batch) error {
	for i := range data {
		b, f := &data[i], &data[0]
		if err := b.Validate(); err != nil {
			return fmt.Errorf("batch %d: %w", i, err)
		}
		if b.N != f.N || b.H != f.H || b.W != f.W || b.C != f.C || b.Classes != f.Classes {
			return fmt.Errorf("batch %d has %d images [%d,%d,%d] in %d classes, batch 0 has %d images [%d,%d,%d] in %d classes: all batches must be alike", i, b.N, b.C, b.H, b.W, b.Classes, f.N, f.C, f.H, f.W, f.Classes)
		}
	}
	return nil
}
