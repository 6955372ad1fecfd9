package correlate

import "strings"

// Paper is what the ZiCo paper (Li et al., ICLR 2023, arXiv 2301.11300) prints of a proxy on a benchmark.
type Paper struct {
	Kendall, Spearman float64 // over all architectures, two decimals
	Source            string  // table or figure
}

// PaperBest is the accuracy of the architecture that a proxy puts first in the whole benchmark, in the unit of the benchmark, after the paper's Tables 4 and 6.
type PaperBest struct {
	Value  float64
	Spread float64 // over five runs, where the paper has it
	Source string
}

// paperRow is a row of a table: Kendall's tau and Spearman's rho by dataset.
type paperRow struct {
	proxy  string
	values [][2]float64
}

// paperTable is a table of the paper.
type paperTable struct {
	space, source string
	datasets      []string
	rows          []paperRow
}

var nats = []string{"cifar10", "cifar100", "ImageNet16-120"}

var paperTables = []paperTable{
	{"natstss", "Tables 1 and 3", nats, []paperRow{
		{"gradnorm", [][2]float64{{0.46, 0.63}, {0.47, 0.63}, {0.43, 0.58}}},
		{"snip", [][2]float64{{0.46, 0.63}, {0.46, 0.63}, {0.43, 0.58}}},
		{"grasp", [][2]float64{{0.37, 0.54}, {0.36, 0.51}, {0.40, 0.56}}},
		{"fisher", [][2]float64{{0.40, 0.55}, {0.41, 0.55}, {0.37, 0.50}}},
		{"synflow", [][2]float64{{0.54, 0.73}, {0.57, 0.76}, {0.56, 0.75}}},
		{"knas", [][2]float64{{0.14, 0.20}, {0.24, 0.35}, {0.30, 0.42}}},
		{"naswot", [][2]float64{{0.58, 0.77}, {0.62, 0.80}, {0.60, 0.78}}},
		{"ntk", [][2]float64{{0.33, 0.44}, {0.33, 0.43}, {0.46, 0.63}}},
		{"gradsign", [][2]float64{{0.58, 0.77}, {0.59, 0.79}, {0.59, 0.78}}},
		{"zen", [][2]float64{{0.29, 0.38}, {0.28, 0.36}, {0.29, 0.40}}},
		{"flops", [][2]float64{{0.54, 0.73}, {0.51, 0.71}, {0.49, 0.67}}},
		{"params", [][2]float64{{0.57, 0.75}, {0.55, 0.73}, {0.52, 0.69}}},
		{"zico", [][2]float64{{0.61, 0.80}, {0.61, 0.81}, {0.60, 0.79}}},
	}},
	// Fisher on ImageNet16-120 is 0.41/0.57 in Fig. 7(d) of the same paper.
	{"natssss", "Table 3", nats, []paperRow{
		{"gradnorm", [][2]float64{{0.35, 0.51}, {0.34, 0.49}, {0.49, 0.67}}},
		{"snip", [][2]float64{{0.42, 0.59}, {0.46, 0.62}, {0.57, 0.76}}},
		{"grasp", [][2]float64{{-0.09, -0.13}, {0.01, 0.01}, {0.29, 0.42}}},
		{"fisher", [][2]float64{{0.30, 0.44}, {0.41, 0.55}, {0.33, 0.47}}},
		{"synflow", [][2]float64{{0.61, 0.81}, {0.60, 0.80}, {0.39, 0.57}}},
		{"knas", [][2]float64{{0.25, 0.37}, {0.12, 0.18}, {0.32, 0.46}}},
		{"naswot", [][2]float64{{0.45, 0.63}, {0.43, 0.59}, {0.42, 0.59}}},
		{"ntk", [][2]float64{{0.17, 0.26}, {0.04, 0.06}, {0.20, 0.30}}},
		{"gradsign", [][2]float64{{0.21, 0.30}, {0.16, 0.27}, {0.04, 0.05}}},
		{"zen", [][2]float64{{0.50, 0.69}, {0.52, 0.71}, {0.69, 0.87}}},
		{"flops", [][2]float64{{0.19, 0.28}, {0.21, 0.30}, {0.38, 0.53}}},
		{"params", [][2]float64{{0.53, 0.72}, {0.54, 0.73}, {0.65, 0.84}}},
		{"zico", [][2]float64{{0.54, 0.73}, {0.55, 0.75}, {0.70, 0.88}}},
	}},
	// 2,000 random architectures of the size space, not all.
	{"natssss", "Table 7 (2,000 networks)", nats, []paperRow{
		{"zico-mean", [][2]float64{{0.25, 0.37}, {0.39, 0.55}, {0.61, 0.81}}},
		{"zico-std", [][2]float64{{0.39, 0.55}, {0.42, 0.60}, {0.45, 0.62}}},
	}},
	{"nasbench101", "Fig. 3", []string{"cifar10"}, []paperRow{
		{"gradnorm", [][2]float64{{-0.17, -0.25}}},
		{"snip", [][2]float64{{-0.12, -0.17}}},
		{"grasp", [][2]float64{{0.20, 0.29}}},
		{"fisher", [][2]float64{{-0.20, -0.28}}},
		{"synflow", [][2]float64{{0.23, 0.35}}},
		{"zen", [][2]float64{{0.46, 0.63}}},
		{"flops", [][2]float64{{0.31, 0.44}}},
		{"params", [][2]float64{{0.31, 0.43}}},
		{"zico", [][2]float64{{0.46, 0.63}}},
	}},
	{"transnas", "Table 5", []string{"autoencoder", "class_scene", "jigsaw", "normal"}, []paperRow{
		{"gradnorm", [][2]float64{{0.24, 0.32}, {0.47, 0.65}, {0.23, 0.35}, {0.24, 0.36}}},
		{"snip", [][2]float64{{0.20, 0.27}, {0.52, 0.71}, {0.27, 0.41}, {0.32, 0.49}}},
		{"grasp", [][2]float64{{0.09, 0.14}, {0.19, 0.28}, {0.07, 0.11}, {0.01, 0.01}}},
		{"fisher", [][2]float64{{0.42, 0.59}, {0.49, 0.67}, {0.19, 0.30}, {0.10, 0.14}}},
		{"synflow", [][2]float64{{0.00, 0.00}, {0.53, 0.72}, {0.32, 0.47}, {0.00, 0.00}}},
		{"naswot", [][2]float64{{0.01, 0.02}, {0.43, 0.60}, {0.29, 0.42}, {0.41, 0.57}}},
		{"zen", [][2]float64{{0.09, 0.14}, {0.52, 0.72}, {0.35, 0.50}, {0.52, 0.71}}},
		{"gradsign", [][2]float64{{0.01, 0.02}, {0.32, 0.46}, {0.38, 0.53}, {0.29, 0.40}}},
		{"params", [][2]float64{{0.01, 0.01}, {0.46, 0.64}, {0.29, 0.44}, {0.45, 0.63}}},
		{"flops", [][2]float64{{0.02, 0.02}, {0.47, 0.65}, {0.30, 0.45}, {0.46, 0.64}}},
		{"zico", [][2]float64{{0.24, 0.35}, {0.51, 0.71}, {0.36, 0.52}, {0.50, 0.68}}},
	}},
}

