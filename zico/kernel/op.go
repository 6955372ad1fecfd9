// Package kernel turns single operations on fixed shapes into XLA executables and keeps them.
//
// A network is never compiled as a whole: compiling one takes longer than running it, and no two candidates of a search share it. An operation on a shape is shared by hundreds of networks, compiles in milliseconds, and is run by package tape. So this package has two halves: Cache, which compiles each Op once and runs it, and the operations themselves, each a small comparable struct that knows its input shapes and builds its graph.
//
// Activations are [batches*images, height, width, channels]: the batches of a score go through one call, one after the other along the first axis, and only batch normalisation, the loss and the weight gradients see that there are several. Weights are [height, width, in/groups, out]; linear weights are [in, out].
package kernel

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Op is one operation on fixed shapes: the key of its executable. Implementations are comparable structs.
type Op interface {
	// Name says what is computed and on what, for error messages and profiles: "conv3x3/1 [256,32,32,16>16] float32".
	Name() string
	// Inputs are the shapes of the arguments, in order.
	Inputs() []shapes.Shape
	// Graph builds the operation for a platform ("cpu", "cuda"). It runs under GoMLX's conventions: graph functions panic, Cache recovers.
	Graph(platform string, g *graph.Graph, in []*graph.Node) []*graph.Node
}

// Act is the shape and type of an activation: Batches times Images pictures of H x W pixels and C channels.
type Act struct {
	DType           dtypes.DType
	Batches, Images int
	H, W, C         int
}

// Shape is [batches*images, h, w, c].
func (a Act) Shape() shapes.Shape {
	return shapes.Make(a.DType, a.Batches*a.Images, a.H, a.W, a.C)
}

// Bytes is the size of the activation in memory.
func (a Act) Bytes() int64 {
	return int64(a.Batches*a.Images) * int64(a.H*a.W*a.C) * int64(a.DType.Size())
}

// with returns the activation with another picture size and number of channels.
func (a Act) with(h, w, c int) Act {
	a.H, a.W, a.C = h, w, c
	return a
}
