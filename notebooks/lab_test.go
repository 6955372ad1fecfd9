package notebooks

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lab is a JupyterLab server of the test's own.
type lab struct {
	root    string // the folder that it shows
	address string
	token   string
	python  string
	env     []string
}

// startLabScript runs a server until its standard input ends, which it does also when the test is killed. A server that is told to end shuts its kernels down.
const startLabScript = `
import os, signal, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os.kill(os.getpid(), signal.SIGTERM)), daemon=True).start()
from jupyterlab.labapp import main
main()
`

// labSettings ask nobody for news and draw all cells, seen or not.
var labSettings = map[string]string{
	"apputils-extension/notification": `{"fetchNews": "false", "checkForUpdates": false}`,
	"notebook-extension/tracker":      `{"windowingMode": "none"}`,
}

// startLab starts a server in a folder of its own, with settings of its own, that ends with the test.
func startLab(t *testing.T) *lab {
	t.Helper()
	python := installed(t, "python")
	home := t.TempDir()
	l := &lab{root: filepath.Join(home, "notebooks"), token: rand.Text(), python: python}
	settings := filepath.Join(home, "settings")
	for name, text := range labSettings {
		writeFile(t, filepath.Join(settings, "@jupyterlab", name+".jupyterlab-settings"), text)
	}
	tmp, runtime := filepath.Join(home, "tmp"), filepath.Join(home, "runtime")
	for _, dir := range []string{l.root, tmp, runtime} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	c := exec.Command(python, "-c", startLabScript, "--no-browser", "--expose-app-in-browser", "--ip=127.0.0.1", fmt.Sprintf("--port=%d", port), "--IdentityProvider.token="+l.token, "--ServerApp.root_dir="+l.root,
		"--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.extension_manager=readonly")
	if os.Geteuid() == 0 {
		c.Args = append(c.Args, "--allow-root")
	}
	c.Dir = l.root
	l.env = append(os.Environ(), "PWD="+l.root, "JUPYTERLAB_SETTINGS_DIR="+settings, "JUPYTERLAB_WORKSPACES_DIR="+filepath.Join(home, "workspaces"), "JUPYTER_CONFIG_DIR="+filepath.Join(home, "config"),
		"JUPYTER_DATA_DIR="+filepath.Join(home, "data"), "JUPYTER_RUNTIME_DIR="+runtime, "TMPDIR="+tmp, "ZEROSHOT_QUICK=1")
	c.Env = l.env
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c.Stdout, c.Stderr = &log, &log
	// Kernels keep the log open.
	c.WaitDelay = 10 * time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		stdin.Close()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			_ = c.Process.Kill()
			t.Error("JupyterLab did not end when it was told to, and was killed")
			<-ended
		}
		for _, left := range leftovers(runtime) {
			t.Errorf("a process was left behind, and is killed: %s", left.line)
			_ = left.Kill()
		}
		if t.Failed() {
			t.Logf("JupyterLab says:\n%s", log.String())
		}
	})
	l.address = fmt.Sprintf("http://127.0.0.1:%d", port)
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("JupyterLab did not start: %v", err)
		default:
		}
		if l.answers() {
			return l
		}
		if time.Now().After(end) {
			t.Fatalf("JupyterLab did not answer in %s", patience)
		}
	}
}

// answers tells whether the server is there.
func (l *lab) answers() bool {
	r, err := http.Get(l.address + "/api/status?token=" + l.token)
	if err != nil {
		return false
	}
	defer r.Body.Close()
	return r.StatusCode == http.StatusOK
}

type leftover struct {
	*os.Process
	line string
}

// leftovers are the processes that descend from a server: they have its folder in their environment. Where there is no /proc, none are found.
func leftovers(runtime string) (list []leftover) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(env), "JUPYTER_RUNTIME_DIR="+runtime) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/", &pid); err != nil {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if p, err := os.FindProcess(pid); err == nil {
			list = append(list, leftover{p, strings.ReplaceAll(string(line), "\x00", " ")})
		}
	}
	return list
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// add puts a notebook with the given cells of code into the server's folder.
func (l *lab) add(t *testing.T, name string, cells ...string) {
	t.Helper()
	type object = map[string]any
	var list []object
	for i, c := range cells {
		list = append(list, object{"cell_type": "code", "id": fmt.Sprintf("cell-%d", i), "metadata": object{}, "source": c, "outputs": []any{}, "execution_count": nil})
	}
	b, err := json.Marshal(object{"nbformat": 4, "nbformat_minor": 5, "cells": list, "metadata": object{"kernelspec": object{"name": "zeroshot", "display_name": "Go (zeroshot)", "language": "go"}}})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(l.root, name), string(b))
}

// notebookPage is a notebook that is open in a tab.
type notebookPage struct{ *page }

const (
	panel   = `window.jupyterapp.shell.currentWidget`
	content = panel + `.content`
)

// open opens a notebook.
func (l *lab) open(t *testing.T, b *chromium, name string) notebookPage {
	t.Helper()
	p := notebookPage{b.open(t, l.address+"/lab/tree/"+name+"?token="+l.token+"&reset")}
	p.ready(t, name)
	return p
}

// ready waits until a notebook is drawn.
func (p notebookPage) ready(t *testing.T, name string) {
	t.Helper()
	p.wait(t, "the notebook "+name, fmt.Sprintf(`window.jupyterapp.restored.then(() => %s?.context?.path === %q && %s.context.ready.then(() => %s.revealed).then(() => true))`, panel, name, panel, panel))
}

// idle waits until the kernel has nothing to do.
func (p notebookPage) idle(t *testing.T) {
	t.Helper()
	p.wait(t, "an idle kernel", panel+`.sessionContext.session?.kernel?.status === "idle"`)
}

// source changes what is in a cell.
func (p notebookPage) source(t *testing.T, cell int, text string) {
	t.Helper()
	p.do(t, fmt.Sprintf(`%s.widgets[%d].model.sharedModel.setSource(%q)`, content, cell, text))
}

// run starts a cell as Shift-Enter does.
func (p notebookPage) run(t *testing.T, cell int) {
	t.Helper()
	p.do(t, fmt.Sprintf(`{ %[1]s.activeCellIndex = %[2]d; %[1]s.mode = "command"; window.zeroshotRun = [false]; window.jupyterapp.commands.execute("notebook:run-cell").finally(() => { window.zeroshotRun[0] = true }); null }`, content, cell))
}

// ran waits for the end of the cell that run has started, and returns the text of its outputs as they are kept.
func (p notebookPage) ran(t *testing.T, cell int) string {
	t.Helper()
	p.wait(t, "the end of the cell", `window.zeroshotRun[0]`)
	p.idle(t)
	return p.output(t, cell)
}

// output is the text of a cell's outputs.
func (p notebookPage) output(t *testing.T, cell int) string {
	t.Helper()
	return p.text(t, fmt.Sprintf(`%s.widgets[%d].model.outputs.toJSON().map(o => o.text ?? o.data?.["text/plain"] ?? o.data?.["text/html"] ?? o.evalue ?? "").flat().join("\n")`, content, cell))
}
