package darts_test

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces/darts"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

func ExampleSpace_Parse() {
	space := darts.Space{C: 36, Cells: 20}
	arch, err := space.Parse(`Genotype(
		normal=[('skip_connect', 0), ('dil_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('sep_conv_3x3', 3), ('sep_conv_3x3', 0), ('dil_conv_5x5', 4)], normal_concat=range(2, 6),
		reduce=[('avg_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('dil_conv_5x5', 2), ('max_pool_3x3', 0), ('dil_conv_3x3', 1), ('dil_conv_3x3', 1), ('dil_conv_5x5', 3)], reduce_concat=range(2, 6))`)
	if err != nil {
		fmt.Println(err)
		return
	}
	known, err := space.Parse("PDARTS")
	fmt.Println(arch == known, err)
	n, err := space.Network(arch, space.Input())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(arch)
	fmt.Println(net.Params(n), "parameters")
	// Output:
	// true <nil>
	// normal=|skip_connect~0|dil_conv_3x3~1|+|skip_connect~0|sep_conv_3x3~1|+|sep_conv_3x3~1|sep_conv_3x3~3|+|sep_conv_3x3~0|dil_conv_5x5~4|;reduce=|avg_pool_3x3~0|sep_conv_5x5~1|+|sep_conv_3x3~0|dil_conv_5x5~2|+|max_pool_3x3~0|dil_conv_3x3~1|+|dil_conv_3x3~1|dil_conv_5x5~3|
	// 3433798 parameters
}
