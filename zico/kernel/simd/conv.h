// Dense convolutions. A tile of output pixels times one to three vectors of output channels stays in registers while it walks over the window and the input channels; each step multiplies one input value of each pixel by a vector of weights. Input rows are first copied into a padded scratch, so that no window has a border.

// Weights are packed in blocks of one to three vectors of output channels: [block][tap][in][width*VL]. The last vector overlaps the one before where the channels are no multiple of VL; fewer channels than VL are filled up with zeros.
static idx NAME(pack_blocks)(idx out) {
	idx v = (out + VL - 1) / VL;
	return (v + 2) / 3;
}

// block_width is the number of vectors of block b: threes, and at the end what is left, with two and two in place of three and one.
static idx NAME(block_width)(idx b, idx out) {
	idx v = (out + VL - 1) / VL, n = (v + 2) / 3;
	if (b < n - 2 || v % 3 == 0) return 3;
	if (v % 3 == 2) return b == n - 1 ? 2 : 3;
	return n == 1 ? 1 : 2;
}

// block_from is the first vector of block b.
static idx NAME(block_from)(idx b, idx out) {
	idx v = 0;
	for (idx i = 0; i < b; i++) v += NAME(block_width)(i, out);
	return v;
}

static idx NAME(pack_size)(idx taps, idx in, idx out) {
	return taps * in * ((out + VL - 1) / VL) * VL;
}

static void NAME(pack)(const void *from_w, void *to, idx k, idx in, idx out, int turn, idx kh0, idx kw0, idx step, idx from, idx upto) {
	const REAL *w = from_w;
	idx kh = (k - kh0 + step - 1) / step, kw = (k - kw0 + step - 1) / step;
	for (idx b = from; b < upto; b++) {
		idx first = NAME(block_from)(b, out), width = NAME(block_width)(b, out);
		REAL *p = (REAL *)to + kh * kw * in * first * VL;
		idx n = out < VL ? out : VL;
		for (idx i = 0; i < kh; i++)
			for (idx j = 0; j < kw; j++)
				for (idx c = 0; c < in; c++)
					for (idx v = 0; v < width; v++, p += VL) {
						idx o0 = out < VL ? 0 : BLOCK_AT(first + v, out);
						if (turn) {
							// The gradient by the input: taps in the reverse order, and the weight is [k, k, out, in].
							const REAL *s = w + (((kh0 + (kh - 1 - i) * step) * k + kw0 + (kw - 1 - j) * step) * out + o0) * in + c;
							for (idx o = 0; o < n; o++) p[o] = s[o * in];
						} else {
							const REAL *s = w + (((kh0 + i * step) * k + kw0 + j * step) * in + c) * out + o0;
							for (idx o = 0; o < n; o++) p[o] = s[o];
						}
						for (idx o = n; o < VL; o++) p[o] = 0;
					}
	}
}

// CHAIN is the greatest number of products that are added one after the other before their sum is added to the output: a longer chain loses digits in float32, and rectifiers whose input is nearly 0 then flip.
#define CHAIN 48

// AT4 is a value of pixel p of 16, by one of four pointers: a register for each pixel would not fit.
#define AT4(x, p, px, px3) (x[(p) / 4] + ((p) % 4 == 0 ? 0 : (p) % 4 == 1 ? px : (p) % 4 == 2 ? 2 * px : px3))
// KEEP hides where pointers come from, so that the compiler does not go back to one register for each pixel.
#define KEEP(x) __asm__("" : "+r"(x[0]), "+r"(x[1]), "+r"(x[2]), "+r"(x[3]))

