package net_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// run evaluates a network on one image in float64, with weights that depend on the ordinal of the layer and its salt: enough to see whether two networks compute the same. Batch normalisation is over the pixels of the one image.
func run(n *net.Network, image []float64, salt func(layer int) float64) []float64 {
	out := make([][]float64, len(n.Nodes))
	out[0] = image
	for i := 1; i < len(n.Nodes); i++ {
		nd := &n.Nodes[i]
		s := nd.Shape
		x := out[nd.In[0]]
		in := n.Nodes[nd.In[0]].Shape
		y := make([]float64, s.Elements())
		switch nd.Op {
		case net.Conv, net.Linear:
			k, stride, pad, groups, dilation := max(1, nd.Kernel), max(1, nd.Stride), nd.Pad, max(1, nd.Groups), max(1, nd.Dilation)
			_, fan := n.WeightShape(i)
			weight := func(k int) float64 { return math.Sin(float64(nd.Layer)*12.9898 + float64(k)*78.233 + salt(nd.Layer)) }
			for o := range s.C {
				for h := range s.H {
					for w := range s.W {
						sum := 0.0
						if nd.Bias {
							sum = weight(-o - 1)
						}
						for c := range in.C / groups {
							for a := range k {
								for b := range k {
									r, q := h*stride+a*dilation-pad, w*stride+b*dilation-pad
									if r < 0 || q < 0 || r >= in.H || q >= in.W {
										continue
									}
									from := o/(s.C/groups)*(in.C/groups) + c
									sum += x[(from*in.H+r)*in.W+q] * weight(o*fan+(c*k+a)*k+b)
								}
							}
						}
						y[(o*s.H+h)*s.W+w] = sum
					}
				}
			}
		case net.BatchNorm:
			px := s.H * s.W
			for c := range s.C {
				ch := x[c*px : (c+1)*px]
				var mean, v float64
				for _, p := range ch {
					mean += p / float64(px)
				}
				for _, p := range ch {
					v += (p - mean) * (p - mean) / float64(px)
				}
				for k, p := range ch {
					y[c*px+k] = (p - mean) / math.Sqrt(v+nd.Eps)
				}
			}
		case net.ReLU:
			for k, p := range x {
				y[k] = max(p, 0)
			}
		case net.MaxPool:
			for c := range s.C {
				for h := range s.H {
					for w := range s.W {
						most := math.Inf(-1)
						for r := max(0, h*nd.Stride-nd.Pad); r < min(in.H, h*nd.Stride-nd.Pad+nd.Kernel); r++ {
							for q := max(0, w*nd.Stride-nd.Pad); q < min(in.W, w*nd.Stride-nd.Pad+nd.Kernel); q++ {
								most = max(most, x[(c*in.H+r)*in.W+q])
							}
						}
						y[(c*s.H+h)*s.W+w] = most
					}
				}
			}
		case net.AvgPool, net.GlobalAvgPool:
			k, stride, pad := nd.Kernel, nd.Stride, nd.Pad
			if nd.Op == net.GlobalAvgPool {
				k, stride, pad = max(in.H, in.W), 1, 0
			}
			for c := range s.C {
				for h := range s.H {
					for w := range s.W {
						sum, count := 0.0, 0
						for r := max(0, h*stride-pad); r < min(in.H, h*stride-pad+k); r++ {
							for q := max(0, w*stride-pad); q < min(in.W, w*stride-pad+k); q++ {
								sum += x[(c*in.H+r)*in.W+q]
								count++
							}
						}
						y[(c*s.H+h)*s.W+w] = sum / float64(count)
					}
				}
			}
		case net.Add:
			for _, j := range nd.In {
				for k, p := range out[j] {
					y[k] += p
				}
			}
		case net.Concat:
			y = y[:0]
			for _, j := range nd.In {
				y = append(y, out[j]...)
			}
		case net.Slice:
			copy(y, x[nd.From*s.H*s.W:])
		case net.Shift:
			for c := range s.C {
				for h := range s.H - 1 {
					for w := range s.W - 1 {
						y[(c*s.H+h)*s.W+w] = x[(c*s.H+h+1)*s.W+w+1]
					}
				}
			}
		case net.Sigmoid:
			for k, p := range x {
				y[k] = 1 / (1 + math.Exp(-p))
			}
		case net.Gate:
			for k, p := range x {
				y[k] = p * out[nd.In[1]][k/(s.H*s.W)]
			}
		case net.Scale:
			for k, p := range x {
				y[k] = nd.Factor * p
			}
		case net.Zero:
		default:
			panic("the test does not know " + nd.Op.String())
		}
		out[i] = y
	}
	return out[n.Output]
}

