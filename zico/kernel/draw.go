package kernel

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/zeroshotnas/zeroshot/zico/formula"
)

// Draw makes the weight of a convolution or linear layer on the device, bit for bit what package formula draws: from the base of its stream (a uint64 scalar, formula.Base) to [k, k, in, out], or [in, out] where Kernel is 0. In is the number of input channels of a group, FanIn what the bound 1/sqrt(FanIn) is made of.
type Draw struct {
	DType           dtypes.DType
	Kernel, In, Out int
	FanIn           int
}

// Name implements Op.
func (o Draw) Name() string {
	return fmt.Sprintf("draw [%d,%d,%d,%d] %s", o.Kernel, o.Kernel, o.In, o.Out, o.DType)
}

// Inputs implements Op.
func (o Draw) Inputs() []shapes.Shape { return []shapes.Shape{shapes.Make(dtypes.Uint64)} }

// Graph implements Op.
func (o Draw) Graph(_ string, g *Graph, in []*Node) []*Node {
	k := max(o.Kernel, 1)
	// The formula counts in PyTorch's order, [out, in, k, k], from 1.
	shape := shapes.Make(dtypes.Uint64, k, k, o.In, o.Out)
	place := Const(g, uint64(1))
	for axis, step := range []int{k, 1, k * k, o.In * k * k} {
		place = Add(place, Mul(Iota(g, shape, axis), Const(g, uint64(step))))
	}
	z := Add(in[0], Mul(place, Const(g, uint64(formula.Gamma))))
	mix := func(shift, factor uint64) {
		z = BitwiseXor(z, BitwiseShiftRightLogicalScalar(z, shift))
		if factor != 0 {
			z = Mul(z, Const(g, factor))
		}
	}
	mix(30, formula.Mix1)
	mix(27, formula.Mix2)
	mix(31, 0)
	u := MulScalar(ConvertDType(BitwiseShiftRightLogicalScalar(z, uint64(11)), dtypes.Float64), 0x1p-53)
	w := MulScalar(Sub(Add(u, u), Const(g, 1.0)), 1/math.Sqrt(float64(o.FanIn)))
	w = ConvertDType(ConvertDType(w, dtypes.Float32), o.DType)
	if o.Kernel == 0 {
		w = Reshape(w, o.In, o.Out)
	}
	return []*Node{w}
}
