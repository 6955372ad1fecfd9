package kernel

// cost is the work of one call: floating-point operations (a multiply-add counts as two) and the bytes of the arguments and results. Operations that are not products count no floating-point operations: memory limits them.
func cost(op Op) (flops, bytes float64) {
	for _, s := range op.Inputs() {
		bytes += float64(s.Size() * s.DType.Size())
	}
	if v, ok := op.(vectorOp); ok {
		for _, s := range v.outputs() {
			bytes += float64(s.Size() * s.DType.Size())
		}
	}
	conv := func(x Act, v Window) float64 {
		return 2 * float64(v.OutAct(x).Shape().Size()) * float64(v.Kernel*v.Kernel*x.C/v.Groups)
	}
	linear := func(x Act, out int) float64 { return 2 * float64(x.Shape().Size()) * float64(out) }
	switch o := op.(type) {
	case Conv:
		flops = conv(o.X, o.Window)
	case ConvMoments:
		flops = conv(o.X, o.Window)
	case ConvInputGrad:
		flops = conv(o.X, o.Window)
	case ConvWeightGrad:
		flops = conv(o.X, o.Window)
	case ConvNormGrad:
		flops = 2 * conv(o.X, o.Window)
	case GradGram:
		flops = float64(o.N) * float64(o.N+1) * float64(o.Size)
	case Linear:
		flops = linear(o.X, o.Out)
	case LinearInputGrad:
		flops = linear(o.X, o.Out)
	case LinearWeightGrad:
		flops = linear(o.X, o.Out)
	}
	return flops, bytes
}
