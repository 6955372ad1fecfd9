package correlate

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
)

// Proxy is what is kept of a proxy with its scores.
type Proxy struct {
	Name   string `json:"name"`
	Title  string `json:"title,omitempty"`  // in tables; empty means Name
	Lower  bool   `json:"lower,omitempty"`  // better when lower
	Static bool   `json:"static,omitempty"` // of the description alone
	// Dataset says which columns the scores are for, where a proxy has others for others: parameters count the outputs of the classifier, of which each dataset has its own number. Empty means all columns.
	Dataset string `json:"dataset,omitempty"`
}

// id is the name in the header of CSV files.
func (p Proxy) id() string {
	if p.Dataset == "" {
		return p.Name
	}
	return p.Name + "@" + p.Dataset
}

// About says what scores are of.
type About struct {
	Key
	Data       string          `json:"data,omitempty"`  // what the images are; empty where no proxy looked at any
	Table      string          `json:"table"`           // source of the accuracies
	TableSpace string          `json:"table_space"`     // space of the table: the networks that were trained
	TableHash  string          `json:"table_hash"`      // tables.Table.Hash
	Drawn      string          `json:"drawn,omitempty"` // source of the table that the sample was drawn from, where that is another (see Scores.Join)
	DrawnHash  string          `json:"drawn_hash,omitempty"`
	Population int             `json:"population"` // architectures that the sample was drawn from
	SampleSeed uint64          `json:"sample_seed"`
	Columns    []tables.Column `json:"columns"`
	Proxies    []Proxy         `json:"proxies"`
	Kernels    []string        `json:"kernels,omitempty"` // what computed, sorted
}

// Scores are a sample of architectures with their accuracies and what proxies say of them. Rows are architectures, in the order in which the sample was drawn: the first n rows are the sample of n.
type Scores struct {
	About
	Archs []spaces.Arch
	Index []int       // in the space's order; -1 in spaces without one
	Truth [][]float64 // accuracies, [column][row]; NaN where the table has none
	// Values are the scores, [proxy][row], where Known.
	Values [][]float64
	// Known tells which scores are there, [proxy][row]. Missing are those that a stopped run did not come to, and the failed ones.
	Known [][]bool
	// Failed are the evaluations that gave an error instead of values, by row.
	Failed []Failure
}

// Failure is an evaluation that gave an error.
type Failure struct {
	Row     int         `json:"row"`
	Arch    spaces.Arch `json:"arch"`
	Proxies []string    `json:"proxies"`
	Error   string      `json:"error"`
}

// Len is the number of architectures.
func (s *Scores) Len() int { return len(s.Archs) }

// Proxy is the place in Proxies and Values of the scores of a proxy, by name, that are for a column, by place; -1 if there are none.
func (s *Scores) Proxy(name string, column int) int {
	return slices.IndexFunc(s.Proxies, func(p Proxy) bool {
		return p.Name == name && (p.Dataset == "" || p.Dataset == s.Columns[column].Dataset)
	})
}

// Column is the place of a column in Columns and Truth, by name; -1 if it is not there.
func (s *Scores) Column(name string) int {
	return slices.IndexFunc(s.Columns, func(c tables.Column) bool { return c.Name == name })
}

// Done is the number of architectures of which all scores are known.
func (s *Scores) Done() int {
	n := 0
	for row := range s.Archs {
		if !slices.ContainsFunc(s.Known, func(k []bool) bool { return !k[row] }) {
			n++
		}
	}
	return n
}

func (p Proxy) title() string {
	if p.Title == "" {
		return p.Name
	}
	return p.Title
}

// The lines before the header of a CSV file of scores.
const (
	csvAbout  = "# zeroshot scores 1: "
	csvFailed = "# failed: "
)

// csvHead is the first line. The number of rows tells a file that was cut off.
type csvHead struct {
	About
	Rows int `json:"rows"`
}

// WriteCSV writes the scores as CSV with all digits: a line with # that says what they are of, as JSON, one for each failure, a header, and a row an architecture: arch, index, accuracies, scores. What is not known is empty. ReadCSV restores them, and programs that skip lines with # read the rest. Bare scores are written without accuracies.
func (s *Scores) WriteCSV(w io.Writer) error {
	bw := bufio.NewWriter(w)
	about, err := json.Marshal(csvHead{s.About, s.Len()})
	if err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	fmt.Fprintf(bw, "%s%s\n", csvAbout, about)
	for _, f := range s.Failed {
		text, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("correlate: %w", err)
		}
		fmt.Fprintf(bw, "%s%s\n", csvFailed, text)
	}
	cw := csv.NewWriter(bw)
	record := []string{"arch", "index"}
	for _, c := range s.Columns {
		record = append(record, c.Name)
	}
	for _, p := range s.Proxies {
		record = append(record, p.id())
	}
	if err := cw.Write(record); err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	for row, arch := range s.Archs {
		record = append(record[:0], string(arch), strconv.Itoa(s.Index[row]))
		for _, v := range s.Truth {
			if math.IsNaN(v[row]) {
				record = append(record, "")
			} else {
				record = append(record, printValue(v[row]))
			}
		}
		for p, v := range s.Values {
			if s.Known[p][row] {
				record = append(record, printValue(v[row]))
			} else {
				record = append(record, "")
			}
		}
		if err := cw.Write(record); err != nil {
			return fmt.Errorf("correlate: %w", err)
		}
	}
	cw.Flush()
	if err := errors.Join(cw.Error(), bw.Flush()); err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	return nil
}

