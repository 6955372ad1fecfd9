package darts

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

var _ spaces.CellDrawer = Space{}

// CellSVG implements spaces.CellDrawer: the normal cell to the left, the reduction cell to the right. Cell k reads the outputs of the cells k-2 and k-1; lines without a box join states 2 to 5 to its output.
func (s Space) CellSVG(a spaces.Arch) (string, error) {
	g, err := s.read(a)
	if err != nil {
		return "", err
	}
	kinds := [len(Ops)]net.Op{maxPool: net.MaxPool, avgPool: net.AvgPool, skip: net.Add, sepConv3: net.Conv, sepConv5: net.Conv, dilConv3: net.Conv, dilConv5: net.Conv}
	var cells []net.Cell
	for k, c := range g {
		drawn := net.Cell{Points: []string{"0: cell k-2", "1: cell k-1"}}
		out := 2 + steps
		for i, node := range c {
			state := 2 + i
			drawn.Points = append(drawn.Points, fmt.Sprint(state))
			for _, e := range node {
				drawn.Edges = append(drawn.Edges, net.CellEdge{From: int(e.from), To: state, Label: Ops[e.op], Op: kinds[e.op]})
			}
			drawn.Edges = append(drawn.Edges, net.CellEdge{From: state, To: out})
		}
		drawn.Points = append(drawn.Points, []string{"normal cell k", "reduction cell k"}[k])
		cells = append(cells, drawn)
	}
	return net.DrawCells(string(a), cells...), nil
}
