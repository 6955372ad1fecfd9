package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/darts"
	"github.com/zeroshotnas/zeroshot/spaces/masternet"
	"github.com/zeroshotnas/zeroshot/spaces/nasbench101"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/transnas"
	"github.com/zeroshotnas/zeroshot/zico/export"
)

// description is what is said of an architecture.
type description struct {
	export.Description

	Forms     *cellForms        `json:"forms,omitempty"`         // natstss
	Hash      string            `json:"module_hash,omitempty"`   // nasbench101
	Spec      *nasbench101.Spec `json:"spec,omitempty"`          // nasbench101
	Expanded  string            `json:"expanded,omitempty"`      // masternet
	Reference *referenceCounts  `json:"reference,omitempty"`     // masternet
	Budget    *referenceCounts  `json:"budget,omitempty"`        // masternet
	Within    []budget          `json:"paper_budgets,omitempty"` // masternet
	Tasks     []taskInfo        `json:"tasks,omitempty"`         // transnas
}

// cellForms are forms that isomorphic cells share.
type cellForms struct {
	Live   string `json:"live"`   // without useless edges
	Unique string `json:"unique"` // the benchmark's rule
}

// referenceCounts are those of the reference's counters, see masternet.Counts.
type referenceCounts struct {
	FLOPs  float64 `json:"flops"`
	Params int64   `json:"params"`
	Layers int     `json:"layers"`
}

// budget is one of the paper's and whether the architecture keeps it.
type budget struct {
	Name   string  `json:"name"`
	FLOPs  float64 `json:"flops"`
	Layers int     `json:"layers"`
	Keeps  bool    `json:"keeps"`
}

// taskInfo is the network of a task of TransNAS-Bench-101.
type taskInfo struct {
	Name    string `json:"name"`
	Pixels  int    `json:"pixels"`
	Classes int    `json:"classes"`
	Exact   bool   `json:"exact"`
	Head    string `json:"head"` // the benchmark's
	Params  int64  `json:"params"`
	MACs    int64  `json:"macs"`
}

func describe(ctx context.Context, args []string) error {
	f := newFlags("describe", "ARCH...")
	name := f.String("space", "natstss", "search space, with options as in natstss:C=16,N=5; zico spaces lists them")
	size := f.Int("size", 0, "height and width of the images, pixels (0: the space's own)")
	classes := f.Int("classes", 0, "classes (0: the space's own)")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	brief := f.Bool("brief", false, "leave out the layers")
	svg := f.String("svg", "", "draw the whole network into this file")
	cellSVG := f.String("cell-svg", "", "draw the cell into this file, in spaces of cells")
	if err := parse(f, args); err != nil {
		return err
	}
	space, err := openSpace(*name)
	if err != nil {
		return err
	}
	drawer, drawsCells := space.(spaces.CellDrawer)
	switch {
	case f.NArg() == 0:
		return usageError{errors.New(`no architecture given; try: zico describe 1462, or zico spaces for an example of each space`)}
	case f.NArg() > 1 && *svg+*cellSVG != "":
		return usageError{fmt.Errorf("-svg and -cell-svg draw one architecture, %d were given", f.NArg())}
	case *cellSVG != "" && !drawsCells:
		return usageError{fmt.Errorf("architectures of %s choose no cell that could be drawn; -svg draws the whole network", space.Name())}
	case *size < 0 || *classes < 0:
		return usageError{errors.New("-size and -classes must not be negative")}
	}
	in := space.Input()
	if *size > 0 {
		in.Size = *size
	}
	if *classes > 0 {
		in.Classes = *classes
	}
	failed := false
	out := json.NewEncoder(os.Stdout)
	for i, arg := range f.Args() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d, n, err := describeArch(space, arg, in)
		if err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "zico describe: %v\n", err)
			continue
		}
		if *brief {
			d.Layers = nil
		}
		if *asJSON {
			if err := out.Encode(d); err != nil {
				return err
			}
		} else {
			if i > 0 {
				fmt.Println()
			}
			d.print(os.Stdout)
		}
		if *svg != "" {
			if err := os.WriteFile(*svg, []byte(n.SVG()), 0o666); err != nil {
				return err
			}
		}
		if *cellSVG != "" {
			picture, err := drawer.CellSVG(spaces.Arch(d.Arch))
			if err != nil {
				return err
			}
			if err := os.WriteFile(*cellSVG, []byte(picture), 0o666); err != nil {
				return err
			}
		}
	}
	if failed {
		return errFailed
	}
	return nil
}

// describeArch parses an architecture and collects what there is to say of it.
func describeArch(s spaces.Space, arch string, in spaces.Input) (*description, *net.Network, error) {
	a, err := s.Parse(arch)
	if err != nil {
		return nil, nil, err
	}
	n, err := s.Network(a, in)
	if err != nil {
		return nil, nil, err
	}
	common, err := export.Describe(n, export.About{Space: s, Arch: a})
	if err != nil {
		return nil, nil, err
	}
	d := &description{Description: *common}
	return d, n, d.special(s, a, in)
}

