package theory

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// Network is the two-layer network of Theorems 3.3 and 3.5, h(x) = 1/sqrt(m) sum_r s_r ReLU(w_r.x), of which only the w_r learn. Its loss is the mean over inputs of (h(x)-y)^2/2.
type Network struct {
	Width, D int       // m, values of an input
	W        []float64 // [Width, D]
	S        []float64 // [Width], each 1 or -1
}

// NewNetwork draws a network: the w_r normal with mean 0 and standard deviation scale (the theorems' is 1), the s_r 1 or -1 with equal probability. It fails for a width or a number of inputs below 1 and a scale that is not positive.
func NewNetwork(width, d int, scale float64, seed uint64) (*Network, error) {
	if width < 1 || d < 1 || !(scale > 0) || math.IsInf(scale, 0) {
		return nil, fmt.Errorf("theory: a network of width %d on %d values, scale %v: all must be positive", width, d, scale)
	}
	n := &Network{Width: width, D: d, W: make([]float64, width*d), S: make([]float64, width)}
	rng := rand.New(rand.NewPCG(seed, uint64(width)))
	for i := range n.W {
		n.W[i] = scale * rng.NormFloat64()
	}
	for r := range n.S {
		n.S[r] = float64(2*rng.IntN(2) - 1)
	}
	return n, nil
}

func (n *Network) fits(s *Set) error {
	if s.D != n.D {
		return fmt.Errorf("theory: a network on %d values, inputs of %d", n.D, s.D)
	}
	return s.Validate()
}

// pass is the memory of a forward and a backward pass.
type pass struct {
	act      []float64 // [N, Width]
	residual []float64 // [N], h(x)-y
}

// forward leaves w_r.x in p.act and returns the loss.
func (n *Network) forward(s *Set, p *pass) float64 {
	p.act = sized(p.act, s.N*n.Width)
	p.residual = sized(p.residual, s.N)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, s.matrix(), general(n.Width, n.D, n.W), 0, general(s.N, n.Width, p.act))
	scale := 1 / math.Sqrt(float64(n.Width))
	var loss float64
	for i := range s.N {
		var h float64
		for r, a := range p.act[i*n.Width : (i+1)*n.Width] {
			h += n.S[r] * max(a, 0)
		}
		e := scale*h - s.Y[i]
		p.residual[i] = e
		loss += e * e / 2
	}
	return loss / float64(s.N)
}

// backward writes the gradient of the loss by W after a forward pass. A unit whose input is exactly 0 counts as active, as in the Gram matrix of Definition 1.
func (n *Network) backward(s *Set, p *pass, grad []float64) {
	scale := 1 / math.Sqrt(float64(n.Width)) / float64(s.N)
	for i, e := range p.residual {
		for r, a := range p.act[i*n.Width : (i+1)*n.Width] {
			if a >= 0 {
				p.act[i*n.Width+r] = scale * e * n.S[r]
			} else {
				p.act[i*n.Width+r] = 0
			}
		}
	}
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, general(s.N, n.Width, p.act), s.matrix(), 0, general(n.Width, n.D, grad))
}

func sized(v []float64, n int) []float64 {
	if cap(v) < n {
		return make([]float64, n)
	}
	return v[:n]
}

// Loss is the mean loss. It fails for a set that is not valid or has inputs of another size.
func (n *Network) Loss(s *Set) (float64, error) {
	if err := n.fits(s); err != nil {
		return 0, err
	}
	return n.forward(s, &pass{}), nil
}

// Gradient is that of the mean loss by W, [Width, D]. It fails as Loss does.
func (n *Network) Gradient(s *Set) ([]float64, error) {
	if err := n.fits(s); err != nil {
		return nil, err
	}
	g, p := make([]float64, len(n.W)), &pass{}
	n.forward(s, p)
	n.backward(s, p, g)
	return g, nil
}

// Epoch is a network, what one epoch made of it, and the statistics of the gradients that it saw, all of mean losses over a batch.
type Epoch struct {
	Width int
	Seed  uint64
	Scale float64
	Start float64 // training loss before the epoch
	Train float64 // and after it
	Test  float64 // of images that were not trained on, after it
	// Sigma is the standard deviation of a weight's gradient over the batches (population), as the mean over the weights: the horizontal axis of Fig. 2.
	Sigma float64
	// Mean is the mean over weights of the absolute value of the gradients' mean over the batches.
	Mean float64
	// ZiCo is the score of the network's layer, ln sum_w mean|g_w|/std(g_w) over two batches (zico.ScoreGradients): the first two, at the initial weights.
	ZiCo float64
}

