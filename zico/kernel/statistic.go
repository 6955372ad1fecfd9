package kernel

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// The places of the numbers in a statistic, a float64 vector of length StatisticLen that a weight-gradient kernel returns in place of the gradients. For a weight with gradients g_b in the batches, mean = mean_b |g_b|.
const (
	StatSum        = iota // sum over weights of mean / std_b(g_b), where that std is not 0 (the reference's code)
	StatNonZero           // number of weights with std_b(g_b) not 0
	StatClipped           // as StatSum with each ratio at most 1000
	StatAbsSum            // sum over weights of mean / std_b(|g_b|), where that std is not 0 (the paper's Eq. 15)
	StatAbsNonZero        // number of weights with std_b(|g_b|) not 0
	StatMean              // sum over weights of mean
	StatStd               // sum over weights of std_b(g_b), the population's
	StatInverse           // sum over weights of 1 / std_b(g_b), where that std is not 0
	StatSquares           // first of one number a batch: the sum of squares of the batch's gradient
)

// StatisticLen is the length of a statistic over so many batches.
func StatisticLen(batches int) int { return StatSquares + batches }

// Statistic computes the statistic from gradients that were made in several calls: Batches vectors of Size weights.
type Statistic struct {
	DType         dtypes.DType
	Size, Batches int
}

// Name implements Op.
func (o Statistic) Name() string {
	return fmt.Sprintf("statistic [%d*%d] %s", o.Batches, o.Size, o.DType)
}

// Inputs implements Op.
func (o Statistic) Inputs() []shapes.Shape {
	return repeat(shapes.Make(o.DType, o.Size), o.Batches)
}

// Graph implements Op.
func (o Statistic) Graph(_ string, g *Graph, in []*Node) []*Node { return []*Node{statistic(in)} }

// finishGrads ends a weight-gradient kernel: the statistic over all its batches or, raw, the gradients as flat vectors.
func finishGrads(grads []*Node, raw bool) []*Node {
	if raw {
		for i := range grads {
			grads[i] = Reshape(grads[i], -1)
		}
		return grads
	}
	return []*Node{statistic(grads)}
}

// gradShapes are the shapes of raw gradients of size weights, one a batch.
func (a Act) gradShapes(size int) []shapes.Shape {
	return repeat(shapes.Make(a.DType, size), a.Batches)
}

// statistic computes in float64 whatever the type of the gradients: the sums are dominated by weights whose gradients almost cancel, and a weight tensor is small beside the activations that made it.
func statistic(grads []*Node) *Node {
	g := make([]*Node, len(grads))
	abs := make([]*Node, len(grads))
	for b := range grads {
		g[b] = ConvertDType(Reshape(grads[b], -1), dtypes.Float64)
		abs[b] = Abs(g[b])
	}
	mean, std := meanOf(abs), deviation(g)
	sum, count, clipped := ratios(mean, std)
	absSum, absCount, _ := ratios(mean, deviation(abs))
	inverse, _, _ := ratios(OnesLike(mean), std)
	out := []*Node{sum, count, clipped, absSum, absCount, ReduceAllSum(mean), ReduceAllSum(std), inverse}
	for b := range g {
		out = append(out, ReduceAllSum(Mul(g[b], g[b])))
	}
	return Stack(out, 0)
}

// deviation is the population standard deviation over the batches. Two batches have half their distance, which is exact where they almost cancel.
func deviation(g []*Node) *Node {
	if len(g) == 2 {
		return MulScalar(Abs(Sub(g[0], g[1])), 0.5)
	}
	mean := meanOf(g)
	squares := make([]*Node, len(g))
	for b := range g {
		d := Sub(g[b], mean)
		squares[b] = Mul(d, d)
	}
	return Sqrt(meanOf(squares))
}

// meanOf is the mean of the nodes, added up in order as the reference does.
func meanOf(x []*Node) *Node {
	return DivScalar(sumAll(x), float64(len(x)))
}

// ratios adds up mean/std over the weights whose std is not exactly 0, counts them, and adds up the ratios limited to 1000.
func ratios(mean, std *Node) (sum, count, clipped *Node) {
	zero := ZerosLike(std)
	keep := NotEqual(std, zero)
	ratio := Where(keep, Div(mean, Where(keep, std, OnesLike(std))), zero)
	return ReduceAllSum(ratio), ReduceAllSum(ConvertDType(keep, dtypes.Float64)), ReduceAllSum(MinScalar(ratio, 1000))
}
