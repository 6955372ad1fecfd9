package zico

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/formula"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
	"github.com/zeroshotnas/zeroshot/zico/tape"
)

// ModelFn is a GoMLX model: it takes images [n, height, width, channels] and returns logits [n, classes], making its variables in scope.
type ModelFn func(scope *model.Scope, images *Node) *Node

// ModelConfig configures ScoreModel. The zero value of each field means the default in its comment.
type ModelConfig struct {
	// DType is the type of the images, "float32" (default) or "float64". Models make their variables in the type of their input.
	DType string
	// Statistic is how the gradients of a layer become a number. Default Signed.
	Statistic Statistic
	// Keep chooses the variables whose gradients count. Default: trainable variables of at least two axes, that is the weights of convolutions and linear layers but no biases and no scales, as in the reference.
	Keep func(v *model.Variable) bool
	// Reinit replaces the values of the chosen variables by the reference's initialisation, uniform in ±1/sqrt(fan-in), drawn from the formula with Seed (stream = position among the chosen variables). Default: the model's own initialisation, which a new store draws at random.
	Reinit bool
	// Seed is the seed of Reinit.
	Seed uint64
}

// ScoreModel computes the ZiCo score of any GoMLX model function, for which no net.Network exists. The model is compiled whole, which takes seconds: to score many networks describe them and use a Scorer.
//
// The model runs in training mode; variables that it does not find in store are made and initialised there. Each chosen variable is a layer of the Result, in the order in which the model made them.
// Errors: batches that are too few, unlike or hold NaN, a model that cannot be built (the panics of graph building are returned) or whose output is not [n, classes] for enough classes, no variable to look at, the context's error.
func ScoreModel(ctx context.Context, be *backend.Backend, store *model.Store, fn ModelFn, data []images.Batch, cfg ModelConfig) (res *Result, err error) {
	if fn == nil || store == nil {
		return nil, errors.New("zico: ScoreModel needs a model function and a store (model.NewStore())")
	}
	// A Scorer checks the configuration and the batches and owns the kernel of the statistic.
	s, err := New(be, Config{DType: cfg.DType, Statistic: cfg.Statistic})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	d, err := s.newDataset(data, 2)
	if err != nil {
		return nil, err
	}
	defer d.close()
	defer func() {
		if r := recover(); r != nil {
			res, err = nil, fmt.Errorf("zico: building the model: %v", r)
		}
	}()
	keep := cfg.Keep
	if keep == nil {
		keep = func(v *model.Variable) bool { return v.Trainable && v.Shape().Rank() >= 2 }
	}
	m := wholeModel{store: store, fn: fn, keep: keep, classes: data[0].Classes, dtype: s.dtype}
	start := time.Now()
	if err := m.open(be, &d.batches[0]); err != nil {
		return nil, err
	}
	defer m.exec.Finalize()
	if cfg.Reinit {
		if err := reinit(m.vars, cfg.Seed); err != nil {
			return nil, err
		}
	}
	res = &Result{Network: "model", Compile: time.Since(start)}

	start = time.Now()
	grads := make([][]*tensors.Tensor, len(m.vars)) // [variable][batch]
	defer func() {
		for _, g := range slices.Concat(grads...) {
			_ = g.FinalizeAll()
		}
	}()
	for b := range d.batches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		loss, g, err := m.run(&d.batches[b])
		if err != nil {
			return nil, err
		}
		res.Losses = append(res.Losses, loss)
		for i := range g {
			grads[i] = append(grads[i], g[i])
		}
	}
	// The layers are described as a network without nodes: fill needs their names and shapes only.
	stats := make([]layerStat, len(m.vars))
	for i, v := range m.vars {
		bufs := make([]compute.Buffer, len(grads[i]))
		for b, g := range grads[i] {
			if bufs[b], err = g.Buffer(be.Backend, 0); err != nil {
				return nil, err
			}
		}
		stat, _, err := s.combine(s.dtype, bufs, v.Shape().Size())
		if err != nil {
			return nil, err
		}
		stats[i] = layerStat{index: i, stat: stat}
		res.Layers = append(res.Layers, Layer{Index: i, Name: v.Path(), Op: "variable", Weight: v.Shape().Dimensions, Params: v.Shape().Size(), Skipped: true})
	}
	for v := range store.IterVariables() {
		if v.Trainable {
			res.Params += int64(v.Shape().Size())
		}
	}
	s.fill(res, stats)
	res.Run = time.Since(start)
	return res, nil
}

// wholeModel is a model compiled with its gradients.
type wholeModel struct {
	store   *model.Store
	fn      ModelFn
	keep    func(*model.Variable) bool
	classes int
	dtype   dtypes.DType

	exec *model.Exec
	vars []*model.Variable
}

