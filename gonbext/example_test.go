package gonbext_test

import (
	"fmt"
	"os"

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

// What a cell has scored, a later cell finds.
func ExampleOpenSession() {
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	os.Setenv("ZEROSHOT_SESSIONS", dir)
	defer os.Unsetenv("ZEROSHOT_SESSIONS")

	o := gonbext.Options{Space: "natstss:C=4,N=1", Batch: 8, Session: "mine", Quiet: true}
	if _, err := gonbext.Compare([]string{"7", "1462"}, o); err != nil {
		fmt.Println(err)
		return
	}
	s, err := gonbext.OpenSession("mine")
	if err != nil {
		fmt.Println(err)
		return
	}
	results, err := s.Results()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(results), "networks")
	// Output: 2 networks
}
