package nasbench101

import "math/bits"

// neighbors are the canonical cells one edit away, each once.
func (c *cell) neighbors() []cell {
	var near []cell
	seen := map[cell]bool{*c: true}
	take := func(d cell) {
		if d.edges() > maxEdges || !d.full() {
			return
		}
		if d, ok := d.canonical(); ok && !seen[d] {
			seen[d] = true
			near = append(near, d)
		}
	}
	last := c.n - 1
	for v := uint8(1); v < last; v++ {
		for op := range uint8(len(Ops)) {
			d := *c
			d.ops[v] = op
			take(d)
		}
	}
	for u := range last {
		for v := uint8(1); v <= last; v++ {
			if u == v {
				continue
			}
			d := *c
			d.in[v] ^= 1 << u
			take(d) // a cycle has no canonical form
		}
	}
	for v := uint8(1); v < last; v++ {
		if bits.OnesCount8(c.in[v]) == 1 && bits.OnesCount8(c.out()[v]) == 1 {
			take(c.without(v))
		}
	}
	if c.n == maxVertices {
		return near
	}
	for u := range last {
		for v := uint8(1); v <= last; v++ {
			for op := range uint8(len(Ops)) {
				if u != v {
					take(c.with(u, v, op))
				}
			}
		}
	}
	return near
}

// without is the cell without vertex v and its edges.
func (c *cell) without(v uint8) cell {
	d := cell{n: c.n - 1}
	k := 0
	for u := range c.n {
		if u == v {
			continue
		}
		low := uint8(1)<<v - 1
		d.in[k] = c.in[u]&low | c.in[u]>>1&^low
		d.ops[k] = c.ops[u]
		k++
	}
	return d
}

// with is the cell with one vertex more, which reads u and is read by v. It takes the number of the output, which moves up.
func (c *cell) with(u, v, op uint8) cell {
	d := *c
	last := c.n - 1
	d.n++
	d.in[d.n-1], d.in[last] = d.in[last], 1<<u
	if v == last {
		v = d.n - 1
	}
	d.in[v] |= 1 << last
	d.ops[last] = op
	return d
}
