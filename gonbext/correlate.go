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
	"time"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
	"github.com/zeroshotnas/zeroshot/zico/correlate"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
	"github.com/zeroshotnas/zeroshot/zico/rank"
)

// All is the Correlation.Sample of every architecture of the table.
const All = -1

// Correlation says what Correlate compares. The zero value of each field means the default in its comment; the environment variable ZEROSHOT_QUICK=1 makes the default sample 10.
type Correlation struct {
	Table      string   // accuracies: a file or folder of a benchmark, see tables.Open; default "embedded", the validation accuracies of NAS-Bench-201
	Columns    []string // of the table, as in "cifar10/test"; default all test accuracies, else all validation accuracies
	Proxies    []string // as in "zico", "snip", "all"; default "shared", those that come with ZiCo's pass or need none
	Sample     int      // architectures drawn from the table; default 100; All for all
	SampleSeed uint64   // of the draw; a larger sample begins with the smaller one; default 1
	Store      string   // file that keeps the scores, "none" for none; default that of Options.Session or, without one, correlate.DefaultStore
	Show       string   // proxy in the pictures; default "zico" if it is one, else the first that runs networks
}

// Correlate scores a sample of the architectures of a benchmark with proxies and shows how well each ranks them: while it runs, a scatter plot of one proxy against the accuracy, its correlation converging with the interval, and the correlations of all; at the end the tables in the form of the ZiCo paper, beside the paper's values, and the pictures.
//
// Options.Space is the table's by default. Scores go to the store as they come: an interrupted cell returns what is there and goes on where it was when it is run again, here or in the command zico correlate.
func Correlate(c Correlation, o Options) (*correlate.Report, *correlate.Scores, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cfg, err := c.config(ctx, o)
	o = o.withDefaults()
	if err != nil {
		return nil, nil, report(err, o)
	}
	v := &view{c: c, quiet: o.Quiet}
	cfg.Progress = v.update
	var warnings []string
	cfg.Warn = func(w string) { warnings = append(warnings, w) }
	scores, err := correlate.Run(ctx, *cfg)
	v.end()
	if !o.Quiet {
		for _, w := range warnings {
			note(w)
		}
	}
	if scores == nil || scores.Len() == 0 {
		return nil, nil, report(err, o)
	}
	// The kernel kills a cell five seconds after the interrupt.
	r := scores.Report(correlate.ReportOptions{Quick: err != nil})
	if !o.Quiet {
		shown := c.shown(scores)
		ShowReport(r)
		if gonbui.IsNotebook {
			for _, column := range scores.Columns {
				_ = ShowProxies(r, column.Name)
			}
			if p := scores.Proxy(shown, 0); p >= 0 {
				showScatter(scores, p, 0)
				showConvergence(scores, p, 0)
			}
		}
	}
	if errors.Is(err, context.Canceled) && cfg.Store != "" {
		err = fmt.Errorf("%w: the scores are kept, run the cell again to go on", err)
	}
	return r, scores, report(err, o)
}

