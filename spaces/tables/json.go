package tables

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// jsonReader reads JSON as a stream. It is not encoding/json's, because Python writes NaN and Infinity, which that refuses, and because places in large files matter.
type jsonReader struct {
	r   *byteReader
	buf []byte
}

const (
	maxJSONString = 1 << 16
	maxJSONDepth  = 100
)

func newJSONReader(r *bufio.Reader) *jsonReader { return &jsonReader{r: &byteReader{r: r}} }

// fail is an error at the current place.
func (j *jsonReader) fail(format string, args ...any) error {
	return bad(fmt.Sprintf("byte %d", j.r.offset), format, args...)
}

// next returns the next byte that is not white space, which stays unread.
func (j *jsonReader) next() (byte, error) {
	for {
		c, err := j.r.byte()
		if err != nil {
			return 0, j.ended(err)
		}
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		j.unread()
		return c, nil
	}
}

func (j *jsonReader) unread() {
	if j.r.r.UnreadByte() == nil {
		j.r.offset--
	}
}

// ended explains an end where none should be.
func (j *jsonReader) ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return short(fmt.Sprintf("byte %d", j.r.offset), "the file ends inside the JSON: fetch it again")
	}
	return err
}

// take reads a certain byte.
func (j *jsonReader) take(want byte, what string) error {
	c, err := j.next()
	if err != nil {
		return err
	}
	if c != want {
		return j.fail("%q where %q was expected, %s", c, want, what)
	}
	_, err = j.r.byte()
	return err
}

// object reads an object and calls do with each key, for its value to be read.
func (j *jsonReader) object(what string, do func(key string) error) error {
	if err := j.take('{', what); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := j.next()
		if err != nil {
			return err
		}
		switch {
		case c == '}' && first:
			_, err := j.r.byte()
			return err
		case !first && c == '}':
			_, err := j.r.byte()
			return err
		case !first:
			if err := j.take(',', "between the members of an object"); err != nil {
				return err
			}
		}
		key, err := j.string()
		if err != nil {
			return err
		}
		if err := j.take(':', "behind a key"); err != nil {
			return err
		}
		if err := do(key); err != nil {
			return err
		}
	}
}

// string reads a string.
func (j *jsonReader) string() (string, error) {
	if err := j.take('"', "the begin of a string"); err != nil {
		return "", err
	}
	j.buf = append(j.buf[:0], '"')
	escapes := false
	for {
		c, err := j.r.byte()
		if err != nil {
			return "", j.ended(err)
		}
		j.buf = append(j.buf, c)
		if len(j.buf) > maxJSONString {
			return "", j.fail("a string of more than %d bytes", maxJSONString)
		}
		switch {
		case c == '\\':
			escapes = true
			if c, err = j.r.byte(); err != nil {
				return "", j.ended(err)
			}
			j.buf = append(j.buf, c)
		case c == '"':
			if !escapes {
				return string(j.buf[1 : len(j.buf)-1]), nil
			}
			var s string
			if err := json.Unmarshal(j.buf, &s); err != nil {
				return "", j.fail("%v", err)
			}
			return s, nil
		case c < ' ':
			return "", j.fail("a string has the control character 0x%02x in it", c)
		}
	}
}

// word reads a number or one of null, true, false, NaN, Infinity and -Infinity. What is no number is NaN.
func (j *jsonReader) word() (float64, error) {
	start := j.r.offset
	j.buf = j.buf[:0]
	for {
		c, err := j.r.byte()
		if err != nil {
			return 0, j.ended(err) // a value is always inside of something
		}
		if c != '+' && c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			j.unread()
			break
		}
		if j.buf = append(j.buf, c); len(j.buf) > 400 {
			return 0, j.fail("a number of more than 400 characters")
		}
	}
	switch s := string(j.buf); s {
	case "null", "true", "false", "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	default:
		v, err := strconv.ParseFloat(s, 64)
		if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') || err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0, bad(fmt.Sprintf("byte %d", start), "%.40q is no value of JSON", s)
		}
		return v, nil
	}
}

// skip passes over a value of any kind.
func (j *jsonReader) skip(depth int) error {
	if depth > maxJSONDepth {
		return j.fail("more than %d values inside each other", maxJSONDepth)
	}
	c, err := j.next()
	if err != nil {
		return err
	}
	switch c {
	case '{':
		return j.object("", func(string) error { return j.skip(depth + 1) })
	case '"':
		_, err := j.string()
		return err
	case '[':
		if err := j.take('[', ""); err != nil {
			return err
		}
		for first := true; ; first = false {
			c, err := j.next()
			if err != nil {
				return err
			}
			if c == ']' {
				return j.take(']', "")
			}
			if !first {
				if err := j.take(',', "between the items of a list"); err != nil {
					return err
				}
			}
			if err := j.skip(depth + 1); err != nil {
				return err
			}
		}
	}
	_, err = j.word()
	return err
}

// end checks that nothing but white space follows.
func (j *jsonReader) end() error {
	for {
		c, err := j.r.byte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return j.fail("something follows the end of the JSON")
		}
	}
}
