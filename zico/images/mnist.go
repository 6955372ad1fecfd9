package images

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// idxImages tells a file of images in MNIST's format by its name, such as train-images-idx3-ubyte, train-images.idx3-ubyte or either with .gz.
func idxImages(name string) bool {
	name = strings.TrimSuffix(name, ".gz")
	return strings.HasSuffix(name, "images-idx3-ubyte") || strings.HasSuffix(name, "images.idx3-ubyte")
}

// idxTraining finds the training images among the files of a folder, or returns "". Where a file is there unpacked too, as some downloaders leave it, that one is read.
func idxTraining(names []string) string {
	for _, name := range []string{"train-images-idx3-ubyte", "train-images.idx3-ubyte"} {
		for _, ext := range []string{"", ".gz"} {
			if slices.Contains(names, name+ext) {
				return name + ext
			}
		}
	}
	return ""
}

// openMNIST reads a file of images and the file of labels beside it: MNIST, or another set of ten classes in its format.
func openMNIST(file string) (Source, error) {
	shape, pix, err := readIDXFile(file, 3)
	if err != nil {
		return nil, err
	}
	if shape[1] != shape[2] {
		return nil, fmt.Errorf("images: %s has pictures of %d x %d pixels; they must be square", file, shape[1], shape[2])
	}
	dir, name := filepath.Split(file)
	name = strings.NewReplacer("images", "labels", "idx3", "idx1").Replace(strings.TrimSuffix(name, ".gz"))
	beside := filepath.Join(dir, name)
	if _, err := os.Stat(beside); err != nil {
		beside += ".gz"
	}
	count, labels, err := readIDXFile(beside, 1)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("images: %s needs its labels beside it, as %s or %s.gz", file, name, name)
	}
	if err != nil {
		return nil, err
	}
	if count[0] != shape[0] {
		return nil, fmt.Errorf("images: %s has %d labels for the %d images of %s: they do not belong together", beside, count[0], shape[0], file)
	}
	for i, l := range labels {
		if l > 9 {
			return nil, fmt.Errorf("images: %s: label %d is %d; labels are 0 to 9", beside, i, l)
		}
	}
	return newGrey(file, shape[1], 255, pix, labels)
}

// readIDXFile reads a file, packed by gzip or not, whatever its name says: browsers unpack files and keep the name.
func readIDXFile(file string, dims int) ([]int, []uint8, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, fmt.Errorf("images: %w", err)
	}
	defer f.Close()
	var r io.Reader = bufio.NewReader(f)
	if head, err := r.(*bufio.Reader).Peek(2); err == nil && head[0] == 0x1f && head[1] == 0x8b {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, nil, fmt.Errorf("images: %s is no gzip file: %w", file, err)
		}
	}
	shape, data, err := readIDX(r, dims)
	if err != nil {
		return nil, nil, fmt.Errorf("images: %s: %w", file, err)
	}
	return shape, data, nil
}

// maxIDX bounds the values of a file; MNIST's 60,000 pictures have 47 million.
const maxIDX = 1 << 30

// readIDX reads unsigned bytes in the format of MNIST (LeCun, Cortes and Burges): two zeros, 0x08 for bytes, the number of dimensions, each size as four bytes with the highest first, then the values.
func readIDX(r io.Reader, dims int) ([]int, []uint8, error) {
	head := make([]byte, 4+4*dims)
	if n, err := io.ReadFull(r, head); err != nil {
		return nil, nil, fmt.Errorf("%d bytes of a header of %d (the file is cut off, or not an IDX file): %w", n, len(head), err)
	}
	if head[0] != 0 || head[1] != 0 || head[2] != 8 || int(head[3]) != dims {
		return nil, nil, fmt.Errorf("the file begins with %x, expected 000008%02x: unsigned bytes in %d dimensions", head[:4], dims, dims)
	}
	shape, total := make([]int, dims), 1
	for i := range shape {
		size := binary.BigEndian.Uint32(head[4+4*i:])
		if size < 1 || int64(size) > int64(maxIDX/total) {
			return nil, nil, fmt.Errorf("dimension %d has the size %d by the header; the product of all must be 1 to %d", i, size, maxIDX)
		}
		shape[i] = int(size)
		total *= shape[i]
	}
	// Read as it comes: the sizes of a damaged header must not claim memory.
	data, err := io.ReadAll(io.LimitReader(r, int64(total)+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("%d of %d values, then: the file is damaged or cut off: %w", min(len(data), total), total, err)
	case len(data) < total:
		return nil, nil, fmt.Errorf("%d of the %d values that the header announces: the file is cut off", len(data), total)
	case len(data) > total:
		return nil, nil, fmt.Errorf("more than the %d values that the header announces", total)
	}
	return shape, data, nil
}
