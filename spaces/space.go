// Package spaces holds what can be built: search spaces and the networks of their architectures.
//
// It is pure Go and knows nothing of devices or scores. Each space is a package below this one that registers itself; a program opens one by name, as in Open("natstss") or Open("natstss:C=16,N=1").
package spaces

import (
	"iter"
	"math/rand/v2"

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
