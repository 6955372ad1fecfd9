// The kernels of one instruction set, for both types of values.
#include <math.h>
#include <string.h>

#include "simd.h"

void ISA(agree)(const void *bits, idx words, idx images, idx values, double *out, idx from, idx to);

#define REAL float
#define INT int32_t
#define VL (VECTOR_BYTES / 4)
#define NAME(x) ISA(f32_##x)
#include "vector.h"
#undef REAL
#undef INT
#undef VL
#undef NAME

#define REAL double
#define INT int64_t
#define VL (VECTOR_BYTES / 8)
#define NAME(x) ISA(f64_##x)
#include "vector.h"
