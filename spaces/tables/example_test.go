package tables_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces/tables"
)

func ExampleEmbedded() {
	t, err := tables.Embedded()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Len(), "cells of", t.Space())
	for _, c := range t.Columns() {
		fmt.Println(c.Name, c.Unit)
	}
	v, ok := t.Value("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|", "cifar10/valid")
	fmt.Printf("%.2f %v\n", v, ok)
	// Output:
	// 15625 cells of natstss
	// cifar10/valid %
	// cifar100/valid %
	// ImageNet16-120/valid %
	// 91.55 true
}

// The folder has the layout of NATS-Bench's, two of its 15,625 cells and numbers that are made up.
func ExampleOpen() {
	t, err := tables.Open(context.Background(), "testdata/NATS-tss-v1_0-3ffb9-simple", tables.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for arch, accuracy := range t.All("cifar100/test") {
		fmt.Printf("%.2f %% %s\n", accuracy, arch)
	}
	// Output:
	// 23.01 % |none~0|+|none~0|none~1|+|none~0|none~1|none~2|
	// 63.12 % |avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|
}

// A file of a benchmark that takes long to read is kept as CSV, which Open reads in a moment.
func ExampleTable_WriteCSV() {
	t, err := tables.Open(context.Background(), "testdata/NATS-sss-v1_0-50262.pickle.pbz2", tables.Options{})
	if err != nil {
		log.Fatal(err)
	}
	var csv strings.Builder
	if err := t.WriteCSV(&csv); err != nil {
		log.Fatal(err)
	}
	lines := strings.Split(csv.String(), "\n")
	fmt.Println(lines[0])
	fmt.Printf("%.47s ...\n", lines[3])
	fmt.Printf("%.32s ...\n", lines[len(lines)-2])
	// Output:
	// # space: natssss
	// # column: {"name":"cifar10/test","dataset":"cif ...
	// 64:64:64:64:64,84.57243434757194 ...
}
