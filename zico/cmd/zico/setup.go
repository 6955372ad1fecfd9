package main

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomlx/go-xla/installer"

	"github.com/zeroshotnas/zeroshot/zico/backend"
)

// Exact versions of what setup installs.
const (
	gonbVersion      = "v0.11.5"
	goimportsVersion = "v0.36.0"
	goplsVersion     = "v0.20.0"

	// The CPU plugin for Linux on amd64, from PyPI: a build of XLA's own.
	wheelName    = "lammps-jax-pjrt-cpu"
	wheelVersion = "0.11.2"
	wheelSum     = "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1"
	wheelFile    = "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so"
	pluginName   = "pjrt_c_api_cpu_v0.114.0_plugin.so"
	pluginLink   = "pjrt_c_api_cpu_plugin.so"
)

// needPython is the advice where Python cannot make a virtual environment.
const needPython = "Python 3.10 or later with its venv module is needed (on Debian: apt-get install python3-venv)"

//go:embed requirements.txt
var requirements []byte

// step is one part of the set-up. there says whether it is in place already; do makes it so. Steps run at the same time where needs allows.
type step struct {
	name  string
	needs []string
	there func(ctx context.Context) (string, bool)
	do    func(ctx context.Context) (string, error)
}

// installation says where things are.
type installation struct {
	root string // of this module
	dir  string // of what setup installs
	cuda bool
}

func setup(ctx context.Context, args []string) error {
	f := newFlags("setup", "")
	dir := f.String("dir", "", "folder to install into (default: .zeroshot in the module)")
	cuda := f.Bool("cuda", false, "install the plugin for NVIDIA cards too, with go-xla's installer")
	jupyter := f.Bool("jupyter", true, "install the Go kernel and Jupyter")
	gopls := f.Bool("gopls", true, "install gopls, which gives notebooks completion (the slowest part)")
	installPlugin := f.String("install-plugin", "", "only run go-xla's installer for this plugin (setup calls itself so, with a time limit)")
	if err := parse(f, args); err != nil {
		return err
	}
	if *installPlugin != "" {
		return installer.AutoInstallPlugin(*installPlugin, "", true, installer.Quiet)
	}
	in, err := locate(*dir)
	if err != nil {
		return err
	}
	in.cuda = *cuda
	if err := os.MkdirAll(in.bin(), 0o755); err != nil {
		return err
	}
	in.tidy()
	steps := []step{in.pluginStep("cpu")}
	if *cuda {
		steps = append(steps, in.pluginStep("cuda"))
	}
	if *jupyter {
		steps = append(steps,
			in.goTool("goimports", "golang.org/x/tools/cmd/goimports", goimportsVersion),
			in.gonbStep(), in.venvStep(), in.kernelStep(), in.warmStep())
		if *gopls {
			s := in.goTool("gopls", "golang.org/x/tools/gopls", goplsVersion)
			s.needs = []string{"gonb", "build"} // the compiler is busy until then
			steps = append(steps, s)
		}
	}
	if err := runSteps(ctx, steps); err != nil {
		return err
	}
	fmt.Println("All in place. `zico doctor` looks at each part; `zico score 1462` scores a network.")
	if *jupyter {
		asRoot := ""
		if os.Geteuid() == 0 {
			asRoot = " --allow-root" // Jupyter refuses otherwise
		}
		fmt.Printf("Open the notebooks with: %s lab%s %s\n", in.relative(in.venv("jupyter")), asRoot, in.relative(filepath.Join(in.root, "notebooks")))
	}
	return nil
}

// locate finds the module that the command is run in.
func locate(dir string) (*installation, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for at := wd; ; at = filepath.Dir(at) {
		mod, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module github.com/zeroshotnas/zeroshot\n") {
			if dir == "" {
				dir = filepath.Join(at, ".zeroshot")
			}
			dir, err = filepath.Abs(dir)
			return &installation{root: at, dir: dir}, err
		}
		if at == filepath.Dir(at) {
			return nil, fmt.Errorf("%s is not inside a clone of the repository (no go.mod of github.com/zeroshotnas/zeroshot): change to it first", wd)
		}
	}
}

