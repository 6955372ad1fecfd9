// Package zeroshot_test checks what holds for the repository as a whole.
package zeroshot_test

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/zeroshotnas/zeroshot"

// order is the layering: a package may import packages of earlier layers only, or of its own.
var order = []string{"spaces", "zico", "gonbext", "notebooks"}

// apart are packages that may not be imported, directly or not, from below a path.
var apart = map[string][]string{
	"gonbext":        {"zico/tape", "zico/kernel"},
	"spaces":         {"zico"},
	"zico/buildinfo": {"spaces", "zico"},
	"zico/kernel":    {"spaces", "zico/tape", "zico/images"},
	"zico/tape":      {"zico/images"},
}

// TestImports enforces the direction of imports.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}{{range .TestImports}} {{.}}{{end}}{{range .XTestImports}} {{.}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	layer := func(pkg string) int {
		for i, l := range order {
			if pkg == l || strings.HasPrefix(pkg, l+"/") {
				return i
			}
		}
		return len(order)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		from := strings.TrimPrefix(strings.TrimPrefix(words[0], module), "/")
		for _, w := range words[1:] {
			to, ours := strings.CutPrefix(w, module+"/")
			if !ours {
				continue
			}
			seen++
			if layer(to) > layer(from) {
				t.Errorf("%s imports %s: imports point the other way", from, to)
			}
			for path, closed := range apart {
				if from != path && !strings.HasPrefix(from, path+"/") {
					continue
				}
				for _, c := range closed {
					if to == c || strings.HasPrefix(to, c+"/") {
						t.Errorf("%s imports %s, which it must not", from, to)
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no imports inside the module were found")
	}
}

// TestSpacesArePure checks that describing networks needs no device: the spaces link neither GoMLX nor cgo.
func TestSpacesArePure(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./spaces/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.Lines(string(out)) {
		pkg = strings.TrimSpace(pkg)
		if strings.Contains(pkg, "gomlx") || pkg == "runtime/cgo" {
			t.Errorf("the spaces link %s", pkg)
		}
	}
}
