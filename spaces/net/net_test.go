package net_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// run evaluates a network on one image in float64, with weights that depend on the ordinal of the layer: enough to see whether two networks compute the same. Batch normalisation is over the pixels of the one image.
func run(n *net.Network, image []float64) []float64 {
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
			k, stride, pad, groups := max(1, nd.Kernel), max(1, nd.Stride), nd.Pad, max(1, nd.Groups)
			_, fan := n.WeightShape(i)
			for o := range s.C {
				for h := range s.H {
					for w := range s.W {
						sum := 0.0
						if nd.Bias {
							sum = weight(nd.Layer, -o-1)
						}
						for c := range in.C / groups {
							for a := range k {
								for b := range k {
									r, q := h*stride+a-pad, w*stride+b-pad
									if r < 0 || q < 0 || r >= in.H || q >= in.W {
										continue
									}
									from := o/(s.C/groups)*(in.C/groups) + c
									sum += x[(from*in.H+r)*in.W+q] * weight(nd.Layer, o*fan+(c*k+a)*k+b)
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
		case net.Zero:
		default:
			panic("the test does not know " + nd.Op.String())
		}
		out[i] = y
	}
	return out[n.Output]
}

func weight(layer, i int) float64 { return math.Sin(float64(layer)*12.9898 + float64(i)*78.233) }

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
		want, got := run(n, image), run(p, image)
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
		"needs 2":         func(b *net.Builder) int { return b.Add(net.Node{Op: net.Gate, In: []int{0}}) },
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

// TestDrawings checks that drawings are whole and carry every layer.
func TestDrawings(t *testing.T) {
	n, err := natstss.Space{C: 16, N: 5}.Network("|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|", spaces.Input{Size: 32, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	n.Name = `<&"` + "\x01"
	d := xml.NewDecoder(strings.NewReader(n.SVG()))
	boxes := 0
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the SVG is not well-formed: %v", err)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "g" {
			boxes++
		}
	}
	if boxes != len(n.Nodes) {
		t.Errorf("%d boxes for %d layers", boxes, len(n.Nodes))
	}
	if got := strings.Count(n.DOT(), "->"); got < len(n.Nodes)-1 {
		t.Errorf("DOT has %d edges", got)
	}
	for _, name := range []string{"cells.5.conv_a.op.1", "conv 3x3/2 32", "[64,8,8]"} {
		if !strings.Contains(n.String(), name) {
			t.Errorf("String lacks %q", name)
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
