package proxy

import (
	"github.com/zeroshotnas/zeroshot/zico"
)

func init() {
	Register(Proxy{
		Name: "grasp", Title: "GraSP",
		Doc:    "Minus the sum over the weights of convolution and linear layers of w*(Hg), g the gradient of the mean cross-entropy and H its second derivative by those weights. H is symmetric, so this is -g'(Hw): one sweep forwards and one backwards carry the derivative in the direction w along, exactly. The first 64 images of a batch, default weights, batch norm in train mode.",
		Source: "Wang, Zhang and Grosse, GraSP, ICLR 2020; SamsungLabs/zero-cost-nas, measure grasp",
		Pass:   zico.Pass{Objective: zico.Curvature, Images: 64},
		Score:  func(o *zico.Observation) float64 { return -o.Curvature },
	})
}
