package tables

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	_ "github.com/zeroshotnas/zeroshot/spaces/darts"
)

// TestCSVRoundTrip writes tables as CSV and reads them again: with all that is known of the columns, of equal hash, and the same text the second time.
func TestCSVRoundTrip(t *testing.T) {
	var tabs []*Table
	embedded, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	tabs = append(tabs, embedded, open(t, "testdata/zc_nasbench201.json"), open(t, "testdata/NATS-sss-v1_0-50262.pickle.pbz2"), open(t, "testdata/transnas-bench_zip.pth"))
	if macro, err := Open(context.Background(), "testdata/transnas-bench_zip.pth", Options{Space: "transnas:macro=1"}); err != nil {
		t.Fatal(err)
	} else {
		tabs = append(tabs, macro)
	}
	// A space without indices.
	row := 0
	for suiteRows[row].file != "zc_nasbench301.json" {
		row++
	}
	darts, err := readText(suiteText(row), "zc_nasbench301.json", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tab := range append(tabs, darts) {
		var b bytes.Buffer
		if err := tab.WriteCSV(&b); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		again, err := readText(text, "t.csv", Options{})
		if err != nil {
			t.Fatalf("%s: %v\n%.600s", tab.Source(), err, text)
		}
		if again.Hash() != tab.Hash() || fmt.Sprint(again.Columns()) != fmt.Sprint(tab.Columns()) || again.Space() != tab.Space() || again.Len() != tab.Len() {
			t.Errorf("%s: %d architectures of %s with %v come back as %d of %s with %v", tab.Source(), tab.Len(), tab.Space(), tab.Columns(), again.Len(), again.Space(), again.Columns())
		}
		if !strings.Contains(again.Source(), tab.Source()) {
			t.Errorf("the source %q is lost: %q", tab.Source(), again.Source())
		}
	}
}

// TestCSVTruncated cuts a file that WriteCSV has written everywhere behind its first line: no rest is a table, and every error says so.
func TestCSVTruncated(t *testing.T) {
	var b bytes.Buffer
	if err := open(t, "testdata/NATS-tss-v1_0-3ffb9-simple").WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	step := 1
	if testing.Short() {
		step = 29
	}
	for n := strings.Index(text, csvColumn); n < len(text)-1; n += step {
		if _, err := readText(text[:n], "t.csv", Options{}); err == nil {
			t.Errorf("the first %d of %d bytes are a table", n, len(text))
		} else if !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrFormat) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

func TestCSV(t *testing.T) {
	for _, c := range []struct {
		text  string
		o     Options
		space string
		rows  int
	}{
		{"arch,acc\n8:8:8:8:8,1\n", Options{}, "natssss", 1},
		{"arch,acc\r\n64-41414-1_02_333,1\r\n", Options{}, "transnas", 1},
		{"arch,acc\n64-4111-basic,1\n", Options{}, "transnas:macro=1", 1},
		{"\ufeffarch,acc\n\"conv3x3~0,output~1\",1\n", Options{}, "nasbench101", 1},
		{"# a comment\n# space: natstss\nindex, acc , other\n0, 1, 2\n# another\n1,,\n2,3,\n", Options{}, "natstss", 2},
		{"arch,acc\n00005c142e6f48ac74fdcf73e3439874,1\n", Options{Space: "nasbench101"}, "nasbench101", 1},
	} {
		if c.space == "nasbench101" && testing.Short() {
			continue
		}
		tab, err := readText(c.text, "t.csv", c.o)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if tab.Space() != c.space || tab.Len() != c.rows {
			t.Errorf("%q has %d architectures of %s, want %d of %s", c.text, tab.Len(), tab.Space(), c.rows, c.space)
		}
	}
	for _, c := range []struct {
		text string
		o    Options
		want error
		says string
	}{
		{"# only\n", Options{}, ErrTruncated, "line 2: there is no header"},
		{"arch,acc\n", Options{}, ErrTruncated, "no row"},
		{"network,acc\n", Options{}, ErrFormat, "the first column is \"network\""},
		{"arch\n", Options{}, ErrFormat, "at least one"},
		{"arch,a,a\n", Options{}, ErrFormat, "of another"},
		{"arch,a,\n", Options{}, ErrFormat, "no name"},
		{"index,a\n0,1\n", Options{}, ErrFormat, "give Options.Space"},
		{"arch,a\n0,1\n", Options{}, ErrFormat, "give Options.Space"},
		{"arch,a\nx,1\n", Options{}, ErrFormat, "line 2: \"x\" is no architecture"},
		{"# c\n\narch,a\n8:8:8:8:8,1\n8:8:8:8:8,1\n", Options{}, ErrFormat, "line 5: 8:8:8:8:8 occurs before"},
		{"arch,a\n8:8:8:8:8,x\n", Options{}, ErrFormat, "line 2: column a"},
		{"arch,a\n8:8:8:8:8\n", Options{}, ErrFormat, "line 2: "},
		{"arch,a\n8:8:8:8:8,\"1\n", Options{}, ErrFormat, "line "},
		{"arch,a\n8:8:8:8:8,\n", Options{}, ErrFormat, "no architecture has a value"},
		{"arch,a\n8:8:8:8:9,1\n", Options{Space: "natssss"}, ErrFormat, "line 2: natssss: position 8"},
		{"index,a\n-1,1\n", Options{Space: "natssss"}, ErrFormat, "no index"},
		{"index,a\n0,1\n", Options{Space: "darts"}, ErrFormat, "no indices"},
		{"# space: natstss\nindex,a\n0,1\n", Options{Space: "natssss"}, ErrSpace, "natstss"},
		{"# column: {}\nindex,a\n0,1\n", Options{Space: "natssss"}, ErrFormat, "line 1: expected a column"},
		{"#" + strings.Repeat("x", 2<<20), Options{}, ErrFormat, "line 1: has more than"},
		{"arch,a\n" + strings.Repeat("x", 20<<20), Options{}, ErrFormat, "this is no CSV"},
		{"# space: natstss\n# sha256: 00\nindex,a\n0,1\n", Options{}, ErrTruncated, "take the line out"},
	} {
		_, err := readText(c.text, "t.csv", c.o)
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) || !strings.Contains(fmt.Sprint(err), "t.csv") {
			t.Errorf("%.80q: %v, want an error (%v) that says %q", c.text, err, c.want, c.says)
		}
	}
}

// FuzzCSV looks for panics, and for tables that do not survive being written.
func FuzzCSV(f *testing.F) {
	f.Add("# space: natstss\n# column: {\"name\": \"a\", \"unit\": \"%\"}\nindex,a\n0,1\n9,-Inf\n")
	f.Add("arch,\"a,b\"\n8:8:8:8:8,1e-7\n")
	f.Add("arch,x\n64-41414-1_02_333,nan\n64-41414-1_02_330,1\n")
	f.Fuzz(func(t *testing.T, text string) {
		tab, err := readText(text, "t.csv", Options{})
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := tab.WriteCSV(&b); err != nil {
			t.Fatal(err)
		}
		again, err := readText(b.String(), "t.csv", Options{})
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if again.Hash() != tab.Hash() || again.Len() != tab.Len() {
			t.Errorf("%d architectures come back as %d", tab.Len(), again.Len())
		}
	})
}
