package nasbench101

import (
	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

var _ spaces.Counter = Space{}

// Counts implements spaces.Counter.
func (s Space) Counts(a spaces.Arch, in spaces.Input) (net.Counts, error) {
	c, err := s.read(a)
	if err != nil {
		return net.Counts{}, err
	}
	// What is no network, or too large to count, the network knows best.
	if s.C < minChannels || s.C > 4096 || s.N < 1 || s.N > 100 || in.Size < 4 || in.Size > 1024 || in.Classes < 1 || in.Classes > 1<<20 {
		n, err := s.build(&c, in)
		if err != nil {
			return net.Counts{}, err
		}
		return net.Count(n), nil
	}
	return s.counts(&c, in), nil
}

// counts is net.Count of what build builds. The cells of a stack have the same vertices; only the projections of the first one read other channels.
func (s Space) counts(c *cell, in spaces.Input) (sum net.Counts) {
	last, size := int(c.n)-1, in.Size
	sum.Add(3*3*3*s.C, s.C, size*size)
	read := s.C
	for stack := range 3 {
		out := s.C << stack
		ch := c.channels(read, out)
		weights, norms, projected := 0, 0, 0 // of a cell, but for the weights of its projections; channels of these
		for v := 1; v <= last; v++ {
			if c.in[v]&1 == 1 {
				projected += ch[v]
				norms += ch[v]
			}
			if v == last || c.ops[v] == maxPool {
				continue
			}
			area := 1
			if c.ops[v] == conv3x3 {
				area = 3 * 3
			}
			weights += area * ch[v] * ch[v]
			norms += ch[v]
		}
		sum.Add(s.N*weights+(read+(s.N-1)*out)*projected, s.N*norms, size*size)
		read = out
		size /= 2
	}
	sum.AddHead(read, in.Classes)
	return sum
}
