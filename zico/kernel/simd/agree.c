// How many signs of two images agree: bits packed by signs.h, compared by exclusive or. Counting bits has instructions of its own, which not every processor of an instruction set has; the numbers are exact with any.
#include "simd.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

#define ROWS ZS_AGREE_ROWS

// Tasks are groups of ROWS images, each compared with itself and those after it. count adds the number of different bits to n[ROWS]; the last group repeats its last image.
#define AGREE(name, attributes, count)                                                                                                    \
	attributes static void name(const void *bits, idx words, idx images, idx values, double *out, idx from, idx to) {                     \
		for (idx i = from * ROWS; i < to * ROWS && i < images; i += ROWS) {                                                               \
			const uint64_t *row[ROWS];                                                                                                    \
			for (idx r = 0; r < ROWS; r++) row[r] = (const uint64_t *)bits + (i + r < images ? i + r : images - 1) * words;               \
			for (idx j = i; j < images; j++) {                                                                                            \
				idx n[ROWS];                                                                                                              \
				count((const uint64_t *)bits + j * words, row, words, n);                                                                 \
				for (idx r = 0; r < ROWS && i + r < images; r++) out[(i + r) * images + j] = out[j * images + i + r] = (double)(values - n[r]); \
			}                                                                                                                             \
		}                                                                                                                                 \
	}

#define COUNT(name, attributes)                                                                         \
	attributes static void name(const uint64_t *x, const uint64_t *const *row, idx words, idx *n) {      \
		idx n0 = 0, n1 = 0, n2 = 0, n3 = 0;                                                              \
		for (idx k = 0; k < words; k++) {                                                                \
			n0 += __builtin_popcountll(x[k] ^ row[0][k]);                                                \
			n1 += __builtin_popcountll(x[k] ^ row[1][k]);                                                \
			n2 += __builtin_popcountll(x[k] ^ row[2][k]);                                                \
			n3 += __builtin_popcountll(x[k] ^ row[3][k]);                                                \
		}                                                                                                \
		n[0] = n0, n[1] = n1, n[2] = n2, n[3] = n3;                                                      \
	}

COUNT(count_plain, )
AGREE(agree_plain, , count_plain)

void zs_baseline_agree(const void *bits, idx words, idx images, idx values, double *out, idx from, idx to) {
	agree_plain(bits, words, images, values, out, from, to);
}

#if defined(__x86_64__) && defined(__GNUC__)
#define POPCNT __attribute__((target("popcnt")))
#define VECTOR __attribute__((target("avx512f,avx512vpopcntdq")))

COUNT(count_popcnt, POPCNT)
AGREE(agree_popcnt, POPCNT, count_popcnt)

// Words come in whole vectors.
VECTOR static void count_vector(const uint64_t *x, const uint64_t *const *row, idx words, idx *n) {
	__m512i n0 = _mm512_setzero_si512(), n1 = n0, n2 = n0, n3 = n0;
	for (idx k = 0; k < words; k += 8) {
		__m512i v = _mm512_loadu_si512(x + k);
		n0 = _mm512_add_epi64(n0, _mm512_popcnt_epi64(_mm512_xor_si512(v, _mm512_loadu_si512(row[0] + k))));
		n1 = _mm512_add_epi64(n1, _mm512_popcnt_epi64(_mm512_xor_si512(v, _mm512_loadu_si512(row[1] + k))));
		n2 = _mm512_add_epi64(n2, _mm512_popcnt_epi64(_mm512_xor_si512(v, _mm512_loadu_si512(row[2] + k))));
		n3 = _mm512_add_epi64(n3, _mm512_popcnt_epi64(_mm512_xor_si512(v, _mm512_loadu_si512(row[3] + k))));
	}
	n[0] = _mm512_reduce_add_epi64(n0);
	n[1] = _mm512_reduce_add_epi64(n1);
	n[2] = _mm512_reduce_add_epi64(n2);
	n[3] = _mm512_reduce_add_epi64(n3);
}
AGREE(agree_vector, VECTOR, count_vector)

void zs_avx2_agree(const void *bits, idx words, idx images, idx values, double *out, idx from, idx to) {
	if (__builtin_cpu_supports("popcnt"))
		agree_popcnt(bits, words, images, values, out, from, to);
	else
		agree_plain(bits, words, images, values, out, from, to);
}

void zs_avx512_agree(const void *bits, idx words, idx images, idx values, double *out, idx from, idx to) {
	if (__builtin_cpu_supports("avx512vpopcntdq"))
		agree_vector(bits, words, images, values, out, from, to);
	else
		zs_avx2_agree(bits, words, images, values, out, from, to);
}
#endif
