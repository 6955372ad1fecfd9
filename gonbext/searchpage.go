package gonbext

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
	"github.com/zeroshotnas/zeroshot/zico/search"
)

// searchPage draws the state of a run.
type searchPage struct {
	title string // what is searched, and how
	note  string // what a reader should know of it
	max   map[string]float64
	unit  map[string]string
	noisy bool // values are ranks with noise
	log   bool // the state comes from a log
	top   int
}

func newSearchPage(c *search.Config) *searchPage {
	p := &searchPage{max: map[string]float64{}, unit: map[string]string{}}
	var limits []string
	for _, l := range c.Limits {
		p.max[l.Name], p.unit[l.Name] = l.Max, l.Unit
		limits = append(limits, l.Name)
	}
	p.describe(c.Space.Name(), c.Method, limits, c.Evaluator.About(), c.Seed, c.Weights, c.InFlight)
	return p
}

// loggedPage is the page of a run whose log has the header h.
func loggedPage(h *search.Header) *searchPage {
	p := &searchPage{max: map[string]float64{}, unit: map[string]string{}, log: true, top: 10}
	var limits []string
	for _, l := range h.Limits {
		p.max[l.Name] = float64(l.Max)
		limits = append(limits, l.Name)
	}
	p.describe(h.Space, h.Method, limits, h.Evaluator, h.Seed, h.Weights, h.InFlight)
	p.note += fmt.Sprintf("; begun on %s by %s on %s", h.Made.Format("2006-01-02 15:04"), h.Program, h.Machine)
	return p
}

