package export_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/zeroshotnas/zeroshot/spaces"
	_ "github.com/zeroshotnas/zeroshot/spaces/darts"
	_ "github.com/zeroshotnas/zeroshot/spaces/masternet"
	_ "github.com/zeroshotnas/zeroshot/spaces/nasbench101"
	_ "github.com/zeroshotnas/zeroshot/spaces/natssss"
	_ "github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	_ "github.com/zeroshotnas/zeroshot/spaces/plain"
	_ "github.com/zeroshotnas/zeroshot/spaces/transnas"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/export"
	"github.com/zeroshotnas/zeroshot/zico/formula"
	"github.com/zeroshotnas/zeroshot/zico/train"
)

// driver loads each module named in its arguments, gives it the weights and the images beside it, and writes what it makes of them. Convolutions and linear layers are filled in the order in which modules() lists them, which package export promises.
const driver = `
import importlib.util, os, sys
import torch

torch.set_num_threads(1)

def read(path):
    data = bytearray(open(path, "rb").read())
    return torch.frombuffer(data, dtype=torch.float64)

for folder in sys.argv[1:]:
    spec = importlib.util.spec_from_file_location("model", os.path.join(folder, "model.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.Network().double()
    weights, at = read(os.path.join(folder, "weights")), 0
    for layer in model.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            for p in (layer.weight, layer.bias):
                if p is not None:
                    p.data.copy_(weights[at:at + p.numel()].view_as(p))
                    at += p.numel()
    assert at == len(weights), (folder, at, len(weights))
    shape = [int(v) for v in open(os.path.join(folder, "shape")).read().split()]
    images = read(os.path.join(folder, "images")).view(shape)
    with torch.no_grad():
        train = model.train()(images)
        evaluated = model.eval()(images)
    with open(os.path.join(folder, "logits"), "wb") as f:
        for logits in (train, evaluated):
            f.write(bytes(logits.contiguous().view(-1).numpy()))
    print(sum(p.numel() for p in model.parameters()), list(train.shape))
`

const seed, batch, classes = 3, 5, 7

type peerCase struct {
	name    string
	net     *net.Network
	trained bool // train.Model as well
	dir     string
}

// peerCases are networks of all spaces that have every operation between them.
func peerCases(t *testing.T) []peerCase {
	var cases []peerCase
	for _, c := range []struct {
		space, arch string // arch "": a random one
		size        int
	}{
		{"natstss:C=4,N=1", "1462", 32},
		{"natstss:C=4,N=1", "|avg_pool_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|", 32},
		{"natstss:C=4,N=1", "0", 32},
		{"natssss", "8:16:8:24:8", 32},
		{"nasbench101:C=8,N=1", "conv1x1~0,conv3x3~0,maxpool3x3~2,conv3x3~3,conv3x3~0+1+4,output~0+5", 32},
		{"darts:C=4,cells=3", "DARTS_V2", 32},
		{"darts:C=4,cells=3,imagenet=1", "", 32},
		{"transnas:C=8", "8-41414-3_12_023", 32},
		{"transnas:C=8,macro=1", "", 32},
		{"plain", "3x8s1,5x16s2", 16},
		{"plain:bn=0", "3x8s1,5x16s2", 16},
		{"masternet", "zico_450M", 48},
		{"masternet:reslink=1,se=1", "zico_450M", 32},
		{"masternet:reslink=1,se=1", "SuperConvK3BNRELU(3,8,2,1)SuperResK1K5K1(8,16,2,8,1)SuperResK3K3(16,24,1,8,2)SuperConvK1BNRELU(24,32,1,1)", 32},
	} {
		s, err := spaces.Open(c.space)
		if err != nil {
			t.Fatal(err)
		}
		a := s.Sample(rand.New(rand.NewPCG(5, 5)))
		if c.arch != "" {
			if a, err = s.Parse(c.arch); err != nil {
				t.Fatal(err)
			}
		}
		n, err := s.Network(a, spaces.Input{Size: c.size, Classes: classes})
		if err != nil {
			t.Fatal(err)
		}
		// The chain without links compiles for long, and has no operation that the one with them has not.
		cases = append(cases, peerCase{name: fmt.Sprintf("%s %.40s", c.space, a), net: n, trained: c.space != "masternet"})
	}
	return append(cases, peerCase{name: "every operation", net: everything(t), trained: true})
}

