// Sums of products of activations or weights with their gradients, in double precision.

// What channel_sums adds up over the pixels of an image, by zs_sums.what. With d = x - mean, by number of inputs and sums:
//
//   ZS_NORM_SUMS     dy, x: dy, dy*d, d, d*d; dy counts only where d > 0 if relu
//   ZS_CHANNEL_SUMS  y, dy: y*dy, dy
//   ZS_TANGENT_SUMS  dy, x, dyt, xt: dy, dy*d, xt, xt*d, dyt, dyt*d, dy*xt
//
// d is made in double precision. Its sign is that of norm.h's x - mean - rest in the type of the values: where that first difference is rounded at all, it is far from the rest.
INLINE void NAME(add_products)(const int what, const int relu, const dvec *v, dvec mean, dvec rest, dvec *acc) {
	if (what == ZS_CHANNEL_SUMS) {
		acc[0] += v[0] * v[1];
		acc[1] += v[1];
		return;
	}
	dvec dy = v[0], d = v[1] - mean - rest;
	if (relu) dy = NAME(dwhere)(d > 0, dy);
	acc[0] += dy;
	acc[1] += dy * d;
	if (what == ZS_NORM_SUMS) {
		acc[2] += d;
		acc[3] += d * d;
		return;
	}
	acc[2] += v[3];
	acc[3] += v[3] * d;
	acc[4] += v[2];
	acc[5] += v[2] * d;
	acc[6] += dy * v[3];
}

// image_sums adds up an image, lanes channels (VL or DL) at a time, so many pixels at a time that the next channels find them in the first cache.
INLINE void NAME(image_sums)(const zs_sums *s, const int what, const int relu, const int lanes, idx image, double *out) {
	const int n = what == ZS_NORM_SUMS ? 4 : what == ZS_CHANNEL_SUMS ? 2 : 7, inputs = what == ZS_TANGENT_SUMS ? 4 : 2, parts = lanes / DL;
	idx c = s->c, blocks = (c + lanes - 1) / lanes, step = 2048 / c + 1;
	dvec *sums = zs_scratch(0, (size_t)(blocks * n * lanes) * sizeof(double));
	memset(sums, 0, (size_t)(blocks * n * lanes) * sizeof(double));
	for (idx p0 = 0; p0 < s->pixels; p0 += step) {
		idx p1 = p0 + step < s->pixels ? p0 + step : s->pixels;
		for (idx b = 0; b < blocks; b++) {
			idx at = b * lanes + lanes <= c ? b * lanes : c - lanes;
			dvec acc[2][7], mean[2], rest[2], *to = sums + b * n * parts;
			const REAL *in[4];
#pragma GCC unroll 4
			for (int i = 0; i < inputs; i++) in[i] = (const REAL *)s->in[i] + (image * s->pixels + p0) * c + at;
#pragma GCC unroll 2
			for (int h = 0; h < parts; h++) {
#pragma GCC unroll 7
				for (int j = 0; j < n; j++) acc[h][j] = to[h * n + j];
				if (what != ZS_CHANNEL_SUMS) {
					mean[h] = DLOAD((const REAL *)s->stats + at + h * DL);
					rest[h] = DLOAD((const REAL *)s->stats + c + at + h * DL);
				}
			}
			for (idx p = p0; p < p1; p++) {
#pragma GCC unroll 2
				for (int h = 0; h < parts; h++) {
					dvec v[4];
#pragma GCC unroll 4
					for (int i = 0; i < inputs; i++) v[i] = DLOAD(in[i] + h * DL);
					NAME(add_products)(what, relu, v, mean[h], rest[h], acc[h]);
				}
#pragma GCC unroll 4
				for (int i = 0; i < inputs; i++) in[i] += c;
			}
#pragma GCC unroll 2
			for (int h = 0; h < parts; h++)
#pragma GCC unroll 7
				for (int j = 0; j < n; j++) to[h * n + j] = acc[h][j];
		}
	}
	for (idx b = 0; b < blocks; b++) {
		idx at = b * lanes + lanes <= c ? b * lanes : c - lanes;
		for (int h = 0; h < parts; h++)
			for (int j = 0; j < n; j++) *(dvec *)(out + j * c + at + h * DL) = sums[(b * parts + h) * n + j];
	}
}

// few_sums adds up an image of fewer channels than a vector of double has: a channel after the other, DL pixels at a time.
INLINE void NAME(few_sums)(const zs_sums *s, const int what, const int relu, idx image, double *out) {
	const int n = what == ZS_NORM_SUMS ? 4 : what == ZS_CHANNEL_SUMS ? 2 : 7, inputs = what == ZS_TANGENT_SUMS ? 4 : 2;
	idx c = s->c;
	for (idx e = 0; e < c; e++) {
		dvec acc[7] = {0}, mean = {0}, rest = {0}, v[4] = {0};
		if (what != ZS_CHANNEL_SUMS) {
			mean += (double)((const REAL *)s->stats)[e];
			rest += (double)((const REAL *)s->stats)[c + e];
		}
		idx p = 0;
		for (; p + DL <= s->pixels; p += DL) {
			for (int i = 0; i < inputs; i++) {
				const REAL *x = (const REAL *)s->in[i] + (image * s->pixels + p) * c + e;
				for (int l = 0; l < DL; l++) v[i][l] = (double)x[l * c];
			}
			NAME(add_products)(what, relu, v, mean, rest, acc);
		}
		for (int j = 0; j < n; j++) out[j * c + e] = NAME(dsum)(acc[j]);
		for (; p < s->pixels; p++) {
			dvec one[7] = {0};
			for (int i = 0; i < inputs; i++) v[i] = (dvec){0} + (double)((const REAL *)s->in[i])[(image * s->pixels + p) * c + e];
			NAME(add_products)(what, relu, v, mean, rest, one);
			for (int j = 0; j < n; j++) out[j * c + e] += one[j][0];
		}
	}
}

