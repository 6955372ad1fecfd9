package proxy

import (
	"github.com/zeroshotnas/zeroshot/zico"
)

func init() {
	Register(Proxy{
		Name: "snip", Title: "SNIP",
		Doc:    "Sum over the weights of convolution and linear layers of |w*g|, g the gradient of the mean cross-entropy: what removing each weight would change, to first order. One batch of images, default weights, batch norm in train mode.",
		Source: "Lee, Ajanthan and Torr, SNIP, ICLR 2019; SamsungLabs/zero-cost-nas, measure snip",
		Needs:  zico.NeedProducts,
		Score: func(o *zico.Observation) float64 {
			return sumProducts(o, func(p *zico.Products) float64 { return p.Absolute })
		},
	})
	Register(Proxy{
		Name: "plain", Title: "Plain",
		Doc:    "Sum over the weights of convolution and linear layers of w*g. One batch of images, default weights, batch norm in train mode.",
		Source: "SamsungLabs/zero-cost-nas, measure plain",
		Needs:  zico.NeedProducts,
		Score: func(o *zico.Observation) float64 {
			return sumProducts(o, func(p *zico.Products) float64 { return p.Signed })
		},
	})
}

// sumProducts adds up a number of each layer.
func sumProducts(o *zico.Observation, of func(p *zico.Products) float64) float64 {
	total := 0.0
	for i := range o.Layers {
		total += of(&o.Layers[i].Products)
	}
	return total
}