// open compiles the model for a batch like b and finds its variables.
func (m *wholeModel) open(be *backend.Backend, b *images.Batch) error {
	var err error
	m.exec, err = model.NewExec(be.Backend, m.store, func(scope *model.Scope, x, labels *Node) []*Node {
		g := x.Graph()
		m.store.SetTraining(g, true)
		logits := m.fn(scope, x)
		if s := logits.Shape(); s.Rank() != 2 || s.Dimensions[0] != b.N || s.Dimensions[1] < m.classes {
			panic(fmt.Errorf("the model returns %v; logits are [images, classes] = [%d, %d]", s, b.N, m.classes))
		}
		act := kernel.Act{DType: m.dtype, Batches: 1, Images: b.N, H: 1, W: 1, C: logits.Shape().Dimensions[1]}
		logits = Reshape(ConvertDType(logits, m.dtype), act.Shape().Dimensions...)
		// The kernel gives the loss and its gradient; the chain rule through the model starts from their product.
		out := kernel.CrossEntropy{X: act}.Graph(be.Platform(), g, []*Node{StopGradient(logits), labels})
		m.vars = nil
		var values []*Node
		for v := range m.store.IterVariables() {
			if v.InUseByGraph(g) && m.keep(v) {
				m.vars = append(m.vars, v)
				values = append(values, v.NodeValue(g))
			}
		}
		if len(m.vars) == 0 {
			panic(errors.New("the model has no trainable variable of two or more axes to take gradients of; set ModelConfig.Keep to choose others"))
		}
		grads := Gradient(ReduceAllSum(Mul(logits, StopGradient(out[1]))), values...)
		for i := range grads {
			grads[i] = Reshape(ConvertDType(grads[i], m.dtype), -1)
		}
		return append([]*Node{out[0]}, grads...)
	})
	if err != nil {
		return fmt.Errorf("zico: %w", err)
	}
	if _, err := m.exec.Compile(shapes.Make(m.dtype, b.N, b.H, b.W, b.C), shapes.Make(dtypes.Int32, b.N)); err != nil {
		return fmt.Errorf("zico: compiling the model: %w", err)
	}
	if err := m.store.InitializeVariables(be.Backend, nil); err != nil {
		return fmt.Errorf("zico: %w", err)
	}
	return nil
}

// run returns the loss of a batch and the flat gradients of the chosen variables.
func (m *wholeModel) run(b *images.Batch) (loss float64, grads []*tensors.Tensor, err error) {
	x, err := floatTensor(m.dtype, b.Pixels, []int{b.N, b.H, b.W, b.C})
	if err != nil {
		return 0, nil, fmt.Errorf("zico: images: %w", err)
	}
	out, err := m.exec.Exec(x, tensors.FromFlatDataAndDimensions(b.Labels, b.N))
	if err != nil {
		return 0, nil, fmt.Errorf("zico: running the model: %w", err)
	}
	switch v := out[0].Value().(type) {
	case []float32:
		loss = float64(v[0])
	case []float64:
		loss = v[0]
	}
	return loss, out[1:], nil
}

// reinit draws the values of variables from the formula. GoMLX keeps the output channels last, so the fan-in is the product of the other axes.
func reinit(vars []*model.Variable, seed uint64) error {
	for i, v := range vars {
		dims := v.Shape().Dimensions
		data := make([]float32, v.Shape().Size())
		formula.FillWeights(data, seed, uint64(i), len(data)/dims[len(dims)-1])
		if err := setFloats(v, data); err != nil {
			return err
		}
	}
	return nil
}

// setFloats sets a variable from float32 values in its own layout and type.
func setFloats(v *model.Variable, data []float32) error {
	t, err := floatTensor(v.DType(), data, v.Shape().Dimensions)
	if err != nil {
		return fmt.Errorf("zico: variable %s: %w", v.Path(), err)
	}
	return v.SetValue(t)
}

func floatTensor(dtype dtypes.DType, data []float32, dims []int) (*tensors.Tensor, error) {
	switch dtype {
	case dtypes.Float32:
		return tensors.FromFlatDataAndDimensions(data, dims...), nil
	case dtypes.Float64:
		wide := make([]float64, len(data))
		for i, x := range data {
			wide[i] = float64(x)
		}
		return tensors.FromFlatDataAndDimensions(wide, dims...), nil
	}
	return nil, fmt.Errorf("type %s is not float32 or float64", dtype)
}

