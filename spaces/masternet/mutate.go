package masternet

import (
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// The types that a SuperRes block mutates to, in the order of search_space_IDW_fixfc.py, and how often each of their strings is in the list that the reference draws from. It extends the list of one type in place while it makes the next type's, and keeps all of them: so the draw prefers the first types, in every search of the paper.
var (
	types = func() []kind {
		var list []kind
		for _, k := range []int{3, 5, 7} {
			for _, e := range []int{1, 2, 4, 6} {
				list = append(list, kind{invertedDW, e, k})
			}
		}
		return list
	}()
	typeWeights = []int{12, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2}
)

// splitAt is the number of layers from which a SuperRes block becomes two.
const splitAt = 6

// channels are the numbers of channels that c mutates to, in increasing order.
func channels(c int) []int {
	var list []int
	x := float64(c)
	for _, y := range []float64{x * 2.5, x * 2, x * 1.5, x * 1.25, x, x / 1.25, x / 1.5, x / 2, x / 2.5} {
		if r := round8(max(8, y)); r <= maxNumber {
			list = append(list, r)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// choices are the blocks that a block mutates to: every type with every number of output channels, of bottleneck channels and of layers.
type choices struct {
	types              []kind
	weights            []int
	outs, mids, layers []int
}

// choicesFor follows gen_search_space. room is the number of layers that the chain may still grow by, which is far from reached in practice.
func choicesFor(b block, room int) choices {
	c := choices{types: []kind{b.kind}, weights: []int{1}, outs: []int{b.out}, mids: []int{b.mid}, layers: []int{1}}
	switch {
	case b.family == plainConv && b.kernel == 1:
		// The last convolution before the classifier stays ("fixfc").
	case b.family == plainConv:
		c.outs = channels(b.out)
	default:
		c.types, c.weights = types, typeWeights
		c.outs, c.mids = channels(b.out), channels(b.mid)
		c.layers = nil
		for n := max(1, b.layers-2); n <= b.layers+min(2, room); n++ {
			c.layers = append(c.layers, n)
		}
	}
	return c
}

// draw picks one of the choices for b: the type by its weight, everything else uniformly.
func (c *choices) draw(rng *rand.Rand, b block) block {
	total := 0
	for _, w := range c.weights {
		total += w
	}
	i := 0
	for at := rng.IntN(total); at >= c.weights[i]; i++ {
		at -= c.weights[i]
	}
	b.kind = c.types[i]
	b.out, b.layers, b.mid = pick(rng, c.outs), pick(rng, c.layers), pick(rng, c.mids)
	return b
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// all yields the choices for b, each once.
func (c *choices) all(b block) iter.Seq[block] {
	return func(yield func(block) bool) {
		for _, b.kind = range c.types {
			for _, b.out = range c.outs {
				for _, b.layers = range c.layers {
					for _, b.mid = range c.mids {
						if !yield(b) {
							return
						}
					}
				}
			}
		}
	}
}

// finish makes a chain of blocks that may not fit together any more: each block's in follows the block before, and SuperRes blocks of splitAt layers and more become two.
func finish(chain []block) []block {
	var list []block
	for i, b := range chain {
		if i > 0 {
			b.in = chain[i-1].out
		}
		if b.family == plainConv || b.layers < splitAt {
			list = append(list, b)
			continue
		}
		first, second := b, b
		first.layers = splitAt / 2
		second.layers = b.layers - splitAt/2
		second.in, second.stride = b.out, 1
		list = append(list, first, second)
	}
	return list
}

// Replace implements spaces.Evolver: one mutation as the reference's evolution makes it (get_new_random_structure_str with num_replaces = n): n times a random block is replaced, but a block that is drawn a second time is skipped and no other drawn for it; then the blocks' in channels are repaired and blocks of six layers and more split. A replaced block may equal the old one, so that the result may be a. An a that is no canonical architecture comes back as it is.
//
// Strides and the SuperConvK1BNRELU before the classifier never change. SuperRes blocks of every kind become SuperResIDWE blocks.
func (s Space) Replace(rng *rand.Rand, a spaces.Arch, n int) spaces.Arch {
	chain, err := s.chain(a)
	if err != nil {
		return a
	}
	drawn := make([]bool, len(chain))
	for range n {
		i := rng.IntN(len(chain))
		if drawn[i] {
			continue
		}
		drawn[i] = true
		c := choicesFor(chain[i], maxLayers-depth(chain))
		chain[i] = c.draw(rng, chain[i])
	}
	return arch(finish(chain))
}

// Initial implements spaces.Evolver: the structure that the searches of Zen-NAS and ZiCo begin with.
func (s Space) Initial() spaces.Arch { return known[0].Arch }

// Mutate implements spaces.Space: of one block either the type, the output channels, the bottleneck channels or the number of layers becomes another of those that Replace chooses from, all with equal probability. Replace draws all four at once; what is nearly good is improved by smaller steps.
func (s Space) Mutate(rng *rand.Rand, a spaces.Arch) spaces.Arch {
	changes := false
	for range s.Neighbors(a) {
		changes = true
		break
	}
	for changes {
		chain, _ := s.chain(a) // it has neighbours, so it is canonical
		b := &chain[rng.IntN(len(chain))]
		c := choicesFor(*b, maxLayers-depth(chain))
		switch rng.IntN(4) {
		case 0:
			b.kind = pick(rng, c.types)
		case 1:
			b.out = pick(rng, c.outs)
		case 2:
			b.mid = pick(rng, c.mids)
		case 3:
			b.layers = pick(rng, c.layers)
		}
		if m := arch(finish(chain)); m != a {
			return m
		}
	}
	return a
}

// Neighbors implements spaces.Space: everything that Replace makes of a by one block, some ten thousand architectures.
func (s Space) Neighbors(a spaces.Arch) iter.Seq[spaces.Arch] {
	return func(yield func(spaces.Arch) bool) {
		chain, err := s.chain(a)
		if err != nil {
			return
		}
		// Where a itself has blocks to split, replacing different blocks by themselves gives the same chain.
		seen := map[spaces.Arch]bool{a: true}
		for i, b := range chain {
			c := choicesFor(b, maxLayers-depth(chain))
			for other := range c.all(b) {
				changed := slices.Clone(chain)
				changed[i] = other
				n := arch(finish(changed))
				if seen[n] {
					continue
				}
				seen[n] = true
				if !yield(n) {
					return
				}
			}
		}
	}
}

// sampled are the largest numbers of channels that Sample gives to the stem and to the four stages.
var sampled = [...]int{64, 64, 128, 192, 320}

// Sample implements spaces.Space. The reference never samples (its search begins with mutations of the initial structure), and the space has no bounds to be uniform in. This draws uniformly from the chains with the initial structure's strides and last block whose stem has 8 to 64 channels and whose four SuperResIDWE blocks have any type, 1 to 5 layers, and up to 64, 128, 192 and 320 output and bottleneck channels in multiples of 8: initial and zico_450M are among them.
func (s Space) Sample(rng *rand.Rand) spaces.Arch {
	width := func(stage int) int { return 8 * (1 + rng.IntN(sampled[stage]/8)) }
	chain := []block{{kind: kind{plainConv, 0, 3}, in: 3, out: width(0), stride: 2, layers: 1}}
	for stage := 1; stage < len(sampled); stage++ {
		chain = append(chain, block{kind: types[rng.IntN(len(types))], in: chain[stage-1].out, out: width(stage), stride: 2, mid: width(stage), layers: 1 + rng.IntN(5)})
	}
	chain = append(chain, block{kind: kind{plainConv, 0, 1}, in: chain[len(chain)-1].out, out: 2048, stride: 1, layers: 1})
	return arch(chain)
}
