package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	gomlx "github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/metric"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/gomlx/gomlx/ml/train/optimizer/cosineschedule"

	"github.com/zeroshotnas/zeroshot/zico/backend"
)

// ErrDiverged is wrapped by the error of Run for a loss that is NaN or infinite.
var ErrDiverged = errors.New("the training has diverged")

// Step is what there is to say of a training step.
type Step struct {
	Epoch        int     `json:"epoch"` // from 1
	Step         int     `json:"step"`  // from 1, over all epochs
	Steps        int     `json:"steps"` // of the whole training
	Loss         float64 `json:"loss"`  // mean cross-entropy of the batch before the step, with smoothed labels, without weight decay
	Accuracy     float64 `json:"accuracy"`
	LearningRate float64 `json:"learning_rate"`
}

// Epoch is what there is to say of an epoch.
type Epoch struct {
	Epoch         int     `json:"epoch"`          // from 1
	TrainLoss     float64 `json:"train_loss"`     // mean of its steps
	TrainAccuracy float64 `json:"train_accuracy"` // mean of its steps
	// Images is how many images were evaluated on; without any, Loss and Accuracy are 0.
	Images   int     `json:"images"`
	Loss     float64 `json:"loss"`     // mean cross-entropy, without smoothing
	Accuracy float64 `json:"accuracy"` // share of images whose class has the largest logit
	// Time is what the epoch took, compilation in the first one included.
	Time time.Duration `json:"time_ns"`
}

// History is the course of a training.
type History struct {
	Params int64   `json:"params"` // trainable values
	Train  int     `json:"train"`  // images trained on
	Steps  []Step  `json:"steps"`
	Epochs []Epoch `json:"epochs"`
}

// Run trains a network. The same configuration gives the same numbers on a machine, whatever else runs there.
//
// The history so far comes with every error after the first step. Errors: a Config that cannot be followed, images that cannot be read, a model that cannot be built (the panics of graph building are returned), ErrDiverged, ctx's when it ends (after the step that is running; compilation is not interrupted), and failures of the device.
func Run(ctx context.Context, be *backend.Backend, cfg Config) (h *History, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("train: building the model: %v", r)
		}
	}()
	if be == nil {
		return nil, errors.New(`train: Run needs an open backend (backend.Open(""))`)
	}
	c, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	size := c.Network.Input.H
	data, err := load(ctx, c.Data, c.Images, size, c.Seed)
	if err != nil {
		return nil, err
	}
	data, held := data.split(c.HeldOut)
	if c.Eval != nil {
		if held, err = load(ctx, c.Eval, c.Eval.Len(), size, c.Seed); err != nil {
			return nil, err
		}
	}
	r, err := newRunner(be, c)
	if err != nil {
		return nil, err
	}
	h = &History{Train: data.n}
	for epoch := range c.Epochs {
		if err = r.epoch(ctx, h, epoch+1, data, held); err != nil {
			break
		}
	}
	// Not deferred: after a panic GoMLX holds a lock that closing would wait for.
	r.close()
	return h, err
}

// runner holds what Run has compiled.
type runner struct {
	resolved
	trainer *gomlx.Trainer
	eval    *model.Exec
}

func newRunner(be *backend.Backend, c resolved) (*runner, error) {
	r := &runner{resolved: c}
	if err := c.Store.DeleteVariablesInScope("/" + optimizer.Scope); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	c.Store.RootScope().SetParam(optimizer.ParamLearningRate, c.LearningRate)
	classes := c.Network.Classes
	modelFn := func(scope *model.Scope, x *Node) *Node {
		logits := c.Model(scope.At("model"), x)
		if s := logits.Shape(); s.Rank() != 2 || s.Dimensions[1] != classes {
			panic(fmt.Errorf("the model returns %s; logits are [images, %d]", s, classes))
		}
		cosineschedule.New(scope, x.Graph(), c.dtype).PeriodSteps(c.steps - c.WarmUp).WarmUpSteps(c.WarmUp).LearningRate(c.LearningRate).Done()
		return logits
	}
	lossFn := func(labels, predictions []*Node) *Node {
		target := OneHot(Squeeze(labels[0], -1), classes, c.dtype)
		target = AddScalar(MulScalar(target, 1-c.Smoothing), c.Smoothing/float64(classes))
		return loss.CategoricalCrossEntropyLogits([]*Node{target}, predictions)
	}
	accuracy := metric.NewBaseMetric("accuracy", "accuracy", metric.AccuracyMetricType, metric.SparseCategoricalAccuracyGraph, nil)
	r.trainer = gomlx.NewTrainer(be.Backend, c.Store, modelFn, lossFn, c.Optimizer, []metric.Interface{accuracy}, nil)
	var err error
	r.eval, err = model.NewExec(be.Backend, c.Store, func(scope *model.Scope, x, labels *Node) (losses, right *Node) {
		scope.Store().SetTraining(x.Graph(), false)
		logits := c.Model(scope.At("model"), x)
		labels = Squeeze(labels, -1)
		losses = Neg(ReduceSum(Mul(OneHot(labels, classes, c.dtype), LogSoftmax(logits)), -1))
		return losses, ConvertDType(Equal(ArgMax(logits, -1, labels.DType()), labels), c.dtype)
	})
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return r, nil
}

