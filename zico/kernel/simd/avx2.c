#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define ISA(x) zs_avx2_##x
#define VECTOR_BYTES 32
#define TILE1 10
#define TILE2 5
#define TILE3 4
#define GRAD1 12
#define GRAD2 6
#define GRAD3 4
#define WIDEN(p) _mm256_cvtps_pd(_mm_loadu_ps(p))
#include "kernels.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
