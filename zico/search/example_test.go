package search_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/zeroshotnas/zeroshot/spaces"
	_ "github.com/zeroshotnas/zeroshot/spaces/masternet"
	_ "github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
	"github.com/zeroshotnas/zeroshot/zico/search"
)

// Regularised evolution looks accuracies of NAS-Bench-201 up.
func ExampleRun() {
	space, err := spaces.Open("natstss")
	if err != nil {
		log.Fatal(err)
	}
	table, err := tables.Embedded()
	if err != nil {
		log.Fatal(err)
	}
	accuracy, err := search.NewTable(table, 0, 0, "cifar10/valid")
	if err != nil {
		log.Fatal(err)
	}
	state, err := search.Run(context.Background(), search.Config{
		Space: space, Evaluator: accuracy, Method: "aging:population=50,sample=10", Iterations: 1000, Seed: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	best := state.Best()
	fmt.Println(state.Status)
	fmt.Printf("%s %.2f %%\n", best.Arch, state.Score(best))
	// Output:
	// iteration limit reached
	// |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2| 91.61 %
}

// A budget of the ImageNet space, with a rule of one's own; parameters take the place of a score that needs a device.
func ExampleLimit() {
	space, err := spaces.Open("masternet")
	if err != nil {
		log.Fatal(err)
	}
	limits, err := search.ParseBudget("flops=450e6,layers=14", space, spaces.Input{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	limits = append(limits, search.Limit{Name: "length", Max: 200, Measure: func(_ context.Context, a spaces.Arch) (float64, error) {
		return float64(len(a)), nil
	}})
	params, err := proxy.Find("params")
	if err != nil {
		log.Fatal(err)
	}
	state, err := search.Run(context.Background(), search.Config{
		Space: space, Evaluator: &search.Local{Space: space, Proxies: params}, Method: "zico", Limits: limits, Evaluations: 200, Seed: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	flops, _ := state.Cost(state.Best(), "flops")
	fmt.Println(flops <= 450e6, len(state.Best().Arch) <= 200, state.Rejected["length"] > 0)
	// Output: true true true
}

// A method of one's own is a type with two functions. This one climbs: it mutates the best candidate so far.
type climber struct {
	search.Setup
	best *search.Candidate
}

func (c *climber) Propose(rng *rand.Rand) (spaces.Arch, bool) {
	if c.best == nil {
		return c.Space.Sample(rng), true
	}
	return c.Space.Mutate(rng, c.best.Arch), true
}

func (c *climber) Learn(l *search.Candidate) {
	if l.Has() && (c.best == nil || c.Score(l.Objectives) > c.Score(c.best.Objectives)) {
		c.best = l
	}
}

func ExampleRegister() {
	search.Register(search.Info{
		Name: "climber", Doc: "Mutates the best.",
		New: func(s search.Setup, _ *search.Options) (search.Method, error) { return &climber{Setup: s}, nil },
	})
	space, err := spaces.Open("natstss")
	if err != nil {
		log.Fatal(err)
	}
	table, err := tables.Embedded()
	if err != nil {
		log.Fatal(err)
	}
	accuracy, err := search.NewTable(table, 0, 0, "cifar10/valid")
	if err != nil {
		log.Fatal(err)
	}
	state, err := search.Run(context.Background(), search.Config{Space: space, Evaluator: accuracy, Method: "climber", Iterations: 100, Seed: 2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(state.Iterations, state.Score(state.Best()) > 90)
	// Output: 100 true
}