// everything is a network of the operations and settings that spaces have not, and of names that Python does not take.
func everything(t *testing.T) *net.Network {
	b := net.NewBuilder(`a "name" \ with signs`, net.Shape{C: 3, H: 13, W: 13})
	x := b.Add(net.Node{Op: net.Conv, Name: "class", In: []int{0}, Out: 12, Kernel: 4, Stride: 2, Pad: 2, Bias: true})
	x = b.BatchNorm("1.norm", x, 1e-2)
	b.SetMomentum(x, 0.3)
	x = b.ReLU(x)
	y := b.Add(net.Node{Op: net.Conv, Name: "a.b", In: []int{x}, Out: 8, Kernel: 3, Stride: 1, Pad: 1, Groups: 4, Bias: true})
	z := b.Add(net.Node{Op: net.Conv, Name: "a_b", In: []int{x}, Out: 8, Kernel: 3, Stride: 1, Pad: 2, Dilation: 2})
	w := b.Add(net.Node{Op: net.AvgPool, In: []int{y}, Kernel: 3, Stride: 1, Pad: 1, CountPad: true})
	v := b.Add(net.Node{Op: net.AvgPool, In: []int{z}, Kernel: 3, Stride: 1, Pad: 1})
	x = b.Add(net.Node{Op: net.Concat, In: []int{w, v, b.Sum(y, z, b.Add(net.Node{Op: net.Zero, In: []int{y}}))}})
	x = b.Add(net.Node{Op: net.Slice, In: []int{x}, From: 3, To: 21})
	d := b.Add(net.Node{Op: net.Conv, Name: "forward", In: []int{x}, Out: 18, Kernel: 3, Stride: 2, Pad: 2, Dilation: 2, Groups: 18, Bias: true})
	x = b.Add(net.Node{Op: net.MaxPool, In: []int{x}, Kernel: 3, Stride: 2, Pad: 1})
	x = b.Add(net.Node{Op: net.Shift, In: []int{b.Sum(x, d)}})
	g := b.Add(net.Node{Op: net.Sigmoid, In: []int{b.Add(net.Node{Op: net.Linear, Name: "gate", In: []int{b.Add(net.Node{Op: net.GlobalAvgPool, In: []int{x}})}, Out: 18})}})
	x = b.Add(net.Node{Op: net.Gate, In: []int{x, g}})
	zero := b.Add(net.Node{Op: net.Zero, In: []int{x}, Shape: net.Shape{C: 5, H: 4, W: 4}})
	x = b.Add(net.Node{Op: net.Concat, In: []int{x, b.Add(net.Node{Op: net.Conv, Name: "dead", In: []int{zero}, Out: 5, Kernel: 1, Bias: true})}})
	b.Conv("unused", x, 4, 1, 1)
	x = b.Add(net.Node{Op: net.GlobalAvgPool, In: []int{x}})
	x = b.ReLU(b.BatchNorm("between", b.Add(net.Node{Op: net.Linear, Name: "", In: []int{x}, Out: 9, Bias: true}), 0))
	n, err := b.Network(b.Add(net.Node{Op: net.Linear, Name: "out", In: []int{x}, Out: classes, Bias: true}))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLogits runs networks of all spaces, with the same weights and images, as zico.NetworkModel, as train.Model and in PyTorch, in training and in evaluation after one batch of training, in float64.
func TestLogits(t *testing.T) {
	be, err := backend.Open("")
	if err != nil {
		t.Fatal(err)
	}
	cases := peerCases(t)
	dir := t.TempDir()
	var folders []string
	for i := range cases {
		c := &cases[i]
		c.dir = filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(c.dir, 0o777); err != nil {
			t.Fatal(err)
		}
		folders = append(folders, c.dir)
		source, err := export.PyTorch(c.net, export.About{})
		if err != nil {
			t.Fatal(err)
		}
		in := c.net.Input
		write(t, c.dir, "model.py", []byte(source))
		write(t, c.dir, "weights", bytesOf(weights(c.net)))
		write(t, c.dir, "images", bytesOf(channelsFirst(pixels(in), in)))
		write(t, c.dir, "shape", fmt.Appendln(nil, batch, in.C, in.H, in.W))
	}

	python := "../../.zeroshot/peer/bin/python"
	said := make([]string, len(cases))
	if _, err := os.Stat(python); err != nil {
		t.Log("without PyTorch (make peer installs it) only GoMLX's models are compared")
		python = ""
	} else {
		out, err := exec.Command(python, append([]string{"-c", driver}, folders...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("PyTorch: %v\n%s", err, out)
		}
		said = strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(said) != len(cases) {
			t.Fatalf("%d lines for %d networks:\n%s", len(said), len(cases), out)
		}
	}

	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.net.Layers > 100 {
				t.Skip("compiles for long")
			}
			t.Parallel()
			scored := run(t, be, model.NewStore(), zico.NetworkModel(c.net, seed), c.net.Input, true)
			var ofEval []float64
			if c.trained {
				store := model.NewStore()
				near(t, "NetworkModel and train.Model", scored, run(t, be, store, train.Model(c.net, seed), c.net.Input, true))
				ofEval = run(t, be, store, train.Model(c.net, seed), c.net.Input, false)
			}
			if python == "" {
				return
			}
			if want := fmt.Sprintf("%d [%d, %d]", net.Count(c.net).Params, batch, classes); said[i] != want {
				t.Errorf("PyTorch has parameters and logits %s, want %s", said[i], want)
			}
			data, err := os.ReadFile(filepath.Join(c.dir, "logits"))
			if err != nil {
				t.Fatal(err)
			}
			logits := floatsOf(data)
			trained, evaluated := logits[:len(logits)/2], logits[len(logits)/2:]
			near(t, "PyTorch and NetworkModel", trained, scored)
			if c.trained {
				near(t, "PyTorch and train.Model in evaluation", evaluated, ofEval)
			}
		})
	}
}

