package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/golden"
)

func verify(ctx context.Context, args []string) error {
	f := newFlags("verify", "FILE...")
	var device, kernels string
	deviceFlags(f, &device, &kernels)
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return usageError{errors.New("no golden file given")}
	}
	be, err := backend.Open(device)
	if err != nil {
		return err
	}
	var passed, failed, skipped int
	for _, file := range f.Args() {
		g, err := golden.Read(file)
		if err != nil {
			return err
		}
		fmt.Println(golden.Header())
		err = golden.Verify(ctx, be, kernels, g, func(r *golden.Row) {
			fmt.Println(r)
			switch {
			case r.Skipped != "":
				skipped++
			case r.OK():
				passed++
			default:
				failed++
			}
		})
		if err != nil {
			return err
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 || passed == 0 {
		return errFailed
	}
	return nil
}
