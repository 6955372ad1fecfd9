package simd

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls f for ranges that together make up 0 to n, on all processors. Ranges are multiples of grain, but for the last, so that small work stays on one.
//
// Each processor begins with its own share, in order, and then takes what others have left: one kernel after the other finds the same images in the cache of the same processor.
func parallel(n, grain int, f func(from, to int)) {
	// Eight pieces a processor even out what one of them loses to other work.
	workers := runtime.GOMAXPROCS(0)
	size := max(grain, (n+8*workers-1)/(8*workers))
	pieces := (n + size - 1) / size
	workers = min(workers, pieces)
	if workers < 2 {
		f(0, n)
		return
	}
	taken := make([]atomic.Int64, workers) // of each worker's share
	work := func(me int) {
		for k := range workers {
			owner := (me + k) % workers
			first, end := owner*pieces/workers, (owner+1)*pieces/workers
			for {
				i := first + int(taken[owner].Add(1)) - 1
				if i >= end {
					break
				}
				f(i*size, min((i+1)*size, n))
			}
		}
	}
	var wg sync.WaitGroup
	for w := range workers - 1 {
		wg.Go(func() { work(w + 1) })
	}
	work(0)
	wg.Wait()
}
