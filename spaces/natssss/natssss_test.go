package natssss

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/spacetest"
)

var malformed = []string{
	"", ":", "32768", "99999999999999999999", "-1",
	"8:", "8:8:8:8", "8:8:8:8:", "8:8:8:8:8:8", "8:8:8:8:8 ", " 8:8:8:8:8",
	"8:8:8:8:12", "8:8:8:8:72", "8:0:8:8:8", "8:08:8:8:8", "8,8,8,8,8", "8::8:8:8", "8:8:8:8:eight",
}

var datasets = []spaces.Input{{Size: 32, Classes: 10}, {Size: 32, Classes: 100}, {Size: 16, Classes: 120}}

func TestSpace(t *testing.T) {
	spacetest.Run(t, Space{}, malformed...)
}

// TestGolden compares names, order, shapes and counts with the reference's networks.
func TestGolden(t *testing.T) {
	spacetest.Golden(t, "nats_sss", func(entry json.RawMessage, in spaces.Input) (*net.Network, error) {
		var e struct{ Arch spaces.Arch }
		if err := json.Unmarshal(entry, &e); err != nil {
			return nil, err
		}
		return Space{}.Network(e.Arch, in)
	})
}

// TestReference compares with a few facts of the reference's networks, so that something is compared where the golden file is absent.
func TestReference(t *testing.T) {
	for _, c := range []struct {
		arch          spaces.Arch
		params, flops int64
		layers        int
		weights       map[string][]int // shapes by name
	}{
		{"8:24:16:40:32", 98498, 13283658, 25, map[string][]int{
			"stem.0": {8, 3, 3, 3}, "cells.0.layers.5.op.1": {8, 8, 3, 3}, "cells.1.downsample.1": {24, 8, 1, 1},
			"cells.2.layers.3.conv": {16, 24, 1, 1}, "cells.3.conv_b.op.1": {40, 40, 3, 3}, "classifier": {10, 32},
		}},
		{"64:32:48:16:56", 421706, 228659770, 25, nil},
	} {
		n, err := Space{}.Network(c.arch, Space{}.Input())
		if err != nil {
			t.Fatal(err)
		}
		if net.Params(n) != c.params || net.FLOPs(n, net.XAutoDL) != c.flops || n.Layers != c.layers {
			t.Errorf("%s has %d parameters, %d FLOPs, %d weighted layers; want %d, %d, %d", c.arch, net.Params(n), net.FLOPs(n, net.XAutoDL), n.Layers, c.params, c.flops, c.layers)
		}
		found := 0
		for i := range n.Nodes {
			w, _ := n.WeightShape(i)
			if want, ok := c.weights[n.Nodes[i].Name]; ok {
				found++
				if !slices.Equal(w, want) {
					t.Errorf("%s: %s has the weight %v, want %v", c.arch, n.Nodes[i].Name, w, want)
				}
			}
		}
		if found != len(c.weights) {
			t.Errorf("%s has %d of the layers %v", c.arch, found, c.weights)
		}
	}
}

// TestNotCanonical checks that Network takes what Parse returns and not what Parse takes.
func TestNotCanonical(t *testing.T) {
	_, err := Space{}.Network("77", spaces.Input{Size: 32, Classes: 10})
	var p *spaces.ParseError
	if !errors.As(err, &p) {
		t.Errorf("Network of an index gives %v, want a *spaces.ParseError", err)
	}
}

// TestPosition checks that errors point at what is wrong.
func TestPosition(t *testing.T) {
	for in, want := range map[string]int{"8:24:17:40:32": 5, "8:24:16:40": 10, "8:24:16:40:32:8": 13, "8:24::40:32": 5} {
		_, err := Space{}.Parse(in)
		var p *spaces.ParseError
		if !errors.As(err, &p) || p.Pos != want {
			t.Errorf("Parse(%q) gives %v, want position %d", in, err, want)
		}
	}
}

// TestIndex checks the order of the index on all networks, both ways.
func TestIndex(t *testing.T) {
	i := 0
	for a := range (Space{}).All() {
		got, err := Space{}.Index(a)
		if err != nil || got != i {
			t.Fatalf("Index(%q) = %d, %v, want %d", a, got, err, i)
		}
		byNumber, err := Space{}.Parse(fmt.Sprint(i))
		if err != nil || byNumber != a {
			t.Fatalf("Parse(%d) = %q, %v, want %q", i, byNumber, err, a)
		}
		i++
	}
	a, _ := Space{}.Parse("4097") // 1*8^4 + 1
	if want := spaces.Arch("16:8:8:8:16"); a != want {
		t.Errorf("4097 is %q, want %q", a, want)
	}
	if _, err := (Space{}).Index("8:8"); err == nil {
		t.Error("Index of two widths gives no error")
	}
}

