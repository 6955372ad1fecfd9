package search

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico/buildinfo"
	"github.com/zeroshotnas/zeroshot/zico/journal"
)

// ErrLog is wrapped where a file is no log of a search, is the log of another one, or holds what this one would not have proposed.
var ErrLog = errors.New("not the log of this search")

// format is what a log begins with.
const (
	format  = "zeroshot-search"
	version = 1
)

// Header is the first line of a log: what the run depends on. Two runs with equal Headers, but for Made, Program and Machine, are the same run.
type Header struct {
	Format     string            `json:"format"`
	Version    int               `json:"version"`
	Space      string            `json:"space"`
	Method     string            `json:"method"`
	Initial    spaces.Arch       `json:"initial,omitempty"`
	Objectives []string          `json:"objectives"`
	Metrics    []Metric          `json:"metrics"`
	Limits     []HeaderLimit     `json:"limits"`
	Evaluator  map[string]string `json:"evaluator"`
	InFlight   int               `json:"inflight"`
	Seed       uint64            `json:"seed"`
	Weights    uint64            `json:"weights"`
	Fresh      bool              `json:"fresh"`

	Made    time.Time `json:"made"`
	Program string    `json:"program"` // version of this module, see buildinfo.Version
	Machine string    `json:"machine"`
}

// HeaderLimit is a Limit in a Header.
type HeaderLimit struct {
	Name  string         `json:"name"`
	Max   journal.Number `json:"max"`
	About string         `json:"about,omitempty"`
}

func (r *run) header() *Header {
	h := &Header{
		Format: format, Version: version, Space: r.Space.Name(), Method: r.Method, Initial: r.setup.Initial, Objectives: r.Objectives, Metrics: r.Evaluator.Metrics(), Limits: []HeaderLimit{},
		Evaluator: r.Evaluator.About(), InFlight: r.InFlight, Seed: r.Seed, Weights: r.Weights, Fresh: r.Fresh,
		Made: time.Now().UTC().Truncate(time.Second), Program: buildinfo.Version(), Machine: fmt.Sprintf("%s/%s, %d processors", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
	}
	for _, l := range r.Limits {
		h.Limits = append(h.Limits, HeaderLimit{l.Name, journal.Number(l.Max), l.About})
	}
	return h
}

// limits are the names of the limits.
func (h *Header) limits() []string {
	names := make([]string, len(h.Limits))
	for i, l := range h.Limits {
		names[i] = l.Name
	}
	return names
}

// differs says in what two runs differ, one sentence each.
func (h *Header) differs(o *Header) []string {
	var list []string
	a, b := reflect.ValueOf(*h), reflect.ValueOf(*o)
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
		if slices.Contains([]string{"made", "program", "machine"}, name) || reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			continue
		}
		list = append(list, fmt.Sprintf("its %s is %v, this one's %v", name, a.Field(i).Interface(), b.Field(i).Interface()))
	}
	return list
}

// entry is a line of a log after the header: a candidate, or how the run is doing.
type entry struct {
	Iteration *int             `json:"i,omitempty"`
	Arch      spaces.Arch      `json:"arch,omitempty"`
	Supernet  bool             `json:"supernet,omitempty"`
	Costs     []journal.Number `json:"costs,omitempty"`
	Values    []journal.Number `json:"values,omitempty"`
	Rejected  string           `json:"rejected,omitempty"`
	Failed    string           `json:"failed,omitempty"`
	Same      *int             `json:"same,omitempty"` // the iteration that proposed it first

	Clock *clock `json:"clock,omitempty"`
}

// clock is how much the run had taken at a time, over all its processes. Lines of it say nothing about candidates: all else in a log is a function of its header.
type clock struct {
	At       time.Time     `json:"at"`
	Elapsed  time.Duration `json:"elapsed_ns"`
	Times    Times         `json:"times_ns"`
	Kernels  int64         `json:"kernels"`
	Compiled int64         `json:"compiled"`
}

func values(list []float64) []journal.Number {
	out := make([]journal.Number, len(list))
	for i, v := range list {
		out[i] = journal.Number(v)
	}
	return out
}

func floats(list []journal.Number) []float64 {
	if list == nil {
		return nil
	}
	out := make([]float64, len(list))
	for i, v := range list {
		out[i] = float64(v)
	}
	return out
}

func newEntry(c *Candidate) *entry {
	e := &entry{Iteration: &c.Iteration, Arch: c.Arch, Supernet: c.Supernet}
	switch c.Verdict {
	case Scored:
		e.Costs, e.Values = values(c.Costs), values(c.Values)
	case Duplicate:
		e.Same = &c.First
	case Rejected:
		e.Costs, e.Rejected = values(c.Costs), c.Reason
	case Failed:
		e.Costs, e.Failed = values(c.Costs), c.Reason
	}
	return e
}

