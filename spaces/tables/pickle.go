package tables

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Limits of the pickle machine. Files of the benchmarks stay far below; a file beyond them is damaged or made to do harm.
const (
	maxLive    = 256 << 20 // bytes that one record, or what is around the records, may take, roughly
	maxMarks   = 1000      // containers inside each other
	maxGap     = 1 << 16   // numbers that a memo may leave out
	maxBlob    = 1 << 20   // a longer string of bytes is skipped
	maxLine    = 1 << 16   // a line of the text opcodes
	retainLen  = 256       // a string shared by records is kept if it is not longer,
	retainMost = 1 << 20   // and not more of them

	containerSize = 64 // bytes that a container is counted with, beside its items
)

// The values of a pickle are nil, bool, int64, float64, string and the types below. None of them does anything.
type (
	list  struct{ items []any }
	tuple struct{ items []any }
	dict  struct {
		keys, values []any
		state        any  // of BUILD on a class derived from dict
		streamed     bool // its items have gone to the visitor
	}
	// global is the name of a class or function. It is never looked up.
	global struct{ module, name string }
	// object is what a pickle would have made by calling something, or by its persistent id: an opaque record.
	object struct {
		of    any
		args  []any
		state any
	}
	// raw is a string of bytes; long ones are skipped and have only their length.
	raw struct {
		data   []byte
		length int64
	}
	// long is an integer of more than 64 bits, little endian, two's complement.
	long []byte
	// dtype is a NumPy type: kind and size, as in f8, and whether it is big endian.
	dtype struct {
		kind byte
		size int
		big  bool
	}
	// array is a NumPy array.
	array struct {
		dtype *dtype
		shape []any
		data  []byte
		items []any // of an array of objects
	}
	// dropped stands for a part of an earlier record, of which nothing is left.
	dropped struct{}
)

// visitor is shown the items of chosen dictionaries, in order, when they are complete, and must not keep containers: the machine forgets them.
type visitor interface {
	// choose says whether the items of the dictionary at a path of keys from the outermost one, whose first key is given, shall be visited instead of stored.
	choose(path []any, first any) bool
	visit(path []any, key, value any) error
}

// machine runs a pickle. It is a machine of its own because it must hand out records and forget them, to stay small on files of several gigabytes, and must not make anything but plain data.
//
// A value of a chosen dictionary counts as complete when it is a dictionary with items and something follows it on the stack, or when the dictionary's items end: pickles are written so that nothing is added to it afterwards. (Two exceptions, a value that is a dictionary of 1,001 items and a tuple of two dictionaries, are errors: they pop what is gone.)
type machine struct {
	in    *byteReader
	v     visitor
	stack []any
	marks []mark
	memo  memo
	live  int64
	chose int // place in marks of the frame whose items are visited, or -1
	path  []any
	base  int64 // live when that frame began
	buf   []byte
}

// mark is where a frame of the stack begins.
type mark struct {
	at      int
	decided bool // choose has been asked
}

// byteReader counts where it is, and keeps the error of what it reads from, other than the end.
type byteReader struct {
	r       *bufio.Reader
	offset  int64
	err     error
	scratch [8]byte
}

func (b *byteReader) note(err error) error {
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		b.err = err
	}
	return err
}

func (b *byteReader) byte() (byte, error) {
	c, err := b.r.ReadByte()
	if err != nil {
		return 0, b.note(err)
	}
	b.offset++
	return c, nil
}

// full fills p; the end of the file is io.ErrUnexpectedEOF.
func (b *byteReader) full(p []byte) error {
	n, err := io.ReadFull(b.r, p)
	b.offset += int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return b.note(err)
}

// skip passes over n bytes.
func (b *byteReader) skip(n int64) error {
	copied, err := io.CopyN(io.Discard, b.r, n)
	b.offset += copied
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return b.note(err)
}

