package images

import (
	"context"
	"fmt"
	"image"
	_ "image/jpeg" // pictures are JPEG or PNG
	_ "image/png"
	"math"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/image/draw"
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

// openFolder tells an unpacked CIFAR archive from a folder of pictures.
func openFolder(dir string) (Source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	f := &folder{dir: dir}
	var bins []string
	for _, e := range entries { // sorted by name, which gives the classes their numbers
		switch {
		case e.IsDir():
			pictures, err := os.ReadDir(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, fmt.Errorf("images: %w", err)
			}
			found := false
			for _, p := range pictures {
				switch strings.ToLower(filepath.Ext(p.Name())) {
				case ".jpg", ".jpeg", ".png":
					f.files = append(f.files, filepath.Join(dir, e.Name(), p.Name()))
					f.labels = append(f.labels, int32(f.classes))
					found = true
				}
			}
			if !found {
				return nil, fmt.Errorf("images: %s holds no .jpg or .png: each folder is a class and needs pictures", filepath.Join(dir, e.Name()))
			}
			f.classes++
		case isTraining(e.Name()):
			bins = append(bins, e.Name())
		}
	}
	switch {
	case len(bins) > 0:
		return openCIFARFolder(dir, bins)
	case f.classes > 0:
		return f, nil
	}
	return nil, fmt.Errorf("images: %s holds neither folders of pictures, one a class, nor CIFAR's data_batch_*.bin or train.bin", dir)
}

func (f *folder) Name() string { return f.dir }
func (f *folder) Classes() int { return f.classes }
func (f *folder) Len() int     { return len(f.files) }
func (f *folder) Size() int    { return 224 }

// Batches decodes the pictures it needs. Each goes through the usual evaluation transform: its shorter side is scaled to Size/0.875 (256 for 224) and the centre is cut out. The scaling is x/image's bilinear kernel, which like PIL's averages over all source pixels when it shrinks; single values differ from PIL's by rounding.
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

func decode(file string) (image.Image, error) {
	r, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	defer r.Close()
	img, _, err := image.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("images: %s is damaged or not a picture: %w", file, err)
	}
	if b := img.Bounds(); b.Empty() {
		return nil, fmt.Errorf("images: %s is empty", file)
	}
	return img, nil
}

// crop scales a picture and writes its normalised centre.
func crop(dst []float32, img image.Image, size int) {
	b := img.Bounds()
	short := int(math.Round(float64(size) / 0.875))
	w, h := short, short
	if b.Dx() < b.Dy() {
		h = short * b.Dy() / b.Dx()
	} else {
		w = short * b.Dx() / b.Dy()
	}
	scaled := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(scaled, scaled.Bounds(), img, b, draw.Src, nil)
	left, top := (w-size)/2, (h-size)/2
	for y := range size {
		row := scaled.Pix[scaled.PixOffset(left, top+y):]
		for x := range size {
			for c := range 3 {
				dst[(y*size+x)*3+c] = imagenetNorm.apply(row[4*x+c], c)
			}
		}
	}
}
