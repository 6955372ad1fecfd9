package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroshotnas/zeroshot/zico/journal/journaltest"
)

const header = `{"format":"test","version":1}`

// objects are the options of most tests here: lines are JSON objects.
var objects = Options{Header: []byte(header), Whole: json.Valid}

// modes are both ways to lock.
var modes = map[string]Options{
	"shared":    objects,
	"exclusive": {Header: objects.Header, Whole: objects.Whole, Exclusive: true},
}

func openTest(t testing.TB, path string, o Options) *Journal {
	t.Helper()
	j, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func appendTest(t testing.TB, j *Journal, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if err := j.Append([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
}

// lines are the next lines of a journal.
func lines(t testing.TB, j *Journal) (got []string) {
	t.Helper()
	for line, err := range j.Lines() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(line.Text))
	}
	return got
}

// TestJournal appends and reads, in a folder that is not there yet.
func TestJournal(t *testing.T) {
	for mode, o := range modes {
		path := filepath.Join(t.TempDir(), "a", "b", "journal")
		j := openTest(t, path, o)
		appendTest(t, j, `{"a":1}`, `{"a":2}`)
		if got := lines(t, j); !slices.Equal(got, []string{header, `{"a":1}`, `{"a":2}`}) {
			t.Errorf("%s: lines %q", mode, got)
		}
		if got := lines(t, j); got != nil {
			t.Errorf("%s: lines %q are read twice", mode, got)
		}
		appendTest(t, j, `{"a":3}`)
		for range 2 { // the cut of Close is its own
			if err := j.Close(); err != nil {
				t.Errorf("%s: %v", mode, err)
			}
		}
		if err := j.Append([]byte("{}")); err == nil {
			t.Errorf("%s: a closed journal takes a line", mode)
		}
		want := []string{header, `{"a":1}`, `{"a":2}`, `{"a":3}`}
		if got := content(t, path); got != strings.Join(want, "\n")+"\n" {
			t.Errorf("%s: the file is %q", mode, got)
		}
		// An iteration that is left goes on behind the line.
		j = openTest(t, path, o)
		for line, err := range j.Lines() {
			if err != nil {
				t.Fatal(err)
			}
			if line.Number == 2 {
				break
			}
		}
		if got := lines(t, j); !slices.Equal(got, want[2:]) {
			t.Errorf("%s: after line 2 come %q", mode, got)
		}
		if j.Cut() != 0 {
			t.Errorf("%s: %d bytes are cut off a whole file", mode, j.Cut())
		}
	}
}

// TestNoLine refuses what could not be read again, and leaves the file alone.
func TestNoLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := openTest(t, path, objects)
	for want, line := range map[string]string{
		"not one line":                     "{\n}",
		"only lines of less than 1048576 ": strings.Repeat("x", MaxLine),
	} {
		err := j.Append([]byte(line))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("the error is %v, want %q", err, want)
		}
		if _, err := Open(filepath.Join(t.TempDir(), "journal"), Options{Header: []byte(line)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("as a header: the error is %v, want %q", err, want)
		}
	}
	appendTest(t, j, strings.Repeat("x", MaxLine-1))
	for line, err := range openTest(t, path, objects).Lines() {
		if err != nil || line.Long || line.Number == 2 && len(line.Text) != MaxLine-1 {
			t.Errorf("line %d of %d bytes, long %v, error %v", line.Number, len(line.Text), line.Long, err)
		}
	}
}

// TestLong reports lines that are too long, without taking memory for them, and reads the others.
func TestLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	long := strings.Repeat("x", MaxLine)
	write(t, path, header+"\n"+long+"\n{}\n"+long+long+long+"\n"+long[1:]+"\n\n")
	var got []string
	for line, err := range openTest(t, path, objects).Lines() {
		if err != nil {
			t.Fatal(err)
		}
		if len(line.Text) > MaxLine {
			t.Errorf("line %d has %d bytes", line.Number, len(line.Text))
		}
		got = append(got, fmt.Sprint(line.Number, line.Long))
	}
	if want := []string{"1 false", "2 true", "3 false", "4 true", "5 false", "6 false"}; !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
}

