// Vectors of double, for sums in double precision whatever the type of the values: those of float are widened on the way, DL at a time.
#define DL (VECTOR_BYTES / 8)
typedef double NAME(dvec) __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
typedef int64_t NAME(dmask) __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
typedef REAL NAME(part) __attribute__((vector_size(DL * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
typedef INT NAME(ipart) __attribute__((vector_size(DL * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
#define dvec NAME(dvec)
#define dmask NAME(dmask)

INLINE dvec NAME(dabs)(dvec x) {
	return (dvec)((dmask)x & INT64_MAX);
}

// dwhere keeps the values of a where the mask is set, zeros elsewhere.
INLINE dvec NAME(dwhere)(dmask mask, dvec a) {
	return (dvec)(mask & (dmask)a);
}

// dload widens n values, DL or the few that are left. WIDEN is the instruction that does so with floats, for which GCC has five.
INLINE dvec NAME(dload)(const REAL *g, idx n) {
#ifdef WIDEN
	if (n == DL && sizeof(REAL) == 4) return (dvec)WIDEN((const float *)g);
#endif
	if (n == DL) return __builtin_convertvector(*(const NAME(part) *)g, dvec);
	dvec v = {0};
	for (idx e = 0; e < n; e++) v[e] = (double)g[e];
	return v;
}

#define DLOAD(p) NAME(dload)(p, DL)

// dsum adds up the values of a vector.
INLINE double NAME(dsum)(dvec v) {
	double s = 0;
	for (int e = 0; e < DL; e++) s += v[e];
	return s;
}
