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

// conv_moments is a convolution, dense or depthwise, and the moments of its output, which are taken while an image is in the cache. A task is one image: s->rows is all of them or, of flat pictures, the pixels of one.
static void NAME(conv_moments)(const zs_conv *s, int depthwise, const void *x, const void *w, void *y, double *mean, double *m2, idx from, idx to) {
	for (idx image = from; image < to; image++) {
		if (depthwise)
			NAME(depthwise)(s, x, w, y, image, image + 1);
		else
			NAME(conv)(s, x, w, NULL, y, image, image + 1);
		NAME(moments)(y, s->oh * s->ow, s->o, mean, m2, image, image + 1);
	}
}

// merge adds up pictures, some of them normalised on the way, and writes the sum, or its positive part, or both.
static void NAME(merge)(const zs_merge *s, idx from, idx to) {
	idx c = s->c, n = (to - from) * s->pixels, start = from * s->pixels * c;
	REAL *sum = s->sum ? (REAL *)s->sum + start : NULL, *relu = s->relu ? (REAL *)s->relu + start : NULL;
	if (c < VL) {
		for (idx p = 0; p < n; p++)
			for (idx e = 0; e < c; e++) {
				REAL acc = 0;
				for (idx t = 0; t < s->terms; t++) acc += ((const REAL *)s->in[t])[start + p * c + e];
				for (idx t = 0; t < s->normalized; t++) {
					const REAL *mean = s->stats[t];
					acc += (((const REAL *)s->in[s->terms + t])[start + p * c + e] - mean[e] - mean[c + e]) * mean[2 * c + e];
				}
				if (sum) sum[p * c + e] = acc;
				if (relu) relu[p * c + e] = acc > 0 ? acc : 0;
			}
		return;
	}
	// Pixels at a time, such that the later vectors of channels find them in the cache.
	idx step = 1024 / c + 1;
	for (idx p0 = 0; p0 < n; p0 += step) {
		idx p1 = p0 + step < n ? p0 + step : n;
		for (idx b = 0; b < BLOCKS(c); b++) {
			idx at = BLOCK_AT(b, c);
			for (idx p = p0; p < p1; p++) {
				idx i = p * c + at;
				vec acc = {0};
				for (idx t = 0; t < s->terms; t++) acc += LOAD((const REAL *)s->in[t] + start + i);
				for (idx t = 0; t < s->normalized; t++) {
					const REAL *mean = (const REAL *)s->stats[t] + at;
					acc += (LOAD((const REAL *)s->in[s->terms + t] + start + i) - LOAD(mean) - LOAD(mean + c)) * LOAD(mean + 2 * c);
				}
				if (sum) STORE(sum + i, acc);
				if (relu) STORE(relu + i, NAME(where)(acc > 0, acc));
			}
		}
	}
}

// Gradients of the normalised x, y = (x - mean) * inv. With relu the gradient dy is that of max(y, 0): it counts where x > mean.

// products adds up dy and dy*y for each channel of an image.
static void NAME(products)(const void *dyv, const void *xv, const void *stats, int relu, idx pixels, idx c, double *sum, double *product, idx from, idx to) {
	const REAL *mean = stats, *rest = mean + c, *inv = rest + c;
	for (idx image = from; image < to; image++) {
		const REAL *dy = (const REAL *)dyv + image * pixels * c, *x = (const REAL *)xv + image * pixels * c;
		double *s = sum + image * c, *t = product + image * c;
		if (c < VL) {
			for (idx e = 0; e < c; e++) {
				s[e] = t[e] = 0;
				for (idx p = 0; p < pixels; p++) {
					REAL d = dy[p * c + e], y = x[p * c + e] - mean[e] - rest[e];
					if (relu && !(y > 0)) continue;
					s[e] += d;
					t[e] += (double)d * y * inv[e];
				}
			}
			continue;
		}
		for (idx b = 0; b < BLOCKS(c); b++) {
			idx at = BLOCK_AT(b, c), p = 0;
			vec a0 = {0}, a1 = {0}, b0 = {0}, b1 = {0}, m = LOAD(mean + at), l = LOAD(rest + at), i = LOAD(inv + at);
			for (; p + 2 <= pixels; p += 2) {
				const REAL *q = dy + p * c + at, *r = x + p * c + at;
				vec d0 = LOAD(q), d1 = LOAD(q + c), y0 = LOAD(r) - m - l, y1 = LOAD(r + c) - m - l;
				if (relu) {
					d0 = NAME(where)(y0 > 0, d0);
					d1 = NAME(where)(y1 > 0, d1);
				}
				a0 += d0;
				a1 += d1;
				b0 += d0 * y0;
				b1 += d1 * y1;
			}
			for (; p < pixels; p++) {
				vec d = LOAD(dy + p * c + at), y = LOAD(x + p * c + at) - m - l;
				if (relu) d = NAME(where)(y > 0, d);
				a0 += d;
				b0 += d * y;
			}
			a0 += a1;
			b0 = (b0 + b1) * i;
			for (idx e = 0; e < VL; e++) s[at + e] = (double)a0[e], t[at + e] = (double)b0[e];
		}
	}
}

