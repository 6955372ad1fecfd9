package natstss

import (
	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

var (
	_ spaces.CellDrawer = Space{}
	_ spaces.Indexer    = Space{}
)

// CellSVG implements spaces.CellDrawer. Edges with the operation none, which carry zeros, are dashed.
func (s Space) CellSVG(a spaces.Arch) (string, error) {
	c, err := s.read(a)
	if err != nil {
		return "", err
	}
	return net.DrawCells(string(a), drawn(func(edge int) []int { return []int{int(c[edge])} })), nil
}

// drawn is the cell whose edges have the given operations.
func drawn(ops func(edge int) []int) net.Cell {
	kinds := [len(Ops)]net.Op{none: net.Zero, skip: net.Add, conv1x1: net.Conv, conv3x3: net.Conv, avgPool: net.AvgPool}
	cell := net.Cell{Points: []string{"0", "1", "2", "3"}}
	for e, edge := range edges {
		for _, op := range ops(e) {
			cell.Edges = append(cell.Edges, net.CellEdge{From: edge[0], To: edge[1], Label: Ops[op], Op: kinds[op]})
		}
	}
	return cell
}
