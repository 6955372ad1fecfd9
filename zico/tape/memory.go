package tape

// PeakBytes estimates the most memory that tensors take at once in a run, in bytes: every value from its making to its last use and, beside each step, a working copy of its largest argument, which XLA's convolutions pack.
func (p *Plan) PeakBytes() int64 {
	live := make([]bool, len(p.tensors))
	var now, peak int64
	for s, st := range p.steps {
		var work int64
		use := func(v value) {
			if !live[v] {
				live[v] = true
				now += p.tensors[v].bytes
			}
			work = max(work, p.tensors[v].bytes)
		}
		free := func(v value) {
			if live[v] && p.tensors[v].last == s {
				live[v] = false
				now -= p.tensors[v].bytes
			}
		}
		for _, v := range st.in {
			use(v)
		}
		for _, v := range st.out {
			use(v)
		}
		peak = max(peak, now+work)
		for _, v := range st.in {
			free(v)
		}
		for _, v := range st.out {
			free(v)
		}
	}
	return peak
}
