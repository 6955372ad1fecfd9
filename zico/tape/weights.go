package tape

import (
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/formula"
)

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

// Turned turns a convolution's weight [k, k, in/groups, out] by half a turn and swaps its channels: the weight [k, k, out, in] with which a convolution of the output's gradient gives the input's. A depthwise weight [k, k, 1, channels] keeps its shape.
func Turned(data []float32, dims []int) ([]float32, []int) {
	window, in, out := dims[0]*dims[1], dims[2], dims[3]
	res := make([]float32, len(data))
	if in == 1 {
		for w := range window {
			copy(res[w*out:(w+1)*out], data[(window-1-w)*out:])
		}
		return res, dims
	}
	for w := range window {
		from := data[(window-1-w)*in*out:]
		to := res[w*in*out:]
		for c := range in {
			for o := range out {
				to[o*in+c] = from[c*out+o]
			}
		}
	}
	return res, []int{dims[0], dims[1], out, in}
}

// Biases draws the bias [out] of a Conv or Linear node.
func Biases(n *net.Network, node int, seed uint64) []float32 {
	_, fanIn := n.WeightShape(node)
	data := make([]float32, n.Nodes[node].Out)
	formula.FillWeights(data, seed, formula.BiasStream+uint64(n.Nodes[node].Layer), fanIn)
	return data
}