// config opens what is named.
func (c Correlation) config(ctx context.Context, o Options) (*correlate.Config, error) {
	space := o.Space // before the default, which is not the table's
	o = o.withDefaults()
	c.Table = cmp.Or(c.Table, tables.EmbeddedName)
	if len(c.Proxies) == 0 {
		c.Proxies = []string{"shared"}
	}
	switch c.Sample {
	case All:
		c.Sample = 0
	case 0:
		c.Sample = 100
		if os.Getenv("ZEROSHOT_QUICK") == "1" {
			c.Sample = 10
		}
	}
	if c.SampleSeed == 0 {
		c.SampleSeed = 1
	}
	list, err := proxy.Find(c.Proxies...)
	if err != nil {
		return nil, err
	}
	if c.Show != "" && !slices.ContainsFunc(list, func(p *proxy.Proxy) bool { return p.Name == c.Show }) {
		return nil, fmt.Errorf("Correlation.Show is %q, which is none of the proxies: %s", c.Show, strings.Join(names(list), ", "))
	}
	t, err := tables.Open(ctx, c.Table, tables.Options{Space: space})
	if err != nil {
		return nil, err
	}
	cfg := &correlate.Config{Table: t, Space: space, Columns: c.Columns, Proxies: list, Sample: c.Sample, SampleSeed: c.SampleSeed, Seed: o.Seed, Store: c.Store}
	switch c.Store {
	case "none":
		cfg.Store = ""
	case "":
		if o.Session != "" {
			s, err := OpenSession(o.Session)
			if err != nil {
				return nil, err
			}
			cfg.Store = s.proxies()
			break
		}
		if cfg.Store, err = correlate.DefaultStore(); err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(list, func(p *proxy.Proxy) bool { return !p.Static }) {
		return cfg, nil
	}
	src, err := images.Open(o.Images)
	if err != nil {
		return nil, err
	}
	cfg.DataName = correlate.DataName(src)
	data, be, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	cfg.Data = data.Batches
	if cfg.Scorer, err = scorer(be, o); err != nil {
		return nil, err
	}
	return cfg, nil
}

func names(list []*proxy.Proxy) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.Name
	}
	return out
}

// shown is the proxy in the pictures.
func (c Correlation) shown(s *correlate.Scores) string {
	if c.Show != "" {
		return c.Show
	}
	if s.Proxy("zico", 0) >= 0 {
		return "zico"
	}
	for _, p := range s.Proxies {
		if !p.Static {
			return p.Name
		}
	}
	return s.Proxies[0].Name
}

// view is the live picture of a run.
type view struct {
	c     Correlation
	quiet bool
	bar   *progress
	band  bandCache
	took  time.Duration // to draw
	note  string
}

// update draws, at most once a second and so that drawing takes a tenth of the time at most.
func (v *view) update(p correlate.Progress) {
	if v.quiet {
		return
	}
	s := p.Scores
	if v.bar == nil {
		v.bar = newProgress("scoring", p.Total, false)
	}
	v.bar.done = p.Done
	v.note = ""
	if p.Cached > 0 {
		v.note += fmt.Sprintf(", %d from the store", p.Cached)
	}
	if p.Failed > 0 {
		v.note += fmt.Sprintf(", %d failed", p.Failed)
	}
	pause := time.Second
	if !gonbui.IsNotebook {
		pause = 200 * time.Millisecond
	}
	if p.Done < p.Total && time.Since(v.bar.last) < max(pause, 10*v.took) {
		return
	}
	rest := v.note
	if p.Left > 0 {
		each := p.Elapsed / time.Duration(max(p.Done-p.Cached, 1))
		rest += fmt.Sprintf(", %s each, %s to go", each.Round(time.Millisecond), p.Left.Round(time.Second))
	}
	start := time.Now()
	if gonbui.IsNotebook && p.Done < p.Total && p.Done > 2 {
		v.bar.below = `<div data-zeroshot="picture">` + v.picture(s) + "</div>"
	}
	v.bar.draw(rest)
	v.took = time.Since(start)
}

// picture is what is below the bar while the run lasts.
func (v *view) picture(s *correlate.Scores) string {
	t := &table{caption: "so far, against " + s.Columns[0].Name, head: []string{"proxy", "N", "KT", "SPR"}, right: []bool{false, true, true, true}}
	for i, p := range s.Proxies {
		if i == s.Proxy(p.Name, 0) {
			r := s.Sample(i, 0)
			t.rows = append(t.rows, []string{p.Name, fmt.Sprint(r.N()), fmt.Sprintf("%.3f", r.KendallTau()), fmt.Sprintf("%.3f", r.Spearman())})
		}
	}
	shown := v.c.shown(s)
	i := s.Proxy(shown, 0)
	return scatter(s, i, 0).Draw(theme()) + v.band.chart(s, i, 0, 200).Draw(theme()) + t.HTML()
}

