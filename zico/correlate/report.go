package correlate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico/buildinfo"
	"github.com/zeroshotnas/zeroshot/zico/rank"
)

// ReportOptions say how scores are summed up. The zero value is usual.
type ReportOptions struct {
	// Resamples of each bootstrap. Default: 1000, and above 10,000 architectures as many as keep the product at 10 million, at least 100: the interval of so many is narrow, and so is the error of its bounds.
	Resamples int
	// Level of the intervals. Default: 0.95.
	Level float64
	// Seed of the bootstrap.
	Seed uint64
	// Quick takes fewer resamples by default, as many as take about two seconds on two processors: for a run that was interrupted.
	Quick bool
	// Top is the share of the architectures that Precision is of. Default: 0.1.
	Top float64
}

// Row is a proxy beside an accuracy.
type Row struct {
	Proxy  Proxy       `json:"proxy"`
	Column string      `json:"column"` // of the table
	Counts rank.Counts `json:"counts"`
	// Kendall is tau-b, Spearman is rho, of the scores, with the sign turned for a proxy that is better when lower.
	Kendall  Interval `json:"kendall"`
	Spearman Interval `json:"spearman"`
	// Precision is the share of the best-scored architectures that are among the most accurate.
	Precision Value `json:"precision"`
	// First is the accuracy of the best-scored architecture, the mean where several have the best score; Regret is what it lacks to the most accurate of the sample.
	First  Value `json:"first"`
	Regret Value `json:"regret"`
	// Paper is what the ZiCo paper has, nil where it has nothing.
	Paper      *Paper     `json:"paper,omitempty"`
	PaperFirst *PaperBest `json:"paper_first,omitempty"`
	// KendallAgrees and SpearmanAgrees tell whether the paper's value, to the two decimals that it prints, lies in our interval.
	KendallAgrees  bool `json:"kendall_agrees"`
	SpearmanAgrees bool `json:"spearman_agrees"`
}

// Interval is a statistic with the bounds of its bootstrap interval.
type Interval struct {
	Value Value `json:"value"`
	Low   Value `json:"low"`
	High  Value `json:"high"`
}

// String is the value and the bounds with three decimals, as in 0.578 [0.569, 0.587]; a dash where there is no value.
func (i Interval) String() string {
	if math.IsNaN(float64(i.Value)) {
		return "-"
	}
	return fmt.Sprintf("%.3f [%.3f, %.3f]", i.Value, i.Low, i.High)
}

// contains tells whether a number printed with two decimals may lie in the interval.
func (i Interval) contains(printed float64) bool {
	return float64(i.Low) <= printed+0.005 && printed-0.005 <= float64(i.High)
}

// Report sums up scores: a Row for each proxy and column. It depends on the scores and the options only.
type Report struct {
	About
	N             int        `json:"n"` // architectures in the sample
	Done          int        `json:"done"`
	FailedArchs   int        `json:"failed_architectures"`
	Level         float64    `json:"level"`
	Resamples     int        `json:"resamples"`
	BootstrapSeed uint64     `json:"bootstrap_seed"`
	Top           float64    `json:"top"`
	Rows          []Row      `json:"rows"`           // by column, in it in the paper's order
	Best          []Value    `json:"best"`           // accuracy of the most accurate architecture of the sample, by column
	PaperTruth    []*float64 `json:"paper_truth"`    // the same in the paper's tables
	Failed        []Failure  `json:"failed"`         // evaluations that gave an error
	Notes         []string   `json:"notes"`          // what a reader should know
	Certificate   string     `json:"certificate"`    // what the numbers rest on, in a line
	Module        string     `json:"module_version"` // buildinfo.Version
}

// Report computes the correlations. Architectures of which a proxy has no score, because the run was stopped or the evaluation failed, are left out for that proxy; a score of NaN counts as the lowest, as package rank has it.
func (s *Scores) Report(o ReportOptions) *Report {
	r := &Report{About: s.About, N: s.Len(), Done: s.Done(), Level: o.Level, Resamples: o.Resamples, BootstrapSeed: o.Seed, Top: o.Top, Failed: s.Failed, Module: buildinfo.Version()}
	if r.Level == 0 {
		r.Level = 0.95
	}
	if r.Top == 0 {
		r.Top = 0.1
	}
	if r.Resamples == 0 {
		n := max(1, s.Len())
		r.Resamples = min(1000, max(100, 10_000_000/n))
		if o.Quick {
			// A resample of a statistic takes 25 ns an architecture (Intel Xeon).
			r.Resamples = min(r.Resamples, max(20, 80_000_000/(n*len(s.Proxies)*len(s.Columns))))
		}
	}
	failed := map[int]bool{}
	for _, f := range s.Failed {
		failed[f.Row] = true
	}
	r.FailedArchs = len(failed)
	for c, column := range s.Columns {
		best := math.NaN()
		for _, v := range s.Truth[c] {
			if math.IsNaN(best) || column.Lower && v < best || !column.Lower && v > best {
				best = v
			}
		}
		r.Best = append(r.Best, Value(best))
		var truth *float64
		if t, ok := PaperFirst(s.Space, column.Dataset, ""); ok {
			truth = &t.Value
		}
		r.PaperTruth = append(r.PaperTruth, truth)
		for _, p := range s.rowOrder() {
			if d := s.Proxies[p].Dataset; d == "" || d == column.Dataset {
				r.Rows = append(r.Rows, s.compare(p, c, r))
			}
		}
	}
	r.notes(s)
	r.Certificate = s.certificate(r)
	return r
}

