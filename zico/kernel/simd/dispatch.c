#include <stdlib.h>
#include <string.h>

#include "simd.h"

#if defined(__x86_64__)
extern const zs_kernels zs_avx512_f32_kernels, zs_avx512_f64_kernels, zs_avx2_f32_kernels, zs_avx2_f64_kernels;
#endif
extern const zs_kernels zs_baseline_f32_kernels, zs_baseline_f64_kernels;

const zs_kernels *zs_find(const char *isa, int bytes) {
#if defined(__x86_64__)
	if (!strcmp(isa, "avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("fma"))
		return bytes == 4 ? &zs_avx512_f32_kernels : &zs_avx512_f64_kernels;
	if (!strcmp(isa, "avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return bytes == 4 ? &zs_avx2_f32_kernels : &zs_avx2_f64_kernels;
#endif
	if (!strcmp(isa, "baseline")) return bytes == 4 ? &zs_baseline_f32_kernels : &zs_baseline_f64_kernels;
	return NULL;
}

void *zs_alloc(size_t bytes) {
	void *p;
	if (posix_memalign(&p, 64, bytes)) abort();
	return p;
}

static _Thread_local struct {
	void *p;
	size_t bytes;
} scratch[2];

void *zs_scratch(int slot, size_t bytes) {
	if (scratch[slot].bytes < bytes) {
		free(scratch[slot].p);
		scratch[slot].p = zs_alloc(bytes);
		scratch[slot].bytes = bytes;
	}
	return scratch[slot].p;
}
