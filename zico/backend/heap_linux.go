//go:build linux && cgo

package backend

/*
#include <malloc.h>
#include <stdlib.h>

// keep_heap returns how many of the settings were taken.
static int keep_heap(int trim, int pad) {
	int n = 0;
#ifdef __GLIBC__
	n += mallopt(M_MMAP_MAX, 0);
	n += mallopt(M_TRIM_THRESHOLD, trim);
	n += mallopt(M_TOP_PAD, pad);
	n += mallopt(M_ARENA_MAX, 1);
#endif
	return n;
}
*/
import "C"

import (
	"os"
	"strings"
	"sync"
)

var keepHeap = sync.OnceValue(func() bool {
	if strings.Contains(os.Getenv("GLIBC_TUNABLES"), "glibc.malloc") {
		return true
	}
	for _, name := range []string{"MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_ARENA_MAX"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	const trim, pad = 1<<31 - 1, 64 << 20
	return C.keep_heap(trim, pad) > 0
})

// KeepHeap tells glibc to keep freed memory for the next buffer, for the whole process and once. By default glibc returns each large buffer to the kernel, which clears and maps the next one page by page: an addition of activations takes three to four times as long. Settings that the user has made in GLIBC_TUNABLES or MALLOC_* stand.
// It reports whether the heap is kept; it is not on systems without glibc.
func KeepHeap() bool { return keepHeap() }