// same gives all layers the same salt.
func same(int) float64 { return 0 }

// TestPruneKeepsLogits checks on random cells, most of them with dead edges, that pruning leaves the logits alone, keeps ordinals, and removes something where there is something to remove.
func TestPruneKeepsLogits(t *testing.T) {
	space := natstss.Space{C: 2, N: 1}
	rng := rand.New(rand.NewPCG(1, 2))
	image := make([]float64, 3*8*8)
	for i := range image {
		image[i] = rng.NormFloat64()
	}
	removed := 0
	for range 150 {
		a := space.Sample(rng)
		n, err := space.Network(a, spaces.Input{Size: 8, Classes: 3})
		if err != nil {
			t.Fatal(err)
		}
		before := len(n.Nodes)
		p, gone := net.Prune(n)
		if len(n.Nodes) != before {
			t.Fatalf("%s: Prune changed its argument", a)
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("%s: pruned: %v", a, err)
		}
		removed += len(gone)
		for i := range p.Nodes {
			if l := p.Nodes[i].Layer; l >= 0 && slices.Contains(gone, l) {
				t.Errorf("%s: layer %d is said to be gone and is there", a, l)
			}
		}
		want, got := run(n, image, same), run(p, image, same)
		for k := range want {
			if math.Abs(want[k]-got[k]) > 1e-9 {
				t.Errorf("%s: logit %d is %v after pruning, %v before\n%s", a, k, got[k], want[k], p)
			}
		}
	}
	if removed == 0 {
		t.Error("150 random cells had nothing to prune")
	}
}

// randomNetwork draws a graph of all kinds of layers in which zeros are frequent and most sums, joins and gates meet one.
func randomNetwork(rng *rand.Rand) (*net.Network, error) {
	b := net.NewBuilder("random", net.Shape{C: 3, H: 6, W: 6})
	nodes := []int{0, b.Conv("", 0, 4, 3, 1), b.Add(net.Node{Op: net.Zero, In: []int{0}, Shape: net.Shape{C: 4, H: 6, W: 6}})}
	// any draws one of the nodes, preferring the latest; like draws one of the shape of x.
	any := func() int { return nodes[len(nodes)-1-rng.IntN(min(len(nodes), 8))] }
	like := func(x int) int {
		for range 20 {
			if y := any(); b.Shape(y) == b.Shape(x) {
				return y
			}
		}
		return x
	}
	for range 8 + rng.IntN(16) {
		x := any()
		c, in := b.Shape(x).C, []int{x}
		var nd net.Node
		switch net.Op(1 + rng.IntN(15)) {
		case net.Conv:
			nd = net.Node{Op: net.Conv, Out: c * (1 + rng.IntN(2)), Kernel: 1 + 2*rng.IntN(2), Bias: rng.IntN(3) == 0}
			nd.Dilation = rng.IntN(3)
			nd.Pad = nd.Kernel / 2 * max(1, nd.Dilation)
			if rng.IntN(3) == 0 {
				nd.Groups = c
			}
		case net.BatchNorm:
			nd.Op = net.BatchNorm
		case net.ReLU:
			nd.Op = net.ReLU
		case net.AvgPool:
			nd = net.Node{Op: net.AvgPool, Kernel: 3, Pad: 1}
		case net.MaxPool:
			nd = net.Node{Op: net.MaxPool, Kernel: 3, Pad: 1}
		case net.Linear, net.GlobalAvgPool: // squeeze and excitation
			p := b.Add(net.Node{Op: net.GlobalAvgPool, In: in})
			g := b.Add(net.Node{Op: net.Linear, In: []int{p}, Out: c, Bias: rng.IntN(2) == 0})
			if rng.IntN(2) == 0 {
				g = b.Add(net.Node{Op: net.Sigmoid, In: []int{g}})
			}
			in = []int{x, g}
			nd.Op = net.Gate
		case net.Add:
			nd.Op = net.Add
			in = []int{x, like(x), like(x)}[:1+rng.IntN(3)]
		case net.Concat:
			nd.Op = net.Concat
			in = []int{x, like(x)}
		case net.Slice:
			nd = net.Node{Op: net.Slice, From: c / 2, To: c}
		case net.Shift:
			nd.Op = net.Shift
		case net.Sigmoid:
			nd.Op = net.Sigmoid
		case net.Scale:
			nd = net.Node{Op: net.Scale, Factor: 0.2}
		default:
			nd.Op = net.Zero
		}
		if c > 32 {
			nd = net.Node{Op: net.Slice, To: 2}
			in = in[:1]
		}
		nd.In = in
		nodes = append(nodes, b.Add(nd))
	}
	return b.Network(b.Head("", nodes[len(nodes)-1], 3))
}