// chain adds the products of n steps to acc. A step is one input value of each of P pixels, times V vectors of weights; with taps it is one value of each of P + 2 pixels, each times the weights of three neighbouring taps, which lie apart in w by a run of n.
INLINE void NAME(chain)(const int P, const int V, const int taps, vec acc[16][3], const REAL *from, idx px, const REAL *w, idx n) {
	const REAL *x[5] = {from, from + 4 * px, from + 8 * px, from + 12 * px, from + 16 * px};
	idx px3 = 3 * px;
	for (idx j = 0; j < n; j++, w += V * VL) {
		vec wv[3];
		if (taps) {
#pragma GCC unroll 3
			for (int t = 0; t < 3; t++) wv[t] = LOAD(w + t * px * VL);
#pragma GCC unroll 18
			for (int p = 0; p < P + 2; p++) {
				REAL s = *AT4(x, p, px, px3);
				if (p < P) acc[p][0] += s * wv[0];
				if (p >= 1 && p < P + 1) acc[p - 1][0] += s * wv[1];
				if (p >= 2) acc[p - 2][0] += s * wv[2];
			}
		} else {
#pragma GCC unroll 3
			for (int v = 0; v < V; v++) wv[v] = LOAD(w + v * VL);
#pragma GCC unroll 16
			for (int p = 0; p < P; p++) {
				REAL s = *AT4(x, p, px, px3);
#pragma GCC unroll 3
				for (int v = 0; v < V; v++) acc[p][v] += s * wv[v];
			}
		}
#pragma GCC unroll 5
		for (int i = 0; i < 5; i++) x[i]++;
		KEEP(x);
	}
}

// tile computes P pixels times V vectors of output channels. x is the first pixel's window, px the distance of pixels in it, xrow that of rows; w are packed weights; y the first output pixel, py the distance of pixels there, last the place of the last vector, n the number of channels if there are fewer than VL. taps tells that windows have three columns and lie side by side.
INLINE void NAME(tile)(const int P, const int V, const int taps, const REAL *x, idx xrow, idx px, const REAL *w, const REAL *bias, idx kh, idx run, REAL *y, idx py, idx last, idx n) {
	idx steps = taps ? px : run, most = taps ? CHAIN / 3 : CHAIN;
	for (idx i = 0; i < kh; i++, x += xrow, w += run * V * VL)
		for (idx j = 0, end; j < steps; j = end) {
			vec acc[16][3];
#pragma GCC unroll 16
			for (int p = 0; p < P; p++)
#pragma GCC unroll 3
				for (int v = 0; v < V; v++) acc[p][v] = (vec){0};
			int fresh = i == 0 && j == 0;
			end = steps - j <= most + most / 2 ? steps : j + most;
			NAME(chain)(P, V, taps, acc, x + j, px, w + j * V * VL, end - j);
			if (n < VL) {
#pragma GCC unroll 16
				for (int p = 0; p < P; p++)
					for (idx o = 0; o < n; o++) y[p * py + o] = acc[p][0][o] + (!fresh ? y[p * py + o] : bias ? bias[o] : 0);
				continue;
			}
#pragma GCC unroll 16
			for (int p = 0; p < P; p++) {
				// All loads come before the stores: the last vector may overlap the one before.
				vec old[3];
#pragma GCC unroll 3
				for (int v = 0; v < V; v++) {
					idx at = v < V - 1 ? v * VL : last;
					old[v] = !fresh ? LOAD(y + p * py + at) : bias ? LOAD(bias + at) : (vec){0};
				}
#pragma GCC unroll 3
				for (int v = 0; v < V; v++) STORE(y + p * py + (v < V - 1 ? v * VL : last), old[v] + acc[p][v]);
			}
		}
}

#define TILE_ARGS const REAL *x, idx xrow, idx px, const REAL *w, const REAL *bias, idx kh, idx run, REAL *y, idx py, idx last, idx n
#define TILE_CASE(P, V, MAX, TAPS) \
	case P: \
		if (P <= MAX) NAME(tile)(P <= MAX ? P : 1, V, TAPS, x, xrow, px, w, bias, kh, run, y, py, last, n); \
		break;
