package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/correlate"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/journal"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
	"github.com/zeroshotnas/zeroshot/zico/search"
)

// searchHelp is printed below the flags.
func searchHelp() string {
	var b strings.Builder
	b.WriteString("\nmethods (options as in aging:population=64,sample=16):\n")
	for _, m := range search.Methods() {
		fmt.Fprintf(&b, "  %-10s %s\n", m.Name, m.Doc)
		if o, err := search.OptionsOf(m.Name); err == nil && len(o) > 0 {
			list := make([]string, len(o))
			for i, p := range o {
				list[i] = fmt.Sprintf("%s=%d (%s)", p.Name, p.Default, p.Doc)
			}
			fmt.Fprintf(&b, "             options: %s\n", strings.Join(list, ", "))
		}
	}
	b.WriteString("\npresets, of which flags change what they say:\n")
	for _, p := range search.Presets() {
		fmt.Fprintf(&b, "  %-10s %s\n", p.Name, p.Doc)
	}
	b.WriteString(`
-budget bounds flops, params, layers, memory (bytes) and latency (milliseconds). What a space's own search counts is
counted as there: masternet has the counters of the ZiCo paper's code. With -log the run survives whatever ends it:
the same command with -resume goes on, and ends as if nothing had happened.
`)
	return b.String()
}

// searchOptions are the flags of search.
type searchOptions struct {
	data                              data
	space, preset, budget, objectives string
	proxies, table, columns           string
	noise                             float64
	noiseSeed, weights                uint64
	budgetSize                        int
	device, kernels, dtype            string
	eq15                              bool
	show                              string
	asJSON                            bool
	top                               int
	c                                 search.Config
}

func (o *searchOptions) parse(args []string) error {
	f := newFlags("search", "")
	usage := f.Usage
	f.Usage = func() {
		usage()
		fmt.Fprint(f.Output(), searchHelp())
	}
	o.data.flags(f)
	f.StringVar(&o.space, "space", "masternet", "search space, with options as in natstss:C=16,N=5")
	f.StringVar(&o.preset, "preset", "quick", "quick or paper: images, sizes, method and limits; flags override it")
	f.StringVar(&o.budget, "budget", "", "hard limits, as in flops=450e6,layers=14")
	f.IntVar(&o.budgetSize, "budget-size", 0, "height and width of the images that budgets are counted for, pixels (0: the space's own)")
	f.StringVar(&o.c.Method, "method", "", "search method with its options (default: the preset's)")
	f.StringVar(&o.c.Initial, "initial", "", "architecture to begin with (default: the space's own, if it has one)")
	f.StringVar(&o.proxies, "proxies", "zico", "proxies to evaluate, as in zico,naswot; several are ranked together (sum of log-ranks) by methods of one objective")
	f.StringVar(&o.objectives, "objectives", "", "what is optimised: proxies (higher is better) and quantities of the budget (lower is better), as in zico,flops (default: all proxies)")
	f.StringVar(&o.table, "table", "", "look up accuracies instead of computing proxies: embedded, or a file of a benchmark")
	f.StringVar(&o.columns, "columns", "", "columns of the table to look up (default: the first)")
	f.Float64Var(&o.noise, "noise", 0, "look up ranks (0 to 1) with this much normal noise in place of accuracies")
	f.Uint64Var(&o.noiseSeed, "noise-seed", 1, "seed of the noise")
	f.IntVar(&o.c.Iterations, "n", 0, "iterations: proposals, rejected ones among them (0: the preset's)")
	f.IntVar(&o.c.Evaluations, "evaluations", 0, "evaluations (0: the preset's)")
	f.DurationVar(&o.c.Time, "time", 0, "time limit, as in 90m")
	f.Uint64Var(&o.weights, "weights", 1, "seed of the networks' weights")
	f.BoolVar(&o.c.Fresh, "fresh", false, "weights of its own for each candidate, duplicates evaluated again (preset paper: true)")
	f.IntVar(&o.c.InFlight, "inflight", 1, "evaluations at once; the run depends on it")
	f.StringVar(&o.c.Log, "log", "", "file that keeps the run")
	f.BoolVar(&o.c.Resume, "resume", false, "go on with the run in -log")
	f.BoolVar(&o.c.Skip, "skip", false, "with -resume: record the first candidate that is to be evaluated as failed, where its evaluation ended the process")
	f.StringVar(&o.show, "show", "", "run nothing: report on this log")
	f.IntVar(&o.top, "top", 5, "architectures to print")
	f.BoolVar(&o.asJSON, "json", false, "print the result as JSON")
	deviceFlags(f, &o.device, &o.kernels)
	f.StringVar(&o.dtype, "dtype", "float32", "float32 or float64")
	f.BoolVar(&o.eq15, "eq15", false, "use the paper's Eq. 15 instead of the reference's code")
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return usageError{fmt.Errorf("unexpected argument %q", f.Arg(0))}
	}
	p, err := search.FindPreset(o.preset)
	if err != nil {
		return usageError{err}
	}
	given := map[string]bool{}
	f.Visit(func(g *flag.Flag) { given[g.Name] = true })
	if !given["data"] {
		o.data.spec = p.Images
	}
	if !given["size"] {
		o.data.o.Size = p.Size
	}
	if !given["batch"] {
		o.data.o.Batch = p.Batch
	}
	if !given["batches"] {
		o.data.o.N = p.Batches
	}
	if !given["fresh"] {
		o.c.Fresh = p.Fresh
	}
	if o.c.Method == "" {
		o.c.Method = p.Method
	}
	if !given["n"] && !given["evaluations"] && !given["time"] {
		o.c.Iterations, o.c.Evaluations = p.Iterations, p.Evaluations
	}
	if o.data.spec == "" && o.table == "" && o.show == "" {
		return usageError{fmt.Errorf("preset %s needs images: -data FOLDER with the training images of ImageNet, one folder a class", p.Name)}
	}
	o.c.Seed, o.c.Weights = o.data.seed, o.weights
	o.c.Objectives = split(o.objectives)
	return nil
}

