package tables

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// memo holds the values that a pickle refers to by number. Those of the record that is read now are held themselves. Of earlier records, strings, names of classes and the like are held once for all, as they are shared by all records, and their numbers lead there by two bytes each; of the rest nothing is left.
type memo struct {
	pages  []page
	cold   uint64 // numbers in pages
	now    []any
	codes  map[string]uint32
	values []any // by code; 0 is what has been dropped
}

const pageSize = 1 << 16

// page holds codes; wide takes over from narrow when one does not fit.
type page struct {
	narrow []uint16
	wide   []uint32
}

func (m *memo) len() int { return int(m.cold) + len(m.now) }

func (m *memo) put(n uint64, v any) error {
	if n < m.cold {
		return fmt.Errorf("the number %d of the memo belongs to an earlier record", n)
	}
	i := n - m.cold
	if i > uint64(len(m.now))+maxGap {
		return fmt.Errorf("the number %d of the memo follows on %d", n, m.len())
	}
	for uint64(len(m.now)) <= i {
		m.now = append(m.now, dropped{})
	}
	m.now[i] = v
	return nil
}

func (m *memo) get(n uint64) (any, bool) {
	if n >= m.cold {
		if n -= m.cold; n >= uint64(len(m.now)) {
			return nil, false
		}
		return m.now[n], true
	}
	p, i := &m.pages[n/pageSize], n%pageSize
	if p.wide != nil {
		return m.values[p.wide[i]], true
	}
	return m.values[p.narrow[i]], true
}

// intern returns the string of some bytes, the same for the same bytes.
func (m *memo) intern(b []byte) string {
	if code, ok := m.codes[string(b)]; ok {
		if s, ok := m.values[code].(string); ok {
			return s
		}
	}
	return string(b)
}

// forget drops the values of a record.
func (m *memo) forget() error {
	for _, v := range m.now {
		code := m.code(v)
		if m.cold%pageSize == 0 {
			m.pages = append(m.pages, page{narrow: make([]uint16, 0, pageSize)})
		}
		p := &m.pages[len(m.pages)-1]
		if p.wide == nil && code > math.MaxUint16 {
			p.wide = make([]uint32, 0, pageSize)
			for _, c := range p.narrow {
				p.wide = append(p.wide, uint32(c))
			}
			p.narrow = nil
		}
		if p.wide != nil {
			p.wide = append(p.wide, code)
		} else {
			p.narrow = append(p.narrow, uint16(code))
		}
		m.cold++
		if m.cold > 1<<32 {
			return errors.New("more than 4 billion values in the memo")
		}
	}
	clear(m.now)
	m.now = m.now[:0]
	return nil
}

// code is the code of a value that later records may share, or 0.
func (m *memo) code(v any) uint32 {
	var key string
	switch v := v.(type) {
	case string:
		if len(v) > retainLen {
			return 0
		}
		key = v
	case *global:
		key = "\x00global\x00" + v.module + "\x00" + v.name
	case *dtype:
		key = fmt.Sprintf("\x00dtype\x00%c%d%v", v.kind, v.size, v.big)
	case *tuple:
		if len(v.items) > 4 {
			return 0
		}
		b := append(make([]byte, 0, 64), "\x00tuple"...)
		for _, item := range v.items {
			switch item := item.(type) {
			case string:
				b = append(strconv.AppendQuote(append(b, 0), item), 0)
			case int64:
				b = strconv.AppendInt(append(b, 0), item, 10)
			default:
				return 0
			}
		}
		if len(b) > retainLen {
			return 0
		}
		key = string(b)
	default:
		return 0
	}
	code, ok := m.codes[key]
	if !ok {
		// Beyond the limit a shared value is lost, which is an error where it is needed.
		if len(m.values) == retainMost {
			return 0
		}
		code = uint32(len(m.values))
		m.codes[key] = code
		m.values = append(m.values, v)
	}
	return code
}
