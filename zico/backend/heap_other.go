//go:build !linux || !cgo

package backend

// KeepHeap tells glibc to keep freed memory for the next buffer. This system has no glibc: it does nothing and returns false.
func KeepHeap() bool { return false }
