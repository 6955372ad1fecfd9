// Package backend opens XLA devices through PJRT: it finds the plugin, says what is wrong when there is none or a broken one, and sets the memory policy under which XLA is fast. It never downloads anything; `zico setup` does.
package backend

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
	"github.com/gomlx/gomlx/core/graph"
)

var (
	// ErrUnknownDevice marks a device name that is not understood.
	ErrUnknownDevice = errors.New("unknown device")
	// ErrNoPlugin marks a device for which no PJRT plugin is installed.
	ErrNoPlugin = errors.New("no PJRT plugin")
	// ErrBadPlugin marks a PJRT plugin that cannot be used: cut off, made for another machine, not a plugin at all, or failing at its start.
	ErrBadPlugin = errors.New("unusable PJRT plugin")
)

// Backend is an open PJRT client.
type Backend struct {
	compute.Backend
	platform string
	plugin   Plugin
}

// Info describes an open backend.
type Info struct {
	Platform string `json:"platform"` // "cpu" or "cuda"
	Plugin   string `json:"plugin"`   // path of the plugin file
	API      string `json:"api"`      // version of the PJRT API that the plugin speaks, major.minor
	Devices  int    `json:"devices"`
	Flags    string `json:"flags"` // the user's XLA_FLAGS
}

// Open opens a device: "xla:cpu" or "cpu", "xla:cuda" or "cuda", with go-xla's options behind commas ("xla:cuda,memory_fraction=0.5"). "" is the device of the environment variable GOMLX_BACKEND where that names an XLA device, else "xla:cpu".
//
// On CUDA, tf32=false is added unless given: TF32 products differ from the reference in the third digit.
// Errors wrap ErrUnknownDevice, ErrNoPlugin or ErrBadPlugin and say what to do.
func Open(device string) (*Backend, error) {
	platform, options, err := parseDevice(device)
	if err != nil {
		return nil, err
	}
	plugin, err := Find(platform)
	if err != nil {
		return nil, err
	}
	if err := plugin.Check(); err != nil {
		return nil, err
	}
	be, err := open(strings.Join(append([]string{plugin.Path}, options...), ","))
	if err != nil {
		return nil, fmt.Errorf("backend: %w %s: %w; run `zico setup` to replace it, or point PJRT_PLUGIN_LIBRARY_PATH at a folder with another", ErrBadPlugin, plugin.Path, err)
	}
	return &Backend{Backend: be, platform: platform, plugin: plugin}, nil
}

// opening serialises the start of PJRT clients: loading a plugin is not safe to do twice at once.
var opening sync.Mutex

// open calls go-xla, which panics on some plugin files that cannot be loaded.
func open(config string) (be compute.Backend, err error) {
	opening.Lock()
	defer opening.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("go-xla panicked: %v", r)
		}
	}()
	return xla.New(config)
}

// parseDevice splits a device name into its platform and options.
func parseDevice(device string) (platform string, options []string, err error) {
	if device == "" {
		device = "xla:cpu"
		if env := os.Getenv("GOMLX_BACKEND"); env == "xla" || strings.HasPrefix(env, "xla:") {
			device = env
		}
	}
	name, rest, _ := strings.Cut(device, ",")
	if rest != "" {
		options = strings.Split(rest, ",")
	}
	switch strings.TrimPrefix(name, "xla:") {
	case "cpu", "xla":
		return "cpu", options, nil
	case "cuda":
		tf32 := false
		for _, o := range options {
			tf32 = tf32 || strings.Contains(o, "tf32")
		}
		if !tf32 {
			options = append(options, "tf32=false")
		}
		return "cuda", options, nil
	}
	return "", nil, fmt.Errorf("backend: %w %q; devices are xla:cpu and xla:cuda", ErrUnknownDevice, device)
}

// Platform is "cpu" or "cuda".
func (b *Backend) Platform() string { return b.platform }

// Info describes the backend.
func (b *Backend) Info() Info {
	info := Info{Platform: b.platform, Plugin: b.plugin.Path, Devices: int(b.NumDevices()), Flags: os.Getenv("XLA_FLAGS")}
	// The plugin is loaded: this finds it by its path.
	if p, err := pjrt.GetPlugin(b.plugin.Path); err == nil {
		major, minor := p.Version()
		info.API = fmt.Sprintf("%d.%d", major, minor)
	}
	return info
}

// SelfTest compiles and runs a small computation and checks its result.
func (b *Backend) SelfTest() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("backend: %w %s: a small computation failed: %v", ErrBadPlugin, b.plugin.Path, r)
		}
	}()
	exec, err := graph.NewExec(b.Backend, func(x *graph.Node) *graph.Node { return graph.ReduceAllSum(graph.Mul(x, x)) })
	if err != nil {
		return err
	}
	defer exec.Finalize()
	out, err := exec.Call([]float32{1, 2, 3})
	if err != nil {
		return fmt.Errorf("backend: %w %s: a small computation failed: %w", ErrBadPlugin, b.plugin.Path, err)
	}
	if got, ok := out[0].Value().(float32); !ok || got != 14 {
		return fmt.Errorf("backend: %w %s: 1+4+9 gave %v", ErrBadPlugin, b.plugin.Path, out[0].Value())
	}
	return nil
}

// Close ends the client and frees its memory.
func (b *Backend) Close() error {
	b.Finalize()
	return nil
}
