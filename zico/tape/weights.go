package tape

import (
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/formula"
)

// Parameters are the weights and biases of a network on the device. They are drawn when a run first needs them and kept for the next: the runs over the batches of a score share them. They are safe for concurrent use.
type Parameters struct {
	be    *backend.Backend
	net   *net.Network
	dtype dtypes.DType
	seed  uint64

	mu      sync.Mutex
	weights map[int]compute.Buffer // by node
	biases  map[int]compute.Buffer
}

// NewParameters are the parameters of a network, of type dtype, that seed gives (package formula). Nothing is drawn yet.
func NewParameters(be *backend.Backend, n *net.Network, dtype dtypes.DType, seed uint64) *Parameters {
	return &Parameters{be: be, net: n, dtype: dtype, seed: seed, weights: map[int]compute.Buffer{}, biases: map[int]compute.Buffer{}}
}

func (w *Parameters) weight(node int) (compute.Buffer, error) {
	return w.get(w.weights, node, func() ([]float32, []int) { return Weights(w.net, node, w.seed) })
}

func (w *Parameters) bias(node int) (compute.Buffer, error) {
	return w.get(w.biases, node, func() ([]float32, []int) {
		return Biases(w.net, node, w.seed), []int{w.net.Nodes[node].Out}
	})
}

func (w *Parameters) get(m map[int]compute.Buffer, node int, draw func() ([]float32, []int)) (compute.Buffer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b, ok := m[node]; ok {
		return b, nil
	}
	data, dims := draw()
	b, err := UploadFloats(w.be, w.dtype, data, dims...)
	if err == nil {
		m[node] = b
	}
	return b, err
}

// Finalize frees the device memory; no run may use the parameters any more.
func (w *Parameters) Finalize() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range []map[int]compute.Buffer{w.weights, w.biases} {
		for _, b := range m {
			_ = b.Finalize()
		}
		clear(m)
	}
}

// Weights draws the weight of a Conv or Linear node from the formula, in the layout of the kernels: [kernel, kernel, in/groups, out] or [in, out].
func Weights(n *net.Network, node int, seed uint64) (data []float32, dims []int) {
	shape, fanIn := n.WeightShape(node)
	drawn := make([]float32, shape[0]*fanIn)
	formula.FillWeights(drawn, seed, uint64(n.Nodes[node].Layer), fanIn)
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
func Biases(n *net.Network, node int, seed uint64) []float32 {
	_, fanIn := n.WeightShape(node)
	data := make([]float32, n.Nodes[node].Out)
	formula.FillWeights(data, seed, formula.BiasStream+uint64(n.Nodes[node].Layer), fanIn)
	return data
}
