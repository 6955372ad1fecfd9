#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#endif
#define ISA(x) zs_avx512_##x
#define VECTOR_BYTES 64
#define TILE1 16
#define TILE2 8
#define TILE3 8
#define GRAD1 24
#define GRAD2 12
#define GRAD3 8
#define WIDEN(p) _mm512_cvtps_pd(_mm256_loadu_ps(p))
#include "kernels.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