// open fills in what the run needs; closing frees it.
func (o *searchOptions) open(ctx context.Context) (closing func(), err error) {
	closing = func() {}
	if o.c.Space, err = openSpace(o.space); err != nil {
		return closing, err
	}
	var be *backend.Backend
	device := func() (*backend.Backend, error) {
		if be == nil {
			be, err = backend.Open(o.device)
		}
		return be, err
	}
	in := spaces.Input{Size: o.budgetSize}
	latency := func(limit float64) (search.Limit, error) {
		be, err := device()
		if err != nil {
			return search.Limit{}, err
		}
		return search.Latency(be, o.c.Space, in, limit)
	}
	if o.c.Limits, err = search.ParseBudget(o.budget, o.c.Space, in, latency); err != nil {
		return closing, usageError{err}
	}
	if o.table != "" {
		t, err := tables.Open(ctx, o.table, tables.Options{Space: o.space})
		if err != nil {
			return closing, err
		}
		columns := split(o.columns)
		if len(columns) == 0 {
			columns = []string{t.Columns()[0].Name}
		}
		o.c.Evaluator, err = search.NewTable(t, o.noise, o.noiseSeed, columns...)
		return closing, err
	}
	list, err := proxy.Find(split(o.proxies)...)
	if err != nil {
		return closing, usageError{err}
	}
	local := &search.Local{Space: o.c.Space, Proxies: list}
	o.c.Evaluator = local
	if !slices.ContainsFunc(list, func(p *proxy.Proxy) bool { return !p.Static }) {
		return closing, nil
	}
	src, err := images.Open(o.data.spec)
	if err != nil {
		return closing, err
	}
	local.DataName = correlate.DataName(src)
	// The choice of images is not a part of the search's randomness: runs of several seeds see the same ones.
	o.data.seed = o.weights
	if local.Data, err = o.data.batches(ctx); err != nil {
		return closing, err
	}
	if _, err = device(); err != nil {
		return closing, err
	}
	statistic := zico.Signed
	if o.eq15 {
		statistic = zico.Absolute
	}
	if local.Scorer, err = zico.New(be, zico.Config{DType: o.dtype, Statistic: statistic, Kernels: o.kernels, InFlight: o.c.InFlight}); err != nil {
		return closing, err
	}
	return func() { local.Scorer.Close() }, nil
}

func searchArchs(ctx context.Context, args []string) error {
	var o searchOptions
	if err := o.parse(args); err != nil {
		return err
	}
	if o.show != "" {
		h, err := search.ReadLog(o.show)
		if err != nil {
			return err
		}
		return o.print(h.State())
	}
	closing, err := o.open(ctx)
	defer closing()
	if err != nil {
		return err
	}
	live := newSearchLive()
	o.c.Recorder = live
	s, err := search.Run(ctx, o.c)
	live.end()
	if s == nil {
		return err
	}
	if err := errors.Join(err, o.print(s)); err != nil {
		return err
	}
	if s.Status == search.Interrupted {
		if o.c.Log != "" {
			if !o.c.Resume {
				args = append([]string{"-resume"}, args...)
			}
			fmt.Fprintf(os.Stderr, "zico search: %d iterations are kept; to go on: zico search %s\n", s.Iterations, quoted(args))
		}
		return ctx.Err()
	}
	return nil
}

