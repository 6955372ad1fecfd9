package proxy_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

// A proxy of one's own: how evenly the gradient is spread over the layers, as the entropy of their shares of its square. It needs what SNIP needs, so it comes with ZiCo's own pass.
func init() {
	proxy.Register(proxy.Proxy{
		Name: "spread", Doc: "Entropy of the layers' shares of the squared gradient.",
		Source: "an example",
		Needs:  zico.NeedProducts,
		Score: func(o *zico.Observation) float64 {
			total, entropy := 0.0, 0.0
			for _, l := range o.Layers {
				total += l.Products.Grads
			}
			for _, l := range o.Layers {
				if p := l.Products.Grads / total; p > 0 {
					entropy -= p * math.Log(p)
				}
			}
			return entropy
		},
	})
}

func ExampleRegister() {
	proxies, err := proxy.Find("spread", "params")
	if err != nil {
		log.Fatal(err)
	}
	space := natstss.Space{C: 16, N: 1}
	arch, err := space.Parse("1462")
	if err != nil {
		log.Fatal(err)
	}
	network, err := space.Network(arch, spaces.Input{Size: 32, Classes: 10})
	if err != nil {
		log.Fatal(err)
	}
	source, err := images.Open("formula:classes=10")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	data, err := source.Batches(ctx, images.Options{Batch: 8, N: 1, Size: 32})
	if err != nil {
		log.Fatal(err)
	}
	be, err := backend.Open("")
	if err != nil {
		log.Fatal(err)
	}
	scorer, err := zico.New(be, zico.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer scorer.Close()
	res, err := proxy.Evaluate(ctx, scorer, network, 1, data, proxies)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("spread %.2f, %g parameters\n", res.Values[0], res.Values[1])
	// Output: spread 2.32, 138714 parameters
}