func printValue(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// ReadCSV restores what WriteCSV wrote. Errors name the line.
func ReadCSV(r io.Reader) (*Scores, error) {
	e := &ending{r: r}
	s, line, err := readCSV(bufio.NewReaderSize(e, 1<<16))
	if err == nil && e.last != '\n' {
		err = errors.New("the file is incomplete: its last line has no end")
	}
	if err != nil {
		return nil, fmt.Errorf("correlate: scores: line %d: %w", line, err)
	}
	return s, nil
}

// ending keeps the last byte: a number that was cut off is a number too.
type ending struct {
	r    io.Reader
	last byte
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if n > 0 {
		e.last = p[n-1]
	}
	return n, err
}

func readCSV(br *bufio.Reader) (s *Scores, line int, err error) {
	s = &Scores{}
	var top csvHead
	for {
		line++
		if next, err := br.Peek(1); err != nil || next[0] != '#' {
			break
		}
		text, err := br.ReadString('\n')
		if err != nil {
			return nil, line, fmt.Errorf("the file ends here: %w", err)
		}
		if about, ok := strings.CutPrefix(text, csvAbout); ok {
			if err := json.Unmarshal([]byte(about), &top); err != nil {
				return nil, line, err
			}
		} else if failed, ok := strings.CutPrefix(text, csvFailed); ok {
			var f Failure
			if err := json.Unmarshal([]byte(failed), &f); err != nil {
				return nil, line, err
			}
			s.Failed = append(s.Failed, f)
		}
	}
	if s.About = top.About; s.Space == "" {
		return nil, 1, fmt.Errorf("expected %q and what the scores are of, as zico correlate -scores writes it", csvAbout)
	}
	want := []string{"arch", "index"}
	for _, c := range s.Columns {
		want = append(want, c.Name)
	}
	for _, p := range s.Proxies {
		want = append(want, p.id())
	}
	if len(s.Proxies) == 0 {
		return nil, 1, errors.New("the scores are of no proxies")
	}
	r := csv.NewReader(br)
	r.ReuseRecord = true
	first := line - 1
	head, err := r.Read()
	if err != nil {
		return nil, line, err
	}
	if !slices.Equal(head, want) {
		return nil, line, fmt.Errorf("the header is %.200q, line 1 announces %.200q", head, want)
	}
	proxies := s.Proxies
	s.Truth = make([][]float64, len(s.Columns))
	s.Values, s.Known = make([][]float64, len(proxies)), make([][]bool, len(proxies))
	for {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			var p *csv.ParseError
			if errors.As(err, &p) {
				return nil, first + p.Line, p.Err
			}
			return nil, line, err
		}
		line, _ = r.FieldPos(0)
		line += first
		index, err := strconv.Atoi(record[1])
		if err != nil || record[0] == "" {
			return nil, line, fmt.Errorf("%.100q and %.40q are no architecture with its index", record[0], record[1])
		}
		s.Archs = append(s.Archs, spaces.Arch(strings.Clone(record[0])))
		s.Index = append(s.Index, index)
		for i, cell := range record[2:] {
			v, known := math.NaN(), cell != ""
			if known {
				if v, err = strconv.ParseFloat(cell, 64); err != nil {
					return nil, line, fmt.Errorf("%s: %.40q is no number", want[2+i], cell)
				}
			}
			if i < len(s.Columns) {
				s.Truth[i] = append(s.Truth[i], v)
				continue
			}
			p := i - len(s.Columns)
			if !known {
				v = 0
			}
			s.Values[p] = append(s.Values[p], v)
			s.Known[p] = append(s.Known[p], known)
		}
	}
	for _, f := range s.Failed {
		if f.Row < 0 || f.Row >= s.Len() {
			return nil, 1, fmt.Errorf("a failure of row %d; there are %d", f.Row, s.Len())
		}
	}
	if s.Len() != top.Rows {
		return nil, line, fmt.Errorf("the file is incomplete: it has %d rows of %d", s.Len(), top.Rows)
	}
	if s.Population < s.Len() {
		return nil, 1, fmt.Errorf("%d rows of a population of %d", s.Len(), s.Population)
	}
	return s, line, nil
}
