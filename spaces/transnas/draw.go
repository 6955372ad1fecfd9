package transnas

import (
	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

var (
	_ spaces.CellDrawer = Space{}
	_ spaces.Indexer    = Space{}
)

// CellSVG implements spaces.CellDrawer: in the micro space the cell, edges that carry zeros dashed; in the macro space the residual block, which is the same in all of its skeletons.
func (s Space) CellSVG(a spaces.Arch) (string, error) {
	x, err := s.read(a)
	if err != nil {
		return "", err
	}
	if s.Macro {
		return net.DrawCells(string(a), net.Cell{Points: []string{"in", "", "out"}, Edges: []net.CellEdge{
			{From: 0, To: 1, Label: "3x3 convolution", Op: net.Conv},
			{From: 1, To: 2, Label: "3x3 convolution", Op: net.Conv},
			{From: 0, To: 2, Label: "skip connection", Op: net.Add},
		}}), nil
	}
	ops := [operations]net.CellEdge{zero: {Label: "zero", Op: net.Zero}, skip: {Label: "skip connection", Op: net.Add}, conv1x1: {Label: "1x1 convolution", Op: net.Conv}, conv3x3: {Label: "3x3 convolution", Op: net.Conv}}
	drawn := net.Cell{Points: []string{"0", "1", "2", "3"}}
	for e, edge := range edges {
		op := ops[x.cell[e]]
		op.From, op.To = edge[0], edge[1]
		drawn.Edges = append(drawn.Edges, op)
	}
	return net.DrawCells(string(a), drawn), nil
}
