package tape

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
)

// dual is a value and its derivative in the direction in which every weight of a convolution or linear layer moves by itself; none is a derivative of zero.
type dual struct{ v, t value }

// curvature plans the loss, its gradient g and the derivative Hw of that gradient in the direction of the weights w, and keeps for each layer the inner products of g with the parts of Hw. Forwards, each value gets its derivative beside it; backwards, each gradient. The derivative of conv(x, w) is conv(x', w) + conv(x, w): one convolution of x' + x.
//
// Rectifiers and maxima are taken where they stand, as automatic differentiation does.
func (p *planner) curvature() error {
	c := &curve{planner: p, tangent: make([]value, len(p.net.Nodes)), grads: make([][]dual, len(p.net.Nodes))}
	for i := range p.net.Nodes {
		c.tangent[i] = none
		if err := c.forward(i); err != nil {
			return err
		}
	}
	p.needs = needsGradient(p.net, true, false)
	logits := p.lossStep()
	if !p.needs[p.net.Output] {
		return nil
	}
	out := p.act(p.net.Output)
	t := none
	if v := c.tangent[p.net.Output]; v != none {
		t = p.call(kernel.CrossEntropyTangent{X: out}, []value{p.output[p.net.Output], v}, out.Bytes())[0]
	}
	c.send(p.net.Output, dual{logits, t})
	for i := len(p.net.Nodes) - 1; i > 0; i-- {
		if p.needs[i] && len(c.grads[i]) > 0 {
			c.backward(i)
		}
	}
	return nil
}

// curve holds the derivatives of the nodes' outputs and the gradients, with theirs, that have reached the nodes.
type curve struct {
	*planner
	tangent []value
	grads   [][]dual
}

func (c *curve) send(j int, d dual) {
	if c.needs[j] {
		c.grads[j] = append(c.grads[j], d)
	}
}

// sum adds values of a shape, skipping none; none if there are none.
func (c *curve) sum(x kernel.Act, vs ...value) value {
	var in []value
	for _, v := range vs {
		if v != none {
			in = append(in, v)
		}
	}
	switch len(in) {
	case 0:
		return none
	case 1:
		return in[0]
	}
	return c.call(kernel.Sum{X: x, Terms: len(in)}, in, x.Bytes())[0]
}

// orZero is v, or zeros.
func (c *curve) orZero(x kernel.Act, v value) value {
	if v == none {
		return c.call(kernel.ZeroFill{X: x}, nil, x.Bytes())[0]
	}
	return v
}

func (c *curve) forward(i int) error {
	nd := &c.net.Nodes[i]
	if nd.Op == net.Input || nd.Op == net.Zero {
		return nil
	}
	y := c.act(i)
	a := nd.In[0]
	x, t := c.act(a), c.tangent[a]
	one := func(op kernel.Op, in ...value) { c.tangent[i] = c.call(op, in, y.Bytes())[0] }
	switch nd.Op {
	case net.Conv, net.Linear:
		if t == none && !nd.Bias {
			c.tangent[i] = c.written(i)
			return nil
		}
		moved := c.sum(x, t, c.written(a))
		if nd.Op == net.Conv {
			one(kernel.Conv{X: x, Window: window(nd)}, moved, c.weights[i])
		} else {
			one(kernel.Linear{X: x, Out: nd.Out}, moved, c.weights[i])
		}
		return nil
	case net.Add:
		terms := make([]value, len(nd.In))
		for k, j := range nd.In {
			terms[k] = c.tangent[j]
		}
		c.tangent[i] = c.sum(y, terms...)
		return nil
	case net.Concat:
		some := false
		for _, j := range nd.In {
			some = some || c.tangent[j] != none
		}
		if !some {
			return nil
		}
		op := kernel.Concat{X: x}
		in := make([]value, len(nd.In))
		for k, j := range nd.In {
			op.Channels[k] = c.net.Nodes[j].Shape.C
			in[k] = c.orZero(c.act(j), c.tangent[j])
		}
		one(op, in...)
		return nil
	}
	if t == none {
		return nil
	}
	switch nd.Op {
	case net.BatchNorm: // its derivative by its input is symmetric
		one(kernel.BatchNormGrad{X: x}, t, c.norm[i].x, c.norm[i].stats)
	case net.ReLU:
		one(kernel.Sum{X: x, Masked: [3]int{1}}, c.output[i], t)
	case net.AvgPool:
		one(kernel.AvgPooling{X: x, Kernel: nd.Kernel, Stride: nd.Stride, Pad: nd.Pad, CountPad: nd.CountPad}, t)
	case net.MaxPool:
		one(kernel.MaxPoolingTangent{MaxPooling: kernel.MaxPooling{X: x, Kernel: nd.Kernel, Stride: nd.Stride, Pad: nd.Pad}}, c.output[a], t)
	case net.GlobalAvgPool:
		one(kernel.GlobalPooling{X: x}, t)
	case net.Slice:
		one(kernel.Channels{X: x, From: nd.From, To: nd.To}, t)
	case net.Shift:
		one(kernel.Translate{X: x}, t)
	case net.Scale:
		one(kernel.Scaling{X: x, Factor: nd.Factor}, t)
	default:
		return fmt.Errorf("tape: %s: node %d: no second derivative of operation %s", c.net.Name, i, nd.Op)
	}
	return nil
}

