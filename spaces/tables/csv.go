package tables

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// The lines before the header of a CSV file that WriteCSV writes. Programs that skip lines with # read the rest.
const (
	csvSpace  = "# space: "
	csvSource = "# source: "
	csvColumn = "# column: "
	csvHash   = "# sha256: "
)

// WriteCSV writes the table as CSV: lines with # that name the space, the source, the Hash and each column, a header, and a row an architecture: its canonical form and its values, all digits of them, empty where there is none. Open reads it again as a table of the same Hash, and refuses it with another one: whoever changes values must take the line with the hash out.
func (t *Table) WriteCSV(w io.Writer) error {
	bw := bufio.NewWriter(w)
	fmt.Fprintf(bw, "%s%s\n%s%s\n%s%s\n", csvSpace, t.name, csvSource, oneLine(t.source), csvHash, t.Hash())
	for _, c := range t.columns {
		text, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("tables: column %q: %w", c.Name, err)
		}
		fmt.Fprintf(bw, "%s%s\n", csvColumn, text)
	}
	cw := csv.NewWriter(bw)
	record := append([]string{"arch"}, t.names()...)
	if err := cw.Write(record); err != nil {
		return fmt.Errorf("tables: %w", err)
	}
	for row := range t.Len() {
		record[0] = string(t.arch(row))
		for c := range t.columns {
			record[1+c] = ""
			if v := t.values[c][row]; !math.IsNaN(v) {
				record[1+c] = strconv.FormatFloat(v, 'g', -1, 64)
			}
		}
		if err := cw.Write(record); err != nil {
			return fmt.Errorf("tables: %w", err)
		}
	}
	cw.Flush()
	if err := errors.Join(cw.Error(), bw.Flush()); err != nil {
		return fmt.Errorf("tables: %w", err)
	}
	return nil
}

// oneLine makes a text fit into a line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// guesses are the spaces of which a CSV file may be without saying so; their architectures look different.
var guesses = []string{"natstss", "natssss", "transnas", "transnas:macro=1", "nasbench101"}

