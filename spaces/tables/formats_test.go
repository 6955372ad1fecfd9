package tables

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// TestOfficialFormats reads files that the official writers have written and compares every value with what the official readers say (testdata/generate.py).
func TestOfficialFormats(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]struct {
		Space   string
		Columns map[string]map[string]any
	}
	if err := json.Unmarshal(text, &files); err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		t.Run(name, func(t *testing.T) {
			file, space, _ := strings.Cut(name, "#")
			if strings.HasSuffix(file, ".tfrecord") {
				t.Skip("has three cells only; TestNASBench101 reads it")
			}
			tab, err := Open(context.Background(), filepath.Join("testdata", file), Options{Space: space})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, tab, want.Space, want.Columns)
		})
	}
}

// compare checks that a table has exactly the given values.
func compare(t *testing.T, tab *Table, space string, columns map[string]map[string]any) {
	t.Helper()
	if tab.Space() != space {
		t.Errorf("the table is of the space %s, want %s", tab.Space(), space)
	}
	if got := len(tab.Columns()); got != len(columns) {
		t.Errorf("%d columns, want %d: %v", got, len(columns), tab.Columns())
	}
	for column, rows := range columns {
		n := 0
		for range tab.All(column) {
			n++
		}
		if n != len(rows) {
			t.Errorf("%s: %d values, want %d", column, n, len(rows))
		}
		for arch, v := range rows {
			want, ok := v.(float64)
			if !ok {
				want = math.Inf(-1) // the only text in the file
			}
			got, ok := tab.Value(spaces.Arch(arch), column)
			if !ok || got != want && math.Abs(got-want) > 1e-12*math.Abs(want) {
				t.Errorf("%s of %s is %v, %v, the official reader says %v", column, arch, got, ok, want)
			}
		}
	}
}
