package rank

import (
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/zeroshotnas/zeroshot/zico/formula"
)

// Statistic is a number about a sample.
type Statistic struct {
	Name string // as in a table's head or on a command line
	Of   func(*Sample) float64
}

// Statistics lists the statistics of this package, with those of the top at 10 networks and, by name, at 10 % of them.
func Statistics() []Statistic {
	return []Statistic{
		{"kendall", (*Sample).KendallTau},
		{"spearman", (*Sample).Spearman},
		{"pearson", (*Sample).Pearson},
		{"weighted-tau", (*Sample).WeightedTau},
		{"precision@10", func(s *Sample) float64 { return s.Precision(10) }},
		{"precision@10%", func(s *Sample) float64 { return s.Precision(s.Top(0.1)) }},
		{"top-mean@10", func(s *Sample) float64 { return s.TopMean(10) }},
		{"top-mean@10%", func(s *Sample) float64 { return s.TopMean(s.Top(0.1)) }},
		{"regret", (*Sample).Regret},
		{"ndcg@10", func(s *Sample) float64 { return s.NDCG(10) }},
		{"ndcg", func(s *Sample) float64 { return s.NDCG(s.N()) }},
	}
}

// Options of a bootstrap; the zero value is usual.
type Options struct {
	Resamples int     // default 1000
	Level     float64 // share of resamples inside, above 0 and below 1; default 0.95
	Seed      uint64  // of the draws
}

// Interval is a statistic and where it lies in resamples.
type Interval struct {
	Estimate  float64 // of the sample itself
	Low, High float64 // NaN if no resample has a value
	Level     float64
	Resamples int
	Seed      uint64
	Undefined int // resamples that have no value (NaN), as when all their scores tie; the bounds are of the others
}

// String is the estimate and the bounds, as in 0.5778 [0.5690, 0.5866].
func (i Interval) String() string {
	return fmt.Sprintf("%.4f [%.4f, %.4f]", i.Estimate, i.Low, i.High)
}

// Bootstrap gives the percentile interval of a statistic (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13): as many pairs as the sample has are drawn from it with replacement, again and again, and the bounds leave out (1-Level)/2 of the values at either end, between neighbours in proportion. stat is a method, as in s.Bootstrap((*Sample).KendallTau, Options{}), the Of of a Statistic, or a function of one's own.
//
// The interval tells how much the statistic would vary with another choice of as many networks from the same space; training noise in the accuracies is not separated from it. It is sound for correlations and means. The best of a sample is no smooth function of it, so the bounds of Regret, and of anything about very few top networks, are rough.
//
// It depends on the pairs and Options only: not on their order, nor on the number of processors. The same seed draws the same resamples for each statistic. stat runs on several goroutines at once; the sample it is given is valid until it returns, has memory of its own and must not be used from two goroutines.
//
// It panics for a Level that is not between 0 and 1 and for negative Resamples, which are mistakes in the program.
func (s *Sample) Bootstrap(stat func(*Sample) float64, o Options) Interval {
	return o.interval(stat(s), func() func(int) float64 {
		r := s.resample()
		return func(i int) float64 {
			s.fill(r, times(&r.work.drawn, s.N(), o.Seed, i))
			return stat(r)
		}
	})
}

// interval is the percentile interval of the values of numbered resamples. worker is called on each goroutine for a function that computes them with memory of its own.
func (o Options) interval(estimate float64, worker func() func(i int) float64) Interval {
	if o.Resamples == 0 {
		o.Resamples = 1000
	}
	if o.Level == 0 {
		o.Level = 0.95
	}
	if !(o.Level > 0 && o.Level < 1) || o.Resamples < 0 {
		panic(fmt.Sprintf("rank: a bootstrap of %d resamples at level %v: the level must be between 0 and 1, the number above 0", o.Resamples, o.Level))
	}
	values := make([]float64, o.Resamples)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), o.Resamples) {
		wg.Go(func() {
			value := worker()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(values) {
					return
				}
				values[i] = value(i)
			}
		})
	}
	wg.Wait()
	values = slices.DeleteFunc(values, math.IsNaN)
	out := Interval{Estimate: estimate, Level: o.Level, Resamples: o.Resamples, Seed: o.Seed, Undefined: o.Resamples - len(values)}
	slices.Sort(values)
	out.Low, out.High = quantile(values, (1-o.Level)/2), quantile(values, (1+o.Level)/2)
	return out
}

// resample is an empty sample that draw can fill.
func (s *Sample) resample() *Sample {
	return &Sample{
		score: make([]int32, s.N()), truth: make([]int32, s.N()),
		scores: s.scores, truths: s.truths, missing: s.missing,
		work: &workspace{},
	}
}

// times is how often resample i draws each of n pairs, valid until buf is used again. Draws are numbered, so a resample does not depend on who makes it.
func times(buf *[]int32, n int, seed uint64, i int) []int32 {
	drawn := sized(buf, n)
	clear(drawn)
	base := formula.Base(seed, uint64(i))
	for j := range n {
		p, _ := bits.Mul64(formula.Raw(base, uint64(j)), uint64(n)) // uniform on 0..n-1, up to n/2^64
		drawn[p]++
	}
	return drawn
}

// fill makes r the resample that has the pair at place p so many times. Counting how often each pair is drawn and writing them in order gives a sorted sample without sorting.
func (s *Sample) fill(r *Sample, times []int32) {
	q := 0
	for p, t := range times {
		for range t {
			r.score[q], r.truth[q] = s.score[p], s.truth[p]
			q++
		}
	}
}

// quantile is the value at a share of sorted values, between neighbours in proportion (type 7 of Hyndman and Fan, NumPy's default). NaN of none.
func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := share * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) || sorted[i] == sorted[i+1] { // not infinity less itself
		return sorted[i]
	}
	part := at - float64(i)
	return sorted[i]*(1-part) + sorted[i+1]*part
}
