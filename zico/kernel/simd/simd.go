// Package simd computes the operations of convolutional networks with the vector instructions of a CPU, in memory shared with XLA.
//
// XLA's CPU compiler reaches a sixth to a half of what a processor can do in the convolutions of small networks, and spends tens of milliseconds compiling each. The kernels here are written in C with the vector extensions of GCC and Clang, once for all instruction sets and both types of values; docs/performance.md has the measurements. They are compiled with the program: there is nothing to compile at run time.
//
// Pictures are dense [images, height, width, channels]. Every function checks nothing: package kernel knows the shapes. Results depend on the arguments and the instruction set alone, not on the number of threads: work is cut into the same tasks whatever the machine, and sums over tasks are added in their order.
package simd

/*
#cgo LDFLAGS: -lm
#include <stdlib.h>
#include <string.h>
#include "simd.h"

static idx zs_pack_size(const zs_kernels *k, idx taps, idx in, idx out) { return k->pack_size(taps, in, out); }
static idx zs_pack_blocks(const zs_kernels *k, idx out) { return k->pack_blocks(out); }
static void zs_pack(const zs_kernels *k, const void *w, void *packed, idx size, idx in, idx out, int turn, idx kh0, idx kw0, idx step, idx from, idx to) {
	k->pack(w, packed, size, in, out, turn, kh0, kw0, step, from, to);
}
static void zs_conv_run(const zs_kernels *k, zs_conv s, const void *x, const void *packed, const void *bias, void *y, idx from, idx to) {
	k->conv(&s, x, packed, bias, y, from, to);
}
static idx zs_grad_size(const zs_kernels *k, zs_conv s) { return k->grad_size(&s); }
static void zs_conv_weight_grad(const zs_kernels *k, zs_conv s, const void *x, const void *dy, void *partial, idx from, idx to) {
	k->conv_weight_grad(&s, x, dy, partial, from, to);
}
static void zs_grad_sum(const zs_kernels *k, zs_conv s, const void *partials, idx n, void *dw, idx from, idx to) {
	k->grad_sum(&s, partials, n, dw, from, to);
}
static void zs_depthwise(const zs_kernels *k, zs_conv s, const void *x, const void *w, void *y, idx from, idx to) {
	k->depthwise(&s, x, w, y, from, to);
}
static void zs_depthwise_weight_grad(const zs_kernels *k, zs_conv s, const void *x, const void *dy, double *partial, idx from, idx to) {
	k->depthwise_weight_grad(&s, x, dy, partial, from, to);
}
static void zs_moments(const zs_kernels *k, const void *x, idx pixels, idx c, double *mean, double *m2, idx from, idx to) {
	k->moments(x, pixels, c, mean, m2, from, to);
}
static void zs_conv_moments(const zs_kernels *k, zs_conv s, int depthwise, const void *x, const void *w, void *y, double *mean, double *m2, idx from, idx to) {
	k->conv_moments(&s, depthwise, x, w, y, mean, m2, from, to);
}
static void zs_merge_run(const zs_kernels *k, zs_merge s, idx from, idx to) { k->merge(&s, from, to); }
static void zs_products(const zs_kernels *k, const void *dy, const void *x, const void *stats, int relu, idx pixels, idx c, double *sum, double *product, idx from, idx to) {
	k->products(dy, x, stats, relu, pixels, c, sum, product, from, to);
}
static void zs_normalize_grad(const zs_kernels *k, const void *dy, const void *x, const void *stats, const void *means, int relu, idx pixels, idx c, void *dx, idx from, idx to) {
	k->normalize_grad(dy, x, stats, means, relu, pixels, c, dx, from, to);
}
static void zs_conv_norm_grad(const zs_kernels *k, zs_conv s, const void *g, const void *z, const void *stats, const void *means, int relu, const void *x, const void *packed, const void *add, int masked, void *dx, void *partial, idx from, idx to) {
	k->conv_norm_grad(&s, g, z, stats, means, relu, x, packed, add, masked, dx, partial, from, to);
}
typedef struct { const void *p[32]; } zs_pointers;
static void zs_statistic(const zs_kernels *k, zs_pointers grads, idx batches, double *out, idx from, idx to) { k->statistic(grads.p, batches, out, from, to); }
static void zs_sum_run(const zs_kernels *k, zs_sum s, void *y, idx from, idx to) { k->sum(&s, y, from, to); }
static void zs_pool_run(const zs_kernels *k, int what, zs_pool s, const void *x, const void *dy, void *y, idx from, idx to) {
	switch (what) {
	case 0: k->avgpool(&s, x, y, from, to); break;
	case 1: k->avgpool_grad(&s, dy, y, from, to); break;
	case 2: k->maxpool(&s, x, y, from, to); break;
	case 3: k->maxpool_grad(&s, x, dy, y, from, to); break;
	case 4: k->globalpool(&s, x, y, from, to); break;
	case 5: k->globalpool_grad(&s, dy, y, from, to); break;
	}
}
*/
import "C"

