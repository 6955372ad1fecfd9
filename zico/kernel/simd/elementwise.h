// Operations on each value alone; ranges are of values.

static void NAME(sum)(const zs_sum *s, void *yv, idx from, idx to) {
	REAL *y = yv;
	// A stretch at a time, which stays in registers and the first cache while the inputs are added to it.
	enum { STRETCH = 8 };
	idx i = from;
	for (; i + STRETCH * VL <= to; i += STRETCH * VL) {
		vec acc[STRETCH], part[STRETCH];
		const void *const *in = s->in;
		for (int e = 0; e < STRETCH; e++) acc[e] = s->terms > 0 ? LOAD((const REAL *)in[0] + i + e * VL) : (vec){0};
		for (idx t = 1; t < s->terms; t++)
			for (int e = 0; e < STRETCH; e++) acc[e] += LOAD((const REAL *)in[t] + i + e * VL);
		in += s->terms;
		for (idx m = 0; m < s->masks; m++) {
			for (int e = 0; e < STRETCH; e++) part[e] = LOAD((const REAL *)in[1] + i + e * VL);
			for (idx t = 1; t < s->masked[m]; t++)
				for (int e = 0; e < STRETCH; e++) part[e] += LOAD((const REAL *)in[1 + t] + i + e * VL);
			for (int e = 0; e < STRETCH; e++) acc[e] += NAME(where)(LOAD((const REAL *)in[0] + i + e * VL) > 0, part[e]);
			in += 1 + s->masked[m];
		}
		for (int e = 0; e < STRETCH; e++) STORE(y + i + e * VL, acc[e]);
	}
	for (; i < to; i++) {
		const void *const *in = s->in;
		REAL acc = 0;
		for (idx t = 0; t < s->terms; t++) acc += ((const REAL *)in[t])[i];
		in += s->terms;
		for (idx m = 0; m < s->masks; m++) {
			REAL part = 0;
			for (idx t = 0; t < s->masked[m]; t++) part += ((const REAL *)in[1 + t])[i];
			acc += ((const REAL *)in[0])[i] > 0 ? part : 0;
			in += 1 + s->masked[m];
		}
		y[i] = acc;
	}
}
