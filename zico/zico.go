package zico

import (
	"time"
)

// Config configures a Scorer. The zero value of each field means the default in its comment.
type Config struct {
	// DType is "float32" (default) or "float64". Exact comparisons with the reference need float64; rankings do not.
	DType string
	// Statistic is how the gradients of a layer become a number. Default Signed, the reference's code.
	Statistic Statistic
	// InFlight is how many networks ScoreAll runs at once. Default: chosen for the machine.
	InFlight int
	// MemoryLimit is the most memory in bytes that the networks in flight may need together by estimate. Default: what the machine has free.
	MemoryLimit int64
	// Kernels says what computes on a CPU: "xla" compiles every operation with XLA, "avx512", "avx2" or "baseline" uses the kernels of package simd for these instructions where they are faster. Default: the best that the machine has. Other devices always use XLA.
	Kernels string
	// Gradients keeps the weight gradients of each batch in Layer.Gradients: all of them at once, 8 bytes a weight and batch.
	Gradients bool
	// Logits keeps the logits of the first image of each batch in Result.Logits, for checking.
	Logits bool
}

// Statistic selects how ZiCo compares the gradients of the batches.
type Statistic uint8

const (
	// Signed is the reference's code: mean of |g| over the standard deviation of the signed g (SLDGroup/ZiCo, caculate_zico).
	Signed Statistic = iota
	// Absolute is the paper's Eq. 15: mean of |g| over the standard deviation of |g|.
	Absolute
)

// Result is the score of one network.
type Result struct {
	Network  string        `json:"network"`            // name of the network
	Score    float64       `json:"score"`              // sum of Layer.Log over the layers that were not skipped
	Layers   []Layer       `json:"layers,omitempty"`   // in the order of the reference's modules
	Losses   []float64     `json:"losses"`             // mean cross-entropy of each batch
	Logits   [][]float64   `json:"logits,omitempty"`   // of the first image of each batch, with Config.Logits
	Params   int64         `json:"params"`             // trainable parameters
	MACs     int64         `json:"macs"`               // multiply-accumulates of one image, convolutions and linear layers
	Memory   int64         `json:"memory"`             // estimate of the memory that the run takes at most, bytes
	Warnings []string      `json:"warnings,omitempty"` // what the number hides: skipped layers, NaN gradients
	Build    time.Duration `json:"build_ns"`           // making the plan, weights and inputs
	Kernels  int           `json:"kernels"`            // kernels run
	Compiled int           `json:"compiled"`           // of these, kernels that had to be compiled first: 1 - Compiled/Kernels is the hit rate of the cache
	Compile  time.Duration `json:"compile_ns"`         // compilation that this score had to wait for
	Run      time.Duration `json:"run_ns"`             // forward, backward and statistic
}

// Layer is the part of one convolution or linear layer in a Result.
type Layer struct {
	Index   int     `json:"index"`   // ordinal in the reference's order of modules
	Name    string  `json:"name"`    // module name
	Op      string  `json:"op"`      // "conv" or "linear"
	Weight  []int   `json:"weight"`  // shape of the weight, PyTorch order
	Params  int     `json:"params"`  // number of weights
	Sum     float64 `json:"sum"`     // sum over weights of mean|g| / std(g)
	Log     float64 `json:"log"`     // ln(Sum); 0 where Skipped
	NonZero int     `json:"nonzero"` // weights with a standard deviation other than 0
	Skipped bool    `json:"skipped,omitempty"`
	// Clipped is ln of the sum with every ratio limited to 1000: well conditioned where Sum is not. For checking, not a score.
	Clipped float64 `json:"clipped"`
	// GradL2 is the Euclidean norm of the layer's weight gradient in each batch.
	GradL2 []float64 `json:"grad_l2,omitempty"`
	// Gradients are the layer's weight gradients, [batch][weight], with Config.Gradients; weights are in the order of the kernels: [height, width, in, out].
	Gradients [][]float64 `json:"-"`
}