func (r *runner) close() {
	r.trainer.ResetComputationGraphs()
	r.eval.Finalize()
}

// epoch trains on all images once, in a new order, and evaluates.
func (r *runner) epoch(ctx context.Context, h *History, epoch int, data, held *set) error {
	start := time.Now()
	// Every epoch has its own generator, so that its batches can be made while the last one's are trained on.
	rng := rand.New(rand.NewPCG(r.Seed, uint64(epoch)))
	order := rng.Perm(data.n)
	if r.Plain {
		rng = nil
	}
	type made struct{ pixels, labels *tensors.Tensor }
	ahead := make(chan made, 1)
	done := make(chan struct{})
	steps := data.n / r.Batch
	go func() {
		defer close(ahead)
		for k := range steps {
			x, l := data.batch(order[k*r.Batch:(k+1)*r.Batch], r.dtype, rng)
			select {
			case ahead <- made{x, l}:
			case <-done:
				_, _ = x.FinalizeAll(), l.FinalizeAll()
				return
			}
		}
	}()
	defer func() {
		close(done)
		for b := range ahead {
			_, _ = b.pixels.FinalizeAll(), b.labels.FinalizeAll()
		}
	}()
	e := Epoch{Epoch: epoch, Images: held.n}
	for b := range ahead {
		if err := ctx.Err(); err != nil {
			_, _ = b.pixels.FinalizeAll(), b.labels.FinalizeAll()
			return err
		}
		s := Step{Epoch: epoch, Step: len(h.Steps) + 1, Steps: r.steps}
		if err := r.step(&s, b.pixels, b.labels); err != nil {
			return err
		}
		if len(h.Steps) == 0 {
			h.Params = parameters(r.Store)
		}
		h.Steps = append(h.Steps, s)
		e.TrainLoss += s.Loss / float64(steps)
		e.TrainAccuracy += s.Accuracy / float64(steps)
		if r.Progress != nil {
			r.Progress(s)
		}
		if s.Loss-s.Loss != 0 {
			return fmt.Errorf("train: the loss is %v at step %d, learning rate %g: take a smaller Config.LearningRate or a longer WarmUp (%w)", s.Loss, s.Step, s.LearningRate, ErrDiverged)
		}
	}
	if err := r.evaluate(ctx, &e, held); err != nil {
		return err
	}
	e.Time = time.Since(start)
	h.Epochs = append(h.Epochs, e)
	if r.EpochDone != nil {
		r.EpochDone(e)
	}
	return nil
}

// step trains on a batch, which it takes over.
func (r *runner) step(s *Step, pixels, labels *tensors.Tensor) error {
	out, err := r.trainer.TrainStep(gomlx.Batch{Inputs: []*tensors.Tensor{pixels}, Labels: []*tensors.Tensor{labels}})
	if err != nil {
		return fmt.Errorf("train: step %d: %w", s.Step, err)
	}
	for i, m := range r.trainer.TrainMetrics() {
		switch m.ShortName() {
		case "loss":
			s.Loss = scalar(out[i])
		case "accuracy":
			s.Accuracy = scalar(out[i])
		}
	}
	for _, t := range out {
		_ = t.FinalizeAll()
	}
	rate, err := optimizer.LearningRateVar(r.Store.RootScope(), r.dtype, r.LearningRate).Value()
	if err != nil {
		return fmt.Errorf("train: step %d: %w", s.Step, err)
	}
	s.LearningRate = scalar(rate)
	return nil
}

// evaluate fills in the evaluation on all images of a set. The last batch is filled up with copies of its first image, which do not count, so that one compiled model serves all.
func (r *runner) evaluate(ctx context.Context, e *Epoch, held *set) error {
	batch := min(r.Batch, held.n)
	for from := 0; from < held.n; from += batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		pick := make([]int, batch)
		for k := range pick {
			pick[k] = from
			if from+k < held.n {
				pick[k] = from + k
			}
		}
		pixels, labels := held.batch(pick, r.dtype, nil)
		out, err := r.eval.Exec(pixels, labels)
		_, _ = pixels.FinalizeAll(), labels.FinalizeAll()
		if err != nil {
			return fmt.Errorf("train: evaluation after epoch %d: %w", e.Epoch, err)
		}
		losses, right := floats(out[0]), floats(out[1])
		for k := range min(batch, held.n-from) {
			e.Loss += losses[k] / float64(held.n)
			e.Accuracy += right[k] / float64(held.n)
		}
		_, _ = out[0].FinalizeAll(), out[1].FinalizeAll()
	}
	return nil
}

// floats is the content of a tensor of float32 or float64.
func floats(t *tensors.Tensor) []float64 {
	switch v := t.Value().(type) {
	case float32:
		return []float64{float64(v)}
	case float64:
		return []float64{v}
	case []float32:
		wide := make([]float64, len(v))
		for i, x := range v {
			wide[i] = float64(x)
		}
		return wide
	case []float64:
		return v
	}
	return []float64{math.NaN()}
}

func scalar(t *tensors.Tensor) float64 { return floats(t)[0] }
