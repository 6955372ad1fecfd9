package natssss_test

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces/natssss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

func ExampleSpace_Network() {
	space := natssss.Space{}
	arch, err := space.Parse("284")
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := space.Network(arch, space.Input())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(arch)
	fmt.Println(net.Params(n), "parameters,", net.FLOPs(n, net.XAutoDL), "FLOPs")
	// Output:
	// 8:8:40:32:40
	// 144834 parameters, 21827994 FLOPs
}
