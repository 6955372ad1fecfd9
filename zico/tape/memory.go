package tape

import "slices"

// PeakBytes estimates the most memory that tensors take at once in a run, in bytes: the parameters from beginning to end, every other value from its making to its last use.
func (p *Plan) PeakBytes() int64 {
	var now int64
	for _, t := range p.tensors {
		if t.kept() {
			now += t.bytes
		}
	}
	live := make([]bool, len(p.tensors))
	peak := now
	for s, st := range p.steps {
		for _, v := range slices.Concat(st.in, st.out) {
			if t := &p.tensors[v]; !live[v] && !t.kept() {
				live[v] = true
				now += t.bytes
			}
		}
		peak = max(peak, now)
		for _, v := range slices.Concat(st.in, st.out) {
			if t := &p.tensors[v]; live[v] && t.last == s {
				live[v] = false
				now -= t.bytes
			}
		}
	}
	return peak
}

// kept tells whether a tensor outlives every run: weights and biases.
func (t *tensor) kept() bool { return t.kind == weight || t.kind == bias }

// GradientBytes is the size of the gradients that a raw run leaves.
func (p *Plan) GradientBytes() int64 {
	var sum int64
	for _, g := range p.grads {
		for _, v := range g.out {
			sum += p.tensors[v].bytes
		}
	}
	return sum
}
