package tables

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that a caller may branch on; those of Open and Embedded wrap them and say more.
var (
	// ErrFormat is wrapped where the content is not what its format asks for, or of no known format.
	ErrFormat = errors.New("not a table of a known format")
	// ErrTruncated is wrapped where a file ends too early or misses records that it announces.
	ErrTruncated = errors.New("the file is incomplete")
	// ErrSpace is wrapped where the table is of another space than Options.Space.
	ErrSpace = errors.New("a table of another space")
)

// problem says what is wrong with a file, where, and what to do.
type problem struct {
	kind  error  // one of the sentinel errors, or the cause
	path  string // the file, as it was given
	where string // place in it: "byte 17", "record 3", "line 2", an architecture; "" if it is the whole
	text  string // what was wrong, what was expected, what to do
}

func (p *problem) Error() string {
	parts := []string{"tables"}
	if p.path != "" {
		parts = append(parts, p.path)
	}
	if p.where != "" {
		parts = append(parts, p.where)
	}
	parts = append(parts, p.text)
	return strings.Join(parts, ": ")
}

func (p *problem) Unwrap() error { return p.kind }

// bad is a problem of format; place may be "".
func bad(place, format string, args ...any) error {
	return &problem{kind: ErrFormat, where: place, text: fmt.Sprintf(format, args...)}
}

// short is a problem of truncation.
func short(place, format string, args ...any) error {
	return &problem{kind: ErrTruncated, where: place, text: fmt.Sprintf(format, args...)}
}

// of names the file in an error that does not name one.
func of(path string, err error) error {
	if err == nil {
		return nil
	}
	var p *problem
	if !errors.As(err, &p) {
		return &problem{kind: err, path: path, text: strings.TrimPrefix(err.Error(), "tables: ")}
	}
	if p.path == "" {
		p.path = path
	}
	return err
}
