package darts

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/spacetest"
)

var (
	cifar    = Space{C: 36, Cells: 20}
	imageNet = Space{C: 48, Cells: 14, ImageNet: true}
	search   = Space{C: 16, Cells: 8}
)

// darts2 is DARTS_V2 as its authors write it.
const darts2 = "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], " +
	"reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"

// known returns the canonical form of a genotype of Known.
func known(name string) string {
	for i := range Known {
		if Known[i].Name == name {
			return string(Known[i].Arch)
		}
	}
	return ""
}

// bad are changes of DARTS_V2's canonical form and of its literal that make no genotype, and where the problem is: at the mark.
var bad = [][2]string{
	{"", "►"},
	{"DARTS_V3", "►DARTS_V3"},
	{known("DARTS_V2") + ";", known("DARTS_V2") + "►;"},
	{strings.Replace(known("DARTS_V2"), "normal=", "normal", 1), "►normal|"},
	{strings.Replace(known("DARTS_V2"), ";reduce", "reduce", 1), "|►reduce="},
	{strings.Replace(known("DARTS_V2"), "reduce=", "", 1), ";►|max"},
	{strings.Replace(known("DARTS_V2"), "sep_conv_3x3~1", "sep_conv_3x3~2", 1), "=|sep_conv_3x3~0|sep_conv_3x3~►2|"},
	{strings.Replace(known("DARTS_V2"), "sep_conv_3x3~1", "sep_conv_3x3~0", 1), "=|sep_conv_3x3~0|sep_conv_3x3~►0|"},
	{strings.Replace(known("DARTS_V2"), "dil_conv_3x3~2", "dil_conv_3x3~5", 1), "dil_conv_3x3~►5|"},
	{strings.Replace(known("DARTS_V2"), "dil_conv_3x3~2", "none~2", 1), "|►none~2|"},
	{strings.Replace(known("DARTS_V2"), "dil_conv_3x3~2", "dil_conv_3x3~02", 1), "~►02|"},
	{strings.Replace(known("DARTS_V2"), "dil_conv_3x3~2", "dil_conv_3x32", 1), "|►dil_conv_3x32|"},
	{strings.Replace(known("DARTS_V2"), "+", "", 1), "~1|►|"},
	{strings.Replace(known("DARTS_V2"), "|+|", "|+", 1), "|+►sep"},
	{known("DARTS_V2")[:40], known("DARTS_V2")[:40] + "►"},
	{darts2 + "x", ")►x"},
	{"Genotype", "Genotype►"},
	{"Genotype(", "Genotype(►"},
	{"Genotype()", "Genotype(►)"},
	{darts2[:len(darts2)-1], "5]►"},
	{strings.Replace(darts2, "reduce=", "normal=", 1), ", ►normal=[('max"},
	{strings.Replace(darts2, "normal_concat=[2, 3, 4, 5], ", "", 1), "]►)"},
	{strings.Replace(darts2, "[2, 3, 4, 5]", "[2, 3, 4, 5, 6]", 1), "5, ►6]"},
	{strings.Replace(darts2, "[2, 3, 4, 5]", "[3, 4, 5]", 1), "[►3, 4"},
	{strings.Replace(darts2, "[2, 3, 4, 5]", "range(2, 7)", 1), "range(2, ►7)"},
	{strings.Replace(darts2, "('sep_conv_3x3', 1)", "('sep_conv_3x3', 2)", 1), "('sep_conv_3x3', ►2)"},
	{strings.Replace(darts2, "('sep_conv_3x3', 1)", "('sep_conv_3x3', -1)", 1), "('sep_conv_3x3', ►-1)"},
	{strings.Replace(darts2, "('sep_conv_3x3', 1)", "('conv_7x1_1x7', 1)", 1), "('►conv_7x1_1x7', 1)"},
	{strings.Replace(darts2, "('sep_conv_3x3', 1)", "('sep_conv_3x3\", 1)", 1), "('sep_conv_3x3►\", 1)"},
	{strings.Replace(darts2, "('sep_conv_3x3', 1)", "('sep_conv_3x3', 1]", 1), "('sep_conv_3x3', 1►]"},
	{strings.Replace(darts2, "('sep_conv_3x3', 1), ", "", 1), "3', 0), ('sep_conv_3x3', ►0), ('sep"},
	{strings.Replace(darts2, ", ('dil_conv_3x3', 2)", "", 1), "('skip_connect', 0)►], normal"},
	{strings.Replace(darts2, "('dil_conv_3x3', 2)", "('dil_conv_3x3', 2), ('skip_connect', 0)", 1), "2), ►('skip"},
	{strings.Replace(darts2, "('dil_conv_3x3', 2)", "'dil_conv_3x3', 2", 1), "0), ►'dil_conv_3x3', 2]"},
}

