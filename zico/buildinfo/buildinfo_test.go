package buildinfo

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// clone is a folder with a module of this one's path that holds this package, and a cell that imports it.
type clone struct {
	*testing.T
	dir  string // of the module
	cell string // its folder
}

func newClone(t *testing.T) *clone {
	t.Helper()
	if testing.Short() {
		t.Skip("building programs takes some seconds")
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: revisions cannot be told without it")
	}
	top := t.TempDir()
	c := &clone{t, filepath.Join(top, "clone"), filepath.Join(top, "cell")}
	own, err := os.ReadFile("buildinfo.go")
	if err != nil {
		t.Fatal(err)
	}
	c.write("zico/buildinfo/buildinfo.go", string(own))
	c.write("go.mod", "module "+Path+"\n\ngo 1.26\n")
	c.write("notebooks/a.ipynb", "{}\n")
	program := "package main\n\nimport \"" + Path + "/zico/buildinfo\"\n\nfunc main() { print(buildinfo.Version(), \"; \", buildinfo.Dependency(\"example.org/none\")) }\n"
	c.write("zico/cmd/main.go", program)
	c.write("../cell/main.go", program)
	return c
}

func (c *clone) write(name, text string) {
	c.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		c.Fatal(err)
	}
}

func (c *clone) run(dir, name string, args ...string) string {
	c.Helper()
	p := exec.Command(name, args...)
	p.Dir = dir
	p.Env = append(environ(), "GOFLAGS=", "GOWORK=", "GIT_CEILING_DIRECTORIES="+filepath.Dir(filepath.Dir(c.dir)), "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := p.CombinedOutput()
	if err != nil {
		c.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits all files of a repository and returns the revision as Version has it.
func (c *clone) commit(repository string) string {
	c.Helper()
	c.run(repository, "git", "init", "-q")
	c.run(repository, "git", "add", "-A")
	c.run(repository, "git", "commit", "-q", "-m", "a")
	return c.run(repository, "git", "rev-parse", "--short=12", "HEAD")
}

// replaced makes the cell's go.mod name the clone's folder.
func (c *clone) replaced() {
	c.write("../cell/go.mod", "module cell\n\ngo 1.26\n\nrequire "+Path+" v0.0.0\n\nreplace "+Path+" => ../clone\n")
}

// build builds the program of a folder.
func (c *clone) build(dir string, flags ...string) {
	c.Helper()
	c.run(dir, "go", append(append([]string{"build"}, flags...), "-o", filepath.Join(c.cell, "program"), ".")...)
}

// want runs what was built and compares the version that it says, in which no path may be.
func (c *clone) want(want string) {
	c.Helper()
	if got := c.run(c.cell, filepath.Join(c.cell, "program")); got != want+"; unknown" {
		c.Errorf("the program says %q, want %q", got, want+"; unknown")
	}
}

// TestCell builds cells against a folder, by a replacement and by a workspace: without a repository, clean, with changes and after changes.
func TestCell(t *testing.T) {
	c := newClone(t)
	c.replaced()
	c.build(c.cell)
	c.want("devel")
	revision := c.commit(c.dir)
	c.want("devel " + revision)

	// What a run of the notebooks leaves, tests and texts go into no program.
	c.write("notebooks/a.ipynb", "{\"outputs\": 1}\n")
	c.write("notebooks/figures/a.svg", "<svg/>\n")
	c.write("zico/rank/testdata/a.json", "{}\n")
	c.write("zico/buildinfo/buildinfo_test.go", "package buildinfo\n")
	c.build(c.cell, "-ldflags=-s")
	c.want("devel " + revision)
	// Another repository that a hook of git names is not asked.
	if got := c.run(c.cell, "env", "GIT_DIR=none", filepath.Join(c.cell, "program")); got != "devel "+revision+"; unknown" {
		t.Errorf("with GIT_DIR the program says %q", got)
	}

	// A new file of a package, in a workspace as GoNB makes it.
	c.write("../cell/go.mod", "module cell\n\ngo 1.26\n")
	c.write("../cell/go.work", "go 1.26\n\nuse (\n\t.\n\t../clone\n)\n")
	c.build(c.cell)
	c.want("devel " + revision)
	c.write("zico/buildinfo/more.go", "package buildinfo\n")
	c.build(c.cell)
	c.want("devel " + revision + "+changes")
	revision = c.commit(c.dir)
	c.want("devel " + revision) // what was built is what was committed since
	c.write("zico/buildinfo/more.go", "package buildinfo\n\nconst more = 1\n")
	c.build(c.cell)
	c.want("devel " + revision + "+changes")

	// A program that is older than its source cannot be told.
	c.commit(c.dir)
	late := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(c.dir, "zico", "buildinfo", "more.go"), late, late); err != nil {
		t.Fatal(err)
	}
	c.want("devel")
	c.build(c.cell, "-trimpath")
	c.want("devel")
}

// TestOtherRepository checks that a repository around a module that is not part of it gives no revision, and that one that the module is a folder of does.
func TestOtherRepository(t *testing.T) {
	c := newClone(t)
	c.replaced()
	around := filepath.Dir(c.dir)
	c.write("../.gitignore", "/clone/\n/cell/program\n")
	c.commit(around)
	c.build(c.cell)
	c.want("devel")
	c.write("../.gitignore", "/cell/program\n")
	revision := c.commit(around)
	c.want("devel " + revision)
}

// TestProgram builds a program of the module itself: with the revision that the go command records, which holds whatever becomes of the folder, and without.
func TestProgram(t *testing.T) {
	c := newClone(t)
	revision := c.commit(c.dir)
	program := filepath.Join(c.dir, "zico", "cmd")
	c.build(program, "-buildvcs=false")
	c.want("devel " + revision)
	c.build(program, "-buildvcs=true")
	c.want("devel " + revision)
	c.write("zico/buildinfo/more.go", "package buildinfo\n")
	c.want("devel " + revision)
	c.build(program, "-buildvcs=true")
	c.want("devel " + revision + "+changes")
	c.commit(c.dir)
	c.run(c.dir, "git", "tag", "v1.2.0")
	c.build(program, "-buildvcs=true")
	c.want("v1.2.0")
}

// TestFind checks what is said of modules that are linked as they are, and of those that others take the place of.
func TestFind(t *testing.T) {
	info := &debug.BuildInfo{Main: debug.Module{Path: "cell", Version: "(devel)"}, Deps: []*debug.Module{
		{Path: "example.org/a", Version: "v1.0.0"},
		{Path: "example.org/b", Version: "v1.0.0", Replace: &debug.Module{Path: "example.org/fork", Version: "v1.0.1"}},
		{Path: "example.org/c", Version: "v1.0.0", Replace: &debug.Module{Path: "example.org/c", Version: "v1.0.2"}},
		{Path: "example.org/d", Version: "v1.0.0", Replace: &debug.Module{Path: "/folder/d", Version: "(devel)"}},
		{Path: "example.org/e", Version: "v1.0.0", Replace: &debug.Module{Path: "../e"}},
	}}
	for path, want := range map[string]string{
		"cell": "devel", "example.org/a": "v1.0.0", "example.org/b": "example.org/fork v1.0.1", "example.org/c": "v1.0.2", "example.org/d": "devel", "example.org/e": "devel", "example.org/f": "unknown",
	} {
		if got := find(info, path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}
