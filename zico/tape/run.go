package tape

import (
	"context"
	"fmt"
	"time"

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
func Upload[T float32 | float64](be *backend.Backend, act kernel.Act, pix []T, lab []int32) (*Inputs, error) {
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

// UploadFloats copies values to the device as Float32 or Float64, rounding or widening them where need be. The caller owns the buffer.
func UploadFloats[T float32 | float64](be *backend.Backend, dtype dtypes.DType, data []T, dims ...int) (compute.Buffer, error) {
	shape := shapes.Make(dtype, dims...)
	flat := floats[float32](data)
	if dtype == dtypes.Float64 {
		flat = floats[float64](data)
	}
	b, err := be.BufferFromFlatData(0, flat, shape)
	if err != nil {
		return nil, fmt.Errorf("tape: copying %v to the device: %w", shape, err)
	}
	return b, nil
}

// floats converts values to another type, which costs nothing where they have it.
func floats[To, From float32 | float64](data []From) any {
	if same, ok := any(data).([]To); ok {
		return same
	}
	out := make([]To, len(data))
	for i, x := range data {
		out[i] = To(x)
	}
	return out
}

// Outcome is what a run leaves.
type Outcome struct {
	Losses  []float64   // mean cross-entropy of each batch
	Layers  []Layer     // in the order of the backward pass
	Logits  [][]float64 // [batch][class] of the first image of each batch, with Options.Logits
	Kernels kernel.Use
	// Parts is the time that the steps of each Part took, without compilation.
	Parts [numParts]time.Duration

	// Agreements is, for each pair of images, the number of rectifier outputs that are both positive or both not, over all rectifiers: [images*images].
	Agreements []float64
	// Jacobian is kernel.Covariances of the gradient of the sum of all logits by the images, [images*images]; nil where it is zero for lack of a path.
	Jacobian []float64
	// Channels are the sums over the channels of what a gradient has reached.
	Channels []Channels
	// Distances are the L1 distances of each image's features in one batch from the other.
	Distances []float64
	// Variances are those of the inputs of each batch norm.
	Variances []Variance
	// Curvature is the inner product of the gradient by all weights with its derivative in their direction.
	Curvature float64
}

// Variance is the biased variance of the inputs of a batch norm.
type Variance struct {
	Node   int         // of the batch norm in the network
	Values [][]float64 // [batch][channel]
	Count  int         // how many values each is of
}

// Channels are sums over images and pixels for each channel of the output z of a weighted layer or a batch norm, with gradient dz.
type Channels struct {
	Layer  int         // net.Node.Layer of the layer whose output Fisher is of, -1 if it is of none
	Node   int         // index of the layer or the batch norm in the network
	Bias   bool        // Offset is the gradient of the bias of Layer
	Norm   bool        // Scale and Offset are the gradients of a batch norm's
	Fisher [][]float64 // [batch][channel], sum over images of the square of the sum over pixels of z*dz
	Scale  [][]float64 // the same shape, gradient of the scale of a batch norm
	Offset [][]float64 // gradient of the offset of a batch norm, or of a bias if there were one
}

// Layer is what a run leaves for one weighted layer.
type Layer struct {
	Index     int              // net.Node.Layer
	Size      int              // number of weights
	Statistic []float64        // see kernel.StatSum; nil in a raw run
	Gradients []compute.Buffer // in a raw run: one a batch, [Size], owned by the caller
	Products  []float64        // see kernel.WeightProducts, with Options.Products
	SignSum   []float64        // see kernel.SignSum, where Options.Leave is SignSums
	Gram      []float64        // see kernel.GradGram, where it is Gram
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
		start := time.Now()
		res, use, err := cache.Call(st.op, args)
		out.Parts[st.part] += time.Since(start) - use.Wait
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
	if r.loss != none {
		if out.Losses, err = Floats(r.bufs[r.loss], r.Batches, r.DType); err != nil {
			return err
		}
	}
	if r.logits != none {
		all, err := Floats(r.bufs[r.logits], r.Batches*r.Images*r.net.Classes, r.DType)
		if err != nil {
			return err
		}
		for b := range r.Batches {
			from := b * r.Images * r.net.Classes
			out.Logits = append(out.Logits, all[from:from+r.net.Classes])
		}
	}
	for _, g := range r.grads {
		l := Layer{Index: g.layer, Size: g.size}
		if r.raw() {
			for _, v := range g.out {
				l.Gradients = append(l.Gradients, r.bufs[v])
				r.bufs[v] = nil
			}
		} else if l.Statistic, err = Floats(r.bufs[g.out[0]], kernel.StatisticLen(r.Batches), dtypes.Float64); err != nil {
			return err
		}
		out.Layers = append(out.Layers, l)
	}
	return r.collectExtras(out)
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
