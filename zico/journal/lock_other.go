//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package journal

import "os"

// Where there is no flock, a journal is for one process at a time.
func lock(*os.File, bool) error { return nil }

func unlock(*os.File) error { return nil }