INLINE void NAME(sums_of)(const zs_sums *s, const int what, const int relu, double *out, idx from, idx to) {
	const int n = what == ZS_NORM_SUMS ? 4 : what == ZS_CHANNEL_SUMS ? 2 : 7;
	for (idx image = from; image < to; image++) {
		double *mine = out + image * n * s->c;
		if (s->c < DL)
			NAME(few_sums)(s, what, relu, image, mine);
		else if (s->c < VL)
			NAME(image_sums)(s, what, relu, DL, image, mine);
		else
			NAME(image_sums)(s, what, relu, VL, image, mine);
	}
}

// channel_sums writes the sums of each image, [image][sum][c]. A task is an image.
static void NAME(channel_sums)(const zs_sums *s, double *out, idx from, idx to) {
	switch (s->what) {
	case ZS_NORM_SUMS:
		if (s->relu)
			NAME(sums_of)(s, ZS_NORM_SUMS, 1, out, from, to);
		else
			NAME(sums_of)(s, ZS_NORM_SUMS, 0, out, from, to);
		break;
	case ZS_CHANNEL_SUMS: NAME(sums_of)(s, ZS_CHANNEL_SUMS, 0, out, from, to); break;
	case ZS_TANGENT_SUMS: NAME(sums_of)(s, ZS_TANGENT_SUMS, 0, out, from, to); break;
	}
}

// norm_tangent is a*dy + b*(x - mean) + t*dyt + u*xt + v with the factors [5][c] of each channel: the tangent of a batch norm's gradient, whose sums are in the factors. A task is an image.
static void NAME(norm_tangent)(const zs_sums *s, const void *factors, void *dxtv, idx from, idx to) {
	idx c = s->c, n = (to - from) * s->pixels, start = from * s->pixels * c;
	const REAL *dy = (const REAL *)s->in[0] + start, *x = (const REAL *)s->in[1] + start, *dyt = (const REAL *)s->in[2] + start, *xt = (const REAL *)s->in[3] + start;
	const REAL *mean = s->stats, *rest = mean + c, *f = factors;
	REAL *dxt = (REAL *)dxtv + start;
	if (c < VL) {
		for (idx p = 0; p < n; p++)
			for (idx e = 0; e < c; e++) {
				idx i = p * c + e;
				dxt[i] = f[e] * dy[i] + f[c + e] * (x[i] - mean[e] - rest[e]) + f[2 * c + e] * dyt[i] + f[3 * c + e] * xt[i] + f[4 * c + e];
			}
		return;
	}
	idx step = 1024 / c + 1;
	for (idx p0 = 0; p0 < n; p0 += step) {
		idx p1 = p0 + step < n ? p0 + step : n;
		for (idx k = 0; k < BLOCKS(c); k++) {
			idx at = BLOCK_AT(k, c);
			vec m = LOAD(mean + at), l = LOAD(rest + at), a = LOAD(f + at), b = LOAD(f + c + at), t = LOAD(f + 2 * c + at), u = LOAD(f + 3 * c + at), v = LOAD(f + 4 * c + at);
			for (idx p = p0; p < p1; p++) {
				idx i = p * c + at;
				STORE(dxt + i, a * LOAD(dy + i) + b * (LOAD(x + i) - m - l) + t * LOAD(dyt + i) + u * LOAD(xt + i) + v);
			}
		}
	}
}

// weight_products adds up |w*g|, w*g, w*w and g*g, of values from to to.
static void NAME(weight_products)(const void *wv, const void *gv, double *out, idx from, idx to) {
	dvec acc[4] = {0};
	for (idx i = from; i < to; i += DL) {
		idx n = to - i < DL ? to - i : DL;
		dvec w = NAME(dload)((const REAL *)wv + i, n), g = NAME(dload)((const REAL *)gv + i, n), p = w * g;
		acc[0] += NAME(dabs)(p);
		acc[1] += p;
		acc[2] += w * w;
		acc[3] += g * g;
	}
	for (int j = 0; j < 4; j++) out[j] = NAME(dsum)(acc[j]);
}

// distance adds up |a - b| over the n values of each image.
static void NAME(distance)(const void *av, const void *bv, idx n, double *out, idx from, idx to) {
	for (idx image = from; image < to; image++) {
		const REAL *a = (const REAL *)av + image * n, *b = (const REAL *)bv + image * n;
		dvec acc0 = {0}, acc1 = {0};
		idx i = 0;
		for (; i + 2 * DL <= n; i += 2 * DL) {
			acc0 += NAME(dabs)(DLOAD(a + i) - DLOAD(b + i));
			acc1 += NAME(dabs)(DLOAD(a + i + DL) - DLOAD(b + i + DL));
		}
		for (; i < n; i += DL) {
			idx left = n - i < DL ? n - i : DL;
			acc0 += NAME(dabs)(NAME(dload)(a + i, left) - NAME(dload)(b + i, left));
		}
		out[image] = NAME(dsum)(acc0 + acc1);
	}
}