func TestSpace(t *testing.T) {
	malformed := []string{"0", "-1", "|sep_conv_3x3~0|sep_conv_3x3~1|"}
	for _, b := range bad {
		malformed = append(malformed, b[0])
	}
	spacetest.Run(t, cifar, malformed...)
	spacetest.Run(t, imageNet, malformed...)
	spacetest.Run(t, search, malformed...)
}

// TestPosition checks that errors point at what is wrong.
func TestPosition(t *testing.T) {
	for _, b := range bad {
		_, err := cifar.Parse(b[0])
		var p *spaces.ParseError
		if !errors.As(err, &p) {
			t.Errorf("Parse(%q) gives %v", b[0], err)
			continue
		}
		if marked := p.Input[:p.Pos] + "►" + p.Input[p.Pos:]; !strings.Contains(marked, b[1]) {
			t.Errorf("%v\nwant the mark as in %s", err, b[1])
		}
	}
}

// TestParse checks the accepted forms of a genotype.
func TestParse(t *testing.T) {
	want := spaces.Arch(known("DARTS_V2"))
	for _, in := range []string{
		"DARTS_V2",
		string(want),
		strings.Replace(string(want), "|sep_conv_3x3~0|sep_conv_3x3~1|", "|sep_conv_3x3~1|sep_conv_3x3~0|", 1),
		darts2,
		strings.NewReplacer("[2, 3, 4, 5]", "range(2,6)", ", ", ",").Replace(darts2),
		strings.NewReplacer("'", `"`, "[2, 3, 4, 5]", "( 2,3, 4,5, )", "(normal", "(\n  normal ", "=[(", " = [\n\t(").Replace(darts2),
		strings.TrimSuffix(darts2, ")") + ",\n)",
		strings.NewReplacer("('", "['", "0)", "0]", "1)", "1]", "2)", "2]").Replace(darts2),
	} {
		if got, err := cifar.Parse(in); err != nil || got != want {
			t.Errorf("Parse(%q) = %q, %v", in, got, err)
		}
	}
	normal, reduce, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(darts2, "Genotype("), ")"), ", reduce=")
	if got, err := cifar.Parse("Genotype(reduce=" + reduce + ", " + normal + ")"); err != nil || got != want {
		t.Errorf("with the reduction cell first: %q, %v", got, err)
	}
	for i := range Known {
		k := &Known[i]
		if got, err := cifar.Parse(string(k.Arch)); err != nil || got != k.Arch || k.Source == "" {
			t.Errorf("%s is not canonical: %q, %v", k.Name, got, err)
		}
		if _, err := cifar.Network(spaces.Arch(k.Name), cifar.Input()); err == nil {
			t.Errorf("Network takes the name %s, which is not canonical", k.Name)
		}
	}
}

