package correlate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
	"github.com/zeroshotnas/zeroshot/spaces/transnas"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

// Config says what is compared with what. The zero value of each field means the default in its comment.
type Config struct {
	// Table has the accuracies. Required.
	Table *tables.Table
	// Space is the search space, with its options; its architectures must be the table's. Default: the table's.
	Space string
	// Columns are the accuracies to compare with. Default: all test accuracies, or all validation accuracies where there are none.
	Columns []string
	// Proxies are what is compared. Required.
	Proxies []*proxy.Proxy
	// Sample is the number of architectures, drawn without replacement from those that have an accuracy. Default: all.
	Sample int
	// SampleSeed chooses the sample.
	SampleSeed uint64
	// Data are the images, at least as many batches as the proxies need. They are not needed where all proxies are static.
	Data []images.Batch
	// DataName says what the images are.
	DataName string
	// Input is what the networks are built for. Default: size and classes of the images; for static proxies, which look at none, those of the dataset of each column, so that parameters are those of the networks that were trained.
	Input spaces.Input
	// Seed is that of the weights.
	Seed uint64
	// Scorer runs the networks. It is not needed where all proxies are static.
	Scorer *zico.Scorer
	// Evaluate takes the place of proxy.EvaluateAll with Scorer and Data, as for workers elsewhere. DType is then the type that they compute in, for the key of the scores.
	Evaluate func(ctx context.Context, reqs []zico.Request, proxies []*proxy.Proxy) iter.Seq2[*proxy.Result, error]
	DType    string
	// Store is the file that keeps the scores; see Store. Default: they are kept in memory only.
	Store string
	// Chunk is the number of networks that are asked for at once; between chunks a run looks at what other processes have done. Default: 16, or 4 for each network in flight if that is more.
	Chunk int
	// Warn, if set, is told what a user should know of the store: a line that was cut off, lines that are damaged.
	Warn func(string)
	// Progress, if set, is called when scores have come in, from the goroutine of Run.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	// Scores are those so far. They are the run's own: to be read during the call only.
	Scores *Scores
	// Rows are the architectures that have all their scores, or have failed, since the last call.
	Rows []int
	// Done and Total count architectures. Of those done, Cached came from the store, from an earlier run or another process, and Failed have an error in place of a score.
	Done, Total, Cached, Failed int
	// Elapsed is the time since Run began, Left an estimate of what is to come, 0 where there is none yet.
	Elapsed, Left time.Duration
}

// run is a Run in progress.
type run struct {
	c      Config
	space  spaces.Space
	scores *Scores
	store  *Store
	start  time.Time

	// Scores of one proxy may be several, for networks of several datasets: place i of Scores.Proxies is of proxies[i], built for inputs[i].
	proxies []*proxy.Proxy
	inputs  []spaces.Input

	row     map[spaces.Arch]int // of the sample
	left    []int               // places that are neither known nor failed, by row
	failed  [][]bool            // [place][row]
	bad     map[int]bool        // rows with a failure
	cached  int
	done    int
	news    []int
	kernels map[string]bool
	shared  bool // another process is at work on the same scores
	chunk   int  // networks to ask for next

	scored int           // networks that this run has evaluated
	busy   time.Duration // what they took
}

// Run draws the sample, takes what the store has, computes what is missing, and returns all of it. Scores go to the store as they come; a run that ends early, for whatever reason, returns what it has with the error, and another run with the same Config goes on from there.
//
// An evaluation that fails is reported in Scores.Failed and not tried again in this run; in the next one it is. Where several proxies fail together, those that need other passes over the network are tried apart. If each of the first networks fails with all proxies, Run gives up with their error.
//
// Errors: a table of another space (tables.ErrSpace), unknown columns, more architectures asked for than there are, images that lack labels or hold NaN, too few of them, a file that is no store (ErrStore) or cannot be written, and the context's when it ends.
func Run(ctx context.Context, c Config) (_ *Scores, err error) {
	r, err := newRun(c)
	if err != nil {
		return nil, err
	}
	s := r.scores
	if r.store != nil {
		defer func() {
			if e := r.store.Close(); err == nil {
				err = e
			}
		}()
	}
	if err := r.static(ctx); err != nil {
		return s, r.stopped(err)
	}
	if slices.ContainsFunc(c.Proxies, func(p *proxy.Proxy) bool { return !p.Static }) {
		err = r.dynamic(ctx)
	} else {
		r.progress(true)
	}
	s.Kernels = nil
	for k := range r.kernels {
		s.Kernels = append(s.Kernels, k)
	}
	slices.Sort(s.Kernels)
	slices.SortStableFunc(s.Failed, func(a, b Failure) int { return a.Row - b.Row })
	return s, r.stopped(err)
}