// runPickle runs one pickle to its end and returns what it leaves. v may be nil.
func runPickle(in *byteReader, v visitor) (any, error) {
	m := &machine{in: in, v: v, chose: -1}
	m.memo.codes = map[string]uint32{}
	m.memo.values = []any{dropped{}}
	for {
		start := in.offset
		op, err := in.byte()
		if err == nil {
			if op == '.' {
				if len(m.stack) != 1 || len(m.marks) != 0 {
					return nil, bad(fmt.Sprintf("byte %d", start), "the pickle ends with %d values on its stack, expected one", len(m.stack))
				}
				return m.stack[0], nil
			}
			err = m.step(op)
		}
		if err == nil && m.live > maxLive {
			err = fmt.Errorf("more than %d MB of values that belong together", maxLive>>20)
		}
		var p *problem
		switch {
		case err == nil:
		case in.err != nil:
			return nil, in.err
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, short(fmt.Sprintf("byte %d", in.offset), "the file ends inside a pickle: fetch it again")
		case errors.As(err, &p):
			if p.where == "" {
				p.where = fmt.Sprintf("byte %d", start)
			}
			return nil, err
		default:
			return nil, bad(fmt.Sprintf("byte %d", start), "damaged pickle: opcode 0x%02x: %v", op, err)
		}
	}
}

// push puts a value onto the stack. In a frame whose items are visited, it may show that the value below is complete.
func (m *machine) push(v any) error {
	m.live += 16
	if top := len(m.marks) - 1; top >= 0 && m.v != nil {
		f := &m.marks[top]
		height := len(m.stack) - f.at
		switch {
		case height == 0 && !f.decided:
			f.decided = true
			if m.chose < 0 && f.at > 0 {
				if d, ok := m.stack[f.at-1].(*dict); ok {
					if path, ok := m.pathOf(f.at-1, top-1); ok && m.v.choose(path, v) {
						d.streamed = true
						m.chose, m.path, m.base = top, path, m.live
					}
				}
			}
		case height == 2 && m.chose == top:
			if d, ok := m.stack[f.at+1].(*dict); ok && len(d.keys) > 0 {
				if err := m.visit(m.stack[f.at], d); err != nil {
					return err
				}
				m.stack = m.stack[:f.at]
			}
		}
	}
	m.stack = append(m.stack, v)
	return nil
}

// pathOf returns the keys that lead from the outermost dictionary to the container at a place of the stack; frame is the last mark below it. It reports false where the container is not the value of a dictionary.
func (m *machine) pathOf(at, frame int) ([]any, bool) {
	var keys []any
	for at > 0 {
		start := 0
		if frame >= 0 {
			start = m.marks[frame].at
		}
		if at-2 >= start {
			// A dictionary of one item has no frame: dictionary, key, value.
			if d, ok := m.stack[at-2].(*dict); ok && len(d.keys) == 0 && !d.streamed {
				keys = append(keys, m.stack[at-1])
				at -= 2
				continue
			}
		}
		// In a frame, the container is what lies below its mark.
		if frame < 0 || start == 0 || at < start || (at-start)%2 != 1 {
			return nil, false
		}
		if _, ok := m.stack[start-1].(*dict); !ok {
			return nil, false
		}
		keys = append(keys, m.stack[at-1])
		at = start - 1
		frame--
	}
	slices.Reverse(keys)
	return keys, true
}

// visit shows an item and forgets what it was made of.
func (m *machine) visit(key, value any) error {
	if err := m.v.visit(m.path, key, value); err != nil {
		return err
	}
	if err := m.memo.forget(); err != nil {
		return err
	}
	m.live = m.base
	if d, ok := value.(*dict); ok {
		*d = dict{streamed: true}
	}
	return nil
}

var errUnderflow = errors.New("it needs more values than the stack has")

// pop takes the last n values of the frame.
func (m *machine) pop(n int) ([]any, error) {
	start := 0
	if k := len(m.marks); k > 0 {
		start = m.marks[k-1].at
	}
	at := len(m.stack) - n
	if at < start {
		return nil, errUnderflow
	}
	taken := m.stack[at:]
	m.stack = m.stack[:at]
	return taken, nil
}

// top is the last value of the frame.
func (m *machine) top() (any, error) {
	v, err := m.pop(1)
	if err != nil {
		return nil, err
	}
	m.stack = m.stack[:len(m.stack)+1]
	return v[0], nil
}

// frame takes all values since the last mark. chosen says that they are items for the visitor.
func (m *machine) frame() (items []any, chosen bool, err error) {
	k := len(m.marks) - 1
	if k < 0 {
		return nil, false, errors.New("there is no mark")
	}
	items = m.stack[m.marks[k].at:]
	m.stack = m.stack[:m.marks[k].at]
	m.marks = m.marks[:k]
	chosen = m.chose == k
	if chosen {
		m.chose = -1
	}
	return items, chosen, nil
}