// TestPruneRandom checks on random graphs that pruning leaves logits alone for any weights, so also the gradients of the weights that stay, and that the weights that went made no difference to the logits, so had gradients of zero.
func TestPruneRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	image := make([]float64, 3*6*6)
	for i := range image {
		image[i] = rng.NormFloat64()
	}
	gonePer, used, usedAfter := 0, map[net.Op]int{}, map[net.Op]int{}
	for k := range 600 {
		n, err := randomNetwork(rng)
		if err != nil {
			t.Fatalf("network %d: %v", k, err)
		}
		p, gone := net.Prune(n)
		if err := p.Validate(); err != nil {
			t.Fatalf("network %d: pruned: %v\n%s", k, err, n)
		}
		if len(p.Nodes) > len(n.Nodes)+1 {
			t.Errorf("network %d grows from %d to %d nodes", k, len(n.Nodes), len(p.Nodes))
		}
		if again, more := net.Prune(p); len(again.Nodes) != len(p.Nodes) || !slices.Equal(more, nil) {
			t.Errorf("network %d: pruning again removes more: %v\n%s", k, more, p)
		}
		gonePer += len(gone)
		for i := range n.Nodes {
			used[n.Nodes[i].Op]++
		}
		for i := range p.Nodes {
			usedAfter[p.Nodes[i].Op]++
		}
		salt := func(layer int) float64 {
			if slices.Contains(gone, layer) {
				return 1
			}
			return 0
		}
		want := run(n, image, same)
		for name, got := range map[string][]float64{
			"the pruned network":                        run(p, image, same),
			"other weights in the layers that are gone": run(n, image, salt),
		} {
			if !slices.Equal(got, want) {
				t.Fatalf("network %d: %s: logits %v, want %v; gone %v\n%s\n%s", k, name, got, want, gone, n, p)
			}
		}
	}
	if gonePer < 600 {
		t.Errorf("only %d layers of 600 networks are pruned: the test tests little", gonePer)
	}
	for op := net.Input; op <= net.Zero; op++ {
		if used[op] < 50 || usedAfter[op] < 20 {
			t.Errorf("%s is used %d times, and %d times after pruning: the test tests it little", op, used[op], usedAfter[op])
		}
	}
}