// stopped says how far a run came that ended early.
func (r *run) stopped(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("correlate: interrupted: %d of %d architectures done: %w", r.done, r.scores.Len(), err)
	}
	return err
}

// newRun checks the configuration and draws the sample.
func newRun(c Config) (*run, error) {
	if c.Table == nil {
		return nil, errors.New("correlate: no table of accuracies")
	}
	if len(c.Proxies) == 0 {
		return nil, errors.New("correlate: no proxies")
	}
	if c.Sample < 0 || c.Chunk < 0 {
		return nil, fmt.Errorf("correlate: a sample of %d, %d networks at once: numbers must not be negative", c.Sample, c.Chunk)
	}
	if c.Space == "" {
		c.Space = c.Table.Space()
	}
	space, err := spaces.Open(c.Space)
	if err != nil {
		return nil, fmt.Errorf("correlate: %w", err)
	}
	if err := matches(space, c.Table); err != nil {
		return nil, err
	}
	columns, err := columnsOf(c.Table, c.Columns)
	if err != nil {
		return nil, err
	}
	r := &run{c: c, space: space, start: time.Now(), bad: map[int]bool{}, kernels: map[string]bool{}, row: map[spaces.Arch]int{}}
	s := &Scores{About: About{Table: c.Table.Source(), TableSpace: c.Table.Space(), TableHash: c.Table.Hash(), SampleSeed: c.SampleSeed, Columns: columns}}
	r.scores = s
	s.Key = Key{Space: space.Name(), Size: c.Input.Size, Classes: c.Input.Classes, Seed: c.Seed, Scoring: Version}
	if slices.ContainsFunc(c.Proxies, func(p *proxy.Proxy) bool { return !p.Static }) {
		if err := r.images(); err != nil {
			return nil, err
		}
	}
	usual := r.trainedOn(s.Columns[0].Dataset)
	if s.Size == 0 {
		s.Size = usual.Size
	}
	if s.Classes == 0 {
		s.Classes = usual.Classes
	}
	if err := s.population(space, c.Table, c.Sample); err != nil {
		return nil, err
	}
	r.places()
	for row, arch := range s.Archs {
		r.row[arch] = row
		r.left = append(r.left, len(r.proxies))
	}
	for range r.proxies {
		r.failed = append(r.failed, make([]bool, s.Len()))
	}
	if c.Store != "" && slices.ContainsFunc(c.Proxies, func(p *proxy.Proxy) bool { return !p.Static }) {
		if r.store, err = OpenStore(c.Store); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// places lists what is to be computed.
func (r *run) places() {
	s, in := r.scores, r.c.Input
	add := func(p *proxy.Proxy, dataset string, in spaces.Input) {
		kept := Proxy{Name: p.Name, Lower: p.Lower, Static: p.Static, Dataset: dataset}
		if p.Title != p.Name {
			kept.Title = p.Title
		}
		s.Proxies = append(s.Proxies, kept)
		s.Values, s.Known = append(s.Values, make([]float64, s.Len())), append(s.Known, make([]bool, s.Len()))
		r.proxies, r.inputs = append(r.proxies, p), append(r.inputs, in)
	}
	var datasets []string
	var inputs []spaces.Input
	for _, c := range s.Columns {
		if slices.Contains(datasets, c.Dataset) {
			continue
		}
		of := r.trainedOn(c.Dataset)
		datasets, inputs = append(datasets, c.Dataset), append(inputs, spaces.Input{Size: cmp.Or(in.Size, of.Size), Classes: cmp.Or(in.Classes, of.Classes)})
	}
	for _, p := range r.c.Proxies {
		switch {
		case !p.Static:
			add(p, "", spaces.Input{Size: s.Size, Classes: s.Classes})
		case !slices.ContainsFunc(inputs, func(i spaces.Input) bool { return i != inputs[0] }):
			add(p, "", inputs[0])
		default:
			for i, d := range datasets {
				add(p, d, inputs[i])
			}
		}
	}
}

// datasetInput is what networks of the benchmarks are trained on for a dataset, where it is known.
func datasetInput(dataset string) (in spaces.Input, known bool) {
	switch dataset {
	case "cifar10":
		return spaces.Input{Size: 32, Classes: 10}, true
	case "cifar100":
		return spaces.Input{Size: 32, Classes: 100}, true
	case "ImageNet16-120":
		return spaces.Input{Size: 16, Classes: 120}, true
	}
	for _, t := range transnas.Tasks {
		if t.Name == dataset {
			return t.Input, true
		}
	}
	return in, false
}

// trainedOn is datasetInput, with the space's own for what is not known.
func (r *run) trainedOn(dataset string) spaces.Input {
	if in, known := datasetInput(dataset); known {
		return in
	}
	return r.space.Input()
}

// images checks the batches and completes the key by them.
func (r *run) images() error {
	c, s := &r.c, r.scores
	if len(c.Data) == 0 {
		return errors.New("correlate: no images; only static proxies go without")
	}
	if err := images.Alike(c.Data); err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	b := &c.Data[0]
	if s.Size == 0 {
		s.Size = b.H
	}
	if s.Classes == 0 {
		s.Classes = b.Classes
	}
	if b.H != s.Size || b.W != s.Size || b.Classes > s.Classes {
		return fmt.Errorf("correlate: the images are %dx%d in %d classes, the networks are built for %dx%d in %d: leave Config.Input empty, or take other images", b.H, b.W, b.Classes, s.Size, s.Size, s.Classes)
	}
	s.DType = c.DType
	if c.Scorer != nil {
		s.DType = c.Scorer.Config().DType
	}
	if c.Evaluate == nil {
		if c.Scorer == nil {
			return errors.New("correlate: no scorer; only static proxies go without")
		}
		c.Evaluate = func(ctx context.Context, reqs []zico.Request, proxies []*proxy.Proxy) iter.Seq2[*proxy.Result, error] {
			return proxy.EvaluateAll(ctx, c.Scorer, c.Data, reqs, proxies)
		}
	}
	s.Images, s.Batch, s.Batches, s.Data = images.Hash(c.Data), b.N, len(c.Data), c.DataName
	return nil
}

// set keeps a score.
func (r *run) set(p, row int, v float64) {
	s := r.scores
	if s.Known[p][row] {
		return
	}
	s.Values[p][row], s.Known[p][row] = v, true
	if r.failed[p][row] { // another process had more luck
		r.failed[p][row] = false
		return
	}
	r.settle(row)
}

// fail keeps a failure.
func (r *run) fail(row int, proxies []int, err error) {
	var names []string
	for _, p := range proxies {
		if !r.scores.Known[p][row] && !r.failed[p][row] {
			names = append(names, r.proxies[p].Name)
			r.failed[p][row] = true
			r.settle(row)
		}
	}
	if len(names) > 0 {
		r.bad[row] = true
		r.scores.Failed = append(r.scores.Failed, Failure{Row: row, Arch: r.scores.Archs[row], Proxies: names, Error: err.Error()})
	}
}

func (r *run) settle(row int) {
	if r.left[row]--; r.left[row] == 0 {
		r.done++
		r.news = append(r.news, row)
	}
}

// progress reports, if there is anything new or it must.
func (r *run) progress(must bool) {
	if r.c.Progress == nil || len(r.news) == 0 && !must {
		return
	}
	p := Progress{Scores: r.scores, Rows: r.news, Done: r.done, Total: r.scores.Len(), Cached: r.cached, Failed: len(r.bad), Elapsed: time.Since(r.start)}
	if r.scored > 0 {
		p.Left = time.Duration(float64(r.busy) / float64(r.scored) * float64(p.Total-p.Done))
	}
	r.c.Progress(p)
	r.news = r.news[:0]
}

// static computes the proxies of the description alone, on all processors. They take less time than a look into a store.
func (r *run) static(ctx context.Context) error {
	s := r.scores
	var list []int
	// Proxies of networks of the same input.
	type group struct {
		input   spaces.Input
		proxies []*proxy.Proxy
		places  []int // in list
	}
	var groups []*group
	for i, p := range r.proxies {
		if !p.Static {
			continue
		}
		k := slices.IndexFunc(groups, func(g *group) bool { return g.input == r.inputs[i] })
		if k < 0 {
			k = len(groups)
			groups = append(groups, &group{input: r.inputs[i]})
		}
		groups[k].proxies, groups[k].places = append(groups[k].proxies, p), append(groups[k].places, len(list))
		list = append(list, i)
	}
	if len(list) == 0 {
		return nil
	}
	const part = 256
	type outcome struct {
		row    int
		values []float64
		err    error
	}
	var next atomic.Int64
	results := make(chan []outcome)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(part)) - part
				if from >= s.Len() {
					return
				}
				var out []outcome
				for row := from; row < min(from+part, s.Len()); row++ {
					o := outcome{row: row, values: make([]float64, len(list))}
					for _, g := range groups {
						values, err := proxy.Describe(r.space, s.Archs[row], g.input, g.proxies)
						if err != nil {
							o.err = err
							break
						}
						for k, v := range values {
							o.values[g.places[k]] = v
						}
					}
					out = append(out, o)
				}
				results <- out
			}
		})
	}
	go func() {
		workers.Wait()
		close(results)
	}()
	for part := range results {
		for _, o := range part {
			if o.err != nil {
				r.fail(o.row, list, fmt.Errorf("%s: %w", s.Archs[o.row], o.err))
				continue
			}
			for i, p := range list {
				r.set(p, o.row, o.values[i])
			}
		}
		r.progress(false)
	}
	return ctx.Err()
}

