package tape

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/formula"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
)

// Parameters are the weights and biases of a network on the device, drawn once for all runs of a score. They are safe for concurrent use.
type Parameters struct {
	be    *backend.Backend
	net   *net.Network
	dtype dtypes.DType
	draw  Draw

	entries []parameter // weight and bias of each node
}

type parameter struct {
	once sync.Once
	buf  compute.Buffer
	err  error
}

// Draw says how parameters are drawn (package formula).
type Draw struct {
	Seed uint64
	Unit bool // variance 1 and no biases, in place of PyTorch's default initialisation
	Abs  bool // absolute values
}

// NewParameters are the parameters of a network, of type dtype. On a CPU drawing them begins in the background, on all processors; other devices make weights themselves, when a run first needs them.
func NewParameters(be *backend.Backend, n *net.Network, dtype dtypes.DType, draw Draw) *Parameters {
	w := &Parameters{be: be, net: n, dtype: dtype, draw: draw, entries: make([]parameter, 2*len(n.Nodes))}
	if be.Platform() == "cpu" {
		var next atomic.Int64
		for range runtime.GOMAXPROCS(0) {
			go func() {
				for i := int(next.Add(1)) - 1; i < len(n.Nodes); i = int(next.Add(1)) - 1 {
					if n.Nodes[i].Op.HasWeights() {
						_, _ = w.weight(nil, i) // the run meets the same error
					}
				}
			}()
		}
	}
	return w
}

// weight is the weight of a node. On devices other than a CPU a kernel of the cache draws it.
func (w *Parameters) weight(cache *kernel.Cache, node int) (compute.Buffer, error) {
	return w.get(2*node, func() (compute.Buffer, error) {
		if w.be.Platform() == "cpu" || w.draw.Unit || w.draw.Abs {
			data, dims := Weights(w.net, node, w.draw)
			return UploadFloats(w.be, w.dtype, data, dims...)
		}
		return w.drawOnDevice(cache, node)
	})
}

// drawOnDevice makes a weight without copying it there.
func (w *Parameters) drawOnDevice(cache *kernel.Cache, node int) (compute.Buffer, error) {
	shape, fanIn := w.net.WeightShape(node)
	op := kernel.Draw{DType: w.dtype, In: shape[1], Out: shape[0], FanIn: fanIn}
	if len(shape) == 4 {
		op.Kernel = shape[2]
	}
	base, err := w.be.BufferFromFlatData(0, []uint64{formula.Base(w.draw.Seed, uint64(w.net.Nodes[node].Layer))}, op.Inputs()[0])
	if err != nil {
		return nil, fmt.Errorf("tape: copying a number to the device: %w", err)
	}
	defer func() { _ = base.Finalize() }()
	out, _, err := cache.Call(op, []compute.Buffer{base})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

func (w *Parameters) bias(node int) (compute.Buffer, error) {
	return w.get(2*node+1, func() (compute.Buffer, error) {
		return UploadFloats(w.be, w.dtype, Biases(w.net, node, w.draw), w.net.Nodes[node].Out)
	})
}

func (w *Parameters) get(i int, draw func() (compute.Buffer, error)) (compute.Buffer, error) {
	p := &w.entries[i]
	p.once.Do(func() { p.buf, p.err = draw() })
	return p.buf, p.err
}

// errGone marks parameters that were finalized before they were drawn.
var errGone = errors.New("tape: the parameters are finalized")

// Finalize frees the device memory; no run may use the parameters any more.
func (w *Parameters) Finalize() {
	for i := range w.entries {
		p := &w.entries[i]
		p.once.Do(func() { p.err = errGone })
		if p.buf != nil {
			_ = p.buf.Finalize()
		}
	}
}

// Weights draws the weight of a Conv or Linear node from the formula, in the layout of the kernels: [kernel, kernel, in/groups, out] or [in, out].
func Weights(n *net.Network, node int, draw Draw) (data []float32, dims []int) {
	shape, fanIn := n.WeightShape(node)
	drawn := make([]float32, shape[0]*fanIn)
	if draw.Unit {
		formula.FillUnit(drawn, draw.Seed, uint64(n.Nodes[node].Layer))
	} else {
		formula.FillWeights(drawn, draw.Seed, uint64(n.Nodes[node].Layer), fanIn)
	}
	draw.abs(drawn)
	// The formula counts in PyTorch's order, output channels first and the window last.
	out, in, window := shape[0], shape[1], 1
	dims = []int{in, out}
	if len(shape) == 4 {
		window = shape[2] * shape[3]
		dims = []int{shape[2], shape[3], in, out}
	}
	data = make([]float32, len(drawn))
	for o := range out {
		for c := range in {
			from := drawn[(o*in+c)*window:]
			for w := range window {
				data[(w*in+c)*out+o] = from[w]
			}
		}
	}
	return data, dims
}

// Biases draws the bias [out] of a Conv or Linear node.
func Biases(n *net.Network, node int, draw Draw) []float32 {
	_, fanIn := n.WeightShape(node)
	data := make([]float32, n.Nodes[node].Out)
	if !draw.Unit {
		formula.FillWeights(data, draw.Seed, formula.BiasStream+uint64(n.Nodes[node].Layer), fanIn)
		draw.abs(data)
	}
	return data
}

func (d Draw) abs(data []float32) {
	if d.Abs {
		for i, x := range data {
			data[i] = max(x, -x)
		}
	}
}