import (
	"math"
	"unsafe"
)

// Kernels are the kernels of one instruction set for one type of values.
type Kernels struct {
	c     *C.zs_kernels
	isa   string
	bytes int
}

// ISAs are the instruction sets that there are kernels for, the best first. Whether a machine has one, Find tells.
var ISAs = []string{"avx512", "avx2", "baseline"}

// Best returns the best kernels that this machine can run for values of 4 bytes (float32) or 8 (float64).
func Best(bytes int) *Kernels {
	for _, isa := range ISAs {
		if k := Find(isa, bytes); k != nil {
			return k
		}
	}
	return nil
}

// Find returns the kernels of one of ISAs for values of 4 or 8 bytes, nil if this machine cannot run them.
func Find(isa string, bytes int) *Kernels {
	name := C.CString(isa)
	defer C.free(unsafe.Pointer(name))
	k := C.zs_find(name, C.int(bytes))
	if k == nil {
		return nil
	}
	return &Kernels{k, isa, bytes}
}

// vector is the size of a vector in bytes.
func (k *Kernels) vector() int { return int(C.zs_pack_size(k.c, 1, 1, 1)) * k.bytes }

// ISA is the instruction set, one of ISAs.
func (k *Kernels) ISA() string { return k.isa }

// Window is a convolution of Images pictures [H, W, C] with square windows to pictures [OH, OW, Out].
type Window struct {
	Images, H, W, C     int
	Kernel, Stride, Pad int
	Out                 int
}

func (v Window) outSize(n int) int { return (n+2*v.Pad-v.Kernel)/v.Stride + 1 }

func (v Window) shape() C.zs_conv {
	oh, ow := C.idx(v.outSize(v.H)), C.idx(v.outSize(v.W))
	k, pad := C.idx(v.Kernel), C.idx(v.Pad)
	return C.zs_conv{
		images: C.idx(v.Images), h: C.idx(v.H), w: C.idx(v.W), c: C.idx(v.C),
		kh: k, kw: k, stride: C.idx(v.Stride), top: pad, left: pad,
		oh: oh, ow: ow, o: C.idx(v.Out), yh: oh, yw: ow, ystride: 1,
	}
}

func flat(s *C.zs_conv) bool {
	return s.kh == 1 && s.kw == 1 && s.stride == 1 && s.top == 0 && s.left == 0 && s.ystride == 1 && s.oh == s.h && s.ow == s.w
}

// Sizes of the pieces of work, in bytes: a part of the second and of the first cache of common processors.
const (
	part  = 192 << 10
	small = 24 << 10
)

// tasks cuts a dense convolution into tasks, sets the rows (or, of flat pictures, pixels) of one and returns their number.
func (k *Kernels) tasks(s *C.zs_conv) int {
	if flat(s) {
		pixels := int(s.images * s.h * s.w)
		rows := min(max(part/(k.bytes*int(s.c+s.o)), 64), max(pixels/16, 16))
		rows = (rows + 15) / 16 * 16
		s.rows = C.idx(rows)
		return (pixels + rows - 1) / rows
	}
	return k.rowTasks(s)
}

