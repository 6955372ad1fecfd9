package natstss_test

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

func ExampleSpace_Network() {
	space := natstss.Space{C: 16, N: 5}
	arch, err := space.Parse("1462")
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := space.Network(arch, spaces.Input{Size: 32, Classes: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(arch)
	fmt.Println(net.Params(n), "parameters,", net.FLOPs(n, net.XAutoDL), "FLOPs")
	// Output:
	// |none~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_3x3~0|nor_conv_1x1~1|nor_conv_1x1~2|
	// 400346 parameters, 54968970 FLOPs
}

func ExampleUnique() {
	for _, cell := range []string{
		"|nor_conv_1x1~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|",
		"|none~0|+|nor_conv_1x1~0|none~1|+|none~0|none~1|skip_connect~2|",
		"|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|avg_pool_3x3~0|skip_connect~1|none~2|",
	} {
		arch, err := natstss.Space{C: 16, N: 5}.Parse(cell)
		if err != nil {
			fmt.Println(err)
			return
		}
		unique, _ := natstss.Unique(arch)
		live, _ := natstss.Live(arch)
		fmt.Println(unique, live == arch)
	}
	// Output:
	// #+#+#+(0)@nor_conv_1x1 true
	// #+#+#+(0)@nor_conv_1x1 true
	// #+(0)@avg_pool_3x3+(0)@nor_conv_1x1 false
}
