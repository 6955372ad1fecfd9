package nasbench101

import (
	"bytes"
	"runtime"
	"slices"
	"sync"
)

// cells are the canonical cells in the order of the benchmark's enumeration, made anew in every process that needs them.
//
// Nothing is hashed for it: a cell is kept if it is canonical, and as the matrix comes before the operations in the order, that is a question of the matrix first (no renumbering makes it smaller) and then of the operations under the renumberings that leave the matrix as it is.
var cells = sync.OnceValue(func() []cell {
	all := make([]cell, 0, Size)
	for n := uint8(2); n <= maxVertices; n++ {
		for code := range 1 << (n * (n - 1) / 2) {
			c := cell{n: n}
			for v, rest := uint8(1), code; v < n; v++ {
				c.in[v] = uint8(rest & (1<<v - 1))
				rest >>= v
			}
			if c.edges() > maxEdges || !c.full() {
				continue
			}
			if same, ok := c.automorphisms(); ok {
				all = c.label(all, 1, same)
			}
		}
	}
	return all
})

// automorphisms returns the renumberings that leave the matrix as it is, or false if one makes it smaller.
func (c *cell) automorphisms() (same [][maxVertices]uint8, ok bool) {
	ok = true
	c.orders(func(at *[maxVertices]uint8) {
		d := c.renumbered(at)
		switch order := d.compare(c); {
		case order < 0:
			ok = false
		case order == 0:
			same = append(same, *at)
		}
	})
	return same, ok
}

// label appends the canonical cells that come of labelling the vertices from v on.
func (c *cell) label(all []cell, v uint8, same [][maxVertices]uint8) []cell {
	if v < c.n-1 {
		for op := range uint8(len(Ops)) {
			c.ops[v] = op
			all = c.label(all, v+1, same)
		}
		return all
	}
	for i := range same {
		if d := c.renumbered(&same[i]); d.compare(c) < 0 {
			return all
		}
	}
	return append(all, *c)
}

// entry is a cell with its hash.
type entry struct {
	hash digest
	cell cell
}

// table holds all cells in the order of their hashes.
var table = sync.OnceValue(func() []entry {
	all := cells()
	t := make([]entry, len(all))
	var wait sync.WaitGroup
	part := (len(all) + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	for start := 0; start < len(all); start += part {
		wait.Go(func() {
			for i := start; i < min(start+part, len(all)); i++ {
				t[i] = entry{all[i].hash(), all[i]}
			}
		})
	}
	wait.Wait()
	slices.SortFunc(t, func(a, b entry) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	return t
})

// find returns the place of a hash in the table.
func find(h digest) (int, bool) {
	return slices.BinarySearchFunc(table(), h, func(e entry, h digest) int { return bytes.Compare(e.hash[:], h[:]) })
}
