package gonbext

import (
	"context"
	"fmt"
	"html"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/correlate"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
	"github.com/zeroshotnas/zeroshot/zico/search"
)

// SearchOptions say what Search looks for and how. The zero value of each field means the default in its comment; the environment variable ZEROSHOT_QUICK=1 makes the defaults 20 evaluations and a batch of 8.
type SearchOptions struct {
	Space  string // search space with its options; default "masternet", or that of Table
	Preset string // what the fields below default to, see search.Presets; default "quick"

	Budget     string         // hard limits, as in "flops=450e6,layers=14", see search.ParseBudget; default: none, flops and params are measured
	BudgetSize int            // height and width of the images that budgets are counted for, pixels; default the space's own
	Limits     []search.Limit // more limits, of functions of one's own

	Method     string   // search method with its options, as in "aging:population=64", see search.Methods; default the preset's
	Initial    string   // architecture to begin with; default the space's own, if it has one
	Proxies    []string // proxies that are evaluated; default "zico"
	Objectives []string // what is optimised: proxies, and quantities of the limits, which are better when lower; default all proxies

	// Iterations, Evaluations and Time end the run; where none is set, the preset does. Iterations counts proposals, Evaluations those that were evaluated, both over all processes that worked on the log; Time is that of this call.
	Iterations, Evaluations int
	Time                    time.Duration

	Seed     uint64 // seed of the method's draws; default 1
	Weights  uint64 // seed of the networks' weights and of the choice of images; default 1
	Fresh    bool   // weights of its own for each candidate, as the code of the ZiCo paper has it; default the preset's
	InFlight int    // evaluations at once, on which the run depends; default 1

	Images    string         // images, see images.Open; default the preset's
	Size      int            // height and width of the images, pixels; default the preset's
	Batch     int            // images in a batch; default the preset's
	Batches   int            // batches; default the preset's
	DType     string         // "float32" (default) or "float64"
	Statistic zico.Statistic // zico.Signed (default) or zico.Absolute
	Device    string         // "xla:cpu" or "xla:cuda"; default $GOMLX_BACKEND, else "xla:cpu"

	Table     string   // look accuracies up instead of computing proxies: "embedded", or a file or folder of a benchmark
	Columns   []string // of the table, as in "cifar10/valid"; default its first
	Noise     float64  // look up ranks (0 to 1) with this much normal noise in place of accuracies
	NoiseSeed uint64   // default 1

	Log     string // file that keeps the run: a cell that is run again goes on with it; default one of Session, or none
	Session string // name of the Session that keeps the run and the batches; default none
	Top     int    // architectures in the table; default 10
	Quiet   bool   // show nothing, only return
}

func (o SearchOptions) withDefaults() (SearchOptions, error) {
	if o.Preset == "" {
		o.Preset = "quick"
	}
	p, err := search.FindPreset(o.Preset)
	if err != nil {
		return o, err
	}
	if os.Getenv("ZEROSHOT_QUICK") == "1" {
		p.Iterations, p.Evaluations, p.Batch = 0, 20, 8
	}
	if o.Space == "" && o.Table == "" {
		o.Space = "masternet"
	}
	if o.Method == "" {
		o.Method = p.Method
	}
	if len(o.Proxies) == 0 {
		o.Proxies = []string{"zico"}
	}
	if o.Iterations == 0 && o.Evaluations == 0 && o.Time == 0 {
		o.Iterations, o.Evaluations = p.Iterations, p.Evaluations
	}
	for _, v := range []struct {
		field *int
		def   int
	}{{&o.Size, p.Size}, {&o.Batch, p.Batch}, {&o.Batches, p.Batches}, {&o.InFlight, 1}, {&o.Top, 10}} {
		if *v.field == 0 {
			*v.field = v.def
		}
	}
	for _, seed := range []*uint64{&o.Seed, &o.Weights, &o.NoiseSeed} {
		if *seed == 0 {
			*seed = 1
		}
	}
	o.Fresh = o.Fresh || p.Fresh
	if o.Images == "" {
		o.Images = p.Images
	}
	if o.Session != "" && o.Log == "" {
		s, err := OpenSession(o.Session)
		if err != nil {
			return o, err
		}
		if o.Log, err = s.log(o); err != nil {
			return o, err
		}
	}
	return o, nil
}

// scoring are the options in the form that Score takes.
func (o SearchOptions) scoring() Options {
	return Options{Space: o.Space, Images: o.Images, Batch: o.Batch, Batches: o.Batches, Size: o.Size, Seed: o.Weights, ImageSeed: o.Weights, DType: o.DType, Statistic: o.Statistic, Device: o.Device, Session: o.Session, Quiet: o.Quiet}
}

