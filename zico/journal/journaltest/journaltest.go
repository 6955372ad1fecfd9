// Package journaltest helps to test what keeps its work in a journal.
package journaltest

import (
	"syscall"
	"testing"
)

// DiskFull is the error of a write to a disk that FullDisk has filled.
const DiskFull = syscall.EFBIG

// FullDisk lets a file, which need not be there yet, grow by left bytes and no more: as on a full disk, the write that exceeds them takes what fits and fails, with DiskFull. room makes room again; so does the end of the test.
//
// It sets the limit of the process for the size of every file (RLIMIT_FSIZE), so meanwhile larger files cannot be written either, and nothing else may run in parallel. On other systems than Linux the test is skipped.
func FullDisk(t testing.TB, path string, left int) (room func()) {
	t.Helper()
	return fullDisk(t, path, left)
}
