package images

import (
	"context"
	"fmt"
	"math"

	"github.com/zeroshotnas/zeroshot/zico/formula"
)

// generated makes images from a seed: noise or the reference's formula. Labels of both are the formula's.
type generated struct {
	kind    string
	classes int
}

func (g generated) Name() string { return fmt.Sprintf("%s:classes=%d", g.kind, g.classes) }
func (g generated) Classes() int { return g.classes }
func (g generated) Len() int     { return 0 }
func (g generated) Size() int    { return 32 }

func (g generated) Batches(ctx context.Context, o Options) ([]Batch, error) {
	o, err := o.withDefaults(g.Size())
	if err != nil {
		return nil, err
	}
	batches := make([]Batch, o.N)
	for b := range batches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := o.Batch * o.Size * o.Size * 3
		batches[b] = Batch{N: o.Batch, H: o.Size, W: o.Size, C: 3, Classes: g.classes, Pixels: make([]float32, n), Labels: make([]int32, o.Batch)}
		if g.kind == "formula" {
			formula.FillImages(batches[b].Pixels, o.Seed, b, o.Batch, 3, o.Size, o.Size)
		} else {
			fillNormal(batches[b].Pixels, formula.Base(o.Seed, formula.ImageStream+uint64(b)))
		}
		formula.FillLabels(batches[b].Labels, o.Seed, b, g.classes)
	}
	return batches, nil
}

// fillNormal draws standard normal values through the inverse of their distribution function, one counter a value. No value depends on others, so where the logarithm of another processor rounds differently, a value may move by its last bit and nothing else changes.
func fillNormal(dst []float32, base uint64) {
	for i := range dst {
		// The middle of one of 2^52 equal parts of (-1, 1): never an end, where the inverse is infinite.
		u := float64(formula.Raw(base, uint64(i))>>12) + 0.5
		dst[i] = float32(math.Sqrt2 * math.Erfinv(u*0x1p-51-1))
	}
}
