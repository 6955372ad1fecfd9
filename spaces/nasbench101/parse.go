package nasbench101

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// suffix ends the names of the convolutions; the compact form does without.
const suffix = "-bn-relu"

// maxWritten is the largest number of vertices that may be written; pruning must leave maxVertices of them.
const maxWritten = 32

// draft is a cell as it is written, before pruning, with the places in the input that errors point at.
type draft struct {
	in       [maxWritten]uint32 // bit u of in[v]: v reads u
	vertices []vertex
	edges    []edge
}

type vertex struct {
	op uint8 // not of the first and the last
	at int
}

type edge struct{ from, to, at int }

func (d *draft) connect(from, to, at int) {
	d.in[to] |= 1 << from
	d.edges = append(d.edges, edge{from, to, at})
}

// parser reads one string.
type parser struct{ space, input string }

func (p *parser) fail(at int, format string, args ...any) error {
	return &spaces.ParseError{Space: p.space, Input: p.input, Pos: at, Want: fmt.Sprintf(format, args...)}
}

// parse reads any accepted form of a cell and returns it pruned and canonical.
func parse(space, input string) (cell, error) {
	p := &parser{space, input}
	i, ok, err := p.place()
	switch {
	case !ok:
		return p.cell()
	case err != nil:
		return cell{}, err
	}
	return table()[i].cell, nil
}

// place reads the forms that stand for a place in the table, an index and a hash. ok tells whether the input has one of them.
func (p *parser) place() (i int, ok bool, err error) {
	switch {
	case p.input != "" && len(p.input) < 32 && strings.Trim(p.input, "0123456789") == "":
		i, err = p.index()
	case len(p.input) == 32 && strings.Trim(p.input, "0123456789abcdef") == "":
		i, err = p.hash()
	default:
		return 0, false, nil
	}
	return i, true, err
}

// cell reads the forms that describe a cell.
func (p *parser) cell() (cell, error) {
	if strings.HasPrefix(strings.TrimLeft(p.input, " \t\r\n"), "{") {
		return p.finish(p.json())
	}
	return p.finish(p.compact())
}

// finish prunes a draft, checks it against the limits of the benchmark and brings it into canonical form.
func (p *parser) finish(d *draft, err error) (cell, error) {
	if err != nil {
		return cell{}, err
	}
	c, err := p.prune(d, maxEdges)
	if err != nil {
		return cell{}, err
	}
	c, _ = c.canonical() // edges lead to later vertices, so there is no cycle
	return c, nil
}

func (p *parser) index() (int, error) {
	i, err := strconv.Atoi(p.input)
	if err != nil || i >= Size {
		return 0, p.fail(0, "the index must be below %d", Size)
	}
	return i, nil
}

func (p *parser) hash() (int, error) {
	var h digest
	_, err := hex.Decode(h[:], []byte(p.input))
	i, ok := find(h)
	if err != nil || !ok {
		return 0, p.fail(0, "no cell of the benchmark has this module hash")
	}
	return i, nil
}