// NetworkModel is the GoMLX model function of a described network, with the weights that seed gives: one graph for the whole network, as ScoreModel wants it. It is how the kernels are checked; package train has the one for training.
func NetworkModel(n *net.Network, seed uint64) ModelFn {
	return func(scope *model.Scope, x *Node) *Node {
		dtype := x.DType()
		act := func(i int) kernel.Act {
			s := n.Nodes[i].Shape
			return kernel.Act{DType: dtype, Batches: 1, Images: x.Shape().Dimensions[0], H: s.H, W: s.W, C: s.C}
		}
		variable := func(i int, name string, data []float32, dims ...int) *Node {
			t, err := floatTensor(dtype, data, dims)
			if err != nil {
				panic(err)
			}
			return scope.At("%04d_%s", n.Nodes[i].Layer, model.EscapeScopeName(n.Nodes[i].Name)).VariableWithValue(name, t).NodeValue(x)
		}
		out := make([]*Node, len(n.Nodes))
		out[0] = x
		for i := 1; i < len(n.Nodes); i++ {
			nd := &n.Nodes[i]
			in := make([]*Node, len(nd.In))
			for k, j := range nd.In {
				in[k] = out[j]
			}
			if nd.Op.HasWeights() {
				data, dims := tape.Weights(n, i, tape.Draw{Seed: seed})
				in = append(in, variable(i, "weights", data, dims...))
				if nd.Bias {
					in = append(in, variable(i, "biases", tape.Biases(n, i, tape.Draw{Seed: seed}), nd.Out))
				}
			}
			out[i] = wholeGraph(nd, act(nd.In[0]), act(i), in)
		}
		return Reshape(out[n.Output], -1, n.Classes)
	}
}

// wholeGraph writes a layer with GoMLX's own operations, so that its gradients are GoMLX's.
func wholeGraph(nd *net.Node, x, y kernel.Act, in []*Node) *Node {
	pads := [][2]int{{nd.Pad, nd.Pad}, {nd.Pad, nd.Pad}}
	addBias := func(y *Node) *Node {
		if nd.Bias {
			y = Add(y, Reshape(in[2], append(slices.Repeat([]int{1}, y.Rank()-1), nd.Out)...))
		}
		return y
	}
	switch nd.Op {
	case net.Conv:
		w := in[1]
		if nd.Dilation > 1 { // GoMLX has no strided dilated convolution; a dilated weight is one with zeros between
			gap := PadAxis{Interior: nd.Dilation - 1}
			w = Pad(w, ScalarZero(w.Graph(), w.DType()), gap, gap, PadAxis{}, PadAxis{})
		}
		return addBias(Convolve(in[0], w).Strides(nd.Stride).PaddingPerDim(pads).ChannelGroupCount(nd.Groups).Done())
	case net.Linear:
		return Reshape(addBias(Dot(Reshape(in[0], -1, x.C), in[1]).Product()), -1, 1, 1, nd.Out)
	case net.BatchNorm:
		mean := meanOverBatch(in[0])
		d := Sub(in[0], mean)
		return Div(d, Sqrt(AddScalar(meanOverBatch(Mul(d, d)), nd.Eps)))
	case net.ReLU:
		return Max(in[0], ZerosLike(in[0]))
	case net.AvgPool:
		if nd.CountPad && nd.Pad > 0 {
			ones := OnesLike(StopGradient(in[0]))
			sum := MeanPool(in[0]).Window(nd.Kernel).Strides(nd.Stride).PaddingPerDim(pads).Done()
			valid := SumPool(ones).Window(nd.Kernel).Strides(nd.Stride).PaddingPerDim(pads).Done()
			return Mul(sum, MulScalar(valid, 1/float64(nd.Kernel*nd.Kernel)))
		}
		return MeanPool(in[0]).Window(nd.Kernel).Strides(nd.Stride).PaddingPerDim(pads).Done()
	case net.MaxPool:
		return MaxPool(in[0]).Window(nd.Kernel).Strides(nd.Stride).PaddingPerDim(pads).Done()
	case net.GlobalAvgPool:
		return ReduceAndKeep(ReduceAndKeep(in[0], ReduceMean, 1), ReduceMean, 2)
	case net.Add:
		total := in[0]
		for _, v := range in[1:] {
			total = Add(total, v)
		}
		return total
	case net.Concat:
		return Concatenate(in, 3)
	case net.Slice:
		return SliceAxis(in[0], 3, AxisRange(nd.From, nd.To))
	case net.Shift:
		v := in[0]
		for axis := 1; axis <= 2; axis++ {
			rest := SliceAxis(v, axis, AxisRange(1))
			edge := ZerosLike(SliceAxis(v, axis, AxisRange(0, 1)))
			v = Concatenate([]*Node{rest, edge}, axis)
		}
		return v
	case net.Sigmoid:
		return Sigmoid(in[0])
	case net.Gate:
		return Mul(in[0], in[1])
	case net.Scale:
		return MulScalar(in[0], nd.Factor)
	case net.Zero:
		return Zeros(in[0].Graph(), y.Shape())
	}
	panic(fmt.Errorf("no graph for operation %s", nd.Op))
}

func meanOverBatch(x *Node) *Node {
	for axis := range 3 {
		x = ReduceAndKeep(x, ReduceMean, axis)
	}
	return x
}
