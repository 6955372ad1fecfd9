package proxy

import (
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico"
)

// The counts of the description are what every proxy has to beat.
func init() {
	Register(Proxy{
		Name: "params", Title: "#Params", Static: true,
		Doc:    "Number of trainable parameters: weights, biases, scales and offsets of batch norms.",
		Source: "baseline of ZiCo's tables",
		Count:  func(c net.Counts) float64 { return float64(c.Params) },
	})
	Register(Proxy{
		Name: "flops", Title: "FLOPs", Static: true,
		Doc:    "Number of multiply-adds of convolution and linear layers for one image.",
		Source: "baseline of ZiCo's tables",
		Count:  func(c net.Counts) float64 { return float64(c.MACs) },
	})
	Register(Proxy{
		Name: "conv-edges", Title: "#Conv edges", Static: true,
		Doc:    "Number of convolutions, those of dead branches included: in a space of cells it ranks as the number of convolutions in the cell.",
		Source: "baseline",
		Score: func(o *zico.Observation) float64 {
			convs := 0
			for i := range o.Network.Nodes {
				if o.Network.Nodes[i].Op == net.Conv {
					convs++
				}
			}
			return float64(convs)
		},
	})
}
