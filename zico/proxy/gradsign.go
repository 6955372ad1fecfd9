package proxy

import (
	"github.com/zeroshotnas/zeroshot/zico"
)

// GradSign and KNAS look at the gradients of single images, each of which is a batch of its own for batch normalisation.
var eachImage = zico.Pass{Objective: zico.EachLoss, Images: 64}

func init() {
	Register(Proxy{
		Name: "gradsign", Title: "GradSign",
		Doc:    "Sum over the weights of convolution and linear layers of |sum over images of the sign of the gradient of the image's cross-entropy|. The first 64 images of a batch, one at a time, default weights, batch norm in train mode.",
		Source: "Zhang and Jia, GradSign, ICLR 2022; cmu-catalyst/GradSign, naswot-code/gradsign.py",
		Pass:   eachImage,
		Score:  func(o *zico.Observation) float64 { return o.SignSum },
	})
}