// TestPublished compares parameters with published numbers, to all their digits. Where a paper's own table was not at hand, the source says which later work quotes it.
func TestPublished(t *testing.T) {
	for _, c := range []struct {
		s         Space
		name      string
		published string // millions
		source    string
	}{
		{cifar, "DARTS_V2", "3.349", "README of quark0/darts"},
		{imageNet, "DARTS_V2", "4.719", "README of quark0/darts"},
		{cifar, "PDARTS", "3.433798", "chenxin061/pdarts, issue 7: 3433798 without the auxiliary head, counted by a reader"},
		{imageNet, "PDARTS", "4.9", "Chen et al., quoted with 557M by later work (OTOv3, comparison on ImageNet)"},
		{cifar, "PC_DARTS_cifar", "3.6", "README of yuhuixu1993/PC-DARTS"},
		{imageNet, "PC_DARTS_cifar", "5.3", "Xu et al., quoted with 586M by later work (OTOv3, comparison on ImageNet)"},
		{imageNet, "PC_DARTS_image", "5.3", "Xu et al., on Papers with Code with 597M; 597 is in the README of yuhuixu1993/PC-DARTS, too"},
		{cifar, "GDAS_V1", "3.4", "Dong and Yang, quoted by Wang et al., Rethinking Architecture Selection in Differentiable NAS, ICLR 2021"},
		{cifar, "DARTS_V1", "3.169414", "none: the paper has 3.3 (as quoted in the README of yuhuixu1993/PC-DARTS); see Known"},
	} {
		n, err := c.s.Network(spaces.Arch(known(c.name)), c.s.Input())
		if err != nil {
			t.Fatal(err)
		}
		_, digits, _ := strings.Cut(c.published, ".")
		if got := fmt.Sprintf("%.*f", len(digits), float64(net.Params(n))/1e6); got != c.published {
			t.Errorf("%s: %s has %s million parameters, want %s (%s)", c.s.Name(), c.name, got, c.published, c.source)
		}
	}
	// The multiply-adds that P-DARTS and PC-DARTS print for ImageNet are those of PTFlops, with a rectifier for each operation.
	for name, want := range map[string]string{"PDARTS": "557", "PC_DARTS_cifar": "586", "PC_DARTS_image": "597"} {
		n, err := imageNet.Network(spaces.Arch(known(name)), imageNet.Input())
		if err != nil {
			t.Fatal(err)
		}
		flops, readers := net.FLOPs(n, net.PTFlops), map[int]int64{}
		for i := range n.Nodes {
			for _, j := range n.Nodes[i].In {
				if n.Nodes[j].Op == net.ReLU && n.Nodes[i].Op != net.Shift { // the two paths of a factorised reduction share theirs
					readers[j]++
				}
			}
		}
		for j, k := range readers {
			flops += (k - 1) * int64(n.Nodes[j].Shape.Elements())
		}
		if got := fmt.Sprintf("%.0f", float64(flops)/1e6); got != want {
			t.Errorf("%s has %s M FLOPs, want %s", name, got, want)
		}
	}
}

// TestCounts compares the parameters of random genotypes with a closed form.
func TestCounts(t *testing.T) {
	// of one operation on c channels
	params := func(op uint8, c int64, stride int) int64 {
		switch op {
		case skip:
			if stride == 2 {
				return c*c + 2*c
			}
		case sepConv3, sepConv5:
			k := int64(3 + 2*(op-sepConv3))
			return 2 * (k*k*c + c*c + 2*c)
		case dilConv3, dilConv5:
			k := int64(3 + 2*(op-dilConv3))
			return k*k*c + c*c + 2*c
		}
		return 0
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, s := range []Space{cifar, imageNet, search, {C: 4, Cells: 1}, {C: 4, Cells: 2}, {C: 6, Cells: 3, ImageNet: true}} {
		for range 50 {
			a := s.Sample(rng)
			g, err := s.parse(string(a))
			if err != nil {
				t.Fatal(err)
			}
			c := int64(s.C)
			prev2, prev, want := 3*c, 3*c, 27*3*c+2*3*c
			if s.ImageNet {
				prev2, prev, want = c, c, 27*c/2+c+9*c*c/2+2*c+9*c*c+2*c
			}
			for i := range s.Cells {
				k, stride := 0, 1
				if i == s.Cells/3 || i == 2*s.Cells/3 {
					k, stride, c = 1, 2, 2*c
				}
				want += (prev2+prev)*c + 4*c
				for _, node := range g[k] {
					for _, e := range node {
						st := 1
						if e.from < 2 {
							st = stride
						}
						want += params(e.op, c, st)
					}
				}
				prev2, prev = prev, 4*c
			}
			in := s.Input()
			want += (prev + 1) * int64(in.Classes)
			n, err := s.Network(a, in)
			if err != nil {
				t.Fatal(err)
			}
			if got := net.Params(n); got != want {
				t.Fatalf("%s: %s has %d parameters, want %d", s.Name(), a, got, want)
			}
		}
	}
}

// TestNeighbours checks the number of neighbours and that being one is mutual.
func TestNeighbours(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		a := search.Sample(rng)
		all := slices.Collect(search.Neighbors(a))
		if len(all) != 120 {
			t.Fatalf("%q has %d neighbours, want 120", a, len(all))
		}
		for _, b := range all {
			if !slices.Contains(slices.Collect(search.Neighbors(b)), a) {
				t.Fatalf("%q is a neighbour of %q and not the other way round", b, a)
			}
		}
	}
}

