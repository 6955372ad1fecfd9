// Package plain is the simplest search space: chains of convolutions. It is the smallest example of a space, and the golden files' first networks.
package plain

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// layer is one convolution: kernel x channels, stride.
type layer struct{ kernel, out, stride int }

// The choices that Sample, Mutate and Neighbors draw from. Parse takes any odd kernel, any number of channels and any stride.
var (
	kernels  = []int{1, 3, 5, 7}
	channels = []int{8, 16, 32, 64}
	strides  = []int{1, 2}
)

// maxDepth is the largest number of convolutions that Sample, Mutate and Neighbors make.
const maxDepth = 4

// Space is the chains of convolutions, each followed by batch normalisation (with BN) and a ReLU; without BN the convolutions have biases. Global pooling and a classifier end the chain.
type Space struct{ BN bool }

func init() {
	spaces.Register("plain", func(o *spaces.Options) spaces.Space {
		return Space{BN: o.Int("bn", 1, 0, 1, "0 for biases instead of batch normalisation") == 1}
	})
}

// Name implements spaces.Space.
func (s Space) Name() string {
	if s.BN {
		return "plain:bn=1"
	}
	return "plain:bn=0"
}

// Doc implements spaces.Space.
func (s Space) Doc() string {
	return "chains of convolutions, KERNELxCHANNELSsSTRIDE separated by commas: 3x8s1,3x16s2,3x32s2"
}

// Input implements spaces.Space: CIFAR-10.
func (s Space) Input() spaces.Input { return spaces.Input{Size: 32, Classes: 10} }

// Parse reads "3x8s1,3x16s2": for each convolution its kernel (odd), output channels and stride.
func (s Space) Parse(str string) (spaces.Arch, error) {
	chain, err := s.parse(str)
	if err != nil {
		return "", err
	}
	return arch(chain), nil
}

func (s Space) parse(str string) ([]layer, error) {
	var chain []layer
	pos := 0
	fail := func(format string, args ...any) ([]layer, error) {
		return nil, &spaces.ParseError{Space: s.Name(), Input: str, Pos: pos, Want: fmt.Sprintf(format, args...)}
	}
	// number reads digits and then the mark behind them.
	number := func(mark string) (int, bool) {
		end := pos
		for end < len(str) && str[end] >= '0' && str[end] <= '9' {
			end++
		}
		v, err := strconv.Atoi(str[pos:end])
		if err != nil || !strings.HasPrefix(str[end:], mark) || str[pos] == '0' || v > 1<<16 {
			return 0, false
		}
		pos = end + len(mark)
		return v, true
	}
	for {
		var l layer
		var ok bool
		at := pos
		if l.kernel, ok = number("x"); !ok || l.kernel%2 == 0 {
			pos = at
			return fail(`expected an odd kernel size and "x", as in 3x16s2`)
		}
		if l.out, ok = number("s"); !ok {
			return fail(`expected the number of channels and "s", as in 3x16s2`)
		}
		if l.stride, ok = number(""); !ok {
			return fail("expected a stride, as in 3x16s2")
		}
		chain = append(chain, l)
		if pos == len(str) {
			return chain, nil
		}
		if str[pos] != ',' {
			return fail(`expected "," or the end`)
		}
		pos++
	}
}

func arch(chain []layer) spaces.Arch {
	var parts []string
	for _, l := range chain {
		parts = append(parts, fmt.Sprintf("%dx%ds%d", l.kernel, l.out, l.stride))
	}
	return spaces.Arch(strings.Join(parts, ","))
}

// Network implements spaces.Space. Modules are numbered as in a torch.nn.Sequential.
func (s Space) Network(a spaces.Arch, in spaces.Input) (*net.Network, error) {
	chain, err := s.parse(string(a))
	if err != nil {
		return nil, err
	}
	if in.Classes < 1 {
		return nil, fmt.Errorf("%s: %d classes; at least one is needed", s.Name(), in.Classes)
	}
	b := net.NewBuilder(string(a), net.Shape{C: 3, H: in.Size, W: in.Size})
	x, module := 0, 0
	next := func() string {
		module++
		return strconv.Itoa(module - 1)
	}
	for _, l := range chain {
		x = b.Add(net.Node{Op: net.Conv, Name: next(), In: []int{x}, Out: l.out, Kernel: l.kernel, Stride: l.stride, Pad: l.kernel / 2, Bias: !s.BN})
		if s.BN {
			x = b.BatchNorm(next(), x, 0)
		}
		x = b.ReLU(x)
		next() // the ReLU
	}
	next() // global pooling
	next() // flatten
	return b.Network(b.Head(next(), x, in.Classes))
}

// Sample implements spaces.Space: one to four convolutions, everything uniform.
func (s Space) Sample(rng *rand.Rand) spaces.Arch {
	chain := make([]layer, 1+rng.IntN(maxDepth))
	for i := range chain {
		chain[i] = layer{pick(rng, kernels), pick(rng, channels), pick(rng, strides)}
	}
	return arch(chain)
}

func pick(rng *rand.Rand, from []int) int { return from[rng.IntN(len(from))] }

// Mutate implements spaces.Space: a random neighbour.
func (s Space) Mutate(rng *rand.Rand, a spaces.Arch) spaces.Arch {
	return spaces.Draw(rng, s.Neighbors(a), a)
}

// Neighbors implements spaces.Space: chains with one kernel, width or stride changed, with the last convolution dropped, or with one more like the last.
func (s Space) Neighbors(a spaces.Arch) iter.Seq[spaces.Arch] {
	return func(yield func(spaces.Arch) bool) {
		chain, err := s.parse(string(a))
		if err != nil {
			return
		}
		changed := func(i int, l layer) bool {
			if l == chain[i] {
				return true
			}
			c := slices.Clone(chain)
			c[i] = l
			return yield(arch(c))
		}
		for i, l := range chain {
			for _, k := range kernels {
				if !changed(i, layer{k, l.out, l.stride}) {
					return
				}
			}
			for _, c := range channels {
				if !changed(i, layer{l.kernel, c, l.stride}) {
					return
				}
			}
			for _, st := range strides {
				if !changed(i, layer{l.kernel, l.out, st}) {
					return
				}
			}
		}
		if len(chain) > 1 && !yield(arch(chain[:len(chain)-1])) {
			return
		}
		if len(chain) < maxDepth {
			yield(arch(append(slices.Clone(chain), chain[len(chain)-1])))
		}
	}
}

// Size implements spaces.Space: Parse takes chains of any length, so they cannot be counted.
func (s Space) Size() int { return 0 }

// All implements spaces.Space: nothing, as Size is 0.
func (s Space) All() iter.Seq[spaces.Arch] { return func(func(spaces.Arch) bool) {} }
