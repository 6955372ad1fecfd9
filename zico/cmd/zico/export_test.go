package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExport exports as a user does.
func TestExport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "found")
	text, errs, status := result(t, start(t, nil, "export", "-space", "masternet", "-score", "12.5", "-size", "64", "-dir", dir, "zico_450M"))
	if status != 0 || !strings.Contains(text, "masternet:reslink=1,se=1") || !strings.Contains(text, filepath.Join(dir, "model", "main.go")) {
		t.Errorf("export ends with %d: %s%s", status, text, errs)
	}
	source, err := os.ReadFile(filepath.Join(dir, "model.py"))
	if err != nil || !strings.Contains(string(source), "12.5 (ZiCo)") || !strings.Contains(string(source), "torch.sigmoid") || !strings.Contains(string(source), "randn(2, 3, 64, 64)") {
		t.Errorf("model.py: %v\n%.600s", err, source)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"-dir", dir, "1462"}, 1, "empty folder"},
		{[]string{"-dir", dir}, 2, "0 architectures"},
		{[]string{"-dir", "", "1462"}, 2, "-dir"},
		{[]string{"-size", "-1", "1462"}, 2, "negative"},
		{[]string{"-score", "good", "1462"}, 2, "no number"},
		{[]string{"-space", "what", "1462"}, 2, "unknown search space"},
		{[]string{"-dir", filepath.Join(dir, "new"), "|bad~0|"}, 1, "position 1"},
	} {
		if _, errs, status := result(t, start(t, nil, append([]string{"export"}, c.args...)...)); status != c.status || !strings.Contains(errs, c.want) {
			t.Errorf("export %v ends with %d and %q; want %d and %q", c.args, status, errs, c.status, c.want)
		}
	}
}