// TestTorn cuts a journal at every byte: whoever opens it has the complete lines, and appends.
func TestTorn(t *testing.T) {
	all := []string{header, `{"a":1}`, "", `{"b":"zwölf"}`, `{"c":[1,2]}`}
	whole := strings.Join(all, "\n") + "\n"
	path := filepath.Join(t.TempDir(), "journal")
	for mode, o := range modes {
		for _, o.Whole = range []func([]byte) bool{nil, json.Valid} {
			for cut := range len(whole) + 1 {
				write(t, path, whole[:cut])
				want := all[:max(1, strings.Count(whole[:cut], "\n"))]
				torn := cut - len(strings.Join(want, "\n")) - 1
				if torn > 0 && o.Whole != nil && whole[cut] == '\n' {
					want, torn = all[:len(want)+1], 0
				}
				j := openTest(t, path, o)
				got := lines(t, j)
				if !slices.Equal(got, want) || j.Cut() != max(0, torn) {
					t.Fatalf("%s, cut at byte %d: %d bytes were cut off and the lines are %q, want %d and %q", mode, cut, j.Cut(), got, torn, want)
				}
				appendTest(t, j, `{"d":4}`)
				j.Close()
				j = openTest(t, path, o)
				if got := lines(t, j); !slices.Equal(got, append(slices.Clip(want), `{"d":4}`)) || j.Cut() != 0 {
					t.Fatalf("%s, cut at byte %d: after an append the lines are %q", mode, cut, got)
				}
				j.Close()
			}
		}
	}
}

// TestTornBeside appends to a file in which another process has left the beginning of a line meanwhile. Lines leaves it alone.
func TestTornBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := openTest(t, path, objects)
	appendTest(t, j, `{"a":1}`)
	write(t, path, content(t, path)+`{"a":`)
	if got := lines(t, j); len(got) != 2 || j.Cut() != 0 {
		t.Errorf("lines %q, and %d bytes are cut off", got, j.Cut())
	}
	appendTest(t, j, `{"a":3}`)
	if got := lines(t, j); !slices.Equal(got, []string{`{"a":3}`}) || j.Cut() != 5 {
		t.Errorf("then lines %q, and %d bytes are cut off, want 5", got, j.Cut())
	}
	// A loss of power may leave any amount of zeros.
	before := content(t, path)
	write(t, path, before+strings.Repeat("\x00", 3*MaxLine))
	if j = openTest(t, path, objects); content(t, path) != before || j.Cut() != 3*MaxLine {
		t.Errorf("%d bytes are cut off, want %d", j.Cut(), 3*MaxLine)
	}
}

// TestShortened has somebody cut complete lines off while they are read.
func TestShortened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	write(t, path, header+"\n"+strings.Repeat(strings.Repeat("x", 1000)+"\n", 1000))
	var err error
	for line, e := range openTest(t, path, objects).Lines() {
		if err = e; line.Number == 1 {
			write(t, path, header+"\n")
		}
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), path+": line ") {
		t.Errorf("the error is %v", err)
	}
}

// TestCheck opens files that have a first line already.
func TestCheck(t *testing.T) {
	strange := errors.New("strange")
	asked := ""
	yes := func(first []byte, whole bool) error { asked = fmt.Sprintf("%q %v", first, whole); return nil }
	no := func(first []byte, whole bool) error { yes(first, whole); return strange }
	other := strings.Replace(header, ":1", ":2", 1)
	long := strings.Repeat("x", MaxLine+1)
	for _, c := range []struct {
		text    string
		check   func([]byte, bool) error
		asked   string
		fails   string
		becomes string
	}{
		{text: "", check: no, becomes: header + "\n"},
		{text: header[:9], check: no, becomes: header + "\n"},
		{text: header, check: no, becomes: header + "\n"},
		{text: header + "\n", becomes: header + "\n"},
		{text: header + "\n{}\n", becomes: header + "\n{}\n"},
		{text: header + "\n{}\n", check: no, asked: fmt.Sprintf("%q true", header), fails: "strange"},
		{text: other + "\n{}\n", check: yes, asked: fmt.Sprintf("%q true", other), becomes: other + "\n{}\n"},
		{text: other + "\n{", check: yes, asked: fmt.Sprintf("%q true", other), becomes: other + "\n"},
		{text: other[:28], check: yes, asked: fmt.Sprintf("%q false", other[:28]), becomes: header + "\n"},
		{text: other[:28], check: no, asked: fmt.Sprintf("%q false", other[:28]), fails: "strange"},
		{text: other[:28], fails: "expected " + header},
		{text: other + "\n", fails: `the first line is "{\"format`},
		{text: "\n" + header, fails: `the first line is ""`},
		{text: header + "\r\n", fails: "name another file"},
		{text: "\x00\xff", fails: "name another file"},
		{text: long, fails: "name another file"},
		// Of a long line the end is unknown: it is not taken for the beginning of a header, so nothing is lost.
		{text: long, check: no, asked: fmt.Sprintf("%q true", long[:MaxLine]), fails: "strange"},
	} {
		path := filepath.Join(t.TempDir(), "journal")
		write(t, path, c.text)
		asked = ""
		j, err := Open(path, Options{Header: []byte(header), Check: c.check})
		if c.fails == "" {
			if err != nil {
				t.Errorf("%.60q: %v", c.text, err)
				continue
			}
			j.Close()
		} else {
			c.becomes = c.text
			if err == nil || !strings.Contains(err.Error(), c.fails) || !strings.HasPrefix(err.Error(), path+": ") || c.fails == "strange" && !errors.Is(err, strange) {
				t.Errorf("%.60q: the error is %v, want %q", c.text, err, c.fails)
			}
		}
		if got := content(t, path); got != c.becomes || asked != c.asked {
			t.Errorf("%.60q has become %.60q, want %.60q; the question was %.60s, want %.60s", c.text, got, c.becomes, asked, c.asked)
		}
	}
	if _, err := Open(t.TempDir(), objects); err == nil {
		t.Error("a folder is opened as a journal")
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	if _, err := Open(filepath.Join(file, "journal"), objects); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("below a file: the error is %v", err)
	}
}

