package tape

import (
	"slices"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
)

// sweep plans one pass backwards from the gradient of the logits, to the weights, the input, or both.
func (p *planner) sweep(logits value, weights, input bool) {
	p.needs, p.weighted = needsGradient(p.net, weights, input), weights
	if !p.needs[p.net.Output] {
		return
	}
	p.incoming[p.net.Output] = []contribution{{grad: logits, mask: none}}
	for i := len(p.net.Nodes) - 1; i > 0; i-- {
		p.backward(i)
	}
	if input {
		if g := p.total(0); g != none {
			n := int64(p.Batches * p.Images)
			p.jacobian = p.call(kernel.Covariances{X: p.act(0)}, []value{g}, 8*n*n)[0]
		}
	}
}

// contribution is a gradient that reaches a node from one of its consumers. A rectifier hands its own gradients on with its output as the mask and lets the node below add and mask them all in one kernel.
type contribution struct {
	grad, mask value
}

// send adds a gradient for node j, unless nobody needs it.
func (p *planner) send(j int, c ...contribution) {
	if p.needs[j] {
		p.incoming[j] = append(p.incoming[j], c...)
	}
}

// total adds up the gradients that have come in for node i into one value; none if there are none.
func (p *planner) total(i int) value {
	in := p.incoming[i]
	p.incoming[i] = nil
	for len(in) > 0 {
		if len(in) == 1 && in[0].mask == none {
			return in[0].grad
		}
		var left []contribution
		op := kernel.Sum{X: p.act(i)}
		var terms []value
		var masks []value
		byMask := map[value][]value{}
		for _, c := range in {
			switch {
			case c.mask == none:
				op.Terms++
				terms = append(terms, c.grad)
			case byMask[c.mask] != nil || len(masks) < len(op.Masked):
				if byMask[c.mask] == nil {
					masks = append(masks, c.mask)
				}
				byMask[c.mask] = append(byMask[c.mask], c.grad)
			default:
				left = append(left, c)
			}
		}
		for k, m := range masks {
			op.Masked[k] = len(byMask[m])
			terms = append(append(terms, m), byMask[m]...)
		}
		sum := p.call(op, terms, op.X.Bytes())[0]
		in = append([]contribution{{grad: sum, mask: none}}, left...)
	}
	return none
}

// backward adds the steps that carry the gradient of node i to its inputs and, for a weighted layer, to its weight.
func (p *planner) backward(i int) {
	nd := &p.net.Nodes[i]
	if !p.needs[i] || len(p.incoming[i]) == 0 {
		return
	}
	if nd.Op == net.ReLU {
		p.rectify(i)
		return
	}
	if nd.Op == net.BatchNorm {
		p.backwardNorm(i)
		return
	}
	g := p.total(i)
	a := nd.In[0]
	x := p.act(a)
	p.channels(i, g)
	plain := func(v value) contribution { return contribution{grad: v, mask: none} }
	one := func(op kernel.Op, in ...value) {
		p.send(a, plain(p.call(op, in, x.Bytes())[0]))
	}
	switch nd.Op {
	case net.Conv:
		v := window(nd)
		p.weightGrad(i, kernel.ConvWeightGrad{X: x, Window: v, Raw: p.raw()}, g)
		if p.needs[a] {
			one(kernel.ConvInputGrad{X: x, Window: v}, g, p.weights[i])
		}
	case net.Linear:
		p.weightGrad(i, kernel.LinearWeightGrad{X: x, Out: nd.Out, Raw: p.raw()}, g)
		if p.needs[a] {
			one(kernel.LinearInputGrad{X: x, Out: nd.Out}, g, p.weights[i])
		}
	case net.AvgPool:
		one(kernel.AvgPoolingGrad{AvgPooling: kernel.AvgPooling{X: x, Kernel: nd.Kernel, Stride: nd.Stride, Pad: nd.Pad, CountPad: nd.CountPad}}, g)
	case net.MaxPool:
		one(kernel.MaxPoolingGrad{MaxPooling: kernel.MaxPooling{X: x, Kernel: nd.Kernel, Stride: nd.Stride, Pad: nd.Pad}}, p.output[a], g)
	case net.GlobalAvgPool:
		one(kernel.GlobalPoolingGrad{X: x}, g)
	case net.Add:
		for _, j := range nd.In {
			p.send(j, plain(g))
		}
	case net.Concat:
		from := 0
		for _, j := range nd.In {
			c := p.net.Nodes[j].Shape.C
			if p.needs[j] {
				p.send(j, plain(p.call(kernel.Channels{X: p.act(i), From: from, To: from + c}, []value{g}, p.act(j).Bytes())[0]))
			}
			from += c
		}
	case net.Slice:
		one(kernel.ChannelsGrad{X: x, From: nd.From, To: nd.To}, g)
	case net.Shift:
		one(kernel.Translate{X: x, Back: true}, g)
	case net.Scale:
		one(kernel.Scaling{X: x, Factor: nd.Factor}, g)
	case net.Sigmoid:
		one(kernel.SigmoidGrad{X: x}, g, p.output[i])
	case net.Gate:
		b := nd.In[1]
		out := p.call(kernel.GateGrad{X: x}, []value{g, p.output[a], p.output[b]}, x.Bytes(), p.act(b).Bytes())
		p.send(a, plain(out[0]))
		p.send(b, plain(out[1]))
	}
}

