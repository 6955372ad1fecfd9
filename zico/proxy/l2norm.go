package proxy

import (
	"math"

	"github.com/zeroshotnas/zeroshot/zico"
)

func init() {
	Register(Proxy{
		Name: "l2norm", Title: "L2_norm",
		Doc:    "Sum over convolution and linear layers of the Euclidean norm of the weight at its default initialisation. No images matter.",
		Source: "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021; SamsungLabs/zero-cost-nas, measure l2_norm",
		Needs:  zico.NeedProducts,
		Score: func(o *zico.Observation) float64 {
			return sumProducts(o, func(p *zico.Products) float64 { return math.Sqrt(p.Weights) })
		},
	})
}