// TestFullDisk lets the disk take only a part of a header and of a line: an error that says what to do, the file as it was, and room later is used.
func TestFullDisk(t *testing.T) {
	for mode, o := range modes {
		path := filepath.Join(t.TempDir(), "journal")
		for _, left := range []int{0, 5, len(header)} {
			room := journaltest.FullDisk(t, path, left)
			_, err := Open(path, o)
			room()
			if !errors.Is(err, journaltest.DiskFull) || !strings.Contains(err.Error(), "make room") || content(t, path) != "" {
				t.Errorf("%s, room for %d bytes of the header: the error is %v, the file %q", mode, left, err, content(t, path))
			}
		}
		j := openTest(t, path, o)
		appendTest(t, j, `{"a":1}`)
		before := content(t, path)
		for left := range len(`{"a":2}`) + 1 {
			room := journaltest.FullDisk(t, path, left)
			err := j.Append([]byte(`{"a":2}`))
			room()
			if !errors.Is(err, journaltest.DiskFull) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "not in the file, those before it are: make room and run again") {
				t.Errorf("%s, room for %d bytes: the error is %v", mode, left, err)
			}
			if content(t, path) != before {
				t.Fatalf("%s, room for %d bytes: the file is %q, was %q", mode, left, content(t, path), before)
			}
		}
		appendTest(t, j, `{"a":3}`)
		if got := lines(t, j); !slices.Equal(got, []string{header, `{"a":1}`, `{"a":3}`}) || j.Cut() != 0 {
			t.Errorf("%s: lines %q, and %d bytes are cut off", mode, got, j.Cut())
		}
	}
}

// TestSync brings lines to the disk ten seconds after the last time.
func TestSync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	synctest.Test(t, func(t *testing.T) {
		j := openTest(t, path, objects)
		for range 3 {
			time.Sleep(syncEvery)
			if appendTest(t, j, "{}"); !j.dirty {
				t.Error("synced before its time")
			}
			time.Sleep(time.Nanosecond)
			if appendTest(t, j, "{}"); j.dirty {
				t.Error("not synced")
			}
		}
		appendTest(t, j, "{}")
		if err := j.Sync(); err != nil || j.dirty {
			t.Errorf("dirty %v after Sync, error %v", j.dirty, err)
		}
	})
}

// FuzzJournal opens files that hold anything: what has the header is opened and keeps its complete lines, what has not stays as it is.
func FuzzJournal(f *testing.F) {
	for _, rest := range []string{"", "{}\n{}", "{}\n{\"a\"", "\n\n\r\n\x00\n{", header + "\n" + header, header[:7], "12", strings.Repeat("{}\n\n", 2000)} {
		f.Add(true, []byte(rest))
		f.Add(false, []byte(rest))
	}
	f.Fuzz(func(t *testing.T, headed bool, all []byte) {
		if headed {
			all = append([]byte(header+"\n"), all...)
		}
		path := filepath.Join(t.TempDir(), "journal")
		write(t, path, string(all))
		complete := all[:bytes.LastIndexByte(all, '\n')+1]
		tail := all[len(complete):]
		j, err := Open(path, objects)
		if opens := bytes.HasPrefix(all, []byte(header+"\n")) || bytes.HasPrefix([]byte(header), all); (err == nil) != opens {
			t.Fatalf("opens: %v, the error is %v", opens, err)
		}
		if err != nil {
			if content(t, path) != string(all) {
				t.Fatal("a file that is no journal has changed")
			}
			return
		}
		defer j.Close()
		want := string(complete)
		switch {
		case want == "":
			want = header + "\n"
		case json.Valid(tail):
			want += string(tail) + "\n"
		}
		if content(t, path) != want {
			t.Fatalf("the file has become %q, want %q", content(t, path), want)
		}
		appendTest(t, j, `{"a":1}`)
		want += "{\"a\":1}\n"
		again := openTest(t, path, objects)
		for _, r := range []*Journal{j, again} {
			if got := strings.Join(lines(t, r), "\n") + "\n"; got != want {
				t.Errorf("lines %q, want %q", got, want)
			}
		}
		if again.Cut() != 0 || content(t, path) != want {
			t.Errorf("opened again, %d bytes are cut off", again.Cut())
		}
	})
}
