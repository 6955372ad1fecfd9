package backend

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestOpen opens the CPU by each of its names and computes with it.
func TestOpen(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "")
	for _, device := range []string{"", "cpu", "xla:cpu"} {
		be, err := Open(device)
		if err != nil {
			t.Fatalf("Open(%q): %v", device, err)
		}
		if err := be.SelfTest(); err != nil {
			t.Errorf("Open(%q): %v", device, err)
		}
		info := be.Info()
		if be.Platform() != "cpu" || info.Platform != "cpu" || info.Devices < 1 || !strings.Contains(info.API, ".") || !filepath.IsAbs(info.Plugin) {
			t.Errorf("Open(%q) is %+v", device, info)
		}
		if err := be.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestUnknownDevice checks names that are no devices, also in the environment.
func TestUnknownDevice(t *testing.T) {
	for _, device := range []string{"xla:abacus", "gpu", "xla:tpux", "cpu0"} {
		if _, err := Open(device); !errors.Is(err, ErrUnknownDevice) || !strings.Contains(err.Error(), "xla:cpu and xla:cuda") {
			t.Errorf("Open(%q) gives %v, want ErrUnknownDevice with the known devices", device, err)
		}
	}
	t.Setenv("GOMLX_BACKEND", "xla:abacus")
	if _, err := Open(""); !errors.Is(err, ErrUnknownDevice) {
		t.Errorf("GOMLX_BACKEND=xla:abacus gives %v", err)
	}
	t.Setenv("GOMLX_BACKEND", "go") // another kind of backend: not for us
	be, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	be.Close()
}

// TestParseDevice checks that CUDA computes in full float32 unless told otherwise.
func TestParseDevice(t *testing.T) {
	for device, want := range map[string]string{
		"xla:cuda":                     "cuda tf32=false",
		"cuda,tf32":                    "cuda tf32",
		"cuda,memory_fraction=0.5":     "cuda memory_fraction=0.5 tf32=false",
		"xla:cpu,noshared_buffers":     "cpu noshared_buffers",
		"xla:cuda,notf32,preallocate=": "cuda notf32 preallocate=",
	} {
		platform, options, err := parseDevice(device)
		if got := strings.Join(append([]string{platform}, options...), " "); err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", device, got, err, want)
		}
	}
}

// TestBadPlugins opens what may lie in a plugin folder by mistake. Each must be a clear error; none may end the process.
func TestBadPlugins(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("plugin files are checked on Linux only")
	}
	real, err := Find("cpu")
	if err != nil {
		t.Fatal(err)
	}
	elf := func(machine, kind uint16) []byte {
		h := make([]byte, 64)
		copy(h, "\x7fELF\x02\x01\x01")
		binary.LittleEndian.PutUint16(h[16:], kind)
		binary.LittleEndian.PutUint16(h[18:], machine)
		binary.LittleEndian.PutUint32(h[20:], 1)
		binary.LittleEndian.PutUint16(h[52:], 64)
		binary.LittleEndian.PutUint16(h[54:], 56)
		binary.LittleEndian.PutUint16(h[58:], 64)
		return h
	}
	own, foreign := uint16(62), uint16(183)
	if runtime.GOARCH == "arm64" {
		own, foreign = foreign, own
	}
	head, err := os.Open(real.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer head.Close()
	cut, err := io.ReadAll(io.LimitReader(head, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		content    []byte
		sentinel   error
	}{
		{"cut off", "cut off", cut, ErrBadPlugin},
		{"text", "not a shared library", []byte("hello"), ErrBadPlugin},
		{"empty", "not a shared library", nil, ErrBadPlugin},
		{"foreign", "made for", elf(foreign, 3), ErrBadPlugin},
		{"program", "not a shared library", elf(own, 2), ErrBadPlugin},
		{"library without the function", "without the function GetPjrtApi", systemLibrary(t), ErrBadPlugin},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "pjrt_c_api_cpu_plugin.so"), c.content, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", dir)
			_, err := Open("xla:cpu")
			if !errors.Is(err, c.sentinel) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "zico setup") {
				t.Errorf("the error is %v, want %v with %q, the file and the advice", err, c.sentinel, c.want)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		dir := t.TempDir()
		t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", dir)
		if _, err := Open("cpu"); !errors.Is(err, ErrNoPlugin) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "zico setup") {
			t.Errorf("the error is %v, want ErrNoPlugin with the folder and the advice", err)
		}
	})
	t.Run("no GPU", func(t *testing.T) {
		t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", t.TempDir())
		if _, err := Open("xla:cuda"); !errors.Is(err, ErrNoPlugin) || !strings.Contains(err.Error(), "zico setup -cuda") {
			t.Errorf("the error is %v, want ErrNoPlugin with the advice for CUDA", err)
		}
	})
}