// EpochsConfig says what Epochs trains. The zero value of each field means the default in its comment.
type EpochsConfig struct {
	Widths []int     // default 64, 128, 256, 512, 1024
	Draws  int       // networks of each width and scale; default 20
	Scales []float64 // standard deviations of the initial weights; default 1
	Batch  int       // default 256, as in the paper
	Rate   float64   // default 1e-8, as in the paper
	Seed   uint64
	// Progress, if set, is told how many networks are done, from the goroutine of Epochs.
	Progress func(done, total int)
}

// Epochs is the experiment of the paper's Fig. 2: networks of several widths and draws, each trained for one epoch of gradient descent. Batches are the training set's images in order; what is left over at its end is not used. Networks come by scale, then width, then draw, and draw k of a width has the same seed whatever the rate and the sizes of the lists. It fails for sets that are not valid or differ in size, for fewer than two batches, for numbers that are not positive, for a network whose loss is not finite, and when ctx ends.
func Epochs(ctx context.Context, train, test *Set, c EpochsConfig) ([]Epoch, error) {
	if c.Widths == nil {
		c.Widths = []int{64, 128, 256, 512, 1024}
	}
	if c.Draws == 0 {
		c.Draws = 20
	}
	if c.Scales == nil {
		c.Scales = []float64{1}
	}
	if c.Batch == 0 {
		c.Batch = 256
	}
	if c.Rate == 0 {
		c.Rate = 1e-8
	}
	if err := train.Validate(); err != nil {
		return nil, err
	}
	if err := test.Validate(); err != nil {
		return nil, err
	}
	if train.D != test.D {
		return nil, fmt.Errorf("theory: training images of %d values, test images of %d", train.D, test.D)
	}
	if c.Draws < 0 || c.Batch < 1 || !(c.Rate > 0) || train.N/c.Batch < 2 {
		return nil, fmt.Errorf("theory: %d draws of networks, %d images in batches of %d, rate %v: there must be at least two batches, and every number must be positive", c.Draws, train.N, c.Batch, c.Rate)
	}
	return each(ctx, len(c.Scales)*len(c.Widths)*c.Draws, c.Progress, func(i int) (Epoch, error) {
		e := Epoch{Scale: c.Scales[i/(len(c.Widths)*c.Draws)], Width: c.Widths[i/c.Draws%len(c.Widths)], Seed: c.Seed + uint64(i%c.Draws)}
		n, err := NewNetwork(e.Width, train.D, e.Scale, e.Seed)
		if err != nil {
			return e, err
		}
		return e, e.run(ctx, n, train, test, c)
	})
}

// run trains the network.
func (e *Epoch) run(ctx context.Context, n *Network, train, test *Set, c EpochsConfig) error {
	p := &pass{}
	grads := make([][]float64, train.N/c.Batch)
	batch := func(b int) *Set { return train.part(b*c.Batch, (b+1)*c.Batch) }
	gradient := func(b int) {
		if grads[b] == nil {
			grads[b] = make([]float64, len(n.W))
		}
		n.forward(batch(b), p)
		n.backward(batch(b), p, grads[b])
	}
	gradient(0)
	gradient(1)
	e.ZiCo = ZiCo(grads[0], grads[1])
	e.Start = n.forward(train, p)
	for b := range grads {
		if err := ctx.Err(); err != nil {
			return err
		}
		gradient(b)
		for i, g := range grads[b] {
			n.W[i] -= c.Rate * g
		}
	}
	e.Mean, e.Sigma = spread(grads)
	e.Train = n.forward(train, p)
	e.Test = n.forward(test, p)
	if e.Train-e.Train != 0 || e.Test-e.Test != 0 {
		return fmt.Errorf("theory: width %d, seed %d, scale %v, rate %v: the loss is %v after the epoch: take a lower rate", e.Width, e.Seed, e.Scale, c.Rate, e.Train)
	}
	return nil
}

// spread returns, of gradients by batch and weight, the means over weights of |mean| and of the standard deviation over batches.
func spread(grads [][]float64) (mean, sigma float64) {
	k := float64(len(grads))
	for w := range grads[0] {
		var m, v float64
		for _, g := range grads {
			m += g[w] / k
		}
		for _, g := range grads {
			v += (g[w] - m) * (g[w] - m) / k
		}
		mean += math.Abs(m)
		sigma += math.Sqrt(v)
	}
	n := float64(len(grads[0]))
	return mean / n, sigma / n
}

// ZiCo is the score of one layer from the gradients of two batches, ln sum_w (|a_w|+|b_w|)/|a_w-b_w|, without the weights whose gradients are equal; 0 where all are. It is zico.ScoreGradients for a single layer, in float64 and without a device.
func ZiCo(a, b []float64) float64 {
	var sum float64
	for w, g := range a {
		if g != b[w] {
			sum += (math.Abs(g) + math.Abs(b[w])) / math.Abs(g-b[w])
		}
	}
	if sum == 0 {
		return 0
	}
	return math.Log(sum)
}
