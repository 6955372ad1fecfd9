package spaces

// Relaxer is a Space that also describes supernets: networks in which an edge mixes several operations, as the relaxation of differentiable search does (Liu et al., DARTS, ICLR 2019). A supernet is written as an Arch, and Parse, Network and what depends on them take it; but it is none of the space's architectures: All, Sample, Mutate and Neighbors know those alone.
type Relaxer interface {
	Space
	// Supernet is the supernet whose edges mix all operations.
	Supernet() Arch
	// Choices are the operations that are left on each edge of an architecture or supernet, numbered and in the order in which the space has them. An edge with one is decided; where all are, it is an architecture. It fails with a *ParseError for what is neither.
	Choices(a Arch) ([][]int, error)
	// Choose leaves only the given operations, one or more, on an edge. It fails where Choices does, and for edges and operations that there are not.
	Choose(a Arch, edge int, ops ...int) (Arch, error)
}

// IsSupernet reports whether a is a supernet of s: whether any of its edges is undecided.
func IsSupernet(s Space, a Arch) bool {
	r, ok := s.(Relaxer)
	if !ok {
		return false
	}
	edges, err := r.Choices(a)
	for _, ops := range edges {
		if len(ops) > 1 {
			return err == nil
		}
	}
	return false
}
