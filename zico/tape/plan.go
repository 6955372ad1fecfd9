// Package tape runs a network forwards and backwards over the kernels of package kernel.
//
// Compile turns a net.Network into a Plan: a list of kernel calls on numbered values, with the last use of each value known. Nothing about a plan depends on weights or images, so it also gives, before anything runs, the operations to compile and the memory needed. Run executes a plan: weights are drawn when they are first needed, a value is freed after its last use, and all that leaves the device is a loss for each batch and a few numbers for each layer.
package tape

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
)

// value numbers a tensor of a plan; none stands for no tensor.
type value int

const none value = -1

// kind says where a value comes from.
type kind uint8

const (
	computed kind = iota // an output of a step
	pixels               // the images
	labels               // the labels
	weight               // the weight of a node, made when first used
	bias                 // its bias
)

// tensor describes a value.
type tensor struct {
	kind  kind
	node  int   // weight, bias: index in the network
	bytes int64 // size
	last  int   // index of the last step that uses it; its own step if none does
}

// step is one kernel call.
type step struct {
	op   kernel.Op
	in   []value
	out  []value
	part Part // what it is for
}

// gradient is what a plan leaves for a weighted layer: a statistic, or with several runs to combine the raw gradients, one for each batch.
type gradient struct {
	layer int // net.Node.Layer
	size  int // number of weights
	out   []value
}

// Plan is the execution plan of a network for a number of batches of a number of images. It is immutable and safe for concurrent use.
type Plan struct {
	net *net.Network
	Options

	tensors []tensor
	steps   []step
	loss    value
	grads   []gradient
	logits  value
	extras
}

// Objective is what a plan differentiates.
type Objective uint8

const (
	Loss       Objective = iota // the mean cross-entropy of each batch
	Outputs                     // the sum of all logits
	EachOutput                  // the sum of each image's logits, one image after the other, through the statistics of the batch
	Curvature                   // Loss, and the derivative of its gradient in the direction of the weights
	Nothing                     // forwards only
)

// Leave is what a plan leaves of the gradients of a weight.
type Leave uint8

const (
	Statistics Leave = iota // kernel.Statistic over the batches
	Raw                     // the gradients, one a batch: the batches of a score are spread over several runs
	SignSums                // kernel.SignSum over the batches
	Gram                    // kernel.GradGram over the images of EachOutput
)

// Options say what a plan is for.
type Options struct {
	DType     dtypes.DType // Float32 or Float64
	Batches   int          // batches in one run
	Images    int          // images in a batch
	Objective Objective
	Leave     Leave
	Logits    bool // keep the logits for Outcome.Logits

	// What else the run leaves, with one batch unless said otherwise.
	Products bool // Layer.Products; wants Raw
	Channels bool // Outcome.Channels
	Signs    bool // Outcome.Agreements
	Jacobian bool // Outcome.Jacobian
	Features bool // Outcome.Distances and Outcome.Variances, of two batches
}

// Compile plans a network. The network must be valid (net.Builder gives only such); branches that cannot matter should be pruned before.
// It fails on operations that have no kernel, naming the node.
func Compile(n *net.Network, o Options) (*Plan, error) {
	if o.DType != dtypes.Float32 && o.DType != dtypes.Float64 {
		return nil, fmt.Errorf("tape: %s: no kernels for type %s; use float32 or float64", n.Name, o.DType)
	}
	if o.Batches < 1 || o.Images < 1 {
		return nil, fmt.Errorf("tape: %s: %d batches of %d images; both must be at least 1", n.Name, o.Batches, o.Images)
	}
	p := &planner{Plan: Plan{net: n, Options: o, loss: none, logits: none, extras: noExtras}}
	p.output = make([]value, len(n.Nodes))
	p.norm = make([]normalized, len(n.Nodes))
	p.weights = make([]value, len(n.Nodes))
	for i := range n.Nodes {
		p.output[i], p.norm[i], p.weights[i] = none, unnormalized, none
	}
	p.rectified = map[value]normalized{}
	p.incoming = make([][]contribution, len(n.Nodes))
	p.consumers = make([][]int, len(n.Nodes))
	for i := range n.Nodes {
		for _, j := range n.Nodes[i].In {
			p.consumers[j] = append(p.consumers[j], i)
		}
	}
	for i := range n.Nodes {
		if err := p.forward(i); err != nil {
			return nil, err
		}
	}
	if o.Features {
		if err := p.features(); err != nil {
			return nil, err
		}
	}
	if o.Logits {
		p.logits = p.written(n.Output)
	}
	if err := p.differentiate(); err != nil {
		return nil, err
	}
	p.lifetimes()
	return &p.Plan, nil
}

// differentiate plans the sweeps backwards that the objective needs.
func (p *planner) differentiate() error {
	out := p.act(p.net.Output)
	if p.Jacobian {
		// Before the loss: it needs every activation for the shortest time.
		p.part = ForJacobian
		p.sweep(p.seed(0, out.Batches*out.Images), false, true)
		p.part = ForAll
	}
	switch p.Objective {
	case Loss:
		p.sweep(p.lossStep(), true, false)
	case Outputs:
		p.sweep(p.seed(0, out.Batches*out.Images), true, false)
	case EachOutput:
		for k := range out.Batches * out.Images {
			p.sweep(p.seed(k, k+1), true, false)
		}
		p.gram()
	case Curvature:
		return p.curvature()
	}
	return nil
}

