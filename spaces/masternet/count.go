package masternet

import (
	"fmt"
	"math"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Counts are a network's numbers by the reference's own counters (get_FLOPs, get_model_size and get_num_layers of MasterNet), which its budgets are given in. They are not what package net counts.
//
// FLOPs are the multiply-accumulates of convolutions and classifier, without their biases, and one for each element of a batch normalisation. Three quirks belong to it: a layer's output has size/stride pixels rounded down, where the convolution rounds up; the projection of a residual block is counted at a resolution that its stride has divided twice, so that a projection of stride 2 counts a quarter; and where that resolution is no whole number the count need not be one either.
//
// Params are the weights, one parameter for each channel of a batch normalisation (it has two), one for the bias of the classifier (it has one for each class), and none for the bias and offset of a projection.
//
// Layers is the sum of the blocks' layers. A layer of a SuperRes block may be six convolutions.
type Counts = spaces.BudgetCounts

// Count counts a canonical architecture with the residual links and the squeeze and excitation of s: with the zero Space, what the reference's proxies "params" and "Flops" see. It fails as Network does for what is no canonical architecture and for images or classes that are not positive.
func (s Space) Count(a spaces.Arch, in spaces.Input) (Counts, error) {
	chain, err := s.chain(a)
	if err != nil {
		return Counts{}, err
	}
	if in.Size < 1 || in.Classes < 1 {
		return Counts{}, fmt.Errorf("%s: images of %d pixels in %d classes; both must be at least 1", s.Name(), in.Size, in.Classes)
	}
	c := Counts{Layers: depth(chain)}
	r := float64(in.Size)
	for _, b := range chain {
		r = add(&c, b.expand(s.ResLink, s.SE), r)
	}
	last := chain[len(chain)-1].out
	c.FLOPs += float64(last) * float64(in.Classes)
	c.Params += int64(last)*int64(in.Classes) + 1
	return c, nil
}

// Budget implements spaces.Budgeter. It counts what the reference's search compares with its budgets: with residual links and without squeeze and excitation, whatever s has. The budgets of the ZiCo paper are 450e6, 600e6 and 1000e6 FLOPs at 224 pixels and 1000 classes with at most 14, 14 and 16 layers.
func (s Space) Budget(a spaces.Arch, in spaces.Input) (Counts, error) {
	return Space{ResLink: true}.Count(a, in)
}

// add counts basic blocks from the resolution r on and returns the resolution behind them. Everything is in float64, as a part is in the reference: whole numbers are exact up to 2^53, and larger ones lose digits rather than overflow.
func add(c *Counts, list []basic, r float64) float64 {
	for _, l := range list {
		in, out, stride := float64(l.in), float64(l.out), float64(l.stride)
		k := float64(l.kernel * l.kernel)
		switch l.op {
		case convKX:
			c.FLOPs += math.Floor(in * out * k * r * r / (stride * stride))
			c.Params += int64(in * out * k)
			r = math.Floor(r / stride)
		case convDW:
			c.FLOPs += math.Floor(out * k * r * r / (stride * stride))
			c.Params += int64(out * k)
			r = math.Floor(r / stride)
		case bn:
			c.FLOPs += out * r * r
			c.Params += int64(l.out)
		case se:
			mid := float64(squeezed(l.out))
			c.FLOPs += 2*out*mid + out + out*r*r
			c.Params += int64(2*out*mid + 2*mid + 2*out)
		case residual:
			r = add(c, l.inner, r)
			if l.projects() {
				again := r / stride
				c.FLOPs += in*out*again*again + again*again*out
				c.Params += int64(in*out + out)
			}
		}
	}
	return r
}