// TestPruneDead checks the cell whose output is zero: the classifier stays, on zeros.
func TestPruneDead(t *testing.T) {
	n, err := natstss.Space{C: 4, N: 1}.Network("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|none~2|", spaces.Input{Size: 8, Classes: 3})
	if err != nil {
		t.Fatal(err)
	}
	p, gone := net.Prune(n)
	if len(p.Nodes) != 3 || p.Nodes[1].Op != net.Zero || p.Nodes[2].Op != net.Linear {
		t.Errorf("the pruned network is\n%s\nwant input, zero, linear", p)
	}
	if len(gone) != n.Layers-1 {
		t.Errorf("%d of %d layers are gone, want all but the classifier", len(gone), n.Layers)
	}
}

// TestPruneZeros checks for each layer whether it passes exact zeros on: if so, and only then, nothing is left of it but zeros in front of the classifier.
func TestPruneZeros(t *testing.T) {
	for name, c := range map[string]struct {
		zero  bool
		build func(b *net.Builder, x, z int) int
	}{
		"conv":      {true, func(b *net.Builder, x, z int) int { return b.Conv("", z, 4, 3, 1) }},
		"depthwise": {true, func(b *net.Builder, x, z int) int { return b.Depthwise("", z, 3, 1) }},
		"conv with bias": {false, func(b *net.Builder, x, z int) int {
			return b.Add(net.Node{Op: net.Conv, In: []int{z}, Out: 4, Kernel: 1, Bias: true})
		}},
		"batchnorm": {true, func(b *net.Builder, x, z int) int { return b.BatchNorm("", z, 0) }},
		"relu":      {true, func(b *net.Builder, x, z int) int { return b.ReLU(z) }},
		"avgpool": {true, func(b *net.Builder, x, z int) int {
			return b.Add(net.Node{Op: net.AvgPool, In: []int{z}, Kernel: 3, Pad: 1})
		}},
		"maxpool": {true, func(b *net.Builder, x, z int) int {
			return b.Add(net.Node{Op: net.MaxPool, In: []int{z}, Kernel: 3, Pad: 1})
		}},
		"sum of zeros":    {true, func(b *net.Builder, x, z int) int { return b.Sum(z, z) }},
		"sum":             {false, func(b *net.Builder, x, z int) int { return b.Sum(z, x) }},
		"concat of zeros": {true, func(b *net.Builder, x, z int) int { return b.Add(net.Node{Op: net.Concat, In: []int{z, z}}) }},
		"concat":          {false, func(b *net.Builder, x, z int) int { return b.Add(net.Node{Op: net.Concat, In: []int{z, x}}) }},
		"slice":           {true, func(b *net.Builder, x, z int) int { return b.Add(net.Node{Op: net.Slice, In: []int{z}, To: 2}) }},
		"shift":           {true, func(b *net.Builder, x, z int) int { return b.Add(net.Node{Op: net.Shift, In: []int{z}}) }},
		"scale":           {true, func(b *net.Builder, x, z int) int { return b.Add(net.Node{Op: net.Scale, In: []int{z}, Factor: 2}) }},
		"sigmoid":         {false, func(b *net.Builder, x, z int) int { return b.Add(net.Node{Op: net.Sigmoid, In: []int{z}}) }},
		"gated zeros": {true, func(b *net.Builder, x, z int) int {
			return b.Add(net.Node{Op: net.Gate, In: []int{z, b.Add(net.Node{Op: net.GlobalAvgPool, In: []int{x}})}})
		}},
		"gated by zeros": {true, func(b *net.Builder, x, z int) int {
			return b.Add(net.Node{Op: net.Gate, In: []int{x, b.Add(net.Node{Op: net.GlobalAvgPool, In: []int{z}})}})
		}},
		"linear without bias": {true, func(b *net.Builder, x, z int) int {
			return b.Add(net.Node{Op: net.Linear, In: []int{b.Add(net.Node{Op: net.GlobalAvgPool, In: []int{z}})}, Out: 4})
		}},
	} {
		b := net.NewBuilder(name, net.Shape{C: 3, H: 4, W: 4})
		x := b.Conv("", 0, 4, 3, 1)
		n, err := b.Network(b.Head("", c.build(b, x, b.Add(net.Node{Op: net.Zero, In: []int{x}})), 3))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p, _ := net.Prune(n)
		if zero := len(p.Nodes) == 3 && p.Nodes[1].Op == net.Zero && p.Nodes[2].Op == net.Linear; zero != c.zero {
			t.Errorf("%s: only zeros are left: %t, want %t\n%s", name, zero, c.zero, p)
		}
	}
}

