package proxy

import (
	"math"

	"github.com/zeroshotnas/zeroshot/zico"
)

func init() {
	Register(Proxy{
		Name: "zen", Title: "Zen-score",
		Doc:    "ln of the mean over images of the L1 distance between the features, before global pooling, of noise x and of x + 0.01 z, plus the sum over batch norms of ln sqrt(mean over channels of the running variance) after both passes. Two batches of noise, weights of variance 1, no biases, batch norm in train mode, its running variance of the network's momentum.",
		Source: "Lin et al., Zen-NAS, ICCV 2021; SLDGroup/ZiCo, ZeroShotProxy/compute_zen_score.py",
		Pass:   zico.Pass{Init: zico.UnitVariance, Input: zico.Noise, Objective: zico.Perturbed},
		Score: func(o *zico.Observation) float64 {
			mean := 0.0
			for _, d := range o.Distances {
				mean += d / float64(len(o.Distances))
			}
			score := math.Log(mean)
			for _, kept := range o.Running {
				mean := 0.0
				for _, v := range kept {
					mean += v / float64(len(kept))
				}
				score += math.Log(math.Sqrt(mean))
			}
			return score
		},
	})
}
