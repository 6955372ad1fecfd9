package proxy

import (
	"github.com/zeroshotnas/zeroshot/zico"
)

func init() {
	Register(Proxy{
		Name: "fisher", Title: "Fisher",
		Doc:    "Sum over the output channels of convolution and linear layers of half the mean over images of (sum over pixels of activation * gradient)^2, each channel counted once for each of its weights. One batch of images, default weights, batch norm in train mode, mean cross-entropy.",
		Source: "Turner et al., BlockSwap, ICLR 2020; SamsungLabs/zero-cost-nas, measure fisher",
		Needs:  zico.NeedChannels,
		Score: func(o *zico.Observation) float64 {
			total := 0.0
			for i := range o.Layers {
				l := &o.Layers[i]
				total += l.Fisher * float64(l.Size()/l.Weight[0])
			}
			return total
		},
	})
}
