package theory

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// Gram is the matrix H of Definition 1 on the inputs of a set, [N, N]: H_ij = 1/m x_i.x_j sum_r 1{w_r.x_i >= 0 and w_r.x_j >= 0}. It is the matrix of scalar products of the gradients of h(x_i) by W. It fails for a set that is not valid or has inputs of another size.
func (n *Network) Gram(s *Set) (*mat.SymDense, error) {
	if err := n.fits(s); err != nil {
		return nil, err
	}
	active := make([]float64, s.N*n.Width)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, s.matrix(), general(n.Width, n.D, n.W), 0, general(s.N, n.Width, active))
	for i, a := range active {
		active[i] = 0
		if a >= 0 {
			active[i] = 1
		}
	}
	h := s.dots()
	both := general(s.N, s.N, make([]float64, s.N*s.N))
	blas64.Gemm(blas.NoTrans, blas.Trans, 1/float64(n.Width), general(s.N, n.Width, active), general(s.N, n.Width, active), 0, both)
	for i, b := range both.Data {
		h.Data[i] *= b
	}
	return mat.NewSymDense(s.N, h.Data), nil
}

// GramLimit is the matrix that Gram tends to as the width grows, where the w_r are normal with mean 0: H_ij = x_i.x_j (pi - arccos x_i.x_j)/(2 pi) for inputs of length 1, x_i.x_j times the probability that both units are active (Cho and Saul, Kernel Methods for Deep Learning, 2009; Du, Zhai, Poczos and Singh, ICLR 2019). It fails for a set that is not valid.
func GramLimit(s *Set) (*mat.SymDense, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	h := s.dots()
	for i, c := range h.Data {
		c = max(-1, min(1, c)) // rounding
		if i%(s.N+1) == 0 {
			c = 1 // arccos is steep there
		}
		h.Data[i] = c * (math.Pi - math.Acos(c)) / (2 * math.Pi)
	}
	return mat.NewSymDense(s.N, h.Data), nil
}

// Extremes are the smallest and the largest eigenvalue of a symmetric matrix. The smallest of a singular matrix is 0 up to rounding, about 1e-15 of the largest.
func Extremes(h *mat.SymDense) (smallest, largest float64, err error) {
	var e mat.EigenSym
	if !e.Factorize(h, false) {
		return 0, 0, errors.New("theory: the eigenvalues did not converge: is a value NaN or infinite?")
	}
	v := e.Values(nil)
	return v[0], v[len(v)-1], nil
}

// Distance is the spectral norm of a-b, two symmetric matrices of the same size: no eigenvalue differs by more.
func Distance(a, b *mat.SymDense) (float64, error) {
	if a.SymmetricDim() != b.SymmetricDim() {
		return 0, fmt.Errorf("theory: matrices of %d and %d rows", a.SymmetricDim(), b.SymmetricDim())
	}
	d := mat.NewSymDense(a.SymmetricDim(), nil)
	for i := range a.SymmetricDim() {
		for j := i; j < a.SymmetricDim(); j++ {
			d.SetSym(i, j, a.At(i, j)-b.At(i, j))
		}
	}
	lo, hi, err := Extremes(d)
	return max(math.Abs(lo), math.Abs(hi)), err
}

// Descend trains the network on the whole set for the given number of steps and returns the loss before each step and after the last, steps+1 values. It changes the network. A rate beyond 2N over the largest eigenvalue of Gram makes the first steps grow, since within a region where no unit switches the second derivative of the loss has the eigenvalues of Gram over N, and 0. It fails as Loss does, for steps below 1, and when ctx ends.
func (n *Network) Descend(ctx context.Context, s *Set, rate float64, steps int) ([]float64, error) {
	if err := n.fits(s); err != nil {
		return nil, err
	}
	if steps < 1 || !(rate > 0) {
		return nil, fmt.Errorf("theory: %d steps at the rate %v: both must be positive", steps, rate)
	}
	p, g := &pass{}, make([]float64, len(n.W))
	losses := make([]float64, 0, steps+1)
	for range steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		losses = append(losses, n.forward(s, p))
		n.backward(s, p, g)
		for i, v := range g {
			n.W[i] -= rate * v
		}
	}
	return append(losses, n.forward(s, p)), nil
}

// Linearised is what Descend would return if the Gram matrix stayed h throughout, as it does for an infinite width (Du et al., ICLR 2019): the residuals are multiplied by I - rate/N h at each step. It fails as Loss does, and where h is not of N rows.
func (n *Network) Linearised(s *Set, h *mat.SymDense, rate float64, steps int) ([]float64, error) {
	if err := n.fits(s); err != nil {
		return nil, err
	}
	if h.SymmetricDim() != s.N {
		return nil, fmt.Errorf("theory: a matrix of %d rows for %d inputs", h.SymmetricDim(), s.N)
	}
	p := &pass{}
	losses := []float64{n.forward(s, p)}
	r, change := mat.NewVecDense(s.N, p.residual), mat.NewVecDense(s.N, nil)
	for range steps {
		change.MulVec(h, r)
		r.AddScaledVec(r, -rate/float64(s.N), change)
		losses = append(losses, mat.Dot(r, r)/2/float64(s.N))
	}
	return losses, nil
}
