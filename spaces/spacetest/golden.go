package spacetest

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// Golden compares a space's networks with the reference's, as shared/golden/golden.json beside the checkout describes them: names, order, shapes and geometry of the weighted layers, the layers that pruning must remove or leave on zeros, parameters, batch normalisations and FLOPs. build makes the network of an entry of the given kind from its own fields, such as "arch". The test is skipped where the file is absent.
func Golden(t *testing.T, kind string, build func(entry json.RawMessage, in spaces.Input) (*net.Network, error)) {
	t.Helper()
	path, err := goldenFile()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no golden file: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Networks []json.RawMessage }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	found := false
	for _, raw := range file.Networks {
		var g entry
		if err := json.Unmarshal(raw, &g); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if g.Kind != kind {
			continue
		}
		found = true
		t.Run(g.ID, func(t *testing.T) {
			n, err := build(raw, spaces.Input{Size: g.Res, Classes: g.Classes})
			if err != nil {
				t.Fatal(err)
			}
			g.compare(t, n)
		})
	}
	if !found {
		t.Errorf("%s has no network of kind %q", path, kind)
	}
}

// goldenFile is where the golden file is, if it is: shared/golden beside the folder of go.mod.
func goldenFile() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "..", "shared", "golden", "golden.json"), nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod in the folders above the test")
		}
		dir = up
	}
}

// entry is what Golden reads of a network in the golden file.
type entry struct {
	ID, Kind     string
	Res, Classes int
	Layers       []struct {
		Name                string
		W, Out              []int
		Bias                bool
		Stride, Pad, Groups int
		Log                 *float64 `json:"zico_log"`
	}
	Counts map[string]float64 // whole numbers, some written as 3291616.0
}

func (g *entry) compare(t *testing.T, n *net.Network) {
	if n.Layers != len(g.Layers) {
		t.Fatalf("%d weighted layers, want %d\n%s", n.Layers, len(g.Layers), n)
	}
	norms := int64(0)
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		if nd.Op == net.BatchNorm {
			norms++
		}
		if !nd.Op.HasWeights() {
			continue
		}
		want := &g.Layers[nd.Layer]
		w, _ := n.WeightShape(i)
		if nd.Name != want.Name || !slices.Equal(w, want.W) || nd.Bias != want.Bias {
			t.Errorf("layer %d is %s %v, bias %t, want %s %v, bias %t", nd.Layer, nd.Name, w, nd.Bias, want.Name, want.W, want.Bias)
		}
		// A linear layer's output is written without height and width.
		if out := []int{nd.Shape.C, nd.Shape.H, nd.Shape.W}; !slices.Equal(out[:min(3, len(want.Out))], want.Out) {
			t.Errorf("layer %d (%s) gives %v, want %v", nd.Layer, nd.Name, out, want.Out)
		}
		if got := [3]int{nd.Stride, nd.Pad, nd.Groups}; nd.Op == net.Conv && got != [3]int{want.Stride, want.Pad, want.Groups} {
			t.Errorf("layer %d (%s) has stride, padding and groups %v, want %d, %d, %d", nd.Layer, nd.Name, got, want.Stride, want.Pad, want.Groups)
		}
	}
	for what, got := range map[string]int64{
		"params_conv_linear_bn": net.Params(n),
		"xautodl_params":        net.Params(n),
		"xautodl_flops":         net.FLOPs(n, net.XAutoDL),
		"num_bn":                norms,
		"num_conv_linear":       int64(n.Layers),
	} {
		if want, ok := g.Counts[what]; !ok || float64(got) != want {
			t.Errorf("%s is %d, want %.0f", what, got, want)
		}
	}

	p, dead := net.Prune(n)
	for i := range p.Nodes {
		nd := &p.Nodes[i]
		if nd.Op.HasWeights() && p.Nodes[nd.In[0]].Op == net.Zero {
			dead = append(dead, nd.Layer) // stays for its bias; its weight sees zeros
		}
	}
	slices.Sort(dead)
	var want []int
	for i := range g.Layers {
		if g.Layers[i].Log == nil {
			want = append(want, i)
		}
	}
	if !slices.Equal(dead, want) {
		t.Errorf("pruning finds layers %v without gradients, the reference %v", dead, want)
	}
}
