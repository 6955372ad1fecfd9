package notebooks

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPages makes the pages of the notebooks and compares them with those in docs: they show what the notebooks hold now, run nothing and load nothing.
func TestPages(t *testing.T) {
	if testing.Short() {
		t.Skip("converting notebooks takes some seconds")
	}
	jupyter := installed(t, "jupyter")
	files := all(t)
	dir := t.TempDir()
	args := []string{"nbconvert", "--to", "html", "--config", "notebooks/page/config.py", "--output-dir", dir}
	for _, f := range files {
		args = append(args, filepath.Join("notebooks", f))
	}
	c := exec.Command(jupyter, args...)
	c.Dir = ".."
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	index, err := os.ReadFile(filepath.Join("..", "docs", "notebooks", "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	foreign := regexp.MustCompile(`<script|<link|<iframe|\bsrc="?https?:|@import|\bon(load|click|error)=`)
	for _, f := range files {
		name := strings.TrimSuffix(f, ".ipynb") + ".html"
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", "docs", "notebooks", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/notebooks/%s is not what %s is now: run make pages (%v)", name, f, err)
		}
		if m := foreign.Find(want); m != nil {
			t.Errorf("docs/notebooks/%s has %s", name, m)
		}
		if !bytes.Contains(index, []byte(`href="`+name+`"`)) {
			t.Errorf("docs/notebooks/index.html has no link to %s", name)
		}
	}
}
