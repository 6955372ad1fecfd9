package correlate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Key is what a score depends on beside the architecture and the proxy. The instructions that the kernels use are no part of it: they move scores by rounding only.
type Key struct {
	Space   string `json:"space"`   // name of the space with all its options
	Size    int    `json:"size"`    // height and width of the images, pixels
	Classes int    `json:"classes"` // outputs of the network
	Images  string `json:"images"`  // images.Hash of all batches: pixels, labels, shapes
	Batch   int    `json:"batch"`   // images in a batch
	Batches int    `json:"batches"`
	Seed    uint64 `json:"seed"`    // of the weights
	DType   string `json:"dtype"`   // "float32" or "float64"
	Scoring int    `json:"scoring"` // Version
}

// Entry is a line of a store: the values of some proxies for an architecture, or the error that there was instead.
type Entry struct {
	Key
	Arch    spaces.Arch      `json:"arch"`              // canonical
	Values  map[string]Value `json:"values,omitempty"`  // by proxy
	Failed  []string         `json:"failed,omitempty"`  // proxies that have no value because of Error
	Error   string           `json:"error,omitempty"`   // what the evaluation failed with
	Kernels string           `json:"kernels,omitempty"` // what computed: zico.Config.Kernels
	Seconds float64          `json:"seconds,omitempty"` // what it took
	Run     string           `json:"run,omitempty"`     // marks the entries of one opened Store; Append sets it
}

// header is the first line of a store. It may stand in later lines too, so that stores can be joined by concatenation.
const header = `{"format":"zeroshot-scores","version":1}`

// headerLine is what tells a header, of any version, from an entry.
type headerLine struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

// maxLine bounds a line: a damaged file must not claim all memory. Entries are below 2 KB.
const maxLine = 1 << 20

// ErrStore is wrapped where a file is no store, or one of a later version of the program.
var ErrStore = errors.New("not a store of scores")

// Store is a file of scores: JSON lines, one an Entry, that are only ever appended. One file serves any number of runs, spaces and processes.
//
// An entry is one write under an exclusive lock (flock), so lines of several processes never mix. A process that is killed while it writes leaves at most the beginning of a line; whoever appends next, or opens the store, cuts it off, and completes a line that lacks but its end. Complete lines are never changed. A line in the middle that is no entry, as after a damage of the disk, is skipped and counted (Damaged); its scores are computed anew and appended.
//
// A score survives the end of the process in whatever way as soon as Append has returned. For a loss of power the file is synced every ten seconds and by Close, so at most the scores of ten seconds have to be computed again.
//
// A Store is not safe for concurrent use; open the file once for each goroutine that needs it.
type Store struct {
	path    string
	f       *os.File
	read    int64  // what Read has seen
	line    int    // number of the line there, from 1
	run     string // marks its own entries
	synced  time.Time
	dirty   bool
	damaged []int
	cut     int
	// write is f.Write; tests put a full disk there.
	write func([]byte) (int, error)
}

// DefaultStore is the file of scores that all programs of a user share: zeroshot/scores.jsonl in the folder for caches (os.UserCacheDir; ~/.cache on Linux).
func DefaultStore() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("correlate: there is no folder for caches: %w; name a file for the scores", err)
	}
	return filepath.Join(dir, "zeroshot", "scores.jsonl"), nil
}

// OpenStore opens a store, which it makes with its folder where there is none. It fails with ErrStore for a file that is something else, which stays as it is.
func OpenStore(path string) (*Store, error) {
	s := &Store{path: path, synced: time.Now(), line: 1, run: fmt.Sprintf("%016x", rand.Uint64())}
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("correlate: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("correlate: %w", err)
	}
	s.f, s.write = f, f.Write
	err = s.locked(func() error {
		if err := s.begin(); err != nil {
			return err
		}
		return s.mend()
	})
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// Path is the file.
func (s *Store) Path() string { return s.path }

// Damaged are the numbers of the lines that Read has skipped since they are no entries, from 1.
func (s *Store) Damaged() []int { return s.damaged }

// Cut is the number of bytes of unfinished lines that this Store has cut off.
func (s *Store) Cut() int { return s.cut }

// Close syncs and closes the file.
func (s *Store) Close() error {
	var err error
	if s.dirty {
		err = s.f.Sync()
	}
	if err = errors.Join(err, s.f.Close()); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("correlate: %w", err)
	}
	return nil
}