// TestShapes checks inference for what the networks of the literature use, odd sizes included.
func TestShapes(t *testing.T) {
	b := net.NewBuilder("shapes", net.Shape{C: 3, H: 17, W: 12})
	x := b.Conv("", 0, 8, 3, 2)
	for _, want := range []struct {
		node int
		s    net.Shape
	}{
		{x, net.Shape{C: 8, H: 9, W: 6}},
		{b.Depthwise("", x, 5, 2), net.Shape{C: 8, H: 5, W: 3}},
		{b.Add(net.Node{Op: net.Conv, In: []int{x}, Out: 4, Kernel: 3, Pad: 2, Dilation: 2}), net.Shape{C: 4, H: 9, W: 6}},
		{b.Add(net.Node{Op: net.Conv, In: []int{x}, Out: 4, Kernel: 5, Stride: 2, Pad: 4, Dilation: 2}), net.Shape{C: 4, H: 5, W: 3}},
		{b.Add(net.Node{Op: net.Conv, In: []int{x}, Out: 4, Kernel: 2, Dilation: 5}), net.Shape{C: 4, H: 4, W: 1}},
		{b.Add(net.Node{Op: net.MaxPool, In: []int{x}, Kernel: 2, Stride: 2}), net.Shape{C: 8, H: 4, W: 3}},
		{b.Add(net.Node{Op: net.Concat, In: []int{x, x}}), net.Shape{C: 16, H: 9, W: 6}},
		{b.Add(net.Node{Op: net.Slice, In: []int{x}, From: 2, To: 7}), net.Shape{C: 5, H: 9, W: 6}},
		{b.Add(net.Node{Op: net.Shift, In: []int{x}}), net.Shape{C: 8, H: 9, W: 6}},
		{b.Head("", x, 7), net.Shape{C: 7, H: 1, W: 1}},
	} {
		if got := b.Shape(want.node); got != want.s {
			t.Errorf("node %d has shape %v, want %v", want.node, got, want.s)
		}
	}
}