func (p *searchPage) describe(space, method string, limits []string, about map[string]string, seed, weights uint64, inFlight int) {
	p.title = fmt.Sprintf("%s on %s", method, space)
	var bounds []string
	for _, name := range limits {
		if finite(p.max[name]) {
			bounds = append(bounds, fmt.Sprintf("%s up to %s", quantity(name), short(p.max[name])))
		}
	}
	if len(bounds) > 0 {
		p.title += ", " + strings.Join(bounds, ", ")
	}
	p.noisy = about["noise"] != ""
	p.note = fmt.Sprintf("seed %d", seed)
	switch {
	case p.noisy:
		p.note += fmt.Sprintf(", ranks in %s with noise %s", about["table"], about["noise"])
	case about["table"] != "":
		p.note += ", looked up in " + about["table"]
	case about["images"] != "":
		p.note += fmt.Sprintf(", weights %d, %s, networks of %s, %s", weights, about["images"], about["networks"], about["dtype"])
	}
	if inFlight > 1 {
		p.note += fmt.Sprintf(", %d evaluations at once", inFlight)
	}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// quantity is what a limit measures, in words where it is one of package search's.
func quantity(name string) string {
	return cmp.Or(map[string]string{"flops": "FLOPs", "params": "parameters", "memory": "memory"}[name], name)
}

// short prints a number as it is read most easily: 450e6 as 450M.
func short(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}} {
		if math.Abs(v) >= u.size {
			return fmt.Sprintf("%.4g%s", v/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.6g", v)
}

// measure is a quantity of candidates.
type measure struct {
	label string
	lower bool
	of    func(c *search.Candidate) float64
	max   float64 // +Inf for none
}

// value is the measure of a metric or limit, by its name.
func (p *searchPage) value(s *search.State, name string) (m measure, ok bool) {
	if i := slices.IndexFunc(s.Metrics(), func(m search.Metric) bool { return m.Name == name }); i >= 0 {
		m = measure{label: name, lower: s.Metrics()[i].Lower, max: math.Inf(1), of: func(c *search.Candidate) float64 { return c.Values[i] }}
		if list, err := proxy.Find(name); err == nil && len(list) == 1 {
			m.label = cmp.Or(list[0].Title, list[0].Name)
		}
		if p.noisy {
			m.label = "rank in " + name + " with noise"
		}
		return m, true
	}
	i := slices.Index(s.Limits(), name)
	if i < 0 {
		return m, false
	}
	label := quantity(name)
	if u := cmp.Or(p.unit[name], map[string]string{"flops": "multiply-adds", "memory": "bytes", "latency": "ms"}[name]); u != "" {
		label += ", " + u
	}
	return measure{label: label, lower: true, max: p.max[name], of: func(c *search.Candidate) float64 { return c.Costs[i] }}, true
}

// score is the measure that a run with one objective optimises, or the log-rank sum.
func (p *searchPage) score(s *search.State) measure {
	o := s.Objectives()
	if len(o) > 1 {
		return measure{label: "sum of log-ranks, 0: best in all", max: math.Inf(1), of: s.Score}
	}
	m, _ := p.value(s, o[0].Name)
	return m
}

// plane are the measures of the second picture: across and up.
func (p *searchPage) plane(s *search.State) (x, y measure, ok bool) {
	o := s.Objectives()
	y, _ = p.value(s, o[0].Name)
	over := "flops"
	if len(o) > 1 {
		over = o[1].Name
	} else if !slices.Contains(s.Limits(), over) && len(s.Limits()) > 0 {
		over = s.Limits()[0]
	}
	if over == o[0].Name {
		return x, y, false
	}
	x, ok = p.value(s, over)
	return x, y, ok
}

// mostCandidates bounds the dots of a picture, and mostMarks those of its marks that have titles.
const (
	mostCandidates = 2000
	mostMarks      = 200
)

// thin chooses n places of a list at equal distances, the first and last among them.
func thin(length, n int) []int {
	n = min(n, length)
	list := make([]int, n)
	for i := range list {
		list[i] = i * (length - 1) / max(1, n-1)
	}
	return list
}

// floor is the value of y below which (or, where lower is better, above which) nothing is drawn: a few failures would otherwise press the rest into a line. NaN where all is drawn.
func floor(list []*search.Candidate, y measure) float64 {
	var v []float64
	for _, c := range list {
		if f := y.of(c); finite(f) {
			v = append(v, f)
		}
	}
	if len(v) < 20 {
		return math.NaN()
	}
	slices.Sort(v)
	if y.lower {
		slices.Reverse(v)
	}
	worst, low, best := v[0], v[len(v)/20], v[len(v)-1]
	if math.Abs(best-worst) < 2*math.Abs(best-low) {
		return math.NaN()
	}
	return low
}

// below reports whether a value is beyond the floor of y.
func (y measure) below(v, floor float64) bool {
	if y.lower {
		return v > floor
	}
	return v < floor
}

// cloud are the candidates as dots; the number of a candidate in the list is at.
func cloud(list []*search.Candidate, y measure, x func(at int) float64, floor float64) svg.Cloud {
	cl := svg.Cloud{Name: "candidates", Color: svg.Sky}
	for _, i := range thin(len(list), mostCandidates) {
		if v := y.of(list[i]); !y.below(v, floor) {
			cl.X, cl.Y = append(cl.X, x(i)), append(cl.Y, v)
		}
	}
	if len(list) > mostCandidates {
		cl.Name = fmt.Sprintf("%d of %d candidates", len(cl.X), len(list))
	}
	hidden := 0
	for _, c := range list {
		if v := y.of(c); y.below(v, floor) || !finite(v) {
			hidden++
		}
	}
	if hidden > 0 {
		cl.Name += fmt.Sprintf(" (the worst %d are not shown)", hidden)
	}
	return cl
}

// progress is the picture of the best score so far.
func (p *searchPage) progress(s *search.State) (ch svg.Lines, text string) {
	m := p.score(s)
	list := s.Scored()
	low := floor(list, m)
	ch = svg.Lines{
		Title:  "Best " + name(m) + ": none yet",
		XLabel: "evaluation",
		YLabel: m.label + better(m.lower),
		Clouds: []svg.Cloud{cloud(list, m, func(i int) float64 { return float64(i + 1) }, low)},
	}
	best := svg.Line{Name: "best so far", Color: svg.Blue, Step: true}
	var high float64
	for i, c := range list {
		v := m.of(c)
		if !finite(v) || m.below(v, low) || len(best.Points) > 0 && (v == high || m.below(v, high)) {
			continue
		}
		high = v
		best.Points = append(best.Points, svg.BandPoint{X: float64(i + 1), Y: v, Title: fmt.Sprintf("evaluation %d, iteration %d: %.6g", i+1, c.Iteration, v)})
	}
	if n := len(best.Points); n > 0 {
		last := best.Points[n-1]
		ch.Title = fmt.Sprintf("Best %s: %.6g, found by evaluation %.0f of %d", name(m), last.Y, last.X, len(list))
		points := make([]svg.BandPoint, 0, mostMarks+1)
		for _, i := range thin(n, mostMarks) {
			points = append(points, best.Points[i])
		}
		best.Points = append(points, svg.BandPoint{X: float64(len(list)), Y: last.Y})
	}
	ch.Lines = []svg.Line{best}
	return ch, ch.Title + "\n"
}

// front are the candidates that no other dominates: in the objectives, or with one objective in that and the measure x.
func front(s *search.State, x measure) []*search.Candidate {
	if len(s.Objectives()) > 1 {
		return s.Front()
	}
	points := make([][]float64, len(s.Scored()))
	for i, c := range s.Scored() {
		v := x.of(c)
		if x.lower {
			v = -v
		}
		points[i] = []float64{c.Objectives[0], v}
	}
	var list []*search.Candidate
	for _, i := range search.ParetoFront(points) {
		list = append(list, s.Scored()[i])
	}
	return list
}

// trade is the picture of the score against the cost, or of the first two objectives. ok is false where there is nothing to draw it against.
func (p *searchPage) trade(s *search.State) (ch svg.Lines, text string, ok bool) {
	x, y, ok := p.plane(s)
	if !ok {
		return ch, "", false
	}
	list := front(s, x)
	// From the better to the worse x, so that a step is what there is at that price.
	slices.SortStableFunc(list, func(a, b *search.Candidate) int {
		if x.lower {
			return cmp.Compare(x.of(a), x.of(b))
		}
		return cmp.Compare(x.of(b), x.of(a))
	})
	objectives := len(s.Objectives())
	ch = svg.Lines{
		Title:  fmt.Sprintf("%s against %s: %d of %d candidates are Pareto-optimal", name(y), name(x), len(list), len(s.Scored())),
		XLabel: x.label + better(x.lower),
		YLabel: y.label + better(y.lower),
	}
	if objectives > 2 {
		ch.Title += fmt.Sprintf(" in all %d objectives", objectives)
	}
	// Millions read better on the axis than powers of ten.
	across, limit := x.of, x.max
	largest := 0.0
	for _, c := range s.Scored() {
		if v := math.Abs(x.of(c)); finite(v) {
			largest = max(largest, v)
		}
	}
	if largest >= 1e7 {
		across, limit = func(c *search.Candidate) float64 { return x.of(c) / 1e6 }, x.max/1e6
		ch.XLabel = x.label + ", millions" + better(x.lower)
	}
	low := floor(s.Scored(), y)
	ch.Clouds = []svg.Cloud{cloud(s.Scored(), y, func(i int) float64 { return across(s.Scored()[i]) }, low)}
	line := svg.Line{Name: "Pareto front", Color: svg.Green, Step: true, Marks: true, Apart: objectives > 2}
	at := thin(len(list), mostMarks)
	if len(at) < len(list) {
		line.Name = fmt.Sprintf("%d of the Pareto front", len(at))
	}
	for _, i := range at {
		c := list[i]
		if y.below(y.of(c), low) {
			continue
		}
		line.Points = append(line.Points, svg.BandPoint{X: across(c), Y: y.of(c), Title: fmt.Sprintf("iteration %d: %.6g at %s", c.Iteration, y.of(c), short(x.of(c)))})
	}
	ch.Lines = []svg.Line{line}
	if b := s.Best(); b != nil {
		ch.Lines = append(ch.Lines, svg.Line{Name: "the choice", Color: svg.Vermillion, Marks: true, Apart: true, Points: []svg.BandPoint{{X: across(b), Y: y.of(b), Title: fmt.Sprintf("the choice, iteration %d: %.6g at %s", b.Iteration, y.of(b), short(x.of(b)))}}})
	}
	if finite(limit) {
		ch.Guides = []svg.Guide{{Name: "limit: " + short(x.max), At: limit, Vertical: true}}
	}
	return ch, ch.Title + "\n", true
}

// name is the label of a measure without its unit.
func name(m measure) string {
	label, _, _ := strings.Cut(m.label, ",")
	return label
}

func share(n, of float64) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.3g %%)", 100*n/of)
}

