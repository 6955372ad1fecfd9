package darts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Parse reads a genotype in its canonical form (see the package comment), as the Python literal that DARTS and its successors print, or the name of one of Known. Of the literal,
//
//	Genotype(normal=[('sep_conv_3x3', 1), ...], normal_concat=range(2, 6), reduce=[...], reduce_concat=[2, 3, 4, 5])
//
// the arguments may come in any order, pairs and lists in either kind of brackets, and white space anywhere.
func (s Space) Parse(str string) (spaces.Arch, error) {
	g, err := s.parse(str)
	if err != nil {
		return "", err
	}
	return g.arch(), nil
}

func (s Space) parse(str string) (genotype, error) {
	for i := range Known {
		if Known[i].Name == str {
			return s.parse(string(Known[i].Arch))
		}
	}
	p := parser{in: str}
	var g genotype
	if p.take("Genotype") {
		g = p.literal()
	} else {
		g = p.canonical()
	}
	if p.problem == "" && p.pos < len(str) {
		p.fail("nothing may follow the genotype")
	}
	if p.problem != "" {
		return genotype{}, &spaces.ParseError{Space: s.Name(), Input: str, Pos: p.pos, Want: p.problem}
	}
	return g, nil
}

// parser reads in from pos on. After the first problem, which stays and whose place pos keeps, nothing is read any more.
type parser struct {
	in      string
	pos     int
	problem string
}

func (p *parser) fail(format string, args ...any) {
	if p.problem == "" {
		p.problem = fmt.Sprintf(format, args...)
	}
}

// take reads want if it comes next.
func (p *parser) take(want string) bool {
	if p.problem != "" || !strings.HasPrefix(p.in[p.pos:], want) {
		return false
	}
	p.pos += len(want)
	return true
}

// expect reads want, which must come next.
func (p *parser) expect(want, why string) {
	if !p.take(want) {
		p.fail("expected %q %s", want, why)
	}
}

// word reads the longest run of letters, digits and underscores.
func (p *parser) word() string {
	if p.problem != "" {
		return ""
	}
	from := p.pos
	for p.pos < len(p.in) {
		c := p.in[p.pos]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			break
		}
		p.pos++
	}
	return p.in[from:p.pos]
}

// at reads a word and fails at its start if ok refuses it.
func (p *parser) at(ok func(word string) bool, format string, args ...any) {
	from := p.pos
	if w := p.word(); p.problem == "" && !ok(w) {
		p.pos = from
		p.fail(format, args...)
	}
}

// operation reads the name of an operation.
func (p *parser) operation() (op uint8) {
	p.at(func(w string) bool {
		i := slices.Index(Ops[:], w)
		op = uint8(max(i, 0))
		return i >= 0
	}, "expected an operation: %s", strings.Join(Ops[:], ", "))
	return op
}

// source reads the number of a state that exists before the given one. other is the source of the node's first edge, or -1.
func (p *parser) source(state, other int) (from uint8) {
	p.at(func(w string) bool {
		v, err := strconv.Atoi(w)
		if err != nil || v < 0 || v >= state || strconv.Itoa(v) != w {
			return false
		}
		from = uint8(v)
		return true
	}, "state %d reads states 0 to %d", state, state-1)
	if p.problem == "" && int(from) == other {
		p.pos--
		p.fail("the two edges into state %d come from two different states", state)
	}
	return from
}

// canonical reads the canonical form.
func (p *parser) canonical() (g genotype) {
	for k := range g {
		if k > 0 {
			p.expect(";", "before the reduction cell")
		}
		if k == 0 && !p.take("normal=") {
			known := make([]string, len(Known))
			for i := range Known {
				known[i] = Known[i].Name
			}
			p.fail(`expected "normal=" and a cell, "Genotype(", or one of the names %s`, strings.Join(known, ", "))
		} else if k == 1 {
			p.expect("reduce=", "and a cell")
		}
		for i := range g[k] {
			if i > 0 {
				p.expect("+", "between the states")
			}
			p.expect("|", "before the operations of a state")
			for e := range g[k][i] {
				g[k][i][e] = p.bar(i+2, e, g[k][i][0])
			}
			g[k][i] = sorted(g[k][i])
		}
	}
	return g
}

