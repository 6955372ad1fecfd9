package zico

import (
	"time"

	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// Pass says how a network is run. It is comparable: quantities that are wanted of the same Pass come from one run. The zero Pass is that of ZiCo.
type Pass struct {
	// Init is the distribution of the weights.
	Init Init
	// Abs takes the absolute values of weights and biases.
	Abs bool
	// NoNorm replaces batch normalisation by the identity. Default: it normalises by the statistics of the batch (train mode).
	NoNorm bool
	// Input is what the network sees.
	Input Input
	// Objective is what is differentiated.
	Objective Objective
	// Images is the most images of a batch that are used; 0 means all. It is for passes whose cost grows with the square of the batch.
	Images int
	// Exact computes in float64 whatever Config.DType is.
	Exact bool
	// Reseed is added to the seed of the weights (and of what is drawn with them, see Noise): the same network initialised anew.
	Reseed uint64
}

// Init is a distribution of initial weights. All are drawn by package formula, and are functions of the seed, the layer and the position.
type Init uint8

const (
	// UniformFanIn is PyTorch's default: weights and biases uniform in ±1/sqrt(fan-in).
	UniformFanIn Init = iota
	// UnitVariance is uniform with variance 1, biases 0: in place of the N(0,1) with which the gradnorm, synflow, naswot and zen scores of SLDGroup/ZiCo initialise.
	UnitVariance
)

// Input is what a pass feeds the network.
type Input uint8

const (
	// Images are the batches at hand, with their labels.
	Images Input = iota
	// Noise is uniform noise with variance 1 and uniform labels, drawn by package formula from the seed of the weights, in batches like those at hand.
	Noise
	// AllOnes is a single image that is 1 everywhere.
	AllOnes
)

// Objective is what a pass differentiates, and by what.
type Objective uint8

const (
	// Loss is the mean cross-entropy of each batch, by the weights.
	Loss Objective = iota
	// Outputs is the sum of all logits of the first batch, by the weights.
	Outputs
	// EachOutput is the sum of each image's logits, by the weights, image by image through the statistics of the whole first batch. The run leaves Observation.Gram.
	EachOutput
	// EachLoss is the cross-entropy of each image of the first batch, by the weights, every image being a batch of its own for batch normalisation. The run leaves Observation.SignSum and SumSquares.
	EachLoss
	// Curvature is the Loss of the first batch, differentiated twice. The run leaves Observation.Curvature.
	Curvature
	// Perturbed goes forwards only, over a batch x and over x + 0.01 z, with z the second batch. The run leaves Observation.Distances and Observation.Running.
	Perturbed
)

// Needs are what is wanted of a pass beside what its Objective says. Each costs time; what nobody needs is not computed.
type Needs uint8

const (
	// NeedRatios asks for the statistics of the weight gradients over all batches (LayerObservation.Ratios). Objective Loss, at least two batches.
	NeedRatios Needs = 1 << iota
	// NeedProducts asks for LayerObservation.Products of the first batch. Objectives Loss and Outputs.
	NeedProducts
	// NeedChannels asks for LayerObservation.Fisher and Bias, and for Observation.Norms, of the first batch. Objective Loss.
	NeedChannels
	// NeedSigns asks for Observation.Agreements of the first batch. Objective Loss.
	NeedSigns
	// NeedJacobian asks for Observation.Jacobian of the first batch. Objective Loss.
	NeedJacobian
	// NeedGradients asks for LayerObservation.Gradients of all batches. Objective Loss.
	NeedGradients
)

// needs lists the needs that an objective can meet.
func (o Objective) needs() Needs {
	switch o {
	case Loss:
		return NeedRatios | NeedProducts | NeedChannels | NeedSigns | NeedJacobian | NeedGradients
	case Outputs:
		return NeedProducts
	}
	return 0
}

// Range is the batches From, From+1, ..., To-1, of which there must be at least two.
type Range struct{ From, To int }

// Query asks for a pass and for what it is to leave.
type Query struct {
	Pass  Pass
	Needs Needs
	// Ranges asks, beside NeedRatios, for the statistics over some of the batches, each equal to the bit to those of a pass over these alone (LayerObservation.Over). They come from the gradients of NeedRatios, so that one run over ten batches holds the scores of every number of batches up to ten.
	Ranges []Range
}

// Observation is what a pass leaves of a network. Which fields are filled, the Pass and the Needs say.
type Observation struct {
	// Network is the network as it was given, with its dead branches.
	Network *net.Network
	// Classes is the number of classes of the labels.
	Classes int
	// Images is the number of images of a batch that the pass used.
	Images int
	// Losses are the mean cross-entropies of the batches.
	Losses []float64
	// Layers are the weighted layers in the reference's order of modules, also those that no gradient reaches.
	Layers []LayerObservation
	// Norms are the batch norms that a gradient reaches, in no order.
	Norms []NormObservation
	// Agreements is, for each pair of images, in how many rectifiers both are on or both are off, [Images*Images].
	Agreements []float64
	// Jacobian holds the inner products of the images' gradients of the sum of all logits by the image, each less its mean over the image, [Images*Images]: their covariances times height*width*channels. nil where the logits do not depend on the images.
	Jacobian []float64
	// Gram holds the inner products of the images' gradients by all weights and scales of batch norms, [Images*Images].
	Gram []float64
	// SignSum is the sum over weights of |sum over images of the sign of the gradient|.
	SignSum float64
	// SumSquares is the squared norm of the sum over images of the gradients.
	SumSquares float64
	// Curvature is w'Hg, with w all weights, g their gradient and H its derivative by them.
	Curvature float64
	// Distances are the L1 distances of each image's features, before global pooling, from those of the perturbed image.
	Distances []float64
	// Running are the variances that the batch norms keep, dead branches included, after a pass over the batch and one over the perturbed one, [norm][channel].
	Running [][]float64

	// Time is what the pass took, from the plan to the last number, without waiting for compilation; of it, Extra is what each of the Needs took on its own (NeedRatios: the batches after the first, and the statistics). Wait is the time spent waiting for compilation.
	Time, Wait time.Duration
	// Kernels is the number of kernels run; of these, Compiled had to be compiled first.
	Kernels, Compiled int
	Extra             map[Needs]time.Duration
	// Memory is the estimate of the memory that the pass takes at most, bytes.
	Memory int64
}

// LayerObservation is what a pass leaves of a convolution or linear layer.
type LayerObservation struct {
	Name string
	Op   net.Op
	// Weight is the shape of the weight in PyTorch's order: (out, in/groups, height, width) or (out, in).
	Weight []int
	// Reached reports whether a gradient reaches the layer. The numbers below are 0 where none does.
	Reached bool
	// Ratios compare the gradients of the batches.
	Ratios Ratios
	// Over has the Ratios of each of Query.Ranges.
	Over map[Range]Ratios
	// Products are sums over the weights w with gradients g of the first batch.
	Products Products
	// Fisher is the sum over output channels of half the mean over images of the square of (sum over pixels of activation times its gradient): Turner et al., BlockSwap, ICLR 2020.
	Fisher float64
	// Bias is the sum of squares of the bias's gradient.
	Bias float64
	// Gradients are the weight gradients, [batch][weight], weights in the order [height, width, in, out].
	Gradients [][]float64
}

// Size is the number of weights.
func (l *LayerObservation) Size() int {
	n := 1
	for _, d := range l.Weight {
		n *= d
	}
	return n
}

// Ratios are sums over the weights of a layer. For a weight with gradients g_b in the batches, mean is mean_b|g_b| and std the population standard deviation of g_b.
type Ratios struct {
	Signed       float64 // mean/std where std is not 0: ZiCo
	Absolute     float64 // mean/std_b(|g_b|) where that is not 0: the paper's Eq. 15
	Mean         float64 // mean
	Std          float64 // std
	Inverse      float64 // 1/std where std is not 0
	NonZero      int     // weights with std not 0
	AbsNonZero   int     // weights with std_b(|g_b|) not 0
	SquaredNorms []float64
}

// Products are sums over the weights w of a layer with gradients g.
type Products struct {
	Absolute float64 // |w*g|
	Signed   float64 // w*g
	Weights  float64 // w*w
	Grads    float64 // g*g
}

// NormObservation is the sum of squares of the gradients of a batch norm's scale and offset.
type NormObservation struct {
	Scale, Offset float64
}
