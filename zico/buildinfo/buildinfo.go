// Package buildinfo says which versions of this module and of others a program was built from, in a notebook's cell too.
package buildinfo

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// Path is that of this module.
const Path = "github.com/zeroshotnas/zeroshot"

// devel is the version of a module that was built from a folder.
const devel = "devel"

// unknown is the version where the program does not hold it.
const unknown = "unknown"

// Version is the version of this module that the program was built from:
//
//	v1.2.0                      a release, or what else the go command has downloaded
//	devel 746b8efd1c2a          a clone of the repository at this revision
//	devel 746b8efd1c2a+changes  a clone with changes that were not committed
//	devel                       a folder, of which no more is known
//	unknown                     the program was built without modules
//
// The go command records the revision only of the main module, and only where it is told or left to. A notebook's cell is a module of its own, so Version asks git about the folder that this package was compiled from, once in a process. It then counts as changes what goes into a program: go.mod and the files of packages, but not their tests, and no notebooks or figures. Where such a file is newer than the program, git cannot tell what the program was built from, and the version is "devel"; so it is without git, with -trimpath, and in a folder that git does not trust because it is another user's.
func Version() string { return version() }

var version = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	v := find(info, Path)
	if info.Main.Path == Path {
		if r, changed := recorded(info); r != "" && (changed || v == devel || strings.Contains(v, r)) {
			return describe(r, changed)
		}
	}
	if v == devel {
		return fromGit()
	}
	return v
})

// Dependency is the version of another module that the program links: "v0.28.8", "example.org/fork v0.28.9" where another one takes its place, "devel" where that is a folder, and "unknown" where the program does not link it.
func Dependency(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	return find(info, path)
}

func find(info *debug.BuildInfo, path string) string {
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path != path {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		switch {
		case m.Version == "" || m.Version == "(devel)":
			return devel // without the folder's path, which is of one machine
		case m.Path != path:
			return m.Path + " " + m.Version
		}
		return m.Version
	}
	return unknown
}

// recorded is the revision that the go command found when it built the program, if it looked.
func recorded(info *debug.BuildInfo) (revision string, changed bool) {
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = short(s.Value)
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	return revision, changed
}

func short(revision string) string { return revision[:min(12, len(revision))] }

func describe(revision string, changed bool) string {
	v := devel + " " + revision
	if changed {
		v += "+changes"
	}
	return v
}

// sources are the files that go into a program, as git's patterns. Files that are embedded are among them.
var sources = []string{"go.mod", "spaces", "zico", "gonbext", ":(exclude)*_test.go", ":(exclude)*/testdata/*"}

// fromGit is the version that git knows of the folder that this package was compiled from.
func fromGit() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return devel
	}
	root := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	self, err := os.Executable()
	if err != nil {
		return devel
	}
	program, err := os.Stat(self)
	if err != nil {
		return devel
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	files, err := git(ctx, root, append([]string{"ls-files", "-z", "--"}, sources...)...)
	if err != nil || !slices.Contains(files, "go.mod") { // a repository around the module knows nothing of it
		return devel
	}
	for _, f := range files {
		if info, err := os.Lstat(filepath.Join(root, f)); err == nil && info.ModTime().After(program.ModTime()) {
			return devel
		}
	}
	lines, err := git(ctx, root, append([]string{"status", "-z", "--porcelain=v2", "--branch", "--untracked-files=all", "--"}, sources...)...)
	if err != nil {
		return devel
	}
	revision, changed := "", false
	for _, l := range lines {
		if r, ok := strings.CutPrefix(l, "# branch.oid "); ok {
			revision = r
		} else if !strings.HasPrefix(l, "# ") {
			changed = true
		}
	}
	if revision == "" || revision == "(initial)" {
		return devel
	}
	return describe(short(revision), changed)
}

// git runs a command of git that changes nothing, and returns what it prints, which ends in zeros.
func git(ctx context.Context, dir string, args ...string) ([]string, error) {
	c := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "--no-optional-locks", "-c", "core.fsmonitor=false"}, args...)...)
	c.Env = environ()
	c.WaitDelay = 100 * time.Millisecond
	out, err := c.Output()
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), err
}

// environ is the environment without what names another repository, as that of a program does that a hook of git runs.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}, name)
	})
}