// rowTasks cuts any convolution into tasks of rows of one image.
func (k *Kernels) rowTasks(s *C.zs_conv) int {
	row := k.bytes * int(((s.ow-1)*s.stride+s.kw)*s.c*s.stride)
	rows := min(max(part/row, 1), int(s.oh))
	parts := (int(s.oh) + rows - 1) / rows
	rows = (int(s.oh) + parts - 1) / parts
	s.rows = C.idx(rows)
	return int(s.images) * ((int(s.oh) + rows - 1) / rows)
}

func (k *Kernels) alloc(values int) unsafe.Pointer {
	return C.zs_alloc(C.size_t(max(values, 1) * k.bytes))
}

// packed packs weights for the tiles of a convolution from in to out channels.
func (k *Kernels) packed(w unsafe.Pointer, s *C.zs_conv, kernel int, turn bool, kh0, kw0, step int) unsafe.Pointer {
	p := k.alloc(int(C.zs_pack_size(k.c, s.kh*s.kw, s.c, s.o)))
	t := C.int(0)
	if turn {
		t = 1
	}
	parallel(int(C.zs_pack_blocks(k.c, s.o)), 1, func(from, to int) {
		C.zs_pack(k.c, w, p, C.idx(kernel), s.c, s.o, t, C.idx(kh0), C.idx(kw0), C.idx(step), C.idx(from), C.idx(to))
	})
	return p
}

// Conv is the convolution of x with weights w [k, k, c, out], plus bias [out] unless it is nil.
func (k *Kernels) Conv(v Window, x, w, bias, y unsafe.Pointer) {
	s := v.shape()
	n := k.tasks(&s)
	p := k.packed(w, &s, v.Kernel, false, 0, 0, 1)
	defer C.free(p)
	parallel(n, 1, func(from, to int) {
		C.zs_conv_run(k.c, s, x, p, bias, y, C.idx(from), C.idx(to))
	})
}

// ConvInputGrad is its gradient by the input: dx from dy and w.
func (k *Kernels) ConvInputGrad(v Window, dy, w, dx unsafe.Pointer) {
	k.phases(v, dx, func(s C.zs_conv, kh0, kw0 int) {
		s.c, s.o = C.idx(v.Out), C.idx(v.C)
		n := k.tasks(&s)
		p := k.packed(w, &s, v.Kernel, true, kh0, kw0, v.Stride)
		defer C.free(p)
		parallel(n, 1, func(from, to int) {
			C.zs_conv_run(k.c, s, dy, p, nil, dx, C.idx(from), C.idx(to))
		})
	})
}

// phases cuts the gradient by the input of a convolution of any stride into convolutions of the output's gradient with stride 1. The input pixels whose row and column leave the same rests, by the stride, are reached by the same taps: those that begin at kh0 and kw0, every stride-th.
func (k *Kernels) phases(v Window, dx unsafe.Pointer, f func(s C.zs_conv, kh0, kw0 int)) {
	oh, ow := v.outSize(v.H), v.outSize(v.W)
	if v.Kernel < v.Stride {
		C.memset(dx, 0, C.size_t(v.Images*v.H*v.W*v.C*k.bytes)) // some pixels are in no window
	}
	// Input pixel i = stride*q + first is read by output pixel q + ahead - t as tap kh0 + stride*t.
	axis := func(kh0, n int) (first, ahead, count, taps int) {
		taps = (v.Kernel - kh0 + v.Stride - 1) / v.Stride
		first = ((kh0-v.Pad)%v.Stride + v.Stride) % v.Stride
		ahead = (first + v.Pad - kh0) / v.Stride
		if n > first {
			count = (n - first + v.Stride - 1) / v.Stride
		}
		return first, ahead, count, taps
	}
	for kh0 := range min(v.Stride, v.Kernel) {
		for kw0 := range min(v.Stride, v.Kernel) {
			row, down, rows, kh := axis(kh0, v.H)
			col, right, cols, kw := axis(kw0, v.W)
			if rows == 0 || cols == 0 {
				continue
			}
			s := C.zs_conv{
				images: C.idx(v.Images), h: C.idx(oh), w: C.idx(ow), kh: C.idx(kh), kw: C.idx(kw), stride: 1,
				top: C.idx(kh - 1 - down), left: C.idx(kw - 1 - right), oh: C.idx(rows), ow: C.idx(cols),
				yh: C.idx(v.H), yw: C.idx(v.W), ystride: C.idx(v.Stride), yrow: C.idx(row), ycol: C.idx(col),
			}
			f(s, kh0, kw0)
		}
	}
}