// near compares logits.
func near(t *testing.T, what string, a, b []float64) {
	t.Helper()
	if len(a) != len(b) || len(a) != batch*classes {
		t.Fatalf("%s: %d and %d logits", what, len(a), len(b))
	}
	worst, spread := 0.0, 0.0
	for i := range a {
		d := math.Abs(a[i] - b[i])
		if !(d <= worst) {
			worst = d
		}
		spread = max(spread, math.Abs(a[i]))
	}
	if !(worst <= 1e-9*max(1, spread)) {
		t.Errorf("%s: logits up to %g differ by %g", what, spread, worst)
	}
}

// run is what a model makes of the images, flat.
func run(t *testing.T, be *backend.Backend, store *model.Store, fn zico.ModelFn, in net.Shape, training bool) []float64 {
	t.Helper()
	exec, err := model.NewExec(be.Backend, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
		store.SetTraining(x.Graph(), training)
		return fn(scope, x)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Exec(tensors.FromFlatDataAndDimensions(pixels(in), batch, in.H, in.W, in.C))
	if err != nil {
		t.Fatal(err)
	}
	var logits []float64
	for _, row := range out[0].Value().([][]float64) {
		logits = append(logits, row...)
	}
	return logits
}

// pixels are the images [batch, height, width, channels].
func pixels(in net.Shape) []float64 {
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float64, batch*in.Elements())
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

func channelsFirst(x []float64, in net.Shape) []float64 {
	y := make([]float64, 0, len(x))
	for i := range batch {
		for c := range in.C {
			for p := range in.H * in.W {
				y = append(y, x[(i*in.H*in.W+p)*in.C+c])
			}
		}
	}
	return y
}

// weights are the weights and biases that seed gives, in the order of the nodes and in PyTorch's layout.
func weights(n *net.Network) []float64 {
	var all []float64
	add := func(count, fanIn int, stream uint64) {
		data := make([]float32, count)
		formula.FillWeights(data, seed, stream, fanIn)
		for _, v := range data {
			all = append(all, float64(v))
		}
	}
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		dims, fanIn := n.WeightShape(i)
		if dims == nil {
			continue
		}
		add(dims[0]*fanIn, fanIn, uint64(nd.Layer))
		if nd.Bias {
			add(nd.Out, fanIn, formula.BiasStream+uint64(nd.Layer))
		}
	}
	return all
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func bytesOf(x []float64) []byte {
	var b []byte
	for _, v := range x {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

func floatsOf(b []byte) []float64 {
	var x []float64
	for ; len(b) >= 8; b = b[8:] {
		x = append(x, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return x
}
