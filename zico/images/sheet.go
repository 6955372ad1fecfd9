package images

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// openSheet reads a picture sheet of CIFAR-10 images: a PNG of 1024 pixels in width whose row i is image i as 32x32 pixels row by row, with the labels beside it in a file of the same name ending in .labels.txt, separated by white space.
func openSheet(file string) (Source, error) {
	img, err := decode(file)
	if err != nil {
		return nil, err
	}
	b := img.Bounds()
	if b.Dx() != thumb*thumb {
		return nil, fmt.Errorf("images: %s is %d pixels wide; a sheet has %d, one 32x32 image a row", file, b.Dx(), thumb*thumb)
	}
	labels := strings.TrimSuffix(file, ".png") + ".labels.txt"
	text, err := os.ReadFile(labels)
	if err != nil {
		return nil, fmt.Errorf("images: a sheet has its labels in a file beside it: %w", err)
	}
	t := &thumbs{name: file, classes: 10, norm: cifar10Norm, pix: rgb(img, b.Dx(), b.Dy())}
	for i, word := range strings.Fields(string(text)) {
		l, err := strconv.Atoi(word)
		if err != nil || l < 0 || l >= t.classes {
			return nil, fmt.Errorf("images: %s: label %d is %q; labels are 0 to %d", labels, i, word, t.classes-1)
		}
		t.labels = append(t.labels, uint8(l))
	}
	if len(t.labels) != b.Dy() {
		return nil, fmt.Errorf("images: %s has %d labels for the %d images of %s", labels, len(t.labels), b.Dy(), file)
	}
	return t, nil
}
