package proxy

import (
	"math"
	"sync"

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
			corr := correlations(o.Jacobian)
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

// correlations is the correlation matrix of the rows of j; nil where a row has no variance.
func correlations(j [][]float64) *mat.SymDense {
	n := len(j)
	if n == 0 {
		return nil
	}
	rows := make([][]float64, n)
	norms := make([]float64, n)
	for i, row := range j {
		mean := 0.0
		for _, x := range row {
			mean += x
		}
		mean /= float64(len(row))
		rows[i] = make([]float64, len(row))
		for k, x := range row {
			rows[i][k] = x - mean
		}
		norms[i] = math.Sqrt(dot(rows[i], rows[i]))
		if norms[i] == 0 {
			return nil
		}
	}
	corr := mat.NewSymDense(n, nil)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for k := i; k < n; k++ {
				corr.SetSym(i, k, dot(rows[i], rows[k])/(norms[i]*norms[k]))
			}
		})
	}
	wg.Wait()
	return corr
}

// dot adds in four chains, which the processor runs side by side.
func dot(a, b []float64) float64 {
	var s [4]float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s[0] += a[i] * b[i]
		s[1] += a[i+1] * b[i+1]
		s[2] += a[i+2] * b[i+2]
		s[3] += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s[0] += a[i] * b[i]
	}
	return s[0] + s[1] + s[2] + s[3]
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
