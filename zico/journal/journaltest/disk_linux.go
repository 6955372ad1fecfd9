package journaltest

import (
	"flag"
	"os"
	"syscall"
	"testing"
)

func fullDisk(t testing.TB, path string, left int) (room func()) {
	t.Helper()
	emptyTestLog(t)
	var size int64
	if info, err := os.Stat(path); err == nil {
		size = info.Size()
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	room = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(room)
	// Only the soft limit: that can be raised again.
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(size) + uint64(left), Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	return room
}

// emptyTestLog makes room in the buffer in which the testing package keeps what the test opens and looks at. It writes that to a file of its own, for the go command, and would fail if it were to while the limit holds; afterwards some 4000 bytes fit before it does.
func emptyTestLog(t testing.TB) {
	t.Helper()
	f := flag.Lookup("test.testlogfile")
	if f == nil || f.Value.String() == "" {
		return
	}
	// Looking at the file is itself a line of it.
	was := int64(-1)
	for range 1000 {
		info, err := os.Stat(f.Value.String())
		if err != nil {
			t.Fatal(err)
		}
		if was >= 0 && info.Size() > was {
			return
		}
		was = info.Size()
	}
	t.Fatalf("%s is never written", f.Value.String())
}
