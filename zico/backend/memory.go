package backend

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// FreeMemory is the memory in bytes that a program may still take on this machine: what the kernel calls available, or what is left of the limit of the process's control group where that is less.
// It fails where neither can be read, as on systems other than Linux.
func FreeMemory() (int64, error) {
	if runtime.GOOS != "linux" {
		return 0, errors.New("the free memory of this system is not known")
	}
	return freeMemory("/")
}

func freeMemory(root string) (int64, error) {
	free, err := field(filepath.Join(root, "proc/meminfo"), "MemAvailable:")
	if err != nil {
		return 0, err
	}
	free *= 1024
	for _, cg := range []struct{ limit, used, stat, reclaimable string }{
		{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current", "sys/fs/cgroup/memory.stat", "inactive_file"},
		{"sys/fs/cgroup/memory/memory.limit_in_bytes", "sys/fs/cgroup/memory/memory.usage_in_bytes", "sys/fs/cgroup/memory/memory.stat", "total_inactive_file"},
	} {
		limit, err1 := number(filepath.Join(root, cg.limit))
		used, err2 := number(filepath.Join(root, cg.used))
		if err1 != nil || err2 != nil {
			continue
		}
		// Cached files count as used and are given up when needed.
		cache, err := field(filepath.Join(root, cg.stat), cg.reclaimable)
		if err != nil {
			cache = 0
		}
		free = min(free, limit-used+cache)
	}
	return max(free, 0), nil
}

// number reads a file that holds one number; "max" is the largest.
func number(file string) (int64, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	s := strings.TrimSpace(string(data))
	if s == "max" {
		return math.MaxInt64 / 2, nil
	}
	return strconv.ParseInt(s, 10, 64)
}

// field reads the number behind a name at the start of a line.
func field(file, name string) (int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		w := strings.Fields(lines.Text())
		if len(w) >= 2 && w[0] == name {
			return strconv.ParseInt(w[1], 10, 64)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("%s has no line %q", file, name)
}
