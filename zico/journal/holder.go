package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// inUse is the error of a file that another Journal holds.
func (j *Journal) inUse() error {
	switch pid := holder(j.f); pid {
	case 0:
		return fmt.Errorf("%s: %w by another process: let that finish, or stop it, and run again; or name another file", j.path, ErrLocked)
	case os.Getpid():
		return fmt.Errorf("%s: %w by this process, which has it open already: close it there first, or name another file", j.path, ErrLocked)
	default:
		name := ""
		if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil {
			name = fmt.Sprintf(" (%s)", strings.TrimSpace(string(comm)))
		}
		return fmt.Errorf("%s: %w by process %d%s: let that finish, or stop it with kill %d, and run again; or name another file", j.path, ErrLocked, pid, name, pid)
	}
}

// holder is the process that holds the lock of a file, 0 where that cannot be known: it can on Linux, for processes of the same user.
func holder(f *os.File) int {
	file, err := f.Stat()
	if err != nil {
		return 0
	}
	// The devices in this table are not those of stat on all file systems, so it only says which processes to look at.
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(locks)) {
		// 1: FLOCK  ADVISORY  WRITE 1239 fe:00:9977999 0 EOF
		w := strings.Fields(line)
		if len(w) < 5 || w[1] != "FLOCK" {
			continue
		}
		pid, err := strconv.Atoi(w[4])
		if err != nil {
			continue
		}
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, fd := range fds {
			info, err := os.Stat(fd)
			if err != nil || !os.SameFile(info, file) {
				continue
			}
			about, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, filepath.Base(fd)))
			if err == nil && strings.Contains(string(about), "FLOCK") {
				return pid
			}
		}
	}
	return 0
}