// seed is the gradient of a sum of logits: ones for the images from from to to.
func (p *planner) seed(from, to int) value {
	out := p.act(p.net.Output)
	return p.call(kernel.Seed{X: out, From: from, To: to}, nil, out.Bytes())[0]
}

// needsGradient tells for each node whether a gradient has to reach it: one does where any weight lies before it or in it, if weights, and where it depends on the input, if input. Gradients nobody asked for are not computed.
func needsGradient(n *net.Network, weights, input bool) []bool {
	needs := make([]bool, len(n.Nodes))
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		needs[i] = weights && nd.Op.HasWeights() || input && nd.Op == net.Input
		for _, j := range nd.In {
			needs[i] = needs[i] || needs[j]
		}
		if nd.Op == net.Zero {
			needs[i] = false
		}
	}
	return needs
}

// normalized is the output of a batch norm that has not been written: an activation and the stats to normalise it with.
type normalized struct {
	x, stats value
}

var unnormalized = normalized{none, none}

// planner holds what is needed only while a plan is made. Per node of the network: its output (none where it is only in norm, or where nobody reads it), its weight, the nodes that read it, and the gradients that have come in from those.
type planner struct {
	Plan
	output, weights []value
	norm            []normalized
	rectified       map[value]normalized // outputs of rectifiers that read a batch norm directly
	consumers       [][]int
	incoming        [][]contribution
	needs           []bool
	weighted        bool // the gradients of weights are wanted
	part            Part // of the steps being planned
}

func (p *planner) act(i int) kernel.Act {
	s := p.net.Nodes[i].Shape
	return kernel.Act{DType: p.DType, Batches: p.Batches, Images: p.Images, H: s.H, W: s.W, C: s.C}
}

func (p *planner) tensor(k kind, node int, bytes int64) value {
	p.tensors = append(p.tensors, tensor{kind: k, node: node, bytes: bytes})
	return value(len(p.tensors) - 1)
}

// call adds a step whose outputs have the given sizes in bytes.
func (p *planner) call(op kernel.Op, in []value, sizes ...int64) []value {
	out := make([]value, len(sizes))
	for i, s := range sizes {
		out[i] = p.tensor(computed, 0, s)
	}
	p.steps = append(p.steps, step{op: op, in: in, out: out, part: p.part})
	return out
}

func window(nd *net.Node) kernel.Window {
	return kernel.Window{Kernel: nd.Kernel, Stride: nd.Stride, Pad: nd.Pad, Groups: nd.Groups, Out: nd.Out, Dilation: nd.Dilation}
}

func (p *planner) forward(i int) error {
	nd := &p.net.Nodes[i]
	y := p.act(i)
	switch nd.Op {
	case net.Input:
		p.output[i] = p.tensor(pixels, i, y.Bytes())
		return nil
	case net.Add, net.ReLU:
		p.merge(i)
		return nil
	}
	x := p.act(nd.In[0])
	in := make([]value, 0, len(nd.In)+2)
	for _, j := range nd.In {
		in = append(in, p.written(j))
	}
	if nd.Op.HasWeights() {
		size := int64(p.DType.Size())
		dims, fanIn := p.net.WeightShape(i)
		p.weights[i] = p.tensor(weight, i, size*int64(dims[0])*int64(fanIn))
		in = append(in, p.weights[i])
		if nd.Bias {
			in = append(in, p.tensor(bias, i, size*int64(nd.Out)))
		}
	}
	var op kernel.Op
	switch nd.Op {
	case net.Conv:
		conv := kernel.Conv{X: x, Window: window(nd), Bias: nd.Bias}
		op = conv
		if next := p.consumers[i]; !nd.Bias && len(next) == 1 && p.net.Nodes[next[0]].Op == net.BatchNorm {
			out := p.call(kernel.ConvMoments{Conv: conv, Eps: p.net.Nodes[next[0]].Eps}, in, y.Bytes(), y.StatsBytes())
			p.output[i], p.norm[next[0]] = out[0], normalized{out[0], out[1]}
			p.normalize(next[0])
			return nil
		}
	case net.BatchNorm:
		if p.norm[i] != unnormalized {
			return nil // the convolution before it has left its moments
		}
		p.norm[i] = normalized{in[0], p.call(kernel.Moments{X: x, Eps: nd.Eps}, in, x.StatsBytes())[0]}
		p.normalize(i)
		return nil
	case net.AvgPool:
		op = kernel.AvgPooling{X: x, Kernel: nd.Kernel, Stride: nd.Stride, Pad: nd.Pad, CountPad: nd.CountPad}
	case net.MaxPool:
		op = kernel.MaxPooling{X: x, Kernel: nd.Kernel, Stride: nd.Stride, Pad: nd.Pad}
	case net.GlobalAvgPool:
		op = kernel.GlobalPooling{X: x}
	case net.Linear:
		op = kernel.Linear{X: x, Out: nd.Out, Bias: nd.Bias}
	case net.Concat:
		c := kernel.Concat{X: x}
		if len(in) > len(c.Channels) {
			return fmt.Errorf("tape: %s: node %d joins %d inputs; at most %d are supported", p.net.Name, i, len(in), len(c.Channels))
		}
		for k, j := range nd.In {
			c.Channels[k] = p.net.Nodes[j].Shape.C
		}
		op = c
	case net.Slice:
		op = kernel.Channels{X: x, From: nd.From, To: nd.To}
	case net.Shift:
		op = kernel.Translate{X: x}
	case net.Sigmoid:
		op = kernel.SigmoidForward{X: x}
	case net.Gate:
		op = kernel.Gate{X: x}
	case net.Scale:
		op = kernel.Scaling{X: x, Factor: nd.Factor}
	case net.Zero:
		op, in = kernel.ZeroFill{X: y}, nil
	default:
		return fmt.Errorf("tape: %s: node %d: no kernel for operation %s", p.net.Name, i, nd.Op)
	}
	p.output[i] = p.call(op, in, y.Bytes())[0]
	return nil
}

