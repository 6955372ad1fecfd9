package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces/tables"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/correlate"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

const correlateHelp = `
Scores go to the store as they come. A run that was stopped, by an interrupt or a kill, goes on with the same flags;
a larger -n adds to the sample; several processes may work on one store. -table is a file of a benchmark (NATS-Bench,
NAS-Bench-201, NAS-Bench-101, TransNAS-Bench-101, NAS-Bench-Suite-Zero, NASLib, CSV) or embedded: the validation
accuracies of NAS-Bench-201. The last line printed is a certificate: what the numbers rest on.
`

// correlateOptions are the flags of correlate.
type correlateOptions struct {
	data                               data
	space, table, columns, proxies     string
	n                                  string
	sampleSeed                         uint64
	device, kernels, dtype             string
	inFlight                           int
	store, csv, json, md, scores, from string
	bare, join                         bool
	report                             correlate.ReportOptions
	sample                             int
	list                               []*proxy.Proxy
}

func (o *correlateOptions) parse(args []string) error {
	f := newFlags("correlate", "")
	usage := f.Usage
	f.Usage = func() {
		usage()
		fmt.Fprint(f.Output(), correlateHelp)
	}
	o.data.flags(f)
	f.StringVar(&o.space, "space", "", "search space, with options as in natstss:C=16,N=5 (default: that of the table)")
	f.StringVar(&o.table, "table", "embedded", "accuracies: embedded, or a file or folder of a benchmark")
	f.StringVar(&o.columns, "columns", "", "columns of the table, as in cifar10/test,cifar100/test (default: all test accuracies, else all validation accuracies)")
	f.StringVar(&o.proxies, "proxies", "shared", "proxies, as in zico,snip,params; shared: those that come with ZiCo's pass or need none; all; with options as in zico:batches=3, zico:images=16, zico:reseed=1, zico:noise, zico:exact; see zico proxies")
	f.StringVar(&o.n, "n", "100", "architectures to draw from the table, or all")
	f.Uint64Var(&o.sampleSeed, "sample-seed", 1, "seed of the choice of architectures; a larger sample of the same seed begins with the smaller one")
	deviceFlags(f, &o.device, &o.kernels)
	f.StringVar(&o.dtype, "dtype", "float32", "float32 or float64")
	f.IntVar(&o.inFlight, "inflight", 0, "networks at once (0: chosen for the machine)")
	f.StringVar(&o.store, "store", "", "file that keeps the scores, or none (default: zeroshot/scores.jsonl in the user's folder for caches)")
	f.StringVar(&o.csv, "csv", "", "write the correlations to this CSV file")
	f.StringVar(&o.json, "json", "", "write the whole report to this JSON file")
	f.StringVar(&o.md, "md", "", "write the report to this Markdown file")
	f.StringVar(&o.scores, "scores", "", "write architectures, accuracies and scores to this CSV file")
	f.BoolVar(&o.bare, "bare", false, "leave the accuracies, which are the benchmark's, out of -scores; -from with -table puts them back")
	f.StringVar(&o.from, "from", "", "score nothing: report on a file that -scores has written, with -table and -columns on the accuracies there")
	f.IntVar(&o.report.Resamples, "resamples", 0, "resamples for an interval (0: 1000, fewer above 10000 architectures)")
	f.Float64Var(&o.report.Level, "level", 0.95, "level of the intervals")
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return usageError{fmt.Errorf("unexpected argument %q", f.Arg(0))}
	}
	if o.n != "all" {
		n, err := strconv.Atoi(o.n)
		if err != nil || n < 1 {
			return usageError{fmt.Errorf("-n %q: write a number of architectures of at least 1, or all", o.n)}
		}
		o.sample = n
	}
	if !(o.report.Level > 0 && o.report.Level < 1) || o.report.Resamples < 0 {
		return usageError{errors.New("-level must be between 0 and 1, -resamples not negative")}
	}
	if o.from != "" {
		var set []string
		f.Visit(func(g *flag.Flag) {
			o.join = o.join || g.Name == "table" || g.Name == "columns"
			if !slices.Contains([]string{"from", "table", "columns", "csv", "json", "md", "scores", "bare", "resamples", "level"}, g.Name) {
				set = append(set, "-"+g.Name)
			}
		})
		if len(set) > 0 {
			return usageError{fmt.Errorf("-from reports on scores that are there: leave out %s", strings.Join(set, ", "))}
		}
		return nil
	}
	var err error
	if o.list, err = proxy.Find(split(o.proxies)...); err != nil {
		return usageError{err}
	}
	if len(o.list) == 0 {
		return usageError{errors.New("-proxies names none; see zico proxies")}
	}
	return nil
}

