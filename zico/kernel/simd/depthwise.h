// Depthwise convolutions: each channel has its own window, weights are [kh, kw, c]. Vectors run along the channels.

// depthwise_tile computes P neighbouring output pixels of one vector of channels.
INLINE void NAME(depthwise_tile)(const int P, const REAL *x, idx xrow, idx px, const REAL *w, idx c, idx kh, idx kw, REAL *y, idx py) {
	vec acc[8];
#pragma GCC unroll 8
	for (int p = 0; p < P; p++) acc[p] = (vec){0};
	for (idx i = 0; i < kh; i++, x += xrow)
		for (idx j = 0; j < kw; j++, w += c) {
			vec wv = LOAD(w);
			const REAL *xp = x + j * c;
#pragma GCC unroll 8
			for (int p = 0; p < P; p++) acc[p] += LOAD(xp + p * px) * wv;
		}
#pragma GCC unroll 8
	for (int p = 0; p < P; p++) STORE(y + p * py, acc[p]);
}

// A task is s->rows output rows of one image.
static void NAME(depthwise)(const zs_conv *s, const void *xv, const void *wv, void *yv, idx from, idx to) {
	const REAL *w = wv;
	idx parts = (s->oh + s->rows - 1) / s->rows, c = s->c, px = s->stride * c, py = s->ystride * c;
	for (idx t = from; t < to; t++) {
		idx image = t / parts, r0 = t % parts * s->rows, r1 = r0 + s->rows < s->oh ? r0 + s->rows : s->oh, xrow;
		const REAL *p = NAME(padded_rows)(s, (const REAL *)xv + image * s->h * s->w * c, r0, r1, &xrow);
		for (idx r = r0; r < r1; r++) {
			const REAL *x = p + (r - r0) * s->stride * xrow;
			REAL *y = (REAL *)yv + ((image * s->yh + r * s->ystride + s->yrow) * s->yw + s->ycol) * c;
			if (c < VL) {
				for (idx q = 0; q < s->ow; q++)
					for (idx e = 0; e < c; e++) {
						REAL sum = 0;
						for (idx i = 0; i < s->kh; i++)
							for (idx j = 0; j < s->kw; j++) sum += x[i * xrow + q * px + j * c + e] * w[(i * s->kw + j) * c + e];
						y[q * py + e] = sum;
					}
				continue;
			}
			for (idx b = 0; b < BLOCKS(c); b++) {
				idx at = BLOCK_AT(b, c), q = 0;
				for (; q + 8 <= s->ow; q += 8) NAME(depthwise_tile)(8, x + q * px + at, xrow, px, w + at, c, s->kh, s->kw, y + q * py + at, py);
				for (; q + 4 <= s->ow; q += 4) NAME(depthwise_tile)(4, x + q * px + at, xrow, px, w + at, c, s->kh, s->kw, y + q * py + at, py);
				for (; q < s->ow; q++) NAME(depthwise_tile)(1, x + q * px + at, xrow, px, w + at, c, s->kh, s->kw, y + q * py + at, py);
			}
		}
	}
}

// depthwise_grad_tile adds up K neighbouring taps (steps of c from x) over the pixels of one row.
INLINE void NAME(depthwise_grad_tile)(const int K, const REAL *x, idx px, const REAL *dy, idx c, idx count, vec *out) {
	vec even[7], odd[7];
#pragma GCC unroll 7
	for (int k = 0; k < K; k++) even[k] = odd[k] = (vec){0};
	idx p = 0;
	for (; p + 2 <= count; p += 2) {
		vec d0 = LOAD(dy + p * c), d1 = LOAD(dy + (p + 1) * c);
#pragma GCC unroll 7
		for (int k = 0; k < K; k++) {
			even[k] += LOAD(x + p * px + k * c) * d0;
			odd[k] += LOAD(x + (p + 1) * px + k * c) * d1;
		}
	}
	if (p < count) {
		vec d0 = LOAD(dy + p * c);
#pragma GCC unroll 7
		for (int k = 0; k < K; k++) even[k] += LOAD(x + p * px + k * c) * d0;
	}
#pragma GCC unroll 7
	for (int k = 0; k < K; k++) out[k] += even[k] + odd[k];
}

// A task is one image, whose gradient [kh][kw][c] goes to its own place in partial.
static void NAME(depthwise_weight_grad)(const zs_conv *s, const void *xv, const void *dyv, double *partial, idx from, idx to) {
	idx c = s->c, px = s->stride * c, taps = s->kh * s->kw;
	for (idx image = from; image < to; image++) {
		const REAL *dy = (const REAL *)dyv + image * s->oh * s->ow * c;
		double *out = partial + image * taps * c;
		memset(out, 0, (size_t)(taps * c) * sizeof(double));
		for (idx r0 = 0; r0 < s->oh; r0 += s->rows) {
			idx r1 = r0 + s->rows < s->oh ? r0 + s->rows : s->oh, xrow;
			const REAL *p = NAME(padded_rows)(s, (const REAL *)xv + image * s->h * s->w * c, r0, r1, &xrow);
			for (idx i = 0; i < s->kh; i++) {
				if (c < VL || s->kw > 7) {
					for (idx j = 0; j < s->kw; j++)
						for (idx e = 0; e < c; e++) {
							double sum = 0;
							for (idx r = r0; r < r1; r++)
								for (idx q = 0; q < s->ow; q++) sum += (double)p[((r - r0) * s->stride + i) * xrow + q * px + j * c + e] * dy[(r * s->ow + q) * c + e];
							out[(i * s->kw + j) * c + e] += sum;
						}
					continue;
				}
				for (idx b = 0; b < BLOCKS(c); b++) {
					idx at = BLOCK_AT(b, c), fresh = b * VL - at;
					vec acc[7];
					for (idx j = 0; j < s->kw; j++) acc[j] = (vec){0};
					for (idx r = r0; r < r1; r++) {
						const REAL *x = p + ((r - r0) * s->stride + i) * xrow + at, *d = dy + r * s->ow * c + at;
						switch (s->kw) {
						case 1: NAME(depthwise_grad_tile)(1, x, px, d, c, s->ow, acc); break;
						case 2: NAME(depthwise_grad_tile)(2, x, px, d, c, s->ow, acc); break;
						case 3: NAME(depthwise_grad_tile)(3, x, px, d, c, s->ow, acc); break;
						case 4: NAME(depthwise_grad_tile)(4, x, px, d, c, s->ow, acc); break;
						case 5: NAME(depthwise_grad_tile)(5, x, px, d, c, s->ow, acc); break;
						case 6: NAME(depthwise_grad_tile)(6, x, px, d, c, s->ow, acc); break;
						case 7: NAME(depthwise_grad_tile)(7, x, px, d, c, s->ow, acc); break;
						}
					}
					// An overlapping vector adds only the channels that the one before did not.
					for (idx j = 0; j < s->kw; j++)
						for (idx e = fresh; e < VL; e++) out[(i * s->kw + j) * c + at + e] += (double)acc[j][e];
				}
			}
		}
	}
}
