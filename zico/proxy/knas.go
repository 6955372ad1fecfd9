package proxy

import (
	"github.com/zeroshotnas/zeroshot/zico"
)

func init() {
	Register(Proxy{
		Name: "knas", Title: "KNAS",
		Doc:    "Mean of the Gram matrix of the images' gradients by the weights of convolution and linear layers, which is the squared norm of their mean. The first 64 images of a batch, one at a time, default weights, batch norm in train mode. The definition is the paper's; its program takes the products of 50 batches, over 100 weights of ten layers.",
		Source: "Xu et al., KNAS: Green Neural Architecture Search, ICML 2021",
		Pass:   eachImage,
		Score: func(o *zico.Observation) float64 {
			return o.SumSquares / float64(o.Images*o.Images)
		},
	})
}
