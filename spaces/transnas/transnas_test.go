package transnas

import (
	"cmp"
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
	"strconv"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/spacetest"
)

var (
	micro = Space{C: 64}
	macro = Space{C: 64, Macro: true}
)

var malformed = []string{
	"", "-", "64-", "-1", "99999999999999999999", "(3, 1, 2, 0, 2, 3)",
	"64-41414", "64-41414-", "64-41414-3", "64-41414-3_12", "64-41414-3_12_02", "64-41414-3_12_0234", "64-41414-3_12_024", "64-41414-312023",
	"064-41414-3_12_023", "16-41414-3_12_023", "64-4141-3_12_023", "64-41414-3_12_023-", "64-41414-3-12-023", "64--3_12_023",
	"64-4231-", "64-423-basic", "64-4231111-basic", "64-1111-basic", "64-3333-basic", "64-2222-basic", "64-4444-basic", "64-4235-basic", "64-42 1-basic", "64-4231-Basic", "64-4231-basic ", "64-33333-basic",
}

func TestSpace(t *testing.T) {
	spacetest.Run(t, micro, append(malformed, "4096", "64-4231-basic", "64-41414-basic")...)
	spacetest.Run(t, macro, append(malformed, "3256", "64-41414-3_12_023", "64-4231-3_12_023")...)
	spacetest.Run(t, Space{C: 8}, "64-41414-3_12_023", "8-")
}

// TestGolden compares names, order, shapes, counts and dead layers with the reference's network.
func TestGolden(t *testing.T) {
	spacetest.Golden(t, "transnas", func(entry json.RawMessage, in spaces.Input) (*net.Network, error) {
		var e struct{ Arch string }
		if err := json.Unmarshal(entry, &e); err != nil {
			return nil, err
		}
		stem, _, _ := strings.Cut(e.Arch, "-")
		c, err := strconv.Atoi(stem)
		if err != nil {
			return nil, err
		}
		return Space{C: c}.Network(spaces.Arch(e.Arch), in)
	})
}

// TestReference compares with a few facts of the reference's network, so that something is compared where the golden file is absent.
func TestReference(t *testing.T) {
	n, err := Space{C: 16}.Network("16-41414-3_12_023", spaces.Input{Size: 64, Classes: 75})
	if err != nil {
		t.Fatal(err)
	}
	if net.Params(n) != 995603 || net.FLOPs(n, net.XAutoDL) != 12846539 || n.Layers != 49 {
		t.Errorf("%d parameters, %d FLOPs, %d weighted layers; want 995603, 12846539, 49", net.Params(n), net.FLOPs(n, net.XAutoDL), n.Layers)
	}
	weights := map[string][]int{
		"stem.0": {8, 3, 3, 3}, "stem.2.ops.1": {16, 8, 3, 3},
		"layer0.0.edges.0.ops.1": {32, 16, 3, 3}, "layer0.0.edges.1.convs.0": {16, 16, 1, 1}, "layer0.0.edges.1.convs.1": {16, 16, 1, 1}, "layer0.0.edges.5.ops.1": {32, 32, 3, 3},
		"layer1.0.edges.2.ops.1": {32, 32, 1, 1}, "layer4.0.edges.1.convs.1": {64, 64, 1, 1}, "head": {75, 128},
	}
	found := 0
	for i := range n.Nodes {
		w, _ := n.WeightShape(i)
		if want, ok := weights[n.Nodes[i].Name]; ok {
			found++
			if !slices.Equal(w, want) {
				t.Errorf("%s has the weight %v, want %v", n.Nodes[i].Name, w, want)
			}
		}
	}
	if found != len(weights) {
		t.Errorf("the network has %d of the layers %v", found, weights)
	}
}

// TestPosition checks that errors point at what is wrong.
func TestPosition(t *testing.T) {
	for _, c := range []struct {
		s    Space
		in   string
		want int
	}{
		{micro, "16-41414-3_12_023", 0},
		{micro, "64-41413-3_12_023", 3},
		{micro, "64-41414-3_42_023", 11},
		{micro, "64-41414-3_12-023", 13},
		{micro, "64-41414-3_12_0233", 17},
		{macro, "64-4201-basic", 5},
		{macro, "64-4442-basic", 6},
		{macro, "64-1111-basic", 7},
		{macro, "64-4231-3_12_023", 8},
	} {
		_, err := c.s.Parse(c.in)
		var p *spaces.ParseError
		if !errors.As(err, &p) || p.Pos != c.want {
			t.Errorf("%s: Parse(%q) gives %v, want position %d", c.s.Name(), c.in, err, c.want)
		}
	}
	for _, s := range []Space{micro, macro} {
		_, err := s.Network("7", spaces.Input{Size: 64, Classes: 10})
		var p *spaces.ParseError
		if !errors.As(err, &p) {
			t.Errorf("%s: Network of an index gives %v, want a *spaces.ParseError", s.Name(), err)
		}
	}
	if _, err := (Space{C: 3}).Network("3-41414-3_12_023", spaces.Input{Size: 64, Classes: 10}); err == nil {
		t.Error("a stem of three channels gives no error: the benchmark halves it")
	}
}

