package tape

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
)

// Part says what a step is for, so that the time it takes can be told apart.
type Part uint8

const (
	ForAll      Part = iota // the network, its loss and its gradients
	ForProducts             // Options.Products
	ForChannels             // Options.Channels
	ForSigns                // Options.Signs
	ForJacobian             // Options.Jacobian
	numParts
)

// extras are the values that a plan leaves beside the loss and the gradients.
type extras struct {
	products  []layerValue  // of kernel.WeightProducts
	sums      []layerValue  // of kernel.SignSum
	grams     []layerValue  // of kernel.GradGram
	channel   []channelSums // of kernel.NormProducts and kernel.ChannelProducts
	signs     []signs
	jacobian  value
	distances value
	moments   []normStats
	curved    []square // see curvature
}

var noExtras = extras{jacobian: none, distances: none}

// layerValue is a value of a weighted layer.
type layerValue struct {
	layer int // net.Node.Layer
	v     value
}

// square is a value of kernel.GradGram of n vectors.
type square struct {
	n int
	v value
}

// channelSums is a value with sums for each channel of a node.
type channelSums struct {
	node  int
	layer int // net.Node.Layer of the convolution or linear layer that it tells the Fisher score of, or -1
	bias  bool
	norm  bool
	act   kernel.Act
	v     value
}

// signs is a value of kernel.Signs and the number of rectifiers that share it.
type signs struct {
	v     value
	count int
}

// normStats are the stats of a batch norm.
type normStats struct {
	node int
	act  kernel.Act
	v    value
}

// tagged plans a call whose time is part's.
func (p *planner) tagged(part Part, op kernel.Op, in []value, sizes ...int64) []value {
	was := p.part
	p.part = part
	out := p.call(op, in, sizes...)
	p.part = was
	return out
}

// leave takes what a gradient kernel returns for the weight of node i.
func (p *planner) leave(i, size int, out []value) {
	layer := p.net.Nodes[i].Layer
	if p.Products {
		op := kernel.WeightProducts{DType: p.DType, Out: p.net.Nodes[i].Out}
		dims, _ := p.net.WeightShape(i)
		op.In = dims[1]
		if len(dims) == 4 {
			op.Kernel = dims[2]
		}
		v := p.tagged(ForProducts, op, []value{p.weights[i], out[0]}, 4*8)
		p.products = append(p.products, layerValue{layer, v[0]})
	}
	if p.Leave == SignSums {
		v := p.call(kernel.SignSum{DType: p.DType, Size: size, N: len(out)}, out, 2*8)
		p.sums = append(p.sums, layerValue{layer, v[0]})
		return
	}
	p.grads = append(p.grads, gradient{layer: layer, size: size, out: out})
}

// gram plans the inner products of the gradients that the sweeps of EachOutput have left, which then are not needed any more.
func (p *planner) gram() {
	byLayer := map[int][]value{}
	var order []gradient
	for _, g := range p.grads {
		if byLayer[g.layer] == nil {
			order = append(order, g)
		}
		byLayer[g.layer] = append(byLayer[g.layer], g.out...)
	}
	for _, g := range order {
		in := byLayer[g.layer]
		v := p.call(kernel.GradGram{DType: p.DType, Size: g.size, N: len(in)}, in, int64(8*len(in)*len(in)))
		p.grams = append(p.grams, layerValue{g.layer, v[0]})
	}
	p.grads = nil
}

// soleNorm tells whether the only reader of node i is a batch norm: then the gradient of its output is that of the batch norm's input.
func (p *planner) soleNorm(i int) bool {
	next := p.consumers[i]
	return len(next) == 1 && p.net.Nodes[next[0]].Op == net.BatchNorm
}

// channels plans the sums over the channels of a weighted node's output and its gradient, where no batch norm takes care of them.
func (p *planner) channels(i int, g value) {
	nd := &p.net.Nodes[i]
	if !p.Channels || !p.weighted || !nd.Op.HasWeights() || p.soleNorm(i) && !nd.Bias {
		return
	}
	x := p.act(i)
	v := p.tagged(ForChannels, kernel.ChannelProducts{X: x}, []value{p.output[i], g}, int64(8*2*p.Batches*x.C))
	p.channel = append(p.channel, channelSums{node: i, layer: nd.Layer, bias: nd.Bias, act: x, v: v[0]})
}

// normChannels plans the same for a batch norm: the gradients of its scale and offset, and the Fisher score of a convolution that only it reads.
func (p *planner) normChannels(i int, g value, relu bool) {
	if !p.Channels || !p.weighted {
		return
	}
	j := p.net.Nodes[i].In[0]
	x := p.act(j)
	v := p.tagged(ForChannels, kernel.NormProducts{X: x, ReLU: relu}, []value{g, p.norm[i].x, p.norm[i].stats}, int64(8*3*p.Batches*x.C))
	c := channelSums{node: i, layer: -1, norm: true, act: x, v: v[0]}
	if nd := &p.net.Nodes[j]; nd.Op.HasWeights() && p.soleNorm(j) && !nd.Bias {
		c.layer = nd.Layer
	}
	p.channel = append(p.channel, c)
}

