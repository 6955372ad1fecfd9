package gonbext

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

// exploreBatch is the default batch of Explore: a tenth of a second for a cell of NATS-TSS.
const exploreBatch = 16

// Exploration says where Explore begins and what it compares with. The zero value of each field means the default in its comment.
type Exploration struct {
	Arch      string // where to begin, in any form that the space parses; default what the space's search begins with, else one drawn with Options.Seed
	Table     string // accuracies: a file or folder of a benchmark, see tables.Open, or "none"; default "embedded", the validation accuracies of NAS-Bench-201
	Column    string // of the table, as in "cifar10/test"; default the first test accuracy, else the first column
	Neighbors int    // neighbours that the static result scores; default 24 (6 with ZEROSHOT_QUICK=1), negative for none
}

// Visit is an architecture that was looked at.
type Visit struct {
	Space    string // its name with options
	Arch     spaces.Arch
	Result   *zico.Result // nil where it could not be scored
	Err      error        // why not
	Accuracy float64      // in the table's column, NaN where there is none
	Rank, Of int          // its place among all architectures of the column, from 1; 0 where there is none

	found bool // Result is the session's
}

// Explore shows an architecture with a control for each of its decisions, and with its drawing, counts, ZiCo score, score layer by layer and, where a table has it, accuracy and rank. A change of a control shows what the change does: scoring begins anew with each, so that of changes faster than scoring only the last is scored. A box chooses the space, a field takes an architecture as text, buttons draw one or mutate the present one. Where something cannot be built or scored the page says why, and goes on.
//
// The button Stop, an interrupt of the cell and a browser that is closed end it. The notebook keeps the last state, as pictures and tables, and the architectures that were scored are returned in their order, so that the rest of the cell can use them.
//
// Without a browser, as in nbconvert, or with the environment variable ZEROSHOT_STATIC=1, it does not wait for anybody: it shows the first architecture and the scores of its neighbours. Controls need a Jupyter server that pages reach by http.
//
// With Options.Session the scores are kept as those of Score are: what was scored before on the same images, here, by Score, Compare or Seeds, or meanwhile by another cell, appears at once. Result is then that of the first time, with its times.
//
// While the cell runs, its pictures are in the theme of the JupyterLab that shows them, unless SetTheme or ZEROSHOT_THEME has chosen one; what the notebook keeps is in the theme of SetTheme, as of other functions.
//
// The default of Options.Batch is 16 here, for quick answers; 128 is what Score has, and a session tells them apart. The controls are those of spaces.Editor.
func Explore(e Exploration, o Options) ([]Visit, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if o.Batch == 0 && os.Getenv("ZEROSHOT_QUICK") != "1" {
		o.Batch = exploreBatch
	}
	o = o.withDefaults()
	x, err := newExplorer(ctx, e, o)
	if err != nil {
		return nil, report(err, o)
	}
	defer x.kept.close()
	if !o.Quiet {
		if l, ok := connect(ctx, x.page()); ok {
			err := x.live(ctx, l)
			l.close()
			x.show()
			return x.visits, report(err, o)
		}
	}
	err = x.static(ctx, e.Neighbors)
	return x.visits, report(err, o)
}

// explorer is the state of an exploration.
type explorer struct {
	o      Options
	scorer *zico.Scorer
	data   []images.Batch
	kept   *kept
	truth  *truth // nil without a table
	rng    *rand.Rand

	space spaces.Editor
	arch  spaces.Arch
	knobs []spaces.Knob
	left  map[string]spaces.Arch // the last architecture of each space

	visits  []Visit
	message string // what went wrong with the last change
}

func newExplorer(ctx context.Context, e Exploration, o Options) (*explorer, error) {
	x := &explorer{o: o, rng: rand.New(rand.NewPCG(o.Seed, 1)), left: map[string]spaces.Arch{}}
	var err error
	if x.truth, err = readTruth(ctx, e, o); err != nil {
		return nil, err
	}
	if err := x.open(o.Space); err != nil {
		return nil, err
	}
	if e.Arch != "" {
		a, err := x.space.Parse(e.Arch)
		if err != nil {
			return nil, err
		}
		if err := x.move(a); err != nil {
			return nil, err
		}
	}
	data, be, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	x.data = data.Batches
	if x.scorer, err = scorer(be, o); err != nil {
		return nil, err
	}
	x.kept, err = o.kept(data)
	return x, err
}

