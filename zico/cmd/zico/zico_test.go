package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for the command.
func TestMain(m *testing.M) {
	if os.Getenv("BE_ZICO") == "1" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// start makes the command, to run in a process of its own.
func start(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, args...)
	c.Env = append(append(os.Environ(), "BE_ZICO=1"), env...)
	return c
}

// result runs the command and returns what it printed and its exit status.
func result(t *testing.T, c *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "usage: zico COMMAND"},
		{[]string{"help"}, 0, "doctor"},
		{[]string{"help", "doctor"}, 0, "-json"},
		{[]string{"dance"}, 2, `unknown command "dance"`},
		{[]string{"score"}, 2, "no architecture given"},
		{[]string{"score", "-h"}, 0, "-batch"},
		{[]string{"score", "-nonsense", "1"}, 2, "-nonsense"},
		{[]string{"score", "-device", "xla:abacus", "1"}, 1, "unknown device"},
		{[]string{"score", "-data", "nowhere", "1"}, 1, "nor a file or folder"},
		{[]string{"score", "-batch", "100000", "1"}, 1, "images, 200000 were asked for"},
		{[]string{"verify"}, 2, "no golden file"},
		{[]string{"verify", "nowhere.json"}, 1, "nowhere.json"},
		{[]string{"bench", "-set", "nothing"}, 2, "nb201"},
	} {
		out, errs, status := result(t, start(t, nil, c.args...))
		if status != c.status || !strings.Contains(out+errs, c.want) {
			t.Errorf("zico %q ends with %d, want %d, and prints\n%s%s\nwanted %q", c.args, status, c.status, out, errs, c.want)
		}
	}
}

