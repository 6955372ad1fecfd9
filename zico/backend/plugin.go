package backend

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/gomlx/go-xla/pjrt"
)

// Plugin is a PJRT plugin file.
type Plugin struct {
	Platform string // "cpu" or "cuda"
	Path     string // absolute path of the file
	Version  string // from the file's name, e.g. "v0.114.0"; "" where it has none
}

// Find looks for the plugin of a platform in the folders of the environment variable PJRT_PLUGIN_LIBRARY_PATH or, where it is not set, in go-xla's: ~/.local/lib/go-xla and /usr/local/lib/go-xla. It loads nothing.
// The error wraps ErrNoPlugin and lists the folders.
func Find(platform string) (Plugin, error) {
	dirs := Folders()
	for _, dir := range dirs {
		files, _ := filepath.Glob(filepath.Join(dir, "pjrt*"+platform+"*"))
		// The unversioned name is the one its installer means to be used.
		slices.SortFunc(files, func(a, b string) int {
			if len(a) != len(b) {
				return len(a) - len(b)
			}
			return strings.Compare(b, a)
		})
		for _, f := range files {
			ext := filepath.Ext(f)
			if ext != ".so" && ext != ".dylib" && ext != ".dll" {
				continue
			}
			abs, err := filepath.Abs(f)
			if err != nil {
				continue
			}
			return Plugin{Platform: platform, Path: abs, Version: version(abs)}, nil
		}
	}
	hint := ""
	if platform == "cuda" {
		hint = " -cuda"
	}
	return Plugin{}, fmt.Errorf("backend: %w for %s in %s: run `zico setup%s` to install one, or set %s to the folder that holds pjrt_c_api_%s_plugin.so", ErrNoPlugin, platform, strings.Join(dirs, ", "), hint, pjrt.PJRTPluginPathsEnv, platform)
}

// Folders lists where Find looks, in order. There is always at least one.
func Folders() []string {
	// An empty variable names no folder, as an absent one.
	dirs := slices.DeleteFunc(filepath.SplitList(os.Getenv(pjrt.PJRTPluginPathsEnv)), func(d string) bool { return d == "" })
	if len(dirs) > 0 {
		return dirs
	}
	if dir, err := InstallFolder(); err == nil {
		dirs = append(dirs, dir, filepath.Join(dir, "nvidia"))
	}
	return append(dirs, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia")
}

// InstallFolder is the folder of the user's own plugins, ~/.local/lib/go-xla on Linux.
func InstallFolder() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("backend: no home folder to keep plugins in: %w", err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "go-xla"), nil
	}
	return filepath.Join(home, ".local", "lib", "go-xla"), nil
}

// version takes the version out of a name like pjrt_c_api_cpu_v0.114.0_plugin.so, following a link of an unversioned name.
func version(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	for part := range strings.SplitSeq(filepath.Base(path), "_") {
		if len(part) > 1 && part[0] == 'v' && part[1] >= '0' && part[1] <= '9' {
			return part
		}
	}
	return ""
}

// machines are the ELF machines of the architectures that go-xla has plugins for.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// entry is the function by which a program talks to a PJRT plugin.
const entry = "GetPjrtApi"

// Check reads what the file says about itself and loads nothing: loading a file that is cut off, or is for another machine, or is another library, would end the process or run foreign code.
// The error wraps ErrBadPlugin. On systems other than Linux nothing is checked.
func (p Plugin) Check() error {
	if runtime.GOOS != "linux" {
		return nil
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("backend: %w %s: %s: run `zico setup` to replace it", ErrBadPlugin, p.Path, fmt.Sprintf(format, args...))
	}
	f, err := os.Open(p.Path)
	if err != nil {
		return bad("%v", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return bad("%v", err)
	}
	e, err := elf.NewFile(f)
	if err != nil {
		return bad("it is cut off or not a shared library (%v)", err)
	}
	if want, ok := machines[runtime.GOARCH]; ok && e.Machine != want {
		return bad("it is made for %s, this program runs on %s", e.Machine, runtime.GOARCH)
	}
	if e.Type != elf.ET_DYN {
		return bad("it is an ELF file of type %s, not a shared library", e.Type)
	}
	for _, s := range e.Progs {
		if s.Type == elf.PT_LOAD && int64(s.Off+s.Filesz) > info.Size() {
			return bad("it is cut off: %d bytes of at least %d", info.Size(), s.Off+s.Filesz)
		}
	}
	symbols, err := e.DynamicSymbols()
	if err != nil {
		return bad("its symbols cannot be read (%v)", err)
	}
	if !slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == entry && s.Section != elf.SHN_UNDEF }) {
		return bad("it is a shared library without the function %s, so not a PJRT plugin", entry)
	}
	return nil
}
