package kernel

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/kernel/simd"
)

// ErrFinalized is returned by calls on a Cache after Finalize.
var ErrFinalized = errors.New("kernel cache is finalized")

// DefaultLimit is the number of executables a Cache keeps when New is given 0. All of NAS-Bench-201 needs about a hundred, an ImageNet-size search a few thousand.
const DefaultLimit = 4096

// Cache compiles operations on first use and keeps the executables, the least recently used of which it frees when there are more than its limit. It is safe for concurrent use: an operation asked for twice at the same time is compiled once.
type Cache struct {
	be    *backend.Backend
	limit int
	pool  *pool
	// vector are the kernels of package simd for values of 4 and 8 bytes, nil where they are not used.
	vector [2]*simd.Kernels

	mu      sync.Mutex
	entries map[Op]*entry
	recent  *list.List // of *entry, most recent first
	closed  bool

	hits, misses, evicted atomic.Int64
	compile               atomic.Int64 // nanoseconds
}

type entry struct {
	op    Op
	elem  *list.Element
	ready chan struct{}      // closed when exec or err is set
	exec  compute.Executable // nil where vector is set
	err   error

	vector  vectorOp
	kernels *simd.Kernels

	calls, nanos atomic.Int64
	compile      time.Duration

	// users counts calls in progress; dead is set by eviction. The last user of a dead entry frees it. Both under Cache.mu.
	users int
	dead  bool
}

// New makes an empty cache for a backend that keeps at most limit executables (0: DefaultLimit).
func New(be *backend.Backend, limit int) *Cache {
	if limit <= 0 {
		limit = DefaultLimit
	}
	c := &Cache{be: be, limit: limit, entries: map[Op]*entry{}, recent: list.New(), pool: newPool(be)}
	if be.Platform() == "cpu" && be.HasSharedBuffers() && os.Getenv("ZS_XLA") == "" {
		c.vector = [2]*simd.Kernels{simd.Best(4), simd.Best(8)}
	}
	return c
}

// Backend is the backend the cache compiles for.
func (c *Cache) Backend() *backend.Backend { return c.be }

// Call runs op on device buffers, compiling it first if need be. wait is the time spent in, or waiting for, compilation.
// It returns an error that names op when it cannot be compiled or run, and ErrFinalized after Finalize. The caller owns the outputs.
func (c *Cache) Call(op Op, in []compute.Buffer) (out []compute.Buffer, wait time.Duration, err error) {
	e, wait, err := c.acquire(op)
	if err != nil {
		return nil, wait, err
	}
	defer c.release(e)
	start := time.Now()
	if e.vector != nil {
		out, err = c.runVector(e, in)
	} else {
		out, err = e.exec.Execute(forXLA(in), nil, 0)
	}
	e.calls.Add(1)
	e.nanos.Add(int64(time.Since(start)))
	if err != nil {
		return nil, wait, fmt.Errorf("kernel: running %s: %w", op.Name(), err)
	}
	return out, wait, nil
}

// useVector decides whether an operation runs on package simd.
func (c *Cache) useVector(e *entry) bool {
	if choose(c.be.Platform(), e.op) != vectors {
		return false
	}
	e.kernels = c.vector[0]
	if e.op.Inputs()[0].DType.Size() == 8 {
		e.kernels = c.vector[1]
	}
	if e.kernels != nil {
		e.vector = e.op.(vectorOp)
	}
	return e.kernels != nil
}

// runVector runs an operation on the host, in memory shared with XLA.
func (c *Cache) runVector(e *entry, in []compute.Buffer) (out []compute.Buffer, err error) {
	from := make([]unsafe.Pointer, len(in))
	for i, b := range in {
		if from[i], err = address(b); err != nil {
			return nil, err
		}
	}
	var to []unsafe.Pointer
	for _, s := range e.vector.outputs() {
		b, err := c.pool.get(s)
		if err != nil {
			for _, b := range out {
				_ = b.Finalize()
			}
			return nil, err
		}
		out = append(out, b)
		to = append(to, b.at)
	}
	e.vector.vector(e.kernels, from, to)
	return out, nil
}