// candidate is what the entry says, but for the objectives; what a Duplicate repeats is not filled in.
func (e *entry) candidate() *Candidate {
	c := &Candidate{Iteration: *e.Iteration, Arch: e.Arch, Supernet: e.Supernet, Costs: floats(e.Costs), Values: floats(e.Values)}
	switch {
	case e.Same != nil:
		c.Verdict, c.First = Duplicate, *e.Same
	case e.Rejected != "":
		c.Verdict, c.Reason = Rejected, e.Rejected
	case e.Failed != "":
		c.Verdict, c.Reason = Failed, e.Failed
	}
	return c
}

func parseEntry(line []byte) (*entry, error) {
	e := &entry{}
	if err := json.Unmarshal(line, e); err != nil {
		return nil, err
	}
	if e.Clock == nil && (e.Iteration == nil || e.Arch == "" || len(e.Values) == 0 && e.Rejected == "" && e.Failed == "" && e.Same == nil) {
		return nil, errors.New("it is neither a candidate nor a clock")
	}
	return e, nil
}

func parseHeader(line []byte) (*Header, error) {
	h := &Header{}
	if err := json.Unmarshal(line, h); err != nil || h.Format != format {
		return nil, fmt.Errorf("%w: the first line is %.60q, expected {\"format\":%q,...}; name another file", ErrLog, line, format)
	}
	if h.Version != version {
		return nil, fmt.Errorf("%w: it has version %d and this program reads version %d; use the program that made it", ErrLog, h.Version, version)
	}
	return h, nil
}

// runLog is the log of a run at work. Without a file it keeps nothing.
type runLog struct {
	j       *journal.Journal
	path    string
	entries []*Candidate
	at      int
	elapsed time.Duration // of earlier processes
	written time.Time     // of the last clock
	used    bool          // something was appended
}

// clockEvery is how much of a run's times a kill may lose.
const clockEvery = 30 * time.Second

func openLog(r *run) (*runLog, error) {
	l := &runLog{path: r.Log, written: time.Now()}
	if r.Log == "" {
		return l, nil
	}
	own := r.header()
	first, err := json.Marshal(own)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	begin := []byte(fmt.Sprintf(`{"format":%q`, format))
	l.j, err = journal.Open(r.Log, journal.Options{
		Header: first, Exclusive: true, Whole: json.Valid,
		Check: func(line []byte, whole bool) error {
			if !whole && (bytes.HasPrefix(line, begin) || bytes.HasPrefix(begin, line)) {
				return nil
			}
			h, err := parseHeader(line)
			if err != nil {
				return err
			}
			if !r.Resume {
				return fmt.Errorf("%w: it holds a run that was begun on %s; resume it, or name another file", ErrLog, h.Made.Format(time.RFC3339))
			}
			if list := h.differs(own); len(list) > 0 {
				return fmt.Errorf("%w: %s; resume with what the log was begun with, or name another file", ErrLog, strings.Join(list, "; "))
			}
			return nil
		},
	})
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	if err := l.read(r.state); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// read takes what the file holds.
func (l *runLog) read(s *State) error {
	for line, err := range l.j.Lines() {
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		if line.Number == 1 {
			continue
		}
		e, err := parseEntry(line.Text)
		if err == nil && e.Clock == nil && *e.Iteration != len(l.entries) {
			err = fmt.Errorf("candidate %d is where %d should be", *e.Iteration, len(l.entries))
		}
		if err != nil {
			return fmt.Errorf("search: %s: line %d: %w: %w; the lines before it are good: cut the file there (head -n %d) and resume", l.path, line.Number, ErrLog, err, line.Number-1)
		}
		if e.Clock != nil {
			l.elapsed, s.Elapsed, s.Times, s.Kernels, s.Compiled = e.Clock.Elapsed, e.Clock.Elapsed, e.Clock.Times, e.Clock.Kernels, e.Clock.Compiled
			continue
		}
		l.entries = append(l.entries, e.candidate())
	}
	return nil
}

// more reports whether there are candidates to replay.
func (l *runLog) more() bool { return l.at < len(l.entries) }

// next fills in c from the file where it has it.
func (l *runLog) next(c *Candidate) (bool, error) {
	if !l.more() {
		return false, nil
	}
	e := l.entries[l.at]
	if e.Arch != c.Arch {
		return false, fmt.Errorf("search: %s: %w: candidate %d is %s there, and this program proposes %s: it was made by another version; use that, or begin a new log", l.path, ErrLog, c.Iteration, e.Arch, c.Arch)
	}
	l.entries[l.at] = nil
	l.at++
	*c = *e
	return true, nil
}

func (l *runLog) append(c *Candidate) error { return l.put(newEntry(c)) }

func (l *runLog) put(e *entry) error {
	if l.j == nil {
		return nil
	}
	line, err := json.Marshal(e)
	if err == nil {
		err = l.j.Append(line)
	}
	if err != nil {
		return fmt.Errorf("search: %w", err)
	}
	l.used = true
	return nil
}

// clock writes down the times now and then.
func (l *runLog) clock(s *State, now bool) error {
	if l.j == nil || !now && time.Since(l.written) < clockEvery {
		return nil
	}
	l.written = time.Now()
	return l.put(&entry{Clock: &clock{At: l.written.UTC().Truncate(time.Second), Elapsed: s.Elapsed, Times: s.Times, Kernels: s.Kernels, Compiled: s.Compiled}})
}

// end writes the last clock. A run that could not write has no room for it either.
func (l *runLog) end(s *State) error {
	if !l.used || s.Status == Broken {
		return nil
	}
	return l.clock(s, true)
}

func (l *runLog) close() {
	if l.j != nil {
		l.j.Close()
	}
}

// History is what a log holds.
type History struct {
	Header     Header
	Candidates []*Candidate // in the order of the proposals, with the values of what duplicates repeat, and objectives
	Elapsed    time.Duration
	Times      Times
	Kernels    int64
	Compiled   int64
}

// ReadLog reads a log, also one that a run is writing, or one compressed by gzip; an unfinished last line is left out. Errors wrap ErrLog or those of the file system and name the line.
func ReadLog(path string) (*History, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; a search writes it", err)
		}
		return nil, fmt.Errorf("search: %w", err)
	}
	defer f.Close()
	h := &History{}
	var list []objective
	text := bufio.NewReader(f)
	if magic, _ := text.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(text)
		if err != nil {
			return nil, fmt.Errorf("search: %s: %w: %w", path, ErrLog, err)
		}
		text = bufio.NewReader(unpacked)
	}
	scan := bufio.NewScanner(text)
	scan.Buffer(nil, journal.MaxLine)
	ended := true
	scan.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		n, token, err := bufio.ScanLines(data, atEOF)
		ended = n > 0 && data[n-1] == '\n'
		return n, token, err
	})
	for number := 1; scan.Scan() && (ended || json.Valid(scan.Bytes())); number++ {
		if number == 1 {
			header, err := parseHeader(scan.Bytes())
			if err != nil {
				return nil, fmt.Errorf("search: %s: %w", path, err)
			}
			h.Header = *header
			if list, err = findObjectives(header.Objectives, header.Metrics, header.limits()); err != nil {
				return nil, fmt.Errorf("search: %s: %w", path, err)
			}
			continue
		}
		e, err := parseEntry(scan.Bytes())
		if err == nil {
			err = h.take(e, list)
		}
		if err != nil {
			return nil, fmt.Errorf("search: %s: line %d: %w: %w", path, number, ErrLog, err)
		}
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("search: %s: %w", path, err)
	}
	if h.Header.Format == "" {
		return nil, fmt.Errorf("search: %s: %w: it has no complete line", path, ErrLog)
	}
	return h, nil
}

