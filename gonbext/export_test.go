package gonbext

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/zico/export"
)

// TestExport checks that what is written is shown, and that nothing is overwritten.
func TestExport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "found")
	var files []string
	var err error
	text := capture(t, func() { files, err = Export("1462", dir, export.Options{}, small) })
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"of natstss:C=4,N=1", "stem.0", "(reaches no output)", "model.py", filepath.Join(dir, "network.svg")} {
		if !strings.Contains(text, want) || len(files) < 7 {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	if _, err := Export("7", dir, export.Options{}, small); !errors.Is(err, export.ErrOccupied) {
		t.Errorf("another architecture in the same folder: %v", err)
	}
	if _, err := Export("7", dir, export.Options{}, Options{Space: "nonsense"}); err == nil {
		t.Error("an unknown space is no error")
	}
}