// sign plans the comparison of the images by a rectifier's output, which count of them share.
func (p *planner) sign(j int, out value, count int) {
	if p.Signs {
		v := p.tagged(ForSigns, kernel.Signs{X: p.act(j)}, []value{out}, int64(8*p.Batches*p.Images*p.Images))
		p.signs = append(p.signs, signs{v[0], count})
	}
}

// normalize takes note of a batch norm's stats.
func (p *planner) normalize(i int) {
	if p.Features {
		p.moments = append(p.moments, normStats{i, p.act(p.net.Nodes[i].In[0]), p.norm[i].stats})
	}
}

// features plans the distance between the two batches' features: what the last global pooling reads.
func (p *planner) features() error {
	for i := len(p.net.Nodes) - 1; i >= 0; i-- {
		if p.net.Nodes[i].Op == net.GlobalAvgPool {
			j := p.net.Nodes[i].In[0]
			p.distances = p.call(kernel.FeatureDistance{X: p.act(j)}, []value{p.written(j)}, int64(8*p.Images))[0]
			return nil
		}
	}
	return fmt.Errorf("tape: %s has no global pooling, before which its features would be", p.net.Name)
}

// results lists the values that outlive a run.
func (p *Plan) results() []value {
	all := []value{p.loss, p.logits, p.jacobian, p.distances}
	for _, g := range p.grads {
		all = append(all, g.out...)
	}
	for _, l := range slices.Concat(p.products, p.sums, p.grams) {
		all = append(all, l.v)
	}
	for _, c := range p.curved {
		all = append(all, c.v)
	}
	for _, c := range p.channel {
		all = append(all, c.v)
	}
	for _, s := range p.signs {
		all = append(all, s.v)
	}
	for _, m := range p.moments {
		all = append(all, m.v)
	}
	return slices.DeleteFunc(all, func(v value) bool { return v == none })
}

// raw tells whether a run leaves gradients.
func (p *Plan) raw() bool { return p.Leave != Statistics }

// collectExtras brings the other results to the host.
func (r *runner) collectExtras(out *Outcome) error {
	var err error
	// read returns n float64 values, and after an error nothing.
	read := func(v value, n int) []float64 {
		if err != nil {
			return make([]float64, n)
		}
		var x []float64
		if x, err = Floats(r.bufs[v], n, dtypes.Float64); err != nil {
			return make([]float64, n)
		}
		return x
	}
	byLayer := map[int]int{}
	for i, l := range out.Layers {
		byLayer[l.Index] = i
	}
	layer := func(index int) *Layer {
		i, ok := byLayer[index]
		if !ok {
			i = len(out.Layers)
			byLayer[index] = i
			out.Layers = append(out.Layers, Layer{Index: index})
		}
		return &out.Layers[i]
	}
	for _, l := range r.products {
		layer(l.layer).Products = read(l.v, 4)
	}
	for _, l := range r.sums {
		layer(l.layer).SignSum = read(l.v, 2)
	}
	n := r.Batches * r.Images
	for _, l := range r.grams {
		layer(l.layer).Gram = read(l.v, n*n)
	}
	for _, c := range r.curved {
		for _, x := range read(c.v, c.n*c.n)[1:c.n] {
			out.Curvature += x
		}
	}
	for _, s := range r.signs {
		agree := read(s.v, r.Batches*r.Images*r.Images)
		if out.Agreements == nil {
			out.Agreements = make([]float64, len(agree))
		}
		for i, a := range agree {
			out.Agreements[i] += float64(s.count) * a
		}
	}
	for _, c := range r.channel {
		sums := Channels{Node: c.node, Layer: c.layer, Bias: c.bias, Norm: c.norm}
		rows := 2
		if c.norm {
			rows = 3
		}
		x := read(c.v, r.Batches*rows*c.act.C)
		for ; len(x) > 0; x = x[rows*c.act.C:] {
			row := func(k int) []float64 { return x[k*c.act.C : (k+1)*c.act.C] }
			sums.Fisher = append(sums.Fisher, row(0))
			if c.norm {
				sums.Scale = append(sums.Scale, row(1))
			}
			sums.Offset = append(sums.Offset, row(rows-1))
		}
		out.Channels = append(out.Channels, sums)
	}
	if r.distances != none {
		out.Distances = read(r.distances, r.Images)
	}
	if r.jacobian != none {
		out.Jacobian = read(r.jacobian, n*n)
	}
	for _, m := range r.moments {
		if err != nil {
			break
		}
		var stats []float64
		if stats, err = Floats(r.bufs[m.v], r.Batches*3*m.act.C, r.DType); err != nil {
			break
		}
		norm := Variance{Node: m.node, Count: m.act.Images * m.act.H * m.act.W, Values: make([][]float64, r.Batches)}
		for b := range norm.Values {
			inv := stats[(3*b+2)*m.act.C:][:m.act.C]
			norm.Values[b] = make([]float64, m.act.C)
			for k, s := range inv {
				norm.Values[b][k] = max(0, 1/(s*s)-r.net.Nodes[m.node].Eps)
			}
		}
		out.Variances = append(out.Variances, norm)
	}
	return err
}
