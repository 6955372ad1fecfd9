//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package correlate

import (
	"errors"
	"os"
	"syscall"
)

// lock waits until no other process holds the file. The lock goes with the process that holds it, however it ends.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
