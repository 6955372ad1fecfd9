package natstss

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
	if s.C < 1 || s.C > 4096 || s.N < 0 || s.N > 100 || !Countable(in) {
		n, err := s.Network(a, in)
		if err != nil {
			return net.Counts{}, err
		}
		return net.Count(n), nil
	}
	areas, convs := 0, 0 // of the kernels in the cell
	for _, op := range c {
		switch op {
		case conv1x1:
			areas, convs = areas+1, convs+1
		case conv3x3:
			areas, convs = areas+3*3, convs+1
		}
	}
	var sum net.Counts
	ch, size := s.C, in.Size
	sum.Add(3*3*3*ch, ch, size*size)
	for stage := range 3 {
		if stage > 0 {
			size /= 2
			CountReduction(&sum, ch, 2*ch, size)
			ch *= 2
		}
		sum.Add(s.N*areas*ch*ch, s.N*convs*ch, size*size)
	}
	sum.Add(0, ch, 0) // the last batch norm
	sum.AddHead(ch, in.Classes)
	return sum, nil
}

// Countable reports whether formulas hold for networks with two Reductions: the size can be halved twice, and no layer is too large to count.
func Countable(in spaces.Input) bool {
	return in.Size >= 4 && in.Size <= 1024 && in.Size%4 == 0 && in.Classes >= 1 && in.Classes <= 1<<20
}

// CountReduction adds the counts of Reduction, whose output has the given size.
func CountReduction(sum *net.Counts, in, out, size int) {
	sum.Add(3*3*in*out+3*3*out*out+in*out, 2*out, size*size)
}