static __attribute__((noinline)) void NAME(tile1)(idx p, TILE_ARGS) {
	switch (p) {
		TILE_CASE(1, 1, TILE1, 0) TILE_CASE(2, 1, TILE1, 0) TILE_CASE(3, 1, TILE1, 0) TILE_CASE(4, 1, TILE1, 0) TILE_CASE(5, 1, TILE1, 0) TILE_CASE(6, 1, TILE1, 0) TILE_CASE(7, 1, TILE1, 0) TILE_CASE(8, 1, TILE1, 0)
		TILE_CASE(9, 1, TILE1, 0) TILE_CASE(10, 1, TILE1, 0) TILE_CASE(11, 1, TILE1, 0) TILE_CASE(12, 1, TILE1, 0) TILE_CASE(13, 1, TILE1, 0) TILE_CASE(14, 1, TILE1, 0) TILE_CASE(15, 1, TILE1, 0) TILE_CASE(16, 1, TILE1, 0)
	}
}
static __attribute__((noinline)) void NAME(tile_taps)(idx p, TILE_ARGS) {
	switch (p) {
		TILE_CASE(1, 1, TILE1, 1) TILE_CASE(2, 1, TILE1, 1) TILE_CASE(3, 1, TILE1, 1) TILE_CASE(4, 1, TILE1, 1) TILE_CASE(5, 1, TILE1, 1) TILE_CASE(6, 1, TILE1, 1) TILE_CASE(7, 1, TILE1, 1) TILE_CASE(8, 1, TILE1, 1)
		TILE_CASE(9, 1, TILE1, 1) TILE_CASE(10, 1, TILE1, 1) TILE_CASE(11, 1, TILE1, 1) TILE_CASE(12, 1, TILE1, 1) TILE_CASE(13, 1, TILE1, 1) TILE_CASE(14, 1, TILE1, 1) TILE_CASE(15, 1, TILE1, 1) TILE_CASE(16, 1, TILE1, 1)
	}
}
static __attribute__((noinline)) void NAME(tile2)(idx p, TILE_ARGS) {
	switch (p) {
		TILE_CASE(1, 2, TILE2, 0) TILE_CASE(2, 2, TILE2, 0) TILE_CASE(3, 2, TILE2, 0) TILE_CASE(4, 2, TILE2, 0) TILE_CASE(5, 2, TILE2, 0) TILE_CASE(6, 2, TILE2, 0) TILE_CASE(7, 2, TILE2, 0) TILE_CASE(8, 2, TILE2, 0)
	}
}
static __attribute__((noinline)) void NAME(tile3)(idx p, TILE_ARGS) {
	switch (p) {
		TILE_CASE(1, 3, TILE3, 0) TILE_CASE(2, 3, TILE3, 0) TILE_CASE(3, 3, TILE3, 0) TILE_CASE(4, 3, TILE3, 0) TILE_CASE(5, 3, TILE3, 0) TILE_CASE(6, 3, TILE3, 0) TILE_CASE(7, 3, TILE3, 0) TILE_CASE(8, 3, TILE3, 0)
	}
}
#undef TILE_CASE
#undef TILE_ARGS
#undef AT4
#undef KEEP
#undef CHAIN

