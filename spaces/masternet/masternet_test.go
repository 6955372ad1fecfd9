package masternet

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/spacetest"
)

var imageNet = Space{}.Input()

func TestSpace(t *testing.T) {
	var malformed []string
	for _, m := range refused {
		malformed = append(malformed, strings.Replace(m.input, "►", "", 1))
	}
	spacetest.Run(t, Space{}, malformed...)
	spacetest.Run(t, Space{ResLink: true, SE: true}, malformed...)
}

// TestGolden compares names, order, shapes and counts with the reference's networks.
func TestGolden(t *testing.T) {
	spacetest.Golden(t, "plainnet", func(raw json.RawMessage, in spaces.Input) (*net.Network, error) {
		var e struct {
			Arch      spaces.Arch
			NoReslink bool `json:"no_reslink"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, err
		}
		return Space{ResLink: !e.NoReslink}.Network(e.Arch, in)
	})
}

// TestKnown checks that the built-in structures are canonical, and those that the reference publishes with its counts.
func TestKnown(t *testing.T) {
	for _, k := range Known() {
		for _, in := range []string{k.Name, string(k.Arch), " " + k.Name + "\n"} {
			if a, err := (Space{}).Parse(in); err != nil || a != k.Arch {
				t.Errorf("Parse(%q) gives %q, %v, want %q", in, a, err, k.Arch)
			}
		}
		if k.Doc == "" {
			t.Errorf("%s has no description", k.Name)
		}
	}
	files(t, func(t *testing.T, f *file) {
		for _, p := range f.Published {
			name := p.Name
			if name == "init_plainnet" {
				name = "initial"
			}
			a, err := Space{}.Parse(name)
			if err != nil || a != p.Structure {
				t.Errorf("%s is %q, %v, want %q", name, a, err, p.Structure)
			}
			n, err := Space{}.Network(p.Structure, imageNet)
			if err != nil {
				t.Fatal(err)
			}
			scored, budget := count(t, Space{}, p.Structure), budget(t, p.Structure)
			for what, got := range map[string]float64{
				"params_all_tensors":    float64(net.Params(n)),
				"params_conv_linear_bn": float64(net.Params(n)),
				"xautodl_params":        float64(net.Params(n)),
				"xautodl_flops":         float64(net.FLOPs(n, net.XAutoDL)),
				"num_conv_linear":       float64(n.Layers),
				"num_bn":                float64(norms(n)),
				"budget_flops_reslink":  budget.FLOPs,
				"budget_params_reslink": float64(budget.Params),
				"flops_no_reslink":      scored.FLOPs,
				"params_no_reslink":     float64(scored.Params),
				"num_layers":            float64(scored.Layers),
			} {
				if want, ok := p.Counts[what]; !ok || got != want {
					t.Errorf("%s: %s is %.16g, want %.16g", p.Name, what, got, want)
				}
			}
		}
	})
}

func norms(n *net.Network) int {
	k := 0
	for i := range n.Nodes {
		if n.Nodes[i].Op == net.BatchNorm {
			k++
		}
	}
	return k
}

// TestEpsilon checks that every batch normalisation has MasterNet's epsilon, those of links and gates too.
func TestEpsilon(t *testing.T) {
	n, err := Space{ResLink: true, SE: true}.Network(known[0].Arch, imageNet)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n.Nodes {
		if nd := &n.Nodes[i]; nd.Op == net.BatchNorm && nd.Eps != 1e-3 {
			t.Errorf("%s has the epsilon %g", nd.Name, nd.Eps)
		}
	}
}

// TestSE checks where squeeze and excitation stands in each kind of super block: before the last convolution of each path, with a quarter of the channels, rounded half to even, between its convolutions.
func TestSE(t *testing.T) {
	const a = "SuperConvK3BNRELU(3,8,2,1)SuperResK3K3(8,16,1,10,1)SuperResK1K3K1(16,16,1,14,1)SuperResIDWE2K3(16,24,1,8,1)SuperConvK1BNRELU(24,64,1,1)"
	n, err := Space{SE: true}.Network(a, spaces.Input{Size: 32, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		if nd.Op != net.Gate {
			continue
		}
		gate := nd.In[1]
		down, up := &n.Nodes[gate-5], &n.Nodes[gate-2]
		got = append(got, strings.Join([]string{down.Name, down.Shape.String(), up.Name, up.Shape.String(), n.Nodes[i+1].Name}, " "))
		if ops := []net.Op{n.Nodes[gate-6].Op, down.Op, n.Nodes[gate-4].Op, n.Nodes[gate-3].Op, up.Op, n.Nodes[gate-1].Op, n.Nodes[gate].Op}; !slices.Equal(ops, []net.Op{net.GlobalAvgPool, net.Conv, net.BatchNorm, net.ReLU, net.Conv, net.BatchNorm, net.Sigmoid}) {
			t.Errorf("the gate before %s is made of %v", n.Nodes[i+1].Name, ops)
		}
	}
	want := []string{
		"module_list.1.module_list.3.netblock.1 [2,1,1] module_list.1.module_list.3.netblock.4 [10,1,1] module_list.1.module_list.4.netblock",
		"module_list.2.module_list.6.netblock.1 [4,1,1] module_list.2.module_list.6.netblock.4 [14,1,1] module_list.2.module_list.7.netblock",
		"module_list.2.module_list.16.netblock.1 [4,1,1] module_list.2.module_list.16.netblock.4 [14,1,1] module_list.2.module_list.17.netblock",
		"module_list.3.module_list.6.netblock.1 [4,1,1] module_list.3.module_list.6.netblock.4 [16,1,1] module_list.3.module_list.7.netblock",
		"module_list.3.module_list.16.netblock.1 [12,1,1] module_list.3.module_list.16.netblock.4 [48,1,1] module_list.3.module_list.17.netblock",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the gates are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// By the formulas of section 3 of the specification: 2*c*cs + c + c*r*r and 2*c*cs + 2*cs + 2*c at 16 pixels for each of the five.
	with, without := countAt(t, Space{SE: true}, a, 32), countAt(t, Space{}, a, 32)
	flops, params := 0.0, int64(0)
	for _, g := range [][2]int{{10, 2}, {14, 4}, {14, 4}, {16, 4}, {48, 12}} {
		c, cs := g[0], g[1]
		flops += float64(2*c*cs + c + c*16*16)
		params += int64(2*c*cs + 2*cs + 2*c)
	}
	if with.FLOPs-without.FLOPs != flops || with.Params-without.Params != params {
		t.Errorf("the gates count %g FLOPs and %d parameters, want %g and %d", with.FLOPs-without.FLOPs, with.Params-without.Params, flops, params)
	}
	// The reference's count of parameters has all weights of a gate and both parameters of its normalisations: what package net adds, too.
	plain, err := Space{}.Network(a, spaces.Input{Size: 32, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	if d := net.Params(n) - net.Params(plain); d != params {
		t.Errorf("package net counts %d parameters in the gates, the reference %d", d, params)
	}
}

// TestRoundTrip parses and prints sampled and mutated structures.
func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for range 10000 {
		a := Space{}.Sample(rng)
		if back, err := (Space{}).Parse(string(a)); err != nil || back != a {
			t.Fatalf("Parse(%q) gives %q, %v", a, back, err)
		}
	}
}

func TestNotCanonical(t *testing.T) {
	labelled := spaces.Arch(strings.Replace(string(known[0].Arch), "(8,32", "(x|8,32", 1))
	for a, pos := range map[spaces.Arch]int{
		labelled:            strings.Index(string(labelled), "x|"),
		"zico_450M":         0,
		" " + known[0].Arch: 0,
	} {
		_, err := Space{}.Network(a, imageNet)
		var p *spaces.ParseError
		if !errors.As(err, &p) || p.Pos != pos {
			t.Errorf("Network(%q) gives %v, want a *spaces.ParseError at %d", a, err, pos)
		}
		if _, err := (Space{}).Count(a, imageNet); err == nil {
			t.Errorf("Count(%q) gives no error", a)
		}
		if _, err := (Space{}).Expand(a); err == nil {
			t.Errorf("Expand(%q) gives no error", a)
		}
	}
}

// TestTooSmall checks images that a network shrinks to nothing: padding keeps one pixel of them.
func TestTooSmall(t *testing.T) {
	n, err := Space{}.Network(known[0].Arch, spaces.Input{Size: 1, Classes: 10})
	if err != nil || n.Nodes[n.Output].Shape != (net.Shape{C: 10, H: 1, W: 1}) {
		t.Errorf("one pixel gives %v", err)
	}
	for _, in := range []spaces.Input{{Size: 0, Classes: 10}, {Size: -1, Classes: 10}, {Size: 32, Classes: 0}} {
		if _, err := (Space{}).Network(known[0].Arch, in); err == nil {
			t.Errorf("Network for %v gives no error", in)
		}
		if _, err := (Space{}).Count(known[0].Arch, in); err == nil {
			t.Errorf("Count for %v gives no error", in)
		}
	}
	// 65536 channels in each layer fit the parser; the limits of package net refuse them with a layer named.
	_, err = Space{}.Network("SuperConvK7BNRELU(3,65536,1,2)", spaces.Input{Size: 224, Classes: 10})
	if !errors.Is(err, net.ErrShape) {
		t.Errorf("a network too large to count gives %v, want net.ErrShape", err)
	}
}
