package proxy

import (
	"math"

	"github.com/zeroshotnas/zeroshot/zico"
	"gonum.org/v1/gonum/mat"
)

func init() {
	Register(Proxy{
		Name: "ntk", Title: "NTK",
		Doc:    "Minus the condition number, largest over smallest eigenvalue, of the neural tangent kernel: the Gram matrix of the images' gradients of the sum of their own logits, by all weights and the scales of batch norms. The first 16 images of a batch, default weights, batch norm in train mode, so that each image's gradient goes through the statistics of all. Ill-conditioned where the smallest eigenvalue drowns in rounding.",
		Source: "Chen, Gong and Wang, Neural Architecture Search on ImageNet in Four GPU Hours (TE-NAS), ICLR 2021; SLDGroup/ZiCo, ZeroShotProxy/compute_te_nas_score.py (its noise input replaced by images, as in TE-NAS)",
		Pass:   zico.Pass{Objective: zico.EachOutput, Images: 16},
		Score: func(o *zico.Observation) float64 {
			v := eigenvalues(mat.NewSymDense(o.Images, o.Gram))
			cond := v[len(v)-1] / v[0]
			switch {
			case math.IsNaN(cond):
				return 0 // no gradient at all: what the reference makes of 0/0
			case math.IsInf(cond, 0):
				return -math.MaxFloat64
			}
			return -cond
		},
	})
}
