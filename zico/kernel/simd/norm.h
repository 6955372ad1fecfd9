// Batch normalisation. A task is one image of pixels times c values; what it adds up goes to its own place, [image][c], in double precision.

// moments computes the mean of each channel of an image and the sum of squared distances from it, in two passes: the second finds the image in the cache.
static void NAME(moments)(const void *xv, idx pixels, idx c, double *mean, double *m2, idx from, idx to) {
	for (idx image = from; image < to; image++) {
		const REAL *x = (const REAL *)xv + image * pixels * c;
		double *m = mean + image * c, *s = m2 + image * c;
		if (c < VL) {
			for (idx e = 0; e < c; e++) {
				double sum = 0, sq = 0;
				for (idx p = 0; p < pixels; p++) sum += x[p * c + e];
				m[e] = sum / (double)pixels;
				for (idx p = 0; p < pixels; p++) sq += (x[p * c + e] - m[e]) * (x[p * c + e] - m[e]);
				s[e] = sq;
			}
			continue;
		}
		for (idx b = 0; b < BLOCKS(c); b++) {
			idx at = BLOCK_AT(b, c), p = 0;
			vec a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, center;
			for (; p + 4 <= pixels; p += 4) {
				const REAL *q = x + p * c + at;
				a0 += LOAD(q);
				a1 += LOAD(q + c);
				a2 += LOAD(q + 2 * c);
				a3 += LOAD(q + 3 * c);
			}
			for (; p < pixels; p++) a0 += LOAD(x + p * c + at);
			a0 = (a0 + a1) + (a2 + a3);
			center = a0 / (REAL)pixels;
			vec sum = a0;
			a0 = a1 = a2 = a3 = (vec){0};
			for (p = 0; p + 4 <= pixels; p += 4) {
				const REAL *q = x + p * c + at;
				vec d0 = LOAD(q) - center, d1 = LOAD(q + c) - center, d2 = LOAD(q + 2 * c) - center, d3 = LOAD(q + 3 * c) - center;
				a0 += d0 * d0;
				a1 += d1 * d1;
				a2 += d2 * d2;
				a3 += d3 * d3;
			}
			for (; p < pixels; p++) {
				vec d = LOAD(x + p * c + at) - center;
				a0 += d * d;
			}
			a0 = (a0 + a1) + (a2 + a3);
			for (idx e = 0; e < VL; e++) {
				m[at + e] = (double)sum[e] / (double)pixels;
				s[at + e] = (double)a0[e];
			}
		}
	}
}

static void NAME(normalize)(const void *xv, idx pixels, idx c, const double *mean, const double *inv, void *yv, idx from, idx to) {
	const REAL *x = (const REAL *)xv + from * pixels * c;
	REAL *y = (REAL *)yv + from * pixels * c;
	pixels *= to - from;
	if (c < VL) {
		for (idx p = 0; p < pixels; p++)
			for (idx e = 0; e < c; e++) y[p * c + e] = (x[p * c + e] - (REAL)mean[e]) * (REAL)inv[e];
		return;
	}
	// Pixels at a time, such that the second and later vectors of channels find them in the cache.
	idx step = 4096 / c + 1;
	for (idx p0 = 0; p0 < pixels; p0 += step) {
		idx p1 = p0 + step < pixels ? p0 + step : pixels;
		for (idx b = 0; b < BLOCKS(c); b++) {
			idx at = BLOCK_AT(b, c);
			vec m, i;
			for (idx e = 0; e < VL; e++) m[e] = (REAL)mean[at + e], i[e] = (REAL)inv[at + e];
			for (idx p = p0; p < p1; p++) STORE(y + p * c + at, (LOAD(x + p * c + at) - m) * i);
		}
	}
}

// products adds up dy and dy*y for each channel of an image.
static void NAME(products)(const void *dyv, const void *yv, idx pixels, idx c, double *sum, double *product, idx from, idx to) {
	for (idx image = from; image < to; image++) {
		const REAL *dy = (const REAL *)dyv + image * pixels * c, *y = (const REAL *)yv + image * pixels * c;
		double *s = sum + image * c, *t = product + image * c;
		if (c < VL) {
			for (idx e = 0; e < c; e++) {
				s[e] = t[e] = 0;
				for (idx p = 0; p < pixels; p++) s[e] += dy[p * c + e], t[e] += (double)dy[p * c + e] * y[p * c + e];
			}
			continue;
		}
		for (idx b = 0; b < BLOCKS(c); b++) {
			idx at = BLOCK_AT(b, c), p = 0;
			vec a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, b0 = {0}, b1 = {0}, b2 = {0}, b3 = {0};
			for (; p + 4 <= pixels; p += 4) {
				const REAL *q = dy + p * c + at, *r = y + p * c + at;
				vec d0 = LOAD(q), d1 = LOAD(q + c), d2 = LOAD(q + 2 * c), d3 = LOAD(q + 3 * c);
				a0 += d0;
				a1 += d1;
				a2 += d2;
				a3 += d3;
				b0 += d0 * LOAD(r);
				b1 += d1 * LOAD(r + c);
				b2 += d2 * LOAD(r + 2 * c);
				b3 += d3 * LOAD(r + 3 * c);
			}
			for (; p < pixels; p++) {
				vec d = LOAD(dy + p * c + at);
				a0 += d;
				b0 += d * LOAD(y + p * c + at);
			}
			a0 = (a0 + a1) + (a2 + a3);
			b0 = (b0 + b1) + (b2 + b3);
			for (idx e = 0; e < VL; e++) s[at + e] = (double)a0[e], t[at + e] = (double)b0[e];
		}
	}
}

// normalize_grad is inv * (dy - m1 - y * m2).
static void NAME(normalize_grad)(const void *dyv, const void *yv, idx pixels, idx c, const double *m1, const double *m2, const double *inv, void *dxv, idx from, idx to) {
	const REAL *dy = (const REAL *)dyv + from * pixels * c, *y = (const REAL *)yv + from * pixels * c;
	REAL *dx = (REAL *)dxv + from * pixels * c;
	pixels *= to - from;
	if (c < VL) {
		for (idx p = 0; p < pixels; p++)
			for (idx e = 0; e < c; e++) dx[p * c + e] = (REAL)inv[e] * (dy[p * c + e] - (REAL)m1[e] - y[p * c + e] * (REAL)m2[e]);
		return;
	}
	idx step = 4096 / c + 1;
	for (idx p0 = 0; p0 < pixels; p0 += step) {
		idx p1 = p0 + step < pixels ? p0 + step : pixels;
		for (idx b = 0; b < BLOCKS(c); b++) {
			idx at = BLOCK_AT(b, c);
			vec u, v, i;
			for (idx e = 0; e < VL; e++) u[e] = (REAL)m1[at + e], v[e] = (REAL)m2[at + e], i[e] = (REAL)inv[at + e];
			for (idx p = p0; p < p1; p++) STORE(dx + p * c + at, i * (LOAD(dy + p * c + at) - u - LOAD(y + p * c + at) * v));
		}
	}
}
