package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/gomlx/compute/dtypes"
)

// TestFloat32 compares every operation in float32 with itself in float64, on the shapes of NAS-Bench-201 and of an ImageNet network: the relative error (of the Euclidean norm) of each result must be that of rounding.
func TestFloat32(t *testing.T) {
	c := newCache(t, Config{})
	act := func(n, h, ch int) Act { return Act{DType: dtypes.Float64, Batches: 1, Images: n, H: h, W: h, C: ch} }
	var ops []Op
	for _, x := range []Act{act(32, 32, 16), act(32, 16, 32), act(32, 8, 64), act(4, 28, 40), act(4, 14, 24)} {
		conv := Window{Kernel: 3, Stride: 1, Pad: 1, Groups: 1, Out: x.C}
		point := Window{Kernel: 1, Stride: 1, Groups: 1, Out: x.C}
		half := Window{Kernel: 3, Stride: 2, Pad: 1, Groups: 1, Out: 2 * x.C}
		depth := Window{Kernel: 5, Stride: 1, Pad: 2, Groups: x.C, Out: x.C}
		for _, v := range []Window{conv, point, half, depth} {
			ops = append(ops, Conv{X: x, Window: v}, ConvInputGrad{X: x, Window: v}, ConvWeightGrad{X: x, Window: v, Raw: true})
		}
		ops = append(ops, Moments{x, 1e-5}, Merge{X: x, Terms: 1, Normalized: 1, Sum: true, ReLU: true}, BatchNormGrad{X: x}, BatchNormGrad{X: x, ReLU: true}, AvgPooling{X: x, Kernel: 3, Stride: 1, Pad: 1}, AvgPoolingGrad{AvgPooling{X: x, Kernel: 3, Stride: 1, Pad: 1}}, GlobalPooling{x}, GlobalPoolingGrad{x})
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for _, op := range ops {
		// The values are those of float32, so that both types see the same.
		narrow := narrowed(op)
		var in64, in32 []any
		for _, s := range op.Inputs() {
			a, b := make([]float64, s.Size()), make([]float32, s.Size())
			for i := range a {
				b[i] = float32(rng.NormFloat64() + 0.5)
				a[i] = float64(b[i])
			}
			in64, in32 = append(in64, a), append(in32, b)
		}
		want := runOp(t, c, op, in64...)
		for k, got := range runAs[float32](t, c, narrow, in32...) {
			if len(got) != len(want[k]) {
				t.Fatalf("%s: result %d has %d values, want %d", narrow.Name(), k, len(got), len(want[k]))
			}
			var diff, norm float64
			for i, w := range want[k] {
				diff += (float64(got[i]) - w) * (float64(got[i]) - w)
				norm += w * w
			}
			if e := math.Sqrt(diff / norm); !(e < 1e-6) {
				t.Errorf("%s: result %d is off by %.2g of its norm", narrow.Name(), k, e)
			} else if testing.Verbose() {
				fmt.Printf("%.1e %s\n", e, narrow.Name())
			}
		}
	}
}

// narrowed is an operation on float64 with the type of its pictures, the field X, set to float32.
func narrowed(op Op) Op {
	v := reflect.New(reflect.TypeOf(op)).Elem()
	v.Set(reflect.ValueOf(op))
	v.FieldByName("X").FieldByName("DType").Set(reflect.ValueOf(dtypes.Float32))
	return v.Interface().(Op)
}