// open goes to a space, and there to the architecture that it was left with.
func (x *explorer) open(name string) error {
	s, err := spaces.Open(name)
	if err != nil {
		return err
	}
	editor, ok := s.(spaces.Editor)
	if !ok {
		return fmt.Errorf("space %s has no controls: it does not implement spaces.Editor", s.Name())
	}
	a, known := x.left[s.Name()]
	if !known {
		if evolver, ok := s.(spaces.Evolver); ok {
			a = evolver.Initial()
		} else {
			a = s.Sample(x.rng)
		}
	}
	old := x.space
	x.space = editor
	if err := x.move(a); err != nil {
		x.space = old
		return err
	}
	return nil
}

// move goes to a canonical architecture of the space.
func (x *explorer) move(a spaces.Arch) error {
	knobs, err := x.space.Knobs(a)
	if err != nil {
		return err
	}
	x.arch, x.knobs = a, knobs
	x.left[x.space.Name()] = a
	return nil
}

// input is what networks are built for.
func (x *explorer) input() spaces.Input {
	return spaces.Input{Size: x.data[0].H, Classes: x.data[0].Classes}
}

// request asks for the score of an architecture.
func (x *explorer) request(s spaces.Space, a spaces.Arch) zico.Request {
	return zico.Request{Space: s.Name(), Arch: string(a), Seed: x.o.Seed}
}

// score scores an architecture of the space, or finds its score in the session. An error says that the session cannot be read or written; the visit is whole then too.
func (x *explorer) score(ctx context.Context, s spaces.Space, a spaces.Arch) (Visit, error) {
	v := Visit{Space: s.Name(), Arch: a, Accuracy: math.NaN()}
	if x.truth != nil {
		v.Accuracy, v.Rank, v.Of = x.truth.of(s, a)
	}
	r := x.request(s, a)
	err := x.kept.read()
	if v.Result = x.kept.find(r); v.Result != nil {
		v.found = true
		return v, err
	}
	var n *net.Network
	if n, v.Err = s.Network(a, x.input()); v.Err != nil {
		return v, err
	}
	if v.Result, v.Err = x.scorer.Score(ctx, n, x.o.Seed, x.data); v.Err != nil {
		return v, err
	}
	return v, errors.Join(err, x.kept.put(r, v.Result))
}

// at is the visit of the present architecture, nil before it was scored.
func (x *explorer) at() *Visit {
	for i := len(x.visits) - 1; i >= 0; i-- {
		if v := &x.visits[i]; v.Arch == x.arch && v.Space == x.space.Name() {
			return v
		}
	}
	return nil
}

// before is the last visit with a score, of the same space, that is not of the present architecture.
func (x *explorer) before() *Visit {
	for i := len(x.visits) - 1; i >= 0; i-- {
		if v := &x.visits[i]; v.Space == x.space.Name() && v.Arch != x.arch && v.Result != nil {
			return v
		}
	}
	return nil
}

// truth has the accuracies of a space.
type truth struct {
	table  *tables.Table
	space  spaces.Space
	column tables.Column
	sorted []float64 // the best first
}

// readTruth opens the table, nil for none.
func readTruth(ctx context.Context, e Exploration, o Options) (*truth, error) {
	t := &truth{}
	var err error
	switch e.Table {
	case "none":
		return nil, nil
	case "", tables.EmbeddedName:
		t.table, err = tables.Embedded()
	default:
		t.table, err = tables.Open(ctx, e.Table, tables.Options{Space: o.Space})
	}
	if err != nil {
		return nil, err
	}
	if t.space, err = spaces.Open(t.table.Space()); err != nil {
		return nil, err
	}
	if e.Column == "" {
		columns := t.table.Columns()
		i := max(0, slices.IndexFunc(columns, func(c tables.Column) bool { return c.Metric == "test" }))
		e.Column = columns[i].Name
	}
	if t.column, err = t.table.Column(e.Column); err != nil {
		return nil, err
	}
	for _, v := range t.table.All(e.Column) {
		t.sorted = append(t.sorted, v)
	}
	slices.SortFunc(t.sorted, t.compare)
	return t, nil
}

