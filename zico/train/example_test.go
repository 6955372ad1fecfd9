package train_test

import (
	"context"
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces"
	_ "github.com/zeroshotnas/zeroshot/spaces/plain"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/train"
)

// A small network learns to tell the embedded photographs apart.
func ExampleRun() {
	be, err := backend.Open("")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer be.Close()
	space, _ := spaces.Open("plain")
	arch, _ := space.Parse("3x8s2,3x16s2,3x32s2")
	data, _ := images.Open("embedded")
	network, err := space.Network(arch, spaces.Input{Size: data.Size(), Classes: data.Classes()})
	if err != nil {
		fmt.Println(err)
		return
	}
	history, err := train.Run(context.Background(), be, train.Config{Network: network, Data: data, Batch: 32, Epochs: 5})
	if err != nil {
		fmt.Println(err)
		return
	}
	first, last := history.Epochs[0], history.Epochs[4]
	fmt.Println(len(history.Steps), "steps; the loss has fallen:", last.TrainLoss < first.TrainLoss && last.Loss < first.Loss)
	// Output: 90 steps; the loss has fallen: true
}
