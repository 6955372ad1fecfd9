package proxy

import (
	"math"

	"github.com/zeroshotnas/zeroshot/zico"
)

// The three flavours sum |w*g| over the weights of convolution and linear layers, with g the gradient of the sum of all logits for one image of ones, and all parameters replaced by their absolute values. They compute in float64: without batch norm the sum grows by a factor a layer.
func init() {
	flow := zico.Pass{Abs: true, Input: zico.AllOnes, Objective: zico.Outputs, Exact: true}
	noNorm, unit := flow, flow
	noNorm.NoNorm = true
	unit.Init = zico.UnitVariance
	Register(Proxy{
		Name: "synflow", Title: "Synflow",
		Doc:    "Natural logarithm of the sum over weights of |w*g|, g the gradient of the sum of the logits of one image of ones. Default weights and biases made positive, batch norm replaced by the identity, float64 whatever the type of the run.",
		Source: "Tanaka et al., Pruning neural networks without any data, NeurIPS 2020; SamsungLabs/zero-cost-nas, measure synflow (the exponential of this value)",
		Pass:   noNorm, Needs: zico.NeedProducts,
		Score: func(o *zico.Observation) float64 { return math.Log(flowOf(o)) },
	})
	Register(Proxy{
		Name: "synflow-bn", Title: "Synflow (with BN)",
		Doc:    "Sum over weights of |w*g| as in synflow, with batch norm in train mode: it normalises the one image by its own statistics.",
		Source: "SamsungLabs/zero-cost-nas, measure synflow_bn",
		Pass:   flow, Needs: zico.NeedProducts,
		Score: flowOf,
	})
	Register(Proxy{
		Name: "synflow-unit", Title: "Synflow (ZiCo's code)",
		Doc:    "Minus the sum over layers of the mean over output channels of the sum of |w*g| as in synflow, with batch norm in train mode and weights of variance 1 made positive, no biases.",
		Source: "SLDGroup/ZiCo, ZeroShotProxy/compute_syncflow_score.py",
		Pass:   unit, Needs: zico.NeedProducts,
		Score: func(o *zico.Observation) float64 {
			total := 0.0
			for i := range o.Layers {
				total -= o.Layers[i].Products.Absolute / float64(o.Layers[i].Weight[0])
			}
			return total
		},
	})
}

func flowOf(o *zico.Observation) float64 {
	return sumProducts(o, func(p *zico.Products) float64 { return p.Absolute })
}
