package tape

import (
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
)

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
	if in := p.incoming[i]; nd.Op == net.BatchNorm && len(in) == 1 && in[0].mask != none && p.rectified[in[0].mask] == p.norm[i] {
		// The rectifier read this batch norm directly: its mask follows from what the batch norm reads anyway.
		x := p.act(nd.In[0])
		p.incoming[i] = nil
		dx := p.call(kernel.BatchNormGrad{X: x, ReLU: true}, []value{in[0].grad, p.norm[i].x, p.norm[i].stats}, x.Bytes())
		p.send(nd.In[0], contribution{grad: dx[0], mask: none})
		return
	}
	g := p.total(i)
	a := nd.In[0]
	x := p.act(a)
	plain := func(v value) contribution { return contribution{grad: v, mask: none} }
	one := func(op kernel.Op, in ...value) {
		p.send(a, plain(p.call(op, in, x.Bytes())[0]))
	}
	switch nd.Op {
	case net.Conv:
		v := window(nd)
		p.weightGrad(i, kernel.ConvWeightGrad{X: x, Window: v, Raw: p.raw}, g)
		if !p.needs[a] {
			return
		}
		one(kernel.ConvInputGrad{X: x, Window: v}, g, p.weights[i])
	case net.Linear:
		p.weightGrad(i, kernel.LinearWeightGrad{X: x, Out: nd.Out, Raw: p.raw}, g)
		if p.needs[a] {
			one(kernel.LinearInputGrad{X: x, Out: nd.Out}, g, p.weights[i])
		}
	case net.BatchNorm:
		one(kernel.BatchNormGrad{X: x}, g, p.norm[i].x, p.norm[i].stats)
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
	case net.Sigmoid:
		one(kernel.SigmoidGrad{X: x}, g, p.output[i])
	case net.Gate:
		b := nd.In[1]
		out := p.call(kernel.GateGrad{X: x}, []value{g, p.output[a], p.output[b]}, x.Bytes(), p.act(b).Bytes())
		p.send(a, plain(out[0]))
		p.send(b, plain(out[1]))
	}
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

func (p *planner) weightGrad(i int, op kernel.Op, g value) {
	nd := &p.net.Nodes[i]
	size := int(p.tensors[p.weights[i]].bytes) / p.dtype.Size()
	sizes := []int64{int64(kernel.StatisticLen(p.batches)) * 8}
	if p.raw {
		sizes = make([]int64, p.batches)
		for b := range sizes {
			sizes[b] = int64(size * p.dtype.Size())
		}
	}
	out := p.call(op, []value{p.output[nd.In[0]], g}, sizes...)
	p.grads = append(p.grads, gradient{layer: nd.Layer, size: size, out: out})
}
