package export

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// program is the GoMLX program of GoMLX.
const program = `// Trains a network found by zeroshot, %s.
//
// In a clone of github.com/zeroshotnas/zeroshot, or in a module that requires it:
//
//	go run %s -data cifar-10-binary.tar.gz -epochs 50
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"github.com/zeroshotnas/zeroshot/spaces"
	_ "%s" // the space, so that it can be opened by name
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/train"
)

func main() {
	source := flag.String("data", "embedded", "images: a CIFAR archive, a folder of pictures, a sheet, embedded")
	size := flag.Int("size", %d, "height and width of the images, pixels")
	epochs := flag.Int("epochs", 10, "passes over the images")
	flag.Parse()

	data := must(images.Open(*source))
	space := must(spaces.Open(%q))
	arch := must(space.Parse(%q))
	network := must(space.Network(arch, spaces.Input{Size: *size, Classes: data.Classes()}))
	be := must(backend.Open(""))

	must(train.Run(context.Background(), be, train.Config{
		Network: network,
		Model:   train.Model(network, 1), // a GoMLX model function: add to it what you like
		Data:    data,
		Epochs:  *epochs,
		Progress: func(s train.Step) {
			fmt.Printf("epoch %%d, step %%d of %%d: loss %%.4f, accuracy %%.3f, learning rate %%.4f\n", s.Epoch, s.Step, s.Steps, s.Loss, s.Accuracy, s.LearningRate)
		},
		EpochDone: func(e train.Epoch) {
			fmt.Printf("epoch %%d: held-out loss %%.4f, accuracy %%.3f\n", e.Epoch, e.Loss, e.Accuracy)
		},
	}))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
`

// GoMLX is the source of a Go program that builds the architecture with this module and trains it with package train. size is the default height and width of its images in pixels; the number of classes is that of the images.
//
// It fails without a space, for a space that other programs cannot import, and for what is no canonical architecture.
func GoMLX(about About, size int) (string, error) {
	if about.Space == nil {
		return "", errors.New("export: a GoMLX program needs the space of the architecture (About.Space)")
	}
	if a, err := about.Space.Parse(string(about.Arch)); err != nil {
		return "", fmt.Errorf("export: %w", err)
	} else if a != about.Arch {
		return "", fmt.Errorf("export: %w", spaces.NotCanonical(about.Space.Name(), about.Arch, a))
	}
	if size < 1 {
		return "", fmt.Errorf("export: images of %d pixels; the size must be at least 1", size)
	}
	pkg := importPath(about.Space)
	if pkg == "" {
		return "", fmt.Errorf("export: the space %s belongs to a program, which another cannot import: move it to a package of its own that registers it (spaces.Register)", about.Space.Name())
	}
	return fmt.Sprintf(program, strings.Join(strings.Fields(about.Space.Name()), " "), path.Join("FOLDER", goFile), pkg, size, about.Space.Name(), string(about.Arch)), nil
}

// importPath is the package that registers a space, as far as its type tells, or "" for one that no program can import: main, or tests.
func importPath(s spaces.Space) string {
	t := reflect.TypeOf(s)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	pkg := t.PkgPath()
	if pkg == "main" || pkg == "command-line-arguments" || strings.HasSuffix(pkg, "_test") {
		return ""
	}
	return pkg
}
