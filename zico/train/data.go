package train

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/zeroshotnas/zeroshot/zico/images"
)

// set is a number of images in memory, [n, size, size, 3].
type set struct {
	n, size int
	pixels  []float32
	labels  []int32
}

// load reads n images of a source.
func load(ctx context.Context, source images.Source, n, size int, seed uint64) (*set, error) {
	if n == 0 {
		return &set{size: size}, nil
	}
	batches, err := source.Batches(ctx, images.Options{Batch: n, N: 1, Size: size, Seed: seed})
	if err != nil {
		return nil, fmt.Errorf("train: reading %d images: %w", n, err)
	}
	b := &batches[0]
	if err := b.Validate(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if b.N != n || b.H != size || b.W != size || b.C != 3 {
		return nil, fmt.Errorf("train: %s gave %d images of %dx%dx%d, asked for %d of %dx%dx3", source.Name(), b.N, b.H, b.W, b.C, n, size, size)
	}
	return &set{n: n, size: size, pixels: b.Pixels, labels: b.Labels}, nil
}

// split takes the last n images away.
func (s *set) split(n int) (rest, taken *set) {
	k := s.n - n
	at := k * s.size * s.size * 3
	return &set{k, s.size, s.pixels[:at], s.labels[:k]}, &set{n, s.size, s.pixels[at:], s.labels[k:]}
}

// image is the pixels of an image.
func (s *set) image(i int) []float32 {
	size := s.size * s.size * 3
	return s.pixels[i*size : (i+1)*size]
}

// batch copies images into tensors, changed by rng if it is not nil.
func (s *set) batch(pick []int, dtype dtypes.DType, rng *rand.Rand) (pixels, labels *tensors.Tensor) {
	size := s.size * s.size * 3
	to := make([]float32, len(pick)*size)
	l := make([]int32, len(pick))
	for k, i := range pick {
		l[k] = s.labels[i]
		if rng == nil {
			copy(to[k*size:], s.image(i))
		} else {
			augment(to[k*size:(k+1)*size], s.image(i), s.size, rng)
		}
	}
	labels = tensors.FromFlatDataAndDimensions(l, len(pick), 1)
	if dtype == dtypes.Float32 {
		return tensors.FromFlatDataAndDimensions(to, len(pick), s.size, s.size, 3), labels
	}
	wide := make([]float64, len(to))
	for i, v := range to {
		wide[i] = float64(v)
	}
	return tensors.FromFlatDataAndDimensions(wide, len(pick), s.size, s.size, 3), labels
}

// augment writes a random crop of an image with a border of an eighth of its size, of zeros (the mean colour of normalised images), mirrored half of the time. to is all zeros before.
func augment(to, from []float32, size int, rng *rand.Rand) {
	border := size / 8
	down, right := rng.IntN(2*border+1)-border, rng.IntN(2*border+1)-border
	mirror := rng.IntN(2) == 1
	for y := range size {
		if y+down < 0 || y+down >= size {
			continue
		}
		for x := range size {
			at := x + right
			if mirror {
				at = size - 1 - x + right
			}
			if at >= 0 && at < size {
				copy(to[(y*size+x)*3:][:3], from[((y+down)*size+at)*3:])
			}
		}
	}
}
