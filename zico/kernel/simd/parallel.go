package simd

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls f for ranges that together make up 0 to n, on all processors. Ranges are multiples of grain, but for the last, so that small work stays on one.
func parallel(n, grain int, f func(from, to int)) {
	// Four pieces a processor even out what one of them loses to other work.
	workers := runtime.GOMAXPROCS(0)
	size := max(grain, (n+4*workers-1)/(4*workers))
	pieces := (n + size - 1) / size
	workers = min(workers, pieces)
	if workers < 2 {
		f(0, n)
		return
	}
	var next atomic.Int64
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= pieces {
				return
			}
			f(i*size, min((i+1)*size, n))
		}
	}
	var wg sync.WaitGroup
	for range workers - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}
