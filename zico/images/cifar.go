package images

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Normalisations by the statistics of the training sets, as xautodl and the networks of NATS-Bench use them (standard deviations [63.0, 62.1, 66.7]/255 and [68.2, 65.4, 70.4]/255).
var (
	cifar10Norm  = norm{[3]float64{125.3 / 255, 123.0 / 255, 113.9 / 255}, [3]float64{63.0 / 255, 62.1 / 255, 66.7 / 255}}
	cifar100Norm = norm{[3]float64{129.3 / 255, 124.1 / 255, 112.4 / 255}, [3]float64{68.2 / 255, 65.4 / 255, 70.4 / 255}}
)

const (
	thumb     = 32
	thumbSize = 3 * thumb * thumb
)

// thumbs is a set of 32x32 pictures in memory: CIFAR or a sheet.
type thumbs struct {
	name    string
	classes int
	norm    norm
	pix     []uint8 // [n, 32, 32, 3]
	labels  []uint8
}

func (t *thumbs) Name() string { return t.name }
func (t *thumbs) Classes() int { return t.classes }
func (t *thumbs) Len() int     { return len(t.labels) }
func (t *thumbs) Size() int    { return thumb }

func (t *thumbs) Batches(ctx context.Context, o Options) ([]Batch, error) {
	o, err := o.withDefaults(thumb)
	if err != nil {
		return nil, err
	}
	if o.Size > thumb || thumb%o.Size != 0 {
		return nil, fmt.Errorf("images: %s has pictures of 32 pixels; sizes are 32 and its divisors (the mean of each block), %d was asked for", t.name, o.Size)
	}
	pick, err := order(t.name, t.Len(), o.Batch*o.N, o.Seed)
	if err != nil {
		return nil, err
	}
	block := thumb / o.Size
	return collect(ctx, o, t.classes, pick, func(i int, dst []float32) (int32, error) {
		img := t.pix[i*thumbSize:][:thumbSize]
		for y := range o.Size {
			for x := range o.Size {
				for c := range 3 {
					var sum float32
					for dy := range block {
						for dx := range block {
							sum += t.norm.apply(img[((y*block+dy)*thumb+x*block+dx)*3+c], c)
						}
					}
					dst[(y*o.Size+x)*3+c] = sum / float32(block*block)
				}
			}
		}
		return int32(t.labels[i]), nil
	})
}

// openCIFAR reads a binary archive (.tar.gz) or one file of it (.bin).
func openCIFAR(file string) (Source, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	defer f.Close()
	t := &thumbs{name: file}
	if strings.HasSuffix(file, ".bin") {
		if err := t.readBin(path.Base(file), bufio.NewReader(f)); err != nil {
			return nil, fmt.Errorf("images: %s: %w", file, err)
		}
		return t, nil
	}
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("images: %s is not a gzip file: %w", file, err)
	}
	archive := tar.NewReader(z)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("images: %s is damaged or cut off: %w", file, err)
		}
		if !isTraining(path.Base(h.Name)) {
			continue
		}
		if err := t.readBin(path.Base(h.Name), archive); err != nil {
			return nil, fmt.Errorf("images: %s: %s: %w", file, h.Name, err)
		}
	}
	// The tar ends before the gzip does, and only there is the checksum.
	if _, err := io.Copy(io.Discard, z); err != nil {
		return nil, fmt.Errorf("images: %s is damaged or cut off: %w", file, err)
	}
	if t.Len() == 0 {
		return nil, fmt.Errorf("images: %s holds no data_batch_*.bin (CIFAR-10) or train.bin (CIFAR-100): is it the binary version?", file)
	}
	return t, nil
}

// isTraining tells the training files of the binary archives.
func isTraining(name string) bool {
	ok, _ := path.Match("data_batch_*.bin", name)
	return ok || name == "train.bin"
}

// openCIFARFolder reads the training files of an unpacked archive, in the order of their names.
func openCIFARFolder(dir string, files []string) (Source, error) {
	t := &thumbs{name: dir}
	slices.Sort(files)
	for _, name := range files {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("images: %w", err)
		}
		err = t.readBin(name, bufio.NewReader(f))
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("images: %s: %w", filepath.Join(dir, name), err)
		}
	}
	return t, nil
}

// readBin appends the records of a file: CIFAR-10 has a label before each picture, CIFAR-100 (train.bin, test.bin) a coarse and a fine one, of which the fine one is used. Pictures are stored plane by plane.
func (t *thumbs) readBin(name string, r io.Reader) error {
	head, classes, n := 1, 10, cifar10Norm
	if name == "train.bin" || name == "test.bin" {
		head, classes, n = 2, 100, cifar100Norm
	}
	if t.classes != 0 && t.classes != classes {
		return errors.New("CIFAR-10 and CIFAR-100 files are mixed")
	}
	t.classes, t.norm = classes, n
	record := make([]uint8, head+thumbSize)
	for i := 0; ; i++ {
		k, err := io.ReadFull(r, record)
		if err == io.EOF {
			if i == 0 {
				return errors.New("the file is empty")
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("record %d, at byte %d: %d bytes of %d (the file is cut off, or not a CIFAR binary file): %w", i, i*len(record), k, len(record), err)
		}
		label := record[head-1]
		if int(label) >= classes {
			return fmt.Errorf("record %d, at byte %d: label %d; labels are 0 to %d", i, i*len(record), label, classes-1)
		}
		t.labels = append(t.labels, label)
		for p := range thumb * thumb {
			for c := range 3 {
				t.pix = append(t.pix, record[head+c*thumb*thumb+p])
			}
		}
	}
}
