package kernel

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
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

// DefaultLimit is the number of kernels a Cache keeps by default. All of NAS-Bench-201 needs about a hundred, an ImageNet-size search a few thousand.
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

// Config configures a Cache. The zero value of each field means the default in its comment.
type Config struct {
	// Limit is the number of kernels kept. Default: DefaultLimit.
	Limit int
	// Kernels chooses among the lowerings of an operation. Default: the best for the device. "xla" compiles everything with XLA; "avx512", "avx2" and "baseline" are the default, but for the instructions that package simd uses on a CPU.
	Kernels string
}

// New makes an empty cache for a backend. It fails on an unknown Config.Kernels and on one that this machine cannot run.
func New(be *backend.Backend, cfg Config) (*Cache, error) {
	if cfg.Limit <= 0 {
		cfg.Limit = DefaultLimit
	}
	c := &Cache{be: be, limit: cfg.Limit, entries: map[Op]*entry{}, recent: list.New(), pool: newPool(be)}
	switch shared := be.Platform() == "cpu" && be.HasSharedBuffers(); {
	case cfg.Kernels == "xla":
	case cfg.Kernels == "":
		if shared {
			c.vector = [2]*simd.Kernels{simd.Best(4), simd.Best(8)}
		}
	case !slices.Contains(simd.ISAs, cfg.Kernels):
		return nil, fmt.Errorf("kernel: unknown kernels %q; use xla, %s or nothing for the best", cfg.Kernels, strings.Join(simd.ISAs, ", "))
	default:
		c.vector = [2]*simd.Kernels{simd.Find(cfg.Kernels, 4), simd.Find(cfg.Kernels, 8)}
		if !shared || c.vector[0] == nil {
			return nil, fmt.Errorf("kernel: this %s cannot run kernels for %s; use xla, another instruction set, or nothing for the best", be.Platform(), cfg.Kernels)
		}
	}
	return c, nil
}

// Kernels says what computes most of the operations: "xla", or the instruction set that package simd uses.
func (c *Cache) Kernels() string {
	if c.vector[0] == nil {
		return "xla"
	}
	return c.vector[0].ISA()
}

// Backend is the backend the cache compiles for.
func (c *Cache) Backend() *backend.Backend { return c.be }

// Use is what calls asked of a cache.
type Use struct {
	Calls    int           // kernels run
	Compiled int           // of these, those that had to be compiled first, or were being compiled
	Wait     time.Duration // time spent in, or waiting for, compilation
}

// Add adds v to u.
func (u *Use) Add(v Use) {
	u.Calls += v.Calls
	u.Compiled += v.Compiled
	u.Wait += v.Wait
}

// Call runs op on device buffers, compiling it first if need be.
// It returns an error that names op when it cannot be compiled or run, and ErrFinalized after Finalize. The caller owns the outputs.
func (c *Cache) Call(op Op, in []compute.Buffer) (out []compute.Buffer, use Use, err error) {
	e, wait, err := c.acquire(op, true)
	use = Use{Calls: 1, Wait: wait}
	if wait > 0 {
		use.Compiled = 1
	}
	if err != nil {
		return nil, use, err
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
		return nil, use, fmt.Errorf("kernel: running %s: %w", op.Name(), err)
	}
	return out, use, nil
}

// useVector decides whether an operation runs on package simd.
func (c *Cache) useVector(e *entry) bool {
	if c.vector[0] == nil || !vectorized(e.op) {
		return false
	}
	e.vector, e.kernels = e.op.(vectorOp), c.vector[0]
	values := e.vector.outputs()
	if in := e.op.Inputs(); len(in) > 0 {
		values = in
	}
	if values[0].DType.Size() == 8 {
		e.kernels = c.vector[1]
	}
	return true
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
					if e, _, err = c.acquire(ops[i], false); err == nil {
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

// acquire returns the entry of an operation, compiled, and the time spent in, or waiting for, compilation. counted says that the request is one of those that Stats counts.
func (c *Cache) acquire(op Op, counted bool) (*entry, time.Duration, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, 0, ErrFinalized
	}
	e, ok := c.entries[op]
	if ok {
		c.recent.MoveToFront(e.elem)
	} else {
		e = &entry{op: op, ready: make(chan struct{})}
		if c.useVector(e) {
			close(e.ready)
			ok = true
		}
		e.elem = c.recent.PushFront(e)
		c.entries[op] = e
	}
	switch {
	case !ok:
		c.misses.Add(1)
	case counted:
		c.hits.Add(1)
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
			e.exec, e.err = compileOp(c.be, op)
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
	Kernels int           // kernels held now
	Hits    int64         // calls that found their kernel ready or being compiled
	Misses  int64         // operations compiled
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
			flops, bytes := cost(op)
			ps = append(ps, Profile{op.Name(), e.calls.Load(), time.Duration(e.nanos.Load()), e.compile, flops, bytes})
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