// TestBad checks that what cannot be is refused with the node named.
func TestBad(t *testing.T) {
	in := net.Shape{C: 4, H: 4, W: 4}
	for want, add := range map[string]func(b *net.Builder) int{
		"do not divide": func(b *net.Builder) int {
			return b.Add(net.Node{Op: net.Conv, In: []int{0}, Out: 6, Kernel: 1, Groups: 4})
		},
		"collapses":       func(b *net.Builder) int { return b.Add(net.Node{Op: net.AvgPool, In: []int{0}, Kernel: 5, Stride: 1}) },
		"needs a vector":  func(b *net.Builder) int { return b.Add(net.Node{Op: net.Linear, In: []int{0}, Out: 3}) },
		"adds":            func(b *net.Builder) int { return b.Sum(0, b.Conv("", 0, 8, 1, 1)) },
		"joins":           func(b *net.Builder) int { return b.Add(net.Node{Op: net.Concat, In: []int{0, b.Conv("", 0, 8, 3, 2)}}) },
		"channels 2 to 9": func(b *net.Builder) int { return b.Add(net.Node{Op: net.Slice, In: []int{0}, From: 2, To: 9}) },
		"does not match":  func(b *net.Builder) int { return b.Add(net.Node{Op: net.Gate, In: []int{0, 0}}) },
		"not an earlier":  func(b *net.Builder) int { return b.Add(net.Node{Op: net.ReLU, In: []int{7}}) },
		"must be positi":  func(b *net.Builder) int { return b.BatchNorm("", 0, -1) },
		"2^40 elements":   func(b *net.Builder) int { return b.Conv("", 0, 1<<60, 1, 1) },
		"weights are more": func(b *net.Builder) int {
			return b.Add(net.Node{Op: net.Conv, In: []int{b.Conv("", 0, 1<<20, 1, 4)}, Out: 1 << 20, Kernel: 3, Pad: 1})
		},
		"multiply-accumulates are": func(b *net.Builder) int {
			return b.Add(net.Node{Op: net.Conv, In: []int{b.Conv("", 0, 1<<20, 1, 1)}, Out: 1 << 20, Kernel: 1, Pad: 1 << 6})
		},
		"dilation -1": func(b *net.Builder) int {
			return b.Add(net.Node{Op: net.Conv, In: []int{0}, Out: 4, Kernel: 3, Pad: 1, Dilation: -1})
		},
		"[4,4,4] collapses to [4,0,0]": func(b *net.Builder) int {
			return b.Add(net.Node{Op: net.Conv, In: []int{0}, Out: 4, Kernel: 3, Pad: 1, Dilation: 3})
		},
		"[4,4,4] collapses to": func(b *net.Builder) int {
			return b.Add(net.Node{Op: net.Conv, In: []int{0}, Out: 4, Kernel: 3, Pad: 1, Dilation: math.MaxInt})
		},
		"stride -1": func(b *net.Builder) int { return b.Conv("", 0, 4, 3, -1) },
		"factor 0":  func(b *net.Builder) int { return b.Add(net.Node{Op: net.Scale, In: []int{0}}) },
		"needs 2":   func(b *net.Builder) int { return b.Add(net.Node{Op: net.Gate, In: []int{0}}) },
	} {
		b := net.NewBuilder("bad", in)
		_, err := b.Network(b.Head("", add(b), 3))
		if !errors.Is(err, net.ErrShape) || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want ErrShape with %q", err, want)
		}
	}
	if _, err := net.NewBuilder("bad", net.Shape{C: 3}).Network(0); err == nil {
		t.Error("an empty image is accepted")
	}
	b := net.NewBuilder("bad", in)
	if _, err := b.Network(b.Conv("", 0, 3, 3, 1)); err == nil || !strings.Contains(err.Error(), "vector of logits") {
		t.Errorf("a picture as output gives %v", err)
	}
	b = net.NewBuilder("bad", in)
	b.SetLayer(b.ReLU(0), 0)
	if _, err := b.Network(1); err == nil || !strings.Contains(err.Error(), "node 1 is no convolution") {
		t.Errorf("an ordinal for a ReLU gives %v", err)
	}
	b = net.NewBuilder("bad", in)
	x := b.Head("", b.Conv("", 0, 3, 3, 1), 2)
	b.SetLayer(x, 0)
	if _, err := b.Network(x); err == nil || !strings.Contains(err.Error(), "ordinal") {
		t.Errorf("two layers of the same ordinal give %v", err)
	}
	if _, err := (natstss.Space{C: 4, N: 1}).Network("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", spaces.Input{Size: 1, Classes: 2}); !errors.Is(err, net.ErrShape) {
		t.Errorf("a picture of one pixel in a network that halves it twice gives %v", err)
	}
}

// TestConventions compares the ways to count on a network small enough to count by hand.
func TestConventions(t *testing.T) {
	b := net.NewBuilder("counts", net.Shape{C: 3, H: 4, W: 4})
	x := b.ReLU(b.BatchNorm("", b.Conv("", 0, 8, 3, 2), 0))
	n, err := b.Network(b.Head("", x, 5))
	if err != nil {
		t.Fatal(err)
	}
	macs := int64(8*2*2*27 + 8*5)
	for c, want := range map[net.Convention]int64{net.MACs: macs, net.XAutoDL: macs + 5, net.PTFlops: macs + 5 + 2*32 + 32 + 32} {
		if got := net.FLOPs(n, c); got != want {
			t.Errorf("%s: %d, want %d", c, got, want)
		}
	}
	if got, want := net.Params(n), int64(8*27+2*8+8*5+5); got != want {
		t.Errorf("%d parameters, want %d", got, want)
	}
}

