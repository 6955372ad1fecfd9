package tables

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// make stands for the call of a class or function in a pickle. A few that build containers and NumPy values are known, and what they would build is made as plain data; for all others an opaque record is.
func (m *machine) make(callable, arguments any) error {
	t, ok := arguments.(*tuple)
	if !ok {
		return fmt.Errorf("arguments in a %s, expected a tuple", kind(arguments))
	}
	args := t.items
	g, ok := callable.(*global)
	if !ok {
		return m.push(&object{of: callable, args: args})
	}
	switch g.module + "." + g.name {
	case "collections.OrderedDict", "collections.defaultdict", "builtins.dict", "__builtin__.dict":
		d := &dict{}
		if g.name == "OrderedDict" && len(args) == 1 {
			// Python 2 gives the items as a list of lists.
			pairs, ok := sequence(args[0])
			if !ok {
				return fmt.Errorf("items of a dictionary in a %s", kind(args[0]))
			}
			for _, p := range pairs {
				pair, ok := sequence(p)
				if !ok || len(pair) != 2 {
					return fmt.Errorf("an item of a dictionary in a %s", kind(p))
				}
				m.live += 32
				if err := d.add(pair); err != nil {
					return err
				}
			}
		}
		return m.push(d)
	case "builtins.set", "__builtin__.set", "builtins.frozenset", "__builtin__.frozenset", "builtins.list", "__builtin__.list":
		l := &list{}
		if len(args) == 1 {
			items, ok := sequence(args[0])
			if !ok {
				return fmt.Errorf("items of a set in a %s", kind(args[0]))
			}
			m.live += 16 * int64(len(items))
			l.items = append(l.items, items...)
		}
		return m.push(l)
	case "_codecs.encode":
		// How protocols 0 to 2 write bytes: each is a character below 256.
		if len(args) >= 1 {
			if s, ok := args[0].(string); ok {
				b := make([]byte, 0, len(s))
				for _, r := range s {
					if r > 255 {
						return errors.New("bytes above 255")
					}
					b = append(b, byte(r))
				}
				m.live += int64(len(b))
				return m.push(raw{b, int64(len(b))})
			}
		}
	case "numpy.dtype":
		if len(args) >= 1 {
			if s, ok := args[0].(string); ok {
				return m.push(newDtype(s))
			}
		}
	case "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar":
		if len(args) == 2 {
			d, ok1 := args[0].(*dtype)
			b, ok2 := args[1].(raw)
			if ok1 && ok2 {
				if v, ok := d.value(b.data); ok && len(b.data) == d.size {
					return m.push(v)
				}
			}
		}
	case "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct":
		return m.push(&array{})
	case "torch.Size":
		if len(args) == 1 {
			if items, ok := sequence(args[0]); ok {
				return m.push(&tuple{items})
			}
		}
	}
	return m.push(&object{of: g, args: args})
}

// build gives an object its state.
func (m *machine) build() error {
	v, err := m.pop(1)
	if err != nil {
		return err
	}
	state := v[0]
	target, err := m.top()
	if err != nil {
		return err
	}
	switch t := target.(type) {
	case *object:
		t.state = state
	case *dict:
		t.state = state
	case *dtype:
		// (version, byte order, ...)
		if s, ok := state.(*tuple); ok && len(s.items) > 1 {
			t.big = t.big || s.items[1] == any(">")
		}
	case *array:
		// (version, shape, type, order of the axes, data)
		s, ok := state.(*tuple)
		if !ok || len(s.items) != 5 {
			return fmt.Errorf("the state of an array in a %s", kind(state))
		}
		shape, ok := sequence(s.items[1])
		if !ok {
			return fmt.Errorf("the shape of an array in a %s", kind(s.items[1]))
		}
		t.shape = shape
		t.dtype, _ = s.items[2].(*dtype)
		switch data := s.items[4].(type) {
		case raw:
			t.data = data.data
		case *list:
			t.items = data.items
		}
	default:
		return fmt.Errorf("a state for a %s, which has none", kind(target))
	}
	return nil
}

// sequence returns the items of a list or tuple.
func sequence(v any) ([]any, bool) {
	switch v := v.(type) {
	case *list:
		return v.items, true
	case *tuple:
		return v.items, true
	}
	return nil, false
}

// newDtype reads a type as NumPy writes it: f8, <i4, |b1, ...
func newDtype(s string) *dtype {
	d := &dtype{}
	if s != "" && (s[0] == '<' || s[0] == '>' || s[0] == '|' || s[0] == '=') {
		d.big = s[0] == '>'
		s = s[1:]
	}
	if s != "" {
		d.kind = s[0]
		d.size, _ = strconv.Atoi(s[1:])
	}
	return d
}

// value decodes a number from the beginning of data.
func (d *dtype) value(data []byte) (any, bool) {
	if d.size < 1 || d.size > 8 || len(data) < d.size {
		return nil, false
	}
	b := make([]byte, 8)
	copy(b, data[:d.size])
	if d.big {
		slices.Reverse(b[:d.size])
	}
	bits := binary.LittleEndian.Uint64(b)
	switch {
	case d.kind == 'f' && d.size == 8:
		return math.Float64frombits(bits), true
	case d.kind == 'f' && d.size == 4:
		return float64(math.Float32frombits(uint32(bits))), true
	case d.kind == 'i' && d.size <= 8:
		return int64(bits<<(64-8*d.size)) >> (64 - 8*d.size), true
	case d.kind == 'u' && d.size < 8:
		return int64(bits), true
	case d.kind == 'b' && d.size == 1:
		return bits != 0, true
	}
	return nil, false
}

// real returns a number, which may be the only element of an array.
func real(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case *array:
		if all, ok := reals(v); ok && len(all) == 1 {
			return all[0], true
		}
	}
	return 0, false
}

// reals returns the numbers of a list, tuple or array.
func reals(v any) ([]float64, bool) {
	if a, ok := v.(*array); ok && a.items == nil {
		if a.dtype == nil || a.dtype.size < 1 || len(a.data)%a.dtype.size != 0 {
			return nil, false
		}
		var all []float64
		for rest := a.data; len(rest) > 0; rest = rest[a.dtype.size:] {
			x, ok := a.dtype.value(rest)
			if !ok {
				return nil, false
			}
			f, ok := real(x)
			if !ok {
				return nil, false
			}
			all = append(all, f)
		}
		return all, true
	}
	items, ok := sequence(v)
	if a, is := v.(*array); is {
		items, ok = a.items, true
	}
	if !ok {
		return nil, false
	}
	all := make([]float64, len(items))
	for i, x := range items {
		if all[i], ok = real(x); !ok {
			return nil, false
		}
	}
	return all, true
}

// record takes an item of a dictionary from architectures to dictionaries of parts: its row, a name of it for errors, and the parts.
func (b *builder) record(key, value any, parts string) (row int, where string, of *dict, err error) {
	arch, ok := key.(string)
	if !ok {
		return 0, "", nil, bad("", "a record has a %s as its key, expected an architecture", kind(key))
	}
	where = "architecture " + arch
	row, fresh, err := b.arch(arch)
	if err != nil {
		return 0, where, nil, bad(where, "%v", err)
	}
	if !fresh {
		return 0, where, nil, bad(where, "it has two records")
	}
	if of, ok = value.(*dict); !ok {
		return 0, where, nil, bad(where, "its record is a %s, expected a dictionary of %s", kind(value), parts)
	}
	return row, where, of, nil
}
