// Pooling. A task is one image.

// span is the part of the picture that window i covers along an axis of size n, from *a to *b, and its length as the mean counts it.
static idx NAME(span)(const zs_pool *s, idx i, idx n, idx *a, idx *b) {
	idx lo = i * s->stride - s->pad, hi = lo + s->k;
	*a = lo < 0 ? 0 : lo;
	*b = hi > n ? n : hi;
	return s->countpad ? s->k : *b - *a;
}

// covers is the range of windows, from *a to *b, that hold pixel i along an axis with out windows.
static void NAME(covers)(const zs_pool *s, idx i, idx out, idx *a, idx *b) {
	idx lo = i + s->pad - s->k + 1, hi = (i + s->pad) / s->stride + 1;
	*a = lo <= 0 ? 0 : (lo + s->stride - 1) / s->stride;
	*b = hi > out ? out : hi;
}

// add_lines writes f times the sum of count lines of n values, step apart, to y.
INLINE void NAME(add_lines)(REAL *y, const REAL *x, idx count, idx step, REAL f, idx n) {
	idx i = 0;
	for (; i + VL <= n; i += VL) {
		vec sum = {0};
		for (idx k = 0; k < count; k++) sum += LOAD(x + k * step + i);
		STORE(y + i, sum * f);
	}
	for (; i < n; i++) {
		REAL sum = 0;
		for (idx k = 0; k < count; k++) sum += x[k * step + i];
		y[i] = sum * f;
	}
}

// Sums over windows are sums over their rows, then over their columns. Neighbouring pixels whose windows are next to each other and of the same size are one long line.
static void NAME(avgpool)(const zs_pool *s, const void *xv, void *yv, idx from, idx to) {
	idx line = s->w * s->c;
	REAL *sum = zs_scratch(0, (size_t)line * sizeof(REAL));
	for (idx image = from; image < to; image++) {
		const REAL *x = (const REAL *)xv + image * s->h * line;
		REAL *y = (REAL *)yv + image * s->oh * s->ow * s->c;
		for (idx i = 0; i < s->oh; i++) {
			idx a, b, rows = NAME(span)(s, i, s->h, &a, &b);
			NAME(add_lines)(sum, x + a * line, b - a, line, 1, line);
			for (idx j = 0, n; j < s->ow; j += n, y += n * s->c) {
				idx l, m, cols = NAME(span)(s, j, s->w, &l, &m);
				n = 1;
				if (s->stride == 1 && m - l == s->k) n = s->w - m + 1;
				NAME(add_lines)(y, sum + l * s->c, m - l, s->c, (REAL)1 / (REAL)(rows * cols), n * s->c);
			}
		}
	}
}

static void NAME(avgpool_grad)(const zs_pool *s, const void *dyv, void *dxv, idx from, idx to) {
	idx line = s->ow * s->c, a, b, l, m;
	// dy is divided by the sizes of its windows first, a line at a time.
	REAL *scaled = zs_scratch(0, (size_t)((s->oh + 1) * line) * sizeof(REAL)), *sum = scaled + s->oh * line;
	for (idx image = from; image < to; image++) {
		const REAL *dy = (const REAL *)dyv + image * s->oh * line;
		REAL *dx = (REAL *)dxv + image * s->h * s->w * s->c;
		for (idx i = 0; i < s->oh; i++) {
			idx rows = NAME(span)(s, i, s->h, &a, &b);
			for (idx j = 0, n; j < s->ow; j += n) {
				idx cols = NAME(span)(s, j, s->w, &l, &m);
				n = 1;
				if (m - l == s->k) n = s->stride == 1 ? s->w - m + 1 : (s->w - m) / s->stride + 1;
				NAME(add_lines)(scaled + i * line + j * s->c, dy + i * line + j * s->c, 1, 0, (REAL)1 / (REAL)(rows * cols), n * s->c);
			}
		}
		for (idx i = 0; i < s->h; i++) {
			NAME(covers)(s, i, s->oh, &a, &b);
			NAME(add_lines)(sum, scaled + a * line, a < b ? b - a : 0, line, 1, line);
			for (idx j = 0, n; j < s->w; j += n, dx += n * s->c) {
				idx q0, q1;
				NAME(covers)(s, j, s->ow, &q0, &q1);
				n = 1;
				if (s->stride == 1 && q1 - q0 == s->k) n = s->ow - q1 + 1;
				NAME(add_lines)(dx, sum + q0 * s->c, q0 < q1 ? q1 - q0 : 0, s->c, 1, n * s->c);
			}
		}
	}
}