// dynamic takes scores from the store and computes the others.
func (r *run) dynamic(ctx context.Context) (err error) {
	if r.store != nil {
		if _, err := r.update(); err != nil {
			return err
		}
		if r.c.Warn != nil {
			for _, w := range r.store.warnings() {
				r.c.Warn(w)
			}
		}
	}
	r.progress(true)
	// Failures by pass.
	apart := map[zico.Pass]int{}
	for {
		list, rows := r.choose(apart)
		if len(rows) == 0 {
			return ctx.Err()
		}
		if err := r.evaluate(ctx, rows, list, apart); err != nil {
			return err
		}
		if r.store == nil {
			continue
		}
		if r.shared, err = r.update(); err != nil {
			return err
		}
		r.progress(false)
	}
}

// update takes what is new in the store.
func (r *run) update() (other bool, err error) {
	return r.store.Read(r.scores.Key, func(e *Entry) {
		row, ok := r.row[e.Arch]
		if !ok || len(e.Values) == 0 {
			return
		}
		left := r.left[row]
		used := false
		for i, p := range r.proxies {
			if v, ok := e.Values[p.Name]; ok && !p.Static && !r.scores.Known[i][row] {
				r.set(i, row, float64(v))
				used = true
			}
		}
		if used && e.Kernels != "" {
			r.kernels[e.Kernels] = true
		}
		if left > 0 && r.left[row] == 0 {
			r.cached++
		}
	})
}

