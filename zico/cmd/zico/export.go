package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico/export"
)

func exportArch(_ context.Context, args []string) error {
	f := newFlags("export", "ARCH")
	name := f.String("space", "natstss", "search space, with options as in natstss:C=16,N=5; zico spaces lists them")
	size := f.Int("size", 0, "height and width of the images, pixels (0: the space's own)")
	classes := f.Int("classes", 0, "classes (0: the space's own)")
	dir := f.String("dir", "found", "folder to write, which must not hold other files")
	asScored := f.Bool("as-scored", false, "the network that is scored, in spaces that train another form (masternet, without residual links and squeeze and excitation)")
	var o export.Options
	f.Func("score", "the architecture's score, for the files' headers", func(text string) error {
		var v float64
		if _, err := fmt.Sscan(text, &v); err != nil {
			return fmt.Errorf("%q is no number", text)
		}
		o.Score = &v
		return nil
	})
	f.StringVar(&o.Proxy, "proxy", "ZiCo", "what -score is")
	if err := parse(f, args); err != nil {
		return err
	}
	space, err := openSpace(*name)
	if err != nil {
		return err
	}
	switch {
	case f.NArg() != 1:
		return usageError{fmt.Errorf("%d architectures given, one is exported; try: zico export -dir found 1462", f.NArg())}
	case *size < 0 || *classes < 0:
		return usageError{errors.New("-size and -classes must not be negative")}
	case *dir == "":
		return usageError{errors.New("-dir names no folder")}
	}
	o.Input, o.AsScored = spaces.Input{Size: *size, Classes: *classes}, *asScored
	files, err := export.Folder(*dir, space, f.Arg(0), o)
	if err != nil {
		return err
	}
	if trained := spaces.Training(space); !*asScored && trained.Name() != space.Name() {
		fmt.Printf("the form that is trained: %s (-as-scored has the other)\n", trained.Name())
	}
	for _, file := range files {
		fmt.Println(filepath.Join(*dir, filepath.FromSlash(file)))
	}
	return nil
}