static void NAME(maxpool)(const zs_pool *s, const void *xv, void *yv, idx from, idx to) {
	for (idx image = from; image < to; image++) {
		const REAL *x = (const REAL *)xv + image * s->h * s->w * s->c;
		REAL *y = (REAL *)yv + image * s->oh * s->ow * s->c;
		for (idx i = 0; i < s->oh; i++)
			for (idx j = 0; j < s->ow; j++, y += s->c) {
				idx a, b, l, m;
				NAME(span)(s, i, s->h, &a, &b);
				NAME(span)(s, j, s->w, &l, &m);
				idx e = 0;
				for (; e + VL <= s->c; e += VL) {
					vec top = LOAD(x + (a * s->w + l) * s->c + e);
					for (idx r = a; r < b; r++)
						for (idx q = l; q < m; q++) {
							vec v = LOAD(x + (r * s->w + q) * s->c + e);
							ivec more = v > top;
							top = (vec)((more & (ivec)v) | (~more & (ivec)top));
						}
					STORE(y + e, top);
				}
				for (; e < s->c; e++) {
					REAL top = x[(a * s->w + l) * s->c + e];
					for (idx r = a; r < b; r++)
						for (idx q = l; q < m; q++) {
							REAL v = x[(r * s->w + q) * s->c + e];
							if (v > top) top = v;
						}
					y[e] = top;
				}
			}
	}
}

// The first maximum of a window, row by row, takes its gradient.
static void NAME(maxpool_grad)(const zs_pool *s, const void *xv, const void *dyv, void *dxv, idx from, idx to) {
	for (idx image = from; image < to; image++) {
		const REAL *x = (const REAL *)xv + image * s->h * s->w * s->c, *dy = (const REAL *)dyv + image * s->oh * s->ow * s->c;
		REAL *dx = (REAL *)dxv + image * s->h * s->w * s->c;
		memset(dx, 0, (size_t)(s->h * s->w * s->c) * sizeof(REAL));
		for (idx i = 0; i < s->oh; i++)
			for (idx j = 0; j < s->ow; j++, dy += s->c) {
				idx a, b, l, m;
				NAME(span)(s, i, s->h, &a, &b);
				NAME(span)(s, j, s->w, &l, &m);
				idx e = 0;
				for (; e + VL <= s->c; e += VL) {
					idx first = (a * s->w + l) * s->c + e;
					vec top = LOAD(x + first), d = LOAD(dy + e);
					// place holds, for each channel, the number of the maximum's tap.
					ivec place = {0};
					INT n = 0;
					for (idx r = a; r < b; r++)
						for (idx q = l; q < m; q++, n++) {
							vec v = LOAD(x + (r * s->w + q) * s->c + e);
							ivec more = v > top;
							top = (vec)((more & (ivec)v) | (~more & (ivec)top));
							place = (more & n) | (~more & place);
						}
					n = 0;
					for (idx r = a; r < b; r++)
						for (idx q = l; q < m; q++, n++) {
							REAL *p = dx + (r * s->w + q) * s->c + e;
							STORE(p, LOAD(p) + NAME(where)(place == n, d));
						}
				}
				for (; e < s->c; e++) {
					idx best = (a * s->w + l) * s->c + e;
					for (idx r = a; r < b; r++)
						for (idx q = l; q < m; q++) {
							idx at = (r * s->w + q) * s->c + e;
							if (x[at] > x[best]) best = at;
						}
					dx[best] += dy[e];
				}
			}
	}
}

static void NAME(globalpool)(const zs_pool *s, const void *xv, void *yv, idx from, idx to) {
	REAL *line = zs_scratch(0, (size_t)s->c * sizeof(REAL));
	for (idx image = from; image < to; image++) {
		const REAL *x = (const REAL *)xv + image * s->h * s->w * s->c;
		REAL *y = (REAL *)yv + image * s->c;
		for (idx r = 0; r < s->h; r++) {
			NAME(add_lines)(line, x + r * s->w * s->c, s->w, s->c, 1, s->c);
			if (r == 0)
				memcpy(y, line, (size_t)s->c * sizeof(REAL));
			else
				for (idx e = 0; e < s->c; e++) y[e] += line[e];
		}
		for (idx e = 0; e < s->c; e++) y[e] /= (REAL)(s->h * s->w);
	}
}

static void NAME(globalpool_grad)(const zs_pool *s, const void *dyv, void *dxv, idx from, idx to) {
	idx pixels = s->h * s->w;
	for (idx image = from; image < to; image++)
		for (idx p = 0; p < pixels; p++)
			NAME(add_lines)((REAL *)dxv + (image * pixels + p) * s->c, (const REAL *)dyv + image * s->c, 1, 0, (REAL)1 / (REAL)pixels, s->c);
}