// special adds what only some spaces have.
func (d *description) special(s spaces.Space, a spaces.Arch, in spaces.Input) error {
	switch s := s.(type) {
	case natstss.Space:
		live, err := natstss.Live(a)
		if err != nil {
			return err
		}
		unique, err := natstss.Unique(a)
		if err != nil {
			return err
		}
		d.Forms = &cellForms{string(live), unique}
	case nasbench101.Space:
		hash, err := nasbench101.Hash(a)
		if err != nil {
			return err
		}
		spec, err := nasbench101.NewSpec(a)
		if err != nil {
			return err
		}
		d.Hash, d.Spec = hash, &spec
	case masternet.Space:
		for _, k := range masternet.Known() {
			if k.Arch == a {
				d.Known, d.Source = k.Name, k.Doc
			}
		}
		expanded, err := s.Expand(a)
		if err != nil {
			return err
		}
		counts, err := s.Count(a, in)
		if err != nil {
			return err
		}
		b, err := s.Budget(a, in)
		if err != nil {
			return err
		}
		d.Expanded, d.Reference, d.Budget = expanded, (*referenceCounts)(&counts), (*referenceCounts)(&b)
		for _, p := range []budget{{Name: "450M", FLOPs: 450e6, Layers: 14}, {Name: "600M", FLOPs: 600e6, Layers: 14}, {Name: "1G", FLOPs: 1000e6, Layers: 16}} {
			p.Keeps = b.FLOPs <= p.FLOPs && b.Layers <= p.Layers
			d.Within = append(d.Within, p)
		}
	case darts.Space:
		for i := range darts.Known {
			if k := &darts.Known[i]; k.Arch == a {
				d.Known, d.Source = k.Name, k.Source
			}
		}
	case transnas.Space:
		for _, t := range transnas.Tasks {
			n, err := s.Network(a, t.Input)
			if err != nil {
				return err
			}
			d.Tasks = append(d.Tasks, taskInfo{t.Name, t.Input.Size, t.Input.Classes, t.Exact, t.Head, net.Params(n), net.FLOPs(n, net.MACs)})
		}
	}
	return nil
}

func (d *description) print(w io.Writer) {
	fmt.Fprintln(w, d.Arch)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	row("space", "%s, images of %dx%d pixels, %d classes", d.Space, d.Pixels, d.Pixels, d.Classes)
	if d.Known != "" {
		row("known as", "%s: %s", d.Known, d.Source)
	}
	if d.Index != nil {
		row("index", "%d", *d.Index)
	}
	if d.Forms != nil {
		if d.Forms.Live == d.Arch {
			row("useless edges", "none")
		} else {
			row("without useless edges", "%s", d.Forms.Live)
		}
		row("unique form", "%s", d.Forms.Unique)
	}
	if d.Hash != "" {
		row("module hash", "%s", d.Hash)
		row("matrix", "%s", strings.ReplaceAll(fmt.Sprint(d.Spec.Matrix), " ", ""))
		row("operations", "%s", strings.Join(d.Spec.Ops, ", "))
	}
	row("parameters", "%d", d.Params)
	for _, c := range net.Conventions() {
		row("FLOPs, "+c.String(), "%d", d.FLOPs[c.String()])
	}
	row("weighted layers", "%d, of which %d have no gradient", d.Weighted, len(d.Dead))
	if d.Reference != nil {
		row("the reference counts", "%.10g FLOPs, %d parameters, %d layers", d.Reference.FLOPs, d.Reference.Params, d.Reference.Layers)
		row("for budgets", "%.10g FLOPs, %d layers (with residual links)", d.Budget.FLOPs, d.Budget.Layers)
		for _, b := range d.Within {
			keeps := "kept"
			if !b.Keeps {
				keeps = "exceeded"
			}
			row("budget "+b.Name, "%s (%.0f FLOPs, %d layers)", keeps, b.FLOPs, b.Layers)
		}
		if len(d.Layers) > 0 { // as long as they
			row("expanded", "%s", d.Expanded)
		}
	}
	t.Flush()
	if len(d.Tasks) > 0 {
		fmt.Fprintln(w)
		fmt.Fprintln(t, "task\tpixels\toutputs\tparameters\tMACs\tnetwork\tthe benchmark has behind the backbone")
		for _, k := range d.Tasks {
			network := "exact"
			if !k.Exact {
				network = "exact backbone, stand-in head"
			}
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", k.Name, k.Pixels, k.Classes, k.Params, k.MACs, network, k.Head)
		}
		t.Flush()
	}
	if len(d.Layers) == 0 {
		return
	}
	fmt.Fprintln(w)
	fmt.Fprint(t, "node\tlayer\tname\tinputs\tshape\tparameters")
	for _, c := range net.Conventions() {
		fmt.Fprintf(t, "\t%s", c)
	}
	fmt.Fprintln(t)
	line := func(node, label, name, inputs, shape string, params int64, flops map[string]int64) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s", node, label, name, inputs, shape, unlessZero(params))
		for _, c := range net.Conventions() {
			fmt.Fprintf(t, "\t%s", unlessZero(flops[c.String()]))
		}
		fmt.Fprintln(t)
	}
	for _, l := range d.Layers {
		inputs := strings.Trim(strings.ReplaceAll(fmt.Sprint(l.Inputs), " ", ","), "[]")
		line(fmt.Sprint(l.Node), l.Label, l.Name, inputs, strings.ReplaceAll(fmt.Sprint(l.Shape), " ", ","), l.Params, l.FLOPs)
	}
	line("total", "", "", "", "", d.Params, d.FLOPs)
	t.Flush()
}

func unlessZero(v int64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprint(v)
}
