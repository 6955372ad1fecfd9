package spaces_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// kernels is a space of one's own: four residual blocks of C channels, each with its own kernel. An architecture is written as four digits.
type kernels struct{ C int }

var digits, all = "1357", []spaces.Arch{} // all is in the order of the index

func init() {
	for i := range 256 {
		all = append(all, spaces.Arch([]byte{digits[i/64], digits[i/16%4], digits[i/4%4], digits[i%4]}))
	}
	spaces.Register("kernels", func(o *spaces.Options) spaces.Space { return kernels{o.Int("C", 16, 1, 1024, "channels")} })
}

func (s kernels) Name() string                    { return fmt.Sprintf("kernels:C=%d", s.C) }
func (kernels) Doc() string                       { return "four residual blocks with kernels 1, 3, 5 or 7: 3571" }
func (kernels) Input() spaces.Input               { return spaces.Input{Size: 32, Classes: 10} }
func (kernels) Size() int                         { return len(all) }
func (kernels) All() iter.Seq[spaces.Arch]        { return slices.Values(all) }
func (kernels) Sample(rng *rand.Rand) spaces.Arch { return all[rng.IntN(len(all))] }
func (s kernels) Mutate(rng *rand.Rand, a spaces.Arch) spaces.Arch {
	return spaces.Draw(rng, s.Neighbors(a), a)
}

func (s kernels) Parse(str string) (spaces.Arch, error) {
	if good := len(str) - len(strings.TrimLeft(str, digits)); good != 4 || len(str) != 4 {
		return "", &spaces.ParseError{Space: s.Name(), Input: str, Pos: min(good, 4), Want: "expected four kernels, each 1, 3, 5 or 7"}
	}
	return spaces.Arch(str), nil
}

func (kernels) Neighbors(a spaces.Arch) iter.Seq[spaces.Arch] {
	var near []spaces.Arch
	for i := 0; i < 16 && slices.Contains(all, a); i++ {
		near = append(near, a[:i/4]+spaces.Arch(digits[i%4])+a[i/4+1:])
	}
	return slices.Values(slices.DeleteFunc(near, func(n spaces.Arch) bool { return n == a }))
}

func (s kernels) Network(a spaces.Arch, in spaces.Input) (*net.Network, error) {
	if _, err := s.Parse(string(a)); err != nil {
		return nil, err
	}
	b := net.NewBuilder(string(a), net.Shape{C: 3, H: in.Size, W: in.Size})
	x := b.ReLU(b.BatchNorm("stem.1", b.Conv("stem.0", 0, s.C, 3, 2), 0))
	for i := range a {
		name := fmt.Sprintf("blocks.%d", i)
		x = b.ReLU(b.Sum(x, b.BatchNorm(name+".1", b.Conv(name+".0", x, s.C, int(a[i]-'0'), 1), 0)))
	}
	return b.Network(b.Head("head", x, in.Classes))
}

// A space of one's own is a type with these methods; registered, it can be opened by name like the others, and what they can do, it can. The package spacetest checks it.
func Example() {
	space, err := spaces.Open("kernels:C=8")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = space.Parse("3541")
	fmt.Println(err)

	arch, err := space.Parse("3571")
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := space.Network(arch, space.Input())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(net.Params(n), "parameters,", net.FLOPs(n, net.MACs), "multiply-accumulates")
	fmt.Println(len(slices.Collect(space.Neighbors(arch))), "neighbours of", space.Size(), "architectures")
	picture := n.SVG() // to be written to a file, or displayed in a notebook
	fmt.Println(strings.Count(picture, "<rect")-1, "boxes on a background")
	// Output:
	// kernels:C=8: position 2 of "35►41": expected four kernels, each 1, 3, 5 or 7
	// 5762 parameters, 1431632 multiply-accumulates
	// 12 neighbours of 256 architectures
	// 22 boxes on a background
}
