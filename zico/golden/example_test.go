package golden_test

import (
	"context"
	"fmt"

	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/golden"
)

func ExampleVerify() {
	be, err := backend.Open("")
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := golden.Read("testdata/small.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	f.Networks = f.Networks[:1]
	passed := 0
	err = golden.Verify(context.Background(), be, "", f, func(r *golden.Row) {
		if r.OK() {
			passed++
		}
	})
	fmt.Println(passed, "comparisons passed,", err)
	// Output: 8 comparisons passed, <nil>
}
