package proxy

import (
	"math"

	"github.com/zeroshotnas/zeroshot/zico"
	"gonum.org/v1/gonum/mat"
)

// NASWOT compares the images of a batch by the rectifiers that they switch on: K[i][j] counts, over all rectifiers of the network and all their values, those on for both or off for both images. The score is ln det K.
func init() {
	Register(Proxy{
		Name: "naswot", Title: "NASWOT",
		Doc:    "ln det K, with K[i][j] the number of rectifier outputs that are positive for both images or for neither, over all rectifiers, also those of dead branches. One batch of images, default weights, batch norm in train mode. -Inf where two images switch on the same.",
		Source: "Mellor, Turner, Storkey and Crowley, Neural Architecture Search without Training, ICML 2021",
		Needs:  zico.NeedSigns,
		Score:  logDetAgreements,
	})
	Register(Proxy{
		Name: "naswot-unit", Title: "NASWOT (ZiCo's code)",
		Doc:    "As naswot, on one batch of noise with weights of variance 1 and no biases.",
		Source: "SLDGroup/ZiCo, ZeroShotProxy/compute_NASWOT_score.py",
		Pass:   zico.Pass{Init: zico.UnitVariance, Input: zico.Noise},
		Needs:  zico.NeedSigns,
		Score:  logDetAgreements,
	})
}

func logDetAgreements(o *zico.Observation) float64 {
	if len(o.Agreements) == 0 {
		return math.Inf(-1) // no rectifier
	}
	det, _ := mat.LogDet(mat.NewDense(o.Images, o.Images, o.Agreements))
	return det
}
