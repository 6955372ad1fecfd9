package nasbench101_test

import (
	"encoding/json"
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces/nasbench101"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

func ExampleSpace_Parse() {
	space := nasbench101.Space{C: 128, N: 3}
	// Nothing reads vertex 3: it goes.
	arch, err := space.Parse(`{"matrix": [[0, 1, 1, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
		"ops": ["input", "maxpool3x3", "conv3x3-bn-relu", "conv1x1-bn-relu", "output"]}`)
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
	fmt.Println(net.Params(n), "parameters")

	_, err = space.Parse("conv3x3~0,conv3x3~2,output~1")
	fmt.Println(err)
	// Output:
	// conv3x3~0,maxpool3x3~0,output~1+2
	// 3207690 parameters
	// nasbench101:C=128,N=3: position 18 of "conv3x3~0,conv3x3~►2,output~1": vertex 2 reads earlier vertices, 0 (the input) to 1
}

func ExampleHash() {
	hash, err := nasbench101.Hash("conv1x1~0,conv3x3~0,maxpool3x3~2,conv3x3~3,conv3x3~0+1+4,output~0+5")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(hash)
	// Output: 02e5a0247bbdcf2860b7e96f74961594
}

func ExampleNewSpec() {
	spec, err := nasbench101.NewSpec("conv3x3~0,maxpool3x3~1,output~0+2")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := json.Marshal(spec)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(text))
	// Output: {"matrix":[[0,1,0,1],[0,0,1,0],[0,0,0,1],[0,0,0,0]],"ops":["input","conv3x3-bn-relu","maxpool3x3","output"]}
}
