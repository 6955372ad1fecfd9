package train

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

// Config configures Run. The zero value of each field means the default in its comment; where 0 would be a value of its own, a negative number stands for it.
type Config struct {
	// Network is what is trained.
	Network *net.Network
	// Model is the model function. Default: Model(Network, Seed).
	Model zico.ModelFn
	// Store holds the variables, before and after: a store that was trained before goes on from its weights, with a new schedule and new velocities. Default: a new one, which is lost. (GoMLX's ml/model/checkpoint saves stores.)
	Store *model.Store

	// Data are the images, at the network's size. They are normalised by the source.
	Data images.Source
	// Images is how many images of Data are taken. Default: all of them; of a source that makes as many as asked, 1280.
	Images int
	// HeldOut is how many of these are not trained on but evaluated on. Default: a tenth; negative: none.
	HeldOut int
	// Eval are other images to evaluate on, all of them; HeldOut is then none by default. Default: the images held out.
	Eval images.Source
	// Plain takes the images as they are. Default: random crops, of the image with a border of an eighth of its size in the mean colour, and random horizontal flips.
	Plain bool

	// Batch is the number of images in a batch. What is left over at the end of an epoch is not trained on in it. Default: 128, or all images where there are fewer.
	Batch int
	// Epochs is how often each image is seen. Default 10.
	Epochs int
	// LearningRate is the largest one. Default 0.1 for batches of 256 images, and in proportion.
	LearningRate float64
	// WarmUp is the number of steps in which the learning rate rises from 0 in a line, before it falls to 0 along half a cosine. Default: a twentieth of all steps; negative: none.
	WarmUp int
	// Momentum is Nesterov's. Default 0.9; negative: none.
	Momentum float64
	// WeightDecay is the factor of the weights in their gradients; biases and batch norms have none. Default 5e-4; negative: none.
	WeightDecay float64
	// Smoothing is the share of each label that is spread over all classes, from 0 to below 1. Default 0.
	Smoothing float64
	// Optimizer replaces SGD with Momentum and WeightDecay; it must use GoMLX's learning rate variable to follow the schedule. Default: SGD.
	Optimizer optimizer.Interface

	// Seed is that of the weights, of the choice and order of images, of crops and flips.
	Seed uint64
	// DType is "float32" (default) or "float64".
	DType string

	// Progress is called after each step, EpochDone after each epoch, on the goroutine of Run. Default: nobody is told.
	Progress  func(Step)
	EpochDone func(Epoch)
}

// resolved is a Config with the defaults filled in.
type resolved struct {
	Config
	dtype dtypes.DType
	train int // images trained on
	steps int // in all epochs
}

// resolve checks a configuration and fills in the defaults.
func (c Config) resolve() (r resolved, err error) {
	fail := func(format string, args ...any) (resolved, error) {
		return r, fmt.Errorf("train: "+format, args...)
	}
	switch {
	case c.Network == nil:
		return r, errors.New("train: Config.Network is missing: say what to train")
	case c.Data == nil:
		return r, errors.New(`train: Config.Data is missing: images.Open("embedded") has some`)
	}
	if err := c.Network.Validate(); err != nil {
		return r, fmt.Errorf("train: %w", err)
	}
	if in := c.Network.Input; in.H != in.W || in.C != 3 {
		return fail("the network takes images %v; sources have square ones of 3 channels", in)
	}
	for _, s := range []images.Source{c.Data, c.Eval} {
		if s != nil && s.Classes() > c.Network.Classes {
			return fail("%s has %d classes, the network %d: build it for as many", s.Name(), s.Classes(), c.Network.Classes)
		}
	}
	if c.Eval != nil && c.Eval.Len() == 0 {
		return fail("Config.Eval is %s, which has no end: take images with a number", c.Eval.Name())
	}
	switch c.DType {
	case "", "float32":
		r.dtype = dtypes.Float32
	case "float64":
		r.dtype = dtypes.Float64
	default:
		return fail("Config.DType is %q; it must be float32 or float64", c.DType)
	}
	for _, f := range []struct {
		name  string
		value int
	}{{"Images", c.Images}, {"Batch", c.Batch}, {"Epochs", c.Epochs}} {
		if f.value < 0 {
			return fail("Config.%s is %d; it must not be negative", f.name, f.value)
		}
	}
	for _, f := range []struct {
		name           string
		value, largest float64
	}{{"LearningRate", c.LearningRate, math.MaxFloat64}, {"Momentum", c.Momentum, 1}, {"WeightDecay", c.WeightDecay, math.MaxFloat64}, {"Smoothing", c.Smoothing, 1}} {
		if !(f.value < f.largest) { // NaN neither
			return fail("Config.%s is %g; it must be below %g", f.name, f.value, f.largest)
		}
	}
	if c.LearningRate < 0 || c.Smoothing < 0 {
		return fail("Config.LearningRate is %g and Smoothing %g; neither may be negative", c.LearningRate, c.Smoothing)
	}

	if c.Images == 0 {
		if c.Images = c.Data.Len(); c.Images == 0 {
			c.Images = 1280
		}
	}
	if most := c.Data.Len(); most > 0 && c.Images > most {
		return fail("Config.Images is %d; %s has %d", c.Images, c.Data.Name(), most)
	}
	switch {
	case c.HeldOut < 0:
		c.HeldOut = 0
	case c.HeldOut == 0 && c.Eval == nil:
		c.HeldOut = c.Images / 10
	}
	r.train = c.Images - c.HeldOut
	if r.train < 2 {
		return fail("%d images, of which %d are held out: at least 2 are needed to train on", c.Images, c.HeldOut)
	}
	if c.Batch == 0 {
		c.Batch = min(128, r.train)
	}
	if c.Batch > r.train {
		return fail("Config.Batch is %d; there are %d images to train on (%d of %d are held out)", c.Batch, r.train, c.HeldOut, c.Images)
	}
	if c.Epochs == 0 {
		c.Epochs = 10
	}
	r.steps = c.Epochs * (r.train / c.Batch)
	if c.LearningRate == 0 {
		c.LearningRate = 0.1 * float64(c.Batch) / 256
	}
	switch {
	case c.WarmUp < 0:
		c.WarmUp = 0
	case c.WarmUp == 0:
		c.WarmUp = r.steps / 20
	}
	if c.WarmUp >= r.steps {
		return fail("Config.WarmUp is %d; it must be less than the %d steps of the training (%d epochs of %d)", c.WarmUp, r.steps, c.Epochs, r.train/c.Batch)
	}
	defaultTo := func(v *float64, def float64) {
		switch {
		case *v == 0:
			*v = def
		case *v < 0:
			*v = 0
		}
	}
	defaultTo(&c.Momentum, 0.9)
	defaultTo(&c.WeightDecay, 5e-4)
	if c.Model == nil {
		c.Model = Model(c.Network, c.Seed)
	}
	if c.Store == nil {
		c.Store = model.NewStore()
	}
	if c.Optimizer == nil {
		c.Optimizer = SGD{Momentum: c.Momentum, Nesterov: true, WeightDecay: c.WeightDecay}
	}
	r.Config = c
	return r, nil
}