// step carries out one opcode (the names are those of Python's pickletools).
func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		v, err := m.in.byte()
		if err == nil && v > 5 {
			err = fmt.Errorf("protocol %d; 0 to 5 are known", v)
		}
		return err
	case 0x95: // FRAME: its length says nothing that the opcodes do not
		_, err := m.number(8)
		return err
	case '(': // MARK
		if len(m.marks) == maxMarks {
			return fmt.Errorf("more than %d containers inside each other", maxMarks)
		}
		// Nothing is complete yet: items of the value below may follow.
		m.live += 16
		m.marks = append(m.marks, mark{at: len(m.stack)})
		return nil
	case '0': // POP
		if k := len(m.marks); k > 0 && m.marks[k-1].at == len(m.stack) {
			_, _, err := m.frame()
			return err
		}
		_, err := m.pop(1)
		return err
	case '1': // POP_MARK
		_, _, err := m.frame()
		return err
	case '2': // DUP
		v, err := m.top()
		if err != nil {
			return err
		}
		return m.push(v)
	case 'N': // NONE
		return m.push(nil)
	case 0x88: // NEWTRUE
		return m.push(true)
	case 0x89: // NEWFALSE
		return m.push(false)
	case 'K': // BININT1
		return m.whole(1)
	case 'M': // BININT2
		return m.whole(2)
	case 'J': // BININT, the only one with a sign
		v, err := m.number(4)
		if err != nil {
			return err
		}
		return m.push(int64(int32(v)))
	case 'G': // BINFLOAT
		var b [8]byte
		if err := m.in.full(b[:]); err != nil {
			return err
		}
		return m.push(math.Float64frombits(binary.BigEndian.Uint64(b[:])))
	case 0x8a: // LONG1
		return m.sized(1, asInteger)
	case 0x8b: // LONG4
		return m.sized(4, asInteger)
	case 'I', 'L', 'F', 'S', 'V': // INT, LONG, FLOAT, STRING, UNICODE
		return m.text(op)
	case 0x8c, 'U': // SHORT_BINUNICODE, SHORT_BINSTRING
		return m.sized(1, asString)
	case 'X', 'T': // BINUNICODE, BINSTRING
		return m.sized(4, asString)
	case 0x8d: // BINUNICODE8
		return m.sized(8, asString)
	case 'C': // SHORT_BINBYTES
		return m.sized(1, asBytes)
	case 'B': // BINBYTES
		return m.sized(4, asBytes)
	case 0x8e, 0x96: // BINBYTES8, BYTEARRAY8
		return m.sized(8, asBytes)
	case '}': // EMPTY_DICT
		m.live += containerSize
		return m.push(&dict{})
	case ']', 0x8f: // EMPTY_LIST, EMPTY_SET
		m.live += containerSize
		return m.push(&list{})
	case ')': // EMPTY_TUPLE
		m.live += containerSize
		return m.push(&tuple{})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		items, err := m.pop(int(op - 0x84))
		if err != nil {
			return err
		}
		m.live += containerSize
		return m.push(&tuple{append([]any(nil), items...)})
	case 't', 'l', 0x91: // TUPLE, LIST, FROZENSET
		items, _, err := m.frame()
		if err != nil {
			return err
		}
		m.live += containerSize
		if items = append([]any(nil), items...); op == 't' {
			return m.push(&tuple{items})
		}
		return m.push(&list{items})
	case 'd': // DICT
		items, _, err := m.frame()
		if err != nil {
			return err
		}
		d := &dict{}
		if err := d.add(items); err != nil {
			return err
		}
		return m.push(d)
	case 'a': // APPEND
		items, err := m.pop(1)
		if err != nil {
			return err
		}
		return m.extend(items)
	case 'e', 0x90: // APPENDS, ADDITEMS
		items, _, err := m.frame()
		if err != nil {
			return err
		}
		return m.extend(items)
	case 's': // SETITEM
		return m.setItem()
	case 'u': // SETITEMS
		items, chosen, err := m.frame()
		if err != nil {
			return err
		}
		if chosen {
			if len(items)%2 != 0 {
				return errors.New("a key without a value")
			}
			for i := 0; i < len(items); i += 2 {
				if err := m.visit(items[i], items[i+1]); err != nil {
					return err
				}
			}
			return nil
		}
		return m.setItems(items)
	case 'c': // GLOBAL
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		return m.push(&global{module, name})
	case 0x93: // STACK_GLOBAL
		names, err := m.pop(2)
		if err != nil {
			return err
		}
		module, ok1 := names[0].(string)
		name, ok2 := names[1].(string)
		if !ok1 || !ok2 {
			return errors.New("a class without a name")
		}
		return m.push(&global{module, name})
	case 'R', 0x81: // REDUCE, NEWOBJ
		v, err := m.pop(2)
		if err != nil {
			return err
		}
		return m.make(v[0], v[1])
	case 0x92: // NEWOBJ_EX
		v, err := m.pop(3)
		if err != nil {
			return err
		}
		return m.make(v[0], v[1])
	case 'o': // OBJ
		items, _, err := m.frame()
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return errUnderflow
		}
		return m.push(&object{of: items[0], args: append([]any(nil), items[1:]...)})
	case 'i': // INST
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		items, _, err := m.frame()
		if err != nil {
			return err
		}
		return m.push(&object{of: &global{module, name}, args: append([]any(nil), items...)})
	case 'P': // PERSID
		id, err := m.line()
		if err != nil {
			return err
		}
		return m.push(&object{args: []any{id}})
	case 'Q': // BINPERSID: a storage of torch, of which nothing is needed
		id, err := m.pop(1)
		if err != nil {
			return err
		}
		return m.push(&object{args: []any{id[0]}})
	case 'b': // BUILD
		return m.build()
	case 'p', 'g': // PUT, GET
		s, err := m.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(s, 10, 40)
		if err != nil {
			return fmt.Errorf("%q is no number of the memo", s)
		}
		if op == 'p' {
			return m.put(n)
		}
		return m.get(n)
	case 'q': // BINPUT
		return m.numbered(1, m.put)
	case 'r': // LONG_BINPUT
		return m.numbered(4, m.put)
	case 'h': // BINGET
		return m.numbered(1, m.get)
	case 'j': // LONG_BINGET
		return m.numbered(4, m.get)
	case 0x94: // MEMOIZE
		return m.put(uint64(m.memo.len()))
	}
	return errors.New("not an opcode that a file of data needs")
}

