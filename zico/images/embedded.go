package images

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"slices"
	"sync"
)

// The photographs are made by embedded/generate.go from the scikit-image wheel; NOTICE lists their authors and licences.
//
//go:generate sh -c "cd embedded && go run generate.go scikit_image-*.whl"
//go:embed embedded/*.png
var photographFiles embed.FS

// photographs are the embedded files in the order of their labels.
var photographs = [...]string{"astronaut", "brick", "camera", "chelsea", "coffee", "grass", "gravel", "hubble_deep_field", "retina", "rocket"}

const (
	photographSide = 288 // pixels
	tiles          = 9   // a side: photographSide/thumb patches of 32 pixels lie beside each other
	kept           = 64  // windows of the tiles*tiles of a photograph: sky, black cloth and other flat areas are left out
)

// photographNorm is the mean and the standard deviation over all photographs.
var photographNorm = norm{mean: [3]float64{0.4797, 0.3732, 0.3443}, std: [3]float64{0.2764, 0.2205, 0.2238}}

// embedded is a set of patches cut from photographs. Image i shows photograph i%10, its class, through its window i/10: windows lie on a grid of 9 x 9, beside each other at 32 pixels and overlapping more the larger they are. The 64 with the most contrast at 32 pixels count, so there are 640 images, the same at every size up to 288 pixels.
type embedded struct {
	pix     [][]uint8 // [photograph][288*288*3]
	windows [][]int   // [photograph][64], indices into the grid, row by row
}

// loadPhotographs decodes them at the same time: this is the longest part of what a process does before it scores.
var loadPhotographs = sync.OnceValues(func() (*embedded, error) {
	e := &embedded{pix: make([][]uint8, len(photographs)), windows: make([][]int, len(photographs))}
	var errs [len(photographs)]error
	var all sync.WaitGroup
	for i := range photographs {
		all.Go(func() {
			if e.pix[i], errs[i] = decodePhotograph(photographs[i]); errs[i] == nil {
				e.windows[i] = busiest(e.pix[i])
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return e, nil
})

func decodePhotograph(name string) ([]uint8, error) {
	f, err := photographFiles.Open("embedded/" + name + ".png")
	if err != nil {
		return nil, err
	}
	img, err := png.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("images: embedded photograph %s: %w", name, err)
	}
	return rgb(img, photographSide, photographSide), nil
}

// busiest returns the windows of a photograph with the largest variance, summed over channels, in the order of the grid. Integers keep the choice the same on every machine.
func busiest(pix []uint8) []int {
	variance := make([]int, tiles*tiles)
	grid := make([]int, tiles*tiles)
	for w := range grid {
		grid[w] = w
		for c := range 3 {
			sum, squares := 0, 0
			for p := range thumb * thumb {
				y, x := w/tiles*thumb+p/thumb, w%tiles*thumb+p%thumb
				v := int(pix[(y*photographSide+x)*3+c])
				sum += v
				squares += v * v
			}
			variance[w] += squares*thumb*thumb - sum*sum
		}
	}
	slices.SortStableFunc(grid, func(a, b int) int { return cmp.Compare(variance[b], variance[a]) })
	grid = grid[:kept]
	slices.Sort(grid)
	return grid
}

func openEmbedded() (Source, error) { return loadPhotographs() }

func (e *embedded) Name() string {
	return "embedded photographs (640 patches of 10 photographs from scikit-image)"
}
func (e *embedded) Classes() int { return len(photographs) }
func (e *embedded) Len() int     { return len(photographs) * kept }
func (e *embedded) Size() int    { return thumb }

func (e *embedded) Batches(ctx context.Context, o Options) ([]Batch, error) {
	o, err := o.withDefaults(e.Size())
	if err != nil {
		return nil, err
	}
	if o.Size > photographSide {
		return nil, fmt.Errorf("images: the embedded photographs give images of up to %d pixels, %d were asked for: use an image folder", photographSide, o.Size)
	}
	pick, err := order(e.Name(), e.Len(), o.Batch*o.N, o.Seed)
	if err != nil {
		return nil, err
	}
	return collect(ctx, o, e.Classes(), pick, func(i int, dst []float32) (int32, error) {
		photo := i % len(photographs)
		window := e.windows[photo][i/len(photographs)]
		place := func(k int) int { return k * (photographSide - o.Size) / (tiles - 1) }
		top, left := place(window/tiles), place(window%tiles)
		for y := range o.Size {
			row := e.pix[photo][((top+y)*photographSide+left)*3:]
			for x := range o.Size * 3 {
				dst[y*o.Size*3+x] = photographNorm.apply(row[x], x%3)
			}
		}
		return int32(photo), nil
	})
}

// rgb reads the first h rows and w columns of a picture as 8-bit RGB, row by row.
func rgb(img image.Image, w, h int) []uint8 {
	all := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(all, all.Rect, img, img.Bounds().Min, draw.Src)
	out := make([]uint8, 0, 3*w*h)
	for p := range w * h {
		out = append(out, all.Pix[4*p:4*p+3]...)
	}
	return out
}
