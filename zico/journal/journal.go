// Package journal keeps a file of lines, such as JSON objects, that are only ever appended, for work that takes long and must not be lost: what has been appended is there after kill -9, a full disk stops the work with a file that is whole, and the unfinished line that an interrupted write leaves is cut off.
//
// A line is one write under an exclusive lock (flock), which goes with the process that holds it, however it ends. A shared journal takes the lock for each line, so any number of processes append to one file and their lines never mix. An exclusive one holds it from Open to Close: one process has the file, and a second learns at once that it is in use (ErrLocked). Where there is no flock, as on Windows, nothing is locked, and a file is for one process at a time.
//
// Number is how lines of JSON keep numbers that need not be finite.
//
// Complete lines are never changed, whatever they hold: what they mean, and what to do about one that a damage of the disk has made unreadable, is the caller's business. A line is safe from the end of the process in whatever way as soon as Append has returned. For a loss of power the file is synced every ten seconds and by Close.
//
// Errors name the file and say what to do; they have no prefix of this package, so that a caller's own stands directly before them.
package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// MaxLine bounds a line with its newline, in bytes: a damaged file must not claim all memory.
const MaxLine = 1 << 20

// syncEvery is how much work a loss of power may cost.
const syncEvery = 10 * time.Second

// ErrLocked is wrapped where another Journal holds the lock of a file that was to be opened for exclusive use.
var ErrLocked = errors.New("in use")

// Options say what a journal's file is like. The zero value of each field but Header means the default in its comment.
type Options struct {
	// Header is the first line of a new file, without newline. It tells this file from others.
	Header []byte
	// Check is asked about the first line of a file that has one already, and may keep it: nil means that the line is a header to go on with. Its error is what Open fails with, behind the path, and the file stays as it is. Default: the line must be Header.
	//
	// Not whole is a line without newline, and nothing follows it: its maker was killed. If it is the beginning of Header, that is written in its place and Check is not asked; another is replaced too if Check accepts it. Of a line of more than MaxLine bytes Check sees the beginning.
	Check func(first []byte, whole bool) error
	// Whole reports whether a last line is complete although it lacks its newline, which it then gets, as json.Valid does where lines are JSON objects. Default: it is not, and is cut off.
	Whole func(line []byte) bool
	// Exclusive holds the lock from Open to Close. Default: it is held for each line alone.
	Exclusive bool
}

// Journal is an open file of lines. It is not safe for concurrent use; a shared one may be opened once for each goroutine that needs it.
type Journal struct {
	path   string
	f      *os.File
	o      Options
	read   int64 // what Lines has handed out
	line   int   // number of the last line there
	synced time.Time
	dirty  bool
	cut    int
}

// Open opens the file, which it makes with its folder where there is none, and makes it end with a complete line.
//
// It fails with what Options.Check says about a file that is something else, and with ErrLocked where the file is in use and was to be opened for exclusive use; that error says which process uses it where that can be known. A shared journal waits for the lock instead.
func Open(path string, o Options) (*Journal, error) {
	if err := fits(o.Header); err != nil {
		return nil, fmt.Errorf("%s: the header is %w", path, err)
	}
	if o.Check == nil {
		o.Check = func(first []byte, _ bool) error {
			if bytes.Equal(first, o.Header) {
				return nil
			}
			return fmt.Errorf("the first line is %.60q, expected %s; name another file", first, o.Header)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	j := &Journal{path: path, f: f, o: o, synced: time.Now()}
	if err := j.open(); err != nil {
		f.Close()
		return nil, err
	}
	return j, nil
}

func (j *Journal) open() error {
	if j.o.Exclusive {
		if err := j.lock(); err != nil {
			return err
		}
	}
	return j.locked(func() error {
		if err := j.begin(); err != nil {
			return err
		}
		return j.mend()
	})
}

// Cut is the number of bytes of unfinished lines that this Journal has cut off. That of a header does not count.
func (j *Journal) Cut() int { return j.cut }

// fits says what keeps a line from being read again.
func fits(line []byte) error {
	switch {
	case len(line) >= MaxLine:
		return fmt.Errorf("a line of %d bytes, and only lines of less than %d are read again", len(line), MaxLine)
	case bytes.IndexByte(line, '\n') >= 0:
		return fmt.Errorf("not one line: %.60q", line)
	}
	return nil
}

// lock takes the lock; for shared use it waits for it.
func (j *Journal) lock() error {
	err := lock(j.f, !j.o.Exclusive)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrLocked):
		return j.inUse()
	}
	return fmt.Errorf("%s cannot be locked: %w; put it on a local disk", j.path, err)
}

// locked runs f while no other process appends.
func (j *Journal) locked(f func() error) error {
	if j.o.Exclusive {
		return f()
	}
	if err := j.lock(); err != nil {
		return err
	}
	return errors.Join(f(), unlock(j.f))
}