// locked runs f while no other process appends.
func (s *Store) locked(f func() error) error {
	if err := lock(s.f); err != nil {
		return fmt.Errorf("correlate: %s cannot be locked: %w; put the store on a local disk", s.path, err)
	}
	return errors.Join(f(), unlock(s.f))
}

// begin writes the header of a new file and checks that of another.
func (s *Store) begin() error {
	size, err := s.size()
	if err != nil {
		return err
	}
	head := make([]byte, min(size, maxLine))
	if _, err := s.f.ReadAt(head, 0); err != nil && err != io.EOF {
		return fmt.Errorf("correlate: %w", err)
	}
	first, _, whole := bytes.Cut(head, []byte("\n"))
	switch {
	case !whole && strings.HasPrefix(header, string(first)): // new, or its maker was killed
		if err := s.f.Truncate(0); err != nil {
			return fmt.Errorf("correlate: %w", err)
		}
		return s.put([]byte(header + "\n"))
	case !whole:
		return fmt.Errorf("correlate: %s: %w: it does not begin with the line %s; name another file", s.path, ErrStore, header)
	}
	var h headerLine
	if err := json.Unmarshal(first, &h); err != nil || h.Format != "zeroshot-scores" {
		return fmt.Errorf("correlate: %s: %w: line 1 is %.60q, expected %s; name another file", s.path, ErrStore, first, header)
	}
	if h.Version != 1 {
		return fmt.Errorf("correlate: %s: %w: it has version %d and this program reads version 1; use the program that made it, or another file", s.path, ErrStore, h.Version)
	}
	return nil
}

func (s *Store) size() (int64, error) {
	info, err := s.f.Stat()
	if err != nil {
		return 0, fmt.Errorf("correlate: %w", err)
	}
	return info.Size(), nil
}

// mend makes the file end with a whole line, under the lock: a writer that is alive is not in the middle of one.
func (s *Store) mend() error {
	size, err := s.size()
	if err != nil {
		return err
	}
	var tail []byte
	for from := size; from > 0; {
		part := make([]byte, min(from, 4096))
		from -= int64(len(part))
		if _, err := s.f.ReadAt(part, from); err != nil {
			return fmt.Errorf("correlate: %w", err)
		}
		end := bytes.LastIndexByte(part, '\n')
		tail = append(part[end+1:], tail...)
		if end >= 0 {
			break
		}
	}
	if len(tail) == 0 {
		return nil
	}
	if _, err := parseEntry(tail); err == nil {
		return s.put([]byte("\n"))
	}
	s.cut += len(tail)
	if err := s.f.Truncate(size - int64(len(tail))); err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	return nil
}

// put appends bytes whole or not at all, under the lock.
func (s *Store) put(b []byte) error {
	size, err := s.size()
	if err != nil {
		return err
	}
	n, err := s.write(b)
	if err == nil && n == len(b) {
		s.dirty = true
		return nil
	}
	if err == nil {
		err = io.ErrShortWrite
	}
	// A full disk takes the beginning of a line.
	return errors.Join(fmt.Errorf("correlate: %s: %w; the scores before are in the file: make room and run again", s.path, err), s.f.Truncate(size))
}

// syncEvery is how much work a loss of power may cost.
const syncEvery = 10 * time.Second