// row computes n output pixels in a row for one block of channels, in tiles of nearly equal size.
static void NAME(row)(const zs_conv *s, idx count, const REAL *x, idx xrow, const REAL *packed, const REAL *bias, REAL *y) {
	idx run = s->kw * s->c, px = s->stride * s->c, py = s->ystride * s->o;
	idx blocks = NAME(pack_blocks)(s->o), first = 0;
	for (idx b = 0; b < blocks; b++) {
		idx v = NAME(block_width)(b, s->o), o0 = first * VL;
		idx n = s->o < VL ? s->o : VL, last = n < VL ? 0 : BLOCK_AT(first + v - 1, s->o) - o0;
		const REAL *w = packed + s->kh * run * first * VL;
		idx most = v == 1 ? TILE1 : v == 2 ? TILE2 : TILE3;
		idx tiles = (count + most - 1) / most;
		for (idx t = 0, p = 0; t < tiles; t++) {
			idx size = (count - p + tiles - t - 1) / (tiles - t);
			const REAL *xt = x + p * px;
			REAL *yt = y + p * py + o0;
			const REAL *bt = bias ? bias + o0 : NULL;
			if (v == 1 && s->kw == 3 && s->stride == 1 && s->c >= VL)
				NAME(tile_taps)(size, xt, xrow, px, w, bt, s->kh, run, yt, py, last, n);
			else if (v == 1)
				NAME(tile1)(size, xt, xrow, px, w, bt, s->kh, run, yt, py, last, n);
			else if (v == 2)
				NAME(tile2)(size, xt, xrow, px, w, bt, s->kh, run, yt, py, last, n);
			else
				NAME(tile3)(size, xt, xrow, px, w, bt, s->kh, run, yt, py, last, n);
			p += size;
		}
		first += v;
	}
}

// is_flat tells whether the pixels of all images are one long row: 1x1 windows side by side.
static int NAME(is_flat)(const zs_conv *s) {
	return s->kh == 1 && s->kw == 1 && s->stride == 1 && s->top == 0 && s->left == 0 && s->ystride == 1 && s->oh == s->h && s->ow == s->w;
}

// padded_rows copies what the output rows r0 to r1 of a picture read into scratch, with zeros around, and returns it. *xrow is the distance of its rows. Windows that lie within the picture need no copy.
static const REAL *NAME(padded_rows)(const zs_conv *s, const REAL *x, idx r0, idx r1, idx *xrow) {
	idx lo = r0 * s->stride - s->top, hi = (r1 - 1) * s->stride - s->top + s->kh;
	idx width = (s->ow - 1) * s->stride + s->kw;
	if (lo >= 0 && hi <= s->h && s->left <= 0 && width - s->left <= s->w) {
		*xrow = s->w * s->c;
		return x + (lo * s->w - s->left) * s->c;
	}
	REAL *p = zs_scratch(0, (size_t)((hi - lo) * width * s->c) * sizeof(REAL));
	*xrow = width * s->c;
	// Columns of the picture that the windows reach: from a to b, at offset a + left in the scratch.
	idx a = s->left < 0 ? -s->left : 0, b = width - s->left < s->w ? width - s->left : s->w;
	for (idx r = lo; r < hi; r++) {
		REAL *q = p + (r - lo) * width * s->c;
		if (r < 0 || r >= s->h || a >= b) {
			memset(q, 0, (size_t)(width * s->c) * sizeof(REAL));
			continue;
		}
		memset(q, 0, (size_t)((a + s->left) * s->c) * sizeof(REAL));
		memcpy(q + (a + s->left) * s->c, x + (r * s->w + a) * s->c, (size_t)((b - a) * s->c) * sizeof(REAL));
		memset(q + (b + s->left) * s->c, 0, (size_t)((width - b - s->left) * s->c) * sizeof(REAL));
	}
	return p;
}

// A task of conv is s->rows output rows of one image (or fewer, at its end); of flat pictures, s->rows pixels.
static void NAME(conv)(const zs_conv *s, const void *xv, const void *packed, const void *bias, void *yv, idx from, idx to) {
	const REAL *x = xv;
	REAL *y = yv;
	if (NAME(is_flat)(s)) {
		idx pixels = s->images * s->h * s->w;
		for (idx t = from; t < to; t++) {
			idx p = t * s->rows, n = pixels - p < s->rows ? pixels - p : s->rows;
			NAME(row)(s, n, x + p * s->c, 0, packed, bias, y + p * s->o);
		}
		return;
	}
	idx parts = (s->oh + s->rows - 1) / s->rows;
	for (idx t = from; t < to; t++) {
		idx image = t / parts, r0 = t % parts * s->rows, r1 = r0 + s->rows < s->oh ? r0 + s->rows : s->oh, xrow;
		const REAL *p = NAME(padded_rows)(s, x + image * s->h * s->w * s->c, r0, r1, &xrow);
		for (idx r = r0; r < r1; r++)
			NAME(row)(s, s->ow, p + (r - r0) * s->stride * xrow, xrow, packed, bias, y + ((image * s->yh + r * s->ystride + s->yrow) * s->yw + s->ycol) * s->o);
	}
}

