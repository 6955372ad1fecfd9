package natssss

import (
	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

var _ spaces.Counter = Space{}

// Counts implements spaces.Counter.
func (s Space) Counts(a spaces.Arch, in spaces.Input) (net.Counts, error) {
	d, err := s.read(a)
	if err != nil {
		return net.Counts{}, err
	}
	// What is no network, or too large to count, the network knows best.
	if !natstss.Countable(in) {
		n, err := s.Network(a, in)
		if err != nil {
			return net.Counts{}, err
		}
		return net.Count(n), nil
	}
	var sum net.Counts
	ch, size := d.width(0), in.Size
	sum.Add(3*3*3*ch, ch, size*size)
	for b := range d {
		out := d.width(b)
		if b%2 == 1 {
			size /= 2
			natstss.CountReduction(&sum, ch, out, size)
		} else {
			sum.Add(3*3*(2*ch*out+3*out*out), 5*out, size*size)
			if ch != out { // the skip
				sum.Add(ch*out, out, size*size)
			}
		}
		ch = out
	}
	sum.Add(0, ch, 0) // the last batch norm
	sum.AddHead(ch, in.Classes)
	return sum, nil
}