// fates is the picture of what became of the proposals.
func (p *searchPage) fates(s *search.State) (ch svg.Rows, text string) {
	ch = svg.Rows{Title: fmt.Sprintf("What became of %d proposals", s.Iterations), XLabel: "proposals"}
	add := func(label string, n int) {
		label += share(float64(n), float64(s.Iterations))
		ch.Bars = append(ch.Bars, svg.Bar{Label: label, Value: float64(n)})
		text += fmt.Sprintf("%s: %d\n", label, n)
	}
	add("evaluated", len(s.Scored()))
	if s.Duplicates > 0 {
		add("repeated, not evaluated again", s.Duplicates)
	}
	for _, reason := range slices.Sorted(maps.Keys(s.Rejected)) {
		label := "rejected by " + reason
		if most := p.max[reason]; finite(most) {
			label += ", more than " + short(most)
		}
		add(label, s.Rejected[reason])
	}
	if s.Failed > 0 {
		add("failed", s.Failed)
	}
	return ch, text
}

// clockwork is the picture of where the time goes. ok is false where none was taken.
func (p *searchPage) clockwork(s *search.State) (ch svg.Rows, text string, ok bool) {
	t := s.Times
	all := t.Propose + t.Build + t.Compile + t.Score
	if all == 0 {
		return ch, "", false
	}
	ch = svg.Rows{Title: "Where the time goes", XLabel: "seconds"}
	if s.Kernels > 0 {
		ch.Title += fmt.Sprintf(": %d kernels run, %d compiled", s.Kernels, s.Compiled)
	}
	var words []string
	for _, part := range []struct {
		what string
		took time.Duration
	}{{"propose, count, check limits", t.Propose}, {"build networks", t.Build}, {"wait for compilation", t.Compile}, {"score", t.Score}} {
		ch.Bars = append(ch.Bars, svg.Bar{Label: part.what + share(float64(part.took), float64(all)), Value: part.took.Round(time.Millisecond).Seconds()})
		words = append(words, fmt.Sprintf("%s %s", part.what, part.took.Round(time.Millisecond)))
	}
	return ch, ch.Title + "\n  " + strings.Join(words, "\n  ") + "\n", true
}

