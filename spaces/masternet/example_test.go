package masternet_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/masternet"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

func ExampleSpace_Network() {
	space := masternet.Space{} // as the reference scores it: without residual links
	arch, err := space.Parse("zico_450M")
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := space.Network(arch, space.Input())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(n.Layers, "weighted layers,", net.Params(n), "parameters,", net.FLOPs(n, net.MACs), "multiply-accumulates")
	// Output: 75 weighted layers, 5702248 parameters, 427785088 multiply-accumulates
}

// A structure's budget is counted with residual links, and with the reference's rules.
func ExampleSpace_Budget() {
	for _, s := range masternet.Known() {
		c, err := masternet.Space{}.Budget(s.Arch, spaces.Input{Size: 224, Classes: 1000})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%-11s %4.0fM FLOPs %8d parameters %2d layers\n", s.Name, c.FLOPs/1e6, c.Params, c.Layers)
	}
	// Output:
	// initial      162M FLOPs  2813889 parameters  6 layers
	// zico_450M    438M FLOPs  5716393 parameters 14 layers
	// zico_600M    590M FLOPs  9653777 parameters 14 layers
	// zico_1G      979M FLOPs 15247625 parameters 16 layers
	// params_450M  450M FLOPs 11002521 parameters  6 layers
}

// The first candidates of the reference's evolution are single mutations of the initial structure. The second one here drew the block that never changes.
func ExampleSpace_Replace() {
	initial := masternet.Known()[0].Arch
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		fmt.Println(masternet.Space{}.Replace(rng, initial, 1))
	}
	// Output:
	// SuperConvK3BNRELU(3,8,2,1)SuperResIDWE6K3(8,32,2,8,1)SuperResIDWE6K3(32,48,2,32,1)SuperResIDWE6K3(48,96,2,48,1)SuperResIDWE2K5(96,256,2,64,3)SuperConvK1BNRELU(256,2048,1,1)
	// SuperConvK3BNRELU(3,8,2,1)SuperResIDWE6K3(8,32,2,8,1)SuperResIDWE6K3(32,48,2,32,1)SuperResIDWE6K3(48,96,2,48,1)SuperResIDWE6K3(96,128,2,96,1)SuperConvK1BNRELU(128,2048,1,1)
	// SuperConvK3BNRELU(3,8,2,1)SuperResIDWE6K3(8,32,2,8,1)SuperResIDWE6K3(32,48,2,32,1)SuperResIDWE6K3(48,240,2,40,1)SuperResIDWE6K3(240,128,2,96,1)SuperConvK1BNRELU(128,2048,1,1)
}

func ExampleSpace_Parse() {
	_, err := masternet.Space{}.Parse("SuperConvK3BNRELU(3,8,2,1)SuperResIDWE6K3(16,32,2,8,1)")
	fmt.Println(err)
	// Output: masternet:reslink=0,se=0: position 42 of "SuperConvK3BNRELU(3,8,2,1)SuperResIDWE6K3(►16,32,2,8,1)": in is 16, but the block before gives 8 channels
}