// rect is a box of a drawing, or the picture itself.
type rect struct{ X, Y, Width, Height int }

// drawing reads an SVG picture: its size and the boxes of its layers.
func drawing(t *testing.T, svg string) (picture rect, boxes []rect) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	inBox := false
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return picture, boxes
		}
		if err != nil {
			t.Fatalf("the SVG is not well-formed: %v", err)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if e.Name.Local == "g" {
			inBox = true
		}
		var r rect
		for _, a := range e.Attr {
			v, _ := strconv.Atoi(a.Value)
			switch a.Name.Local {
			case "x":
				r.X = v
			case "y":
				r.Y = v
			case "width":
				r.Width = v
			case "height":
				r.Height = v
			case "id", "class", "href":
				t.Errorf("the SVG has %s=%q: two pictures on a page would meet", a.Name.Local, a.Value)
			}
		}
		switch {
		case e.Name.Local == "svg":
			picture = r
		case e.Name.Local == "rect" && inBox:
			boxes = append(boxes, r)
		}
	}
}

// TestSVG checks that every layer has its box, inside the picture, and that no two boxes overlap: in cells, in chains of many columns, in random graphs, and in one with more long edges than can be drawn tidily.
func TestSVG(t *testing.T) {
	networks := map[string]*net.Network{}
	put := func(name string, n *net.Network, err error) {
		if err != nil {
			t.Fatal(err)
		}
		networks[name] = n
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for depth := range 6 {
		space := natstss.Space{C: 16, N: 1 + 3*depth}
		n, err := space.Network(space.Sample(rng), spaces.Input{Size: 32, Classes: 10})
		put(space.Name(), n, err)
	}
	for k := range 40 {
		n, err := randomNetwork(rng)
		put(fmt.Sprint("random ", k), n, err)
	}
	b := net.NewBuilder(`<&"`+"\x01\xff", net.Shape{C: 3, H: 4, W: 4})
	x := 0
	for range 500 {
		x = b.Sum(x, rng.IntN(x+1))
	}
	n, err := b.Network(b.Head("", x, 3))
	put("deep", n, err)
	for name, n := range networks {
		picture, boxes := drawing(t, n.SVG())
		if len(boxes) != len(n.Nodes) {
			t.Errorf("%s: %d boxes for %d layers", name, len(boxes), len(n.Nodes))
		}
		for i, r := range boxes {
			if r.X < 0 || r.Y < 0 || r.X+r.Width > picture.Width || r.Y+r.Height > picture.Height {
				t.Fatalf("%s: the box %v is not inside the picture %v", name, r, picture)
			}
			for _, q := range boxes[:i] {
				if r.X < q.X+q.Width && q.X < r.X+r.Width && r.Y < q.Y+q.Height && q.Y < r.Y+r.Height {
					t.Fatalf("%s: the boxes %v and %v overlap", name, q, r)
				}
			}
		}
	}
}

// TestText checks that the table and the graph carry layers, inputs and shapes.
func TestText(t *testing.T) {
	n, err := natstss.Space{C: 16, N: 5}.Network("|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|", spaces.Input{Size: 32, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	edges := 0
	for i := range n.Nodes {
		edges += len(n.Nodes[i].In)
	}
	if got := strings.Count(n.DOT(), " -> "); got != edges {
		t.Errorf("DOT has %d edges, want %d", got, edges)
	}
	for _, part := range []string{"cells.5.conv_a.op.1", "conv 3x3/2 32", "[64,8,8]"} {
		if !strings.Contains(n.String(), part) {
			t.Errorf("String lacks %q", part)
		}
	}
}

// FuzzNetwork builds networks from random bytes: whatever they say, the answer is a valid network or an error.
func FuzzNetwork(f *testing.F) {
	f.Add([]byte{1, 0, 8, 3, 1, 1, 6, 1, 0, 0, 0, 0, 7, 2, 3, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		b := net.NewBuilder("fuzz", net.Shape{C: 3, H: 9, W: 9})
		last := 0
		for len(data) >= 6 {
			in := []int{int(data[1])}
			if data[0]%16 >= 8 {
				in = append(in, int(data[5]))
			}
			last = b.Add(net.Node{Op: net.Op(data[0] % 16), In: in, Out: int(int8(data[2])), Kernel: int(int8(data[3])), Stride: int(int8(data[4])), Pad: int(int8(data[5])), Groups: int(data[2] % 5), To: int(data[3])})
			data = data[6:]
		}
		n, err := b.Network(last)
		if err != nil {
			return
		}
		p, _ := net.Prune(n)
		if err := p.Validate(); err != nil {
			t.Errorf("pruned: %v\n%s", err, n)
		}
		_, _, _, _ = n.String(), n.DOT(), n.SVG(), net.FLOPs(n, net.PTFlops)
	})
}

// FuzzValidate validates networks that no builder has made, with any numbers in any field.
func FuzzValidate(f *testing.F) {
	f.Add(int64(3), int64(1), int64(2), []byte{1, 0, 8, 3, 1, 1, 6, 1, 0, 0, 0, 0, 7, 2, 3, 0, 0, 0})
	f.Add(int64(-3), int64(-1), int64(-1), []byte{1, 0, 8, 3, 1, 1})
	f.Fuzz(func(t *testing.T, size, output, layers int64, data []byte) {
		n := &net.Network{Name: "fuzz", Input: net.Shape{C: 3, H: int(size), W: 5}, Output: int(output), Layers: int(layers), Classes: 3}
		n.Nodes = append(n.Nodes, net.Node{})
		for len(data) >= 6 {
			v := func(i int) int { return int(int8(data[i])) << (data[0] / 16 * 4) }
			nd := net.Node{Op: net.Op(data[0] % 16), Layer: v(1), Out: v(2), Kernel: v(3), Stride: v(4), Pad: v(5), Groups: v(1), From: v(2), To: v(3), Dilation: int(data[2] % 4), Eps: float64(v(4)), Bias: data[5]%2 == 1, Shape: net.Shape{C: v(3), H: v(4), W: v(5)}}
			for k := range data[1] % 4 {
				nd.In = append(nd.In, int(int8(data[2+k])))
			}
			n.Nodes = append(n.Nodes, nd)
			data = data[6:]
		}
		if n.Validate() != nil {
			return
		}
		if net.Params(n) < 0 || net.FLOPs(n, net.PTFlops) < 0 {
			t.Errorf("negative counts: %d parameters, %d FLOPs", net.Params(n), net.FLOPs(n, net.PTFlops))
		}
		p, _ := net.Prune(n)
		if err := p.Validate(); err != nil {
			t.Errorf("pruned: %v\n%s", err, n)
		}
		_, _, _ = n.String(), n.DOT(), n.SVG()
	})
}

func ExampleBuilder() {
	b := net.NewBuilder("small", net.Shape{C: 3, H: 32, W: 32})
	x := b.ReLU(b.BatchNorm("bn", b.Conv("conv", 0, 16, 3, 2), 0))
	n, err := b.Network(b.Head("classifier", x, 10))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(n)
	// Output:
	// small: [3,32,32] to 10 classes, 2 weighted layers, 634 parameters, 110752 multiply-accumulates
	// node  layer          name        inputs  shape       parameters  MACs
	// 0     input          input               [3,32,32]
	// 1     conv 3x3/2 16  conv        0       [16,16,16]  432         110592
	// 2     batchnorm      bn          1       [16,16,16]  32
	// 3     relu                       2       [16,16,16]
	// 4     globalavgpool              3       [16,1,1]
	// 5     linear 10      classifier  4       [10,1,1]    170         160
}