// split takes a list apart at commas.
func split(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func correlateProxies(ctx context.Context, args []string) error {
	var o correlateOptions
	if err := o.parse(args); err != nil {
		return err
	}
	// What cannot be written must not be found out after hours.
	for _, name := range []string{o.csv, o.json, o.md, o.scores} {
		if name == "" {
			continue
		}
		_, err := os.Stat(name)
		fresh := errors.Is(err, fs.ErrNotExist)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		f.Close()
		if fresh {
			os.Remove(name)
		}
	}
	var s *correlate.Scores
	var stopped error
	if o.from != "" {
		f, err := os.Open(o.from)
		if err != nil {
			return err
		}
		defer f.Close()
		if s, err = correlate.ReadCSV(f); err != nil {
			return fmt.Errorf("%s: %w", o.from, err)
		}
		if o.join {
			if s, err = o.joined(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", o.from, err)
			}
		} else if len(s.Columns) == 0 && !o.bare {
			return usageError{fmt.Errorf("%s has no accuracies: name a table of them with -table; the sample is drawn from %s", o.from, s.Table)}
		}
	} else if s, stopped = o.run(ctx); s == nil || s.Len() == 0 {
		return stopped
	}
	kept := s
	if o.bare {
		kept = s.Bare()
	}
	o.report.Quick = stopped != nil
	r := s.Report(o.report)
	fmt.Print(r.Text())
	for _, out := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{o.csv, r.WriteCSV},
		{o.json, r.WriteJSON},
		{o.md, func(w io.Writer) error { _, err := io.WriteString(w, r.Markdown()); return err }},
		{o.scores, kept.WriteCSV},
	} {
		if out.name == "" {
			continue
		}
		f, err := os.Create(out.name)
		if err != nil {
			return err
		}
		if err := errors.Join(out.write(f), f.Close()); err != nil {
			return fmt.Errorf("%s: %w", out.name, err)
		}
	}
	if stopped != nil {
		if o.store != "none" {
			fmt.Fprintf(os.Stderr, "zico correlate: %d of %d architectures are done and kept; to go on: zico correlate %s\n", s.Done(), s.Len(), quoted(args))
		}
		return stopped
	}
	if r.FailedArchs > 0 {
		fmt.Fprintf(os.Stderr, "zico correlate: %d architectures failed; the first, %s: %s\n", r.FailedArchs, s.Failed[0].Arch, s.Failed[0].Error)
		return errFailed
	}
	return nil
}

// open reads the table of accuracies.
func (o *correlateOptions) open(ctx context.Context, space string) (*tables.Table, error) {
	return tables.Open(ctx, o.table, tables.Options{Space: space})
}

// joined puts the accuracies of the table beside scores.
func (o *correlateOptions) joined(ctx context.Context, s *correlate.Scores) (*correlate.Scores, error) {
	t, err := o.open(ctx, s.Space)
	if err != nil {
		return nil, err
	}
	return s.Join(t, split(o.columns)...)
}

// run scores the sample.
func (o *correlateOptions) run(ctx context.Context) (*correlate.Scores, error) {
	t, err := o.open(ctx, o.space)
	if err != nil {
		return nil, err
	}
	c := correlate.Config{
		Table: t, Space: o.space, Columns: split(o.columns), Proxies: o.list, Sample: o.sample, SampleSeed: o.sampleSeed, Seed: o.data.seed, Store: o.store,
		Warn: func(w string) { fmt.Fprintln(os.Stderr, "zico correlate:", w) },
	}
	switch c.Store {
	case "none":
		c.Store = ""
	case "":
		if c.Store, err = correlate.DefaultStore(); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(o.list, func(p *proxy.Proxy) bool { return !p.Static }) {
		src, err := images.Open(o.data.spec)
		if err != nil {
			return nil, err
		}
		if c.Data, err = o.data.batches(ctx); err != nil {
			return nil, err
		}
		c.DataName = correlate.DataName(src)
		be, err := backend.Open(o.device)
		if err != nil {
			return nil, err
		}
		if c.Scorer, err = zico.New(be, zico.Config{DType: o.dtype, Kernels: o.kernels, InFlight: o.inFlight}); err != nil {
			return nil, err
		}
		defer c.Scorer.Close()
	}
	l := newLive(o.list)
	c.Progress = l.show
	s, err := correlate.Run(ctx, c)
	l.end()
	return s, err
}

// live shows how far a run is and what the correlations are so far.
type live struct {
	statusLine
	names []string // of the proxies whose correlation is shown
}

func newLive(list []*proxy.Proxy) *live {
	l := &live{statusLine: newStatusLine()}
	if i := slices.IndexFunc(list, func(p *proxy.Proxy) bool { return p.Name == "zico" }); i > 0 {
		list = append([]*proxy.Proxy{list[i]}, slices.Delete(slices.Clone(list), i, i+1)...)
	}
	for _, p := range list {
		if !p.Static && len(l.names) < 3 {
			l.names = append(l.names, p.Name)
		}
	}
	return l
}

func (l *live) show(p correlate.Progress) {
	start := time.Now()
	if len(l.names) == 0 && p.Elapsed < 3*time.Second || p.Done < p.Total && !l.due() {
		return
	}
	line := fmt.Sprintf("%d of %d architectures", p.Done, p.Total)
	if p.Cached > 0 {
		line += fmt.Sprintf(", %d from the store", p.Cached)
	}
	if p.Failed > 0 {
		line += fmt.Sprintf(", %d failed", p.Failed)
	}
	if fresh := p.Done - p.Cached; fresh > 0 && p.Done < p.Total {
		line += fmt.Sprintf(", %.2f s each, %s to go", p.Elapsed.Seconds()/float64(fresh), p.Left.Round(time.Second))
	} else if p.Done == p.Total {
		line += " in " + p.Elapsed.Round(100*time.Millisecond).String()
	}
	for _, name := range l.names {
		if r := p.Scores.Sample(p.Scores.Proxy(name, 0), 0); r.N() > 2 {
			line += fmt.Sprintf("; %s KT %.3f", name, r.KendallTau())
		}
	}
	l.statusLine.show(line, start)
}

// quoted writes arguments as a shell reads them.
func quoted(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; a == "" || strings.ContainsAny(a, " \t\n'\"\\|&;<>()$`*?[]#~!{}") {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}
