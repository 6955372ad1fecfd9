package zico

import (
	"context"
	"runtime"
	"sync"
)

// budget hands out a limited number of bytes.
type budget struct {
	mu    sync.Mutex
	free  int64
	freed chan struct{} // closed and replaced whenever bytes come back
}

func newBudget(limit int64) *budget {
	return &budget{free: limit, freed: make(chan struct{})}
}

// acquire waits until n bytes are free. Callers never ask for more than the limit.
func (b *budget) acquire(ctx context.Context, n int64) error {
	for {
		b.mu.Lock()
		if n <= b.free {
			b.free -= n
			b.mu.Unlock()
			return nil
		}
		wait := b.freed
		b.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *budget) release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
	close(b.freed)
	b.freed = make(chan struct{})
}

// defaultInFlight is the number of networks at once. XLA runs a kernel on all processors: on two of them one network at a time is the fastest (1.48 s a network of NAS-Bench-201, against 1.55 with two and 1.63 with three). A machine with many processors has some left over at small kernels.
func defaultInFlight(platform string) int {
	if platform != "cpu" {
		return 2
	}
	return max(1, runtime.GOMAXPROCS(0)/4)
}
