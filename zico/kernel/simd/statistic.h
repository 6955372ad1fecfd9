// The statistic of a layer: sums over weights of ratios between the mean and the standard deviation over the batches, in double precision whatever the type of the gradients. out: the sums and counts that package kernel lists (StatSum and so on), then one sum of squares a batch.
INLINE dvec NAME(droot)(dvec x) {
	for (int e = 0; e < DL; e++) x[e] = __builtin_sqrt(x[e]);
	return x;
}

// ratio adds mean/std where std is not 0 to *sum, at most 1000 of it to *clipped, and counts in *n.
INLINE void NAME(ratio)(dvec mean, dvec std, dvec *sum, dvec *clipped, dvec *n) {
	dmask keep = std != 0;
	dvec r = mean / (dvec)(((dmask)std & keep) | ((dmask)((dvec){0} + 1.0) & ~keep));
	r = (dvec)((dmask)r & keep);
	*sum += r;
	dmask big = r > 1000;
	*clipped += (dvec)(((dmask)((dvec){0} + 1000.0) & big) | ((dmask)r & ~big));
	*n += (dvec)((dmask)((dvec){0} + 1.0) & keep);
}

static void NAME(statistic)(const void *const *grads, idx batches, double *out, idx from, idx to) {
	dvec sum = {0}, count = {0}, clipped = {0}, abs_sum = {0}, abs_count = {0}, mean_sum = {0}, std_sum = {0}, inverse = {0}, unused = {0};
	double nb = (double)batches;
	for (idx b = 0; b < batches; b++) {
		// Squares first: one pass a batch over a stretch that stays in the cache.
		const REAL *g = grads[b];
		dvec sq = {0};
		for (idx i = from; i < to; i += DL) {
			dvec v = NAME(dload)(g + i, to - i < DL ? to - i : DL);
			sq += v * v;
		}
		out[8 + b] = 0;
		for (int e = 0; e < DL; e++) out[8 + b] += sq[e];
	}
	for (idx i = from; i < to; i += DL) {
		idx n = to - i < DL ? to - i : DL;
		dvec mean = {0}, abs_mean = {0}, std, abs_std;
		if (batches == 2) {
			// Half the distance of two is exact where they almost cancel.
			dvec g0 = NAME(dload)((const REAL *)grads[0] + i, n), g1 = NAME(dload)((const REAL *)grads[1] + i, n);
			abs_mean = (NAME(dabs)(g0) + NAME(dabs)(g1)) / 2.0;
			std = NAME(dabs)(g0 - g1) * 0.5;
			abs_std = NAME(dabs)(NAME(dabs)(g0) - NAME(dabs)(g1)) * 0.5;
		} else {
			for (idx b = 0; b < batches; b++) {
				dvec g = NAME(dload)((const REAL *)grads[b] + i, n);
				mean += g;
				abs_mean += NAME(dabs)(g);
			}
			mean /= nb;
			abs_mean /= nb;
			std = abs_std = (dvec){0};
			for (idx b = 0; b < batches; b++) {
				dvec g = NAME(dload)((const REAL *)grads[b] + i, n), d = g - mean, a = NAME(dabs)(g) - abs_mean;
				std += d * d;
				abs_std += a * a;
			}
			std = NAME(droot)(std / nb);
			abs_std = NAME(droot)(abs_std / nb);
		}
		NAME(ratio)(abs_mean, std, &sum, &clipped, &count);
		NAME(ratio)(abs_mean, abs_std, &abs_sum, &unused, &abs_count);
		mean_sum += abs_mean;
		std_sum += std;
		dmask zero = std == 0;
		// Where std is 0, 1 is divided by infinity.
		inverse += 1.0 / (dvec)(((dmask)((dvec){0} + (double)INFINITY) & zero) | ((dmask)std & ~zero));
	}
	memset(out, 0, 8 * sizeof(double));
	for (int e = 0; e < DL; e++) {
		out[0] += sum[e];
		out[1] += count[e];
		out[2] += clipped[e];
		out[3] += abs_sum[e];
		out[4] += abs_count[e];
		out[5] += mean_sum[e];
		out[6] += std_sum[e];
		out[7] += inverse[e];
	}
}
