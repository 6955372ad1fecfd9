package train_test

import (
	"context"
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	_ "github.com/zeroshotnas/zeroshot/spaces/plain"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/train"
)

var be *backend.Backend

func TestMain(m *testing.M) {
	var err error
	if be, err = backend.Open(""); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func network(t testing.TB, space, arch string, size, classes int) *net.Network {
	t.Helper()
	s, err := spaces.Open(space)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Parse(arch)
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Network(a, spaces.Input{Size: size, Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func source(t testing.TB, spec string) images.Source {
	t.Helper()
	s, err := images.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// small trains a small network on the embedded photographs.
func small(t testing.TB) train.Config {
	return train.Config{Network: network(t, "plain", "3x8s2,3x16s2,3x32s2", 32, 10), Data: source(t, "embedded"), Batch: 32, Epochs: 8, Smoothing: 0.1, Seed: 1}
}

// TestLossFalls trains twice: the loss falls, images held out are recognised, and both times give the same numbers.
func TestLossFalls(t *testing.T) {
	cfg := small(t)
	var told []train.Step
	cfg.Progress = func(s train.Step) { told = append(told, s) }
	h, err := train.Run(t.Context(), be, cfg)
	if err != nil {
		t.Fatal(err)
	}
	first, last := h.Epochs[0], h.Epochs[len(h.Epochs)-1]
	t.Logf("loss %.3f to %.3f, held out %.3f to %.3f with accuracy %.2f", first.TrainLoss, last.TrainLoss, first.Loss, last.Loss, last.Accuracy)
	if last.TrainLoss > first.TrainLoss-0.5 || last.Loss > first.Loss-0.5 || last.Accuracy < 0.5 {
		t.Errorf("from %+v to %+v", first, last)
	}
	if steps := 8 * 18; len(h.Steps) != steps || h.Steps[steps-1].Step != steps || h.Steps[0].Steps != steps || h.Steps[steps-1].Epoch != 8 || h.Train != 576 || first.Images != 64 {
		t.Errorf("%d steps on %d images, held out %d; the last: %+v", len(h.Steps), h.Train, first.Images, h.Steps[len(h.Steps)-1])
	}
	if h.Params != net.Params(cfg.Network) {
		t.Errorf("%d parameters, the network has %d", h.Params, net.Params(cfg.Network))
	}
	if !reflect.DeepEqual(told, h.Steps) {
		t.Error("Progress was told of other steps than the history has")
	}
	// 7 steps of warm-up to 0.1*32/256, then half a cosine.
	for _, c := range []struct {
		step int
		want float64
	}{{0, 0}, {7, 0.0125}, {7 + 137/2, 0.0125 * (1 + math.Cos(math.Pi*68/137)) / 2}, {143, 0.0125 * (1 + math.Cos(math.Pi*136/137)) / 2}} {
		if got := h.Steps[c.step].LearningRate; math.Abs(got-c.want) > 1e-7 {
			t.Errorf("step %d has learning rate %g, want %g", c.step+1, got, c.want)
		}
	}

	again, err := train.Run(t.Context(), be, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(h.Steps, again.Steps) {
		t.Error("a second training with the same seed has other losses")
	}
	cfg.Seed, cfg.Epochs = 2, 1
	if other, err := train.Run(t.Context(), be, cfg); err != nil || other.Steps[0].Loss == h.Steps[0].Loss {
		t.Errorf("another seed gives the same first loss, or %v", err)
	}
}

// TestCell trains a cell network, on images of another kind to evaluate on, in float64 and without what is random.
func TestCell(t *testing.T) {
	n := network(t, "natstss:C=4,N=1", "1462", 16, 10)
	store := model.NewStore()
	cfg := train.Config{Network: n, Store: store, Data: source(t, "embedded"), Images: 96, Eval: source(t, "embedded"), Batch: 32, Epochs: 2, Plain: true, DType: "float64", WarmUp: -1}
	h, err := train.Run(t.Context(), be, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if h.Train != 96 || h.Epochs[1].Images != 640 || h.Steps[0].LearningRate != 0.0125 {
		t.Errorf("trained on %d images, evaluated on %d, learning rate %g at first", h.Train, h.Epochs[1].Images, h.Steps[0].LearningRate)
	}
	if h.Params != net.Params(n) {
		t.Errorf("%d parameters, the network has %d: dead layers are part of it", h.Params, net.Params(n))
	}
	// A trained store goes on from its weights.
	cfg.Epochs = 1
	more, err := train.Run(t.Context(), be, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if more.Epochs[0].TrainLoss > h.Epochs[0].TrainLoss {
		t.Errorf("trained on, the loss is %g; the first epoch had %g", more.Epochs[0].TrainLoss, h.Epochs[0].TrainLoss)
	}
}

// TestRunningStatistics checks batch norms by hand: what a step of training leaves, and that evaluation uses nothing else.
func TestRunningStatistics(t *testing.T) {
	b := net.NewBuilder("norm", net.Shape{C: 1, H: 1, W: 2})
	x := b.BatchNorm("norm", 0, 0.5)
	b.SetMomentum(x, 0.25)
	n, err := b.Network(b.Add(net.Node{Op: net.GlobalAvgPool, In: []int{x}}))
	if err != nil {
		t.Fatal(err)
	}
	store := model.NewStore()
	run := func(training bool, x []float64) []float64 {
		exec, err := model.NewExec(be.Backend, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
			store.SetTraining(x.Graph(), training)
			return train.Model(n, 1)(scope, x)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		out, err := exec.Exec(tensors.FromFlatDataAndDimensions(x, len(x)/2, 1, 2, 1))
		if err != nil {
			t.Fatal(err)
		}
		var flat []float64
		for _, row := range out[0].Value().([][]float64) {
			flat = append(flat, row...)
		}
		return flat
	}
	near := func(what string, got []float64, want ...float64) {
		t.Helper()
		if !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	batch := []float64{1, 3, 5, 7} // mean 4, variance 5, unbiased 20/3
	near("evaluation before training", run(false, batch), 2/math.Sqrt(1.5), 6/math.Sqrt(1.5))
	near("training", run(true, batch), -2/math.Sqrt(5.5), 2/math.Sqrt(5.5))
	value := func(name string) []float64 {
		v, err := store.GetVariable("/0001_norm/" + name).Value()
		if err != nil {
			t.Fatal(err)
		}
		return v.Value().([]float64)
	}
	mean, variance := 0.25*4, 0.75+0.25*20/3
	near("running mean", value("mean"), mean)
	near("running variance", value("variance"), variance)
	for range 2 { // evaluation moves nothing
		near("evaluation", run(false, []float64{10, 10}), (10-mean)/math.Sqrt(variance+0.5))
	}
	for name, v := range map[string]float64{"scale": 3, "offset": -1} {
		if err := store.GetVariable("/0001_norm/" + name).SetValue(tensors.FromFlatDataAndDimensions([]float64{v}, 1)); err != nil {
			t.Fatal(err)
		}
	}
	near("scale and offset in evaluation", run(false, []float64{10, 10}), 3*(10-mean)/math.Sqrt(variance+0.5)-1)
	near("scale and offset in training", run(true, batch), -6/math.Sqrt(5.5)-1, 6/math.Sqrt(5.5)-1)
}

// TestSGD follows a weight and a bias over three steps by hand. Their gradients are the values themselves.
func TestSGD(t *testing.T) {
	for _, s := range []train.SGD{{}, {Momentum: 0.9}, {Momentum: 0.9, Nesterov: true, WeightDecay: 0.5}} {
		store := model.NewStore()
		store.RootScope().SetParam(optimizer.ParamLearningRate, 0.1)
		exec, err := model.NewExec(be.Backend, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
			w := scope.VariableWithValue("w", [][]float64{{2}}).NodeValue(x)
			b := scope.VariableWithValue("b", []float64{2}).NodeValue(x)
			loss := graph.MulScalar(graph.Add(graph.ReduceAllSum(graph.Square(w)), graph.ReduceAllSum(graph.Square(b))), 0.5)
			s.UpdateGraph(scope, x.Graph(), loss)
			return loss
		})
		if err != nil {
			t.Fatal(err)
		}
		values := func() (w, b float64) {
			return store.GetVariable("/w").MustValue().Value().([][]float64)[0][0], store.GetVariable("/b").MustValue().Value().([]float64)[0]
		}
		follow := func(v, velocity *float64, decay float64) {
			g := *v + decay**v
			*velocity = s.Momentum**velocity + g
			step := *velocity
			if s.Nesterov {
				step = g + s.Momentum**velocity
			}
			*v -= 0.1 * step
		}
		w, b, vw, vb := 2.0, 2.0, 0.0, 0.0
		for range 3 {
			if _, err := exec.Exec(0.0); err != nil {
				t.Fatal(err)
			}
			follow(&w, &vw, s.WeightDecay)
			follow(&b, &vb, 0)
			if gw, gb := values(); math.Abs(gw-w) > 1e-12 || math.Abs(gb-b) > 1e-12 {
				t.Errorf("%+v: weight %g and bias %g, want %g and %g", s, gw, gb, w, b)
			}
		}
		if err := s.Clear(store.RootScope()); err != nil {
			t.Error(err)
		}
		if store.GetVariable("/optimizers/sgd/w") != nil {
			t.Error("Clear leaves a velocity")
		}
		exec.Finalize()
	}
}

// TestStopped ends a training from outside, before and after its third step.
func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := small(t)
	cfg.Progress = func(s train.Step) {
		if s.Step == 3 {
			cancel()
		}
	}
	h, err := train.Run(ctx, be, cfg)
	if !errors.Is(err, context.Canceled) || len(h.Steps) != 3 || len(h.Epochs) != 0 {
		t.Errorf("stopped with %v and %+v", err, h)
	}
	if _, err := train.Run(ctx, be, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context gives %v", err)
	}
}

// TestDiverged takes a learning rate at which weights overflow.
func TestDiverged(t *testing.T) {
	cfg := small(t)
	cfg.LearningRate, cfg.WarmUp = 1e30, -1
	h, err := train.Run(t.Context(), be, cfg)
	if !errors.Is(err, train.ErrDiverged) || len(h.Steps) == 0 || !strings.Contains(err.Error(), "LearningRate") {
		t.Errorf("a learning rate of 1e30 gives %v", err)
	}
}

// TestBadConfigs checks what each error says.
func TestBadConfigs(t *testing.T) {
	s := natstss.Space{C: 4, N: 1}
	rect := *network(t, "plain", "3x8s2", 32, 10)
	rect.Input.W = 16
	rect.Nodes = slices.Clone(rect.Nodes)
	for _, c := range []struct {
		change func(*train.Config)
		want   string
	}{
		{func(c *train.Config) { c.Network = nil }, "Config.Network is missing"},
		{func(c *train.Config) { c.Data = nil }, "Config.Data is missing"},
		{func(c *train.Config) { c.Network = &net.Network{} }, "node 0 must be the input"},
		{func(c *train.Config) { c.Network = &rect }, "square"},
		{func(c *train.Config) { c.Network = network(t, s.Name(), "1", 32, 7) }, "has 10 classes, the network 7"},
		{func(c *train.Config) { c.Network = network(t, "plain", "3x8s2", 300, 10) }, "up to 288 pixels"},
		{func(c *train.Config) { c.Eval = source(t, "noise") }, "has no end"},
		{func(c *train.Config) { c.DType = "float16" }, `"float16"`},
		{func(c *train.Config) { c.Images = 641 }, "Config.Images is 641"},
		{func(c *train.Config) { c.Images = -1 }, "Config.Images is -1"},
		{func(c *train.Config) { c.HeldOut = 639 }, "at least 2"},
		{func(c *train.Config) { c.Batch = 600 }, "there are 576 images to train on (64 of 640"},
		{func(c *train.Config) { c.Epochs = -1 }, "Config.Epochs is -1"},
		{func(c *train.Config) { c.LearningRate = math.NaN() }, "LearningRate is NaN"},
		{func(c *train.Config) { c.LearningRate = -1 }, "LearningRate is -1"},
		{func(c *train.Config) { c.Momentum = 1 }, "Momentum is 1"},
		{func(c *train.Config) { c.Smoothing = 1 }, "Smoothing is 1"},
		{func(c *train.Config) { c.WarmUp = 1000 }, "Config.WarmUp is 1000"},
		{func(c *train.Config) { c.WeightDecay = math.Inf(1) }, "WeightDecay is +Inf"},
		{func(c *train.Config) { c.Model = func(_ *model.Scope, x *graph.Node) *graph.Node { return x } }, "the model returns"},
		{func(c *train.Config) { c.Model = train.Model(network(t, "plain", "3x8s2", 16, 10), 1) }, "takes images [n,16,16,3]"},
		{func(c *train.Config) { c.Model = func(*model.Scope, *graph.Node) *graph.Node { panic("mine") } }, "mine"},
	} {
		cfg := small(t)
		c.change(&cfg)
		if _, err := train.Run(t.Context(), be, cfg); err == nil || !strings.HasPrefix(err.Error(), "train: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want an error with %q, got %.300v", c.want, err)
		}
	}
	if _, err := train.Run(t.Context(), nil, small(t)); err == nil || !strings.Contains(err.Error(), "backend") {
		t.Errorf("no backend gives %v", err)
	}
}
