package net

import "testing"

// TestPeakMemory counts by hand what must live at once.
func TestPeakMemory(t *testing.T) {
	chain := func() *Network {
		b := NewBuilder("chain", Shape{C: 3, H: 8, W: 8})
		x := b.ReLU(b.BatchNorm("bn", b.Conv("conv", 0, 4, 3, 1), 1e-5))
		x = b.Conv("conv2", x, 2, 1, 1)
		n, err := b.Network(b.Head("fc", x, 10))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}()
	// The input (3*64) lives beside the first convolution (4*64); batch norm and rectifier write over it; then 4*64 beside 2*64.
	if got, want := PeakMemory(chain), 4*Params(chain)+4*(3*64+4*64); got != want {
		t.Errorf("a chain takes %d bytes, want %d", got, want)
	}
	residual := func() *Network {
		b := NewBuilder("residual", Shape{C: 3, H: 8, W: 8})
		x := b.Conv("conv", 0, 4, 3, 1)
		y := b.Conv("conv2", b.ReLU(x), 4, 3, 1)
		n, err := b.Network(b.Head("fc", b.Sum(x, y), 10))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}()
	// The rectifier cannot write over the convolution that the addition reads too: x, ReLU(x) and conv2 live at once, as x, y and the sum do.
	if got, want := PeakMemory(residual), 4*Params(residual)+4*(3*4*64); got != want {
		t.Errorf("a residual block takes %d bytes, want %d", got, want)
	}
}
