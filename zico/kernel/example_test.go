package kernel_test

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
)

func ExampleCache() {
	be, err := backend.Open("xla:cpu")
	if err != nil {
		fmt.Println(err)
		return
	}
	cache, err := kernel.New(be, kernel.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cache.Finalize()
	op := kernel.Merge{X: kernel.Act{DType: dtypes.Float32, Batches: 1, Images: 1, H: 1, W: 1, C: 3}, Terms: 1, ReLU: true}
	x, err := be.BufferFromFlatData(0, []float32{-1, 0, 2}, op.X.Shape())
	if err != nil {
		fmt.Println(err)
		return
	}
	out, _, err := cache.Call(op, []compute.Buffer{x})
	if err != nil {
		fmt.Println(err)
		return
	}
	y := make([]float32, 3)
	if err := out[0].ToFlatData(y); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(y)
	// Output: [0 0 2]
}