// missing are the proxies that a row lacks, of the passes that are run together or of the first that is run apart.
func (r *run) missing(row int, apart map[zico.Pass]int, together bool) []int {
	var list []int
	for i, p := range r.proxies {
		if p.Static || r.scores.Known[i][row] || r.failed[i][row] || (apart[p.Pass] >= tries) == together {
			continue
		}
		if !together && len(list) > 0 && r.proxies[list[0]].Pass != p.Pass {
			continue
		}
		list = append(list, i)
	}
	return list
}

// choose picks the next networks that lack the same scores: in the order of the sample or, where other processes work on it too, from a random place on, so that the same network is seldom scored twice.
func (r *run) choose(apart map[zico.Pass]int) (list, rows []int) {
	// Small chunks at first: processes that begin at the same time soon learn of each other.
	most := r.c.Chunk
	if most == 0 {
		most = 16
		if r.c.Scorer != nil {
			most = max(most, 4*r.c.Scorer.Config().InFlight)
		}
	}
	r.chunk = min(max(2, 2*r.chunk), most)
	if r.shared {
		r.chunk = min(r.chunk, 4)
	}
	n := r.scores.Len()
	from := 0
	if r.shared {
		from = rand.IntN(n)
	}
	for _, together := range []bool{true, false} {
		for k := range n {
			row := (from + k) % n
			if r.left[row] == 0 {
				continue
			}
			m := r.missing(row, apart, together)
			if len(m) == 0 {
				continue
			}
			if list == nil {
				list = m
			}
			if slices.Equal(list, m) {
				if rows = append(rows, row); len(rows) == r.chunk {
					return list, rows
				}
			}
		}
		if len(rows) > 0 {
			return list, rows
		}
	}
	return nil, nil
}