// grad_tile adds to out[J][V*VL] (rows apart by ld) the products of J neighbouring input values and V vectors of output gradients over rows times count pixels. last is the place of the last vector.
INLINE void NAME(grad_tile)(const int J, const int V, const REAL *x, idx xrow, idx px, const REAL *dy, idx dyrow, idx o, idx rows, idx count, idx last, REAL *out, idx ld) {
	vec acc[24][3];
#pragma GCC unroll 24
	for (int j = 0; j < J; j++)
#pragma GCC unroll 3
		for (int v = 0; v < V; v++) acc[j][v] = (vec){0};
	for (idx r = 0; r < rows; r++) {
		const REAL *xp = x + r * xrow, *dp = dy + r * dyrow;
		for (idx p = 0; p < count; p++, xp += px, dp += o) {
			vec d[3];
#pragma GCC unroll 3
			for (int v = 0; v < V; v++) d[v] = LOAD(dp + (v < V - 1 ? v * VL : last));
#pragma GCC unroll 24
			for (int j = 0; j < J; j++) {
				REAL a = xp[j];
#pragma GCC unroll 3
				for (int v = 0; v < V; v++) acc[j][v] += a * d[v];
			}
		}
	}
#pragma GCC unroll 24
	for (int j = 0; j < J; j++)
#pragma GCC unroll 3
		for (int v = 0; v < V; v++) STORE(out + j * ld + v * VL, LOAD(out + j * ld + v * VL) + acc[j][v]);
}

#define GRAD_ARGS const REAL *x, idx xrow, idx px, const REAL *dy, idx dyrow, idx o, idx rows, idx count, idx last, REAL *out, idx ld
// grad_run walks over n neighbouring input values in tiles of MOST, then of 4 and of 1.
#define GRAD_RUN(V, MOST) \
	static __attribute__((noinline)) void NAME(grad_run##V)(idx n, GRAD_ARGS) { \
		idx j = 0; \
		for (; j + MOST <= n; j += MOST) NAME(grad_tile)(MOST, V, x + j, xrow, px, dy, dyrow, o, rows, count, last, out + j * ld, ld); \
		for (; j + 8 <= n; j += 8) NAME(grad_tile)(8 < MOST ? 8 : 1, V, x + j, xrow, px, dy, dyrow, o, rows, count, last, out + j * ld, ld); \
		for (; j + 4 <= n; j += 4) NAME(grad_tile)(4, V, x + j, xrow, px, dy, dyrow, o, rows, count, last, out + j * ld, ld); \
		for (; j < n; j++) NAME(grad_tile)(1, V, x + j, xrow, px, dy, dyrow, o, rows, count, last, out + j * ld, ld); \
	}
GRAD_RUN(1, GRAD1)
GRAD_RUN(2, GRAD2)
GRAD_RUN(3, GRAD3)
#undef GRAD_RUN
#undef GRAD_ARGS

// grad_size is the number of values of one partial gradient: [kh][kw*c][vectors*VL].
static idx NAME(grad_size)(const zs_conv *s) {
	return s->kh * s->kw * s->c * ((s->o + VL - 1) / VL) * VL;
}