// Prepare compiles operations that are not there yet, in order, one on each processor, until ctx ends, and returns the first error. Errors are also kept for Call.
func (c *Cache) Prepare(ctx context.Context, ops []Op) error {
	var next atomic.Int64
	var first error
	var once sync.Once
	var workers sync.WaitGroup
	for range min(len(ops), runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(ops) {
					return
				}
				err := ctx.Err()
				if err == nil {
					var e *entry
					if e, _, err = c.acquire(ops[i]); err == nil {
						c.release(e)
						continue
					}
				}
				once.Do(func() { first = err })
				if ctx.Err() != nil {
					return
				}
			}
		})
	}
	workers.Wait()
	return first
}

func (c *Cache) acquire(op Op) (*entry, time.Duration, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, 0, ErrFinalized
	}
	e, ok := c.entries[op]
	if ok {
		c.hits.Add(1)
		c.recent.MoveToFront(e.elem)
	} else {
		c.misses.Add(1)
		e = &entry{op: op, ready: make(chan struct{})}
		e.elem = c.recent.PushFront(e)
		c.entries[op] = e
	}
	e.users++
	c.evict()
	c.mu.Unlock()

	var wait time.Duration
	select {
	case <-e.ready:
	default:
		start := time.Now()
		if !ok {
			if !c.useVector(e) {
				e.exec, e.err = compileOp(c.be, op)
			}
			e.compile = time.Since(start)
			c.compile.Add(int64(e.compile))
			close(e.ready)
		} else {
			<-e.ready
		}
		wait = time.Since(start)
	}
	if e.err != nil {
		c.release(e)
		return nil, wait, e.err
	}
	return e, wait, nil
}

func (c *Cache) release(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.users--
	c.freeIfUnused(e)
}

// evict drops the least recently used entries above the limit. Entries in use go on to serve their callers and are freed by the last.
func (c *Cache) evict() {
	for c.recent.Len() > c.limit {
		c.drop(c.recent.Back().Value.(*entry))
		c.evicted.Add(1)
	}
}

func (c *Cache) drop(e *entry) {
	c.recent.Remove(e.elem)
	delete(c.entries, e.op)
	e.dead = true
	c.freeIfUnused(e)
}

func (c *Cache) freeIfUnused(e *entry) {
	if e.dead && e.users == 0 && e.exec != nil {
		e.exec.Finalize()
		e.exec = nil
	}
}

// Finalize frees every executable; those in use are freed when their calls return. Later calls fail with ErrFinalized.
func (c *Cache) Finalize() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.pool.close()
	for c.recent.Len() > 0 {
		c.drop(c.recent.Back().Value.(*entry))
	}
}

// Stats counts what a Cache did since it was made.
type Stats struct {
	Kernels int           // executables held now
	Hits    int64         // requests that found their executable
	Misses  int64         // requests that compiled one
	Evicted int64         // executables freed to stay within the limit
	Compile time.Duration // time spent compiling, added up over threads
}

// Stats returns the counts so far.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	n := c.recent.Len()
	c.mu.Unlock()
	return Stats{Kernels: n, Hits: c.hits.Load(), Misses: c.misses.Load(), Evicted: c.evicted.Load(), Compile: time.Duration(c.compile.Load())}
}

// Profile is the time spent in one operation.
type Profile struct {
	Name  string        // Op.Name
	Calls int64         // number of calls
	Total time.Duration // from the start of a call to its return
	// Compile is the time that its compilation took.
	Compile time.Duration
	// FLOPs and Bytes are the work of a call; 0 where it is not known.
	FLOPs, Bytes float64
}

// Profile returns what each operation held by the cache has cost, in no order.
func (c *Cache) Profile() []Profile {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ps []Profile
	for op, e := range c.entries {
		select {
		case <-e.ready:
			ps = append(ps, Profile{op.Name(), e.calls.Load(), time.Duration(e.nanos.Load()), e.compile, 0, 0})
		default: // being compiled
		}
	}
	return ps
}

// compileOp builds and compiles one operation; panics of graph building become errors that name it.
func compileOp(be *backend.Backend, op Op) (exec compute.Executable, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("kernel: building %s: %v", op.Name(), r)
		}
	}()
	g := graph.NewGraph(be.Backend, op.Name())
	var in []*graph.Node
	for i, s := range op.Inputs() {
		in = append(in, graph.Parameter(g, fmt.Sprintf("x%d", i), s))
	}
	if err := g.Compile(op.Graph(be.Platform(), g, in)...); err != nil {
		return nil, fmt.Errorf("kernel: compiling %s: %w", op.Name(), err)
	}
	return g.Executable(), nil
}
