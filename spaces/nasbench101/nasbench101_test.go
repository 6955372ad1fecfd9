package nasbench101

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/spacetest"
)

// published is the benchmark's network.
var published = Space{C: 128, N: 3}

var malformed = []string{
	"", "~", ",", "output", "output~", "output~1", "output~00", "conv3x3~0", "conv3x3~0,", "conv3x3,output~1",
	"conv5x5~0,output~1", "conv3x3~1,output~1", "conv3x3~0+0,output~1", "conv3x3~0,output~1,output~1", "output~0 ",
	"maxpool3x3-bn-relu~0,output~1", "conv3x3~0 output~1", "conv3x3~-1,output~0", "conv3x3~99999999999999999999,output~1",
	"conv3x3~1,maxpool3x3~0,output~1", "423624", "99999999999999999999", "-1",
	"{", "{}", "[]", `{"matrix": 1}`, `{"matrix": [0, 1]}`, `{"matrix": [], "ops": []}`, `{"matrix": [[0]], "ops": ["input"]}`,
	`{"matrix": [[0, 1], [0, 0]]}`, `{"ops": ["input", "output"]}`, `{"matrix": [[0, 1], [0, 0]], "ops": "input"}`,
	`{"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"], "seed": 1}`, `{"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"]}]`,
	`{"matrix": [[0, 1], [0, 0]], "module_adjacency": [[0, 1], [0, 0]], "ops": ["input", "output"]}`,
	`{"matrix": [[0, 0], [0, 0]], "ops": ["input", "output"]}`, `{"matrix": [[0, 1], [0, 0]], "ops": ["input", "conv3x3", "output"]}`,
	`{"matrix": [[0, 1], [0, 0], [0, 0]], "ops": ["input", "output"]}`, `{"matrix": [[0, 1, 1], [0, 0]], "ops": ["input", "output"]}`,
	`{"matrix": [[0, 1], [1, 0]], "ops": ["input", "output"]}`, `{"matrix": [[0, 1.0], [0, 0]], "ops": ["input", "output"]}`,
	strings.Repeat("conv3x3~0,", 40) + "output~1",
}

func TestSpace(t *testing.T) {
	if testing.Short() {
		t.Skip("All computes 423,624 hashes")
	}
	spacetest.Run(t, published, append(malformed, strings.Repeat("0", 32))...)
}

// TestSmallSpace runs what needs no hashes in a network whose channels never divide evenly.
func TestSmallSpace(t *testing.T) {
	s := Space{C: 5, N: 1}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		a := s.Sample(rng)
		n, err := s.Network(a, spaces.Input{Size: 9, Classes: 3})
		if err != nil {
			t.Fatal(err)
		}
		if _, gone := net.Prune(n); len(gone) > 0 {
			t.Fatalf("%s: layers %v have no gradients", a, gone)
		}
	}
	for _, in := range []spaces.Input{{Size: 3, Classes: 3}, {Size: 8}} {
		if _, err := s.Network(s.Sample(rng), in); err == nil {
			t.Errorf("%+v gives no error", in)
		}
	}
	if _, err := (Space{C: 4, N: 1}).Network("output~0", s.Input()); err == nil {
		t.Error("4 channels give no error")
	}
}

