package gonbext

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestIndex checks that the page of a folder has a section for each Save, in the order of their names, with what was noted and links to files that are there, and that other people's files do not disturb it.
func TestIndex(t *testing.T) {
	dir := fresh(t)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"mine.json": `{"Name":"x"}`, "torn.json": `{"na`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"second", "first"} {
		capture(t, func() {
			ShowChart(saveChart, "text of the bars\n")
			note("certificate: natstss, 3 of 15_625 *architectures*")
		})
		saving(t, name)
	}
	text, err := os.ReadFile(filepath.Join(dir, "index.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(sections) != 2 || sections[0][1] != "first" || sections[1][1] != "second" {
		t.Errorf("the sections are %q, want first and second:\n%s", sections, text)
	}
	if !strings.Contains(string(text), `> certificate: natstss, 3 of 15\_625 \*architectures\*`) {
		t.Errorf("no certificate:\n%s", text)
	}
	files := regexp.MustCompile(`\]\(([^)]*)\)`).FindAllStringSubmatch(string(text), -1)
	if len(files) < 10 {
		t.Errorf("%d links, want a picture, its four files and the json of two sections:\n%s", len(files), text)
	}
	for _, f := range files {
		if _, err := os.Stat(filepath.Join(dir, f[1])); err != nil {
			t.Errorf("the index names a file that is not there: %v", err)
		}
	}
}