// TestScore scores as a user does, in text and as JSON, with one bad architecture among good ones.
func TestScore(t *testing.T) {
	args := []string{"score", "-space", "natstss:C=4,N=1", "-batch", "8", "-layers"}
	out, errs, status := result(t, start(t, nil, append(args, "1462", "|none~0|+|bad~0|")...))
	if status != 1 || !strings.Contains(errs, "position 10") {
		t.Errorf("a bad architecture ends with %d and %q", status, errs)
	}
	for _, want := range []string{"|none~0|+|nor_conv_1x1~0|skip_connect~1|", "cells.0.layers.3.op.1", "skipped", "compile"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	out, errs, status = result(t, start(t, nil, append(args, "-json", "1462", "0", "77")...))
	if status != 0 {
		t.Fatalf("ends with %d: %s", status, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines for 3 networks:\n%s", len(lines), out)
	}
	for _, l := range lines {
		var r struct {
			Score  *float64 `json:"score"`
			Layers []any    `json:"layers"`
		}
		if err := json.Unmarshal([]byte(l), &r); err != nil || r.Score == nil || len(r.Layers) == 0 {
			t.Errorf("the line %s: %v", l, err)
		}
	}
}

// TestMemoryEstimate compares the estimate that decides whether a network may run with what a process really takes: it must not be too small, nor so large that it refuses what fits.
func TestMemoryEstimate(t *testing.T) {
	peak := func(batch string) (estimate, resident int64) {
		c := start(t, nil, "score", "-data", "noise", "-batch", batch, "-json", "11718")
		out, errs, status := result(t, c)
		var r struct {
			Memory int64 `json:"memory"`
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil || status != 0 {
			t.Fatalf("%v: %s%s", err, out, errs)
		}
		return r.Memory, c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10 // Linux counts in KiB
	}
	if runtime.GOOS != "linux" {
		t.Skip("the size of a process is read on Linux only")
	}
	e0, r0 := peak("16")
	e1, r1 := peak("192")
	// The difference leaves the program itself out.
	estimate, real := float64(e1-e0), float64(r1-r0)
	if real > 1.15*estimate || real < 0.3*estimate {
		t.Errorf("176 more images a batch are estimated to take %.0f MB and take %.0f MB", estimate/1e6, real/1e6)
	}
}

// TestVerify runs the repository's own golden file and one with a wrong value.
func TestVerify(t *testing.T) {
	file := filepath.Join("..", "..", "golden", "testdata", "small.json")
	out, _, status := result(t, start(t, nil, "verify", file))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != 0 || lines[len(lines)-1] != "26 passed, 0 failed, 0 skipped" {
		t.Errorf("ends with %d and\n%s", status, out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.json")
	if err := os.WriteFile(wrong, bytes.Replace(b, []byte(`"f64": 39.5136`), []byte(`"f64": 39.5236`), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	out, _, status = result(t, start(t, nil, "verify", wrong))
	if status != 1 || !strings.Contains(out, "FAILED") || !strings.Contains(out, "1 failed") {
		t.Errorf("a wrong value ends with %d and\n%s", status, out)
	}
}

// TestDoctor checks what doctor says of a healthy machine and of one without a plugin.
func TestDoctor(t *testing.T) {
	out, errs, status := result(t, start(t, nil, "doctor"))
	if status != 0 || !strings.Contains(out, "a kernel ran") || !strings.Contains(out, "PJRT API") {
		t.Errorf("ends with %d and\n%s%s", status, out, errs)
	}
	none := t.TempDir()
	out, _, status = result(t, start(t, []string{"PJRT_PLUGIN_LIBRARY_PATH=" + none}, "doctor", "-dir", none))
	if status != 1 || !strings.Contains(out, "missing  plugin") || !strings.Contains(out, "run: zico setup") {
		t.Errorf("without a plugin it ends with %d and\n%s", status, out)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, pluginLink), []byte("\x7fELF"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, _, status = result(t, start(t, []string{"PJRT_PLUGIN_LIBRARY_PATH=" + broken}, "doctor", "-dir", none))
	if status != 1 || !strings.Contains(out, "broken   plugin") || !strings.Contains(out, broken) {
		t.Errorf("with a broken plugin it ends with %d and\n%s", status, out)
	}
	out, _, status = result(t, start(t, []string{"PATH=" + none}, "doctor", "-dir", none))
	if status != 1 || !strings.Contains(out, "missing  go") {
		t.Errorf("without Go it ends with %d and\n%s", status, out)
	}
	out, _, _ = result(t, start(t, nil, "doctor", "-json"))
	for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
		var d finding
		if err := json.Unmarshal([]byte(l), &d); err != nil || d.Part == "" || d.State == "" {
			t.Errorf("the line %q: %v", l, err)
		}
	}
}

// TestInterrupt sends SIGINT in the middle of a long sweep: the command ends soon with status 130 and has printed whole lines.
func TestInterrupt(t *testing.T) {
	args := []string{"score", "-space", "natstss:C=8,N=1", "-batch", "64", "-json"}
	for i := range 400 {
		args = append(args, []string{"1462", "11718", "7777", "3906"}[i%4])
	}
	c := start(t, nil, args...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 1)
	if _, err := out.Read(first); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var rest bytes.Buffer
	if _, err := rest.ReadFrom(out); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if took := time.Since(sent); c.ProcessState.ExitCode() != 130 || took > 10*time.Second {
		t.Errorf("it ended with %d after %v, want 130 soon", c.ProcessState.ExitCode(), took)
	}
	for _, l := range strings.Split(strings.TrimSpace(string(first)+rest.String()), "\n") {
		if !json.Valid([]byte(l)) {
			t.Errorf("a torn line: %q", l)
		}
	}
}

// TestExtractPlugin takes a plugin out of wheels made here: a good one, one of another checksum, one without it; and repairs a file that is cut off.
func TestExtractPlugin(t *testing.T) {
	wheel := func(name string) (file, sum string) {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("the plugin")); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		file = filepath.Join(t.TempDir(), "x.whl")
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		h := sha256.Sum256(b.Bytes())
		return file, hex.EncodeToString(h[:])
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	good, sum := wheel(wheelFile)
	if err := extractPlugin(good, wheelSum, dir); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("a wrong checksum gives %v", err)
	}
	other, otherSum := wheel("something/else.so")
	if err := extractPlugin(other, otherSum, dir); err == nil {
		t.Error("a wheel without the plugin gives no error")
	}
	for range 2 { // the second time over a file that is cut off
		if err := extractPlugin(good, sum, dir); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, pluginLink))
		if err != nil || string(got) != "the plugin" {
			t.Errorf("the plugin is %q, %v", got, err)
		}
		if err := os.WriteFile(filepath.Join(dir, pluginName), []byte("the pl"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 {
		t.Errorf("files are left over: %q", left)
	}
}

// TestSetup runs setup where the plugin is in place, and where it is cut off and cannot be replaced: no Python on the path, so nothing is downloaded.
func TestSetup(t *testing.T) {
	dir := t.TempDir()
	out, errs, status := result(t, start(t, nil, "setup", "-jupyter=false", "-dir", dir))
	if status != 0 || !strings.Contains(out, "already there: ") || !strings.Contains(out, "PJRT API") {
		t.Errorf("with a plugin it ends with %d and\n%s%s", status, out, errs)
	}
	plugins := t.TempDir()
	if err := os.WriteFile(filepath.Join(plugins, pluginLink), []byte("\x7fELF"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, errs, status = result(t, start(t, []string{"PJRT_PLUGIN_LIBRARY_PATH=" + plugins, "PATH=" + t.TempDir()}, "setup", "-jupyter=false", "-dir", dir))
	if status != 1 || !strings.Contains(out, "FAILED") || !strings.Contains(errs, "python3-venv") {
		t.Errorf("without Python it ends with %d and\n%s%s", status, out, errs)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*-*")); len(left) > 0 {
		t.Errorf("files are left over: %q", left)
	}
	t.Chdir(t.TempDir())
	if _, errs, status = result(t, start(t, nil, "setup")); status != 1 || !strings.Contains(errs, "not inside a clone") {
		t.Errorf("outside the repository it ends with %d and\n%s", status, errs)
	}
}

// TestRemoveBroken removes what go-xla's installer would take for an installed plugin, and nothing else.
func TestRemoveBroken(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("plugin files are checked on Linux only")
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	own := filepath.Join(home, ".local", "lib", "go-xla")
	fill := func(dir string) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, pluginName), []byte("\x7fELF"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(pluginName, filepath.Join(dir, pluginLink)); err != nil {
			t.Fatal(err)
		}
	}
	files := func(dir string) int {
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	elsewhere := t.TempDir()
	fill(elsewhere)
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", elsewhere)
	if err := removeBroken("cpu"); err != nil || files(elsewhere) != 2 {
		t.Errorf("of the user's own 2 files %d are left, %v", files(elsewhere), err)
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	fill(own)
	if err := removeBroken("cpu"); err != nil || files(own) != 0 {
		t.Errorf("of 2 broken files %d are left, %v", files(own), err)
	}
}

// TestStamps checks that a program that was cut off, or is of another version, counts as missing.
func TestStamps(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gonb")
	if stamped(file, "v1") || stamp(file, "v1") == nil {
		t.Error("a missing file is stamped")
	}
	if err := os.WriteFile(file, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if stamped(file, "v1") {
		t.Error("a file without a stamp is taken for whole")
	}
	if err := stamp(file, "v1"); err != nil || !stamped(file, "v1") || stamped(file, "v2") {
		t.Errorf("after stamping v1 (%v): v1 %v, v2 %v", err, stamped(file, "v1"), stamped(file, "v2"))
	}
	if err := os.Truncate(file, 3); err != nil {
		t.Fatal(err)
	}
	if stamped(file, "v1") {
		t.Error("a file that was cut off is taken for whole")
	}
}

// TestSpec checks the kernel's description: this module in the workspace, the programs on the path, and a plugin folder that does not depend on where the kernel starts.
func TestSpec(t *testing.T) {
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "plugins")
	in, err := locate("")
	if err != nil {
		t.Fatal(err)
	}
	b, err := in.spec()
	if err != nil {
		t.Fatal(err)
	}
	var s kernelSpec
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Env["PJRT_PLUGIN_LIBRARY_PATH"], filepath.Join(wd, "plugins"); got != want {
		t.Errorf("the plugin folder is %q, want %q", got, want)
	}
	if got := s.Argv[len(s.Argv)-1]; got != "-go_work="+in.root {
		t.Errorf("the workspace is given by %q, want the module %s", got, in.root)
	}
	if !strings.HasPrefix(s.Env["PATH"], in.bin()+":") || !strings.HasSuffix(s.Env["PATH"], "${PATH}") {
		t.Errorf("the path is %q, want setup's programs, then Go's, then the user's", s.Env["PATH"])
	}
	if flags := strings.Fields(s.Env["GOFLAGS"]); !slices.ContainsFunc(flags, func(f string) bool { return strings.HasPrefix(f, "-ldflags=") }) {
		t.Errorf("cells are built with %q, want flags of the linker", flags)
	}
}

// TestCellFlags checks that cells are linked without symbol tables, unless the user has other flags.
func TestCellFlags(t *testing.T) {
	for flags, want := range map[string]string{
		"":                            "-ldflags=-s -buildvcs=false",
		"-mod=mod  -buildvcs=auto":    "-mod=mod -buildvcs=auto -ldflags=-s",
		"--ldflags=-w -tags=x":        "--ldflags=-w -tags=x -buildvcs=false",
		"-ldflags=-X=a=b -buildvcs=1": "-ldflags=-X=a=b -buildvcs=1",
	} {
		if got := cellFlags(flags); got != want {
			t.Errorf("GOFLAGS=%q becomes %q, want %q", flags, got, want)
		}
	}
}

// TestCellProxy checks that cells look for modules in the cache first and then where the user does, and that a password is not copied.
func TestCellProxy(t *testing.T) {
	for _, c := range []struct {
		proxy, cache, want string
		ok                 bool
	}{
		{"https://proxy.example,direct", "/home/me/mod", "file:///home/me/mod/cache/download,https://proxy.example,direct", true},
		{"off", "/a folder/mod", "file:///a%20folder/mod/cache/download,off", true},
		{"https://me:secret@proxy.example", "/home/me/mod", "", false},
		{"off", "", "", false},
	} {
		if got, ok := cellProxy(c.proxy, c.cache); got != c.want || ok != c.ok {
			t.Errorf("GOPROXY=%q with the cache %q becomes %q, %t, want %q, %t", c.proxy, c.cache, got, ok, c.want, c.ok)
		}
	}
}

// TestCell builds a cell as GoNB does, in a module of its own in a workspace with this one, with the kernel's settings: `go get` must fetch nothing a second time, the program must come without symbol tables, and what it saves must name the revision of this clone.
func TestCell(t *testing.T) {
	if testing.Short() {
		t.Skip("linking a cell takes some seconds")
	}
	in, err := locate("")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := in.spec()
	if err != nil {
		t.Fatal(err)
	}
	var s kernelSpec
	if err := json.Unmarshal(spec, &s); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.go": "package main\n\nimport \"github.com/zeroshotnas/zeroshot/gonbext\"\n\nfunc main() {\n\tprintln(gonbext.Options{}.String())\n\t_ = gonbext.ShowTable(\"a\", []string{\"b\"}, nil)\n\t_, _ = gonbext.Save(\"cell\")\n}\n",
		"go.mod":  "module gonb_cell\n\ngo 1.26\n\nreplace github.com/zeroshotnas/zeroshot => " + in.root + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	env := append(os.Environ(), "GOWORK=", "GOFLAGS="+s.Env["GOFLAGS"])
	if proxy := s.Env["GOPROXY"]; proxy != "" {
		env = append(env, "GOPROXY="+proxy)
	}
	var gets []string
	for _, args := range [][]string{{"work", "init"}, {"work", "use", ".", in.root}, {"get", "-x"}, {"get", "-x"}, {"build", "-o", "cell"}} {
		c := exec.Command("go", args...)
		c.Dir, c.Env = dir, env
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		if args[0] == "get" {
			gets = append(gets, string(out))
		}
	}
	if fetched := regexp.MustCompile(`# get http.*: 200 OK`).FindString(gets[1]); fetched != "" && s.Env["GOPROXY"] != "" {
		t.Errorf("each cell asks the network for what the cache of modules has: %s", fetched)
	}
	// Pictures, tables and lists are read when they are first needed, not when a cell starts.
	c := exec.Command(filepath.Join(dir, "cell"))
	c.Env = append(os.Environ(), "GODEBUG=inittrace=1", "ZEROSHOT_FIGURES="+dir)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "cell.json"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var saved struct{ Versions map[string]string }
	if err := json.Unmarshal(text, &saved); err != nil {
		t.Fatal(err)
	}
	wanted := "devel"
	if _, err := os.Stat(filepath.Join(in.root, ".git")); err == nil {
		revision, err := exec.Command("git", "-C", in.root, "rev-parse", "--short=12", "HEAD").Output()
		if err == nil { // else git is not there, or does not trust the folder
			wanted += " " + strings.TrimSpace(string(revision))
		}
	}
	if v := strings.TrimSuffix(saved.Versions["zeroshot"], "+changes"); v != wanted || !strings.HasPrefix(saved.Versions["gomlx"], "v") || strings.Contains(string(text), in.root) {
		t.Errorf("a cell of %s saves\n%s", wanted, text)
	}
	inits := regexp.MustCompile(`(?m)^init (\S+) .* clock, (\d+) bytes`).FindAllStringSubmatch(string(out), -1)
	if len(inits) == 0 {
		t.Errorf("no package initialisation is traced:\n%s", out)
	}
	for _, m := range inits {
		if bytes, err := strconv.Atoi(m[2]); err != nil || bytes > 256<<10 {
			t.Errorf("every cell that starts allocates %s bytes to initialise %s", m[2], m[1])
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	f, err := elf.Open(filepath.Join(dir, "cell"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, name := range []string{".symtab", ".debug_info", ".zdebug_info"} {
		if f.Section(name) != nil {
			t.Errorf("the program of a cell has the section %s: it links slowly", name)
		}
	}
}

// TestSteps checks the order of steps, that a failure stops only what depends on it, and that what is there is left alone.
func TestSteps(t *testing.T) {
	var log []string
	ran := make(chan string, 10)
	mk := func(name string, there bool, err error, needs ...string) step {
		return step{
			name: name, needs: needs,
			there: func(context.Context) (string, bool) { return "", there },
			do: func(context.Context) (string, error) {
				ran <- name
				return "", err
			},
		}
	}
	err := runSteps(context.Background(), []step{
		mk("c", false, nil, "b"), mk("b", false, nil, "a"), mk("a", false, nil),
		mk("there", true, nil), mk("bad", false, errors.New("no luck")), mk("after", false, nil, "bad"),
	})
	close(ran)
	for n := range ran {
		log = append(log, n)
	}
	if err == nil || !strings.Contains(err.Error(), "bad: no luck") {
		t.Errorf("the error is %v", err)
	}
	at := func(n string) int { return slices.Index(log, n) }
	if at("a") < 0 || at("a") > at("b") || at("b") > at("c") || at("there") >= 0 || at("after") >= 0 {
		t.Errorf("the steps ran as %q", log)
	}
}