// found is an architecture in the output.
type found struct {
	Arch      spaces.Arch        `json:"arch"`
	Iteration int                `json:"iteration"`
	Score     journal.Number     `json:"score"`
	Values    map[string]float64 `json:"values"`
	Costs     map[string]float64 `json:"costs"`
}

func newFound(s *search.State, c *search.Candidate) found {
	f := found{Arch: c.Arch, Iteration: c.Iteration, Score: journal.Number(s.Score(c)), Values: map[string]float64{}, Costs: map[string]float64{}}
	for i, m := range s.Metrics() {
		f.Values[m.Name] = c.Values[i]
	}
	for i, name := range s.Limits() {
		f.Costs[name] = c.Costs[i]
	}
	return f
}

// print prints what a run has found.
func (o *searchOptions) print(s *search.State) error {
	list := s.Top(o.top)
	multi := len(s.Objectives()) > 1
	if multi {
		list = s.Front()
		slices.SortStableFunc(list, func(a, b *search.Candidate) int { return cmp.Compare(b.Objectives[0], a.Objectives[0]) })
	}
	if o.asJSON {
		type output struct {
			Status      string         `json:"status"`
			Iterations  int            `json:"iterations"`
			Evaluations int            `json:"evaluations"`
			Duplicates  int            `json:"duplicates"`
			Rejected    map[string]int `json:"rejected"`
			Failed      int            `json:"failed"`
			Seconds     float64        `json:"seconds"`
			Times       search.Times   `json:"times_ns"`
			Kernels     int64          `json:"kernels"`
			Compiled    int64          `json:"compiled"`
			Hypervolume *float64       `json:"hypervolume,omitempty"` // with several objectives, of the box of all candidates
			Best        *found         `json:"best"`
			List        []found        `json:"list"`
		}
		out := output{s.Status.String(), s.Iterations, s.Evaluations, s.Duplicates, s.Rejected, s.Failed, s.Elapsed.Seconds(), s.Times, s.Kernels, s.Compiled, nil, nil, []found{}}
		if multi {
			v := s.Hypervolume()
			out.Hypervolume = &v
		}
		if b := s.Best(); b != nil {
			f := newFound(s, b)
			out.Best = &f
		}
		for _, c := range list {
			out.List = append(out.List, newFound(s, c))
		}
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(out)
	}
	fmt.Printf("%s: %d iterations, %d evaluations, %d duplicates", s.Status, s.Iterations, s.Evaluations, s.Duplicates)
	if s.Failed > 0 {
		fmt.Printf(", %d failed", s.Failed)
	}
	fmt.Printf(" in %s\n", s.Elapsed.Round(10*time.Millisecond))
	for _, reason := range slices.Sorted(maps.Keys(s.Rejected)) {
		fmt.Printf("rejected by %s: %d\n", reason, s.Rejected[reason])
	}
	if s.Failed > 0 {
		fmt.Printf("the first failure: %s\n", s.Failure)
	}
	if t := s.Times; t != (search.Times{}) {
		fmt.Printf("time: propose %s, build %s, compile %s, score %s", t.Propose.Round(time.Millisecond), t.Build.Round(time.Millisecond), t.Compile.Round(time.Millisecond), t.Score.Round(time.Millisecond))
		if s.Kernels > 0 {
			fmt.Printf("; %d kernels run, %d compiled", s.Kernels, s.Compiled)
		}
		fmt.Println()
	}
	best := s.Best()
	if best == nil {
		fmt.Println("no architecture within the limits was found")
		return nil
	}
	if multi {
		fmt.Printf("that no other dominates: %d, with a hypervolume of %.4f (of the box of all candidates)\n", len(list), s.Hypervolume())
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	var head []string
	for _, m := range s.Metrics() {
		head = append(head, m.Name)
	}
	fmt.Fprintf(w, "%s\titeration\tarchitecture\n", strings.Join(append(head, s.Limits()...), "\t"))
	for _, c := range list {
		for _, v := range c.Values {
			fmt.Fprintf(w, "%.6g\t", v)
		}
		for _, v := range c.Costs {
			fmt.Fprintf(w, "%.6g\t", v)
		}
		fmt.Fprintf(w, "%d\t%s\n", c.Iteration, c.Arch)
	}
	w.Flush()
	fmt.Printf("result: %s\n", best.Arch)
	return nil
}

// searchLive shows how a search is doing.
type searchLive struct{ statusLine }

func newSearchLive() *searchLive {
	l := &searchLive{newStatusLine()}
	l.last = time.Now() // the first line has something to say
	return l
}

// Record implements search.Recorder.
func (l *searchLive) Record(s *search.State, _ *search.Candidate) {
	if l.due() {
		start := time.Now()
		l.show(s.Line(), start)
	}
}
