package gonbext

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
	"github.com/zeroshotnas/zeroshot/zico/search"
)

// MethodComparison says what CompareMethods compares. The zero value of each field means the default in its comment; the environment variable ZEROSHOT_QUICK=1 makes the defaults 3 seeds and 200 look-ups.
type MethodComparison struct {
	Table     string    // accuracies: a file or folder of a benchmark, see tables.Open; default "embedded", the validation accuracies of NAS-Bench-201
	Space     string    // search space; default the table's
	Column    string    // what the methods search by; default the first validation accuracy, else the first column
	Noise     []float64 // settings, each with its own picture: 0 searches by Column itself, more by the ranks in it (0 to 1) with so much normal noise, as a proxy that errs; default 0
	NoiseSeed uint64    // of the noise of the runs with seed 1; each seed has its own, one more than the one before; default 1
	Judge     []string  // columns that the chosen architectures are judged by; default all test accuracies, else all validation accuracies
	Show      string    // that of the pictures; default the one that has learned what Column has, else the first
	Methods   []string  // methods with their options, as in Config.Method of package search; default all
	Seeds     int       // runs of each method; default 20
	LookUps   int       // candidates of a run, repeated ones among them; default 2500
	Quiet     bool      // show nothing, only return
}

// CompareMethods runs search methods on a table of measured accuracies, where a run takes a moment, and shows what they are worth: the regret, which is the best accuracy of the table less that of the architecture that a method would choose, as the search goes on, and a table of where the runs end.
//
// It returns the curves of each setting of Noise, with the methods that were run before an error or interrupt. Curves.Truth has the qualities in the order of Judge.
func CompareMethods(m MethodComparison) ([]*search.Curves, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	say := Options{Quiet: m.Quiet}
	j, err := m.open(ctx)
	if err != nil {
		return nil, report(err, say)
	}
	p := newProgress("comparing", len(j.Noise)*len(j.Methods), m.Quiet)
	var list []*search.Curves
	for _, noise := range j.Noise {
		var curves *search.Curves
		if curves, err = j.run(ctx, noise, p); curves != nil {
			list = append(list, curves)
		}
		if err != nil {
			break
		}
	}
	p.end()
	if ctx.Err() != nil {
		err = fmt.Errorf("interrupted: %d of %d methods compared: %w", p.done, p.total, context.Canceled)
	}
	if !m.Quiet {
		for i, c := range list {
			j.show(c, j.Noise[i])
		}
	}
	return list, report(err, say)
}

// judgement is a comparison with what it needs.
type judgement struct {
	MethodComparison
	table   *tables.Table
	space   spaces.Space
	columns []tables.Column // of Judge
	best    []float64       // what is possible in each
	shown   int
}

func (m MethodComparison) open(ctx context.Context) (*judgement, error) {
	quick := os.Getenv("ZEROSHOT_QUICK") == "1"
	m.Table = cmp.Or(m.Table, tables.EmbeddedName)
	if len(m.Noise) == 0 {
		m.Noise = []float64{0}
	}
	m.NoiseSeed = max(m.NoiseSeed, 1)
	if m.Seeds == 0 {
		m.Seeds = 20
		if quick {
			m.Seeds = 3
		}
	}
	if m.LookUps == 0 {
		m.LookUps = 2500
		if quick {
			m.LookUps = 200
		}
	}
	if m.Seeds < 1 || m.LookUps < 1 {
		return nil, fmt.Errorf("%d seeds and %d look-ups asked for; at least 1 of each is needed", m.Seeds, m.LookUps)
	}
	if len(m.Methods) == 0 {
		for _, i := range search.Methods() {
			if i.Fits == nil { // tables know nothing of supernets
				m.Methods = append(m.Methods, i.Name)
			}
		}
	}
	j := &judgement{}
	var err error
	if j.table, err = tables.Open(ctx, m.Table, tables.Options{Space: m.Space}); err != nil {
		return nil, err
	}
	if j.space, err = spaces.Open(cmp.Or(m.Space, j.table.Space())); err != nil {
		return nil, err
	}
	of := func(metric string) (names []string) {
		for _, c := range j.table.Columns() {
			if c.Metric == metric {
				names = append(names, c.Name)
			}
		}
		return names
	}
	first := []string{j.table.Columns()[0].Name}
	if m.Column == "" {
		m.Column = append(of("valid"), first...)[0]
	}
	for _, names := range [][]string{of("test"), of("valid"), first} {
		if len(m.Judge) == 0 {
			m.Judge = names
		}
	}
	searched, err := j.table.Column(m.Column)
	if err != nil {
		return nil, err
	}
	for i, name := range m.Judge {
		c, err := j.table.Column(name)
		if err != nil {
			return nil, err
		}
		best := math.NaN()
		for _, v := range j.table.All(name) {
			if math.IsNaN(best) || v != best && v < best == c.Lower {
				best = v
			}
		}
		j.columns, j.best = append(j.columns, c), append(j.best, best)
		if m.Show == "" && c.Dataset == searched.Dataset {
			m.Show, j.shown = name, i
		}
	}
	if j.shown = max(0, slices.Index(m.Judge, m.Show)); m.Show != "" && m.Judge[j.shown] != m.Show {
		return nil, fmt.Errorf("MethodComparison.Show is %q, which is none of the columns to judge by: %s", m.Show, strings.Join(m.Judge, ", "))
	}
	j.MethodComparison = m
	return j, nil
}