// backwardNorm plans the gradient of a batch norm, together with that of a convolution that only it reads.
func (p *planner) backwardNorm(i int) {
	j := p.net.Nodes[i].In[0]
	var g value
	relu := false
	if in := p.incoming[i]; len(in) == 1 && in[0].mask != none && p.rectified[in[0].mask] == p.norm[i] {
		// The rectifier read this batch norm directly: its mask follows from what the batch norm reads anyway.
		g, relu = in[0].grad, true
		p.incoming[i] = nil
	} else {
		g = p.total(i)
	}
	x := p.act(j)
	p.normChannels(i, g, relu)
	conv := &p.net.Nodes[j]
	if conv.Op != net.Conv || conv.Bias || conv.Stride > 1 || conv.Groups > 1 || conv.Dilation > 1 || len(p.consumers[j]) > 1 || !p.needs[conv.In[0]] {
		dx := p.call(kernel.BatchNormGrad{X: x, ReLU: relu}, []value{g, p.norm[i].x, p.norm[i].stats}, x.Bytes())
		p.send(j, contribution{grad: dx[0], mask: none})
		return
	}
	input := p.act(conv.In[0])
	op := kernel.ConvNormGrad{X: input, Window: window(conv), ReLU: relu, Raw: p.raw(), InputOnly: !p.weighted}
	in := []value{g, p.norm[i].x, p.norm[i].stats, p.output[conv.In[0]], p.weights[j]}
	// What a rectifier does to the gradient follows from its output, which the kernel reads anyway; and a gradient that has come to its input before is added on the way.
	to := conv.In[0]
	if p.net.Nodes[to].Op == net.ReLU {
		op.Masked = true
		to = p.net.Nodes[to].In[0]
	}
	for k, c := range p.incoming[to] {
		if c.mask == none {
			op.Add = true
			in = append(in, c.grad)
			p.incoming[to] = slices.Delete(p.incoming[to], k, k+1)
			break
		}
	}
	size, sizes := p.gradSizes(j)
	if !p.weighted {
		sizes = nil
	}
	out := p.call(op, in, append([]int64{input.Bytes()}, sizes...)...)
	if p.weighted {
		p.leave(j, size, out[1:])
	}
	p.send(to, contribution{grad: out[0], mask: none})
}

// rectify passes the gradients of a rectifier on as masked contributions; gradients that are masked already are added up first.
func (p *planner) rectify(i int) {
	in := p.incoming[i]
	for _, c := range in {
		if c.mask != none {
			in = []contribution{{grad: p.total(i), mask: none}}
			break
		}
	}
	p.incoming[i] = nil
	for _, c := range in {
		p.send(p.net.Nodes[i].In[0], contribution{grad: c.grad, mask: p.output[i]})
	}
}

// weightGrad plans the gradient of a weight, unless nobody wants it.
func (p *planner) weightGrad(i int, op kernel.Op, g value) {
	if !p.weighted {
		return
	}
	size, sizes := p.gradSizes(i)
	p.leave(i, size, p.call(op, []value{p.output[p.net.Nodes[i].In[0]], g}, sizes...))
}

// gradSizes are the number of weights of node i and the bytes of what its gradient kernel returns: a statistic or, raw, a gradient for each batch.
func (p *planner) gradSizes(i int) (size int, bytes []int64) {
	size = int(p.tensors[p.weights[i]].bytes) / p.DType.Size()
	if !p.raw() {
		return size, []int64{int64(kernel.StatisticLen(p.Batches)) * 8}
	}
	return size, slices.Repeat([]int64{int64(size * p.DType.Size())}, p.Batches)
}
