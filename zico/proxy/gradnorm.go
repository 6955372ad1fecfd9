package proxy

import (
	"math"

	"github.com/zeroshotnas/zeroshot/zico"
)

func init() {
	Register(Proxy{
		Name: "gradnorm", Title: "Grad_norm",
		Doc:    "Sum over convolution and linear layers of the Euclidean norm of the weight's gradient. One batch of images, default weights, batch norm in train mode, mean cross-entropy.",
		Source: "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021; SamsungLabs/zero-cost-nas, measure grad_norm",
		Needs:  zico.NeedProducts,
		Score: func(o *zico.Observation) float64 {
			total := 0.0
			for i := range o.Layers {
				total += math.Sqrt(o.Layers[i].Products.Grads)
			}
			return total
		},
	})
	Register(Proxy{
		Name: "gradnorm-unit", Title: "Grad_norm (ZiCo's code)",
		Doc:    "Euclidean norm of the gradient by all parameters at once, with biases and the scales and offsets of batch norms. One batch of noise with random labels, weights of variance 1, no biases, batch norm in train mode.",
		Source: "SLDGroup/ZiCo, ZeroShotProxy/compute_gradnorm_score.py",
		Pass:   zico.Pass{Init: zico.UnitVariance, Input: zico.Noise},
		Needs:  zico.NeedProducts | zico.NeedChannels,
		Score: func(o *zico.Observation) float64 {
			total := 0.0
			for i := range o.Layers {
				total += o.Layers[i].Products.Grads + o.Layers[i].Bias
			}
			for _, n := range o.Norms {
				total += n.Scale + n.Offset
			}
			return math.Sqrt(total)
		},
	})
}
