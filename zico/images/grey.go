package images

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
)

// Grey is a set of square greyscale images of the ten digits: the embedded one or MNIST. As a Source it repeats the grey value in each of the three channels and normalises by the mean and the standard deviation of its own pixels. Its sizes are the divisors of its own (the mean of each block) and the multiples (each pixel repeated).
type Grey struct {
	name      string
	side, top int     // pixels; the value of white
	pix       []uint8 // [n, side, side]
	labels    []uint8
	mean, std float64 // of value/top
}

// newGrey computes the normalisation. Integers keep it the same on every machine.
func newGrey(name string, side, top int, pix, labels []uint8) (*Grey, error) {
	var sum, squares uint64
	for _, v := range pix {
		sum += uint64(v)
		squares += uint64(v) * uint64(v)
	}
	g := &Grey{name: name, side: side, top: top, pix: pix, labels: labels}
	n := float64(len(pix)) * float64(top)
	g.mean = float64(sum) / n
	g.std = math.Sqrt(float64(squares)/n/float64(top) - g.mean*g.mean)
	if !(g.std > 0) {
		return nil, fmt.Errorf("images: %s: all pixels have the same value", name)
	}
	return g, nil
}

func (g *Grey) Name() string { return g.name }
func (g *Grey) Classes() int { return 10 }
func (g *Grey) Len() int     { return len(g.labels) }
func (g *Grey) Size() int    { return g.side }

// Image is image i, of 0 to Len()-1, as it is stored: its grey values row by row, from 0 for black to white, and the digit that it shows. The values are the set's own: they must not be changed.
func (g *Grey) Image(i int) (values []uint8, white, digit int) {
	size := g.side * g.side
	return g.pix[i*size : (i+1)*size : (i+1)*size], g.top, int(g.labels[i])
}

func (g *Grey) Batches(ctx context.Context, o Options) ([]Batch, error) {
	o, err := o.withDefaults(g.side)
	if err != nil {
		return nil, err
	}
	if g.side%o.Size != 0 && o.Size%g.side != 0 {
		return nil, fmt.Errorf("images: %s has pictures of %d pixels; sizes are its divisors and its multiples, %d was asked for", g.name, g.side, o.Size)
	}
	pick, err := order(g.name, g.Len(), o.Batch*o.N, o.Seed)
	if err != nil {
		return nil, err
	}
	block, repeat := max(1, g.side/o.Size), max(1, o.Size/g.side)
	return collect(ctx, o, g.Classes(), pick, func(i int, dst []float32) (int32, error) {
		values, _, digit := g.Image(i)
		for y := range o.Size {
			for x := range o.Size {
				sum := 0
				for dy := range block {
					for dx := range block {
						sum += int(values[(y/repeat*block+dy)*g.side+x/repeat*block+dx])
					}
				}
				v := float32((float64(sum)/float64(g.top*block*block) - g.mean) / g.std)
				for c := range 3 {
					dst[(y*o.Size+x)*3+c] = v
				}
			}
		}
		return int32(digit), nil
	})
}

// digitsFile is sklearn/datasets/data/digits.csv.gz of scikit-learn 1.7.2, unchanged: the test set of Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, UCI Machine Learning Repository, 1998), one image of 8x8 values from 0 to 16 and its digit a line. NOTICE has the licences of both.
//
//go:embed embedded/digits.csv.gz
var digitsFile []byte

const digitsSide, digitsTop = 8, 16

var loadDigits = sync.OnceValues(func() (*Grey, error) {
	z, err := gzip.NewReader(bytes.NewReader(digitsFile))
	if err != nil {
		return nil, fmt.Errorf("images: embedded digits: %w", err)
	}
	r := csv.NewReader(z)
	r.FieldsPerRecord = digitsSide*digitsSide + 1
	r.ReuseRecord = true
	var pix, labels []uint8
	for {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("images: embedded digits: %w", err)
		}
		for i, word := range record {
			v, err := strconv.ParseUint(word, 10, 8)
			if err != nil {
				return nil, fmt.Errorf("images: embedded digits: %w", err)
			}
			if i < digitsSide*digitsSide {
				pix = append(pix, uint8(v))
			} else {
				labels = append(labels, uint8(v))
			}
		}
	}
	return newGrey("digits (1797 handwritten digits of 8x8 pixels from scikit-learn)", digitsSide, digitsTop, pix, labels)
})
