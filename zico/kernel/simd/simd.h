// The interface between Go and the vector kernels. Activations are [images, height, width, channels], weights [k, k, in, out] or, depthwise, [k, k, channels]; all are dense and row-major. Every function works on a range of tasks, so that callers can spread the tasks over threads; the result does not depend on how they do.
#ifndef ZEROSHOT_SIMD_H
#define ZEROSHOT_SIMD_H

#include <stddef.h>
#include <stdint.h>

typedef int64_t idx;

// zs_conv is a convolution of a padded picture: the output pixel (i, j) reads the window that begins at (i*stride - top, j*stride - left), and is written to the picture y at (i*ystride + yrow, j*ystride + ycol). Only the gradient by the input of a strided convolution needs ystride, yrow and ycol.
typedef struct {
	idx images;
	idx h, w, c;       // input pictures
	idx kh, kw;        // window
	idx stride;        // between windows
	idx top, left;     // padding before the first row and column; rows and columns beyond the picture are zero
	idx oh, ow, o;     // output
	idx yh, yw;        // picture that the output is written to
	idx ystride, yrow, ycol;
	idx rows;          // output rows of a task
} zs_conv;

typedef struct {
	idx images, h, w, c;
	idx k, stride, pad;
	idx oh, ow;
	idx countpad;
} zs_pool;

// zs_sum adds terms inputs and then, for each mask, the sum of masked[m] inputs where the mask is positive.
typedef struct {
	idx terms;
	idx masks;
	idx masked[3];
	const void *in[32];
} zs_sum;

// The stats of a batch norm are [3][c]: the mean, what rounding to the type of the values took from it, and the inverse standard deviation. Without the second, values near the mean, which rectifiers decide about, would lose a digit.

// zs_merge adds terms pictures and normalized ones with their stats.
typedef struct {
	idx pixels, c;
	idx terms, normalized;
	const void *in[32];
	const void *stats[32];
	void *sum, *relu; // NULL where not wanted
} zs_merge;

// zs_sums says what channel_sums adds up over the pixels of an image, for each channel; products.h lists the inputs and the sums.
typedef struct {
	int what, relu;
	idx pixels, c;
	const void *in[4];
	const void *stats;
} zs_sums;

enum { ZS_NORM_SUMS, ZS_CHANNEL_SUMS, ZS_TANGENT_SUMS };

// ZS_GRAM_BLOCK is the number of weights whose products gram adds up at once: 128 gradients of as many, in double precision, stay in the second cache.
#define ZS_GRAM_BLOCK 384

// ZS_AGREE_ROWS images are compared with another at once: the size of a task of agree.
#define ZS_AGREE_ROWS 4

typedef struct {
	// Packed weights: pack_size values. turn swaps the channels and turns the window; (kh0, kw0) and step choose every step-th tap.
	idx (*pack_size)(idx taps, idx in, idx out);
	void (*pack)(const void *w, void *packed, idx k, idx in, idx out, int turn, idx kh0, idx kw0, idx step, idx from, idx to);
	idx (*pack_blocks)(idx out);

	void (*conv)(const zs_conv *s, const void *x, const void *packed, const void *bias, void *y, idx from, idx to);
	idx (*grad_size)(const zs_conv *s);
	void (*conv_weight_grad)(const zs_conv *s, const void *x, const void *dy, void *partial, idx from, idx to);
	void (*grad_sum)(const zs_conv *s, const void *partials, idx n, void *dw, idx from, idx to);

	void (*depthwise)(const zs_conv *s, const void *x, const void *w, void *y, idx from, idx to);
	void (*depthwise_weight_grad)(const zs_conv *s, const void *x, const void *dy, double *partial, idx from, idx to);

	void (*moments)(const void *x, idx pixels, idx c, double *mean, double *m2, idx from, idx to);
	void (*conv_moments)(const zs_conv *s, int depthwise, const void *x, const void *w, void *y, double *mean, double *m2, idx from, idx to);
	void (*merge)(const zs_merge *s, idx from, idx to);
	void (*products)(const void *dy, const void *x, const void *stats, int relu, idx pixels, idx c, double *sum, double *product, idx from, idx to);
	void (*normalize_grad)(const void *dy, const void *x, const void *stats, const void *means, int relu, idx pixels, idx c, void *dx, idx from, idx to);
	void (*conv_norm_grad)(const zs_conv *s, const void *g, const void *z, const void *stats, const void *means, int relu, const void *x, const void *packed, const void *add, int masked, void *dx, void *partial, idx from, idx to);

	// The eight sums of the statistic of gradients and their sums of squares, one a batch, of values from to to.
	void (*statistic)(const void *const *grads, idx batches, double *out, idx from, idx to);

	void (*channel_sums)(const zs_sums *s, double *out, idx from, idx to);
	void (*norm_tangent)(const zs_sums *s, const void *factors, void *dxt, idx from, idx to);
	void (*weight_products)(const void *w, const void *g, double *out, idx from, idx to);
	void (*distance)(const void *a, const void *b, idx n, double *out, idx from, idx to);

	// Signs as bits, in whole vectors, and the number of those that agree in each two of the images: [images][images].
	void (*signs)(const void *y, idx n, void *bits, idx from, idx to);
	void (*agree)(const void *bits, idx words, idx images, idx values, double *out, idx from, idx to);

	void (*sign_sum)(const void *const *grads, idx n, double *out, idx from, idx to);
	void (*gram)(const void *const *grads, idx n, double *out, idx from, idx to);

	void (*sum)(const zs_sum *s, void *y, idx from, idx to);

	void (*avgpool)(const zs_pool *s, const void *x, void *y, idx from, idx to);
	void (*avgpool_grad)(const zs_pool *s, const void *dy, void *dx, idx from, idx to);
	void (*maxpool)(const zs_pool *s, const void *x, void *y, idx from, idx to);
	void (*maxpool_grad)(const zs_pool *s, const void *x, const void *dy, void *dx, idx from, idx to);
	void (*globalpool)(const zs_pool *s, const void *x, void *y, idx from, idx to);
	void (*globalpool_grad)(const zs_pool *s, const void *dy, void *dx, idx from, idx to);
} zs_kernels;

// zs_scratch returns memory of the calling thread that lasts until its next call with that slot (0 or 1) on that thread.
void *zs_scratch(int slot, size_t bytes);

// zs_alloc returns memory that begins with a cache line, for free.
void *zs_alloc(size_t bytes);

// zs_find returns the kernels of an instruction set for values of 4 or 8 bytes, or NULL if this processor or program has none.
const zs_kernels *zs_find(const char *isa, int bytes);

#endif
