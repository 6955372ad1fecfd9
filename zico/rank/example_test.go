package rank_test

import (
	"fmt"
	"log"
	"math"

	"github.com/zeroshotnas/zeroshot/zico/rank"
)

func Example() {
	score := []float64{971.6, 792.9, 276.4, 870.1, math.NaN(), 640.0, 903.3, 512.8}
	accuracy := []float64{93.9, 91.8, 88.2, 93.1, 10.0, 92.4, 94.1, 89.9}
	s, err := rank.New(score, accuracy)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Counts())
	fmt.Println("tau", s.Bootstrap((*rank.Sample).KendallTau, rank.Options{Seed: 1}))
	fmt.Printf("rho %.4f\n", s.Spearman())
	fmt.Printf("of the 2 best-scored, %.0f %% are among the 2 best; their mean accuracy is %.1f\n", 100*s.Precision(2), s.TopMean(2))
	fmt.Printf("following the score costs %.1f points of accuracy\n", s.Regret())
	// Output:
	// 8 pairs; 1 without score, ranked last; 1 not in Pearson's r
	// tau 0.8571 [0.5000, 1.0000]
	// rho 0.9524
	// of the 2 best-scored, 100 % are among the 2 best; their mean accuracy is 94.0
	// following the score costs 0.2 points of accuracy
}

// All statistics by name, as for a table.
func ExampleStatistics() {
	s, err := rank.New([]float64{1, 2, 3, 4, 5}, []float64{90, 92, 91, 94, 93})
	if err != nil {
		log.Fatal(err)
	}
	for _, st := range rank.Statistics() {
		fmt.Printf("%-13s %.4f\n", st.Name, st.Of(s))
	}
	// Output:
	// kendall       0.6000
	// spearman      0.8000
	// pearson       0.8000
	// weighted-tau  0.5438
	// precision@10  1.0000
	// precision@10% 0.0000
	// top-mean@10   92.0000
	// top-mean@10%  93.0000
	// regret        1.0000
	// ndcg@10       0.9401
	// ndcg          0.9401
}

// Perplexity: lower is better.
func ExampleNegated() {
	s, err := rank.New(rank.Negated([]float64{12, 30, 18, math.NaN()}), []float64{94, 89, 92, 50})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.KendallTau())
	// Output: 1
}

// A display that follows a search.
func ExampleRunning() {
	var r rank.Running
	for _, pair := range [][2]float64{{3, 91}, {1, 88}, {4, 93}, {2, 92}} {
		r.Add(pair[0], pair[1])
		fmt.Printf("%d networks: tau %.3f, rho %.3f\n", r.N(), r.KendallTau(), r.Spearman())
	}
	// Output:
	// 1 networks: tau NaN, rho NaN
	// 2 networks: tau 1.000, rho 1.000
	// 3 networks: tau 1.000, rho 1.000
	// 4 networks: tau 0.667, rho 0.800
}

// Is one proxy better than another, or was it luck with the sample? The networks are the same, so the question is one of pairs.
func ExampleDifference() {
	accuracy := []float64{93.9, 91.8, 88.2, 93.1, 85.0, 92.4, 94.1, 89.9}
	score := []float64{971.6, 792.9, 276.4, 870.1, 210.0, 640.0, 903.3, 512.8}
	params := []float64{1.3, 0.2, 0.3, 0.9, 0.1, 0.2, 1.1, 0.3}
	d, err := rank.Difference(score, params, accuracy, (*rank.Sample).KendallTau, rank.Options{Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("tau of the score less that of the parameters:", d)
	// Output:
	// tau of the score less that of the parameters: 0.2641 [-0.1242, 1.0652]
}