// bar reads "op~source|", edge e into a state.
func (p *parser) bar(state, e int, first edge) edge {
	op := p.operation()
	p.expect("~", "and the state that the operation reads")
	other := -1
	if e > 0 {
		other = int(first.from)
	}
	from := p.source(state, other)
	p.expect("|", "after an edge")
	return edge{op, from}
}

// space reads white space.
func (p *parser) space() {
	for p.problem == "" && p.pos < len(p.in) && strings.IndexByte(" \t\r\n", p.in[p.pos]) >= 0 {
		p.pos++
	}
}

// mark reads white space, want, and white space.
func (p *parser) mark(want, why string) {
	p.space()
	p.expect(want, why)
	p.space()
}

// open reads an opening bracket of either kind and returns what closes it.
func (p *parser) open(why string) (closing string) {
	p.space()
	switch {
	case p.take("("):
		closing = ")"
	case p.take("["):
		closing = "]"
	default:
		p.fail(`expected "[" or "(" %s`, why)
	}
	p.space()
	return closing
}

// arguments are those of the Python literal.
var arguments = [...]string{"normal", "normal_concat", "reduce", "reduce_concat"}

// literal reads the Python literal, from behind the word Genotype on.
func (p *parser) literal() (g genotype) {
	var seen [len(arguments)]bool
	p.mark("(", "after Genotype")
	for k := range arguments {
		argument := 0
		p.at(func(w string) bool {
			argument = slices.Index(arguments[:], w)
			return argument >= 0 && !seen[argument]
		}, "expected each of %s once", strings.Join(arguments[:], ", "))
		if p.problem != "" {
			return g
		}
		seen[argument] = true
		p.mark("=", "after the name of an argument")
		switch argument {
		case 0:
			g[0] = p.pairs()
		case 2:
			g[1] = p.pairs()
		default:
			p.concat()
		}
		p.space()
		if !p.take(",") && k < len(arguments)-1 {
			p.fail(`expected "," and another argument: there are %s`, strings.Join(arguments[:], ", "))
		}
		p.space()
	}
	p.expect(")", "after the arguments")
	p.space()
	return g
}

// pairs reads the eight edges of a cell, ('op', source).
func (p *parser) pairs() (c cell) {
	end := p.open("and the operations of a cell")
	for i := range c {
		for e := range c[i] {
			closing := p.open("and an edge, as in ('sep_conv_3x3', 0): a cell has eight")
			quote := "'"
			if strings.HasPrefix(p.in[p.pos:], `"`) {
				quote = `"`
			}
			p.expect(quote, "and an operation")
			op := p.operation()
			p.expect(quote, "after the operation")
			p.mark(",", "between operation and source")
			other := -1
			if e > 0 {
				other = int(c[i][0].from)
			}
			c[i][e] = edge{op, p.source(i+2, other)}
			p.mark(closing, "after the source")
			if last := i == steps-1 && e == 1; !p.take(",") && !last {
				p.fail(`expected "," and another edge: a cell has eight`)
			}
		}
		c[i] = sorted(c[i])
	}
	p.mark(end, "after the eighth edge")
	return c
}

// concat reads the states that a cell joins, which are 2 to 5 in this space.
func (p *parser) concat() {
	const want = "the cells of this space join states 2 to 5: range(2, 6) or [2, 3, 4, 5]"
	number := func(v int) {
		p.at(func(w string) bool { return w == strconv.Itoa(v) }, want)
		p.space()
	}
	if p.take("range") {
		p.mark("(", "after range")
		number(2)
		p.mark(",", "after 2")
		number(6)
		p.expect(")", "after 6")
		return
	}
	end := p.open("and the states that the cell joins")
	for v := 2; v < 2+steps; v++ {
		number(v)
		if !p.take(",") && v < 1+steps {
			p.fail(want)
		}
		p.space()
	}
	p.expect(end, "after the states")
}
