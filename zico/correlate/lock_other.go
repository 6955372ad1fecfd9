//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package correlate

import "os"

// Where there is no flock, a store is for one process at a time.
func lock(*os.File) error { return nil }

func unlock(*os.File) error { return nil }