// end leaves the bar alone: what was below is shown anew, for good.
func (v *view) end() {
	if v.bar == nil {
		return
	}
	v.bar.below = ""
	v.bar.what = "scored" + strings.TrimSuffix(" ("+strings.TrimPrefix(v.note, ", ")+")", " ()")
	v.bar.end()
}

// ShowReport shows a report: a table for each column, one of what the best-scored architectures are worth, notes, and the certificate. Outside a notebook it prints the text.
func ShowReport(r *correlate.Report) {
	if !gonbui.IsNotebook {
		fmt.Print(r.Text())
		defer mute()() // the text has it all, in another form
	}
	for _, c := range r.Columns {
		head, rows := r.Table(c.Name)
		showTable(fmt.Sprintf("%s: %d of %d architectures of %s", c.Name, r.N, r.Population, r.Space), head, rows)
	}
	head, rows := r.Firsts()
	showTable(r.FirstsTitle(), head, rows)
	ShowNotes(r)
}

// showTable shows a table whose columns but the first are numbers.
func showTable(caption string, head []string, rows [][]string) {
	t := &table{caption: caption, head: head, rows: rows}
	for i := range head {
		t.right = append(t.right, i > 0)
	}
	t.show()
}

// ShowOverview shows Kendall's tau, then Spearman's rho, of all proxies and columns in the layout of the paper's Tables 1, 3 and 5: ours with its interval beside the paper's, which has an asterisk where it lies outside.
func ShowOverview(r *correlate.Report) {
	shown.certify(r.Certificate)
	head, rows := r.TauTable()
	of := fmt.Sprintf("with its %g %% interval, %d of %d architectures of %s; *: the paper's value lies outside", 100*r.Level, r.N, r.Population, r.Space)
	showTable("Kendall's tau-b "+of, head, rows)
	head, rows = r.RhoTable()
	showTable("Spearman's rho "+of, head, rows)
}

// ShowBest shows what a search gets from each proxy: the accuracy of the best-scored architecture beside the paper's Tables 4 and 6, then how many of the best-scored are among the most accurate, and the regret.
func ShowBest(r *correlate.Report) {
	shown.certify(r.Certificate)
	head, rows := r.Firsts()
	showTable(r.FirstsTitle(), head, rows)
	head, rows = r.TopTable()
	showTable(fmt.Sprintf("P@%g%%: share of the best-scored %g %% that are among the most accurate %g %%. Regret: the most accurate of the sample less the best-scored", 100*r.Top, 100*r.Top, 100*r.Top), head, rows)
}

// ShowNotes shows what a reader of a report should know, and its certificate.
func ShowNotes(r *correlate.Report) {
	for _, n := range append(slices.Clone(r.Notes), r.Certificate) {
		note(n)
	}
}

// ReadScores reads scores that zico correlate -scores has written. With a table, a file of a benchmark or "embedded", the accuracies are those of its columns, as Correlation.Columns has them; with none, those in the file.
func ReadScores(file, table string, columns ...string) (*correlate.Scores, error) {
	s, err := readScores(file, table, columns)
	return s, report(err, Options{})
}

