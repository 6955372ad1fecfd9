package nasbench101

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Limits of the benchmark.
const (
	maxVertices = 7
	maxEdges    = 9
)

// cell is a graph whose vertex 0 is the input and whose last vertex is the output. In a canonical cell every edge leads to a later vertex.
type cell struct {
	n   uint8              // vertices
	in  [maxVertices]uint8 // bit u of in[v]: v reads u
	ops [maxVertices]uint8 // of the vertices between input and output
}

// compare orders cells as the benchmark's enumeration meets them: by vertices, by the matrix read as a number whose bit u+v(v-1)/2 is the edge from u to v, by operations. (generate_graphs.py of google-research/nasbench.)
func (c *cell) compare(d *cell) int {
	if c.n != d.n {
		return cmp.Compare(c.n, d.n)
	}
	for v := len(c.in) - 1; v > 0; v-- {
		if c.in[v] != d.in[v] {
			return cmp.Compare(c.in[v], d.in[v])
		}
	}
	return slices.Compare(c.ops[:], d.ops[:])
}

// out returns bit masks of the vertices that read each vertex.
func (c *cell) out() (out [maxVertices]uint8) {
	for v := range c.in {
		for m := c.in[v]; m != 0; m &= m - 1 {
			out[bits.TrailingZeros8(m)] |= 1 << v
		}
	}
	return out
}

func (c *cell) edges() int {
	sum := 0
	for _, m := range c.in {
		sum += bits.OnesCount8(m)
	}
	return sum
}

// full reports whether every vertex of a graph without cycles lies on a path from the input to the output: going back from vertex to vertex can then only end at the input, going forth only at the output.
func (c *cell) full() bool {
	out := c.out()
	for v := range c.n {
		if c.in[v] == 0 && v != 0 || out[v] == 0 && v != c.n-1 {
			return false
		}
	}
	return true
}

// orders calls visit with each numbering of the vertices, at[v] for v, in which all edges lead to later vertices and input and output keep their places: none for a graph with a cycle.
func (c *cell) orders(visit func(at *[maxVertices]uint8)) {
	var at [maxVertices]uint8
	at[c.n-1] = c.n - 1
	var place func(next, placed uint8)
	place = func(next, placed uint8) {
		if next == c.n-1 {
			visit(&at)
			return
		}
		for v := uint8(1); v < c.n-1; v++ {
			if placed>>v&1 == 0 && c.in[v]&^placed == 0 {
				at[v] = next
				place(next+1, placed|1<<v)
			}
		}
	}
	place(1, 1)
}

// renumbered is the cell with vertex v at at[v].
func (c *cell) renumbered(at *[maxVertices]uint8) cell {
	d := cell{n: c.n}
	for v := range c.n {
		var from uint8
		for m := c.in[v]; m != 0; m &= m - 1 {
			from |= 1 << at[bits.TrailingZeros8(m)]
		}
		d.in[at[v]] = from
		d.ops[at[v]] = c.ops[v]
	}
	return d
}

// canonical is the first of all isomorphic cells in the benchmark's enumeration, which is the one that it trained. It reports false for a graph with a cycle.
func (c *cell) canonical() (first cell, ok bool) {
	c.orders(func(at *[maxVertices]uint8) {
		d := c.renumbered(at)
		if !ok || d.compare(&first) < 0 {
			first, ok = d, true
		}
	})
	return first, ok
}

// arch prints the cell in the compact form.
func (c *cell) arch() spaces.Arch {
	var b strings.Builder
	for v := uint8(1); v < c.n; v++ {
		if v > 1 {
			b.WriteByte(',')
		}
		name := "output"
		if v < c.n-1 {
			name = strings.TrimSuffix(Ops[c.ops[v]], suffix)
		}
		b.WriteString(name)
		mark := byte('~')
		for m := c.in[v]; m != 0; m &= m - 1 {
			b.WriteByte(mark)
			b.WriteString(strconv.Itoa(bits.TrailingZeros8(m)))
			mark = '+'
		}
	}
	return spaces.Arch(b.String())
}