// compact reads "conv3x3~0,conv1x1~0+1,output~1+2".
func (p *parser) compact() (*draft, error) {
	d := &draft{vertices: make([]vertex, 1, maxVertices), edges: make([]edge, 0, maxEdges)} // the input
	pos := 0
	for {
		v := len(d.vertices)
		name := p.input[pos:]
		if end := strings.IndexAny(name, "~+,"); end >= 0 {
			name = name[:end]
		}
		op, known := operation(name)
		last := name == "output"
		switch {
		case !known && !last:
			return nil, p.fail(pos, `expected an operation (%s) or "output", "~" and the vertices that it reads, as in conv3x3~0,output~1`, strings.Join(Ops[:], ", "))
		case v == maxWritten:
			return nil, p.fail(pos, "at most %d vertices can be written", maxWritten)
		}
		d.vertices = append(d.vertices, vertex{op, pos})
		pos += len(name)
		for mark := "~"; ; mark = "+" {
			if !strings.HasPrefix(p.input[pos:], mark) {
				if mark == "+" {
					break
				}
				return nil, p.fail(pos, `expected "~" and the vertices that vertex %d reads, as in ~0+1`, v)
			}
			pos += len(mark)
			end := pos
			for end < len(p.input) && '0' <= p.input[end] && p.input[end] <= '9' {
				end++
			}
			from, err := strconv.Atoi(p.input[pos:end])
			switch {
			case err != nil || end > pos+1 && p.input[pos] == '0' || from >= v:
				return nil, p.fail(pos, "vertex %d reads earlier vertices, 0 (the input) to %d", v, v-1)
			case d.in[v]>>from&1 == 1:
				return nil, p.fail(pos, "vertex %d reads vertex %d twice", v, from)
			}
			d.connect(from, v, pos)
			pos = end
		}
		switch {
		case last && pos < len(p.input):
			return nil, p.fail(pos, "nothing may follow the output")
		case last:
			return d, nil
		case !strings.HasPrefix(p.input[pos:], ","):
			return nil, p.fail(pos, `expected "+" and one more vertex that vertex %d reads, or "," and the next vertex; the last one is the output`, v)
		}
		pos++
	}
}

// operation finds an operation by its name, with or without the suffix.
func operation(name string) (op uint8, ok bool) {
	i := slices.IndexFunc(Ops[:], func(o string) bool { return name == o || name == strings.TrimSuffix(o, suffix) })
	return uint8(max(0, i)), i >= 0
}

// json reads {"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"]}.
func (p *parser) json() (*draft, error) {
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(p.input), &raw); err != nil {
		at := len(p.input)
		if bad := (*json.SyntaxError)(nil); errors.As(err, &bad) && !strings.HasPrefix(bad.Error(), "unexpected end") {
			at = int(bad.Offset) - 1 // of the bytes up to and with the wrong one
		}
		return nil, p.fail(at, "expected JSON: %v", err)
	}
	// From here on the input is known to be JSON: tokens cannot fail, only be others than expected.
	t := &tokens{input: p.input, dec: json.NewDecoder(strings.NewReader(p.input))}
	t.dec.UseNumber()
	d := &draft{}
	matrixAt, opsAt, rows := -1, -1, 0
	t.next() // {
	for t.dec.More() {
		key, at := t.next()
		var err error
		switch {
		case (key == "matrix" || key == "module_adjacency") && matrixAt < 0:
			matrixAt = at
			rows, err = p.matrix(t, d)
		case (key == "ops" || key == "module_operations") && opsAt < 0:
			opsAt = at
			err = p.operations(t, d)
		default:
			err = p.fail(at, `expected "matrix" and "ops" (or "module_adjacency" and "module_operations"), each once`)
		}
		if err != nil {
			return nil, err
		}
	}
	_, end := t.next()
	switch {
	case matrixAt < 0:
		return nil, p.fail(end, `"matrix" is missing: the rows of the adjacency matrix, as in "matrix": [[0, 1], [0, 0]]`)
	case opsAt < 0:
		return nil, p.fail(end, `"ops" is missing: the operations of the vertices, as in "ops": ["input", "output"]`)
	case len(d.vertices) != rows:
		return nil, p.fail(opsAt, "%d operations for the %d vertices of the matrix", len(d.vertices), rows)
	}
	return d, nil
}

// tokens reads JSON token by token.
type tokens struct {
	input string
	dec   *json.Decoder
}

// next returns the next token and its position.
func (t *tokens) next() (json.Token, int) {
	at := int(t.dec.InputOffset())
	at += len(t.input[at:]) - len(strings.TrimLeft(t.input[at:], " \t\r\n,:"))
	tok, _ := t.dec.Token()
	return tok, at
}