// ConvWeightGrad is its gradient by the weights: dw [k, k, c, out] from x and dy.
func (k *Kernels) ConvWeightGrad(v Window, x, dy, dw unsafe.Pointer) {
	s := v.shape()
	k.gradRows(&s)
	k.partials(&s, v.Images, dw, func(partial unsafe.Pointer, from, to int) {
		C.zs_conv_weight_grad(k.c, s, x, dy, partial, C.idx(from), C.idx(to))
	})
}

// gradRows sets the rows that a weight gradient takes at a time.
func (k *Kernels) gradRows(s *C.zs_conv) {
	if flat(s) {
		s.rows = C.idx(max(small/(k.bytes*int(s.c+s.o)), 64))
		return
	}
	row := k.bytes * int(((s.ow-1)*s.stride+s.kw)*s.c*s.stride+s.ow*s.o)
	s.rows = C.idx(max(min(small/row, int(s.oh)), 1))
}

// partials makes a weight gradient from partial ones: f is called with ranges of units. The number of ranges depends on the shape alone; the partial gradients take at most 16 MiB together, unless one alone takes more than half of that.
func (k *Kernels) partials(s *C.zs_conv, units int, dw unsafe.Pointer, f func(partial unsafe.Pointer, from, to int)) {
	size := int(C.zs_grad_size(k.c, *s))
	chunks := min(units, 16, max((16<<20)/(size*k.bytes), 2))
	p := k.alloc(size * chunks)
	defer C.free(p)
	parallel(chunks, 1, func(from, to int) {
		for i := from; i < to; i++ {
			f(unsafe.Add(p, i*size*k.bytes), i*units/chunks, (i+1)*units/chunks)
		}
	})
	parallel(int(s.kh*s.kw*s.c), max(1, 4096/int(s.o)), func(from, to int) {
		C.zs_grad_sum(k.c, *s, p, C.idx(chunks), dw, C.idx(from), C.idx(to))
	})
}

// Depthwise is the depthwise convolution (Out = C) of x with weights w [k, k, c].
func (k *Kernels) Depthwise(v Window, x, w, y unsafe.Pointer) {
	s := v.shape()
	n := k.rowTasks(&s)
	parallel(n, 1, func(from, to int) {
		C.zs_depthwise(k.c, s, x, w, y, C.idx(from), C.idx(to))
	})
}

// DepthwiseInputGrad is its gradient by the input.
func (k *Kernels) DepthwiseInputGrad(v Window, dy, w, dx unsafe.Pointer) {
	k.phases(v, dx, func(s C.zs_conv, kh0, kw0 int) {
		s.c, s.o = C.idx(v.C), C.idx(v.C)
		n := k.rowTasks(&s)
		p := k.alloc(int(s.kh*s.kw) * v.C)
		defer C.free(p)
		for i := range int(s.kh) {
			for j := range int(s.kw) {
				tap := (kh0+(int(s.kh)-1-i)*v.Stride)*v.Kernel + kw0 + (int(s.kw)-1-j)*v.Stride
				C.memcpy(unsafe.Add(p, (i*int(s.kw)+j)*v.C*k.bytes), unsafe.Add(w, tap*v.C*k.bytes), C.size_t(v.C*k.bytes))
			}
		}
		parallel(n, 1, func(from, to int) {
			C.zs_depthwise(k.c, s, dy, p, dx, C.idx(from), C.idx(to))
		})
	})
}

