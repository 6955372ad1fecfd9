//go:build !linux

package main

import (
	"fmt"
	"runtime"
)

// pin does nothing for as many threads as there are processors, and fails for fewer: GOMAXPROCS would not bind XLA and PyTorch.
func pin(n int) error {
	if n != runtime.NumCPU() {
		return fmt.Errorf("on this system -threads must be %d, the number of processors", runtime.NumCPU())
	}
	return nil
}
