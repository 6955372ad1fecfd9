// The signs of activations as bits: 1 where a value is positive. The bits of an image lie in whatever order is quickest, the same for all images; agree.c compares them.

#define SIGN_BITS (8 * (int)sizeof(REAL))

INLINE ivec NAME(signs_of)(const REAL *y) {
	ivec bits = {0};
#pragma GCC unroll 4
	for (int k = 0; k < SIGN_BITS; k++) bits = (bits << 1) - (LOAD(y + k * VL) > 0);
	return bits;
}

// signs packs the n values of each image into whole vectors of bits; what is left of the last is 0 in every image. A task is an image.
static void NAME(signs)(const void *yv, idx n, void *bits, idx from, idx to) {
	const idx chunk = SIGN_BITS * VL;
	idx vectors = (n + chunk - 1) / chunk;
	for (idx image = from; image < to; image++) {
		const REAL *y = (const REAL *)yv + image * n;
		ivec *out = (ivec *)bits + image * vectors;
		idx i = 0;
		for (; i + chunk <= n; i += chunk) *out++ = NAME(signs_of)(y + i);
		if (i < n) {
			REAL rest[SIGN_BITS * VL] = {0};
			memcpy(rest, y + i, (size_t)(n - i) * sizeof(REAL));
			*out = NAME(signs_of)(rest);
		}
	}
}

#undef SIGN_BITS
