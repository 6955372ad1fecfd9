package rank

import "math"

// Running keeps Kendall's tau-b and Spearman's rho up to date while pairs come in, for a live display. An Add takes O(n) steps, a few microseconds for a thousand pairs; tau and rho are then ready. They equal a Sample's, by the same rules. The zero value is empty and ready. It must not be used by two goroutines at once.
type Running struct {
	scores, truths []float64
	x, y           []uint64 // their keys
	a, b           []int64  // of each pair, how many scores, how many accuracies are below less how many are above: its centered rank, twice
	missing        int

	difference, untiedX, untiedY float64 // pairs of pairs: concordant less discordant; those whose scores, whose accuracies differ
	ab, aa, bb                   float64
}

// Add takes one more network. One whose accuracy is NaN is counted by Missing and otherwise left out.
func (r *Running) Add(score, truth float64) {
	if math.IsNaN(truth) {
		r.missing++
		return
	}
	x, y := key(score), key(truth)
	n := len(r.x)
	xs, ys, as, bs := r.x[:n], r.y[:n], r.a[:n], r.b[:n]
	var a, b, difference, untiedX, untiedY int64
	var ab, aa, bb int64 // exact up to 3 million pairs
	for i := range xs {
		dx, dy := sign(x, xs[i]), sign(y, ys[i])
		a += dx
		b += dy
		difference += dx * dy
		untiedX += dx * dx
		untiedY += dy * dy
		as[i] -= dx
		bs[i] -= dy
		ab += as[i] * bs[i]
		aa += as[i] * as[i]
		bb += bs[i] * bs[i]
	}
	r.ab, r.aa, r.bb = float64(ab+a*b), float64(aa+a*a), float64(bb+b*b)
	r.difference += float64(difference)
	r.untiedX += float64(untiedX)
	r.untiedY += float64(untiedY)
	r.scores, r.truths = append(r.scores, score), append(r.truths, truth)
	r.x, r.y = append(r.x, x), append(r.y, y)
	r.a, r.b = append(r.a, a), append(r.b, b)
}

// N is the number of pairs with an accuracy.
func (r *Running) N() int { return len(r.x) }

// Missing is the number of pairs that were left out since their accuracy is NaN.
func (r *Running) Missing() int { return r.missing }

// KendallTau is Sample.KendallTau of the pairs so far.
func (r *Running) KendallTau() float64 {
	if r.untiedX == 0 || r.untiedY == 0 {
		return math.NaN()
	}
	return tau(r.difference, r.untiedX, r.untiedY)
}

// Spearman is Sample.Spearman of the pairs so far.
func (r *Running) Spearman() float64 { return correlation(r.ab, r.aa, r.bb) }

// Sample is a sample of the pairs so far, for all other statistics.
func (r *Running) Sample() *Sample {
	s, err := New(r.scores, r.truths)
	if err != nil {
		panic(err) // Add keeps both of one length
	}
	s.missing = r.missing
	return s
}

// sign is 1 for a > b, -1 for a < b, 0 otherwise, without a branch.
func sign(a, b uint64) int64 { return one(a > b) - one(a < b) }

func one(b bool) int64 {
	var i int64
	if b {
		i = 1
	}
	return i
}
