package proxy

import (
	"math"

	"github.com/zeroshotnas/zeroshot/zico"
	"gonum.org/v1/gonum/mat"
)

func init() {
	Register(Proxy{
		Name: "jacov", Title: "Jacob_cov",
		Doc:    "With v the eigenvalues of the correlation matrix of the images' gradients of the sum of all logits, minus the sum over v of ln(v+k) + 1/(v+k), k = 1e-5. One batch of images, default weights, batch norm in train mode. NaN where an image has no gradient.",
		Source: "Mellor et al., Neural Architecture Search without Training, first version, 2020; SamsungLabs/zero-cost-nas, measure jacob_cov",
		Needs:  zico.NeedJacobian,
		Score: func(o *zico.Observation) float64 {
			corr := correlations(o.Images, o.Jacobian)
			if corr == nil {
				return math.NaN()
			}
			v := eigenvalues(corr)
			const k = 1e-5
			total := 0.0
			for _, x := range v {
				total -= math.Log(x+k) + 1/(x+k)
			}
			return total
		},
	})
}

// correlations is the correlation matrix of n things with the given covariances; nil where one has no variance.
func correlations(n int, cov []float64) *mat.SymDense {
	if len(cov) == 0 {
		return nil
	}
	corr := mat.NewSymDense(n, nil)
	for i := range n {
		if !(cov[i*n+i] > 0) {
			return nil
		}
		for k := range i + 1 {
			corr.SetSym(i, k, cov[i*n+k]/math.Sqrt(cov[i*n+i]*cov[k*n+k]))
		}
	}
	return corr
}

// eigenvalues of a symmetric matrix, ascending; NaN where they do not converge.
func eigenvalues(m mat.Symmetric) []float64 {
	var e mat.EigenSym
	if !e.Factorize(m, false) {
		v := make([]float64, m.SymmetricDim())
		for i := range v {
			v[i] = math.NaN()
		}
		return v
	}
	return e.Values(nil)
}