// csv reads a CSV file.
func (in *input) csv() (*Table, error) {
	space := in.o.Space
	source := "CSV"
	hash := ""
	described := map[string]Column{}
	first := 1 // the line of the header
	for ; ; first++ {
		// Peek first: the lines with # are this function's, the header is the CSV reader's.
		if next, err := in.r.Peek(1); err != nil || next[0] != '#' {
			break
		}
		at := fmt.Sprintf("line %d", first)
		text, err := in.r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			return nil, bad(at, "has more than %d bytes", len(text))
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		line := strings.TrimRight(string(text), "\r\n")
		if s, ok := strings.CutPrefix(line, csvSpace); ok {
			if in.o.Space != "" {
				if err := same(in.o.Space, s); err != nil {
					return nil, err
				}
			}
			space = s
		} else if s, ok := strings.CutPrefix(line, csvSource); ok {
			source = "CSV of " + s
			if strings.Contains(s, "CSV of ") {
				source = s // a copy of a copy
			}
		} else if s, ok := strings.CutPrefix(line, csvHash); ok {
			hash = s
		} else if s, ok := strings.CutPrefix(line, csvColumn); ok {
			var c Column
			if err := json.Unmarshal([]byte(s), &c); err != nil || c.Name == "" {
				return nil, bad(at, "expected a column as WriteCSV describes it, {\"name\": ...}")
			}
			described[c.Name] = c
		}
	}
	r := csv.NewReader(&lines{r: in.r})
	r.ReuseRecord = true
	r.Comment = '#'
	r.TrimLeadingSpace = true
	place := func() string { line, _ := r.FieldPos(0); return fmt.Sprintf("line %d", line+first-1) }
	header, err := r.Read()
	if err == io.EOF {
		return nil, short(fmt.Sprintf("line %d", first), "there is no header: expected arch (or index) and the names of columns, as in arch,cifar10/test")
	}
	if err != nil {
		return nil, csvError(err, first)
	}
	key := strings.TrimPrefix(header[0], "\ufeff")
	byIndex := key == "index"
	if key != "arch" && !byIndex {
		return nil, bad(place(), "the first column is %q; expected arch (or index) and the names of columns, as in arch,cifar10/test", key)
	}
	if len(header) < 2 {
		return nil, bad(place(), "there is no column behind %q; expected at least one, as in arch,cifar10/test", key)
	}
	columns := make([]Column, 0, len(header)-1)
	seen := map[string]bool{}
	for _, name := range header[1:] {
		name = strings.TrimSpace(name)
		if name == "" || seen[name] {
			return nil, bad(place(), "the column %q has no name or that of another; give each one of its own", name)
		}
		seen[name] = true
		c, ok := described[name]
		if !ok {
			c = Column{Name: name}
			c.Dataset, c.Metric, _ = strings.Cut(name, "/")
		}
		columns = append(columns, c)
	}
	if byIndex && space == "" {
		return nil, bad(place(), "an index says nothing without its space; give Options.Space, or a first line %snatstss", csvSpace)
	}
	var b *builder
	rows := 0
	for {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, csvError(err, first)
		}
		rows++
		name := strings.TrimSpace(record[0])
		if b == nil {
			if space == "" {
				if space, err = guess(name); err != nil {
					return nil, bad(place(), "%v", err)
				}
			}
			if b, err = newBuilder(space); err != nil {
				return nil, err
			}
			if byIndex && b.t.indexer == nil {
				return nil, bad(place(), "the space %s has no indices; write architectures, in a column arch", space)
			}
			for _, c := range columns {
				b.column(c)
			}
		}
		if byIndex && (name == "" || strings.Trim(name, "0123456789") != "") {
			return nil, bad(place(), "%q is no index of %s; expected a decimal number", name, space)
		}
		row, fresh, err := b.arch(name)
		if err != nil {
			return nil, bad(place(), "%v", err)
		}
		if !fresh {
			return nil, bad(place(), "%s occurs before: each architecture may have one line (isomorphic cells of NAS-Bench-101 are the same)", name)
		}
		for i, c := range columns {
			v, err := number(record[1+i])
			if err != nil {
				return nil, bad(place(), "column %s: %q is no number; leave it empty where there is none", c.Name, record[1+i])
			}
			b.set(row, i, v)
		}
	}
	if rows == 0 {
		return nil, short("", "there is a header and no row behind it")
	}
	t := b.table(in.source(source))
	if t.Len() == 0 {
		return nil, bad("", "no architecture has a value")
	}
	if hash != "" && hash != t.Hash() {
		return nil, short("", "the content (%d rows) does not have the hash that the line %q says: the file is cut off or changed; if it was changed on purpose, take the line out", t.Len(), strings.TrimSpace(csvHash))
	}
	return t, nil
}

// maxCSVLine is the longest line that is read, for the CSV reader takes any.
const maxCSVLine = 16 << 20

// lines fails for text with longer lines.
type lines struct {
	r io.Reader
	n int // bytes since the last end of a line
}

func (l *lines) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if last := bytes.LastIndexByte(p[:n], '\n'); last >= 0 {
		l.n = n - 1 - last
	} else if l.n += n; l.n > maxCSVLine {
		return 0, bad("", "a line has more than %d bytes: this is no CSV", maxCSVLine)
	}
	return n, err
}

// number reads a value; nothing, "nan" and "null" are missing ones.
func number(s string) (float64, error) {
	switch s = strings.TrimSpace(s); strings.ToLower(s) {
	case "", "nan", "null", "none", "na":
		return math.NaN(), nil
	}
	return strconv.ParseFloat(s, 64)
}

// guess finds the space of an architecture.
func guess(arch string) (string, error) {
	if strings.Trim(arch, "0123456789") != "" {
		for _, name := range guesses {
			if s, err := spaces.Open(name); err == nil {
				if _, err := s.Parse(arch); err == nil {
					return name, nil
				}
			}
		}
	}
	return "", fmt.Errorf("%q is no architecture of %s; give Options.Space, or a first line %snatstss", arch, strings.Join(guesses, ", "), csvSpace)
}

// csvError places an error of the CSV reader, which counts lines from its own first one.
func csvError(err error, first int) error {
	var p *csv.ParseError
	if !errors.As(err, &p) {
		return err
	}
	return bad(fmt.Sprintf("line %d", p.Line+first-1), "%v; expected as many fields as the header has", p.Err)
}
