// Package notebooks runs the notebooks.
package notebooks

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// notebook is what the tests need of nbformat 4.
type notebook struct {
	Cells []struct {
		Type    string   `json:"cell_type"`
		Source  lines    `json:"source"`
		Outputs []output `json:"outputs"`
	} `json:"cells"`
	Metadata struct {
		Kernel struct {
			Name string `json:"name"`
		} `json:"kernelspec"`
	} `json:"metadata"`
}

type output struct {
	Type string           `json:"output_type"`
	Text lines            `json:"text"`
	Data map[string]lines `json:"data"`
}

// lines is a text that nbformat stores whole or as a list of lines.
type lines string

func (l *lines) UnmarshalJSON(b []byte) error {
	var list []string
	if json.Unmarshal(b, &list) == nil {
		*l = lines(strings.Join(list, ""))
		return nil
	}
	return json.Unmarshal(b, (*string)(l))
}

func read(t *testing.T, file string) notebook {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var n notebook
	if err := json.Unmarshal(b, &n); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return n
}

func all(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.ipynb")
	if err != nil || len(files) == 0 {
		t.Fatalf("no notebooks (%v)", err)
	}
	return files
}

// want is what the outputs of a notebook must hold: kinds with their least number, and patterns of the text.
var want = map[string]struct {
	kinds map[string]int
	text  []string
}{
	"01-score.ipynb": {
		kinds: map[string]int{"image/svg+xml": 4, "text/html": 5},
		text: []string{
			`ZiCo +layers +left out +parameters`,
			`cells\.12\.layers\.0\.op\.1 +64 64 3 3`,
			`mean/std = +3\.00 +ln = +1\.099`,
			`0\.0000 +23 +23 +316346 .*none~0\|none~1\|none~2`, // the disconnected cell: every layer left out
			`8 seeds: mean [1-9]\d+\.\d\d, standard deviation`,
			`/classifier/dense/weights +64 10`,
			`the paper's Eq\. 15: +[1-9]\d+\.\d{4}`,
		},
	},
}

// check looks at the outputs of a notebook that was run.
func check(t *testing.T, name string, n notebook) {
	t.Helper()
	kinds := map[string]int{}
	var text strings.Builder
	for i, c := range n.Cells {
		for _, o := range c.Outputs {
			if o.Type == "error" {
				t.Errorf("%s: cell %d ends in an error", name, i)
			}
			text.WriteString(string(o.Text) + "\n")
			for kind, data := range o.Data {
				kinds[kind]++
				switch kind {
				case "image/svg+xml":
					selfContained(t, name, i, string(data))
				case "text/html":
					if strings.Contains(string(data), "<script") || strings.Contains(string(data), "http") {
						t.Errorf("%s: cell %d has HTML that runs or loads something", name, i)
					}
				case "text/plain":
					text.WriteString(string(data) + "\n")
				}
			}
		}
	}
	w, ok := want[name]
	if !ok {
		t.Fatalf("%s: notebooks_test.go does not say what the outputs must hold", name)
	}
	for kind, least := range w.kinds {
		if kinds[kind] < least {
			t.Errorf("%s has %d outputs of kind %s, want %d", name, kinds[kind], kind, least)
		}
	}
	for _, p := range w.text {
		if !regexp.MustCompile(p).MatchString(text.String()) {
			t.Errorf("%s: no output matches %q", name, p)
		}
	}
}

// selfContained checks that a picture is well-formed and refers to nothing.
func selfContained(t *testing.T, name string, cell int, picture string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(picture))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Errorf("%s: cell %d has a picture that is not well-formed: %v", name, cell, err)
			return
		}
		if e, ok := tok.(xml.StartElement); ok {
			for _, a := range e.Attr {
				if a.Name.Local == "id" || a.Name.Local == "href" || e.Name.Local == "script" {
					t.Errorf("%s: cell %d has a picture with %s %s", name, cell, e.Name.Local, a.Name.Local)
				}
			}
		}
	}
}

// TestCommitted checks the notebooks as they are in the repository: run, without errors, without paths of a machine.
func TestCommitted(t *testing.T) {
	for _, file := range all(t) {
		n := read(t, file)
		if n.Metadata.Kernel.Name != "zeroshot" {
			t.Errorf("%s is for the kernel %q, want zeroshot", file, n.Metadata.Kernel.Name)
		}
		check(t, file, n)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/root/", "/home/", "/tmp/", "/Users/"} {
			if strings.Contains(string(b), path) {
				t.Errorf("%s holds the path %s...", file, path)
			}
		}
	}
	for name := range want {
		if !slices.Contains(all(t), name) {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestRun runs every notebook from top to bottom with small batches.
func TestRun(t *testing.T) {
	jupyter, err := filepath.Abs(filepath.Join("..", ".zeroshot", "venv", "bin", "jupyter"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(jupyter); err != nil {
		t.Skip("Jupyter is not installed: run `zico setup`")
	}
	if testing.Short() {
		t.Skip("running notebooks takes a minute")
	}
	for _, file := range all(t) {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, jupyter, "nbconvert", "--to", "notebook", "--execute", file, "--output-dir", dir, "--output", file)
			c.Env = append(os.Environ(), "ZEROSHOT_QUICK=1")
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			check(t, file, read(t, filepath.Join(dir, file)))
		})
	}
}