// truth are the qualities of an architecture.
func (j *judgement) truth(a spaces.Arch) []float64 {
	v := make([]float64, len(j.Judge))
	for i, name := range j.Judge {
		var ok bool
		if v[i], ok = j.table.Value(a, name); !ok {
			v[i] = math.NaN()
		}
	}
	return v
}

// run compares the methods one after the other, so that progress can be shown.
func (j *judgement) run(ctx context.Context, noise float64, p *progress) (all *search.Curves, err error) {
	// Each run has errors of its own, so that their spread is a part of what the bands show.
	evaluator := func(seed uint64) (search.Evaluator, error) {
		return search.NewTable(j.table, noise, j.NoiseSeed+seed-1, j.Column)
	}
	for _, method := range j.Methods {
		c, err := search.Compare(ctx, search.Comparison{Methods: []string{method}, Seeds: j.Seeds, Evaluator: evaluator, Config: search.Config{Space: j.space, Iterations: j.LookUps}, Truth: j.truth})
		if err != nil {
			return all, err
		}
		if all == nil {
			all = &search.Curves{At: c.At}
		}
		all.Methods, all.Truth, all.States = append(all.Methods, method), append(all.Truth, c.Truth...), append(all.States, c.States...)
		p.step()
	}
	if all == nil {
		return nil, errors.New("no method given")
	}
	return all, nil
}

// by says in words what the methods search by.
func (j *judgement) by(noise float64) string {
	if noise == 0 {
		return j.Column
	}
	return fmt.Sprintf("ranks in %s with noise %g", j.Column, noise)
}

func (j *judgement) show(c *search.Curves, noise float64) {
	j.ends(c, noise).show()
	ch := j.regret(c, noise)
	showChart(ch, ch.Title+"\n")
}

// regret is the picture of the column shown.
func (j *judgement) regret(c *search.Curves, noise float64) svg.Lines {
	column, best := j.columns[j.shown], j.best[j.shown]
	ch := svg.Lines{
		Title:  fmt.Sprintf("Regret in %s of the choice, searching by %s", column.Name, j.by(noise)),
		XLabel: "candidates looked up, repeated ones among them (logarithmic)",
		YLabel: "regret",
		LogX:   true, LogY: true,
		Height: 400,
	}
	if column.Unit != "" {
		ch.YLabel += ", " + column.Unit
	}
	ch.YLabel += fmt.Sprintf(" (mean of %d runs ± standard error, logarithmic)", j.Seeds)
	for i, method := range c.Methods {
		line := svg.Line{Name: method, Band: true}
		for at, n := range c.At {
			mean, stderr := c.Mean(i, at, j.shown)
			r := math.Abs(best - mean)
			if r <= 1e-9*math.Abs(best) {
				// Every run has found the best, to rounding; a logarithmic axis has no place for that.
				line.Name = fmt.Sprintf("%s (0 from %d)", method, n)
				break
			}
			line.Points = append(line.Points, svg.BandPoint{X: float64(n), Y: r, Low: r - stderr, High: r + stderr})
		}
		if n := len(line.Points); n > 0 {
			last := &line.Points[n-1]
			last.Title = fmt.Sprintf("%s after %.0f: %.3g ± %.2g", method, last.X, last.Y, last.High-last.Y)
		}
		ch.Lines = append(ch.Lines, line)
	}
	return ch
}

// ends is the table of where the runs end, the best first.
func (j *judgement) ends(c *search.Curves, noise float64) *table {
	t := &table{
		caption: fmt.Sprintf("After %d candidates, searching by %s on %s: means of %d runs ± their standard errors", j.LookUps, j.by(noise), j.space.Name(), j.Seeds),
		head:    []string{"method"}, right: []bool{false},
	}
	for _, column := range j.columns {
		t.head, t.right = append(t.head, unit(column)), append(t.right, true)
	}
	order := make([]int, len(c.Methods))
	for i := range order {
		order[i] = i
	}
	end := func(i int) float64 {
		mean, _ := c.Mean(i, len(c.At)-1, j.shown)
		return math.Abs(j.best[j.shown] - mean)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(end(a), end(b)) })
	possible := []string{"best of all"}
	for _, v := range j.best {
		possible = append(possible, fmt.Sprintf("%.3f", v))
	}
	t.rows = append(t.rows, possible)
	for _, i := range order {
		row := []string{c.Methods[i]}
		for q := range j.columns {
			mean, stderr := c.Mean(i, len(c.At)-1, q)
			row = append(row, fmt.Sprintf("%.3f ± %.3f", mean, stderr))
		}
		t.rows = append(t.rows, row)
	}
	return t
}