// DepthwiseWeightGrad is its gradient by the weights: dw [k, k, c].
func (k *Kernels) DepthwiseWeightGrad(v Window, x, dy, dw unsafe.Pointer) {
	s := v.shape()
	row := k.bytes * int(((s.ow-1)*s.stride+s.kw)*s.c*s.stride)
	s.rows = C.idx(max(min(part/row, int(s.oh)), 1))
	size := v.Kernel * v.Kernel * v.C
	p := C.malloc(C.size_t(8 * size * v.Images))
	defer C.free(p)
	parallel(v.Images, 1, func(from, to int) {
		C.zs_depthwise_weight_grad(k.c, s, x, dy, (*C.double)(p), C.idx(from), C.idx(to))
	})
	for i, x := range addUp(floats(p, size*v.Images), size) {
		k.set(dw, i, x)
	}
}

// addUp adds the rows of a matrix with n columns, in order, into the first.
func addUp(rows []float64, n int) []float64 {
	total := rows[:n]
	for rows = rows[n:]; len(rows) > 0; rows = rows[n:] {
		for i, x := range rows[:n] {
			total[i] += x
		}
	}
	return total
}

// floats is the array of n float64 at p.
func floats(p unsafe.Pointer, n int) []float64 { return unsafe.Slice((*float64)(p), n) }

// set writes a value of the kernels' type to place i of an array.
func (k *Kernels) set(p unsafe.Pointer, i int, x float64) {
	if k.bytes == 8 {
		*(*float64)(unsafe.Add(p, 8*i)) = x
		return
	}
	*(*float32)(unsafe.Add(p, 4*i)) = float32(x)
}

// rounded is x as a value of the kernels' type.
func (k *Kernels) rounded(x float64) float64 {
	if k.bytes == 8 {
		return x
	}
	return float64(float32(x))
}

// Moments writes to stats [3, c] the mean of each channel of x [images, pixels, c], what rounding took from it, and the inverse standard deviation; eps is added to the (biased) variance.
func (k *Kernels) Moments(images, pixels, c int, eps float64, x, stats unsafe.Pointer) {
	k.moments(images, pixels, c, eps, stats, func(mean, m2 *C.double) {
		parallel(images, grain(pixels*c), func(from, to int) {
			C.zs_moments(k.c, x, C.idx(pixels), C.idx(c), mean, m2, C.idx(from), C.idx(to))
		})
	})
}

// ConvMoments is Conv without bias or, with depthwise, Depthwise, followed by Moments of its output.
func (k *Kernels) ConvMoments(v Window, depthwise bool, eps float64, x, w, y, stats unsafe.Pointer) {
	s := v.shape()
	pixels := int(s.oh * s.ow)
	if pixels*v.Out*k.bytes > 4*part {
		// An image would leave the cache before its moments are taken.
		if depthwise {
			k.Depthwise(v, x, w, y)
		} else {
			k.Conv(v, x, w, nil, y)
		}
		k.Moments(v.Images, pixels, v.Out, eps, y, stats)
		return
	}
	var dw C.int
	if depthwise {
		dw = 1
		s.rows = s.oh
	} else {
		s.rows = s.oh
		if flat(&s) {
			s.rows = C.idx(pixels)
		}
		w = k.packed(w, &s, v.Kernel, false, 0, 0, 1)
		defer C.free(w)
	}
	k.moments(v.Images, pixels, v.Out, eps, stats, func(mean, m2 *C.double) {
		parallel(v.Images, 1, func(from, to int) {
			C.zs_conv_moments(k.c, s, dw, x, w, y, mean, m2, C.idx(from), C.idx(to))
		})
	})
}