func (c *curve) backward(i int) {
	nd := &c.net.Nodes[i]
	y := c.act(i)
	var vs, ts []value
	for _, d := range c.grads[i] {
		vs, ts = append(vs, d.v), append(ts, d.t)
	}
	g := dual{c.sum(y, vs...), c.sum(y, ts...)}
	a := nd.In[0]
	x := c.act(a)
	// both sends a linear function of the gradient, whose derivative is the same function of the gradient's.
	both := func(j int, f func(v value) value) {
		if !c.needs[j] {
			return
		}
		d := dual{f(g.v), none}
		if g.t != none {
			d.t = f(g.t)
		}
		c.send(j, d)
	}
	linear := func(op kernel.Op, in ...value) {
		both(a, func(v value) value { return c.call(op, append([]value{v}, in...), x.Bytes())[0] })
	}
	switch nd.Op {
	case net.Conv, net.Linear:
		var weightGrad, inputGrad kernel.Op = kernel.LinearWeightGrad{X: x, Out: nd.Out, Raw: true}, kernel.LinearInputGrad{X: x, Out: nd.Out}
		if nd.Op == net.Conv {
			weightGrad, inputGrad = kernel.ConvWeightGrad{X: x, Window: window(nd), Raw: true}, kernel.ConvInputGrad{X: x, Window: window(nd)}
		}
		c.curvatureOf(i, weightGrad, g)
		if c.needs[a] {
			v := c.call(inputGrad, []value{g.v, c.weights[i]}, x.Bytes())[0]
			t := v
			if g.t != none {
				t = c.call(inputGrad, []value{c.sum(y, g.v, g.t), c.weights[i]}, x.Bytes())[0]
			}
			c.send(a, dual{v, t})
		}
	case net.BatchNorm:
		z, stats := c.norm[i].x, c.norm[i].stats
		d := dual{v: c.call(kernel.BatchNormGrad{X: x}, []value{g.v, z, stats}, x.Bytes())[0]}
		d.t = c.call(kernel.BatchNormTangent{X: x}, []value{g.v, z, stats, c.orZero(x, g.t), c.orZero(x, c.tangent[a])}, x.Bytes())[0]
		c.send(a, d)
	case net.ReLU:
		both(a, func(v value) value {
			return c.call(kernel.Sum{X: x, Masked: [3]int{1}}, []value{c.output[i], v}, x.Bytes())[0]
		})
	case net.AvgPool:
		linear(kernel.AvgPoolingGrad{AvgPooling: kernel.AvgPooling{X: x, Kernel: nd.Kernel, Stride: nd.Stride, Pad: nd.Pad, CountPad: nd.CountPad}})
	case net.MaxPool:
		op := kernel.MaxPoolingGrad{MaxPooling: kernel.MaxPooling{X: x, Kernel: nd.Kernel, Stride: nd.Stride, Pad: nd.Pad}}
		both(a, func(v value) value { return c.call(op, []value{c.output[a], v}, x.Bytes())[0] })
	case net.GlobalAvgPool:
		linear(kernel.GlobalPoolingGrad{X: x})
	case net.Slice:
		linear(kernel.ChannelsGrad{X: x, From: nd.From, To: nd.To})
	case net.Shift:
		linear(kernel.Translate{X: x, Back: true})
	case net.Scale:
		linear(kernel.Scaling{X: x, Factor: nd.Factor})
	case net.Add:
		for _, j := range nd.In {
			c.send(j, g)
		}
	case net.Concat:
		from := 0
		for _, j := range nd.In {
			to := from + c.net.Nodes[j].Shape.C
			op := kernel.Channels{X: y, From: from, To: to}
			both(j, func(v value) value { return c.call(op, []value{v}, c.act(j).Bytes())[0] })
			from = to
		}
	}
}

// curvatureOf keeps for the weight of node i the inner products of its gradient with the parts of that gradient's derivative: the gradient between the input's derivative and g, and between the input and g's derivative.
func (c *curve) curvatureOf(i int, grad kernel.Op, g dual) {
	a := c.net.Nodes[i].In[0]
	size := int(c.tensors[c.weights[i]].bytes) / c.DType.Size()
	bytes := int64(size * c.DType.Size())
	in := c.call(grad, []value{c.output[a], g.v}, bytes)
	if t := c.tangent[a]; t != none {
		in = append(in, c.call(grad, []value{t, g.v}, bytes)...)
	}
	if g.t != none {
		in = append(in, c.call(grad, []value{c.output[a], g.t}, bytes)...)
	}
	if len(in) == 1 {
		return
	}
	v := c.call(kernel.GradGram{DType: c.DType, Size: size, N: len(in)}, in, int64(8*len(in)*len(in)))
	c.curved = append(c.curved, square{len(in), v[0]})
}
