package images

import (
	"context"
	"fmt"
	"image"
	_ "image/jpeg" // pictures are JPEG or PNG
	_ "image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
)

// imagenetNorm is the usual normalisation of ImageNet pictures.
var imagenetNorm = norm{mean: [3]float64{0.485, 0.456, 0.406}, std: [3]float64{0.229, 0.224, 0.225}}

// folder is a folder with one folder of pictures a class, as ImageNet is laid out.
type folder struct {
	dir     string
	classes int
	files   []string
	labels  []int32
}

// openFolder tells an unpacked CIFAR archive, MNIST's files and a folder of pictures apart. Names that begin with a dot are hidden files of notebooks, version control and file managers: no classes.
func openFolder(dir string) (Source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	f := &folder{dir: dir}
	var bins, files []string
	for _, e := range entries { // sorted by name, which gives the classes their numbers
		name := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := os.Stat(name) // follows links: subsets of ImageNet are often made of them
		switch {
		case err != nil:
			return nil, fmt.Errorf("images: %w", err)
		case info.IsDir():
			if err := f.addClass(name); err != nil {
				return nil, err
			}
		case isTraining(e.Name()):
			bins = append(bins, e.Name())
		default:
			files = append(files, e.Name())
		}
	}
	mnist := idxTraining(files)
	switch {
	case len(bins) > 0:
		return openCIFARFolder(dir, bins)
	case mnist != "":
		return openMNIST(filepath.Join(dir, mnist))
	case f.classes > 0:
		return f, nil
	}
	return nil, fmt.Errorf("images: %s holds neither folders of pictures, one a class, nor CIFAR's data_batch_*.bin or train.bin, nor MNIST's train-images-idx3-ubyte", dir)
}

// addClass lists the pictures of a class. Files of another kind beside them (notes, thumbnails) are no pictures, but a picture format that cannot be read is an error.
func (f *folder) addClass(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("images: %w", err)
	}
	before := len(f.files)
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		switch strings.ToLower(filepath.Ext(file)) {
		case ".jpg", ".jpeg", ".png":
			f.files = append(f.files, file)
			f.labels = append(f.labels, int32(f.classes))
		case ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp":
			return fmt.Errorf("images: %s: pictures must be JPEG or PNG: convert it or take it out of the folder", file)
		}
	}
	if len(f.files) == before {
		return fmt.Errorf("images: %s holds no .jpg, .jpeg or .png: each folder is a class and needs pictures", dir)
	}
	f.classes++
	return nil
}

func (f *folder) Name() string { return f.dir }
func (f *folder) Classes() int { return f.classes }
func (f *folder) Len() int     { return len(f.files) }
func (f *folder) Size() int    { return 224 }

// Batches decodes the pictures it needs. Each goes through the usual evaluation transform: its shorter side is scaled to Size/0.875 (256 for 224) and the centre is cut out. The scaling is x/image's bilinear kernel, which like PIL's averages over all source pixels when it shrinks; single values differ from PIL's by rounding. Transparent pixels count as mixed with black.
func (f *folder) Batches(ctx context.Context, o Options) ([]Batch, error) {
	o, err := o.withDefaults(f.Size())
	if err != nil {
		return nil, err
	}
	pick, err := order(f.dir, f.Len(), o.Batch*o.N, o.Seed)
	if err != nil {
		return nil, err
	}
	return collect(ctx, o, f.classes, pick, func(i int, dst []float32) (int32, error) {
		img, err := decode(f.files[i])
		if err != nil {
			return 0, err
		}
		crop(dst, img, o.Size)
		return f.labels[i], nil
	})
}

// maxPicture bounds the pixels of a picture: the size in a damaged header must not claim all memory.
const maxPicture = 1 << 27

func decode(file string) (image.Image, error) {
	r, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	defer r.Close()
	damaged := func(err error) error {
		return fmt.Errorf("images: %s is damaged or no JPEG or PNG: %w", file, err)
	}
	head, _, err := image.DecodeConfig(r)
	if err != nil {
		return nil, damaged(err)
	}
	if head.Width < 1 || head.Height < 1 || head.Width > maxPicture/head.Height {
		return nil, fmt.Errorf("images: %s has %d x %d pixels by its header; pictures have 1 to %d", file, head.Width, head.Height, maxPicture)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	img, _, err := image.Decode(r)
	if err != nil {
		return nil, damaged(err)
	}
	return img, nil
}

// crop scales a picture and writes its normalised centre, of which alone the pixels are computed.
func crop(dst []float32, img image.Image, size int) {
	b := img.Bounds()
	short := int(math.Round(float64(size) / 0.875))
	w, h := short, short
	if b.Dx() < b.Dy() {
		h = short * b.Dy() / b.Dx()
	} else {
		w = short * b.Dx() / b.Dy()
	}
	scaleX, scaleY := float64(w)/float64(b.Dx()), float64(h)/float64(b.Dy())
	left, top := (w-size)/2, (h-size)/2
	centre := image.NewRGBA(image.Rect(0, 0, size, size))
	draw.BiLinear.Transform(centre, f64.Aff3{
		scaleX, 0, -float64(left) - scaleX*float64(b.Min.X),
		0, scaleY, -float64(top) - scaleY*float64(b.Min.Y),
	}, img, b, draw.Src, nil)
	for p := range size * size {
		for c := range 3 {
			dst[3*p+c] = imagenetNorm.apply(centre.Pix[4*p+c], c)
		}
	}
}