// grad_rows adds to the gradient out what rows times count output pixels give: p is the first one's window, xrow the distance of rows of pixels there; dy its gradient, in rows dyrow apart of pixels o apart.
static void NAME(grad_rows)(const zs_conv *s, const REAL *p, idx xrow, const REAL *dy, idx dyrow, idx o, idx rows, idx count, REAL *out) {
	idx run = s->kw * s->c, px = s->stride * s->c, vectors = (s->o + VL - 1) / VL, ld = vectors * VL;
	for (idx i = 0; i < s->kh; i++)
		for (idx v = 0; v < vectors;) {
			idx left = vectors - v, n = left == 4 ? 2 : left < 3 ? left : 3, at = v * VL;
			idx last = s->o < VL ? 0 : BLOCK_AT(v + n - 1, s->o) - at;
			const REAL *xp = p + i * xrow, *d = dy + at;
			REAL *to = out + i * run * ld + at;
			if (n == 1)
				NAME(grad_run1)(run, xp, s->stride * xrow, px, d, dyrow, o, rows, count, last, to, ld);
			else if (n == 2)
				NAME(grad_run2)(run, xp, s->stride * xrow, px, d, dyrow, o, rows, count, last, to, ld);
			else
				NAME(grad_run3)(run, xp, s->stride * xrow, px, d, dyrow, o, rows, count, last, to, ld);
			v += n;
		}
}

// A task of conv_weight_grad is one image; a range of them makes one partial gradient. s->rows rows at a time (of flat pictures, pixels) keep input and gradient in the first cache.
static void NAME(conv_weight_grad)(const zs_conv *s, const void *xv, const void *dyv, void *partial, idx from, idx to) {
	REAL *out = partial;
	memset(out, 0, (size_t)NAME(grad_size)(s) * sizeof(REAL));
	int flat = NAME(is_flat)(s);
	idx height = flat ? 1 : s->oh, width = flat ? s->oh * s->ow : s->ow;
	idx rows = flat ? 1 : s->rows, cols = flat ? s->rows : width;
	for (idx image = from; image < to; image++) {
		const REAL *x = (const REAL *)xv + image * s->h * s->w * s->c, *dy = (const REAL *)dyv + image * s->oh * s->ow * s->o;
		idx o = s->o;
		if (o < VL) {
			// Vectors would reach into the next pixel: fill up with zeros.
			REAL *q = zs_scratch(1, (size_t)(s->oh * s->ow * VL) * sizeof(REAL));
			for (idx p = 0; p < s->oh * s->ow; p++)
				for (idx e = 0; e < VL; e++) q[p * VL + e] = e < o ? dy[p * o + e] : 0;
			dy = q;
			o = VL;
		}
		for (idx r = 0; r < height; r += rows) {
			idx r1 = r + rows < height ? r + rows : height, xrow = 0;
			const REAL *p = flat ? x : NAME(padded_rows)(s, x, r, r1, &xrow);
			for (idx q = 0; q < width; q += cols)
				NAME(grad_rows)(s, p + q * s->stride * s->c, xrow, dy + (r * width + q) * o, width * o, o, r1 - r, width - q < cols ? width - q : cols, out);
		}
	}
}

// grad_sum adds up n partial gradients and drops their padding: rows from to to of dw [kh*kw*c][o].
static void NAME(grad_sum)(const zs_conv *s, const void *partials, idx n, void *dwv, idx from, idx to) {
	idx vectors = (s->o + VL - 1) / VL, ld = vectors * VL, size = NAME(grad_size)(s);
	for (idx i = from; i < to; i++) {
		const REAL *p = (const REAL *)partials + i * ld;
		REAL *dw = (REAL *)dwv + i * s->o;
		for (idx v = 0; v < vectors; v++) {
			vec sum = LOAD(p + v * VL);
			for (idx k = 1; k < n; k++) sum += LOAD(p + k * size + v * VL);
			if (s->o >= VL)
				STORE(dw + BLOCK_AT(v, s->o), sum);
			else
				for (idx o = 0; o < s->o; o++) dw[o] = sum[o];
		}
	}
}
