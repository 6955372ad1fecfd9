package rank

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// sizes are those of a random sample of networks, of NAS-Bench-201 and of NAS-Bench-101.
var sizes = []int{1000, 15625, 423624}

// benchmarkPairs have accuracies as coarse as those of NAS-Bench-101, where every value has ties.
func benchmarkPairs(n int) (score, truth []float64) {
	score, truth = correlated(rand.New(rand.NewPCG(1, 1)), n, 0.7)
	for i, v := range truth {
		truth[i] = math.Round(2000 * v)
	}
	return score, truth
}

func BenchmarkNew(b *testing.B) {
	for _, n := range sizes {
		score, truth := benchmarkPairs(n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sample(b, score, truth)
			}
		})
	}
}

func BenchmarkStatistics(b *testing.B) {
	for _, n := range sizes {
		score, truth := benchmarkPairs(n)
		s := sample(b, score, truth)
		for _, st := range Statistics() {
			b.Run(st.Name+"/"+strconv.Itoa(n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					st.Of(s)
				}
			})
		}
	}
}

// BenchmarkDisplay is what a live display without Running costs after each pair: a new sample with tau and rho.
func BenchmarkDisplay(b *testing.B) {
	for _, n := range sizes {
		score, truth := benchmarkPairs(n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s := sample(b, score, truth)
				s.KendallTau()
				s.Spearman()
			}
		})
	}
}

// BenchmarkRunning adds one pair to n.
func BenchmarkRunning(b *testing.B) {
	for _, n := range sizes[:2] {
		score, truth := benchmarkPairs(n)
		var full Running
		for i := range score {
			full.Add(score[i], truth[i])
		}
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := full // appends to shared memory, which no one reads
				r.Add(0.5, 100)
			}
		})
	}
}

// BenchmarkBootstrap makes the 1000 resamples of the default.
func BenchmarkBootstrap(b *testing.B) {
	for _, n := range sizes[:2] {
		score, truth := benchmarkPairs(n)
		s := sample(b, score, truth)
		for _, st := range Statistics() {
			b.Run(st.Name+"/"+strconv.Itoa(n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s.Bootstrap(st.Of, Options{})
				}
			})
		}
	}
}