// moments turns the means and the sums of squared distances that f writes for each image, [images, c], into stats.
func (k *Kernels) moments(images, pixels, c int, eps float64, stats unsafe.Pointer, f func(mean, m2 *C.double)) {
	p := C.malloc(C.size_t(16 * images * c))
	defer C.free(p)
	mean, m2 := floats(p, images*c), floats(unsafe.Add(p, 8*images*c), images*c)
	f((*C.double)(&mean[0]), (*C.double)(&m2[0]))
	// All images have the same number of pixels: the mean is that of the means, and the squared distances from it are those within the images and those between.
	n := float64(images)
	within := addUp(m2, c)
	for ch := range c {
		var sum, between float64
		for i := ch; i < len(mean); i += c {
			sum += mean[i]
		}
		for i := ch; i < len(mean); i += c {
			d := mean[i] - sum/n
			between += d * d
		}
		k.set(stats, ch, sum/n)
		k.set(stats, c+ch, sum/n-k.rounded(sum/n))
		k.set(stats, 2*c+ch, 1/math.Sqrt((within[ch]+between*float64(pixels))/(n*float64(pixels))+eps))
	}
}

// BatchNormGrad is the gradient of x normalised with stats (of Moments): dx from dy and x. With relu, dy is the gradient of the positive part of the normalised x.
func (k *Kernels) BatchNormGrad(images, pixels, c int, relu bool, dy, x, stats, dx unsafe.Pointer) {
	means := k.means(images, pixels, c, relu, dy, x, stats)
	defer C.free(means)
	parallel(images, grain(pixels*c), func(from, to int) {
		C.zs_normalize_grad(k.c, dy, x, stats, means, flag(relu), C.idx(pixels), C.idx(c), dx, C.idx(from), C.idx(to))
	})
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// means are [2, c] for normalize_grad: the mean of dy, and the mean of dy times the normalised x, times the inverse standard deviation. The caller frees them.
func (k *Kernels) means(images, pixels, c int, relu bool, dy, x, stats unsafe.Pointer) unsafe.Pointer {
	p := C.malloc(C.size_t(16 * images * c))
	defer C.free(p)
	sum, product := floats(p, images*c), floats(unsafe.Add(p, 8*images*c), images*c)
	parallel(images, grain(pixels*c), func(from, to int) {
		C.zs_products(k.c, dy, x, stats, flag(relu), C.idx(pixels), C.idx(c), (*C.double)(&sum[0]), (*C.double)(&product[0]), C.idx(from), C.idx(to))
	})
	m1, m2 := addUp(sum, c), addUp(product, c)
	means := k.alloc(2 * c)
	n := float64(images * pixels)
	for i := range c {
		k.set(means, i, m1[i]/n)
		k.set(means, c+i, m2[i]/n*k.get(stats, 2*c+i))
	}
	return means
}

// get reads a value of the kernels' type.
func (k *Kernels) get(p unsafe.Pointer, i int) float64 {
	if k.bytes == 8 {
		return *(*float64)(unsafe.Add(p, 8*i))
	}
	return float64(*(*float32)(unsafe.Add(p, 4*i)))
}

// ConvNormGrad goes back through a batch norm and the dense convolution of stride 1 before it: dx and dw from the gradient dy of the batch norm's output (with relu, of its positive part), the convolution's output z with its stats (of Moments), its input x and its weights w. With masked, x is the positive part of something, whose gradient dx is; add, unless it is nil, is added to dx. With dw nil there is dx alone.
func (k *Kernels) ConvNormGrad(v Window, relu, masked bool, dy, z, stats, x, w, add, dx, dw unsafe.Pointer) {
	s := v.shape()
	pixels := int(s.oh * s.ow)
	means := k.means(v.Images, pixels, v.Out, relu, dy, z, stats)
	defer C.free(means)
	scratch := (v.H + v.Kernel - 1) * (v.W + v.Kernel - 1) * v.Out * k.bytes
	if v.Out*k.bytes < k.vector() || !flat(&s) && scratch > 4*part {
		// The gradient of z does not fill a vector or does not stay in the cache.
		dz := k.alloc(v.Images * pixels * v.Out)
		defer C.free(dz)
		parallel(v.Images, grain(pixels*v.Out), func(from, to int) {
			C.zs_normalize_grad(k.c, dy, z, stats, means, flag(relu), C.idx(pixels), C.idx(v.Out), dz, C.idx(from), C.idx(to))
		})
		k.ConvInputGrad(v, dz, w, dx)
		if dw != nil {
			k.ConvWeightGrad(v, x, dz, dw)
		}
		k.finish(v.Images*v.H*v.W*v.C, masked, x, add, dx)
		return
	}
	units := v.Images
	if flat(&s) {
		units *= pixels
		s.rows = C.idx(max(part/(k.bytes*(2*v.C+3*v.Out)), 64))
	} else {
		k.gradRows(&s)
	}
	back := s
	back.c, back.o = s.o, s.c
	packed := k.packed(w, &back, v.Kernel, true, 0, 0, 1)
	defer C.free(packed)
	run := func(partial unsafe.Pointer, from, to int) {
		C.zs_conv_norm_grad(k.c, s, dy, z, stats, means, flag(relu), x, packed, add, flag(masked), dx, partial, C.idx(from), C.idx(to))
	}
	if dw == nil {
		parallel(units, max(1, units/64), func(from, to int) { run(nil, from, to) })
		return
	}
	k.partials(&s, units, dw, run)
}

// finish masks n values of dx where x is not positive, and adds add, in place.
func (k *Kernels) finish(n int, masked bool, x, add, dx unsafe.Pointer) {
	var in []unsafe.Pointer
	terms := 0
	if add != nil {
		in, terms = append(in, add), 1
	}
	switch {
	case masked:
		k.Sum(n, terms, [3]int{1}, append(in, x, dx), dx)
	case add != nil:
		k.Sum(n, 2, [3]int{}, append(in, dx), dx)
	}
}

// MaxTerms is the greatest number of arguments of Sum and of Merge.
const MaxTerms = 32

// Merge adds up pictures [images, pixels, c]: terms plain ones, then pairs of a picture and its stats (of Moments), which is normalised on the way. It writes the sum, or its positive part, or both; nil where not wanted. It takes at most MaxTerms arguments.
func (k *Kernels) Merge(images, pixels, c, terms int, in []unsafe.Pointer, sum, relu unsafe.Pointer) {
	s := C.zs_merge{pixels: C.idx(pixels), c: C.idx(c), terms: C.idx(terms), sum: sum, relu: relu}
	copy(s.in[:], in[:terms])
	for i := terms; i < len(in); i += 2 {
		s.in[terms+int(s.normalized)] = in[i]
		s.stats[s.normalized] = in[i+1]
		s.normalized++
	}
	parallel(images, grain(pixels*c), func(from, to int) { C.zs_merge_run(k.c, s, C.idx(from), C.idx(to)) })
}

// Statistic computes the eight sums over n weights that package kernel's statistic begins with, and then the sum of squares of each batch, from the gradients of at least two batches: one array each, MaxTerms at most.
func (k *Kernels) Statistic(n int, grads []unsafe.Pointer, out []float64) {
	var in C.zs_pointers
	copy(in.p[:], grads)
	k.stretches(n, out, func(part *C.double, from, to int) {
		C.zs_statistic(k.c, in, C.idx(len(grads)), part, C.idx(from), C.idx(to))
	})
}

// stretches adds up into out what f writes for each of the stretches that 0 to n is cut into. They are of fixed size and added up in order: the sums do not depend on the number of threads.
func (k *Kernels) stretches(n int, out []float64, f func(part *C.double, from, to int)) {
	const stretch = 1 << 14
	pieces := (n + stretch - 1) / stretch
	p := C.malloc(C.size_t(8 * len(out) * pieces))
	defer C.free(p)
	parts := floats(p, len(out)*pieces)
	parallel(pieces, 2, func(from, to int) {
		for i := from; i < to; i++ {
			f((*C.double)(&parts[i*len(out)]), i*stretch, min((i+1)*stretch, n))
		}
	})
	copy(out, addUp(parts, len(out)))
}

// Sum adds terms arguments of n values and, for each of up to three masks, the sum of masked[i] arguments where the mask is positive. The arguments are the terms and then each mask followed by its arguments, MaxTerms in all at most.
func (k *Kernels) Sum(n, terms int, masked [3]int, in []unsafe.Pointer, y unsafe.Pointer) {
	s := C.zs_sum{terms: C.idx(terms)}
	for _, m := range masked {
		if m > 0 {
			s.masked[s.masks] = C.idx(m)
			s.masks++
		}
	}
	copy(s.in[:], in)
	parallel(n, 1<<14, func(from, to int) { C.zs_sum_run(k.c, s, y, C.idx(from), C.idx(to)) })
}

// Scale multiplies n values by a constant.
func (k *Kernels) Scale(n int, factor float64, x, y unsafe.Pointer) {
	parallel(n, 1<<14, func(from, to int) {
		if k.bytes == 4 {
			scale(float32(factor), unsafe.Slice((*float32)(x), n)[from:to], unsafe.Slice((*float32)(y), n)[from:to])
		} else {
			scale(factor, unsafe.Slice((*float64)(x), n)[from:to], unsafe.Slice((*float64)(y), n)[from:to])
		}
	})
}

func scale[T float32 | float64](factor T, x, y []T) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = factor * v
	}
}

