package tape

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
)

func network(t testing.TB, arch string) *net.Network {
	t.Helper()
	s := natstss.Space{C: 16, N: 2}
	a, err := s.Parse(arch)
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Network(a, spaces.Input{Size: 32, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := net.Prune(n)
	return p
}

// TestLifetimes checks for a few plans that every value is made once, used after it is made, never used after its last use, and that only results outlive the run.
func TestLifetimes(t *testing.T) {
	everything := Options{Batches: 1, Leave: Raw, Logits: true, Products: true, Channels: true, Signs: true, Jacobian: true}
	for _, arch := range []string{"15000", "11718", "7777", "1", "0"} {
		for _, o := range []Options{
			{Batches: 2, Logits: true},
			{Batches: 2, Leave: Raw, Logits: true},
			everything,
			{Batches: 1, Objective: Outputs, Leave: Raw, Products: true},
			{Batches: 1, Objective: EachOutput, Leave: Gram, Channels: true},
			{Batches: 4, Leave: SignSums},
			{Batches: 1, Objective: Curvature},
			{Batches: 2, Objective: Nothing, Features: true},
		} {
			o.DType, o.Images = dtypes.Float32, 4
			p, err := Compile(network(t, arch), o)
			if err != nil && o.Features && strings.Contains(err.Error(), "no global pooling") {
				continue // of a disconnected network pruning leaves no pooling
			}
			if err != nil {
				t.Fatal(err)
			}
			what := fmt.Sprintf("%s with %+v", arch, o)
			made := map[value]int{}
			for s, st := range p.steps {
				for _, v := range st.in {
					at, ok := made[v]
					if p.tensors[v].kind == computed && (!ok || at >= s) {
						t.Fatalf("%s: step %d (%s) uses value %d before it is made", what, s, st.op.Name(), v)
					}
					if p.tensors[v].last < s {
						t.Fatalf("%s: step %d (%s) uses value %d, freed after step %d", what, s, st.op.Name(), v, p.tensors[v].last)
					}
				}
				for _, v := range st.out {
					if _, again := made[v]; again {
						t.Fatalf("%s: value %d is made twice", what, v)
					}
					made[v] = s
				}
			}
			results := map[value]bool{}
			for _, v := range p.results() {
				results[v] = true
			}
			for v, x := range p.tensors {
				if kept := x.last == len(p.steps); kept != results[value(v)] {
					t.Errorf("%s: value %d is kept to the end: %t, is a result: %t", what, v, kept, results[value(v)])
				}
			}
		}
	}
}

// TestPeakBytes checks the memory estimate against what is known of it: it grows in proportion to the images and the type, and a plan of one batch needs about half of one of two.
func TestPeakBytes(t *testing.T) {
	n := network(t, "11718")
	peak := func(dtype dtypes.DType, batches, images int) float64 {
		p, err := Compile(n, Options{DType: dtype, Batches: batches, Images: images, Leave: Raw})
		if err != nil {
			t.Fatal(err)
		}
		return float64(p.PeakBytes())
	}
	one := peak(dtypes.Float32, 1, 128)
	for what, ratio := range map[string]float64{
		"two batches": peak(dtypes.Float32, 2, 128) / one,
		"256 images":  peak(dtypes.Float32, 1, 256) / one,
		"float64":     peak(dtypes.Float64, 1, 128) / one,
	} {
		if ratio < 1.9 || ratio > 2.1 {
			t.Errorf("%s need %.2f times the memory, want about 2", what, ratio)
		}
	}
	// Forward, the network keeps of each cell at least the rectified input and the outputs of its batch norms.
	if least := float64(128 * 32 * 32 * 16 * 4 * 2 * 4); one < least {
		t.Errorf("the estimate is %.0f bytes, less than the %.0f that the first stage alone keeps", one, least)
	}
}

// TestCompileErrors checks what cannot be planned.
func TestCompileErrors(t *testing.T) {
	n := network(t, "1")
	for want, o := range map[string]Options{
		"use float32 or float64": {DType: dtypes.Int32, Batches: 1, Images: 1},
		"must be at least 1":     {DType: dtypes.Float32, Batches: 0, Images: 1},
	} {
		if _, err := Compile(n, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v gives %v, want an error with %q", o, err, want)
		}
	}
}

func ExampleCompile() {
	n, err := natstss.Space{C: 16, N: 1}.Network("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|", spaces.Input{Size: 32, Classes: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	n, _ = net.Prune(n)
	p, err := Compile(n, Options{DType: dtypes.Float32, Batches: 1, Images: 128})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("every kernel is called at least once, some more often:", p.Steps() > len(p.Ops()))
	// Output: every kernel is called at least once, some more often: true
}

// TestDrawOnDevice checks that a device makes the same weights as the host, bit for bit.
func TestDrawOnDevice(t *testing.T) {
	be, err := backend.Open("xla:cpu")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := kernel.New(be, kernel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Finalize()
	n := network(t, "11718")
	w := NewParameters(be, n, dtypes.Float32, Draw{Seed: 1<<63 + 5})
	defer w.Finalize()
	seen := 0
	for i := range n.Nodes {
		if !n.Nodes[i].Op.HasWeights() {
			continue
		}
		seen++
		want, dims := Weights(n, i, w.draw)
		b, err := w.drawOnDevice(cache, i)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, len(want))
		if err := b.ToFlatData(got); err != nil {
			t.Fatal(err)
		}
		if s, err := b.Shape(); err != nil || !slices.Equal(s.Dimensions, dims) {
			t.Errorf("node %d: the weight is %v (%v), want %v", i, s, err, dims)
		}
		for k := range want {
			if got[k] != want[k] {
				t.Fatalf("node %d: weight %d is %v, want %v", i, k, got[k], want[k])
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d weights compared", seen)
	}
}
