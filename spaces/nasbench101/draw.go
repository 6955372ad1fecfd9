package nasbench101

import (
	"fmt"
	"math/bits"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

var (
	_ spaces.CellDrawer = Space{}
	_ spaces.Indexer    = Space{}
)

// CellSVG implements spaces.CellDrawer: a box for the operation of each vertex, with the channels that it has in the first stack.
func (s Space) CellSVG(a spaces.Arch) (string, error) {
	c, err := s.read(a)
	if err != nil {
		return "", err
	}
	ch := c.channels(s.C, s.C)
	size := s.Input().Size
	n := net.Network{Name: string(a), Output: int(c.n) - 1}
	for v := range int(c.n) {
		nd := net.Node{Name: fmt.Sprintf("vertex %d", v), Stride: 1, Groups: 1, Out: ch[v], Shape: net.Shape{C: ch[v], H: size, W: size}}
		for m := c.in[v]; m != 0; m &= m - 1 {
			nd.In = append(nd.In, bits.TrailingZeros8(m))
		}
		switch {
		case v == 0:
			nd.Op = net.Input
		case v == n.Output && bits.OnesCount8(c.in[v]&^1) > 1:
			nd.Op = net.Concat
		case v == n.Output:
			nd.Op = net.Add
		case c.ops[v] == maxPool:
			nd.Op, nd.Kernel = net.MaxPool, 3
		case c.ops[v] == conv1x1:
			nd.Op, nd.Kernel = net.Conv, 1
		default:
			nd.Op, nd.Kernel = net.Conv, 3
		}
		n.Nodes = append(n.Nodes, nd)
	}
	return n.SVG(), nil
}