// rowOrder are the proxies in the order of the paper's tables, unknown ones before ZiCo.
func (s *Scores) rowOrder() []int {
	order := make([]int, len(s.Proxies))
	for i := range order {
		order[i] = i
	}
	place := func(i int) int {
		if k := slices.Index(paperOrder, s.Proxies[i].Name); k >= 0 {
			return 2 * k
		}
		return 2*slices.Index(paperOrder, "params") + 1
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(place(a), place(b)) })
	return order
}

// Sample are the known scores of a proxy with the accuracies of a column, in the order of the rows: higher is better in both, so values of which lower is better have their sign turned.
func (s *Scores) Sample(p, c int) *rank.Sample {
	score, truth := s.Pairs(p, c)
	if s.Proxies[p].Lower {
		score = rank.Negated(score)
	}
	if s.Columns[c].Lower {
		truth = rank.Negated(truth)
	}
	sample, err := rank.New(score, truth)
	if err != nil {
		panic(err) // Pairs gives slices of one length
	}
	return sample
}

// Pairs are the known scores of a proxy and the accuracies of the same architectures in a column, as they are, in the order of the rows.
func (s *Scores) Pairs(p, c int) (score, truth []float64) {
	for row, known := range s.Known[p] {
		if known {
			score, truth = append(score, s.Values[p][row]), append(truth, s.Truth[c][row])
		}
	}
	return score, truth
}

// compare makes a row.
func (s *Scores) compare(p, c int, r *Report) Row {
	sample := s.Sample(p, c)
	row := Row{Proxy: s.Proxies[p], Column: s.Columns[c].Name, Counts: sample.Counts()}
	o := rank.Options{Resamples: r.Resamples, Level: r.Level, Seed: r.BootstrapSeed}
	interval := func(stat func(*rank.Sample) float64) Interval {
		i := sample.Bootstrap(stat, o)
		return Interval{Value(i.Estimate), Value(i.Low), Value(i.High)}
	}
	row.Kendall, row.Spearman = interval((*rank.Sample).KendallTau), interval((*rank.Sample).Spearman)
	row.Precision = Value(sample.Precision(sample.Top(r.Top)))
	row.First, row.Regret = Value(sample.TopMean(1)), Value(sample.Regret())
	if s.Columns[c].Lower {
		row.First = -row.First
	}
	dataset := s.Columns[c].Dataset
	if paper, ok := PaperCorrelation(s.Space, dataset, row.Proxy.Name); ok {
		row.Paper = &paper
		row.KendallAgrees, row.SpearmanAgrees = row.Kendall.contains(paper.Kendall), row.Spearman.contains(paper.Spearman)
	}
	if first, ok := PaperFirst(s.Space, dataset, row.Proxy.Name); ok {
		row.PaperFirst = &first
	}
	return row
}

// notes collects what a reader should know.
func (r *Report) notes(s *Scores) {
	note := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	if r.Done < r.N {
		note("%d of %d architectures have all scores: the run was stopped or evaluations failed", r.Done, r.N)
	}
	if r.FailedArchs > 0 {
		note("%d architectures failed and are left out for the proxies concerned, the first, %s, with: %s", r.FailedArchs, s.Failed[0].Arch, s.Failed[0].Error)
	}
	var lower, variants []string
	for _, p := range s.Proxies {
		if p.Lower && !slices.Contains(lower, p.Name) {
			lower = append(lower, p.Name)
		}
		if sameInPaper[p.Name] != "" && !slices.Contains(variants, p.Name) {
			variants = append(variants, p.Name)
		}
	}
	if len(lower) > 0 {
		note("better when lower, compared with the sign turned: %s", strings.Join(lower, ", "))
	}
	paper := slices.ContainsFunc(r.Rows, func(row Row) bool { return row.Paper != nil })
	if paper && len(variants) > 0 {
		note("variants of a proxy of the paper, beside the value of that proxy: %s", strings.Join(variants, ", "))
	}
	for _, c := range s.Columns {
		if c.Metric == "valid" && paper {
			note("the paper's values are of test accuracies, %s is not", c.Name)
		}
	}
	if paper {
		note("the paper's values are of all architectures of the benchmark; \"in\" tells whether they lie in our interval, to the two decimals that the paper prints; \"out\" or an asterisk, that they do not")
	}
	for _, c := range s.Columns {
		in, known := datasetInput(c.Dataset)
		if known && s.Images != "" && in != (spaces.Input{Size: s.Size, Classes: s.Classes}) {
			note("the networks were scored with %d outputs on images of %dx%d; those trained on %s have %d on %dx%d", s.Classes, s.Size, s.Size, c.Dataset, in.Classes, in.Size, in.Size)
		}
	}
	if len(s.Columns) == 0 {
		note("the scores come without accuracies, so there is nothing to compare: join a table, such as that which the sample was drawn from, %s", s.Table)
		return
	}
	if s.DrawnHash != "" {
		note("the accuracies are those of another table than the one that the sample was drawn from: now %s, then %s", s.Table, s.Drawn)
	}
	trained := s.TableSpace
	if sp, err := spaces.Open(trained); err == nil {
		trained = sp.Name() // with all its options
	}
	if trained != s.Space {
		note("the networks scored are those of %s, the accuracies those of %s", s.Space, trained)
	}
}
