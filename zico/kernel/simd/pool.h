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

// add_scaled sets (or adds to) y[n] x times f.
INLINE void NAME(add_scaled)(int set, REAL *y, const REAL *x, REAL f, idx n) {
	idx i = 0;
	for (; i + VL <= n; i += VL) STORE(y + i, set ? LOAD(x + i) * f : LOAD(y + i) + LOAD(x + i) * f);
	for (; i < n; i++) y[i] = set ? x[i] * f : y[i] + x[i] * f;
}

// Sums over windows are sums over their rows, then over their columns.
static void NAME(avgpool)(const zs_pool *s, const void *xv, void *yv, idx from, idx to) {
	idx line = s->w * s->c;
	REAL *sum = zs_scratch(0, (size_t)line * sizeof(REAL));
	for (idx image = from; image < to; image++) {
		const REAL *x = (const REAL *)xv + image * s->h * line;
		REAL *y = (REAL *)yv + image * s->oh * s->ow * s->c;
		for (idx i = 0; i < s->oh; i++) {
			idx a, b, rows = NAME(span)(s, i, s->h, &a, &b);
			for (idx r = a; r < b; r++) NAME(add_scaled)(r == a, sum, x + r * line, 1, line);
			for (idx j = 0; j < s->ow; j++, y += s->c) {
				idx l, m, cols = NAME(span)(s, j, s->w, &l, &m);
				REAL f = (REAL)1 / (REAL)(rows * cols);
				for (idx q = l; q < m; q++) NAME(add_scaled)(q == l, y, sum + q * s->c, f, s->c);
			}
		}
	}
}

static void NAME(avgpool_grad)(const zs_pool *s, const void *dyv, void *dxv, idx from, idx to) {
	idx line = s->ow * s->c, a, b, l, m;
	REAL *sum = zs_scratch(0, (size_t)line * sizeof(REAL));
	for (idx image = from; image < to; image++) {
		const REAL *dy = (const REAL *)dyv + image * s->oh * line;
		REAL *dx = (REAL *)dxv + image * s->h * s->w * s->c;
		for (idx i = 0; i < s->h; i++) {
			NAME(covers)(s, i, s->oh, &a, &b);
			if (a >= b) memset(sum, 0, (size_t)line * sizeof(REAL));
			for (idx r = a; r < b; r++) {
				REAL f = (REAL)1 / (REAL)NAME(span)(s, r, s->h, &l, &m);
				NAME(add_scaled)(r == a, sum, dy + r * line, f, line);
			}
			for (idx j = 0; j < s->w; j++, dx += s->c) {
				idx q0, q1;
				NAME(covers)(s, j, s->ow, &q0, &q1);
				if (q0 >= q1) memset(dx, 0, (size_t)s->c * sizeof(REAL));
				for (idx q = q0; q < q1; q++) {
					REAL f = (REAL)1 / (REAL)NAME(span)(s, q, s->w, &l, &m);
					NAME(add_scaled)(q == q0, dx, sum + q * s->c, f, s->c);
				}
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
			for (idx q = 0; q < s->w; q++) NAME(add_scaled)(q == 0, line, x + (r * s->w + q) * s->c, 1, s->c);
			NAME(add_scaled)(r == 0, y, line, 1, s->c);
		}
		for (idx e = 0; e < s->c; e++) y[e] /= (REAL)(s->h * s->w);
	}
}

static void NAME(globalpool_grad)(const zs_pool *s, const void *dyv, void *dxv, idx from, idx to) {
	idx pixels = s->h * s->w;
	for (idx image = from; image < to; image++)
		for (idx p = 0; p < pixels; p++)
			NAME(add_scaled)(1, (REAL *)dxv + (image * pixels + p) * s->c, (const REAL *)dyv + image * s->c, (REAL)1 / (REAL)pixels, s->c);
}
