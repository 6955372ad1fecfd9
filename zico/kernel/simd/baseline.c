// Vectors of 16 bytes: SSE2 on amd64, NEON on arm64.
#define ISA(x) zs_baseline_##x
#define VECTOR_BYTES 16
#define TILE1 10
#define TILE2 5
#define TILE3 4
#define GRAD1 12
#define GRAD2 6
#define GRAD3 4
#include "kernels.h"
