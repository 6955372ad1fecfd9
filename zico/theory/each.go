package theory

import (
	"context"
	"runtime"
	"sync"
)

// each computes n results, several at a time; result i is f(i). progress is called from the goroutine of each. The first error, or the end of ctx, ends it.
func each[T any](ctx context.Context, n int, progress func(done, total int), f func(i int) (T, error)) ([]T, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := make([]T, n)
	next, finished := make(chan int), make(chan struct{})
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := range next {
				v, err := f(i)
				if err != nil {
					cancel(err)
					return
				}
				out[i] = v
				select {
				case finished <- struct{}{}:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	issued, done := 0, 0
	for done < n && ctx.Err() == nil {
		feed := next
		if issued == n {
			feed = nil
		}
		select {
		case feed <- issued:
			issued++
		case <-finished:
			if done++; progress != nil {
				progress(done, n)
			}
		case <-ctx.Done():
		}
	}
	close(next)
	err := context.Cause(ctx)
	cancel(nil)
	workers.Wait()
	if err != nil {
		return nil, err
	}
	return out, nil
}