// Search searches a space for the architectures with the best scores within a budget, and shows while it runs how far it is: the best score so far, the scores against the cost with what is Pareto-optimal, what became of the proposals, where the time goes, and the best architectures.
//
// With a Log the run survives whatever ends it: the same cell, run again, goes on, and ends as if nothing had happened; so does the command zico search. A log of another run is an error that says in what they differ. An interrupted cell returns the state so far with an error that is context.Canceled and says how to go on.
//
// The state is returned, with an error, wherever there is one; State.Best is the result.
func Search(o SearchOptions) (*search.State, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o, err := o.withDefaults()
	say := Options{Quiet: o.Quiet}
	if err != nil {
		return nil, report(err, say)
	}
	c, closing, err := o.open(ctx)
	if err != nil {
		return nil, report(err, say)
	}
	defer closing()
	v := &searchView{page: newSearchPage(c), config: c, quiet: o.Quiet}
	v.page.top = o.Top
	c.Recorder = v
	v.begin()
	s, err := search.Run(ctx, *c)
	v.end(s)
	if s == nil {
		return nil, report(err, say)
	}
	if !o.Quiet {
		v.page.show(s)
	}
	if err == nil && s.Status == search.Interrupted {
		err = o.interrupted(s, c.Space.Name())
	}
	return s, report(err, say)
}

// interrupted says how to go on.
func (o SearchOptions) interrupted(s *search.State, space string) error {
	text := fmt.Sprintf("interrupted after %d iterations, %d evaluations", s.Iterations, s.Evaluations)
	switch {
	case o.Log == "":
		return fmt.Errorf("%s: %w; nothing of the run is kept, as SearchOptions.Log names no file", text, context.Canceled)
	case len(o.Limits) > 0:
		return fmt.Errorf("%s: %w; they are kept in %s: run the cell again to go on", text, context.Canceled, o.Log)
	}
	return fmt.Errorf("%s: %w; they are kept in %s: run the cell again to go on, or in a terminal: %s", text, context.Canceled, o.Log, o.command(space))
}