func (m *machine) put(n uint64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	m.live += 16
	return m.memo.put(n, v)
}

func (m *machine) get(n uint64) error {
	v, ok := m.memo.get(n)
	if !ok {
		return fmt.Errorf("nothing has the number %d in the memo", n)
	}
	return m.push(v)
}

// number reads a little endian number of n bytes.
func (m *machine) number(n int) (uint64, error) {
	b := m.in.scratch[:8]
	clear(b)
	err := m.in.full(b[:n])
	return binary.LittleEndian.Uint64(b), err
}

func (m *machine) whole(n int) error {
	v, err := m.number(n)
	if err != nil {
		return err
	}
	return m.push(int64(v))
}

func (m *machine) numbered(n int, do func(uint64) error) error {
	v, err := m.number(n)
	if err != nil {
		return err
	}
	return do(v)
}

// What a string of bytes stands for.
const (
	asInteger = iota
	asString
	asBytes
)

// sized pushes what is written as bytes behind their number, which has the given width. Memory grows with what is there, not with what the number says, and of long strings only the length is kept.
func (m *machine) sized(width, as int) error {
	n, err := m.number(width)
	if err != nil {
		return err
	}
	if n > maxBlob {
		if n > math.MaxInt64 {
			return fmt.Errorf("a length of %d bytes", n)
		}
		if err := m.in.skip(int64(n)); err != nil {
			return err
		}
		return m.push(raw{length: int64(n)})
	}
	if uint64(cap(m.buf)) < n {
		m.buf = make([]byte, n)
	}
	b := m.buf[:n]
	if err := m.in.full(b); err != nil {
		return err
	}
	m.live += int64(n)
	switch as {
	case asInteger:
		return m.push(integer(b))
	case asString:
		return m.push(m.memo.intern(b))
	}
	return m.push(raw{bytes.Clone(b), int64(n)})
}

// line reads to the end of a line.
func (m *machine) line() (string, error) {
	var b []byte
	for {
		c, err := m.in.byte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			m.live += int64(len(b))
			return strings.TrimSuffix(string(b), "\r"), nil
		}
		if len(b) == maxLine {
			return "", fmt.Errorf("a line of more than %d bytes", maxLine)
		}
		b = append(b, c)
	}
}

