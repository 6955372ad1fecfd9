package nasbench101

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces"
)

var _ spaces.Editor = Space{}

// called names a vertex in an error, and short on a knob.
func (c *cell) called(v uint8) string {
	if v == 0 || v == c.n-1 {
		return "the " + c.short(v) + "put"
	}
	return "vertex " + c.short(v)
}

func (c *cell) short(v uint8) string {
	switch v {
	case 0:
		return "in"
	case c.n - 1:
		return "out"
	}
	return fmt.Sprint(v)
}

// Knobs implements spaces.Editor: the operation of each vertex, which can also be left out with its edges; whether there is an edge, for each pair; and, below seven vertices, a new vertex between two. An edge can also go backwards, where that closes no cycle: the numbers of vertices are only one of the orders that the cell has.
func (s Space) Knobs(a spaces.Arch) ([]spaces.Knob, error) {
	c, err := s.read(a)
	if err != nil {
		return nil, err
	}
	var knobs []spaces.Knob
	ops := append(Ops[:], "left out")
	for v := uint8(1); v < c.n-1; v++ {
		knobs = append(knobs, spaces.Knob{Group: "vertices", Name: fmt.Sprintf("vertex %d", v), Choices: ops, Value: int(c.ops[v])})
	}
	for _, p := range c.pairs() {
		choices := []string{"no", "yes"}
		if c.inner(p) {
			choices = append(choices, "backwards")
		}
		knobs = append(knobs, spaces.Knob{Group: "edges", Name: c.short(p[0]) + " → " + c.short(p[1]), Choices: choices, Value: int(c.in[p[1]] >> p[0] & 1)})
	}
	if c.n < maxVertices {
		add := spaces.Knob{Group: "one more vertex", Name: "new", Choices: []string{"none"}}
		for _, p := range c.places() {
			for _, op := range Ops {
				add.Choices = append(add.Choices, fmt.Sprintf("%s → %s → %s", c.short(p[0]), op, c.short(p[1])))
			}
		}
		knobs = append(knobs, add)
	}
	return knobs, nil
}

// pairs are the edges that lead to later vertices, by the vertex they lead to.
func (c *cell) pairs() (list [][2]uint8) {
	for v := uint8(1); v < c.n; v++ {
		for u := range v {
			list = append(list, [2]uint8{u, v})
		}
	}
	return list
}

// inner tells whether a pair is neither of the input nor of the output.
func (c *cell) inner(p [2]uint8) bool { return p[0] > 0 && p[1] < c.n-1 }

// places are the pairs, and the inner ones turned round: where a new vertex may go.
func (c *cell) places() (list [][2]uint8) {
	for _, p := range c.pairs() {
		list = append(list, p)
		if c.inner(p) {
			list = append(list, [2]uint8{p[1], p[0]})
		}
	}
	return list
}

// Set implements spaces.Editor. The benchmark keeps one of all isomorphic cells, so that the vertices of the result may have other numbers.
func (s Space) Set(a spaces.Arch, knob, value int) (spaces.Arch, error) {
	k, err := spaces.FindKnob(s, a, knob, value)
	if err != nil || value == k.Value {
		return a, err
	}
	c, _ := s.read(a) // FindKnob has read it
	d := c
	vertices, pairs := int(c.n)-2, c.pairs()
	switch {
	case knob < vertices && value == len(Ops):
		d = c.without(uint8(knob + 1))
	case knob < vertices:
		d.ops[knob+1] = uint8(value)
	case knob < vertices+len(pairs):
		u, v := pairs[knob-vertices][0], pairs[knob-vertices][1]
		d.in[v] &^= 1 << u
		if value == 1 {
			d.in[v] |= 1 << u
		} else if value == 2 {
			d.in[u] |= 1 << v
		}
	default:
		p := c.places()[(value-1)/len(Ops)]
		d = c.with(p[0], p[1], uint8((value-1)%len(Ops)))
	}
	problem := d.problem()
	first, acyclic := d.canonical()
	if problem == "" && !acyclic {
		problem = "the cell would have a cycle"
	}
	if problem != "" {
		return "", spaces.Unsettable(s, a, "%s cannot become %q: %s", k.Name, k.Choices[value], problem)
	}
	return first.arch(), nil
}

// problem says why a graph without cycles is no cell of the benchmark, "" where it is one.
func (c *cell) problem() string {
	if n := c.edges(); n > maxEdges {
		return fmt.Sprintf("a cell has at most %d edges, not %d", maxEdges, n)
	}
	out := c.out()
	for v := range c.n {
		switch {
		case v != 0 && c.in[v] == 0:
			return c.called(v) + " would read nothing"
		case v != c.n-1 && out[v] == 0:
			return "nothing would read " + c.called(v)
		}
	}
	return ""
}