// TestCells compares with what the benchmark and its PyTorch port say of single cells; the file names the source of each.
func TestCells(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "cells.json"))
	if err != nil {
		t.Fatal(err)
	}
	var known []struct {
		Source, Written, Hash string
		Arch                  spaces.Arch
		Index                 *int
		C, N                  int
		Parameters, FLOPs     int64
		Layers, Norms         int
	}
	if err := json.Unmarshal(data, &known); err != nil {
		t.Fatal(err)
	}
	for _, k := range known {
		s := Space{k.C, k.N}
		if len(k.Written) == 32 && testing.Short() {
			k.Written = string(k.Arch) // a hash needs all hashes
		}
		a, err := s.Parse(k.Written)
		if err != nil || a != k.Arch {
			t.Errorf("%s: Parse gives %q, %v, want %q", k.Source, a, err, k.Arch)
			continue
		}
		if h, err := Hash(a); err != nil || k.Hash != "" && h != k.Hash {
			t.Errorf("%s: the hash is %s, %v, want %s", k.Source, h, err, k.Hash)
		}
		if k.Index != nil && !testing.Short() {
			if i, err := published.Index(a); err != nil || i != *k.Index {
				t.Errorf("%s: the index is %d, %v, want %d", k.Source, i, err, *k.Index)
			}
		}
		n, err := s.Network(a, s.Input())
		if err != nil {
			t.Fatal(err)
		}
		if p := net.Params(n); k.Parameters != 0 && p != k.Parameters {
			t.Errorf("%s: %d parameters, want %d", k.Source, p, k.Parameters)
		}
		if f := net.FLOPs(n, net.XAutoDL); k.FLOPs != 0 && f != k.FLOPs {
			t.Errorf("%s: %d FLOPs, want %d", k.Source, f, k.FLOPs)
		}
		if l := n.Layers; k.Layers != 0 && (l != k.Layers || norms(n) != k.Norms) {
			t.Errorf("%s: %d weighted layers and %d batch normalisations, want %d and %d", k.Source, l, norms(n), k.Layers, k.Norms)
		}
	}
}

func norms(n *net.Network) (count int) {
	for i := range n.Nodes {
		if n.Nodes[i].Op == net.BatchNorm {
			count++
		}
	}
	return count
}

// shared reads a file of the material beside the checkout, and skips the test where it is absent.
func shared(t *testing.T, name ...string) []byte {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "..", "shared"}, name...)...)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no reference data: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestGolden compares names, order, shapes and geometry of the weighted layers and the counts with the reference's networks. spacetest.Golden does not fit: the reference's totals count a scalar for each placeholder of the PyTorch port, which is no layer; params_conv_linear_bn is without.
func TestGolden(t *testing.T) {
	var file struct {
		Networks []struct {
			ID, Kind string
			Spec
			Stem, Modules, Res, Classes int
			Counts                      map[string]float64
			Layers                      []struct {
				Name                string
				W, Out              []int
				Bias                bool
				Stride, Pad, Groups int
			}
		}
	}
	if err := json.Unmarshal(shared(t, "golden", "golden.json"), &file); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, g := range file.Networks {
		if g.Kind != "nb101" {
			continue
		}
		seen++
		s := Space{C: g.Stem, N: g.Modules}
		n, err := s.Build(g.Spec, spaces.Input{Size: g.Res, Classes: g.Classes})
		if err != nil {
			t.Fatal(err)
		}
		if n.Layers != len(g.Layers) {
			t.Fatalf("%s: %d weighted layers, want %d", g.ID, n.Layers, len(g.Layers))
		}
		for i := range n.Nodes {
			nd := &n.Nodes[i]
			if !nd.Op.HasWeights() {
				continue
			}
			want := &g.Layers[nd.Layer]
			w, _ := n.WeightShape(i)
			out := []int{nd.Shape.C, nd.Shape.H, nd.Shape.W}[:len(want.Out)]
			if nd.Name != want.Name || !slices.Equal(w, want.W) || nd.Bias != want.Bias || !slices.Equal(out, want.Out) {
				t.Errorf("%s: layer %d is %s %v to %v, bias %t, want %+v", g.ID, nd.Layer, nd.Name, w, out, nd.Bias, *want)
			}
			if nd.Op == net.Conv && [3]int{nd.Stride, nd.Pad, nd.Groups} != [3]int{want.Stride, want.Pad, want.Groups} {
				t.Errorf("%s: layer %d has stride, padding and groups %d, %d, %d, want %+v", g.ID, nd.Layer, nd.Stride, nd.Pad, nd.Groups, *want)
			}
		}
		for what, got := range map[string]int64{
			"params_conv_linear_bn": net.Params(n),
			"xautodl_flops":         net.FLOPs(n, net.XAutoDL),
			"num_bn":                int64(norms(n)),
			"num_conv_linear":       int64(n.Layers),
		} {
			if want, ok := g.Counts[what]; !ok || float64(got) != want {
				t.Errorf("%s: %s is %d, want %.0f", g.ID, what, got, want)
			}
		}
	}
	if seen == 0 {
		t.Error("the golden file has no network of kind nb101")
	}
}