// compare orders accuracies, the best first.
func (t *truth) compare(a, b float64) int {
	if t.column.Lower {
		return cmp.Compare(a, b)
	}
	return cmp.Compare(b, a)
}

// has tells whether the table is of a space; how wide and deep its networks are does not matter.
func (t *truth) has(s spaces.Space) bool {
	if t == nil {
		return false
	}
	mine, _, _ := strings.Cut(t.space.Name(), ":")
	theirs, _, _ := strings.Cut(s.Name(), ":")
	return mine == theirs && t.space.Size() == s.Size()
}

// of looks an architecture up. Equal accuracies share the better rank.
func (t *truth) of(s spaces.Space, a spaces.Arch) (accuracy float64, rank, of int) {
	if !t.has(s) {
		return math.NaN(), 0, 0
	}
	v, ok := t.table.Value(a, t.column.Name)
	if !ok {
		return math.NaN(), 0, 0
	}
	i, _ := slices.BinarySearchFunc(t.sorted, v, t.compare)
	return v, i + 1, len(t.sorted)
}

// outcome is a score with the change that it answers.
type outcome struct {
	change int
	visit  Visit
	err    error // of the session
}

// live follows the page until it ends. Its error is the first of the session.
func (x *explorer) live(ctx context.Context, l *link) (err error) {
	scored := make(chan outcome, 1)
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	var (
		change  = 1 // counts what was asked for
		running int // the change that is being scored, 0 for none
		cancel  = func() {}
		view    = &pageState{rev: 1, layout: layout(x.knobs), space: x.space.Name()}
		heard   = time.Now()
	)
	start := func() {
		var c context.Context
		c, cancel = context.WithCancel(ctx)
		running = change
		go func(change int, s spaces.Space, a spaces.Arch) {
			v, err := x.score(c, s, a)
			scored <- outcome{change, v, err}
		}(change, x.space, x.arch)
	}
	defer func() {
		cancel()
		if running != 0 {
			r := <-scored // the scorer must be free for what the cell does next
			err = cmp.Or(err, r.err)
		}
	}()
	if _, stop := x.take(view, l.first); stop {
		return nil
	}
	start()
	l.send(x.update(view, true))
	for {
		select {
		case <-ctx.Done():
			return err
		case <-ping.C:
			if time.Since(heard) > silence {
				return err
			}
			l.send(update{Ack: view.ack, Ping: 1})
			continue
		case r := <-scored:
			cancel()
			running = 0
			err = cmp.Or(err, r.err)
			if ctx.Err() != nil {
				return err
			}
			if r.change != change {
				start()
				continue
			}
			x.visits = append(x.visits, r.visit)
		case e := <-l.events:
			heard = time.Now()
			moved, stop := x.take(view, e)
			// What has come meanwhile is answered together.
			for more := true; more && !stop; {
				select {
				case e := <-l.events:
					var m bool
					m, stop = x.take(view, e)
					moved = moved || m
				default:
					more = false
				}
			}
			if stop {
				return err
			}
			if !moved && x.message == view.message && e.Do == "pong" {
				continue
			}
			if moved {
				change++
				cancel()
				if running == 0 {
					start()
				}
			}
		}
		l.send(x.update(view, running != 0))
	}
}

