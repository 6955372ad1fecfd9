package tape

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
)

// Inputs are the images and labels of a run, on the device. They can serve any number of runs at once; the caller finalizes them.
type Inputs struct {
	pixels, labels compute.Buffer
}

// Upload copies images [batches*images, h, w, c] and their labels to the device.
func Upload(be *backend.Backend, act kernel.Act, pix []float32, lab []int32) (*Inputs, error) {
	if len(pix) != act.Shape().Size() || len(lab) != act.Batches*act.Images {
		return nil, fmt.Errorf("tape: %d pixel values and %d labels for images %v", len(pix), len(lab), act)
	}
	p, err := UploadFloats(be, act.DType, pix, act.Shape().Dimensions...)
	if err != nil {
		return nil, err
	}
	l, err := be.BufferFromFlatData(0, lab, shapes.Make(dtypes.Int32, len(lab)))
	if err != nil {
		_ = p.Finalize()
		return nil, fmt.Errorf("tape: copying labels to the device: %w", err)
	}
	return &Inputs{p, l}, nil
}

// Finalize frees the device memory.
func (in *Inputs) Finalize() {
	_ = in.pixels.Finalize()
	_ = in.labels.Finalize()
}

// UploadFloats copies float32 values to the device as Float32 or widened to Float64. The caller owns the buffer.
func UploadFloats(be *backend.Backend, dtype dtypes.DType, data []float32, dims ...int) (compute.Buffer, error) {
	shape := shapes.Make(dtype, dims...)
	var flat any = data
	if dtype == dtypes.Float64 {
		wide := make([]float64, len(data))
		for i, x := range data {
			wide[i] = float64(x)
		}
		flat = wide
	}
	b, err := be.BufferFromFlatData(0, flat, shape)
	if err != nil {
		return nil, fmt.Errorf("tape: copying %v to the device: %w", shape, err)
	}
	return b, nil
}

// Outcome is what a run leaves.
type Outcome struct {
	Losses  []float64   // mean cross-entropy of each batch
	Layers  []Layer     // in the order of the backward pass
	Logits  [][]float64 // [batch][class] of the first image of each batch, with Options.Logits
	Kernels kernel.Use
}

// Layer is what a run leaves for one weighted layer.
type Layer struct {
	Index     int              // net.Node.Layer
	Size      int              // number of weights
	Statistic []float64        // see kernel.StatSum; nil in a raw run
	Gradients []compute.Buffer // in a raw run: one a batch, [Size], owned by the caller
}

// Run executes the plan with the weights that w holds. Runs of any number of plans may go on at the same time over one cache; each result depends on its plan, inputs and weights alone.
// It stops between two kernels when ctx ends, with the context's error. All device memory of the run is freed on return, but for raw gradients.
func (p *Plan) Run(ctx context.Context, cache *kernel.Cache, in *Inputs, w *Parameters) (_ *Outcome, err error) {
	r := runner{Plan: p, cache: cache, weights: w, bufs: make([]compute.Buffer, len(p.tensors))}
	out := &Outcome{}
	defer func() {
		r.free()
		if err != nil {
			out.Finalize()
		}
	}()
	args := make([]compute.Buffer, 0, 8)
	for s := range p.steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		st := &p.steps[s]
		args = args[:0]
		for _, v := range st.in {
			b, err := r.buffer(v, in)
			if err != nil {
				return nil, err
			}
			args = append(args, b)
		}
		res, use, err := cache.Call(st.op, args)
		out.Kernels.Add(use)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.net.Name, err)
		}
		for i, v := range st.out {
			r.bufs[v] = res[i]
		}
		for _, v := range st.in {
			r.freeAfter(v, s)
		}
		for _, v := range st.out {
			r.freeAfter(v, s)
		}
	}
	return out, r.collect(out)
}

type runner struct {
	*Plan
	cache   *kernel.Cache
	weights *Parameters
	bufs    []compute.Buffer // owned by the runner; nil for inputs and weights
}

func (r *runner) buffer(v value, in *Inputs) (compute.Buffer, error) {
	switch t := r.tensors[v]; t.kind {
	case pixels:
		return in.pixels, nil
	case labels:
		return in.labels, nil
	case weight:
		return r.weights.weight(r.cache, t.node)
	case bias:
		return r.weights.bias(t.node)
	}
	return r.bufs[v], nil
}

func (r *runner) freeAfter(v value, s int) {
	if r.tensors[v].last == s && r.bufs[v] != nil {
		_ = r.bufs[v].Finalize()
		r.bufs[v] = nil
	}
}

func (r *runner) free() {
	for i, b := range r.bufs {
		if b != nil {
			_ = b.Finalize()
			r.bufs[i] = nil
		}
	}
}

// collect brings the results to the host.
func (r *runner) collect(out *Outcome) error {
	var err error
	if out.Losses, err = Floats(r.bufs[r.loss], r.batches, r.dtype); err != nil {
		return err
	}
	if r.logits != none {
		all, err := Floats(r.bufs[r.logits], r.batches*r.images*r.net.Classes, r.dtype)
		if err != nil {
			return err
		}
		for b := range r.batches {
			from := b * r.images * r.net.Classes
			out.Logits = append(out.Logits, all[from:from+r.net.Classes])
		}
	}
	for _, g := range r.grads {
		l := Layer{Index: g.layer, Size: g.size}
		if r.raw {
			for _, v := range g.out {
				l.Gradients = append(l.Gradients, r.bufs[v])
				r.bufs[v] = nil
			}
		} else if l.Statistic, err = Floats(r.bufs[g.out[0]], kernel.StatisticLen(r.batches), dtypes.Float64); err != nil {
			return err
		}
		out.Layers = append(out.Layers, l)
	}
	return nil
}

// Floats copies n values of type Float32 or Float64 from the device.
func Floats(b compute.Buffer, n int, dtype dtypes.DType) ([]float64, error) {
	wide := make([]float64, n)
	if dtype == dtypes.Float64 {
		if err := b.ToFlatData(wide); err != nil {
			return nil, fmt.Errorf("tape: reading a result: %w", err)
		}
		return wide, nil
	}
	narrow := make([]float32, n)
	if err := b.ToFlatData(narrow); err != nil {
		return nil, fmt.Errorf("tape: reading a result: %w", err)
	}
	for i, x := range narrow {
		wide[i] = float64(x)
	}
	return wide, nil
}

// Finalize frees the raw gradients.
func (o *Outcome) Finalize() {
	for i := range o.Layers {
		for _, b := range o.Layers[i].Gradients {
			_ = b.Finalize()
		}
		o.Layers[i].Gradients = nil
	}
}
