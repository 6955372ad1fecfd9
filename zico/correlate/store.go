package correlate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico/journal"
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
	file    *journal.Journal
	run     string // marks its own entries
	damaged []int
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
	file, err := journal.Open(path, journal.Options{
		Header: []byte(header),
		Check:  checkHeader,
		Whole: func(line []byte) bool {
			_, err := parseEntry(line)
			return err == nil
		},
	})
	if err != nil {
		return nil, fmt.Errorf("correlate: %w", err)
	}
	return &Store{path: path, file: file, run: fmt.Sprintf("%016x", rand.Uint64())}, nil
}

// checkHeader says why a first line is not that of a store that this program reads.
func checkHeader(first []byte, whole bool) error {
	if !whole {
		return fmt.Errorf("%w: it does not begin with the line %s; name another file", ErrStore, header)
	}
	var h headerLine
	if err := json.Unmarshal(first, &h); err != nil || h.Format != "zeroshot-scores" {
		return fmt.Errorf("%w: line 1 is %.60q, expected %s; name another file", ErrStore, first, header)
	}
	if h.Version != 1 {
		return fmt.Errorf("%w: it has version %d and this program reads version 1; use the program that made it, or another file", ErrStore, h.Version)
	}
	return nil
}

// Path is the file.
func (s *Store) Path() string { return s.path }

// Damaged are the numbers of the lines that Read has skipped since they are no entries, from 1.
func (s *Store) Damaged() []int { return s.damaged }

// Cut is the number of bytes of unfinished lines that this Store has cut off.
func (s *Store) Cut() int { return s.file.Cut() }

// Close syncs and closes the file.
func (s *Store) Close() error {
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	return nil
}

// Append adds an entry. Its error says that the entry is not in the file, which is as it was before.
func (s *Store) Append(e Entry) error {
	e.Run = s.run
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	if err := s.file.Append(line); err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	return nil
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
	// Most lines of a large store are of other runs: those that lack the images need no parsing.
	mark := []byte(key.Images)
	for line, err := range s.file.Lines() {
		if err != nil {
			return other, fmt.Errorf("correlate: %w", err)
		}
		switch {
		case line.Long:
			s.damaged = append(s.damaged, line.Number)
			continue
		case len(bytes.TrimSpace(line.Text)) == 0:
			continue
		case !bytes.Contains(line.Text, mark) && bytes.HasPrefix(line.Text, []byte(`{"`)) && bytes.HasSuffix(bytes.TrimRight(line.Text, "\r"), []byte(`}`)):
			continue
		}
		e, err := parseEntry(line.Text)
		if err != nil {
			if !isHeader(line.Text) {
				s.damaged = append(s.damaged, line.Number)
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
	return other, nil
}

// warnings are what a reader of the store should know, one sentence each.
func (s *Store) warnings() []string {
	var w []string
	if n := s.Cut(); n > 0 {
		w = append(w, fmt.Sprintf("%s: the last line was not finished, its process must have been killed: %d bytes were cut off, and its scores are computed again", s.path, n))
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
