//go:build linux && cgo

package backend

/*
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static int heap_kept;

// keep_heap runs before Go starts its threads: glibc gives each new thread a heap of its own until it is told to share one, and memory freed in one heap does not serve another.
//
// The heap grows by little more than what is asked for: what lies in it already, calloc (go-xla's, for every buffer) clears page by page on one thread, while fresh pages come cleared, when the threads of a kernel touch them.
__attribute__((constructor)) static void keep_heap(void) {
	const char *tunables = getenv("GLIBC_TUNABLES");
	if ((tunables && strstr(tunables, "glibc.malloc")) || getenv("MALLOC_MMAP_MAX_") || getenv("MALLOC_TRIM_THRESHOLD_") || getenv("MALLOC_TOP_PAD_") || getenv("MALLOC_ARENA_MAX")) {
		heap_kept = 2;
		return;
	}
#ifdef __GLIBC__
	heap_kept = mallopt(M_MMAP_MAX, 0) && mallopt(M_TRIM_THRESHOLD, 2147483647) && mallopt(M_TOP_PAD, 1 << 20) && mallopt(M_ARENA_MAX, 2);
#endif
}

static int heap_state(void) { return heap_kept; }
*/
import "C"

// HeapPolicy says how the process's heap treats freed memory. Importing this package tells glibc, before the program starts, to keep it for the next buffer, and to keep at most two heaps for all threads (with one, compilation waits for the heap; with many, each keeps what it once held). By default glibc returns each large buffer to the kernel, which clears and maps the next one page by page, and the threads of XLA hold several times the memory they use. Settings that the user has made in GLIBC_TUNABLES or MALLOC_* stand.
func HeapPolicy() string {
	switch C.heap_state() {
	case 1:
		return "kept by the program"
	case 2:
		return "set by GLIBC_TUNABLES or MALLOC_*"
	}
	return "the system's default"
}