// formula counts the parameters and FLOPs of widths c in closed form. The form was checked against NATS-Bench's own numbers on three datasets.
func formula(c [5]int64, in spaces.Input) (params, flops int64) {
	px := int64(in.Size * in.Size)
	conv := func(k, from, to int64) int64 { return k * k * from * to }
	cell := func(from, to int64) {
		weights := 2*conv(3, from, to) + 3*conv(3, to, to)
		params += weights + 5*2*to
		if from != to {
			weights += from * to
			params += from*to + 2*to
		}
		flops += px * weights
	}
	reduction := func(from, to int64) {
		px /= 4
		weights := conv(3, from, to) + conv(3, to, to) + conv(1, from, to)
		params += weights + 2*2*to
		flops += px * weights
	}
	params, flops = conv(3, 3, c[0])+2*c[0], px*conv(3, 3, c[0])
	cell(c[0], c[0])
	reduction(c[0], c[1])
	cell(c[1], c[2])
	reduction(c[2], c[3])
	cell(c[3], c[4])
	head := (c[4] + 1) * int64(in.Classes)
	return params + 2*c[4] + head, flops + head
}

// TestCounts compares parameters and FLOPs of all networks on three datasets with the closed form.
func TestCounts(t *testing.T) {
	for _, in := range datasets {
		for i := range Size {
			d := fromIndex(i)
			n, err := Space{}.Network(d.arch(), in)
			if err != nil {
				t.Fatal(err)
			}
			var c [5]int64
			for b := range c {
				c[b] = int64(d.width(b))
			}
			params, flops := formula(c, in)
			if got := net.Params(n); got != params {
				t.Fatalf("%v: %s has %d parameters, want %d", in, d.arch(), got, params)
			}
			if got := net.FLOPs(n, net.XAutoDL); got != flops {
				t.Fatalf("%v: %s has %d FLOPs, want %d", in, d.arch(), got, flops)
			}
		}
	}
}

// TestTable checks index and counts against the benchmark's measured accuracies: the published optima are where they should be, and parameters and FLOPs rank all networks as they do with the benchmark's own numbers (Spearman's rho).
func TestTable(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "data", "sss.bin.gz")
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no table of accuracies: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var accuracy [3][Size]uint16 // in units of 1/100, 1/50 and 1/30 %
	if err := binary.Read(z, binary.LittleEndian, &accuracy); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for k, want := range []struct{ best, params, flops float64 }{
		{93.65, .8721, .6090}, {71.34, .7174, .2812}, {47.40, .8569, .5750},
	} {
		measured, params, flops := make([]float64, Size), make([]float64, Size), make([]float64, Size)
		for i := range Size {
			d := fromIndex(i)
			var c [5]int64
			for b := range c {
				c[b] = int64(d.width(b))
			}
			p, f := formula(c, datasets[k])
			measured[i], params[i], flops[i] = float64(accuracy[k][i]), float64(p), float64(f)
		}
		if got := slices.Max(measured) / []float64{100, 50, 30}[k]; math.Abs(got-want.best) > 1e-9 {
			t.Errorf("%v: the best accuracy is %g, want %g", datasets[k], got, want.best)
		}
		if got := spacetest.Spearman(params, measured); math.Abs(got-want.params) > 5e-5 {
			t.Errorf("%v: parameters rank with rho %.5f, want %.4f", datasets[k], got, want.params)
		}
		if got := spacetest.Spearman(flops, measured); math.Abs(got-want.flops) > 5e-5 {
			t.Errorf("%v: FLOPs rank with rho %.5f, want %.4f", datasets[k], got, want.flops)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, m := range malformed {
		f.Add(m)
	}
	f.Add("8:24:16:40:32")
	f.Add("77")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Space{}.Parse(s)
		if err != nil {
			_ = err.Error()
			return
		}
		if again, err := (Space{}).Parse(string(a)); err != nil || again != a {
			t.Errorf("%q parses to %q, which parses to %q, %v", s, a, again, err)
		}
	})
}
