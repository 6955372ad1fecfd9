package net

import "slices"

// Prune returns the network without what cannot matter, and the ordinals (Node.Layer) of the weighted layers that went with it, in increasing order. The pruned network computes the same logits, and the weights that it keeps have the same gradients; the weights that went have gradients of exact zeros in the original.
//
// It removes what does not reach the output, and what carries only exact zeros: Zero layers and whatever keeps zeros zero behind them (convolutions without bias, batch normalisation, rectifiers, pools, and so on). Sums lose their zero terms; a sum of one is that one. Where a zero is still needed (a biased layer, a part of a Concat, the output itself) it stays as one Zero layer of that shape, which the weights behind it still see: their gradients are zeros too, unless they have other inputs.
//
// n must be valid, and is not changed. Ordinals of weighted layers and Layers stay as they are.
func Prune(n *Network) (pruned *Network, gone []int) {
	zero := zeros(n)
	p := pruner{old: n, zero: zero, to: make([]int, len(n.Nodes)), zeroOf: map[Shape]int{}}
	p.net = *n
	p.net.Nodes = nil
	for i := range n.Nodes {
		p.keep(i)
	}
	p.net.Output = p.to[n.Output]
	p.compact()
	kept := map[int]bool{}
	for i := range p.net.Nodes {
		if nd := &p.net.Nodes[i]; nd.Op.HasWeights() {
			kept[nd.Layer] = true
		}
	}
	for i := range n.Nodes {
		if nd := &n.Nodes[i]; nd.Op.HasWeights() && !kept[nd.Layer] {
			gone = append(gone, nd.Layer)
		}
	}
	slices.Sort(gone)
	return &p.net, gone
}

// zeros tells which nodes give exact zeros for every image.
func zeros(n *Network) []bool {
	zero := make([]bool, len(n.Nodes))
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		all, some := len(nd.In) > 0, false
		for _, j := range nd.In {
			all = all && zero[j]
			some = some || zero[j]
		}
		switch nd.Op {
		case Zero:
			zero[i] = true
		case Conv, Linear:
			zero[i] = all && !nd.Bias
		case Sigmoid, Input:
		case Gate:
			zero[i] = some
		default:
			zero[i] = all
		}
	}
	return zero
}

// pruner builds the pruned network: first every node that is not zero, then without those that the output does not use. to maps old nodes to new ones.
type pruner struct {
	net    Network
	old    *Network
	zero   []bool
	to     []int
	zeroOf map[Shape]int
}

func (p *pruner) keep(i int) {
	nd := p.old.Nodes[i]
	if p.zero[i] {
		p.to[i] = p.zeroNode(nd.Shape)
		return
	}
	var in []int
	for _, j := range nd.In {
		if nd.Op == Add && p.zero[j] {
			continue
		}
		in = append(in, p.to[j])
	}
	if nd.Op == Add && len(in) == 1 {
		p.to[i] = in[0]
		return
	}
	nd.In = in
	p.net.Nodes = append(p.net.Nodes, nd)
	p.to[i] = len(p.net.Nodes) - 1
}

// zeroNode returns the Zero layer of a shape.
func (p *pruner) zeroNode(s Shape) int {
	if i, ok := p.zeroOf[s]; ok {
		return i
	}
	p.net.Nodes = append(p.net.Nodes, Node{Op: Zero, In: []int{0}, Layer: -1, Shape: s})
	p.zeroOf[s] = len(p.net.Nodes) - 1
	return len(p.net.Nodes) - 1
}

// compact drops the new nodes that the output does not use.
func (p *pruner) compact() {
	p.net.keepUsed(func(i int) bool { return i == p.net.Output })
}

// keepUsed drops the nodes that no chosen node depends on. The input stays.
func (n *Network) keepUsed(chosen func(i int) bool) {
	used := make([]bool, len(n.Nodes))
	used[0] = true
	for i := len(n.Nodes) - 1; i > 0; i-- {
		if used[i] = used[i] || chosen(i); used[i] {
			for _, j := range n.Nodes[i].In {
				used[j] = true
			}
		}
	}
	to := make([]int, len(n.Nodes))
	var nodes []Node
	for i, nd := range n.Nodes {
		if !used[i] {
			continue
		}
		to[i] = len(nodes)
		in := make([]int, len(nd.In))
		for k, j := range nd.In {
			in[k] = to[j]
		}
		nd.In = in
		nodes = append(nodes, nd)
	}
	n.Nodes, n.Output = nodes, to[n.Output]
}

// Trim returns the network without the nodes that neither its output nor any layer of operation keep depends on; a Zero layer depends on nothing. Unlike Prune it leaves what carries zeros, whose biases have gradients. n must be valid, and is not changed.
func Trim(n *Network, keep Op) *Network {
	m := *n
	m.Nodes = slices.Clone(n.Nodes)
	for i := range m.Nodes {
		if m.Nodes[i].Op == Zero {
			m.Nodes[i].In = []int{0}
		}
	}
	m.keepUsed(func(i int) bool { return i == m.Output || m.Nodes[i].Op == keep })
	return &m
}