// command is the command that goes on with the run.
func (o SearchOptions) command(space string) string {
	words := []string{"zico", "search", "-resume", "-log", o.Log, "-space", space, "-preset", o.Preset, "-method", o.Method}
	p, _ := search.FindPreset(o.Preset) // withDefaults has found it
	add := func(name string, v, def any) {
		if v == def {
			return
		}
		if b, ok := v.(bool); ok {
			words = append(words, fmt.Sprintf("-%s=%t", name, b))
			return
		}
		words = append(words, "-"+name, fmt.Sprint(v))
	}
	add("budget", o.Budget, "")
	add("budget-size", o.BudgetSize, 0)
	add("initial", o.Initial, "")
	add("objectives", strings.Join(o.Objectives, ","), "")
	add("n", o.Iterations, 0)
	add("evaluations", o.Evaluations, 0)
	add("time", o.Time, time.Duration(0))
	add("seed", o.Seed, uint64(1))
	add("weights", o.Weights, uint64(1))
	add("fresh", o.Fresh, p.Fresh)
	add("inflight", o.InFlight, 1)
	add("device", o.Device, "")
	if o.Table != "" {
		add("table", o.Table, "")
		add("columns", strings.Join(o.Columns, ","), "")
		add("noise", o.Noise, 0.0)
		add("noise-seed", o.NoiseSeed, uint64(1))
	} else {
		add("proxies", strings.Join(o.Proxies, ","), "zico")
		add("data", o.Images, p.Images)
		add("size", o.Size, p.Size)
		add("batch", o.Batch, p.Batch)
		add("batches", o.Batches, p.Batches)
		add("dtype", o.DType, "")
		add("eq15", o.Statistic == zico.Absolute, false)
	}
	for i, w := range words {
		// What a shell might read otherwise.
		if w == "" || strings.ContainsFunc(w, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=:,./+@%", r)
		}) {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// open opens what is named; closing frees it.
func (o SearchOptions) open(ctx context.Context) (c *search.Config, closing func(), err error) {
	closing = func() {}
	c = &search.Config{
		Method: o.Method, Initial: o.Initial, Objectives: o.Objectives, InFlight: o.InFlight, Seed: o.Seed, Weights: o.Weights, Fresh: o.Fresh,
		Iterations: o.Iterations, Evaluations: o.Evaluations, Time: o.Time,
		// A file that is not there yet is begun.
		Log: o.Log, Resume: o.Log != "",
	}
	var table *tables.Table
	if o.Table != "" {
		if table, err = tables.Open(ctx, o.Table, tables.Options{Space: o.Space}); err != nil {
			return nil, nil, err
		}
		if o.Space == "" {
			o.Space = table.Space()
		}
	}
	if c.Space, err = spaces.Open(o.Space); err != nil {
		return nil, nil, err
	}
	in := spaces.Input{Size: o.BudgetSize}
	latency := func(limit float64) (search.Limit, error) {
		be, err := openBackend(o.Device)
		if err != nil {
			return search.Limit{}, err
		}
		return search.Latency(be, c.Space, in, limit)
	}
	if c.Limits, err = search.ParseBudget(o.Budget, c.Space, in, latency); err != nil {
		return nil, nil, err
	}
	c.Limits = append(c.Limits, o.Limits...)
	if table != nil {
		if len(o.Columns) == 0 {
			o.Columns = []string{table.Columns()[0].Name}
		}
		c.Evaluator, err = search.NewTable(table, o.Noise, o.NoiseSeed, o.Columns...)
		return c, closing, err
	}
	local := &search.Local{Space: c.Space}
	c.Evaluator = local
	if local.Proxies, err = proxy.Find(o.Proxies...); err != nil {
		return nil, nil, err
	}
	if !slices.ContainsFunc(local.Proxies, func(p *proxy.Proxy) bool { return !p.Static }) {
		return c, closing, nil
	}
	if o.Images == "" {
		return nil, nil, fmt.Errorf("preset %s needs images: SearchOptions.Images is the folder with the training images of ImageNet, one folder a class", o.Preset)
	}
	src, err := images.Open(o.Images)
	if err != nil {
		return nil, nil, err
	}
	local.DataName = correlate.DataName(src)
	data, be, err := prepare(ctx, o.scoring())
	if err != nil {
		return nil, nil, err
	}
	local.Data = data.Batches
	if o.InFlight == 1 {
		local.Scorer, err = scorer(be, o.scoring())
		return c, closing, err
	}
	if local.Scorer, err = zico.New(be, zico.Config{DType: o.DType, Statistic: o.Statistic, InFlight: o.InFlight}); err != nil {
		return nil, nil, err
	}
	return c, func() { local.Scorer.Close() }, nil
}

// ShowSearch shows the page of a run from its log, also of one that is running in another process or was compressed by gzip, and returns the state that it had reached when it wrote the last line.
func ShowSearch(path string) (*search.State, error) {
	h, err := search.ReadLog(path)
	if err != nil {
		return nil, report(err, Options{})
	}
	s := h.State()
	loggedPage(&h.Header).show(s)
	return s, nil
}

// searchView shows a run while it lasts.
type searchView struct {
	page   *searchPage
	config *search.Config
	quiet  bool
	id     string
	last   time.Time
	took   time.Duration // to draw
	drawn  bool          // a line stands on the terminal
}

func (v *searchView) begin() {
	if v.quiet || !gonbui.IsNotebook {
		return
	}
	v.id = gonbui.UniqueId()
	gonbui.UpdateHTML(v.id, bar(0, v.page.title+": the first candidate"))
}

// Record implements search.Recorder. It draws at most once a second, and so that drawing takes a twentieth of the time at most.
func (v *searchView) Record(s *search.State, _ *search.Candidate) {
	if v.quiet {
		return
	}
	pause := time.Second
	if !gonbui.IsNotebook {
		pause = 200 * time.Millisecond
	}
	if time.Since(v.last) < max(pause, 20*v.took) {
		return
	}
	start := time.Now()
	switch {
	case gonbui.IsNotebook:
		gonbui.UpdateHTML(v.id, v.html(s))
	case terminal():
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s", s.Line())
		v.drawn = true
	}
	v.last = time.Now()
	v.took = v.last.Sub(start)
}

// html is the page while the run lasts.
func (v *searchView) html(s *search.State) string {
	head := bar(v.done(s), s.Status.String()+": "+s.Line())
	if s.Replaying {
		return head
	}
	return head + v.page.HTML(s)
}

// done is how much of the run is done, from 0 to 1.
func (v *searchView) done(s *search.State) float64 {
	part := 0.0
	if v.config.Iterations > 0 {
		part = float64(s.Iterations) / float64(v.config.Iterations)
	}
	if v.config.Evaluations > 0 {
		part = max(part, float64(s.Evaluations)/float64(v.config.Evaluations))
	}
	if v.config.Time > 0 {
		part = max(part, float64(s.Fresh)/float64(v.config.Time))
	}
	return min(part, 1)
}

// end leaves the bar alone: what was below is shown anew, for good.
func (v *searchView) end(s *search.State) {
	switch {
	case v.quiet:
	case gonbui.IsNotebook && s == nil:
		gonbui.UpdateHTML(v.id, "")
	case gonbui.IsNotebook:
		gonbui.UpdateHTML(v.id, bar(v.done(s), s.Status.String()))
	case v.drawn:
		fmt.Fprintln(os.Stderr)
	}
}

// bar is a progress bar with a line behind it. The marks data-zeroshot are for those who read the page by program.
func bar(part float64, line string) string {
	return `<progress max="1" value="` + strconv.FormatFloat(part, 'f', 3, 64) + `"></progress> <span data-zeroshot="status">` + html.EscapeString(line) + `</span>`
}