// TestIndex checks the order of the index on both spaces, and that the architectures that the benchmark's documentation names are there.
func TestIndex(t *testing.T) {
	for _, s := range []Space{micro, macro} {
		i, last := 0, spaces.Arch("")
		for a := range s.All() {
			got, err := s.Parse(fmt.Sprint(i))
			if err != nil || got != a {
				t.Fatalf("%s: Parse(%d) = %q, %v, want %q", s.Name(), i, got, err, a)
			}
			if i > 0 && cmp.Or(cmp.Compare(len(last), len(a)), cmp.Compare(last, a)) >= 0 {
				t.Fatalf("%s: %q comes before %q", s.Name(), last, a)
			}
			i, last = i+1, a
		}
	}
	for _, c := range []struct {
		s    Space
		arch string
	}{{micro, "64-41414-1_02_333"}, {micro, "64-41414-3_33_333"}, {macro, "64-1234-basic"}, {macro, "64-2311-basic"}, {macro, "64-4111-basic"}} {
		if got, err := c.s.Parse(c.arch); err != nil || string(got) != c.arch {
			t.Errorf("Parse(%q) = %q, %v", c.arch, got, err)
		}
	}
}

// formula counts the parameters and FLOPs of a network in closed form: of a micro cell where cell is given, of residual blocks elsewhere.
func formula(c int64, modules, cell string, in spaces.Input) (params, flops int64) {
	px := int64(in.Size+1) / 2
	conv := func(k, from, to int64) {
		params += k*k*from*to + 2*to
		flops += px * px * k * k * from * to
	}
	conv(3, 3, c/2)
	px = (px + 1) / 2
	conv(3, c/2, c)
	for _, m := range modules {
		from, stride := c, int64(1)
		if m == '2' || m == '4' {
			c *= 2
		}
		if m == '3' || m == '4' {
			stride, px = 2, (px+1)/2
		}
		for range 2 {
			if cell == "" {
				conv(3, from, c)
				conv(3, c, c)
				if from != c || stride != 1 {
					conv(1, from, c)
				}
			}
			for e := range cell {
				in, st := c, int64(1)
				if e == 0 || e == 1 || e == 3 {
					in, st = from, stride
				}
				switch cell[e] {
				case '1':
					if in != c || st != 1 {
						conv(1, in, c)
					}
				case '2':
					conv(1, in, c)
				case '3':
					conv(3, in, c)
				}
			}
			from, stride = c, 1
		}
	}
	head := (c + 1) * int64(in.Classes)
	return params + head, flops + head
}

// TestCounts compares parameters and FLOPs of all networks of both spaces with the closed form, on even and odd pictures.
func TestCounts(t *testing.T) {
	for _, in := range []spaces.Input{{Size: 256, Classes: 47}, {Size: 225, Classes: 75}, {Size: 64, Classes: 1000}} {
		for _, s := range []Space{micro, macro, {C: 6}, {C: 6, Macro: true}} {
			for a := range s.All() {
				n, err := s.Network(a, in)
				if err != nil {
					t.Fatal(err)
				}
				words := strings.Split(string(a), "-")
				cell := strings.ReplaceAll(words[2], "_", "")
				if s.Macro {
					cell = ""
				}
				params, flops := formula(int64(s.C), words[1], cell, in)
				if got := net.Params(n); got != params {
					t.Fatalf("%v: %s has %d parameters, want %d", in, a, got, params)
				}
				if got := net.FLOPs(n, net.XAutoDL); got != flops {
					t.Fatalf("%v: %s has %d FLOPs, want %d", in, a, got, flops)
				}
			}
		}
	}
}

