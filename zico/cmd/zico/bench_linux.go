package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// pin restricts the process, and those that it starts, to n of the processors that it may use: XLA and PyTorch size their pools by that set, and GOMAXPROCS alone would bind neither.
func pin(n int) error {
	if n > runtime.NumCPU() {
		return fmt.Errorf("%d threads were asked for, this process may use %d processors", n, runtime.NumCPU())
	}
	runtime.GOMAXPROCS(n)
	if n == runtime.NumCPU() {
		return nil
	}
	var set [16]uint64 // 1,024 processors
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set))); errno != 0 {
		return fmt.Errorf("reading the processors of this process: %w", errno)
	}
	left := n
	for i := range set {
		for bit := range 64 {
			switch m := uint64(1) << bit; {
			case set[i]&m == 0:
			case left > 0:
				left--
			default:
				set[i] &^= m
			}
		}
	}
	// Threads inherit the set of the one that starts them: a second look catches those started during the first.
	for range 2 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, t := range tasks {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(id), unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
			if errno != 0 && errno != syscall.ESRCH { // it may have ended
				return fmt.Errorf("restricting this process to %d processors: %w", n, errno)
			}
		}
	}
	return nil
}