// bestTable is a table of accuracies of the best-scored architecture, by dataset.
type bestTable struct {
	space, source string
	datasets      []string
	truth         []float64 // the best of the benchmark
	rows          map[string][]float64
	spread        map[string][]float64
}

var bestTables = []bestTable{
	{
		space: "natstss", source: "Table 4", datasets: nats, truth: []float64{94.5, 73.5, 47.3},
		rows: map[string][]float64{
			"gradnorm": {89.5, 60.0, 29.3}, "snip": {89.5, 60.0, 29.3}, "grasp": {89.5, 60.0, 5.5}, "fisher": {89.5, 60.0, 29.3},
			"jacov": {88.4, 68.9, 25.1}, "synflow": {90.4, 71.1, 41.2}, "zen": {90.6, 68.1, 40.8},
			"params": {93.7, 71.1, 41.4}, "flops": {93.7, 71.1, 41.4}, "zico": {94.0, 71.1, 41.8},
		},
		spread: map[string][]float64{"zico": {0.4, 0.3, 0.3}},
	},
	{
		space: "transnas", source: "Table 6", datasets: []string{"autoencoder", "class_scene", "jigsaw", "normal"}, truth: []float64{0.58, 54.9, 95.4, 0.59},
		rows: map[string][]float64{
			"gradnorm": {0.36, 48.7, 80.3, 0.53}, "snip": {0.33, 48.7, 80.3, 0.53}, "grasp": {0.33, 50.2, 91.1, 0.38}, "fisher": {0.49, 48.7, 83.5, 0.31},
			"synflow": {0.46, 53.7, 90.9, 0.57}, "naswot": {0.43, 53.2, 92.3, 0.53}, "zen": {0.46, 53.7, 87.5, 0.55}, "gradsign": {0.35, 53.6, 93.1, 0.57},
			"params": {0.46, 53.7, 85.9, 0.55}, "flops": {0.46, 53.7, 85.9, 0.55}, "zico": {0.48, 53.7, 93.2, 0.57},
		},
	},
}