// take carries out what the page says. moved tells whether there is another architecture.
func (x *explorer) take(view *pageState, e event) (moved, stop bool) {
	// Messages may overtake each other: what is older than the last of its kind is not wanted any more.
	kind := e.Do
	if kind == "knob" {
		kind = fmt.Sprint(e.Do, e.Knob)
	}
	if view.last == nil {
		view.last = map[string]int{}
	}
	if e.Seq <= view.last[kind] {
		return false, false
	}
	view.last[kind] = e.Seq
	view.ack = max(view.ack, e.Seq)
	space, old := x.space.Name(), x.arch
	var a spaces.Arch
	var err error
	switch e.Do {
	case "stop":
		return false, true
	case "knob":
		if e.Rev != view.rev {
			return false, false // of controls that are gone
		}
		a, err = x.space.Set(x.arch, e.Knob, e.Value)
	case "arch":
		a, err = x.space.Parse(e.Text)
	case "random":
		a = x.space.Sample(x.rng)
	case "mutate":
		a = x.space.Mutate(x.rng, x.arch)
	case "space":
		err = x.open(e.Text)
		a = x.arch
	case "hello":
		view.fresh, view.theme = true, e.Text
		return false, false
	default:
		return false, false
	}
	if err == nil {
		err = x.move(a)
	}
	x.message = ""
	if err != nil {
		x.message = err.Error()
		var p *spaces.ParseError
		if errors.As(err, &p) && e.Do == "knob" {
			x.message = p.Want
		}
	}
	return x.space.Name() != space || x.arch != old, false
}

// neighbor is an architecture one turn of a knob away.
type neighbor struct {
	arch spaces.Arch
	turn string // in words
}

// neighbors are what single turns of the knobs lead to; of numbers with many values, those from half to twice the present one.
func (x *explorer) neighbors() []neighbor {
	var list []neighbor
	seen := map[spaces.Arch]bool{x.arch: true}
	for i, k := range x.knobs {
		values := make([]int, len(k.Choices))
		for v := range values {
			values[v] = v
		}
		for v := k.Min; k.Number() && v <= k.Max; v += k.Step {
			if many := (k.Max-k.Min)/k.Step > 16; !many || k.Value <= 2*v && v <= 2*k.Value {
				values = append(values, v)
			}
		}
		for _, v := range values {
			a, err := x.space.Set(x.arch, i, v)
			if err != nil || seen[a] {
				continue
			}
			seen[a] = true
			now := k
			now.Value = v
			list = append(list, neighbor{a, fmt.Sprintf("%s: %s → %s", strings.TrimPrefix(k.Group+", "+k.Name, ", "), k.Word(), now.Word())})
		}
	}
	return list
}

// static shows the first architecture and how its neighbours score.
func (x *explorer) static(ctx context.Context, most int) error {
	first, err := x.score(ctx, x.space, x.arch)
	x.visits = append(x.visits, first)
	if ctx.Err() != nil {
		x.visits = nil
		return fmt.Errorf("interrupted before %s was scored: %w", x.arch, ctx.Err())
	}
	if !x.o.Quiet {
		x.show()
	}
	if first.Err != nil {
		return errors.Join(fmt.Errorf("%s: %w", x.arch, first.Err), err)
	}
	if most == 0 {
		most = 24
		if os.Getenv("ZEROSHOT_QUICK") == "1" {
			most = 6
		}
	}
	if most < 0 {
		return err
	}
	all := x.neighbors()
	list := slices.Clone(all)
	x.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	list = list[:min(most, len(list))]
	p := newProgress("scoring neighbours", len(list), x.o.Quiet)
	known := map[spaces.Arch]bool{}
	for _, n := range list {
		if x.kept.find(x.request(x.space, n.arch)) != nil {
			known[n.arch] = true
		}
	}
	p.from(x.o.Session, len(known))
	var turns []string
	failed := []error{err} // nil does not count
	for _, n := range list {
		v, err := x.score(ctx, x.space, n.arch)
		if ctx.Err() != nil {
			break
		}
		if !known[n.arch] {
			p.step()
		}
		failed = append(failed, err)
		if v.Err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", n.arch, v.Err))
			continue
		}
		x.visits = append(x.visits, v)
		turns = append(turns, n.turn)
	}
	p.end()
	if !x.o.Quiet {
		x.showNeighbors(turns, len(all))
	}
	if ctx.Err() != nil {
		failed = append(failed, fmt.Errorf("interrupted: %d of %d neighbours scored: %w", len(turns), len(list), ctx.Err()))
	}
	return errors.Join(failed...)
}

// counts are parameters, multiply-adds and layers of the present architecture.
func (x *explorer) counts() (c net.Counts, layers int, err error) {
	n, err := x.space.Network(x.arch, x.input())
	if err != nil {
		return c, 0, err
	}
	return net.Count(n), n.Layers, nil
}
