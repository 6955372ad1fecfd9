//go:build !linux || !cgo

package backend

// HeapPolicy says how the process's heap treats freed memory. On this system it is not changed.
func HeapPolicy() string { return "the system's default" }