// text carries out the opcodes that have their values in words.
func (m *machine) text(op byte) error {
	s, err := m.line()
	if err != nil {
		return err
	}
	switch op {
	case 'F':
		v, err := strconv.ParseFloat(s, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("%q is no number", s)
		}
		return m.push(v)
	case 'S':
		// A literal of Python 2; names have no escapes.
		if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '\'' && s[0] != '"' {
			return fmt.Errorf("%q is no string", s)
		}
		return m.push(m.memo.intern([]byte(s[1 : len(s)-1])))
	case 'V':
		return m.push(m.memo.intern([]byte(s)))
	}
	switch {
	case op == 'I' && s == "00":
		return m.push(false)
	case op == 'I' && s == "01":
		return m.push(true)
	}
	s = strings.TrimSuffix(s, "L")
	v, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) && len(s) < 1000 {
		if b, ok := new(big.Int).SetString(s, 10); ok {
			f, _ := new(big.Float).SetInt(b).Float64()
			return m.push(f)
		}
	}
	if err != nil {
		return fmt.Errorf("%q is no whole number", s)
	}
	return m.push(v)
}

// integer decodes a little endian two's complement number.
func integer(b []byte) any {
	if len(b) > 8 {
		return long(bytes.Clone(b))
	}
	var v uint64
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	if n := len(b); n > 0 && n < 8 && b[n-1]&0x80 != 0 {
		v |= ^uint64(0) << (8 * n)
	}
	return int64(v)
}

// extend appends to the list on top.
func (m *machine) extend(items []any) error {
	target, err := m.top()
	if err != nil {
		return err
	}
	m.live += 16 * int64(len(items))
	switch t := target.(type) {
	case *list:
		t.items = append(t.items, items...)
	case *object:
		t.args = append(t.args, items...)
	default:
		return fmt.Errorf("items for a %s, which takes none", kind(target))
	}
	return nil
}

// setItem puts one item into the dictionary below it.
func (m *machine) setItem() error {
	items, err := m.pop(2)
	if err != nil {
		return err
	}
	if d, ok := m.peek().(*dict); ok && m.v != nil && m.chose < 0 {
		at := len(m.stack) - 1
		if path, ok := m.pathOf(at, len(m.marks)-1); ok && (d.streamed || m.v.choose(path, items[0])) {
			d.streamed = true
			m.path, m.base = path, 0
			return m.visit(items[0], items[1])
		}
	}
	return m.setItems(items)
}

// peek is the last value of the frame, or nil.
func (m *machine) peek() any {
	v, err := m.top()
	if err != nil {
		return nil
	}
	return v
}

// setItems puts items into the dictionary on top.
func (m *machine) setItems(items []any) error {
	target, err := m.top()
	if err != nil {
		return err
	}
	m.live += 16 * int64(len(items))
	switch t := target.(type) {
	case *dict:
		return t.add(items)
	case *object: // a class derived from dict
		t.args = append(t.args, items...)
		return nil
	}
	return fmt.Errorf("items for a %s, which takes none", kind(target))
}

// add puts pairs of keys and values into the dictionary.
func (d *dict) add(items []any) error {
	if len(items)%2 != 0 {
		return errors.New("a key without a value")
	}
	if d.streamed && len(items) > 0 {
		return errors.New("an item for a record that has been read already")
	}
	for i := 0; i < len(items); i += 2 {
		d.keys = append(d.keys, items[i])
		d.values = append(d.values, items[i+1])
	}
	return nil
}

// get finds a value by its key, a string or whole number. A later item replaces an earlier one.
func (d *dict) get(key any) (any, bool) {
	for i := len(d.keys) - 1; i >= 0; i-- {
		switch d.keys[i].(type) {
		case string, int64:
			if d.keys[i] == key {
				return d.values[i], true
			}
		}
	}
	return nil, false
}

// kind names the type of a value in errors.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case *dict:
		return "dictionary"
	case *list:
		return "list"
	case *tuple:
		return "tuple"
	case *global:
		return "class " + v.module + "." + v.name
	case *object:
		return "object of " + kind(v.of)
	case raw:
		return "string of bytes"
	case *array:
		return "NumPy array"
	case *dtype:
		return "NumPy type"
	case long, int64:
		return "whole number"
	case dropped:
		return "part of an earlier record, which is gone"
	}
	return fmt.Sprintf("%T", v)
}
