package gonbext_test

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/gonbext"
)

func ExampleScore() {
	res, err := gonbext.Score("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|", gonbext.Options{Space: "natstss:C=4,N=1", Batch: 16, Quiet: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d layers, %d parameters\n", len(res.Layers), res.Params)
	// Output: 17 layers, 11446 parameters
}
