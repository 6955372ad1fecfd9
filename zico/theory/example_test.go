package theory_test

import (
	"context"
	"fmt"

	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/theory"
)

// How many of a hundred steps of linear regression lie under the bounds of Theorem 3.1, as printed and put right?
func ExampleLinear() {
	digits, err := images.Open("digits")
	if err != nil {
		fmt.Println(err)
		return
	}
	sets, err := theory.Draw(digits, 1, 200)
	if err != nil {
		fmt.Println(err)
		return
	}
	steps, err := theory.Linear(context.Background(), sets[0], theory.LinearConfig{Runs: 100, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	var printed, right int
	for _, s := range steps {
		if s.After <= s.Printed() {
			printed++
		}
		if s.After <= s.MeanBound()*(1+1e-9) {
			right++
		}
	}
	fmt.Printf("as printed: %d, put right: %d\n", printed, right)
	// Output: as printed: 0, put right: 100
}
