// Gradients of many images, n vectors of weights, compared with each other in double precision.

// sign_part adds the signs and the values of m vectors, len places of them that begin at at, to what is there.
INLINE void NAME(sign_part)(const void *const *grads, const int m, idx at, idx len, INT *signs, double *sums) {
	const REAL *g[4];
#pragma GCC unroll 4
	for (int t = 0; t < m; t++) g[t] = (const REAL *)grads[t] + at;
	idx k = 0;
	for (; k + VL <= len; k += VL) {
		ivec s = *(ivec *)(signs + k);
#pragma GCC unroll 4
		for (int t = 0; t < m; t++) s += (ivec)(LOAD(g[t] + k) < 0) - (ivec)(LOAD(g[t] + k) > 0);
		*(ivec *)(signs + k) = s;
#pragma GCC unroll 2
		for (int h = 0; h < VL; h += DL) {
			dvec d = *(dvec *)(sums + k + h);
#pragma GCC unroll 4
			for (int t = 0; t < m; t++) d += DLOAD(g[t] + k + h);
			*(dvec *)(sums + k + h) = d;
		}
	}
	for (; k < len; k++)
		for (int t = 0; t < m; t++) {
			signs[k] += (g[t][k] > 0) - (g[t][k] < 0);
			sums[k] += (double)g[t][k];
		}
}

// sign_sum adds up, over places from to to, |the sum over the vectors of the sign| and (the sum over the vectors) squared. The sums over the vectors of a stretch stay in the first cache while one vector after the other is read.
static void NAME(sign_sum)(const void *const *grads, idx n, double *out, idx from, idx to) {
	enum { STRETCH = 2048 };
	INT *signs = zs_scratch(0, STRETCH * sizeof(INT));
	double *sums = zs_scratch(1, STRETCH * sizeof(double));
	dvec sign = {0}, square = {0};
	for (idx at = from; at < to; at += STRETCH) {
		idx len = to - at < STRETCH ? to - at : STRETCH, i = 0;
		memset(signs, 0, STRETCH * sizeof(INT));
		memset(sums, 0, STRETCH * sizeof(double));
		for (; i + 4 <= n; i += 4) NAME(sign_part)(grads + i, 4, at, len, signs, sums);
		for (; i < n; i++) NAME(sign_part)(grads + i, 1, at, len, signs, sums);
		for (idx k = 0; k < len; k += DL) { // beyond len are zeros
			dvec d = *(dvec *)(sums + k);
			square += d * d;
			sign += NAME(dabs)(__builtin_convertvector(*(const NAME(ipart) *)(signs + k), dvec));
		}
	}
	out[0] = NAME(dsum)(sign);
	out[1] = NAME(dsum)(square);
}

// A tile of GRAM_I times GRAM_J inner products stays in registers while it walks over a block of places. Rows of a block are widened to double and padded with zeros to whole tiles and vectors; the odd distance between rows keeps them from meeting in one set of the first cache.
#if VECTOR_BYTES == 64
#define GRAM_I 6
#define GRAM_J 4
#else
#define GRAM_I 4
#define GRAM_J 3
#endif
#define GRAM_ROW (ZS_GRAM_BLOCK + 8)

INLINE void NAME(gram_tile)(const double *a, const double *b, idx len, double *out, idx n, idx rows, idx cols) {
	dvec acc[GRAM_I][GRAM_J] = {0};
	for (idx k = 0; k < len; k += DL) {
		dvec y[GRAM_J];
#pragma GCC unroll 4
		for (int j = 0; j < GRAM_J; j++) y[j] = *(const dvec *)(b + j * GRAM_ROW + k);
#pragma GCC unroll 6
		for (int i = 0; i < GRAM_I; i++) {
			dvec x = *(const dvec *)(a + i * GRAM_ROW + k);
#pragma GCC unroll 4
			for (int j = 0; j < GRAM_J; j++) acc[i][j] += x * y[j];
		}
	}
#pragma GCC unroll 6
	for (int i = 0; i < GRAM_I; i++)
#pragma GCC unroll 4
		for (int j = 0; j < GRAM_J; j++) {
			double s = NAME(dsum)(acc[i][j]);
			if (i < rows && j < cols) out[i * n + j] += s;
		}
}

// gram adds up the products of each two of n vectors over places from to to. It writes out[i][j] for i <= j, and may write others.
static void NAME(gram)(const void *const *grads, idx n, double *out, idx from, idx to) {
	idx rows = n + GRAM_I;
	double *a = zs_scratch(0, (size_t)(rows * GRAM_ROW) * sizeof(double));
	memset(out, 0, (size_t)(n * n) * sizeof(double));
	memset(a + n * GRAM_ROW, 0, (size_t)((rows - n) * GRAM_ROW) * sizeof(double));
	for (idx at = from; at < to; at += ZS_GRAM_BLOCK) {
		idx len = to - at < ZS_GRAM_BLOCK ? to - at : ZS_GRAM_BLOCK;
		for (idx i = 0; i < n; i++)
			for (idx k = 0; k < len; k += DL) *(dvec *)(a + i * GRAM_ROW + k) = NAME(dload)((const REAL *)grads[i] + at + k, len - k < DL ? len - k : DL);
		for (idx i = 0; i < n; i += GRAM_I)
			for (idx j = i / GRAM_J * GRAM_J; j < n; j += GRAM_J)
				NAME(gram_tile)(a + i * GRAM_ROW, a + j * GRAM_ROW, len, out + i * n + j, n, n - i, n - j);
	}
}

#undef GRAM_I
#undef GRAM_J
#undef GRAM_ROW
