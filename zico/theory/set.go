package theory

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/zeroshotnas/zeroshot/zico/images"
)

// Set is labelled inputs.
type Set struct {
	N, D int       // inputs, values of each
	X    []float64 // [N, D], row-major; each row has the length 1
	Y    []float64 // [N]; Draw makes them the digits
}

// Draw draws disjoint sets of the given sizes from greyscale images, with values from 0 (black) to 1 divided by their length, as the paper's experiments do. The same seed draws the same images, and the images of the first set do not depend on the sizes of the others. It fails for a source that is not an *images.Grey, for sizes below 1 or more images than there are, and for a black image, which has no direction.
func Draw(src images.Source, seed uint64, sizes ...int) ([]*Set, error) {
	g, ok := src.(*images.Grey)
	if !ok {
		return nil, fmt.Errorf("theory: %s is not greyscale: use digits or MNIST's files", src.Name())
	}
	order := rand.New(rand.NewPCG(seed, 0x7a69636f)).Perm(g.Len())
	var sets []*Set
	for _, n := range sizes {
		if n < 1 || n > len(order) {
			return nil, fmt.Errorf("theory: sets of %v images from the %d of %s: every size must be at least 1, their sum at most the number of images", sizes, g.Len(), g.Name())
		}
		s := &Set{N: n, D: g.Size() * g.Size()}
		for _, i := range order[:n] {
			values, _, digit := g.Image(i)
			var squares float64
			for _, v := range values {
				squares += float64(v) * float64(v)
			}
			if squares == 0 {
				return nil, fmt.Errorf("theory: image %d of %s is black: it cannot be scaled to the length 1", i, g.Name())
			}
			for _, v := range values {
				s.X = append(s.X, float64(v)/math.Sqrt(squares))
			}
			s.Y = append(s.Y, float64(digit))
		}
		order = order[n:]
		sets = append(sets, s)
	}
	return sets, nil
}

// ErrInvalid is wrapped by the errors of sets made by hand.
var ErrInvalid = errors.New("invalid set")

// Validate checks lengths and that inputs are of length 1, on which every bound rests. The error names the input.
func (s *Set) Validate() error {
	if s == nil || s.N < 1 || s.D < 1 || len(s.X) != s.N*s.D || len(s.Y) != s.N {
		return fmt.Errorf("theory: %w: lengths do not fit: N inputs of D values need N*D values and N labels, and at least one", ErrInvalid)
	}
	for i := range s.N {
		if l := blas64.Nrm2(s.row(i)); !(math.Abs(l-1) < 1e-9) {
			return fmt.Errorf("theory: %w: input %d has the length %v, want 1", ErrInvalid, i, l)
		}
		if y := s.Y[i]; y-y != 0 {
			return fmt.Errorf("theory: %w: label %d is %v", ErrInvalid, i, y)
		}
	}
	return nil
}

// Relabel is the set with the labels f(y): f codes what a network is to learn. The inputs are shared.
func (s *Set) Relabel(f func(y float64) float64) *Set {
	out := &Set{N: s.N, D: s.D, X: s.X, Y: make([]float64, s.N)}
	for i, y := range s.Y {
		out.Y[i] = f(y)
	}
	return out
}

// Head is the set's first n inputs, or all if there are fewer. They are shared.
func (s *Set) Head(n int) *Set { return s.part(0, max(0, min(n, s.N))) }

func (s *Set) part(from, to int) *Set {
	return &Set{N: to - from, D: s.D, X: s.X[from*s.D : to*s.D], Y: s.Y[from:to]}
}

func (s *Set) row(i int) blas64.Vector {
	return blas64.Vector{N: s.D, Data: s.X[i*s.D : (i+1)*s.D], Inc: 1}
}

func (s *Set) matrix() blas64.General { return general(s.N, s.D, s.X) }

func general(rows, cols int, data []float64) blas64.General {
	return blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: data}
}

// dots are the scalar products of all pairs of inputs, [N, N].
func (s *Set) dots() blas64.General {
	out := general(s.N, s.N, make([]float64, s.N*s.N))
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, s.matrix(), s.matrix(), 0, out)
	return out
}
