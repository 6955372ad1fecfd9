package net

// PeakMemory estimates the most memory that inference of one image takes, bytes: all weights, and the activations that live at once, in float32. Layers run in the order of the nodes; an activation is freed after its last reader, and batch norms, rectifiers, sigmoids, scaling and flattening write over their input where nothing else reads it, as inference engines do. Scratch memory of convolutions is not counted. n must be valid.
func PeakMemory(n *Network) int64 {
	last := make([]int, len(n.Nodes)) // the last reader of each node
	readers := make([]int, len(n.Nodes))
	for i := range n.Nodes {
		for _, j := range n.Nodes[i].In {
			last[j] = i
			readers[j]++
		}
	}
	last[n.Output] = len(n.Nodes)
	size := func(i int) int64 {
		s := n.Nodes[i].Shape
		return 4 * int64(s.C) * int64(s.H) * int64(s.W)
	}
	// owner is the node whose memory a node's activation lies in.
	owner := make([]int, len(n.Nodes))
	until := make([]int, len(n.Nodes)) // of an owner: the last reader of what lies there
	var live, peak int64
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		owner[i] = i
		switch nd.Op {
		case BatchNorm, ReLU, Sigmoid, Scale:
			if j := nd.In[0]; readers[j] == 1 && owner[j] != 0 {
				owner[i] = owner[j]
			}
		}
		if owner[i] == i {
			live += size(i)
			peak = max(peak, live)
		}
		until[owner[i]] = max(until[owner[i]], last[i], i)
		freed := map[int]bool{}
		for _, j := range append([]int{i}, nd.In...) {
			if o := owner[j]; until[o] <= i && !freed[o] && o != n.Output {
				freed[o] = true
				live -= size(o)
			}
		}
	}
	return 4*Params(n) + peak
}
