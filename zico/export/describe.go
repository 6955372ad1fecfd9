package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// Description is what there is to say of every architecture, of whatever space.
type Description struct {
	Space   string `json:"space"`           // name with options
	Arch    string `json:"arch"`            // canonical form
	Index   *int   `json:"index,omitempty"` // in spaces that number their architectures
	Known   string `json:"known,omitempty"` // name of a published architecture, where the caller knows it
	Source  string `json:"source,omitempty"`
	Pixels  int    `json:"pixels"` // height and width of the images
	Classes int    `json:"classes"`

	Params   int64            `json:"params"`
	FLOPs    map[string]int64 `json:"flops"`            // of one image, by convention
	Weighted int              `json:"weighted_layers"`  // convolutions and linear layers
	Dead     []string         `json:"without_gradient"` // those of them that reach no output or see zeros only, by name
	Layers   []Layer          `json:"layers,omitempty"` // in the order in which they are computed
}

// Layer is a node of a described network.
type Layer struct {
	Node   int              `json:"node"` // position in the list
	Op     string           `json:"op"`
	Label  string           `json:"label"`
	Name   string           `json:"name,omitempty"` // of the module
	Inputs []int            `json:"inputs"`         // nodes
	Shape  [3]int           `json:"shape"`          // channels, height, width of one image
	Params int64            `json:"params"`
	FLOPs  map[string]int64 `json:"flops"` // of one image, by convention
}

// Describe describes a network. Space, Arch and Index are those of about.
func Describe(n *net.Network, about About) (*Description, error) {
	d := &Description{Arch: string(about.Arch), Pixels: n.Input.H, Classes: n.Classes, Params: net.Params(n), FLOPs: map[string]int64{}, Dead: []string{}}
	if about.Space != nil {
		d.Space = about.Space.Name()
	}
	if x, ok := about.Space.(spaces.Indexer); ok && !spaces.IsSupernet(about.Space, about.Arch) {
		i, err := x.Index(about.Arch)
		if err != nil {
			return nil, err
		}
		d.Index = &i
	}
	for _, c := range net.Conventions() {
		d.FLOPs[c.String()] = net.FLOPs(n, c)
	}
	_, dead := net.Prune(n)
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		if nd.Op.HasWeights() {
			d.Weighted++
		}
		l := Layer{Node: i, Op: nd.Op.String(), Label: nd.Label(), Name: nd.Name, Inputs: nd.In, Shape: [3]int{nd.Shape.C, nd.Shape.H, nd.Shape.W}, Params: net.NodeParams(n, i), FLOPs: map[string]int64{}}
		if l.Inputs == nil {
			l.Inputs = []int{}
		}
		for _, c := range net.Conventions() {
			l.FLOPs[c.String()] = net.NodeFLOPs(n, i, c)
		}
		d.Layers = append(d.Layers, l)
		if nd.Op.HasWeights() && slices.Contains(dead, nd.Layer) {
			d.Dead = append(d.Dead, nd.Name)
		}
	}
	return d, nil
}

// exactLayer is a Layer with everything that is needed to build it.
type exactLayer struct {
	Layer
	Module   string  `json:"module,omitempty"` // attribute in model.py
	Weight   []int   `json:"weight,omitempty"` // shape: out, in/groups, height, width or out, in
	Kernel   int     `json:"kernel,omitempty"`
	Stride   int     `json:"stride,omitempty"`
	Pad      int     `json:"pad,omitempty"`
	Dilation int     `json:"dilation,omitempty"`
	Groups   int     `json:"groups,omitempty"`
	Bias     bool    `json:"bias,omitempty"`
	CountPad bool    `json:"count_pad,omitempty"` // avgpool: the padding counts in the mean
	Eps      float64 `json:"eps,omitempty"`
	Momentum float64 `json:"momentum,omitempty"` // share of the batch in the running statistics
	From     *int    `json:"from,omitempty"`     // slice: channels from (included) to (excluded)
	To       *int    `json:"to,omitempty"`
	Factor   float64 `json:"factor,omitempty"` // scale
}