// Append adds an entry. Its error says that the entry is not in the file, which is as it was before.
func (s *Store) Append(e Entry) error {
	e.Run = s.run
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	if len(line) >= maxLine {
		return fmt.Errorf("correlate: an entry of %d bytes for %s; at most %d are read again", len(line), e.Arch, maxLine)
	}
	err = s.locked(func() error {
		if err := s.mend(); err != nil {
			return err
		}
		return s.put(append(line, '\n'))
	})
	if err == nil && time.Since(s.synced) > syncEvery {
		s.synced, s.dirty = time.Now(), false
		if err := s.f.Sync(); err != nil {
			return fmt.Errorf("correlate: %s: %w", s.path, err)
		}
	}
	return err
}

// parseEntry reads a line that is an entry.
func parseEntry(line []byte) (*Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, err
	}
	if e.Space == "" || e.Arch == "" || len(e.Values)+len(e.Failed) == 0 {
		return nil, errors.New("an entry needs a space, an architecture, and values of proxies or what failed")
	}
	return &e, nil
}

// isHeader reports whether a line is a header of this version.
func isHeader(line []byte) bool {
	var h headerLine
	return bytes.Contains(line, []byte(`"zeroshot-scores"`)) && json.Unmarshal(line, &h) == nil && h == headerLine{"zeroshot-scores", 1}
}

// Read hands out the entries of a key that are in the file and have not been read before, in their order; those that this Store has appended are not among them. It reads the file as a stream, so only what take keeps needs memory. other reports whether there were any.
//
// For an architecture and proxy the first entry counts: later ones differ by rounding at most.
func (s *Store) Read(key Key, take func(*Entry)) (other bool, err error) {
	var end int64
	err = s.locked(func() (err error) {
		end, err = s.size()
		return err
	})
	if err != nil {
		return false, err
	}
	// Most lines of a large store are of other runs: those that lack the images need no parsing.
	mark := []byte(key.Images)
	r := bufio.NewReaderSize(io.NewSectionReader(s.f, s.read, end-s.read), 1<<16)
	for {
		line, skipped, err := readLine(r)
		if err == io.EOF {
			return other, nil // what is left is the beginning of a line, or nothing
		}
		if err != nil {
			return other, fmt.Errorf("correlate: %s: line %d: %w", s.path, s.line, err)
		}
		s.read += int64(len(line)+1) + skipped
		number := s.line
		s.line++
		switch {
		case skipped > 0:
			s.damaged = append(s.damaged, number)
			continue
		case len(bytes.TrimSpace(line)) == 0:
			continue
		case !bytes.Contains(line, mark) && bytes.HasPrefix(line, []byte(`{"`)) && bytes.HasSuffix(bytes.TrimRight(line, "\r"), []byte(`}`)):
			continue
		}
		e, err := parseEntry(line)
		if err != nil {
			if !isHeader(line) {
				s.damaged = append(s.damaged, number)
			}
			continue
		}
		if e.Key != key {
			continue
		}
		if e.Run == s.run {
			continue
		}
		other = true
		take(e)
	}
}

// readLine reads a line without its end. Of one that is longer than maxLine it returns the beginning and how much was skipped. A last line without end is io.EOF.
func readLine(r *bufio.Reader) (line []byte, skipped int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			skipped += int64(len(part))
		} else {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return nil, 0, err
		}
		if skipped == 0 {
			return line[:len(line)-1], 0, nil
		}
		return line, skipped - 1, nil
	}
}

// warnings are what a reader of the store should know, one sentence each.
func (s *Store) warnings() []string {
	var w []string
	if s.cut > 0 {
		w = append(w, fmt.Sprintf("%s: the last line was not finished, its process must have been killed: %d bytes were cut off, and its scores are computed again", s.path, s.cut))
	}
	if n := len(s.damaged); n > 0 {
		list := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(s.damaged[:min(n, 8)])), ", "), "[]")
		if n > 8 {
			list += ", ..."
		}
		w = append(w, fmt.Sprintf("%s: %d lines are no entries and are skipped (%s); their scores are computed again, and the lines stay as they are", s.path, n, list))
	}
	return w
}