// normalize_grad is inv * (dy - m1 - y * m2). means are [2][c]: the mean m1 of dy, and the mean m2 of dy*y times inv.
static void NAME(normalize_grad)(const void *dyv, const void *xv, const void *stats, const void *means, int relu, idx pixels, idx c, void *dxv, idx from, idx to) {
	const REAL *mean = stats, *rest = mean + c, *inv = rest + c, *m1 = means, *m2 = m1 + c;
	const REAL *dy = (const REAL *)dyv + from * pixels * c, *x = (const REAL *)xv + from * pixels * c;
	REAL *dx = (REAL *)dxv + from * pixels * c;
	pixels *= to - from;
	if (c < VL) {
		for (idx p = 0; p < pixels; p++)
			for (idx e = 0; e < c; e++) {
				REAL y = x[p * c + e] - mean[e] - rest[e], d = relu && !(y > 0) ? 0 : dy[p * c + e];
				dx[p * c + e] = inv[e] * (d - m1[e] - y * m2[e]);
			}
		return;
	}
	idx step = 2048 / c + 1;
	for (idx p0 = 0; p0 < pixels; p0 += step) {
		idx p1 = p0 + step < pixels ? p0 + step : pixels;
		for (idx b = 0; b < BLOCKS(c); b++) {
			idx at = BLOCK_AT(b, c);
			vec m = LOAD(mean + at), l = LOAD(rest + at), i = LOAD(inv + at), u = LOAD(m1 + at), v = LOAD(m2 + at);
			for (idx p = p0; p < p1; p++) {
				vec d = LOAD(dy + p * c + at), y = LOAD(x + p * c + at) - m - l;
				if (relu) d = NAME(where)(y > 0, d);
				STORE(dx + p * c + at, i * (d - u - y * v));
			}
		}
	}
}

// finish_grad turns n values of the gradient dx of a picture x into those of what x is the positive part of, if masked, and adds other gradients, unless add is NULL.
INLINE void NAME(finish_grad)(REAL *dx, const REAL *x, const REAL *add, int masked, idx n) {
	if (!masked && !add) return;
	idx i = 0;
	for (; i + VL <= n; i += VL) {
		vec d = LOAD(dx + i);
		if (masked) d = NAME(where)(LOAD(x + i) > 0, d);
		if (add) d += LOAD(add + i);
		STORE(dx + i, d);
	}
	for (; i < n; i++) dx[i] = (masked && !(x[i] > 0) ? 0 : dx[i]) + (add ? add[i] : 0);
}

// conv_norm_grad goes back through a batch norm and the convolution of stride 1 before it at once: g is the gradient of the normalised output of the convolution, z that output. The gradient of z, which both other gradients need, is made where it stays in the cache: an image at a time in a scratch with the padding of the convolution that gives dx, or s->rows pixels of flat pictures. A task is an image, of flat pictures a pixel; a range of them makes one partial gradient of the weights, or none where partial is NULL. dx is finished by finish_grad. The channels of z must fill a vector.
static void NAME(conv_norm_grad)(const zs_conv *s, const void *gv, const void *zv, const void *stats, const void *means, int relu, const void *xv, const void *packed, const void *addv, int masked, void *dxv, void *partial, idx from, idx to) {
	const REAL *g = gv, *z = zv, *x = xv, *add = addv;
	REAL *dx = dxv, *out = partial;
	zs_conv back = {.kh = s->kh, .kw = s->kw, .stride = 1, .c = s->o, .o = s->c, .ystride = 1};
	if (out) memset(out, 0, (size_t)NAME(grad_size)(s) * sizeof(REAL));
	if (NAME(is_flat)(s)) {
		REAL *dz = zs_scratch(1, (size_t)(s->rows * s->o) * sizeof(REAL));
		for (idx p = from; p < to; p += s->rows) {
			idx n = to - p < s->rows ? to - p : s->rows;
			NAME(normalize_grad)(g + p * s->o, z + p * s->o, stats, means, relu, n, s->o, dz, 0, 1);
			NAME(row)(&back, n, dz, 0, packed, NULL, dx + p * s->c);
			NAME(finish_grad)(dx + p * s->c, x + p * s->c, add ? add + p * s->c : NULL, masked, n * s->c);
			if (out) NAME(grad_rows)(s, x + p * s->c, 0, dz, 0, s->o, 1, n, out);
		}
		return;
	}
	idx top = s->kh - 1 - s->top, left = s->kw - 1 - s->left, dzrow = (s->w + s->kw - 1) * s->o;
	size_t bytes = (size_t)((s->h + s->kh - 1) * dzrow) * sizeof(REAL);
	REAL *dz = zs_scratch(1, bytes);
	memset(dz, 0, bytes);
	for (idx image = from; image < to; image++) {
		idx at = image * s->oh * s->ow * s->o;
		REAL *inner = dz + top * dzrow + left * s->o;
		for (idx r = 0; r < s->oh; r++, at += s->ow * s->o) NAME(normalize_grad)(g + at, z + at, stats, means, relu, s->ow, s->o, inner + r * dzrow, 0, 1);
		for (idx r = 0; r < s->h; r++) {
			idx to = (image * s->h + r) * s->w * s->c;
			NAME(row)(&back, s->w, dz + r * dzrow, dzrow, packed, NULL, dx + to);
			NAME(finish_grad)(dx + to, x + to, add ? add + to : NULL, masked, s->w * s->c);
		}
		for (idx r = 0; out && r < s->oh; r += s->rows) {
			idx r1 = r + s->rows < s->oh ? r + s->rows : s->oh, xrow;
			const REAL *p = NAME(padded_rows)(s, x + image * s->h * s->w * s->c, r, r1, &xrow);
			NAME(grad_rows)(s, p, xrow, inner + r * dzrow, dzrow, s->o, r1 - r, s->ow, out);
		}
	}
}
