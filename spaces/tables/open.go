package tables

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Options say what a file cannot.
type Options struct {
	// Space is the space of the table, in the form that spaces.Open takes. Without it, a CSV file that does not say its space is taken for one of NATS-Bench, NAS-Bench-101 or TransNAS-Bench-101, whichever reads its first architecture; a file of NAS-Bench-Suite-Zero for what its name and first dataset say; and of TransNAS-Bench-101's file, which has two spaces, the micro one is read (the other is "transnas:macro=1").
	// For files that are of one space it must be that one, else Open fails with ErrSpace. Default: what the file says.
	Space string
}

// Names are those that Open knows besides paths: both are of the embedded table.
func Names() []string { return []string{EmbeddedName, "nb201-valid"} }

// Open reads a table from a file or folder in any of the formats of the package, compressed by gzip or bzip2 or not, or returns the embedded one (Names). The format is recognised by the content.
//
// Errors name the file and the place in it; they wrap ErrFormat, ErrTruncated, ErrSpace, those of the file system (fs.ErrNotExist) and of ctx, which ends the reading of a large file.
func Open(ctx context.Context, path string, o Options) (*Table, error) {
	if slices.Contains(Names(), path) {
		t, err := Embedded()
		if err == nil && o.Space != "" {
			err = of(path, same(o.Space, t.name))
		}
		if err != nil {
			return nil, err
		}
		return t, nil
	}
	if o.Space != "" {
		if _, err := spaces.Open(o.Space); err != nil {
			return nil, fmt.Errorf("tables: %w (a program has the spaces whose packages it imports)", err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tables: %w; it must be a file, a folder, or one of the names %s", err, strings.Join(Names(), ", "))
	}
	if info.IsDir() {
		t, err := openFolder(ctx, path, o)
		return t, of(path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tables: %w", err)
	}
	defer f.Close()
	t, err := read(ctx, f, path, o)
	return t, of(path, err)
}

// headSize is how much of a file is looked at to recognise it; the compact files are shorter.
const headSize = 1 << 20

// input is a file on its way to a reader of its format.
type input struct {
	ctx  context.Context
	path string
	file *os.File // nil for what is not one, as in tests
	r    *bufio.Reader
	head []byte // the first bytes of what r has, all of it if they are fewer than headSize
	o    Options
}

// name is the name of the file without folder and compression.
func (in *input) name() string {
	name := filepath.Base(in.path)
	for _, ext := range []string{".gz", ".pbz2", ".bz2"} {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}

// builder starts the table of a space, which must be the one asked for.
func (in *input) builder(space string) (*builder, error) {
	if in.o.Space != "" {
		if err := same(in.o.Space, space); err != nil {
			return nil, err
		}
	}
	return newBuilder(space)
}

// source describes a file.
func (in *input) source(format string) string { return filepath.Base(in.path) + ": " + format }

// same compares the space asked for with that of a table: they are the same if their architectures are, as far as size and first architecture show.
func same(want, have string) error {
	w, err := spaces.Open(want)
	if err != nil {
		return fmt.Errorf("tables: %w", err)
	}
	h, err := spaces.Open(have)
	if err != nil {
		return fmt.Errorf("tables: %w", err)
	}
	base := func(s string) string { b, _, _ := strings.Cut(s, ":"); return b }
	if base(want) == base(have) && w.Size() == h.Size() {
		first, err1 := w.Parse("0")
		second, err2 := h.Parse("0")
		if first == second && (err1 == nil) == (err2 == nil) {
			return nil
		}
	}
	return &problem{kind: ErrSpace, text: fmt.Sprintf("the table is of the space %s, not of %s, which was asked for; leave Options.Space empty to take what the file has", have, want)}
}

// read recognises what r has and reads it.
func read(ctx context.Context, r io.Reader, path string, o Options) (*Table, error) {
	in := &input{ctx: ctx, path: path, o: o}
	if err := in.decompress(r); err != nil {
		return nil, err
	}
	t, err := in.read()
	return t, damaged(err)
}

// decompress sets r and head to the content of what may be compressed, even twice.
func (in *input) decompress(r io.Reader) error {
	in.file, _ = r.(*os.File)
	in.r = bufio.NewReaderSize(&reader{ctx: in.ctx, r: r}, headSize)
	for depth := 0; ; depth++ {
		var err error
		if in.head, err = in.r.Peek(headSize); err != nil && err != io.EOF {
			return damaged(err)
		}
		var inner io.Reader
		switch {
		case bytes.HasPrefix(in.head, []byte{0x1f, 0x8b}):
			if inner, err = gzip.NewReader(in.r); err != nil {
				return damaged(err)
			}
		case bytes.HasPrefix(in.head, []byte("BZh")) && len(in.head) > 3 && in.head[3] >= '1' && in.head[3] <= '9':
			inner = bzip2.NewReader(in.r)
		default:
			return nil
		}
		if depth == 2 {
			return bad("", "compressed more than twice over")
		}
		in.file = nil // places in it are no longer places in the file
		in.r = bufio.NewReaderSize(inner, headSize)
	}
}

// read dispatches by what the content begins with.
func (in *input) read() (*Table, error) {
	head := in.head
	if len(head) == 0 {
		return nil, short("", "the file is empty")
	}
	if f := compactByName(in.name()); f != nil {
		return in.compact(f)
	}
	switch {
	case head[0] == 0x80 && len(head) > 1 && head[1] <= 5:
		return in.pickle()
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return in.zip()
	case isTFRecord(head):
		return in.tfrecord()
	case bytes.HasPrefix(head, []byte("\xfd7zXZ")), bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return nil, bad("", "compressed by xz or zstd, which is not read here: decompress it first")
	case isText(head):
		if trimmed := bytes.TrimLeft(head, "\ufeff \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
			return in.json()
		}
		return in.csv()
	}
	if f := compactBySize(len(head)); f != nil {
		return in.compact(f)
	}
	return nil, bad("byte 0", "begins with % x, which no known format does; expected a pickle, a torch file, a TFRecord, JSON, CSV or a compact table (see the documentation of package tables)", head[:min(8, len(head))])
}

// isText reports whether the beginning of a file is text.
func isText(head []byte) bool {
	head = head[:min(len(head), 4096)]
	if bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	// The last character may be cut.
	for cut := range min(utf8.UTFMax, len(head)) {
		if utf8.Valid(head[:len(head)-cut]) {
			return true
		}
	}
	return false
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// damaged explains the errors of the readers below.
func damaged(err error) error {
	var bz bzip2.StructuralError
	switch {
	case err == nil, errors.As(err, new(*problem)):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return short("", "the file ends too early: fetch it again")
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.As(err, &bz):
		return bad("", "the compressed data are damaged (%v): fetch the file again", err)
	}
	return err
}