// Pool is a pooling of Images pictures [H, W, C] over square windows. With CountPad the mean is over the whole window, else over its part in the picture.
type Pool struct {
	Images, H, W, C     int
	Kernel, Stride, Pad int
	CountPad            bool
}

func (k *Kernels) pool(what int, v Pool, x, dy, y unsafe.Pointer) {
	s := C.zs_pool{images: C.idx(v.Images), h: C.idx(v.H), w: C.idx(v.W), c: C.idx(v.C), k: C.idx(v.Kernel), stride: C.idx(v.Stride), pad: C.idx(v.Pad)}
	if v.Stride > 0 {
		s.oh, s.ow = C.idx((v.H+2*v.Pad-v.Kernel)/v.Stride+1), C.idx((v.W+2*v.Pad-v.Kernel)/v.Stride+1)
	}
	if v.CountPad {
		s.countpad = 1
	}
	parallel(v.Images, grain(v.H*v.W*v.C), func(from, to int) {
		C.zs_pool_run(k.c, C.int(what), s, x, dy, y, C.idx(from), C.idx(to))
	})
}

// AvgPool is the mean over each window.
func (k *Kernels) AvgPool(v Pool, x, y unsafe.Pointer) { k.pool(0, v, x, nil, y) }

// AvgPoolGrad is its gradient.
func (k *Kernels) AvgPoolGrad(v Pool, dy, dx unsafe.Pointer) { k.pool(1, v, nil, dy, dx) }

// MaxPool is the maximum over each window.
func (k *Kernels) MaxPool(v Pool, x, y unsafe.Pointer) { k.pool(2, v, x, nil, y) }

// MaxPoolGrad is its gradient, which goes to the first maximum of each window, row by row.
func (k *Kernels) MaxPoolGrad(v Pool, x, dy, dx unsafe.Pointer) { k.pool(3, v, x, dy, dx) }

// GlobalPool is the mean over each picture: [images, h, w, c] to [images, c].
func (k *Kernels) GlobalPool(v Pool, x, y unsafe.Pointer) { k.pool(4, v, x, nil, y) }

// GlobalPoolGrad is its gradient.
func (k *Kernels) GlobalPoolGrad(v Pool, dy, dx unsafe.Pointer) { k.pool(5, v, nil, dy, dx) }

// grain is how many images of so many values are worth a thread.
func grain(values int) int { return max(1, (1<<14)/max(values, 1)) }