// TestBuild checks that Build keeps the order of the vertices and takes more edges than Parse: the golden file's nb101_real has ten.
func TestBuild(t *testing.T) {
	spec := Spec{
		Matrix: [][]int{{0, 1, 1, 0, 0, 1, 1}, {0, 0, 1, 0, 0, 0, 0}, {0, 0, 0, 1, 0, 0, 0}, {0, 0, 0, 0, 1, 0, 1}, {0, 0, 0, 0, 0, 1, 0}, {0, 0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 0, 0}},
		Ops:    []string{"input", "conv3x3-bn-relu", "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3", "conv3x3-bn-relu", "output"},
	}
	n, err := published.Build(spec, published.Input())
	if err != nil {
		t.Fatal(err)
	}
	if p, f := net.Params(n), net.FLOPs(n, net.XAutoDL); p != 9429258 || f != 1396053002 {
		t.Errorf("%d parameters and %d FLOPs, want 9429258 and 1396053002", p, f)
	}
	// The canonical form has the vertices of this one the other way round.
	n, err = published.Build(Spec{[][]int{{0, 1, 1, 0}, {0, 0, 0, 1}, {0, 0, 0, 1}, {0, 0, 0, 0}}, []string{"input", "maxpool3x3", "conv3x3", "output"}}, published.Input())
	if err != nil {
		t.Fatal(err)
	}
	if want := "maxpool3x3~0,conv3x3~0,output~1+2"; n.Name != want {
		t.Errorf("the network is %s, want %s", n.Name, want)
	}
	for _, bad := range []Spec{{}, {Matrix: spec.Matrix}, {Matrix: [][]int{{0, 0}, {0, 0}}, Ops: []string{"input", "output"}}} {
		var p *spaces.ParseError
		if _, err := published.Build(bad, published.Input()); !errors.As(err, &p) {
			t.Errorf("%v gives the error %v, want a *spaces.ParseError", bad, err)
		}
	}
}

// TestEnumeration checks the number of cells, and on cells of up to six vertices that they are the first of each hash, as the benchmark's own enumeration keeps them.
func TestEnumeration(t *testing.T) {
	all := cells()
	if len(all) != Size {
		t.Fatalf("%d cells, want %d", len(all), Size)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		i := 1 + rng.IntN(Size-1)
		if all[i-1].compare(&all[i]) >= 0 {
			t.Fatalf("%s stands before %s", all[i-1].arch(), all[i].arch())
		}
		if c, ok := all[i].canonical(); !ok || c != all[i] {
			t.Fatalf("%s has the canonical form %s", all[i].arch(), c.arch())
		}
	}
	var first []cell
	seen := map[digest]bool{}
	for n := uint8(2); n < maxVertices; n++ {
		for code := range 1 << (n * (n - 1) / 2) {
			c := cell{n: n}
			for v := 1; v < int(n); v++ {
				for u := range v {
					c.in[v] |= uint8(code>>(u+v*(v-1)/2)&1) << u
				}
			}
			if c.edges() > maxEdges || !c.full() {
				continue
			}
			for label := range int(math.Pow(3, float64(n-2))) {
				for v := n - 2; v > 0; v-- {
					c.ops[v] = uint8(label % 3)
					label /= 3
				}
				if h := c.hash(); !seen[h] {
					seen[h] = true
					first = append(first, c)
				}
			}
		}
	}
	if !slices.Equal(first, all[:len(first)]) || all[len(first)].n != maxVertices {
		t.Errorf("of up to six vertices, %d cells are the first of their hash, and not those of the enumeration", len(first))
	}
}