// tries is how often a pass may fail before it is run apart from the others, which it then no longer takes with it.
const tries = 3

// giveUp is the number of networks at the start of a run that must not all fail.
const giveUp = 8

// evaluate computes proxies of networks and keeps what comes.
func (r *run) evaluate(ctx context.Context, rows, list []int, apart map[zico.Pass]int) error {
	var again []int
	var last error
	began := time.Now()
	i := 0
	for res, err := range r.c.Evaluate(ctx, r.requests(rows), r.pick(list)) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if i >= len(rows) {
			return errors.New("correlate: more results than networks were asked for")
		}
		row := rows[i]
		i++
		last = err
		took := time.Since(began)
		began = time.Now()
		r.busy += took
		r.scored++
		switch {
		case err == nil:
			if err := r.keep(row, list, res, took); err != nil {
				return err
			}
		case r.passes(list) > 1:
			again = append(again, row)
		default:
			apart[r.proxies[list[0]].Pass]++
			if err := r.refuse(row, list, err); err != nil {
				return err
			}
		}
		r.progress(false)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case i < len(rows) && last != nil: // one error for all: of the batches themselves
		return fmt.Errorf("correlate: %w", last)
	case i < len(rows):
		return fmt.Errorf("correlate: %d results for %d networks", i, len(rows))
	}
	// What failed together is tried pass by pass.
	for _, row := range again {
		for _, part := range r.split(list) {
			if err := r.evaluate(ctx, []int{row}, part, apart); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) requests(rows []int) []zico.Request {
	s := r.scores
	reqs := make([]zico.Request, len(rows))
	for i, row := range rows {
		reqs[i] = zico.Request{Space: s.Space, Arch: string(s.Archs[row]), Input: spaces.Input{Size: s.Size, Classes: s.Classes}, Seed: s.Seed}
	}
	return reqs
}

func (r *run) pick(list []int) []*proxy.Proxy {
	out := make([]*proxy.Proxy, len(list))
	for i, p := range list {
		out[i] = r.proxies[p]
	}
	return out
}

// split groups proxies by pass.
func (r *run) split(list []int) (parts [][]int) {
	for _, p := range list {
		i := slices.IndexFunc(parts, func(part []int) bool { return r.proxies[part[0]].Pass == r.proxies[p].Pass })
		if i < 0 {
			i = len(parts)
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], p)
	}
	return parts
}

func (r *run) passes(list []int) int { return len(r.split(list)) }

// keep stores the values of a network.
func (r *run) keep(row int, list []int, res *proxy.Result, took time.Duration) error {
	if len(res.Values) != len(list) {
		return fmt.Errorf("correlate: %s: %d values of %d proxies", r.scores.Archs[row], len(res.Values), len(list))
	}
	e := r.entry(row)
	e.Values, e.Seconds = map[string]Value{}, took.Round(time.Millisecond).Seconds()
	for i, p := range list {
		e.Values[r.proxies[p].Name] = Value(res.Values[i])
	}
	if r.store != nil {
		if err := r.store.Append(e); err != nil {
			return err
		}
	}
	for i, p := range list {
		r.set(p, row, res.Values[i])
	}
	if e.Kernels != "" {
		r.kernels[e.Kernels] = true
	}
	return nil
}

// refuse stores the failure of a network.
func (r *run) refuse(row int, list []int, failure error) error {
	e := r.entry(row)
	e.Error = failure.Error()
	for _, p := range list {
		e.Failed = append(e.Failed, r.proxies[p].Name)
	}
	if r.store != nil {
		if err := r.store.Append(e); err != nil {
			return err
		}
	}
	r.fail(row, list, failure)
	if len(r.bad) >= giveUp && r.known() == 0 {
		return fmt.Errorf("correlate: each of the first %d networks failed, the last with: %w", len(r.bad), failure)
	}
	return nil
}

func (r *run) entry(row int) Entry {
	e := Entry{Key: r.scores.Key, Arch: r.scores.Archs[row]}
	if r.c.Scorer != nil {
		e.Kernels = r.c.Scorer.Config().Kernels
	}
	return e
}

// known is the number of scores of proxies that run networks.
func (r *run) known() int {
	n := 0
	for i, p := range r.proxies {
		if p.Static {
			continue
		}
		for _, k := range r.scores.Known[i] {
			if k {
				n++
			}
		}
	}
	return n
}
