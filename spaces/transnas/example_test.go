package transnas_test

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/transnas"
)

func ExampleSpace_Network() {
	space := transnas.Space{C: 64}
	for _, task := range transnas.Tasks[:2] {
		n, err := space.Network("64-41414-3_12_023", task.Input)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(task.Name, net.Params(n), "parameters,", net.FLOPs(n, net.MACs), "multiply-accumulates")
	}
	// Output:
	// class_scene 15728975 parameters, 3243793920 multiply-accumulates
	// class_object 15743339 parameters, 3243808256 multiply-accumulates
}

func ExampleSpace_Parse() {
	space := transnas.Space{C: 64, Macro: true}
	_, err := space.Parse("64-4442-basic")
	fmt.Println(err)
	// Output: transnas:C=64,macro=1: position 6 of "64-444►2-basic": a skeleton has at most six modules, of which three double the channels and four halve the resolution
}