// TestTable checks the order of the hashes and everything that rests on it.
func TestTable(t *testing.T) {
	if testing.Short() {
		t.Skip("computes 423,624 hashes")
	}
	sum := sha256.New()
	previous := ""
	for _, e := range table() {
		h := hex.EncodeToString(e.hash[:])
		if h <= previous {
			t.Fatalf("%s follows %s", h, previous)
		}
		previous = h
		sum.Write(e.hash[:])
	}
	// Of the table whose rows agree with the benchmark's accuracies, see TestAccuracies.
	if got, want := hex.EncodeToString(sum.Sum(nil)), "13bb1f0fa98c75fcbc269a7f011cf12245f8c9e0e6fc3eb94add6dcbdfba09db"; got != want {
		t.Errorf("the hashes have the SHA-256 %s, want %s", got, want)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		i := rng.IntN(Size)
		a, err := published.Parse(fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		if j, err := published.Index(a); err != nil || j != i {
			t.Fatalf("the index of %s is %d, %v, want %d", a, j, err, i)
		}
		h, err := Hash(a)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := published.Parse(h); err != nil || b != a {
			t.Fatalf("the hash %s of %s parses to %s, %v", h, a, b, err)
		}
	}
}

// TestAccuracies checks hashes and parameters of all cells by the benchmark's accuracies in the order of the hashes: the best cell, and the rank correlation of trainable parameters with accuracies, 0.4350, both from the description of the reference data (shared/reference/DATA.md).
func TestAccuracies(t *testing.T) {
	data := shared(t, "data", "nb101_test.bin.gz")
	if testing.Short() {
		t.Skip("computes 423,624 hashes")
	}
	z, err := gzip.NewReader(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil || len(raw) != 2*Size {
		t.Fatalf("%d bytes, %v, want %d", len(raw), err, 2*Size)
	}
	accuracy, parameters := make([]float64, Size), make([]float64, Size)
	for i, e := range table() {
		accuracy[i] = float64(binary.LittleEndian.Uint16(raw[2*i:])) / 29952 * 100
		parameters[i] = float64(published.counts(&e.cell, published.Input()).Params)
	}
	best := 0
	for i, a := range accuracy {
		if a > accuracy[best] {
			best = i
		}
	}
	if h := hex.EncodeToString(table()[best].hash[:]); h != "02e5a0247bbdcf2860b7e96f74961594" || fmt.Sprintf("%.4f", accuracy[best]) != "94.3176" {
		t.Errorf("the best cell is %s with %.4f %%, want 02e5a0247bbdcf2860b7e96f74961594 with 94.3176 %%", h, accuracy[best])
	}
	if rho := spacetest.Spearman(accuracy, parameters); fmt.Sprintf("%.4f", rho) != "0.4350" {
		t.Errorf("the rank correlation of parameters and accuracies is %.6f, want 0.4350", rho)
	}
}

// TestChannels checks the split of channels on the cases of the benchmark's own test (model_builder_test.py of google-research/nasbench).
func TestChannels(t *testing.T) {
	for _, k := range []struct {
		arch    string
		in, out int
		want    []int
	}{
		{"conv3x3~0,conv3x3~1,output~2", 8, 16, []int{8, 16, 16, 16}},
		{"conv3x3~0,conv3x3~1,output~2", 16, 8, []int{16, 8, 8, 8}},
		{"output~0", 1, 5, []int{1, 5}},
		{"conv3x3~0,conv3x3~0,conv3x3~1+2,output~3", 8, 16, []int{8, 16, 16, 16, 16}},
		{"conv3x3~0,conv3x3~0,output~1+2", 8, 8, []int{8, 4, 4, 8}},
		{"conv3x3~0,conv3x3~0,output~1+2", 8, 15, []int{8, 8, 7, 15}},
		{"conv3x3~0,conv3x3~0,conv3x3~0,output~1+2+3", 8, 8, []int{8, 3, 3, 2, 8}},
		{"conv3x3~0,conv3x3~0,conv3x3~0,output~1+2+3", 8, 15, []int{8, 5, 5, 5, 15}},
		{"conv3x3~0,conv3x3~1,conv3x3~1,output~2+3", 8, 9, []int{8, 5, 5, 4, 9}},
		{"conv3x3~0,conv3x3~1,conv3x3~0+2,output~1+3", 8, 8, []int{8, 4, 4, 4, 8}},
		{"conv3x3~0,conv3x3~1,conv3x3~0+2,output~1+3", 8, 15, []int{8, 8, 7, 7, 15}},
	} {
		c, err := parse("", k.arch)
		if err != nil || string(c.arch()) != k.arch {
			t.Fatalf("%s parses to %s, %v", k.arch, c.arch(), err)
		}
		if ch := c.channels(k.in, k.out); !slices.Equal(ch[:c.n], k.want) {
			t.Errorf("%s from %d to %d channels: %v, want %v", k.arch, k.in, k.out, ch[:c.n], k.want)
		}
	}
}

// TestOddSplit looks at a network whose vertices have unequal channels: the wider one is cut for its narrower reader.
func TestOddSplit(t *testing.T) {
	n, err := Space{C: 15, N: 1}.Network("conv3x3~0,conv3x3~1,output~1+2", spaces.Input{Size: 8, Classes: 2})
	if err != nil {
		t.Fatal(err)
	}
	text := n.String()
	for _, part := range []string{"layers.1.input_op.1.conv_bn_relu.0 ", "slice 0:7", "[15,8,8]", "maxpool 2x2/2"} {
		if !strings.Contains(text, part) {
			t.Errorf("the network lacks %q:\n%s", part, text)
		}
	}
}

// TestPosition checks that errors point at what is wrong, and say it.
func TestPosition(t *testing.T) {
	ten := "conv3x3~0,conv3x3~0+1,conv3x3~0+1+2,output~0+1+2+3"
	for _, k := range []struct{ input, mark, want string }{
		{"conv3x3~0,conv7x7~1,output~2", "►conv7x7", "maxpool3x3"},
		{"conv3x3,output~1", "conv3x3►,", `"~"`},
		{"conv3x3~0,conv3x3~2,output~1", "~►2", "0 (the input) to 1"},
		{"conv3x3~0,output~1+1", "+►1", "twice"},
		{"conv3x3~0,output~1,conv3x3~2", "1►,conv", "nothing may follow"},
		{"conv3x3~0", "0►", "the last one is the output"},
		{ten, "2+►3", "9 edges"},
		{"conv3x3~0,conv3x3~1,conv3x3~2,conv3x3~3,conv3x3~4,conv3x3~5,output~6", "►output", "7 vertices"},
		{`{"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"]`, `"output"]►`, "JSON"},
		{`{"matrix": [[0, 1], [0, 0]; "ops": ["input", "output"]}`, "►; ", "JSON"},
		{`{"matrix": [[0, 1, 0], [0, 0, 1], [0, 1, 0]], "ops": ["input", "conv3x3", "output"]}`, "[0, ►1, 0]]", "above its diagonal"},
		{`{"matrix": [[0, 2], [0, 0]], "ops": ["input", "output"]}`, "►2", "0 or 1"},
		{`{"matrix": [[0, 1], [0]], "ops": ["input", "output"]}`, "►[0]", "square"},
		{`{"matrix": [[0, 1], [0, 0], [0, 0]], "ops": ["input", "output"]}`, ", ►[0, 0]]", "one too many"},
		{`{"matrix": [[0, 1]], "ops": ["input", "output"]}`, "[[0, 1]►]", "square"},
		{`{"matrix": [[0, 1, 0], [0, 0, 1], [0, 0, 0]], "ops": ["input", "conv", "output"]}`, `►"conv"`, "vertex 1"},
		{`{"ops": ["conv3x3", "output"], "matrix": [[0, 1], [0, 0]]}`, `►"conv3x3"`, "input"},
		{`{"matrix": [[0, 1], [0, 0]], "ops": ["input", "output", "conv3x3"]}`, `►"output"`, "last"},
		{`{"matrix": [[0, 1], [0, 0]], "ops": ["input", "conv3x3", "output"]}`, `►"ops"`, "3 operations for the 2"},
		{`{"matrix": [[0, 1], [0, 0]], "labels": ["input", "output"]}`, `►"labels"`, "module_operations"},
		{`{"matrix": [[0, 1], [0, 0]]}`, "►}", `"ops" is missing`},
		// The first vertex is left without a path to the output, which leaves the output without one from the input.
		{`{"matrix": [[0, 1, 0], [0, 0, 0], [0, 0, 0]], "ops": ["input", "conv3x3", "output"]}`, `►"output"`, "no path"},
		{"423624", "►423624", "below 423624"},
	} {
		_, err := published.Parse(k.input)
		var p *spaces.ParseError
		if !errors.As(err, &p) || !strings.Contains(k.input[:p.Pos]+"►"+k.input[p.Pos:], k.mark) || !strings.Contains(p.Want, k.want) {
			t.Errorf("%s: the error is %v, want %q and %q", k.input, err, k.mark, k.want)
		}
	}
	if _, err := published.Network("conv3x3~0,conv1x1~0,conv3x3-bn-relu~1,output~2+3", published.Input()); err == nil || !strings.Contains(err.Error(), "canonical form") {
		t.Errorf("a form that Parse would change gives the error %v", err)
	}
}

// TestCanonical writes cells with their vertices in another order and with vertices and edges that lead nowhere: they parse to the same.
func TestCanonical(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 3000 {
		c := cells()[rng.IntN(Size)]
		var orders [][maxVertices]uint8
		c.orders(func(at *[maxVertices]uint8) { orders = append(orders, *at) })
		d := c.renumbered(&orders[rng.IntN(len(orders))])
		if d.hash() != c.hash() {
			t.Fatalf("%s has another hash than %s", d.arch(), c.arch())
		}
		// Before a random vertex: one that reads nothing but is read, or that reads and is not read.
		spec, err := NewSpec(c.arch())
		if err != nil {
			t.Fatal(err)
		}
		v := 1 + rng.IntN(len(spec.Ops)-1)
		for i := range spec.Matrix {
			spec.Matrix[i] = slices.Insert(spec.Matrix[i], v, 0)
		}
		spec.Matrix = slices.Insert(spec.Matrix, v, make([]int, len(spec.Ops)+1))
		spec.Ops = slices.Insert(spec.Ops, v, Ops[rng.IntN(len(Ops))])
		if rng.IntN(2) == 0 {
			spec.Matrix[rng.IntN(v)][v] = 1
		} else {
			spec.Matrix[v][v+1+rng.IntN(len(spec.Ops)-v-1)] = 1
		}
		text, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{string(d.arch()), string(text)} {
			if a, err := published.Parse(s); err != nil || a != c.arch() {
				t.Fatalf("%s parses to %s, %v, want %s", s, a, err, c.arch())
			}
		}
	}
}

// TestRoundTrip parses what is printed, in both forms.
func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 10000 {
		a := published.Sample(rng)
		spec, err := NewSpec(a)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{string(a), string(text)} {
			if b, err := published.Parse(s); err != nil || a != b {
				t.Fatalf("%s parses to %s, %v, want %s", s, b, err, a)
			}
		}
	}
}

// TestNeighbors lists two small neighbourhoods and checks that every edit can be undone.
func TestNeighbors(t *testing.T) {
	for a, want := range map[spaces.Arch][]spaces.Arch{
		"output~0": {"conv3x3~0,output~0+1", "conv1x1~0,output~0+1", "maxpool3x3~0,output~0+1"},
		"conv1x1~0,output~1": {
			"conv3x3~0,output~1", "maxpool3x3~0,output~1", // another operation
			"conv1x1~0,output~0+1", // one more edge
			// One more vertex: after the first, beside it, before it.
			"conv1x1~0,conv3x3~1,output~1+2", "conv1x1~0,conv1x1~1,output~1+2", "conv1x1~0,maxpool3x3~1,output~1+2",
			"conv3x3~0,conv1x1~0,output~1+2", "conv1x1~0,conv1x1~0,output~1+2", "conv1x1~0,maxpool3x3~0,output~1+2",
			"conv3x3~0,conv1x1~0+1,output~2", "conv1x1~0,conv1x1~0+1,output~2", "maxpool3x3~0,conv1x1~0+1,output~2",
		},
	} {
		got := slices.Sorted(published.Neighbors(a))
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has the neighbours\n%v, want\n%v", a, got, want)
		}
	}
	rng := rand.New(rand.NewPCG(13, 14))
	for range 1000 {
		c := cells()[rng.IntN(Size)]
		for _, d := range c.neighbors() {
			if !slices.Contains(d.neighbors(), c) {
				t.Fatalf("%s leads to %s, and not back", c.arch(), d.arch())
			}
		}
	}
}