// systemLibrary is a real shared library that is no plugin.
func systemLibrary(t *testing.T) []byte {
	for _, pattern := range []string{"/lib/*/libm.so.6", "/lib64/libm.so.6", "/usr/lib/*/libz.so.1"} {
		files, _ := filepath.Glob(pattern)
		for _, f := range files {
			if b, err := os.ReadFile(f); err == nil {
				return b
			}
		}
	}
	t.Skip("no system library to try")
	return nil
}

// TestFind checks that a plugin's name gives its version and that the unversioned name goes first.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", filepath.Join(dir, "absent")+":"+dir)
	for _, name := range []string{"pjrt_c_api_cpu_v0.100.0_plugin.so", "pjrt_c_api_cpu_v0.114.0_plugin.so", "pjrt_c_api_cpu_plugin.so.bak"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Find("cpu")
	if err != nil || p.Version != "v0.114.0" {
		t.Errorf("Find gives %+v, %v, want the later version", p, err)
	}
	if err := os.Symlink("pjrt_c_api_cpu_v0.100.0_plugin.so", filepath.Join(dir, "pjrt_c_api_cpu_plugin.so")); err != nil {
		t.Fatal(err)
	}
	if p, err = Find("cpu"); err != nil || p.Version != "v0.100.0" {
		t.Errorf("Find gives %+v, %v, want the one that the plain name links to", p, err)
	}
}

// TestFolders checks that an empty variable is as none: there is always a folder to install into.
func TestFolders(t *testing.T) {
	for _, env := range []string{"", ":"} {
		t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", env)
		if got := Folders(); len(got) == 0 || !strings.HasSuffix(got[0], "go-xla") {
			t.Errorf("with PJRT_PLUGIN_LIBRARY_PATH=%q the folders are %q, want go-xla's", env, got)
		}
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "/a::/b")
	if got := Folders(); len(got) != 2 || got[0] != "/a" || got[1] != "/b" {
		t.Errorf("the folders are %q, want /a and /b", got)
	}
}

// TestFreeMemory checks the estimate on this machine and on made-up control groups.
func TestFreeMemory(t *testing.T) {
	if free, err := FreeMemory(); err != nil || free < 1<<20 {
		t.Errorf("FreeMemory() = %d, %v", free, err)
	}
	root := t.TempDir()
	put := func(name, content string) {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want int64) {
		t.Helper()
		if got, err := freeMemory(root); err != nil || got != want {
			t.Errorf("%d bytes free, %v, want %d", got, err, want)
		}
	}
	if _, err := freeMemory(root); err == nil {
		t.Error("no /proc/meminfo gives no error")
	}
	put("proc/meminfo", "MemTotal: 4000 kB\nMemAvailable:   3000 kB\n")
	check(3000 << 10)
	put("sys/fs/cgroup/memory.max", "max\n")
	put("sys/fs/cgroup/memory.current", "1000\n")
	check(3000 << 10)
	put("sys/fs/cgroup/memory.max", fmt.Sprint(2000<<10))
	put("sys/fs/cgroup/memory.current", fmt.Sprint(1500<<10))
	check(500 << 10)
	put("sys/fs/cgroup/memory.stat", "anon 5\ninactive_file 102400\n")
	check(600 << 10)
	put("sys/fs/cgroup/memory.max", fmt.Sprint(1000<<10))
	check(0)
}

func TestHeapPolicy(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the heap is tuned on Linux only")
	}
	if bytes.Contains([]byte(os.Getenv("GLIBC_TUNABLES")), []byte("malloc")) {
		t.Skip("the heap is tuned by the environment")
	}
	if got := HeapPolicy(); got != "kept by the program" {
		t.Errorf("the heap is %s", got)
	}
}

func ExampleOpen() {
	be, err := Open("xla:cpu")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer be.Close()
	fmt.Println(be.Platform())
	// Output: cpu
}
