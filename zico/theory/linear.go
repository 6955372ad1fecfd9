package theory

import (
	"context"
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// Step is one step of gradient descent on a linear regression, f(x) = a.x with the loss (a.x-y)^2/2, and what Theorem 3.1 says of it: from the gradients g(x_i) of the M inputs at a, each with its own loss, to a - Rate*sum_i g(x_i). Losses are sums over the inputs.
type Step struct {
	M             int
	Rate          float64
	Before, After float64 // loss
	// Mean is sum_j mu_j^2 and Variance sum_j sigma_j^2, where mu_j and sigma_j are mean and population standard deviation of g_j over the inputs. M*(Mean+Variance) is the theorem's G, the sum of all g_j(x_i)^2.
	Mean, Variance float64
}

// Printed is the first bound of Theorem 3.1 as the paper has it, for rates between 0 and 2: After <= G/2 - Rate/2 M^2 (2-Rate) sum_j mu_j^2. Its proof would need that the squared products of the inputs with a vector v sum to no more than |v|^2; they sum to up to M|v|^2, so in general it does not hold; see MeanBound.
func (s Step) Printed() float64 {
	m := float64(s.M)
	return s.g()/2 - s.Rate/2*m*m*(2-s.Rate)*s.Mean
}

// MeanBound is that bound with the factor put right: After <= G/2 - Rate/2 M^2 (2-Rate*M) sum_j mu_j^2. It holds for every rate, since sum_i (x_i.v)^2 <= M|v|^2 for inputs of length 1, and is below Before for rates between 0 and 2/M.
func (s Step) MeanBound() float64 {
	m := float64(s.M)
	return s.g()/2 - s.Rate/2*m*m*(2-s.Rate*m)*s.Mean
}

// VarianceBound is the second bound of Theorem 3.1, for the rate 1/M: After <= M/2 sum_j sigma_j^2. It is MeanBound at that rate, and holds.
func (s Step) VarianceBound() float64 { return float64(s.M) / 2 * s.Variance }

// Noise is the share of the variance in the gradients' mean square, sum_j sigma_j^2 / sum_j (mu_j^2 + sigma_j^2), from 0 (all gradients equal) to 1 (mean 0). At the rate 1/M the bound of the variance reads After/Before <= Noise.
func (s Step) Noise() float64 { return s.Variance / (s.Mean + s.Variance) }

// Floor is the least loss that the gradients' mean and variance leave possible: After >= Before (1 - Rate M (1-Noise))^2, so After/Before >= Noise^2 at the rate 1/M. It follows from Jensen's inequality: After is Before times a mean of (1-Rate k)^2 over the eigenvalues k of the inputs' Gram matrix, whose mean with the same weights is M (1-Noise). It is not in the paper.
func (s Step) Floor() float64 {
	f := 1 - s.Rate*float64(s.M)*(1-s.Noise())
	return s.Before * f * f
}

func (s Step) g() float64 { return float64(s.M) * (s.Mean + s.Variance) }

// Step makes one step from a, which it does not change. It fails if a does not have D values.
func (s *Set) Step(a []float64, rate float64) (Step, error) {
	if len(a) != s.D {
		return Step{}, fmt.Errorf("theory: %d weights for inputs of %d values", len(a), s.D)
	}
	m := float64(s.N)
	residuals := func(a []float64) ([]float64, float64) {
		r := make([]float64, s.N)
		copy(r, s.Y)
		v := blas64.Vector{N: s.N, Data: r, Inc: 1}
		blas64.Gemv(blas.NoTrans, 1, s.matrix(), blas64.Vector{N: s.D, Data: a, Inc: 1}, -1, v)
		return r, blas64.Dot(v, v) / 2
	}
	r, before := residuals(a)
	mu := make([]float64, s.D)
	blas64.Gemv(blas.Trans, 1/m, s.matrix(), blas64.Vector{N: s.N, Data: r, Inc: 1}, 0, blas64.Vector{N: s.D, Data: mu, Inc: 1})
	st := Step{M: s.N, Rate: rate, Before: before}
	next := make([]float64, s.D)
	for j, v := range mu {
		st.Mean += v * v
		next[j] = a[j] - rate*m*v
	}
	// From the differences, because the difference of the sums would lose digits.
	for i, e := range r {
		for j, x := range s.X[i*s.D : (i+1)*s.D] {
			d := e*x - mu[j]
			st.Variance += d * d
		}
	}
	st.Variance /= m
	_, st.After = residuals(next)
	return st, nil
}

// LinearConfig says what Linear repeats. The zero value of each field means the default in its comment.
type LinearConfig struct {
	Runs  int     // initial weights; default 1000, as in the paper
	Rate  float64 // default 1/M
	Scale float64 // standard deviation of the initial weights, which are normal; default 1
	Seed  uint64
	// Progress, if set, is told how many runs are done, from the goroutine of Linear.
	Progress func(done, total int)
}

// Linear is the experiment of the paper's Fig. 1: one step each from independent initial weights, on the same set. The same seed draws the same weights whatever the rate. It fails for sets that are not valid, for numbers below 0, and when ctx ends.
func Linear(ctx context.Context, s *Set, c LinearConfig) ([]Step, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if c.Runs < 0 || !(c.Rate >= 0) || !(c.Scale >= 0) {
		return nil, fmt.Errorf("theory: %d runs at the rate %v from weights of scale %v: no number may be below 0", c.Runs, c.Rate, c.Scale)
	}
	if c.Runs == 0 {
		c.Runs = 1000
	}
	if c.Rate == 0 {
		c.Rate = 1 / float64(s.N)
	}
	if c.Scale == 0 {
		c.Scale = 1
	}
	return each(ctx, c.Runs, c.Progress, func(i int) (Step, error) {
		rng := rand.New(rand.NewPCG(c.Seed, uint64(i)))
		a := make([]float64, s.D)
		for j := range a {
			a[j] = c.Scale * rng.NormFloat64()
		}
		return s.Step(a, c.Rate)
	})
}