func readScores(file, table string, columns []string) (*correlate.Scores, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := correlate.ReadCSV(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if table == "" {
		return s, nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	t, err := tables.Open(ctx, table, tables.Options{Space: s.Space})
	if err != nil {
		return nil, err
	}
	return s.Join(t, columns...)
}

// place finds scores and column by name.
func place(s *correlate.Scores, proxy, column string) (p, c int, err error) {
	if c = s.Column(column); c < 0 {
		var have []string
		for _, c := range s.Columns {
			have = append(have, c.Name)
		}
		return 0, 0, fmt.Errorf("gonbext: no column %q; there are %s", column, strings.Join(have, ", "))
	}
	if p = s.Proxy(proxy, c); p < 0 {
		var have []string
		for i, q := range s.Proxies {
			if i == s.Proxy(q.Name, c) {
				have = append(have, q.Name)
			}
		}
		return 0, 0, fmt.Errorf("gonbext: no proxy %q for %s; there are %s", proxy, column, strings.Join(have, ", "))
	}
	return p, c, nil
}

// mostDots bounds the points of a scatter plot: each takes a line of the notebook's file.
const mostDots = 3000

// scatter is the plot of a proxy against a column, both by place.
func scatter(s *correlate.Scores, p, c int) svg.Dots {
	score, truth := s.Pairs(p, c)
	n := len(score)
	what := fmt.Sprintf("%d architectures of %s", n, s.Space)
	if n > mostDots {
		score, truth = score[:mostDots], truth[:mostDots] // the rows are in random order
		what = fmt.Sprintf("%d of %s", mostDots, what)
	}
	q, column := s.Proxies[p], s.Columns[c]
	ch := svg.Dots{
		Title:    fmt.Sprintf("%s against %s: %s", titled(q), column.Name, what),
		XLabel:   titled(q) + better(q.Lower),
		YLabel:   unit(column),
		Line:     math.NaN(),
		Radius:   2 + 20/math.Sqrt(float64(max(n, 100))),
		Untitled: n > 300,
	}
	for i := range score {
		ch.Points = append(ch.Points, svg.Dot{X: score[i], Y: truth[i]})
	}
	return ch
}

func titled(p correlate.Proxy) string {
	if p.Title != "" {
		return p.Title
	}
	return p.Name
}

func better(lower bool) string {
	if lower {
		return " (lower is better)"
	}
	return " (higher is better)"
}

func unit(c tables.Column) string {
	s := c.Name
	if c.Unit != "" {
		s += ", " + c.Unit
	}
	if c.Lower {
		s += better(true)
	}
	return s
}

// ShowScatter shows the scores of a proxy against the accuracies of a column, both by name.
func ShowScatter(s *correlate.Scores, proxy, column string) error {
	p, c, err := place(s, proxy, column)
	if err != nil {
		return err
	}
	shown.certify(s.Report(correlate.ReportOptions{Quick: true}).Certificate)
	showScatter(s, p, c)
	return nil
}

func showScatter(s *correlate.Scores, p, c int) {
	ch := scatter(s, p, c)
	showChart(ch, fmt.Sprintf("%s: tau %.3f, rho %.3f\n", ch.Title, s.Sample(p, c).KendallTau(), s.Sample(p, c).Spearman()))
}

// bandCache keeps the points of a convergence plot that is drawn again and again.
type bandCache struct {
	points map[int]svg.BandPoint
}

// steps are the sizes of samples at which intervals are computed: twelve a decade.
func steps(n int) []int {
	var out []int
	for e := 10.0; ; e *= 10 {
		for _, m := range []float64{1, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2} {
			k := int(math.Round(e * m))
			if k >= n {
				return append(out, n)
			}
			out = append(out, k)
		}
	}
}

// chart is the plot of tau against the number of architectures.
func (b *bandCache) chart(s *correlate.Scores, p, c, resamples int) svg.Band {
	score, truth := s.Pairs(p, c)
	q, column := s.Proxies[p], s.Columns[c]
	ch := svg.Band{
		Title:  fmt.Sprintf("Kendall's tau of %s and %s, as the sample grows", titled(q), column.Name),
		XLabel: fmt.Sprintf("architectures, of the %d of %s (logarithmic)", s.Population, s.Space),
		YLabel: "Kendall's tau-b",
		Name:   "ours, with its 95 % interval",
		Mark:   math.NaN(),
	}
	if paper, ok := correlate.PaperCorrelation(s.Space, column.Dataset, q.Name); ok {
		ch.Mark, ch.MarkName = paper.Kendall, fmt.Sprintf("ZiCo paper, %s: %.2f", paper.Source, paper.Kendall)
	}
	if b.points == nil {
		b.points = map[int]svg.BandPoint{}
	}
	if len(score) < 3 {
		return ch
	}
	for _, n := range steps(len(score)) {
		pt, ok := b.points[n]
		if !ok {
			x, y := score[:n], truth[:n]
			if q.Lower {
				x = rank.Negated(x)
			}
			if column.Lower {
				y = rank.Negated(y)
			}
			sample, err := rank.New(x, y)
			if err != nil {
				panic(err) // Pairs gives slices of one length
			}
			i := sample.Bootstrap((*rank.Sample).KendallTau, rank.Options{Resamples: resamples})
			pt = svg.BandPoint{X: float64(n), Y: i.Estimate, Low: i.Low, High: i.High, Title: fmt.Sprintf("%d architectures: tau %s", n, i)}
			b.points[n] = pt
		}
		ch.Points = append(ch.Points, pt)
	}
	return ch
}

// ShowConvergence shows how Kendall's tau of a proxy and a column settles as the sample grows, with its interval, beside the paper's value.
func ShowConvergence(s *correlate.Scores, proxy, column string) error {
	p, c, err := place(s, proxy, column)
	if err != nil {
		return err
	}
	shown.certify(s.Report(correlate.ReportOptions{Quick: true}).Certificate)
	showConvergence(s, p, c)
	return nil
}

func showConvergence(s *correlate.Scores, p, c int) {
	ch := new(bandCache).chart(s, p, c, 400)
	text := ch.Title + ":\n"
	for _, pt := range ch.Points {
		text += "  " + pt.Title + "\n"
	}
	showChart(ch, text)
}

// bars is the plot of the proxies with a column, the largest tau first.
func bars(r *correlate.Report, column string, proxies []string) svg.Intervals {
	ch := svg.Intervals{
		Title:    fmt.Sprintf("Kendall's tau with %s, %d of %d architectures of %s", column, r.N, r.Population, r.Space),
		XLabel:   "Kendall's tau-b",
		Name:     fmt.Sprintf("ours, with its %g %% interval", 100*r.Level),
		MarkName: "ZiCo paper",
	}
	for _, row := range r.Rows {
		if row.Column != column || len(proxies) > 0 && !slices.Contains(proxies, row.Proxy.Name) {
			continue
		}
		k := row.Kendall
		bar := svg.IntervalRow{Label: titled(row.Proxy), Value: float64(k.Value), Low: float64(k.Low), High: float64(k.High), Mark: math.NaN(), Title: fmt.Sprintf("%s: tau %s, rho %s", titled(row.Proxy), k, row.Spearman)}
		if row.Paper != nil {
			bar.Mark = row.Paper.Kendall
			bar.Title += fmt.Sprintf("; ZiCo paper, %s: tau %.2f, rho %.2f", row.Paper.Source, row.Paper.Kendall, row.Paper.Spearman)
		}
		ch.Rows = append(ch.Rows, bar)
	}
	slices.SortStableFunc(ch.Rows, func(a, b svg.IntervalRow) int {
		return cmp.Compare(b.Value, a.Value) // NaN is below all numbers
	})
	return ch
}

// ShowProxies shows the correlation of each proxy, or of the named ones, with a column as a bar with its interval, the largest first, beside the paper's values.
func ShowProxies(r *correlate.Report, column string, proxies ...string) error {
	ch := bars(r, column, proxies)
	if len(ch.Rows) == 0 {
		return fmt.Errorf("gonbext: the report has no column %q, or none of the proxies %s for it", column, strings.Join(proxies, ", "))
	}
	text := ch.Title + ":\n"
	for _, bar := range ch.Rows {
		text += "  " + bar.Title + "\n"
	}
	shown.certify(r.Certificate)
	showChart(ch, text)
	return nil
}