// TestResidual checks the residual block's quirk: the batch norm of a projection, and only that one, has an epsilon of 1.
func TestResidual(t *testing.T) {
	n, err := macro.Network("64-1342-basic", spaces.Input{Size: 64, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	projections := 0
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		if nd.Op != net.BatchNorm {
			continue
		}
		want := 1e-5
		if strings.HasSuffix(nd.Name, "downsample.1") {
			want = 1
			projections++
		}
		if nd.Eps != want {
			t.Errorf("%s has epsilon %g, want %g", nd.Name, nd.Eps, want)
		}
	}
	if projections != 3 {
		t.Errorf("%d blocks have a projection, want those of modules 3, 4 and 2", projections)
	}
}

// TestNeighbours checks the numbers of neighbours, and that being a neighbour is mutual.
func TestNeighbours(t *testing.T) {
	if got := len(slices.Collect(micro.Neighbors("64-41414-3_12_023"))); got != 18 {
		t.Errorf("a micro cell has %d neighbours, want 18", got)
	}
	near := map[spaces.Arch]map[spaces.Arch]bool{}
	for a := range macro.All() {
		near[a] = map[spaces.Arch]bool{}
		for b := range macro.Neighbors(a) {
			near[a][b] = true
		}
	}
	for a, all := range near {
		if len(all) < 5 {
			t.Errorf("%q has only the neighbours %v", a, all)
		}
		for b := range all {
			if !near[b][a] {
				t.Errorf("%q is a neighbour of %q and not the other way round", b, a)
			}
		}
	}
}

// TestTasks checks the table of tasks.
func TestTasks(t *testing.T) {
	names := map[string]bool{}
	for _, task := range Tasks {
		names[task.Name] = true
		n, err := micro.Network("64-41414-3_12_023", task.Input)
		if err != nil || n.Classes != task.Input.Classes || task.Head == "" {
			t.Errorf("%s: %v", task.Name, err)
		}
	}
	if len(names) != 7 || !Tasks[0].Exact || Tasks[6].Exact {
		t.Errorf("the tasks are %v, want seven, the first of them exact and the last not", names)
	}
}

// TestTable checks the meaning of digits and of the index against the benchmark's measured metrics. The best values are the published ones. And the numbers of parameters rank the cells as Table 5 of the ZiCo paper says, to its two digits, if by the metrics after the last epoch (it prints the autoencoder's without its sign).
func TestTable(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "data", "tnb_micro.bin.gz")
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no table of metrics: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var table struct{ Best, Final [7][MicroSize]float32 } // by task, in the order of the index
	if err := binary.Read(z, binary.LittleEndian, &table); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var params []float64
	for a := range micro.All() {
		cell := strings.ReplaceAll(strings.TrimPrefix(string(a), "64-41414-"), "_", "")
		p, _ := formula(64, microSkeleton, cell, micro.Input())
		params = append(params, float64(p))
	}
	for k, want := range []struct {
		task, best string
		rho        float64
	}{
		{"class_scene", "54.936", 0.64},
		{"class_object", "46.318", math.NaN()},
		{"room_layout", "-0.59378", math.NaN()},
		{"jigsaw", "95.372", 0.44},
		{"segmentsemantic", "26.271", math.NaN()},
		{"normal", "0.59622", 0.63},
		{"autoencoder", "0.57723", -0.01},
	} {
		if Tasks[k].Name != want.task {
			t.Errorf("task %d is %s, want %s", k, Tasks[k].Name, want.task)
		}
		if got := strconv.FormatFloat(float64(slices.Max(table.Best[k][:])), 'g', 5, 32); got != want.best {
			t.Errorf("%s: the best metric is %s, want %s", want.task, got, want.best)
		}
		metric := make([]float64, MicroSize)
		for i, v := range table.Final[k] {
			metric[i] = float64(v)
		}
		if got := spacetest.Spearman(params, metric); math.Abs(got-want.rho) > 0.005 {
			t.Errorf("%s: parameters rank with rho %.4f, want %.2f", want.task, got, want.rho)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, m := range malformed {
		f.Add(m)
	}
	f.Add("64-41414-3_12_023")
	f.Add("64-4231-basic")
	f.Add("77")
	f.Fuzz(func(t *testing.T, str string) {
		for _, s := range []Space{micro, macro} {
			a, err := s.Parse(str)
			if err != nil {
				_ = err.Error()
				continue
			}
			if again, err := s.Parse(string(a)); err != nil || again != a {
				t.Errorf("%q parses to %q, which parses to %q, %v", str, a, again, err)
			}
		}
	})
}