// written returns the output of node i, which a batch norm has to write for it.
func (p *planner) written(i int) value {
	if p.output[i] == none && p.norm[i] != unnormalized {
		p.output[i] = p.add([]int{i}, true, false)[0]
	}
	return p.output[i]
}

// add adds up the outputs of nodes of one shape, normalising on the way those that are not written, and returns the sum, its positive part, or both.
func (p *planner) add(nodes []int, sum, relu bool) []value {
	op := kernel.Merge{X: p.act(nodes[0]), Sum: sum, ReLU: relu}
	var in, pairs []value
	for _, j := range nodes {
		if p.output[j] == none {
			op.Normalized++
			pairs = append(pairs, p.norm[j].x, p.norm[j].stats)
		} else {
			op.Terms++
			in = append(in, p.output[j])
		}
	}
	sizes := make([]int64, 0, 2)
	for _, wanted := range []bool{sum, relu} {
		if wanted {
			sizes = append(sizes, op.X.Bytes())
		}
	}
	return p.call(op, append(in, pairs...), sizes...)
}

// merge plans an addition or a rectifier. All rectifiers of one node share their output, which is made together with the sum it rectifies.
func (p *planner) merge(i int) {
	if p.output[i] != none {
		return
	}
	nd := &p.net.Nodes[i]
	if nd.Op == net.ReLU {
		j := nd.In[0]
		source := unnormalized
		if p.output[j] == none {
			source = p.norm[j]
		}
		p.setRectified(j, p.add([]int{j}, false, true)[0], source)
		return
	}
	if len(nd.In) == 1 {
		p.output[i], p.norm[i] = p.output[nd.In[0]], p.norm[nd.In[0]]
		return
	}
	sum, relu := i == p.net.Output, false
	for _, j := range p.consumers[i] {
		if p.net.Nodes[j].Op == net.ReLU {
			relu = true
		} else {
			sum = true
		}
	}
	sum = sum || !relu
	out := p.add(nd.In, sum, relu)
	if sum {
		p.output[i] = out[0]
	}
	if relu {
		p.setRectified(i, out[len(out)-1], unnormalized)
	}
}

// setRectified hands the positive part of node j's output to the rectifiers that read it.
func (p *planner) setRectified(j int, out value, source normalized) {
	readers := 0
	for _, k := range p.consumers[j] {
		if p.net.Nodes[k].Op == net.ReLU {
			p.output[k] = out
			readers++
		}
	}
	if source != unnormalized {
		p.rectified[out] = source
	}
	p.sign(j, out, readers)
}

// lossStep plans the loss and returns its gradient by the logits.
func (p *planner) lossStep() value {
	out := p.act(p.net.Output)
	lab := p.tensor(labels, 0, int64(p.Batches*p.Images)*4)
	v := p.call(kernel.CrossEntropy{X: out}, []value{p.written(p.net.Output), lab}, int64(p.Batches)*int64(p.DType.Size()), out.Bytes())
	p.loss = v[0]
	return v[1]
}

// lifetimes finds the last use of every value. Values that are results stay to the end.
func (p *planner) lifetimes() {
	for s := range p.steps {
		for _, v := range p.steps[s].out {
			p.tensors[v].last = s
		}
		for _, v := range p.steps[s].in {
			p.tensors[v].last = s
		}
	}
	keep := func(v value) {
		if v != none {
			p.tensors[v].last = len(p.steps)
		}
	}
	for _, v := range p.results() {
		keep(v)
	}
}

// Ops lists the operations of the plan, each once, in the order of their first use: what has to be compiled.
func (p *Plan) Ops() []kernel.Op {
	seen := map[kernel.Op]bool{}
	var ops []kernel.Op
	for _, s := range p.steps {
		if !seen[s.op] {
			seen[s.op] = true
			ops = append(ops, s.op)
		}
	}
	return ops
}

// Steps is the number of kernel calls of a run.
func (p *Plan) Steps() int { return len(p.steps) }
