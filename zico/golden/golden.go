// Package golden checks scores against files of expected values that the reference implementation has computed.
//
// A golden file is JSON: networks with their scores, losses, logits and per-layer statistics in float64 and float32, and tests of the score function alone on given gradients. Weights, images and labels are not in it; they come from package formula. Everything goes through the code that scores for users: spaces build the network, a Scorer scores it.
package golden

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces/masternet"
	"github.com/zeroshotnas/zeroshot/spaces/nasbench101"
)

// File is a golden file.
type File struct {
	Networks  []Network  `json:"networks"`
	Functions []Function `json:"function_tests"`
}

// Network is one network and what is expected of it. Null logs are layers that the reference skips.
type Network struct {
	ID      string         `json:"id"`
	Kind    string         `json:"kind"` // plain, nb201, nats_sss, nb101, transnas, plainnet
	Arch    string         `json:"arch"`
	C       int            `json:"C"`
	N       int            `json:"N"`
	BN      bool           `json:"bn"`
	NoLinks bool           `json:"no_reslink"`
	Matrix  [][]int        `json:"matrix"`
	Ops     []string       `json:"ops"`
	Stem    int            `json:"stem"`
	Modules int            `json:"modules"`
	Seed    uint64         `json:"seed"`
	Size    int            `json:"res"`
	Batch   int            `json:"batch"`
	Classes int            `json:"classes"`
	Counts  map[string]any `json:"counts"`
	Losses  []float64      `json:"loss"`
	Logits  [][]float64    `json:"logits0_head"`
	Layers  []Layer        `json:"layers"`
	ZiCo    map[string]any `json:"zico"`
	Proxies map[string]any `json:"proxies_f64"` // numbers, "nan", "inf", "-inf"; null where the reference fails
}

// Layer is what is expected of one weighted layer, from the float64 run where the name has no suffix.
type Layer struct {
	Name    string   `json:"name"`
	Weight  []int    `json:"w"`
	Log     *float64 `json:"zico_log"`
	NonZero int      `json:"nnz"`
	Clipped *float64 `json:"clip1000_log"`
	G0      float64  `json:"g0_l2"`
	G1      float64  `json:"g1_l2"`
}

// Function is a test of the score function alone: gradient b of layer k is float32(s(Seed, 100k+b, i)).
type Function struct {
	ID       string    `json:"id"`
	Seed     uint64    `json:"seed"`
	Batches  int       `json:"batches"`
	Sizes    []int     `json:"sizes"`
	DType    string    `json:"dtype"`
	Mutation string    `json:"mutation"` // "", zero_layer1, equal_first10
	Score    float64   `json:"score"`
	Sums     []float64 `json:"layer_sum"`
	NonZero  []int     `json:"nnz"`
}

// Read reads a golden file. It fails with the file's name and position on malformed JSON, and on a file without networks and function tests.
func Read(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("golden: %w", err)
	}
	var f File
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("golden: %s: %w", path, err)
	}
	if len(f.Networks) == 0 && len(f.Functions) == 0 {
		return nil, fmt.Errorf("golden: %s holds neither networks nor function tests", path)
	}
	for i := range f.Networks {
		n := &f.Networks[i]
		if n.ID == "" || n.Kind == "" || n.Batch < 1 || n.Size < 1 || n.Classes < 1 {
			return nil, fmt.Errorf("golden: %s: network %d (%q) lacks id, kind, batch, res or classes", path, i, n.ID)
		}
	}
	return &f, nil
}

// space names the space and the architecture of a network, or the reason why there is none.
func (g *Network) space() (space, arch, missing string) {
	switch g.Kind {
	case "plain":
		bn := 0
		if g.BN {
			bn = 1
		}
		return fmt.Sprintf("plain:bn=%d", bn), "3x8s1,3x16s2,3x32s2", ""
	case "nb101":
		return nasbench101.Space{C: g.Stem, N: g.Modules}.Name(), "", "" // the cell is Matrix and Ops
	case "nb201":
		return fmt.Sprintf("natstss:C=%d,N=%d", g.C, g.N), g.Arch, ""
	case "plainnet":
		return masternet.Space{ResLink: !g.NoLinks}.Name(), g.Arch, ""
	case "nats_sss":
		return "natssss", g.Arch, ""
	case "transnas":
		stem, _, _ := strings.Cut(g.Arch, "-")
		macro := 0
		if strings.HasSuffix(g.Arch, "-basic") {
			macro = 1
		}
		return fmt.Sprintf("transnas:C=%s,macro=%d", stem, macro), g.Arch, ""
	}
	return "", "", fmt.Sprintf("no search space for networks of kind %q yet", g.Kind)
}

// number reads a number of the free-form parts of a network.
func number(m map[string]any, key string) (float64, bool) {
	v, ok := m[key].(float64)
	return v, ok
}

// Row is the outcome of one comparison.
type Row struct {
	ID        string
	DType     string
	Score     float64
	Reference float64
	Tolerance float64
	Worst     float64  // largest difference of a layer's log (float64) or clipped log (float32)
	GradError float64  // float32: greatest relative error of a layer's gradient, against float64
	Compared  int      // proxies: values compared; Worst is the largest difference, as a share of the value
	Notes     []string // proxies: values that cannot be compared, and why
	Problems  []string // what is wrong; none: passed
	Skipped   string   // why it was not run
}

// OK reports whether the row passed. A skipped row neither passes nor fails.
func (r *Row) OK() bool { return len(r.Problems) == 0 && r.Skipped == "" }

// String is the row as a line of a table, with one more line for each problem.
func (r *Row) String() string {
	if r.Skipped != "" {
		return fmt.Sprintf("%-20s %-8s skipped: %s", r.ID, r.DType, r.Skipped)
	}
	verdict := "ok"
	if !r.OK() {
		verdict = "FAILED"
	}
	if r.GradError >= flipFree {
		verdict += fmt.Sprintf(" (a rectifier flips: gradients off by %.2g)", r.GradError)
	}
	var s string
	if r.DType == "proxies" {
		s = fmt.Sprintf("%-20s %-8s %37s %9.2g %10.2g  %s", r.ID, r.DType, fmt.Sprintf("%d values", r.Compared), r.Tolerance, r.Worst, verdict)
	} else {
		s = fmt.Sprintf("%-20s %-8s %18.10f %18.10f %9.2g %10.2g  %s", r.ID, r.DType, r.Score, r.Reference, r.Tolerance, r.Worst, verdict)
	}
	for _, n := range r.Notes {
		s += "\n    not compared: " + n
	}
	for i, p := range r.Problems {
		if i == 5 {
			s += fmt.Sprintf("\n    and %d more", len(r.Problems)-i)
			break
		}
		s += "\n    " + p
	}
	return s
}

// Header is the heading of the table of rows.
func Header() string {
	return fmt.Sprintf("%-20s %-8s %18s %18s %9s %10s", "network", "type", "score", "reference", "tolerance", "worst layer") + "\n" + strings.Repeat("-", 96)
}

func (r *Row) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}
