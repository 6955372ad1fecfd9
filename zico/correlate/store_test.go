package correlate

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico/journal"
	"github.com/zeroshotnas/zeroshot/zico/journal/journaltest"
)

var testKey = Key{Space: "natstss:C=4,N=1", Size: 32, Classes: 10, Images: strings.Repeat("ab", 32), Batch: 8, Batches: 2, Seed: 1, DType: "float32", Scoring: Version}

// entry is an entry with all there can be in a line.
func entry(i int) Entry {
	return Entry{Key: testKey, Arch: spaces.Arch(fmt.Sprintf("|a~%d|", i)), Values: map[string]Value{"zico": Value(1.1 * float64(i)), "ntk": Value(math.Inf(1)), "low": Value(math.Inf(-1)), "none": Value(math.NaN())}, Kernels: "avx2", Seconds: 0.5}
}

func openTest(t testing.TB, path string) *Store {
	t.Helper()
	s, err := OpenStore(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// filled is a new store with n entries.
func filled(t testing.TB, n int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "a", "scores.jsonl")
	s := openTest(t, path)
	for i := range n {
		if err := s.Append(entry(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, s *Store) (got []Entry) {
	t.Helper()
	if _, err := s.Read(testKey, func(e *Entry) { got = append(got, *e) }); err != nil {
		t.Fatal(err)
	}
	return got
}

func content(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestStore writes and reads, with numbers that JSON does not have.
func TestStore(t *testing.T) {
	path := filled(t, 3)
	s := openTest(t, path)
	other := entry(7)
	other.Seed = 2
	if err := s.Append(other); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(Entry{Key: testKey, Arch: "|a~9|", Failed: []string{"zen"}, Error: "no \"pool\"\n"}); err != nil {
		t.Fatal(err)
	}
	got := read(t, s)
	if len(got) != 3 {
		t.Fatalf("%d entries, want the 3 of the first Store: others are of another key or its own", len(got))
	}
	for i, e := range got {
		want := entry(i)
		if e.Run == "" || e.Run == s.run {
			t.Errorf("the mark of the run is %q", e.Run)
		}
		e.Run = ""
		if !math.IsNaN(float64(e.Values["none"])) {
			t.Errorf("NaN comes back as %v", e.Values["none"])
		}
		delete(e.Values, "none")
		delete(want.Values, "none")
		if !reflect.DeepEqual(e, want) {
			t.Errorf("entry %d is %+v, want %+v", i, e, want)
		}
	}
	if again := read(t, s); len(again) != 0 {
		t.Errorf("%d entries are read twice", len(again))
	}
	// Another program's appends are seen.
	s2 := openTest(t, path)
	if all := read(t, s2); len(all) != 4 || all[3].Error != "no \"pool\"\n" {
		t.Errorf("the second Store reads %d entries, want 4 with the failure last", len(all))
	}
	if err := s2.Append(entry(4)); err != nil {
		t.Fatal(err)
	}
	if more := read(t, s); len(more) != 1 || more[0].Arch != "|a~4|" {
		t.Errorf("the first Store then reads %v", more)
	}
}

// TestTorn cuts a store at every byte of its last two lines: whoever opens it has all lines before the cut, appends, and the file is whole again. The file of one header only is cut at every byte too.
func TestTorn(t *testing.T) {
	whole := content(t, filled(t, 4))
	lines := bytes.SplitAfter(whole, []byte("\n"))
	start := len(whole) - len(lines[3]) - len(lines[4])
	path := filepath.Join(t.TempDir(), "scores.jsonl")
	check := func(cut int) {
		if err := os.WriteFile(path, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		complete := max(0, bytes.Count(whole[:cut], []byte("\n"))-1)
		if cut == len(whole)-1 || cut == len(whole)-len(lines[4])-1 {
			complete++ // only the end of the line is missing
		}
		s := openTest(t, path)
		if got := read(t, s); len(got) != complete {
			t.Fatalf("cut at byte %d of %d: %d entries, want %d", cut, len(whole), len(got), complete)
		}
		if err := s.Append(entry(9)); err != nil {
			t.Fatal(err)
		}
		s2 := openTest(t, path)
		got := read(t, s2)
		if len(got) != complete+1 || got[complete].Arch != "|a~9|" || len(s2.Damaged()) > 0 || s2.Cut() > 0 {
			t.Fatalf("cut at byte %d: after an append %d entries, %d damaged lines", cut, len(got), len(s2.Damaged()))
		}
		if b := content(t, path); !bytes.HasPrefix(b, lines[0]) || cut > len(lines[0]) && !bytes.HasPrefix(b, whole[:bytes.LastIndexByte(whole[:cut], '\n')+1]) {
			t.Fatalf("cut at byte %d: complete lines have changed", cut)
		}
		s.Close()
		s2.Close()
	}
	for cut := start; cut <= len(whole); cut++ {
		check(cut)
	}
	for cut := 0; cut <= len(lines[0]); cut++ {
		check(cut)
	}
}

// TestTornBeside appends behind a line that another process has left unfinished after this one opened the file.
func TestTornBeside(t *testing.T) {
	path := filled(t, 2)
	s := openTest(t, path)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"space":"natstss:C=4,N=1","si`); err != nil {
		t.Fatal(err)
	}
	if got := read(t, s); len(got) != 2 {
		t.Errorf("%d entries before the torn line, want 2", len(got))
	}
	if err := s.Append(entry(5)); err != nil {
		t.Fatal(err)
	}
	if w := s.warnings(); len(w) != 1 || !strings.Contains(w[0], "30 bytes were cut off") {
		t.Errorf("the warnings are %q", w)
	}
	if got := read(t, openTest(t, path)); len(got) != 3 {
		t.Errorf("%d entries, want 3", len(got))
	}
}

// TestDamaged has lines in the middle that are no entries: they are counted and stay, and the others are read.
func TestDamaged(t *testing.T) {
	lines := bytes.SplitAfter(content(t, filled(t, 3)), []byte("\n"))
	long := []byte(`{"images":"` + testKey.Images + `","x":"` + strings.Repeat("x", journal.MaxLine+10) + `"}` + "\n")
	bad := [][]byte{
		[]byte("garbage\n"),
		lines[2][:len(lines[2])/2], // torn, and the next line glued to it
		long,                       // too long
		[]byte(`{"images":"` + testKey.Images + `"}` + "\n"), // no entry
		bytes.Replace(lines[2], []byte(`"zico":1.1`), []byte(`"zico":"x"`), 1),
	}
	for i, b := range bad {
		all := bytes.Join([][]byte{lines[0], lines[1], b, lines[2], []byte("\n"), lines[0], lines[3]}, nil)
		path := filepath.Join(t.TempDir(), "scores.jsonl")
		if err := os.WriteFile(path, all, 0o644); err != nil {
			t.Fatal(err)
		}
		s := openTest(t, path)
		want := 3
		if i == 1 {
			want = 2
		}
		if got := read(t, s); len(got) != want || fmt.Sprint(s.Damaged()) != "[3]" {
			t.Errorf("damage %d: %d entries and damaged lines %v, want %d and [3]", i, len(got), s.Damaged(), want)
		}
		if w := s.warnings(); len(w) != 1 || !strings.Contains(w[0], "(3)") {
			t.Errorf("damage %d: the warnings are %q", i, w)
		}
		if !bytes.Equal(content(t, path), all) {
			t.Errorf("damage %d: the file has changed", i)
		}
	}
}

// TestNoStore opens what is no store: clear errors, and the file stays as it is.
func TestNoStore(t *testing.T) {
	for text, want := range map[string]string{
		"hello\nworld\n": `line 1 is "hello"`,
		"hello":          "does not begin with",
		`{"a":1}` + "\n": "another file",
		"\n":             "another file",
		strings.Replace(header, ":1", ":2", 1) + "\n": "version 2",
		"\x00\x01\n": "another file",
	} {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := OpenStore(path)
		if !errors.Is(err, ErrStore) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: the error is %v, want %q", text, err, want)
		}
		if string(content(t, path)) != text {
			t.Errorf("%q has become %q", text, content(t, path))
		}
	}
	if _, err := OpenStore(t.TempDir()); err == nil {
		t.Error("a folder is opened as a store")
	}
}

// TestFullDisk lets the disk take only a part of a line: an error that says what to do, the file as it was, and room later is used.
func TestFullDisk(t *testing.T) {
	path := filled(t, 2)
	before := content(t, path)
	s := openTest(t, path)
	room := journaltest.FullDisk(t, path, 100)
	err := s.Append(entry(5))
	room()
	if !errors.Is(err, journaltest.DiskFull) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("the error is %v", err)
	}
	if !bytes.Equal(content(t, path), before) {
		t.Error("a part of a line is left")
	}
	if err := s.Append(entry(6)); err != nil {
		t.Error(err)
	}
	if got := read(t, openTest(t, path)); len(got) != 3 {
		t.Errorf("%d entries, want 3", len(got))
	}
}

// TestConcurrent appends from several Stores at once.
func TestConcurrent(t *testing.T) {
	path := filled(t, 0)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			s, err := OpenStore(path)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			for i := range 50 {
				if err := s.Append(entry(100*w + i)); err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					if _, err := s.Read(testKey, func(*Entry) {}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	s := openTest(t, path)
	seen := map[spaces.Arch]bool{}
	for _, e := range read(t, s) {
		seen[e.Arch] = true
	}
	if len(seen) != 400 || len(s.Damaged()) > 0 {
		t.Errorf("%d entries and damaged lines %v, want 400 and none", len(seen), s.Damaged())
	}
}

// FuzzStore puts anything behind a header: a store opens, keeps every complete line, reads what is an entry, and takes more.
func FuzzStore(f *testing.F) {
	whole := content(f, filled(f, 2))
	_, rest, _ := bytes.Cut(whole, []byte("\n"))
	f.Add(rest)
	f.Add(rest[:len(rest)-7])
	f.Add([]byte("\n\n{}\n{\"values\":{\"a\":\"NaN\"}}"))
	f.Add([]byte(header + "\n" + header))
	f.Add([]byte("\xff\x00\r\n"))
	f.Fuzz(func(t *testing.T, rest []byte) {
		path := filepath.Join(t.TempDir(), "s")
		all := append([]byte(header+"\n"), rest...)
		if err := os.WriteFile(path, all, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := OpenStore(path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		before := read(t, s)
		e := entry(3)
		if err := s.Append(e); err != nil {
			t.Fatal(err)
		}
		s2, err := OpenStore(path)
		if err != nil {
			t.Fatal(err)
		}
		defer s2.Close()
		after := read(t, s2)
		if len(after) != len(before)+1 || after[len(before)].Arch != e.Arch {
			t.Errorf("%d entries before an append, %d after", len(before), len(after))
		}
		if keep := all[:bytes.LastIndexByte(all, '\n')+1]; !bytes.HasPrefix(content(t, path), keep) {
			t.Error("complete lines have changed")
		}
	})
}