// TestSample checks that the edges of each state are drawn uniformly: operations, and pairs of sources.
func TestSample(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const draws = 20000
	var ops [len(Ops)]float64
	pairs := map[[3]uint8]float64{}
	for range draws {
		g, err := search.parse(string(search.Sample(rng)))
		if err != nil {
			t.Fatal(err)
		}
		for i, node := range g[0] {
			ops[node[0].op]++
			pairs[[3]uint8{uint8(i), node[0].from, node[1].from}]++
		}
	}
	for op, n := range ops {
		if want := draws * steps / float64(len(Ops)); math.Abs(n-want) > 5*math.Sqrt(want) {
			t.Errorf("%s is drawn %g times, want about %g", Ops[op], n, want)
		}
	}
	if len(pairs) != 1+3+6+10 {
		t.Errorf("%d pairs of sources are drawn, want 20", len(pairs))
	}
	for p, n := range pairs {
		want := draws / float64((p[0]+2)*(p[0]+1)/2)
		if math.Abs(n-want) > 5*math.Sqrt(want) {
			t.Errorf("state %d reads states %d and %d %g times, want about %g", p[0]+2, p[1], p[2], n, want)
		}
	}
}

// TestNetwork checks names, order and geometry of the layers of one cell of each kind, and the sizes that the reference refuses.
func TestNetwork(t *testing.T) {
	s := Space{C: 4, Cells: 3}
	n, err := s.Network("normal=|sep_conv_5x5~0|skip_connect~1|+|dil_conv_3x3~0|max_pool_3x3~2|+|avg_pool_3x3~1|skip_connect~3|+|skip_connect~0|skip_connect~1|;reduce=|skip_connect~0|dil_conv_5x5~1|+|max_pool_3x3~0|sep_conv_3x3~2|+|avg_pool_3x3~0|skip_connect~3|+|max_pool_3x3~0|max_pool_3x3~1|", spaces.Input{Size: 8, Classes: 3})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range n.Nodes {
		if nd := &n.Nodes[i]; nd.Op.HasWeights() {
			w, _ := n.WeightShape(i)
			got = append(got, fmt.Sprintf("%d %s %v/%d pad %d dilation %d: %v", nd.Layer, nd.Name, w, nd.Stride, nd.Pad, nd.Dilation, nd.Shape))
		}
	}
	want := []string{
		"0 stem.0 [12 3 3 3]/1 pad 1 dilation 0: [12,8,8]",
		"1 cells.0.preprocess0.op.1 [4 12 1 1]/1 pad 0 dilation 0: [4,8,8]",
		"2 cells.0.preprocess1.op.1 [4 12 1 1]/1 pad 0 dilation 0: [4,8,8]",
		"3 cells.0._ops.0.op.1 [4 1 5 5]/1 pad 2 dilation 1: [4,8,8]",
		"4 cells.0._ops.0.op.2 [4 4 1 1]/1 pad 0 dilation 0: [4,8,8]",
		"5 cells.0._ops.0.op.5 [4 1 5 5]/1 pad 2 dilation 1: [4,8,8]",
		"6 cells.0._ops.0.op.6 [4 4 1 1]/1 pad 0 dilation 0: [4,8,8]",
		"7 cells.0._ops.2.op.1 [4 1 3 3]/1 pad 2 dilation 2: [4,8,8]",
		"8 cells.0._ops.2.op.2 [4 4 1 1]/1 pad 0 dilation 0: [4,8,8]",
		"9 cells.1.preprocess0.op.1 [8 12 1 1]/1 pad 0 dilation 0: [8,8,8]",
		"10 cells.1.preprocess1.op.1 [8 16 1 1]/1 pad 0 dilation 0: [8,8,8]",
		"11 cells.1._ops.0.conv_1 [4 8 1 1]/2 pad 0 dilation 0: [4,4,4]",
		"12 cells.1._ops.0.conv_2 [4 8 1 1]/2 pad 0 dilation 0: [4,4,4]",
		"13 cells.1._ops.1.op.1 [8 1 5 5]/2 pad 4 dilation 2: [8,4,4]",
		"14 cells.1._ops.1.op.2 [8 8 1 1]/1 pad 0 dilation 0: [8,4,4]",
		"15 cells.1._ops.3.op.1 [8 1 3 3]/1 pad 1 dilation 1: [8,4,4]",
		"16 cells.1._ops.3.op.2 [8 8 1 1]/1 pad 0 dilation 0: [8,4,4]",
		"17 cells.1._ops.3.op.5 [8 1 3 3]/1 pad 1 dilation 1: [8,4,4]",
		"18 cells.1._ops.3.op.6 [8 8 1 1]/1 pad 0 dilation 0: [8,4,4]",
		"19 cells.2.preprocess0.conv_1 [8 16 1 1]/2 pad 0 dilation 0: [8,4,4]",
		"20 cells.2.preprocess0.conv_2 [8 16 1 1]/2 pad 0 dilation 0: [8,4,4]",
		"21 cells.2.preprocess1.op.1 [16 32 1 1]/1 pad 0 dilation 0: [16,4,4]",
	}
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("the layers are\n%s\nwant\n%s\nand more", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, c := range []struct {
		s    Space
		size int
	}{{cifar, 31}, {cifar, 30}, {imageNet, 223 - 4}, {imageNet, 240}, {Space{C: 3, Cells: 14, ImageNet: true}, 224}, {Space{C: 1, Cells: 14, ImageNet: true}, 224}, {cifar, 0}} {
		if _, err := c.s.Network(spaces.Arch(known("DARTS_V2")), spaces.Input{Size: c.size, Classes: 10}); c.size > 0 && !errors.Is(err, net.ErrShape) || err == nil {
			t.Errorf("%s with pictures of %d pixels gives %v, want net.ErrShape", c.s.Name(), c.size, err)
		}
	}
	for _, c := range []struct {
		s    Space
		size int
	}{{cifar, 4}, {cifar, 64}, {imageNet, 32}, {imageNet, 256}} {
		if _, err := c.s.Network(spaces.Arch(known("DARTS_V2")), spaces.Input{Size: c.size, Classes: 10}); err != nil {
			t.Errorf("%s with pictures of %d pixels gives %v", c.s.Name(), c.size, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range bad {
		f.Add(b[0])
	}
	f.Add(darts2)
	f.Add("PDARTS")
	f.Add(known("PDARTS"))
	f.Fuzz(func(t *testing.T, s string) {
		a, err := cifar.Parse(s)
		if err != nil {
			_ = err.Error()
			var p *spaces.ParseError
			if !errors.As(err, &p) || p.Pos < 0 || p.Pos > len(s) {
				t.Errorf("%q gives %v", s, err)
			}
			return
		}
		if again, err := cifar.Parse(string(a)); err != nil || again != a {
			t.Errorf("%q parses to %q, which parses to %q, %v", s, a, again, err)
		}
	})
}
