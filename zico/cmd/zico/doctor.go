package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/kernel/simd"
)

// finding is what doctor says of one part.
type finding struct {
	Part   string `json:"part"`
	State  string `json:"state"` // ok, missing, broken
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"` // what to do
	Needed bool   `json:"needed"`           // the main job, scoring in a notebook, cannot run without it
}

func doctor(ctx context.Context, args []string) error {
	f := newFlags("doctor", "")
	device := f.String("device", "", "xla:cpu or xla:cuda (default: $GOMLX_BACKEND, else xla:cpu)")
	dir := f.String("dir", "", "folder that setup installed into (default: .zeroshot in the module)")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	if err := parse(f, args); err != nil {
		return err
	}
	findings := examine(ctx, *device, *dir)
	sick := false
	for _, d := range findings {
		if *asJSON {
			if err := json.NewEncoder(os.Stdout).Encode(d); err != nil {
				return err
			}
		} else {
			fmt.Printf("%-8s %-10s %s\n", d.State, d.Part, d.Detail)
			if d.Advice != "" {
				fmt.Printf("%-8s %-10s -> %s\n", "", "", d.Advice)
			}
		}
		sick = sick || d.Needed && d.State != "ok"
	}
	if sick {
		return errFailed
	}
	return nil
}

// examine looks at every part.
func examine(ctx context.Context, device, dir string) []finding {
	const again = "run: zico setup"
	var out []finding
	add := func(part string, needed bool, detail string, err error, advice string) {
		d := finding{Part: part, State: "ok", Detail: detail, Needed: needed}
		if err != nil {
			d.State, d.Detail, d.Advice = "missing", err.Error(), advice
		}
		out = append(out, d)
	}
	version := func(path string, args ...string) (string, error) {
		b, err := exec.CommandContext(ctx, path, args...).Output()
		line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
		return line, err
	}

	v, err := version("go", "version")
	add("go", true, v, err, "install Go 1.26 or later; notebooks compile each cell")

	info, err := tryDevice(device)
	if err != nil {
		d := finding{Part: "plugin", State: "broken", Detail: err.Error(), Advice: again, Needed: true}
		if strings.Contains(device, "cuda") {
			d.Advice += " -cuda"
		}
		switch {
		case errors.Is(err, backend.ErrNoPlugin):
			d.State = "missing"
		case errors.Is(err, backend.ErrUnknownDevice):
			d.Part, d.Advice = "device", "correct -device or GOMLX_BACKEND"
		}
		out = append(out, d)
	} else {
		add("plugin", true, fmt.Sprintf("%s, PJRT API %s", info.Plugin, info.API), nil, "")
		add("device", true, fmt.Sprintf("%s, %d devices, a kernel ran", info.Platform, info.Devices), nil, "")
	}
	if info.Platform == "cpu" {
		var sets []string
		for _, isa := range simd.ISAs {
			if simd.Find(isa, 4) != nil {
				sets = append(sets, isa)
			}
		}
		add("kernels", false, strings.Join(sets, ", ")+"; the first is used unless -kernels says otherwise", nil, "")
	}
	if flags := os.Getenv("XLA_FLAGS"); flags != "" {
		add("flags", false, "XLA_FLAGS="+flags, nil, "")
	}
	add("heap", false, backend.HeapPolicy(), nil, "")
	if free, err := backend.FreeMemory(); err == nil {
		add("memory", false, fmt.Sprintf("%.1f GiB free, %d processors", float64(free)/(1<<30), runtime.GOMAXPROCS(0)), nil, "")
	}
	src, err := images.Open("embedded")
	if err == nil {
		add("data", true, src.Name(), nil, "")
	} else {
		add("data", true, "", err, "the program is damaged: build it again")
	}

	in, err := locate(dir)
	if err != nil {
		add("notebooks", false, "", err, "notebooks need a clone of the repository; scoring does not")
		return out
	}
	for _, tool := range []struct{ name, version string }{{"gonb", gonbVersion}, {"goimports", goimportsVersion}, {"gopls", goplsVersion}} {
		var err error
		if !stamped(filepath.Join(in.bin(), tool.name), tool.version) {
			err = fmt.Errorf("not in %s at %s", in.relative(in.bin()), tool.version)
		}
		add(tool.name, false, tool.version, err, again)
	}
	v, err = version(in.venv("jupyter"), "lab", "--version")
	add("jupyter", false, "JupyterLab "+v, err, again)
	want, _ := in.spec()
	got, err := os.ReadFile(filepath.Join(in.kernel(), "kernel.json"))
	if err == nil && string(got) != string(want) {
		err = fmt.Errorf("%s was made for another place or plugin", in.relative(in.kernel()))
	}
	add("kernel", false, "Go (zeroshot)", err, again)
	browser, err := findBrowser()
	add("browser", false, browser, err, "only tests of live notebooks need one; on Debian: apt-get install chromium")
	return out
}

// tryDevice opens a device and runs a kernel on it.
func tryDevice(device string) (backend.Info, error) {
	be, err := backend.Open(device)
	if err != nil {
		return backend.Info{}, err
	}
	defer be.Close()
	return be.Info(), be.SelfTest()
}

func findBrowser() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("neither chromium nor google-chrome is on the PATH")
}
