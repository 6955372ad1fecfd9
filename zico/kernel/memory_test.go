package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// TestPool checks that a pool hands out memory that nobody else has, takes it back for the next of its shape, and never holds more than slack times what was in use at once.
func TestPool(t *testing.T) {
	p := newPool(be)
	defer p.close()
	rng := rand.New(rand.NewPCG(1, 1))
	var live []*shared
	var used, most, held int64
	reused := 0
	seen := map[*shared]bool{}
	for step := range 3000 {
		if len(live) < 20 && rng.IntN(2) == 0 {
			// Shapes change over time, as from one candidate of a search to the next.
			b, err := p.get(shapes.Make(dtypes.Float32, 1+rng.IntN(4), 64*(1+step/500)))
			if err != nil {
				t.Fatal(err)
			}
			if seen[b] {
				reused++
			}
			seen[b] = true
			for _, other := range live {
				if other.at == b.at {
					t.Fatal("the same memory was handed out twice")
				}
			}
			live = append(live, b)
			used += b.bytes
			most = max(most, used)
		} else if len(live) > 0 {
			i := rng.IntN(len(live))
			used -= live[i].bytes
			if err := live[i].Finalize(); err != nil {
				t.Fatal(err)
			}
			live = append(live[:i], live[i+1:]...)
		}
		held = max(held, p.held)
		if p.used != used {
			t.Fatalf("the pool counts %d bytes in use, want %d", p.used, used)
		}
	}
	largest := int64(4 * 64 * 6 * 4)
	if limit := int64(slack*float64(most)) + largest; held > limit {
		t.Errorf("the pool held %d bytes where %d were in use at most", held, most)
	}
	if reused < 1000 {
		t.Errorf("only %d of some 1500 buffers were used again", reused)
	}
	for _, b := range live {
		_ = b.Finalize()
	}
}

// TestUnknownKernels checks the error for kernels that do not exist.
func TestUnknownKernels(t *testing.T) {
	if c, err := New(be, Config{Kernels: "mmx"}); err == nil {
		c.Finalize()
		t.Error("kernels for mmx: no error")
	}
}