// paperOrder is the order of rows in the paper's tables; variants of a proxy follow it, and ZiCo is last.
var paperOrder = []string{
	"gradnorm", "gradnorm-unit", "snip", "grasp", "fisher", "plain", "l2norm", "jacov", "synflow", "synflow-bn", "synflow-unit", "knas", "naswot", "naswot-unit", "ntk", "gradsign", "zen",
	"conv-edges", "flops", "params", "zico-mean", "zico-std", "zico-inverse", "zico-eq15", "zico",
}

// sameInPaper are variants of proxies of the paper, which does not say which of them it used: weights of PyTorch's distribution or N(0,1), batch norms kept or taken out, the standard deviation of g or of |g|, alone as it is or inverted.
var sameInPaper = map[string]string{
	"gradnorm-unit": "gradnorm", "synflow-bn": "synflow", "synflow-unit": "synflow", "naswot-unit": "naswot", "zico-eq15": "zico", "zico-inverse": "zico-std",
}

// bench is the name under which a space stands in the tables above.
func bench(space string) string {
	base, options, _ := strings.Cut(space, ":")
	if base == "transnas" && strings.Contains(options, "macro=1") {
		return ""
	}
	return base
}

// PaperCorrelation is what the paper prints for a proxy in a space, in any form that spaces.Open takes, and a dataset as tables.Column names it. Variants of a proxy have its values.
func PaperCorrelation(space, dataset, proxy string) (Paper, bool) {
	if base, ok := sameInPaper[proxy]; ok {
		proxy = base
	}
	for _, t := range paperTables {
		if t.space != bench(space) {
			continue
		}
		for d, name := range t.datasets {
			for _, r := range t.rows {
				if name == dataset && r.proxy == proxy {
					return Paper{r.values[d][0], r.values[d][1], t.source}, true
				}
			}
		}
	}
	return Paper{}, false
}

// PaperFirst is the accuracy that the paper prints for the architecture that a proxy puts first; the proxy "" is the best of the benchmark.
func PaperFirst(space, dataset, proxy string) (PaperBest, bool) {
	if base, ok := sameInPaper[proxy]; ok {
		proxy = base
	}
	for _, t := range bestTables {
		if t.space != bench(space) {
			continue
		}
		for d, name := range t.datasets {
			if name != dataset {
				continue
			}
			values := t.rows[proxy]
			if proxy == "" {
				values = t.truth
			}
			if values == nil {
				return PaperBest{}, false
			}
			b := PaperBest{Value: values[d], Source: t.source}
			if spread := t.spread[proxy]; spread != nil {
				b.Spread = spread[d]
			}
			return b, true
		}
	}
	return PaperBest{}, false
}
