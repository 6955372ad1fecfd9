// Package spaces holds what can be built: search spaces and the networks of their architectures.
//
// It is pure Go and knows nothing of devices or scores. Each space is a package below this one that registers itself; a program opens one by name, as in Open("natstss") or Open("natstss:C=16,N=1").
package spaces

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// Arch is an architecture in its space's canonical string form. Two Archs of one space are the same architecture exactly when they are equal; logs, stores and messages carry it as it is.
type Arch string

// Input is what an architecture is instantiated for.
type Input struct {
	Size    int // height and width of the images, pixels
	Classes int // number of classes
}

// Space is a set of architectures. Implementations are immutable and safe for concurrent use.
type Space interface {
	// Name is the registered name with the options in force, e.g. "natstss:C=16,N=5"; Open(Name()) gives an equal space.
	Name() string
	// Doc describes the space in a sentence, with its source.
	Doc() string
	// Input is the image size and the number of classes that the space's benchmark uses first (CIFAR-10 for NATS-TSS).
	Input() Input
	// Parse reads any accepted form of an architecture and returns its canonical form.
	// A malformed or impossible one gives a *ParseError that names the position.
	Parse(s string) (Arch, error)
	// Network builds the network of a canonical architecture.
	// It fails for an Arch that Parse did not return and for images too small for the network (net.ErrShape).
	Network(a Arch, in Input) (*net.Network, error)
	// Sample draws an architecture uniformly.
	Sample(rng *rand.Rand) Arch
	// Mutate changes one random decision of a; the result differs from a wherever the space has a second architecture.
	Mutate(rng *rand.Rand, a Arch) Arch
	// Neighbors yields every architecture one decision away from a, each once, a itself never.
	Neighbors(a Arch) iter.Seq[Arch]
	// Size is the number of architectures, or 0 where they cannot be counted.
	Size() int
	// All yields every architecture in the space's index order, or nothing where Size is 0.
	All() iter.Seq[Arch]
}

// Indexer is a Space that numbers its architectures.
type Indexer interface {
	Space
	// Index is the place of a canonical architecture in All, from 0; Parse reads it in decimal. It fails with a *ParseError for what is no architecture.
	Index(a Arch) (int, error)
}

// Counter is a Space that counts parameters and multiply-adds of an architecture from its description, which takes a small part of the time that its network does. Count uses it.
type Counter interface {
	Space
	// Counts is net.Count of Network(a, in), and fails where Network does.
	Counts(a Arch, in Input) (net.Counts, error)
}

// CellDrawer is a Space whose networks repeat a cell, or two, which the architecture chooses. Network.SVG draws their whole networks, CellSVG what matters of them.
type CellDrawer interface {
	Space
	// CellSVG draws the cells of a canonical architecture as a self-contained SVG picture, without scripts, styles or ids, as their paper does: operations on the edges where they are chosen for edges (net.DrawCells), in the vertices where they are chosen for vertices.
	// It fails with a *ParseError for what is no canonical architecture.
	CellSVG(a Arch) (string, error)
}

// Count counts parameters and multiply-adds of a canonical architecture: as a Counter does, or in its network. It fails where Network does.
func Count(s Space, a Arch, in Input) (net.Counts, error) {
	if c, ok := s.(Counter); ok {
		return c.Counts(a, in)
	}
	n, err := s.Network(a, in)
	if err != nil {
		return net.Counts{}, err
	}
	return net.Count(n), nil
}

// NotCanonical is the error of a space for an Arch that Parse did not return; want is the canonical form of the same architecture.
func NotCanonical(space string, a, want Arch) *ParseError {
	return &ParseError{Space: space, Input: string(a), Want: fmt.Sprintf("expected the canonical form that Parse returns, %s", want)}
}

// Enumerate yields the architectures at(0) to at(n-1): All of a space that makes an architecture from its index.
func Enumerate(n int, at func(int) Arch) iter.Seq[Arch] {
	return func(yield func(Arch) bool) {
		for i := range n {
			if !yield(at(i)) {
				return
			}
		}
	}
}

// Draw draws one of the given architectures uniformly, or returns otherwise where there is none. Spaces whose mutations are the draw of a neighbour implement Mutate with it.
func Draw(rng *rand.Rand, from iter.Seq[Arch], otherwise Arch) Arch {
	all := slices.Collect(from)
	if len(all) == 0 {
		return otherwise
	}
	return all[rng.IntN(len(all))]
}
