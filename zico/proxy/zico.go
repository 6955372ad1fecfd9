package proxy

import (
	"math"

	"github.com/zeroshotnas/zeroshot/zico"
)

// ZiCo and its parts are sums over layers of logarithms of sums over weights. For a weight with gradients g_b of the loss of batch b, at PyTorch's default initialisation, in train mode: mean = mean_b|g_b|, std the standard deviation over b. Layers that no gradient reaches, or whose sum is 0, are left out, as in the reference.
func init() {
	for _, part := range []struct {
		name, title, doc string
		sum              func(r *zico.Ratios) float64
	}{
		{"zico", "ZiCo", "Sum over layers of ln(sum over weights of mean/std), std of the signed gradients (the released code). Weights without spread are left out.", func(r *zico.Ratios) float64 { return r.Signed }},
		{"zico-eq15", "ZiCo (Eq. 15)", "The paper's Eq. 15: as zico, but std is that of the absolute gradients.", func(r *zico.Ratios) float64 { return r.Absolute }},
		{"zico-mean", "ZiCo, mean only", "Sum over layers of ln(sum over weights of mean): the ablation of the paper's Table 7.", func(r *zico.Ratios) float64 { return r.Mean }},
		{"zico-std", "ZiCo, std only", "Sum over layers of ln(sum over weights of std).", func(r *zico.Ratios) float64 { return r.Std }},
		{"zico-inverse", "ZiCo, 1/std", "Sum over layers of ln(sum over weights of 1/std).", func(r *zico.Ratios) float64 { return r.Inverse }},
	} {
		Register(Proxy{
			Name: part.name, Title: part.title,
			Doc:    part.doc + " Two or more batches of images, default weights, batch norm in train mode.",
			Source: "Li, Yang, Bhardwaj and Marculescu, ZiCo, ICLR 2023; SLDGroup/ZiCo, ZeroShotProxy/compute_zico.py",
			Needs:  zico.NeedRatios,
			Score: func(o *zico.Observation) float64 {
				total := 0.0
				for i := range o.Layers {
					if sum := part.sum(&o.Layers[i].Ratios); sum != 0 {
						total += math.Log(sum)
					}
				}
				return total
			},
		})
	}
}