// line says in a line how far the run is.
func (p *searchPage) line(s *search.State) string {
	how := s.Status.String()
	if p.log {
		how = "the log has"
	}
	line := fmt.Sprintf("%s: %d iterations, %d evaluations", how, s.Iterations, s.Evaluations)
	evaluations, took := s.Evaluations, s.Elapsed
	if s.FreshEvaluations > 0 {
		evaluations, took = s.FreshEvaluations, s.Fresh
	}
	if s.Elapsed > 0 {
		line += " in " + s.Elapsed.Round(100*time.Millisecond).String()
	}
	if evaluations > 0 && took > 0 {
		line += fmt.Sprintf(", %.0f candidates an hour", float64(evaluations)/took.Hours())
	}
	return line
}

// table has the best architectures, or those that no other dominates.
func (p *searchPage) table(s *search.State) *table {
	list, of := s.Scored(), "with the best score"
	multi := len(s.Objectives()) > 1
	if multi {
		list, of = s.Front(), "that no other dominates, by the sum of their log-ranks among all candidates"
	}
	all := len(list)
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *search.Candidate) int { return cmp.Compare(s.Score(b), s.Score(a)) })
	list = list[:min(p.top, all)]
	best := s.Best()
	if i := slices.Index(list, best); best != nil && i != 0 {
		// What a method recommends need not be what has the highest score.
		of += ", after the choice of the method"
		list = slices.DeleteFunc(list, func(c *search.Candidate) bool { return c == best })
		list = append([]*search.Candidate{best}, list...)
	}
	t := &table{caption: fmt.Sprintf("%d of %d architectures %s", len(list), all, of)}
	column := func(head string, right bool) {
		t.head, t.right = append(t.head, head), append(t.right, right)
	}
	if multi {
		column("log-ranks", true)
	}
	for _, m := range append(metricNames(s), s.Limits()...) {
		v, _ := p.value(s, m)
		if m == "flops" {
			v.label = name(v) // the axis has the unit
		}
		column(v.label, true)
	}
	column("iteration", true)
	column("architecture", false)
	for _, c := range list {
		var row []string
		if multi {
			row = append(row, fmt.Sprintf("%.4f", s.Score(c)))
		}
		for _, v := range c.Values {
			row = append(row, fmt.Sprintf("%.6g", v))
		}
		for _, v := range c.Costs {
			row = append(row, short(v))
		}
		t.rows = append(t.rows, append(row, fmt.Sprint(c.Iteration), string(c.Arch)))
	}
	return t
}

func metricNames(s *search.State) []string {
	var names []string
	for _, m := range s.Metrics() {
		names = append(names, m.Name)
	}
	return names
}

// picture is a drawing with what it says in words.
type picture struct {
	chart svg.Chart
	text  string
}

func (p *searchPage) pictures(s *search.State) []picture {
	var list []picture
	if len(s.Scored()) > 0 {
		ch, text := p.progress(s)
		list = append(list, picture{ch, text})
		if ch, text, ok := p.trade(s); ok {
			list = append(list, picture{ch, text})
		}
	}
	fates, text := p.fates(s)
	list = append(list, picture{fates, text})
	if ch, text, ok := p.clockwork(s); ok {
		list = append(list, picture{ch, text})
	}
	return list
}

// HTML is the page in one piece.
func (p *searchPage) HTML(s *search.State) string {
	var b strings.Builder
	for _, pic := range p.pictures(s) {
		b.WriteString(`<div data-zeroshot="picture">` + pic.chart.Draw(theme()) + "</div>")
	}
	if len(s.Scored()) > 0 {
		b.WriteString(p.table(s).HTML())
	}
	return b.String()
}

// show shows the page for good: pictures that code hosts show too, and a table.
func (p *searchPage) show(s *search.State) {
	best := s.Best()
	if best == nil {
		note(p.title + ": " + p.line(s) + ": no architecture has a score")
	} else {
		t := p.table(s)
		t.caption = fmt.Sprintf("%s\n%s; %s\n%s", p.title, p.line(s), p.note, t.caption)
		t.show()
	}
	if s.Failed > 0 {
		note(fmt.Sprintf("%d candidates failed, the first: %s", s.Failed, s.Failure))
	}
	for _, pic := range p.pictures(s) {
		showChart(pic.chart, pic.text)
	}
}