// TestConnected checks that edits lead from every cell to every other.
func TestConnected(t *testing.T) {
	if testing.Short() {
		t.Skip("edits all cells")
	}
	all := cells()
	index := make(map[cell]int, Size)
	for i, c := range all {
		index[c] = i
	}
	reached := make([]bool, Size)
	reached[0] = true
	count := 0
	for todo := []int{0}; len(todo) > 0; count++ {
		c := &all[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		for _, d := range c.neighbors() {
			i, ok := index[d]
			if !ok {
				t.Fatalf("%s leads to %s, which is not among the cells", c.arch(), d.arch())
			}
			if !reached[i] {
				reached[i] = true
				todo = append(todo, i)
			}
		}
	}
	if count != Size {
		t.Errorf("edits lead from the smallest cell to %d cells, want all %d", count, Size)
	}
}

// TestCellSVG checks that the picture is XML and has a box for each vertex.
func TestCellSVG(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	for range 100 {
		a := published.Sample(rng)
		svg, err := published.CellSVG(a)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal([]byte(svg), new(struct{})); err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		if boxes, vertices := strings.Count(svg, "<g>"), strings.Count(string(a), ",")+2; boxes != vertices {
			t.Errorf("%s has %d boxes for %d vertices", a, boxes, vertices)
		}
	}
	if _, err := published.CellSVG("x"); err == nil {
		t.Error("what is no cell gives no error")
	}
}

func FuzzParse(f *testing.F) {
	if testing.Short() {
		f.Skip("an index or a hash needs all hashes")
	}
	table() // takes longer than a fuzzed call may
	for _, m := range malformed {
		f.Add(m)
	}
	f.Add("conv3x3~0,conv1x1~0,maxpool3x3-bn-relu~1+2,output~1+3")
	f.Add(`{"module_operations": ["input", "maxpool3x3", "output"], "module_adjacency": [[0, 1, 1], [0, 0, 1], [0, 0, 0]]}`)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := published.Parse(s)
		if err != nil {
			var p *spaces.ParseError
			if !errors.As(err, &p) || p.Pos < 0 || p.Pos > len(s) {
				t.Errorf("%q gives the error %v", s, err)
			}
			_ = err.Error()
			return
		}
		if again, err := published.Parse(string(a)); err != nil || again != a {
			t.Errorf("%q parses to %q, which parses to %q, %v", s, a, again, err)
		}
		if _, err := published.Network(a, published.Input()); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		cells()[i*9973%Size].hash()
	}
}

func BenchmarkNeighbors(b *testing.B) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		cells()[i*9973%Size].neighbors()
	}
}
