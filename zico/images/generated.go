package images

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/zeroshotnas/zeroshot/zico/formula"
)

// generated makes images from a seed: noise or the reference's formula.
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
			formula.FillLabels(batches[b].Labels, o.Seed, b, g.classes)
			continue
		}
		rng := rand.New(rand.NewPCG(o.Seed, uint64(b)))
		for i := range batches[b].Pixels {
			batches[b].Pixels[i] = float32(rng.NormFloat64())
		}
		for i := range batches[b].Labels {
			batches[b].Labels[i] = int32(rng.IntN(g.classes))
		}
	}
	return batches, nil
}
