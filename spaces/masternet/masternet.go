// Package masternet is the MobileNet-like ImageNet space in which ZiCo (Li et al., ICLR 2023) and Zen-NAS (Lin et al., ICCV 2021) search: chains of super blocks, each standing for several convolutions of one kind.
//
// Structures, networks, counters and mutations are those of the reference code (SLDGroup/ZiCo at b0fec65, whose MasterNet.py and search_space_IDW_fixfc.py are Zen-NAS's), including where it counts oddly: budgets are numbers of those counters.
package masternet

import (
	"fmt"
	"iter"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// Space is the chains of super blocks, with the two switches that the reference has for making networks of them. The zero value is what the reference scores.
type Space struct {
	// ResLink adds the residual links (the reference's no_reslink=False): it trains found networks with them and counts budgets with them, but scores without.
	ResLink bool
	// SE adds squeeze and excitation to the residual super blocks (use_se), as for the training of found networks.
	SE bool
}

func init() {
	spaces.Register("masternet", func(o *spaces.Options) spaces.Space {
		return Space{ResLink: o.Int("reslink", 0, 0, 1, "1 adds residual links") == 1, SE: o.Int("se", 0, 0, 1, "1 adds squeeze and excitation") == 1}
	})
}

// Name implements spaces.Space.
func (s Space) Name() string {
	digit := map[bool]int{true: 1}
	return fmt.Sprintf("masternet:reslink=%d,se=%d", digit[s.ResLink], digit[s.SE])
}

// Doc implements spaces.Space.
func (s Space) Doc() string {
	return "chains of super blocks, the ImageNet space of Zen-NAS and ZiCo: SuperConvK3BNRELU(in,out,stride,layers)SuperResIDWE6K3(in,out,stride,bottleneck,layers)... or the name of a known structure, as zico_450M"
}

// Input implements spaces.Space: ImageNet.
func (s Space) Input() spaces.Input { return spaces.Input{Size: 224, Classes: 1000} }

// eps is the epsilon that MasterNet sets on all of its batch normalisations.
const eps = 1e-3

// Network implements spaces.Space: the blocks one after the other, global pool, classifier. Modules are named and ordered as in the reference's MasterNet.
func (s Space) Network(a spaces.Arch, in spaces.Input) (*net.Network, error) {
	chain, err := s.chain(a)
	if err != nil {
		return nil, err
	}
	if in.Classes < 1 {
		return nil, fmt.Errorf("%s: %d classes; at least one is needed", s.Name(), in.Classes)
	}
	b := net.NewBuilder(string(a), net.Shape{C: 3, H: in.Size, W: in.Size})
	x := 0
	for i, bl := range chain {
		x = build(b, fmt.Sprintf("module_list.%d", i), bl.expand(s.ResLink, s.SE), x)
	}
	return b.Network(b.Head("fc_linear.netblock", x, in.Classes))
}

// build adds a sequence of basic blocks and returns the last node.
func build(b *net.Builder, name string, list []basic, x int) int {
	for i, l := range list {
		module := fmt.Sprintf("%s.module_list.%d", name, i)
		switch l.op {
		case convKX:
			x = b.Conv(module+".netblock", x, l.out, l.kernel, l.stride)
		case convDW:
			x = b.Depthwise(module+".netblock", x, l.kernel, l.stride)
		case bn:
			x = b.BatchNorm(module+".netblock", x, eps)
		case relu:
			x = b.ReLU(x)
		case se:
			module += ".netblock"
			y := b.Add(net.Node{Op: net.GlobalAvgPool, In: []int{x}})
			y = b.ReLU(b.BatchNorm(module+".2", b.Conv(module+".1", y, squeezed(l.out), 1, 1), eps))
			y = b.BatchNorm(module+".5", b.Conv(module+".4", y, l.out, 1, 1), eps)
			y = b.Add(net.Node{Op: net.Sigmoid, In: []int{y}})
			x = b.Add(net.Node{Op: net.Gate, In: []int{x, y}})
		case residual:
			y, link := build(b, module, l.inner, x), x
			if l.projects() {
				link = b.Add(net.Node{Op: net.Conv, Name: module + ".proj.0", In: []int{x}, Out: l.out, Kernel: 1, Stride: l.stride, Bias: true})
				link = b.BatchNorm(module+".proj.1", link, eps)
			}
			x = b.Sum(y, link)
		}
	}
	return x
}

// Size implements spaces.Space: chains have any length, so they cannot be counted.
func (s Space) Size() int { return 0 }

// All implements spaces.Space: nothing, as Size is 0.
func (s Space) All() iter.Seq[spaces.Arch] { return func(func(spaces.Arch) bool) {} }