// take adds an entry.
func (h *History) take(e *entry, list []objective) error {
	if e.Clock != nil {
		h.Elapsed, h.Times, h.Kernels, h.Compiled = e.Clock.Elapsed, e.Clock.Times, e.Clock.Kernels, e.Clock.Compiled
		return nil
	}
	c := e.candidate()
	switch {
	case c.Iteration != len(h.Candidates):
		return fmt.Errorf("candidate %d is where %d should be", c.Iteration, len(h.Candidates))
	case c.Verdict == Duplicate:
		if c.First < 0 || c.First >= c.Iteration {
			return fmt.Errorf("candidate %d cannot repeat candidate %d", c.Iteration, c.First)
		}
		c.repeat(h.Candidates[c.First])
	case c.Verdict == Scored && (len(c.Values) != len(h.Header.Metrics) || len(c.Costs) != len(h.Header.Limits)):
		return fmt.Errorf("candidate %d has %d values and %d costs, the header names %d and %d", c.Iteration, len(c.Values), len(c.Costs), len(h.Header.Metrics), len(h.Header.Limits))
	}
	if c.Has() {
		for _, o := range list {
			c.Objectives = append(c.Objectives, o.of(c))
		}
	}
	h.Candidates = append(h.Candidates, c)
	return nil
}

// State is that of the run when it wrote the last line. The recommendations of a Recommender are not known: Best is the candidate with the highest score.
func (h *History) State() *State {
	limits := h.Header.limits()
	rank := &LogRank{}
	s := &State{Status: Running, Rejected: map[string]int{}, score: rank.Score, metrics: h.Header.Metrics, limits: limits, Times: h.Times, Kernels: h.Kernels, Compiled: h.Compiled, Elapsed: h.Elapsed}
	s.objectives, _ = findObjectives(h.Header.Objectives, h.Header.Metrics, limits) // ReadLog has checked them
	if len(s.objectives) == 1 {
		s.score = func(o []float64) float64 { return o[0] }
	}
	failed := map[spaces.Arch]bool{}
	for _, c := range h.Candidates {
		evaluated := c.Verdict == Scored
		if c.Verdict == Failed && len(c.Costs) == len(limits) {
			evaluated = h.Header.Fresh || !failed[c.Arch]
			failed[c.Arch] = true
		}
		if c.Verdict == Scored && len(s.objectives) > 1 {
			rank.Add(c.Objectives)
		}
		s.learn(c, evaluated)
	}
	return s
}