// matrix reads the edges and returns the number of rows.
func (p *parser) matrix(t *tokens, d *draft) (rows int, err error) {
	tok, start := t.next()
	if tok != json.Delim('[') {
		return 0, p.fail(start, "expected the rows of the matrix, as in [[0, 1], [0, 0]]")
	}
	width := 0
	for ; t.dec.More(); rows++ {
		tok, at := t.next()
		if tok != json.Delim('[') {
			return 0, p.fail(at, "expected row %d of the matrix, as in [0, 1]", rows)
		}
		columns := 0
		for ; t.dec.More(); columns++ {
			tok, at := t.next()
			switch {
			case columns == maxWritten:
				return 0, p.fail(at, "at most %d vertices can be written", maxWritten)
			case tok != json.Number("0") && tok != json.Number("1"):
				return 0, p.fail(at, "row %d, column %d of the matrix must be 0 or 1", rows, columns)
			case tok == json.Number("1") && columns <= rows:
				return 0, p.fail(at, "an edge from vertex %d to vertex %d: edges lead to later vertices, so the matrix has ones above its diagonal only", rows, columns)
			case tok == json.Number("1"):
				d.connect(rows, columns, at)
			}
		}
		t.next() // ]
		if rows == 0 {
			width = columns
		}
		switch {
		case columns != width:
			return 0, p.fail(at, "row %d has %d numbers, the first one %d; the matrix must be square", rows, columns, width)
		case width < 2:
			return 0, p.fail(at, "the matrix must be at least 2 by 2, for the input and the output")
		case rows == width:
			return 0, p.fail(at, "row %d is one too many; the matrix must be square, %d by %d", rows, width, width)
		}
	}
	if _, end := t.next(); rows != width || rows == 0 {
		return 0, p.fail(end, "the matrix has %d rows of %d numbers; it must be square", rows, width)
	}
	return rows, nil
}

// operations reads the list of operations.
func (p *parser) operations(t *tokens, d *draft) error {
	tok, start := t.next()
	if tok != json.Delim('[') {
		return p.fail(start, `expected the operations of the vertices, as in ["input", "conv3x3-bn-relu", "output"]`)
	}
	for t.dec.More() {
		tok, at := t.next()
		name, _ := tok.(string)
		op, known := operation(name)
		first, last := len(d.vertices) == 0, !t.dec.More()
		switch {
		case first != (name == "input"):
			return p.fail(at, `the first vertex is the "input", and no other`)
		case last != (name == "output"):
			return p.fail(at, `the last vertex is the "output", and no other`)
		case !first && !last && !known:
			return p.fail(at, "vertex %d must be one of %s", len(d.vertices), strings.Join(Ops[:], ", "))
		case len(d.vertices) == maxWritten:
			return p.fail(at, "at most %d vertices can be written", maxWritten)
		}
		d.vertices = append(d.vertices, vertex{op, at})
	}
	t.next() // ]
	return nil
}

// prune removes what lies on no path from the input to the output. At most maxVertices vertices and the given number of edges may be left.
func (p *parser) prune(d *draft, edges int) (cell, error) {
	last := len(d.vertices) - 1
	reached, needed := uint32(1), uint32(1)<<last
	for v := 1; v <= last; v++ {
		if d.in[v]&reached != 0 {
			reached |= 1 << v
		}
	}
	for v := last; v > 0; v-- {
		if needed>>v&1 == 1 {
			needed |= d.in[v]
		}
	}
	if reached>>last&1 == 0 {
		return cell{}, p.fail(d.vertices[last].at, "no path leads from the input to the output")
	}
	keep := reached & needed
	var c cell
	var at [maxWritten]uint8 // new numbers of the vertices that are kept
	for v := range d.vertices {
		if keep>>v&1 == 0 {
			continue
		}
		if c.n == maxVertices {
			return cell{}, p.fail(d.vertices[v].at, "more than %d vertices lie on paths from the input to the output, which the benchmark does not have", maxVertices)
		}
		at[v] = c.n
		c.ops[c.n] = d.vertices[v].op
		c.n++
	}
	for _, e := range d.edges {
		if keep>>e.from&1 == 0 || keep>>e.to&1 == 0 {
			continue
		}
		if edges--; edges < 0 {
			return cell{}, p.fail(e.at, "more than %d edges lie on paths from the input to the output, which the benchmark does not have", maxEdges)
		}
		c.in[at[e.to]] |= 1 << at[e.from]
	}
	return c, nil
}
