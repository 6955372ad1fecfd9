package kernel

import (
	"container/list"
	"fmt"
	"sync"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/zeroshotnas/zeroshot/zico/backend"
)

// pool hands out device memory that the host can write, and keeps what comes back for the next buffer of the same shape: fresh memory is cleared by the allocator and cold. When no buffer of a shape is idle, other shapes are freed, those idle for the longest time first, until the pool holds at most slack times the bytes that were in use at once in the recent past. (With no slack, buffers of the stages of a network would push each other out in every run.)
type pool struct {
	be *backend.Backend

	mu     sync.Mutex
	idle   map[poolKey][]*list.Element // of *shared, most recent last
	oldest *list.List                  // of *shared
	closed bool
	used   int64 // bytes handed out
	most   int64 // greatest used, forgotten slowly
	held   int64 // bytes handed out or idle
}

const slack = 1.25

type poolKey struct {
	dtype dtypes.DType
	rank  int
	dims  [5]int
}

// shared is a buffer in memory that XLA and the host both see. Finalize gives it back to its pool.
type shared struct {
	compute.Buffer
	at    unsafe.Pointer
	bytes int64
	key   poolKey
	pool  *pool
}

func newPool(be *backend.Backend) *pool {
	return &pool{be: be, idle: map[poolKey][]*list.Element{}, oldest: list.New()}
}

// get returns a buffer of undefined content.
func (p *pool) get(s shapes.Shape) (*shared, error) {
	key := poolKey{dtype: s.DType, rank: s.Rank()}
	copy(key.dims[:], s.Dimensions)
	bytes := int64(s.Size()) * int64(s.DType.Size())
	p.mu.Lock()
	p.used += bytes
	p.most = max(p.used, p.most-p.most>>20)
	if l := p.idle[key]; len(l) > 0 {
		b := p.take(l[len(l)-1])
		p.mu.Unlock()
		return b, nil
	}
	var drop []*shared
	p.held += bytes
	for limit := int64(slack * float64(p.most)); p.held > limit && p.oldest.Len() > 0; {
		b := p.take(p.oldest.Front())
		drop = append(drop, b)
		p.held -= b.bytes
	}
	p.mu.Unlock()
	for _, b := range drop {
		_ = b.Buffer.Finalize()
	}
	b, flat, err := p.be.NewSharedBuffer(0, s)
	if err != nil {
		p.mu.Lock()
		p.used -= bytes
		p.held -= bytes
		p.mu.Unlock()
		return nil, fmt.Errorf("kernel: no memory for %v: %w", s, err)
	}
	return &shared{Buffer: b, at: pointer(flat), bytes: bytes, key: key, pool: p}, nil
}

// take removes an idle buffer from the books.
func (p *pool) take(e *list.Element) *shared {
	b := p.oldest.Remove(e).(*shared)
	l := p.idle[b.key]
	for i := len(l) - 1; i >= 0; i-- {
		if l[i] == e {
			p.idle[b.key] = append(l[:i], l[i+1:]...)
			break
		}
	}
	return b
}

// Finalize implements compute.Buffer.
func (b *shared) Finalize() error {
	p := b.pool
	p.mu.Lock()
	p.used -= b.bytes
	if p.closed {
		p.mu.Unlock()
		return b.Buffer.Finalize()
	}
	defer p.mu.Unlock()
	p.idle[b.key] = append(p.idle[b.key], p.oldest.PushBack(b))
	return nil
}

// close frees the idle buffers; those in use are freed when they come back.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for p.oldest.Len() > 0 {
		_ = p.take(p.oldest.Front()).Buffer.Finalize()
	}
}

// address is where the host sees the values of a buffer on the CPU.
func address(b compute.Buffer) (unsafe.Pointer, error) {
	if s, ok := b.(*shared); ok {
		return s.at, nil
	}
	flat, err := b.Data()
	if err != nil {
		return nil, fmt.Errorf("kernel: the device's memory cannot be read in place: %w", err)
	}
	return pointer(flat), nil
}

func pointer(flat any) unsafe.Pointer {
	switch v := flat.(type) {
	case []float32:
		return unsafe.Pointer(unsafe.SliceData(v))
	case []float64:
		return unsafe.Pointer(unsafe.SliceData(v))
	case []int32:
		return unsafe.Pointer(unsafe.SliceData(v))
	}
	return nil
}

// forXLA unwraps buffers for an executable.
func forXLA(in []compute.Buffer) []compute.Buffer {
	out := make([]compute.Buffer, len(in))
	for i, b := range in {
		if s, ok := b.(*shared); ok {
			b = s.Buffer
		}
		out[i] = b
	}
	return out
}
