package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// TestVerify runs the repository's own golden file and one with a wrong value.
func TestVerify(t *testing.T) {
	file := filepath.Join("..", "..", "golden", "testdata", "small.json")
	out, _, status := result(t, start(t, nil, "verify", file))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != 0 || lines[len(lines)-1] != "15 passed, 0 failed, 0 skipped" {
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
	out, _, status = result(t, start(t, []string{"PJRT_PLUGIN_LIBRARY_PATH=" + t.TempDir()}, "doctor"))
	if status != 1 || !strings.Contains(out, "run: zico setup") {
		t.Errorf("without a plugin it ends with %d and\n%s", status, out)
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
