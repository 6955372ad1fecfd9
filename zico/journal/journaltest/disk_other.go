//go:build !linux

package journaltest

import "testing"

func fullDisk(t testing.TB, _ string, _ int) func() {
	t.Helper()
	t.Skip("a full disk is only made on Linux")
	return nil
}