// begin writes the header of a new file and has that of another checked.
func (j *Journal) begin() error {
	info, err := j.f.Stat()
	if err != nil {
		return err
	}
	head := make([]byte, min(info.Size(), MaxLine))
	if _, err := j.f.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	first, _, whole := bytes.Cut(head, []byte("\n"))
	whole = whole || len(head) == MaxLine // too long for the beginning of a header: more may follow
	if whole || !bytes.HasPrefix(j.o.Header, first) {
		if err := j.o.Check(first, whole); err != nil {
			return fmt.Errorf("%s: %w", j.path, err)
		}
		if whole {
			return nil
		}
	}
	if err := j.f.Truncate(0); err != nil {
		return err
	}
	return j.put(j.o.Header)
}

// ends finds where the last complete line ends and where the file does.
func (j *Journal) ends() (whole, size int64, err error) {
	info, err := j.f.Stat()
	if err != nil {
		return 0, 0, err
	}
	size = info.Size()
	buf := make([]byte, 4096)
	for from := size; from > 0; {
		part := buf[:min(from, int64(len(buf)))]
		from -= int64(len(part))
		if _, err := j.f.ReadAt(part, from); err != nil {
			return 0, 0, fmt.Errorf("%s: at byte %d: %w", j.path, from, err)
		}
		if end := bytes.LastIndexByte(part, '\n'); end >= 0 {
			return from + int64(end) + 1, size, nil
		}
	}
	return 0, size, nil
}

// mend makes the file end with a complete line, under the lock: a writer that is alive is not in the middle of one.
func (j *Journal) mend() error {
	whole, size, err := j.ends()
	if err != nil || whole == size {
		return err
	}
	tail := size - whole
	if j.o.Whole != nil && tail < MaxLine {
		line := make([]byte, tail)
		if _, err := j.f.ReadAt(line, whole); err != nil {
			return fmt.Errorf("%s: at byte %d: %w", j.path, whole, err)
		}
		if j.o.Whole(line) {
			return j.put(nil)
		}
	}
	if err := j.f.Truncate(whole); err != nil {
		return err
	}
	j.cut += int(tail)
	return nil
}

// put appends bytes and a newline, all of it or nothing, under the lock.
func (j *Journal) put(line []byte) error {
	info, err := j.f.Stat()
	if err != nil {
		return err
	}
	if _, err := j.f.Write(append(slices.Clip(line), '\n')); err != nil {
		// A full disk takes the beginning of a line.
		return errors.Join(fmt.Errorf("%w; this line is not in the file, those before it are: make room and run again", err), j.f.Truncate(info.Size()))
	}
	j.dirty = true
	return nil
}

// Append adds a line, which has no newline and less than MaxLine bytes. Its error says that the line is not in the file, which is as it was before, or else that the line is there and only the sync, which every ten seconds is a part of Append, has failed.
func (j *Journal) Append(line []byte) error {
	if err := fits(line); err != nil {
		return fmt.Errorf("%s: %w: it is not in the file", j.path, err)
	}
	err := j.locked(func() error {
		if err := j.mend(); err != nil {
			return err
		}
		return j.put(line)
	})
	if err == nil && time.Since(j.synced) > syncEvery {
		return j.Sync()
	}
	return err
}

// Sync brings the lines that were appended to the disk, where a loss of power leaves them. It takes a disk's time, milliseconds and more.
func (j *Journal) Sync() error {
	if !j.dirty {
		return nil
	}
	j.synced = time.Now()
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("%w; all lines are in the file, but a loss of power may take the last ones: look after the disk", err)
	}
	j.dirty = false
	return nil
}

// Close syncs and closes the file, and gives up the lock. Closing again does nothing.
func (j *Journal) Close() error {
	if err := errors.Join(j.Sync(), j.f.Close()); !errors.Is(err, fs.ErrClosed) {
		return err
	}
	return nil
}

// Line is a line of the file.
type Line struct {
	Number int    // from 1, the header's
	Text   []byte // without newline; the next step of the iteration overwrites it
	Long   bool   // the line takes more than MaxLine bytes, and Text is its beginning
}

// Lines are the complete lines that are in the file when the iteration begins and have not been handed out before, in their order; the first is the header. Those that this Journal has appended are among them. The file is read as a stream, so a long one needs no memory; an iteration that is left goes on with the next line the next time. An error ends it.
func (j *Journal) Lines() iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		var end int64
		err := j.locked(func() (err error) {
			end, _, err = j.ends()
			return err
		})
		if err != nil {
			yield(Line{}, err)
			return
		}
		// What is before end never changes, so the lock is not needed for it.
		r := bufio.NewReaderSize(io.NewSectionReader(j.f, j.read, end-j.read), 1<<16)
		var text []byte
		for j.read < end {
			var size int64
			text, size, err = readLine(r, text[:0])
			if err != nil {
				yield(Line{}, fmt.Errorf("%s: line %d: %w", j.path, j.line+1, err))
				return
			}
			j.read += size
			j.line++
			if !yield(Line{Number: j.line, Text: text, Long: size > MaxLine}, nil) {
				return
			}
		}
	}
}

// readLine appends a line to text, of one that is too long the beginning, and returns its size with the newline.
func readLine(r *bufio.Reader, text []byte) (_ []byte, size int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, 0, err
		}
		size += int64(len(part))
		if size <= MaxLine {
			text = append(text, part...)
		}
		if err == nil {
			return bytes.TrimSuffix(text, []byte("\n")), size, nil
		}
	}
}
