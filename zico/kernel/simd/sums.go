package simd

/*
#include <stdlib.h>
#include <string.h>
#include "simd.h"

static void zs_channel_sums(const zs_kernels *k, zs_sums s, double *out, idx from, idx to) { k->channel_sums(&s, out, from, to); }
static void zs_norm_tangent(const zs_kernels *k, zs_sums s, const void *factors, void *dxt, idx from, idx to) { k->norm_tangent(&s, factors, dxt, from, to); }
static void zs_weight_products(const zs_kernels *k, const void *w, const void *g, double *out, idx from, idx to) { k->weight_products(w, g, out, from, to); }
static void zs_distance(const zs_kernels *k, const void *a, const void *b, idx n, double *out, idx from, idx to) { k->distance(a, b, n, out, from, to); }
static void zs_signs(const zs_kernels *k, const void *y, idx n, void *bits, idx from, idx to) { k->signs(y, n, bits, from, to); }
static void zs_agree(const zs_kernels *k, const void *bits, idx words, idx images, idx values, double *out, idx from, idx to) { k->agree(bits, words, images, values, out, from, to); }
static void zs_sign_sum(const zs_kernels *k, const void *const *grads, idx n, double *out, idx from, idx to) { k->sign_sum(grads, n, out, from, to); }
static void zs_gram(const zs_kernels *k, const void *const *grads, idx n, double *out, idx from, idx to) { k->gram(grads, n, out, from, to); }
*/
import "C"

import (
	"unsafe"
)

// What proxies other than ZiCo add up. Everything is added up in double precision.

// WeightProducts adds up |w*g|, w*g, w*w and g*g over n weights and their gradients.
func (k *Kernels) WeightProducts(n int, w, g unsafe.Pointer, out []float64) {
	k.stretches(n, out, func(part *C.double, from, to int) {
		C.zs_weight_products(k.c, w, g, part, C.idx(from), C.idx(to))
	})
}

// sums calls f with the sums over the pixels of pictures [images, pixels, c], [images, n, c].
func (k *Kernels) sums(images, n int, s C.zs_sums, f func(sums []float64)) {
	c := int(s.c)
	p := C.malloc(C.size_t(8 * images * n * c))
	defer C.free(p)
	parallel(images, grain(int(s.pixels)*c), func(from, to int) {
		C.zs_channel_sums(k.c, s, (*C.double)(p), C.idx(from), C.idx(to))
	})
	f(floats(p, images*n*c))
}

// totals adds up sums [images, n, c] over the images, in order.
func totals(sums []float64, n int) []float64 {
	total := make([]float64, n)
	for ; len(sums) > 0; sums = sums[n:] {
		for i, x := range sums[:n] {
			total[i] += x
		}
	}
	return total
}

// NormProducts writes to out [3, c] sums of products of x [images, pixels, c], which stats (of Moments) normalise to y, and its gradients: with dx as BatchNormGrad computes it from the same arguments, the sum over the images of (the sum over the pixels of x*dx) squared, the sum of dy*y and the sum of dy; dy counts where BatchNormGrad counts it.
func (k *Kernels) NormProducts(images, pixels, c int, relu bool, dy, x, stats unsafe.Pointer, out []float64) {
	s := C.zs_sums{what: C.ZS_NORM_SUMS, relu: flag(relu), pixels: C.idx(pixels), c: C.idx(c), stats: stats}
	s.in[0], s.in[1] = dy, x
	k.sums(images, 4, s, func(sums []float64) {
		total := totals(sums, 4*c)
		n := float64(images * pixels)
		// dx = inv * (dy - m1 - d*m2) with d = x - mean.
		for ch := range c {
			inv := k.get(stats, 2*c+ch)
			out[ch], out[c+ch], out[2*c+ch] = 0, inv*total[c+ch], total[ch]
			total[ch], total[c+ch] = total[ch]/n, total[c+ch]/n*inv*inv
			total[2*c+ch], total[3*c+ch] = k.get(stats, ch)+k.get(stats, c+ch), inv
		}
		m1, m2, mean, inv := total[:c], total[c:2*c], total[2*c:3*c], total[3*c:]
		for ; len(sums) > 0; sums = sums[4*c:] {
			dy, dyd, d, dd := sums[:c], sums[c:2*c], sums[2*c:3*c], sums[3*c:4*c]
			for ch := range c {
				// The sum of d*dx and that of dx, each near what it is made of; x is d + mean.
				v := inv[ch] * ((dyd[ch] - m1[ch]*d[ch] - m2[ch]*dd[ch]) + mean[ch]*(dy[ch]-m1[ch]*float64(pixels)-m2[ch]*d[ch]))
				out[ch] += v * v
			}
		}
	})
}

// ChannelProducts writes to out [2, c] the sum over the images of (the sum over the pixels of y*dy) squared, and the sum of dy, of pictures [images, pixels, c].
func (k *Kernels) ChannelProducts(images, pixels, c int, y, dy unsafe.Pointer, out []float64) {
	s := C.zs_sums{what: C.ZS_CHANNEL_SUMS, pixels: C.idx(pixels), c: C.idx(c)}
	s.in[0], s.in[1] = y, dy
	k.sums(images, 2, s, func(sums []float64) {
		clear(out)
		for ; len(sums) > 0; sums = sums[2*c:] {
			for i, x := range sums[:c] {
				out[i] += x * x
			}
			for i, x := range sums[c : 2*c] {
				out[c+i] += x
			}
		}
	})
}

