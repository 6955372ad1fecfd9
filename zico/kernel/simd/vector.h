// Included once for each type of values by the file of each instruction set, which defines REAL, INT (an integer as wide), VL (values in a vector), TILE1 to TILE3 (output pixels that a convolution holds in registers beside 1 to 3 vectors of channels), GRAD1 to GRAD3 (the same for gradients: input channels), and NAME(x).
typedef REAL NAME(vec) __attribute__((vector_size(VL * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
typedef INT NAME(ivec) __attribute__((vector_size(VL * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
#define vec NAME(vec)
#define ivec NAME(ivec)
#define LOAD(p) (*(const vec *)(p))
#define STORE(p, v) (*(vec *)(p) = (v))
#define INLINE static inline __attribute__((always_inline))

// where keeps the values of a where the mask is set, zeros elsewhere.
INLINE vec NAME(where)(ivec mask, vec a) {
	return (vec)(mask & (ivec)a);
}

// The channels of a picture are taken a vector at a time. Where their number is no multiple of VL the last vector overlaps the one before: its values are computed twice, alike.
#define BLOCKS(c) (((c) + VL - 1) / VL)
#define BLOCK_AT(b, c) ((b) * VL + VL <= (c) ? (b) * VL : (c) - VL)

#include "double.h"
#include "conv.h"
#include "depthwise.h"
#include "norm.h"
#include "elementwise.h"
#include "pool.h"
#include "statistic.h"
#include "products.h"
#include "signs.h"
#include "gram.h"

const zs_kernels NAME(kernels) = {
	.pack_size = NAME(pack_size),
	.pack = NAME(pack),
	.pack_blocks = NAME(pack_blocks),
	.conv = NAME(conv),
	.grad_size = NAME(grad_size),
	.conv_weight_grad = NAME(conv_weight_grad),
	.grad_sum = NAME(grad_sum),
	.depthwise = NAME(depthwise),
	.depthwise_weight_grad = NAME(depthwise_weight_grad),
	.moments = NAME(moments),
	.conv_moments = NAME(conv_moments),
	.merge = NAME(merge),
	.products = NAME(products),
	.normalize_grad = NAME(normalize_grad),
	.conv_norm_grad = NAME(conv_norm_grad),
	.statistic = NAME(statistic),
	.channel_sums = NAME(channel_sums),
	.norm_tangent = NAME(norm_tangent),
	.weight_products = NAME(weight_products),
	.distance = NAME(distance),
	.signs = NAME(signs),
	.agree = ISA(agree),
	.sign_sum = NAME(sign_sum),
	.gram = NAME(gram),
	.sum = NAME(sum),
	.avgpool = NAME(avgpool),
	.avgpool_grad = NAME(avgpool_grad),
	.maxpool = NAME(maxpool),
	.maxpool_grad = NAME(maxpool_grad),
	.globalpool = NAME(globalpool),
	.globalpool_grad = NAME(globalpool_grad),
};

#undef vec
#undef ivec
#undef LOAD
#undef STORE
#undef INLINE
#undef BLOCKS
#undef BLOCK_AT
#undef DL
#undef DLOAD
#undef dvec
#undef dmask