// JSON is the network as a JSON object, a layer a line: a Description whose layers also say how to build them, with the score of about. Its layers are enough to make the network in another program.
func JSON(n *net.Network, about About) ([]byte, error) {
	if err := n.Validate(); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	d, err := Describe(n, about)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	head := struct {
		*Description
		Score  *float64 `json:"score,omitempty"`
		Output int      `json:"output"` // node that holds the logits
		Layers []Layer  `json:"layers,omitempty"`
	}{Description: d, Score: about.Score, Output: n.Output}
	var b bytes.Buffer
	text, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	b.Write(bytes.TrimSuffix(text, []byte("\n}")))
	b.WriteString(",\n  \"layers\": [")
	modules := moduleNames(n)
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		l := exactLayer{Layer: d.Layers[i], Module: modules[i]}
		switch nd.Op {
		case net.Conv:
			l.Kernel, l.Stride, l.Pad, l.Dilation, l.Groups, l.Bias = nd.Kernel, nd.Stride, nd.Pad, max(1, nd.Dilation), nd.Groups, nd.Bias
		case net.Linear:
			l.Bias = nd.Bias
		case net.BatchNorm:
			l.Eps, l.Momentum = nd.Eps, momentum(nd)
		case net.AvgPool, net.MaxPool:
			l.Kernel, l.Stride, l.Pad, l.CountPad = nd.Kernel, nd.Stride, nd.Pad, nd.CountPad
		case net.Scale:
			l.Factor = nd.Factor
		case net.Slice:
			l.From, l.To = &nd.From, &nd.To
		}
		l.Weight, _ = n.WeightShape(i)
		text, err := json.Marshal(l)
		if err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n    ")
		b.Write(text)
	}
	b.WriteString("\n  ]\n}\n")
	return b.Bytes(), nil
}

// momentum is a batch norm's, with the default filled in.
func momentum(nd *net.Node) float64 {
	if nd.Momentum == 0 {
		return 0.1
	}
	return nd.Momentum
}

// table is the network as rows: a header, a row a layer, the totals.
func table(n *net.Network) [][]string {
	header := []string{"node", "layer", "name", "inputs", "channels", "height", "width", "parameters"}
	total := []string{"total", "", "", "", "", "", "", fmt.Sprint(net.Params(n))}
	for _, c := range net.Conventions() {
		header = append(header, c.String())
		total = append(total, fmt.Sprint(net.FLOPs(n, c)))
	}
	rows := [][]string{header}
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		row := []string{fmt.Sprint(i), nd.Label(), nd.Name, strings.Trim(fmt.Sprint(nd.In), "[]"), fmt.Sprint(nd.Shape.C), fmt.Sprint(nd.Shape.H), fmt.Sprint(nd.Shape.W), fmt.Sprint(net.NodeParams(n, i))}
		for _, c := range net.Conventions() {
			row = append(row, fmt.Sprint(net.NodeFLOPs(n, i, c)))
		}
		rows = append(rows, row)
	}
	return append(rows, total)
}

// CSV is the table of layers: node, layer, name, inputs (nodes, separated by spaces), channels, height, width, parameters, and multiply-accumulates of one image by each convention of package net; a header, a row a layer, the totals. n must be valid.
func CSV(n *net.Network) string {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.WriteAll(table(n)) // a Buffer takes everything
	return b.String()
}

// Markdown is the table of CSV for people: zeros are left out. n must be valid.
func Markdown(n *net.Network) string {
	var b strings.Builder
	const firstCount = 7 // column of the parameters
	for i, row := range table(n) {
		for k, cell := range row {
			if i > 0 && k >= firstCount && cell == "0" {
				cell = ""
			}
			if k == 2 && cell != "" && i > 0 {
				cell = "`" + cell + "`"
			}
			fmt.Fprintf(&b, "| %s ", strings.ReplaceAll(cell, "|", `\|`))
		}
		b.WriteString("|\n")
		if i == 0 {
			b.WriteString("|--:|---|---|---" + strings.Repeat("|--:", len(row)-4) + "|\n")
		}
	}
	return b.String()
}