// BatchNormTangent is the directional derivative of BatchNormGrad without relu: dxt, when x moves along xt and dy along dyt. stats (of Moments) follow x.
func (k *Kernels) BatchNormTangent(images, pixels, c int, dy, x, stats, dyt, xt, dxt unsafe.Pointer) {
	s := C.zs_sums{what: C.ZS_TANGENT_SUMS, pixels: C.idx(pixels), c: C.idx(c), stats: stats}
	s.in[0], s.in[1], s.in[2], s.in[3] = dy, x, dyt, xt
	factors := k.alloc(5 * c)
	defer C.free(factors)
	k.sums(images, 7, s, func(sums []float64) {
		mean := totals(sums, 7*c)
		for i := range mean {
			mean[i] /= float64(images * pixels)
		}
		for ch := range c {
			i := k.get(stats, 2*c+ch)
			// With y = i*d, d = x - mean(x), and the tangents yt of y and -i*i*q of i:
			//   dx  = i * (dy - m1 - y*m2)
			//   yt  = i * (xt - mean(xt) - y*q)
			//   dxt = -i*q * dx + i * (dyt - mean(dyt) - yt*m2 - y*(mean(dyt*y) + mean(dy*yt)))
			m1, m2, mxt, q, mdyt := mean[ch], i*mean[c+ch], mean[2*c+ch], i*mean[3*c+ch], mean[4*c+ch]
			m2t := i*mean[5*c+ch] + i*(mean[6*c+ch]-mxt*m1-q*m2)
			for f, v := range []float64{
				-i * i * q,
				i * i * (2*i*q*m2 - m2t),
				i,
				-i * i * m2,
				i * (i*(q*m1+m2*mxt) - mdyt),
			} {
				k.set(factors, f*c+ch, v)
			}
		}
	})
	parallel(images, grain(pixels*c), func(from, to int) {
		C.zs_norm_tangent(k.c, s, factors, dxt, C.idx(from), C.idx(to))
	})
}

// Distance writes the sum of |a - b| over the n values of each image.
func (k *Kernels) Distance(images, n int, a, b unsafe.Pointer, out []float64) {
	parallel(images, grain(n), func(from, to int) {
		C.zs_distance(k.c, a, b, C.idx(n), (*C.double)(&out[0]), C.idx(from), C.idx(to))
	})
}

// Signs writes to out [batches, images, images] for each two images of a batch how many of their n values are either both positive or both not.
func (k *Kernels) Signs(batches, images, n int, y unsafe.Pointer, out []float64) {
	vectors := (n + 8*k.vector() - 1) / (8 * k.vector()) // a bit a value
	bytes := vectors * k.vector()
	bits := C.zs_alloc(C.size_t(batches * images * bytes))
	defer C.free(bits)
	parallel(batches*images, grain(n), func(from, to int) {
		C.zs_signs(k.c, y, C.idx(n), bits, C.idx(from), C.idx(to))
	})
	const group = C.ZS_AGREE_ROWS
	for b := range batches {
		mine, to := unsafe.Add(bits, b*images*bytes), out[b*images*images:]
		parallel((images+group-1)/group, grain(images*bytes/4), func(from, upto int) {
			C.zs_agree(k.c, mine, C.idx(bytes/8), C.idx(images), C.idx(n), (*C.double)(&to[0]), C.idx(from), C.idx(upto))
		})
	}
}

// SignSum adds up, over n weights, |the sum over the gradients of their signs| and (the sum of the gradients) squared.
func (k *Kernels) SignSum(n int, grads []unsafe.Pointer, out []float64) {
	// The pointers are to memory that is not Go's, so C may read the slice that holds them.
	k.stretches(n, out, func(part *C.double, from, to int) {
		C.zs_sign_sum(k.c, &grads[0], C.idx(len(grads)), part, C.idx(from), C.idx(to))
	})
}

// GradGram writes to out the inner products of each two of the gradients, of n weights each.
func (k *Kernels) GradGram(n int, grads []unsafe.Pointer, out []float64) {
	// The number of ranges that are added up by themselves depends on the size alone.
	blocks := (n + C.ZS_GRAM_BLOCK - 1) / C.ZS_GRAM_BLOCK
	chunks := min(blocks, 16)
	m := len(grads)
	p := C.malloc(C.size_t(8 * m * m * chunks))
	defer C.free(p)
	parallel(chunks, 1, func(from, to int) {
		for i := from; i < to; i++ {
			C.zs_gram(k.c, &grads[0], C.idx(m), (*C.double)(unsafe.Add(p, 8*i*m*m)), C.idx(i*blocks/chunks*C.ZS_GRAM_BLOCK), C.idx(min((i+1)*blocks/chunks*C.ZS_GRAM_BLOCK, n)))
		}
	})
	sum := addUp(floats(p, m*m*chunks), m*m)
	for i := range m {
		for j := i; j < m; j++ {
			out[i*m+j], out[j*m+i] = sum[i*m+j], sum[i*m+j]
		}
	}
}

// Seed writes ones to the n values of each of the images from to to, zeros to the others.
func (k *Kernels) Seed(images, n, from, to int, y unsafe.Pointer) {
	C.memset(y, 0, C.size_t(images*n*k.bytes))
	for i := from * n; i < to*n; i++ {
		k.set(y, i, 1)
	}
}

// Covariances writes to out the inner products of each two of the pictures, of n values each, less their means.
func (k *Kernels) Covariances(n int, pictures []unsafe.Pointer, out []float64) {
	ones := k.alloc(n)
	defer C.free(ones)
	for i := range n {
		k.set(ones, i, 1)
	}
	// The products with ones are the sums.
	m := len(pictures)
	gram := make([]float64, (m+1)*(m+1))
	k.GradGram(n, append(pictures[:m:m], ones), gram)
	sum := gram[m*(m+1):]
	for i := range m {
		for j := range m {
			out[i*m+j] = gram[i*(m+1)+j] - sum[i]*sum[j]/float64(n)
		}
	}
}