func (in *installation) bin() string             { return filepath.Join(in.dir, "bin") }
func (in *installation) venv(prog string) string { return filepath.Join(in.dir, "venv", "bin", prog) }
func (in *installation) kernel() string {
	return filepath.Join(in.dir, "venv", "share", "jupyter", "kernels", "zeroshot")
}

func (in *installation) relative(p string) string {
	wd, err := os.Getwd()
	if err != nil {
		return p
	}
	if r, err := filepath.Rel(wd, p); err == nil {
		return r
	}
	return p
}

// runSteps runs steps at the same time, each after those that it needs, and prints a line when one ends. After a failure the steps that depend on it are left out; the others go on, so that a second try has less to do.
func runSteps(ctx context.Context, steps []step) error {
	start := time.Now()
	done := map[string]chan struct{}{}
	failed := map[string]bool{}
	for _, s := range steps {
		done[s.name] = make(chan struct{})
	}
	var mu sync.Mutex // of failed and the screen
	say := func(name, what string) {
		fmt.Printf("[%6.1f s] %-10s %s\n", time.Since(start).Seconds(), name, what)
	}
	var errs []error
	var all sync.WaitGroup
	for _, s := range steps {
		all.Go(func() {
			defer close(done[s.name])
			for _, n := range s.needs {
				if c, ok := done[n]; ok {
					<-c
				}
			}
			mu.Lock()
			for _, n := range s.needs {
				if failed[n] {
					failed[s.name] = true
					say(s.name, "left out: it needs "+n)
				}
			}
			skip := failed[s.name]
			mu.Unlock()
			if skip {
				return
			}
			if what, ok := s.there(ctx); ok {
				mu.Lock()
				defer mu.Unlock()
				say(s.name, "already there: "+what)
				return
			}
			mu.Lock()
			say(s.name, "installing ...")
			mu.Unlock()
			what, err := s.do(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[s.name] = true
				errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
				say(s.name, "FAILED")
				return
			}
			say(s.name, "done: "+what)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// execute runs a program and puts its output into the error when it fails.
func execute(ctx context.Context, dir string, env []string, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	c.WaitDelay = 5 * time.Second
	out, err := c.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text := strings.TrimSpace(string(out))
	if lines := strings.Split(text, "\n"); len(lines) > 15 {
		text = strings.Join(lines[len(lines)-15:], "\n")
	}
	return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, text)
}

func (in *installation) pluginStep(platform string) step {
	name := "plugin"
	if platform == "cuda" {
		name = "cuda"
	}
	describe := func(i backend.Info) string {
		return fmt.Sprintf("%s, PJRT API %s, %d devices", i.Plugin, i.API, i.Devices)
	}
	return step{
		name: name,
		there: func(context.Context) (string, bool) {
			i, err := tryDevice("xla:" + platform)
			return describe(i), err == nil
		},
		do: func(ctx context.Context) (string, error) {
			if err := removeBroken(platform); err != nil {
				return "", err
			}
			err := in.fromInstaller(ctx, platform)
			if err == nil {
				var i backend.Info
				if i, err = tryDevice("xla:" + platform); err == nil {
					return describe(i), nil
				}
			}
			if platform != "cpu" {
				return "", err
			}
			if werr := in.fromWheel(ctx); werr != nil {
				return "", fmt.Errorf("go-xla's installer: %w; the wheel from PyPI: %w", err, werr)
			}
			i, err := tryDevice("xla:" + platform)
			return describe(i), err
		},
	}
}

// removeBroken removes a plugin file that is cut off or foreign from go-xla's own folder, whose installer takes any file of the right name for an installed plugin. Files elsewhere are the user's.
func removeBroken(platform string) error {
	p, err := backend.Find(platform)
	if err != nil || p.Check() == nil {
		return nil
	}
	own, err := backend.InstallFolder()
	if err != nil || !strings.HasPrefix(p.Path, own+string(filepath.Separator)) {
		return err
	}
	if target, err := filepath.EvalSymlinks(p.Path); err == nil && filepath.Dir(target) == filepath.Dir(p.Path) {
		if err := os.Remove(target); err != nil {
			return err
		}
	}
	if err := os.Remove(p.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// fromInstaller lets go-xla fetch its plugin. It runs in a process of its own: it knows no time limit, and where its host cannot be reached it may take long to give up.
func (in *installation) fromInstaller(ctx context.Context, platform string) error {
	own, err := backend.InstallFolder()
	if err != nil {
		return err
	}
	if backend.Folders()[0] != own {
		return fmt.Errorf("it installs into %s, but PJRT_PLUGIN_LIBRARY_PATH names other folders: unset it to use this installer", own)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	limit := 2 * time.Minute
	if platform == "cuda" {
		limit = 20 * time.Minute // gigabytes of libraries
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return execute(ctx, in.root, nil, self, "setup", "-install-plugin", platform)
}

// fromWheel takes the CPU plugin out of its wheel on PyPI.
func (in *installation) fromWheel(ctx context.Context) error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("the pinned wheel is for linux/amd64, this is %s/%s: install a plugin with go-xla (see README)", runtime.GOOS, runtime.GOARCH)
	}
	tmp, err := os.MkdirTemp(in.dir, "wheel-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	python := "python3"
	if execute(ctx, tmp, nil, python, "-m", "pip", "--version") != nil {
		// Debian's Python comes without pip, but its venv module brings one along.
		if err := execute(ctx, tmp, nil, python, "-m", "venv", "pip"); err != nil {
			return fmt.Errorf("%w\n%s", err, needPython)
		}
		python = filepath.Join(tmp, "pip", "bin", "python")
	}
	if err := execute(ctx, tmp, nil, python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", wheelName+"=="+wheelVersion); err != nil {
		return err
	}
	wheels, err := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("pip left %d wheels, not one (%v)", len(wheels), err)
	}
	return extractPlugin(wheels[0], wheelSum, backend.Folders()[0])
}

// extractPlugin checks a wheel's SHA-256 and puts its plugin into dir under go-xla's names. The file appears whole or not at all.
func extractPlugin(wheel, sum, dir string) error {
	f, err := os.Open(wheel)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fmt.Errorf("%s has the SHA-256 %s, expected %s: it is not the file that this version was tested with", filepath.Base(wheel), got, sum)
	}
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return err
	}
	defer z.Close()
	so, err := z.Open(wheelFile)
	if err != nil {
		return err
	}
	defer so.Close()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := writeWhole(filepath.Join(dir, pluginName), so, 0o755); err != nil {
		return err
	}
	link := filepath.Join(dir, pluginLink)
	tmp := link + ".new"
	_ = os.Remove(tmp)
	if err := os.Symlink(pluginName, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, link)
}

// writeWhole writes a file beside its place and moves it there.
func writeWhole(path string, r io.Reader, mode os.FileMode) error {
	removeOld(path + ".part-*")
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := io.Copy(tmp, r); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Chmod(mode); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// removeOld removes what a run of setup that was killed has left, but not what another one is at work on.
func removeOld(pattern string) {
	files, _ := filepath.Glob(pattern)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && time.Since(info.ModTime()) > time.Hour {
			os.RemoveAll(f)
		}
	}
}

// tidy removes the temporary folders of runs that were killed.
func (in *installation) tidy() {
	removeOld(filepath.Join(in.dir, "wheel-*"))
	removeOld(filepath.Join(in.dir, "gonb-*"))
}

// stamped tells whether a file is as it was when its stamp was put beside it: of the wanted version, and whole.
func stamped(path, version string) bool {
	want, err := mark(path, version)
	if err != nil {
		return false
	}
	got, err := os.ReadFile(path + ".version")
	return err == nil && string(got) == want
}

func stamp(path, version string) error {
	m, err := mark(path, version)
	if err != nil {
		return err
	}
	return os.WriteFile(path+".version", []byte(m), 0o644)
}

// mark is what a stamp holds.
func mark(path, version string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %d bytes\n", version, info.Size()), nil
}

// goTool installs a program of a Go module at an exact version.
func (in *installation) goTool(name, pkg, version string) step {
	path := filepath.Join(in.bin(), name)
	return step{
		name: name,
		there: func(context.Context) (string, bool) {
			return version, stamped(path, version)
		},
		do: func(ctx context.Context) (string, error) {
			if err := execute(ctx, in.dir, []string{"GOBIN=" + in.bin(), "GOFLAGS="}, "go", "install", pkg+"@"+version); err != nil {
				return "", err
			}
			return version, stamp(path, version)
		},
	}
}

// gonbStep builds GoNB from a module of its own: `go install` asks for the list of its versions, which some module proxies refuse.
func (in *installation) gonbStep() step {
	path := filepath.Join(in.bin(), "gonb")
	return step{
		name:  "gonb",
		there: func(context.Context) (string, bool) { return gonbVersion, stamped(path, gonbVersion) },
		do: func(ctx context.Context) (string, error) {
			tmp, err := os.MkdirTemp(in.dir, "gonb-")
			if err != nil {
				return "", err
			}
			defer os.RemoveAll(tmp)
			if err := os.WriteFile(filepath.Join(tmp, "go.mod"), []byte("module tools\n\ngo 1.26\n"), 0o644); err != nil {
				return "", err
			}
			env := []string{"GOFLAGS=-mod=mod", "GOWORK=off"}
			if err := execute(ctx, tmp, env, "go", "get", "github.com/janpfeifer/gonb@"+gonbVersion); err != nil {
				return "", err
			}
			if err := execute(ctx, tmp, env, "go", "build", "-o", path, "github.com/janpfeifer/gonb"); err != nil {
				return "", err
			}
			return gonbVersion, stamp(path, gonbVersion)
		},
	}
}

// venvStep makes the virtual environment with Jupyter in it.
func (in *installation) venvStep() step {
	dir := filepath.Join(in.dir, "venv")
	stampFile := filepath.Join(dir, "requirements.txt")
	return step{
		name: "jupyter",
		there: func(ctx context.Context) (string, bool) {
			got, err := os.ReadFile(stampFile)
			if err != nil || string(got) != string(requirements) {
				return "", false
			}
			// The programs of a virtual environment hold its path: one that was moved is of no use.
			script, err := os.ReadFile(in.venv("jupyter"))
			if err != nil || !strings.Contains(string(script), in.venv("python")) {
				return "", false
			}
			err = execute(ctx, in.dir, nil, in.venv("python"), "-c", "import jupyterlab, nbconvert, nbclient")
			return in.relative(dir), err == nil
		},
		do: func(ctx context.Context) (string, error) {
			if err := execute(ctx, in.dir, nil, "python3", "-c", "import sys; sys.exit(sys.version_info < (3, 10) and 'this is Python ' + sys.version)"); err != nil {
				return "", fmt.Errorf("%w\n%s", err, needPython)
			}
			// What an interrupted run left is not worth mending.
			if err := os.RemoveAll(dir); err != nil {
				return "", err
			}
			if err := execute(ctx, in.dir, nil, "python3", "-m", "venv", dir); err != nil {
				return "", fmt.Errorf("%w\n%s", err, needPython)
			}
			list := filepath.Join(in.dir, "requirements.new")
			if err := os.WriteFile(list, requirements, 0o644); err != nil {
				return "", err
			}
			defer os.Remove(list)
			if err := execute(ctx, in.dir, nil, in.venv("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", list); err != nil {
				return "", err
			}
			return in.relative(dir), os.WriteFile(stampFile, requirements, 0o644)
		},
	}
}

// kernelSpec is a Jupyter kernel.json.
type kernelSpec struct {
	Argv          []string          `json:"argv"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Env           map[string]string `json:"env"`
}

// spec is the kernel "Go (zeroshot)": GoNB with this module in its workspace, so that a notebook starts with an import, the programs it needs on its path, the plugin that setup found, and settings of the go command that make cells quick.
func (in *installation) spec() ([]byte, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return nil, fmt.Errorf("notebooks compile each cell: %w", err)
	}
	s := kernelSpec{
		Argv:          []string{filepath.Join(in.bin(), "gonb"), "--kernel", "{connection_file}", "-go_work=" + in.root},
		DisplayName:   "Go (zeroshot)",
		Language:      "go",
		InterruptMode: "message",
		Env: map[string]string{
			"PATH":                  strings.Join([]string{in.bin(), filepath.Dir(path), "${PATH}"}, string(filepath.ListSeparator)),
			"GOMLX_NO_AUTO_INSTALL": "1",
		},
	}
	out, err := exec.Command(path, "env", "-json", "GOFLAGS", "GOPROXY", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	var goEnv struct{ GOFLAGS, GOPROXY, GOMODCACHE string }
	if err := json.Unmarshal(out, &goEnv); err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	s.Env["GOFLAGS"] = cellFlags(goEnv.GOFLAGS)
	if proxy, ok := cellProxy(goEnv.GOPROXY, goEnv.GOMODCACHE); ok {
		s.Env["GOPROXY"] = proxy
	}
	if os.Getenv("PJRT_PLUGIN_LIBRARY_PATH") != "" {
		dirs := backend.Folders()
		for i := range dirs {
			// Jupyter starts the kernel in the notebook's folder.
			if dirs[i], err = filepath.Abs(dirs[i]); err != nil {
				return nil, err
			}
		}
		s.Env["PJRT_PLUGIN_LIBRARY_PATH"] = strings.Join(dirs, string(filepath.ListSeparator))
	}
	return json.MarshalIndent(s, "", "  ")
}

// cellFlags are the user's GOFLAGS and those that make cells quick, where the user has not set them otherwise. Without symbol tables a cell links in half the time (docs/performance.md); stack traces keep their lines.
func cellFlags(flags string) string {
	list := strings.Fields(flags)
	for _, quick := range []string{"-ldflags=-s", "-buildvcs=false"} {
		name, _, _ := strings.Cut(quick, "=")
		if !slices.ContainsFunc(list, func(f string) bool { return strings.TrimLeft(strings.SplitN(f, "=", 2)[0], "-") == name[1:] }) {
			list = append(list, quick)
		}
	}
	return strings.Join(list, " ")
}

// cellProxy is the user's GOPROXY with the cache of modules before it. GoNB runs `go get` before each cell, which asks a proxy about every module that the cell links, to warn of retracted versions: from the cache the answer takes no network, and modules that are not there still come from the user's proxy. Of a list with a password in it there is no copy: cells then ask as the user's go command does.
func cellProxy(proxy, cache string) (string, bool) {
	if strings.Contains(proxy, "@") || cache == "" {
		return "", false
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(cache, "cache", "download"))}
	return u.String() + "," + proxy, true
}

func (in *installation) kernelStep() step {
	file := filepath.Join(in.kernel(), "kernel.json")
	return step{
		name:  "kernel",
		needs: []string{"gonb", "goimports", "jupyter"},
		there: func(context.Context) (string, bool) {
			want, err := in.spec()
			if err != nil {
				return "", false
			}
			got, err := os.ReadFile(file)
			return "Go (zeroshot)", err == nil && string(got) == string(want)
		},
		do: func(ctx context.Context) (string, error) {
			spec, err := in.spec()
			if err != nil {
				return "", err
			}
			if err := os.MkdirAll(in.kernel(), 0o755); err != nil {
				return "", err
			}
			if err := writeWhole(file, strings.NewReader(string(spec)), 0o644); err != nil {
				return "", err
			}
			return "Go (zeroshot)", nil
		},
	}
}

// warmStep compiles what notebooks link, so that the first cell need not.
func (in *installation) warmStep() step {
	return step{
		name:  "build",
		there: func(context.Context) (string, bool) { return "", false }, // the go command knows best what is up to date
		do: func(ctx context.Context) (string, error) {
			return "compiled for the notebooks", execute(ctx, in.root, nil, "go", "build", "-buildvcs=false", "./...")
		},
	}
}
