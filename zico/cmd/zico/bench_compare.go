package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

// errVoid marks a comparison whose sides do not compute the same scores: its times say nothing.
var errVoid = errors.New("the comparison is void")

// The sides of a comparison.
const (
	ours   = "zico"
	theirs = "peer"
)

// lossTolerance is the relative difference that float64 losses may have: nothing in the forward pass amplifies rounding beyond it, unlike in the gradients.
const lossTolerance = 1e-9

// checkRow is one float64 score before the timing.
type checkRow struct {
	Kind      string     `json:"kind"` // "check"
	ID        string     `json:"id"`
	By        string     `json:"by"` // zico or peer
	Batch     int        `json:"batch"`
	Score     *float64   `json:"score"` // null: not finite
	Losses    []*float64 `json:"losses"`
	Reference *float64   `json:"reference_score,omitempty"` // the reference's, where known
	Tolerance float64    `json:"tolerance,omitempty"`       // absolute, of the reference's score
	Other     *float64   `json:"zico_score,omitempty"`      // of the peer's rows: this program's score
	Problem   string     `json:"problem,omitempty"`
}

// String is the row as text.
func (c checkRow) String() string {
	show := func(v *float64) string {
		if v == nil {
			return "not finite"
		}
		return fmt.Sprintf("%.10f", *v)
	}
	s := fmt.Sprintf("check  %-4s %20s", c.By, show(c.Score))
	if c.Reference != nil {
		s += fmt.Sprintf("  reference %20s", show(c.Reference))
	} else if c.Other != nil {
		s += fmt.Sprintf("  zico      %20s", show(c.Other))
	} else {
		s += fmt.Sprintf("  %30s", "")
	}
	s += fmt.Sprintf("  batch %-3d %s\n", c.Batch, c.ID)
	if c.Problem != "" {
		s += "       WRONG: " + c.Problem + "\n"
	}
	return s
}

// judge fills in what is wrong with a score. other is this program's own row of the same check, nil where this is it.
func (c *checkRow) judge(check *benchCheck, other *checkRow, relative float64) {
	c.Reference = check.Score
	if c.Score == nil {
		c.Problem = "the score is not finite"
		return
	}
	if c.Reference != nil {
		c.Tolerance = check.Tolerance
		if d := math.Abs(*c.Score - *c.Reference); !(d <= c.Tolerance) {
			c.Problem = fmt.Sprintf("the score is %.10f, the reference's %.10f: off by %.3g, %.3g are allowed", *c.Score, *c.Reference, d, c.Tolerance)
			return
		}
	}
	if other == nil || other.Score == nil {
		return
	}
	c.Other = other.Score
	// Where the reference's tolerance is wider, the network amplifies rounding: two implementations agree no better than each with the reference.
	allowed := max(relative*math.Abs(*other.Score), c.Tolerance)
	if d := math.Abs(*c.Score - *other.Score); !(d <= allowed) {
		c.Problem = fmt.Sprintf("the score is %.10f, this program's %.10f: off by %.3g, %.3g are allowed", *c.Score, *other.Score, d, allowed)
		return
	}
	for b, l := range other.Losses {
		switch got := c.Losses[b]; {
		case got == nil || l == nil:
			c.Problem = fmt.Sprintf("the loss of batch %d is not finite", b)
		case !(math.Abs(*got-*l) <= lossTolerance*math.Abs(*l)):
			c.Problem = fmt.Sprintf("the loss of batch %d is %.12f, this program's %.12f", b, *got, *l)
		}
	}
}

// checkOurs scores the set's checks in float64 with this program and compares them with the reference.
func checkOurs(ctx context.Context, be *backend.Backend, kernels string, b *benchSet, r *report) error {
	checks, err := b.floatChecks()
	if err != nil {
		return err
	}
	s, err := zico.New(be, zico.Config{DType: "float64", Kernels: kernels})
	if err != nil {
		return err
	}
	defer s.Close()
	wrong := 0
	for i := range checks {
		c := &checks[i]
		data, err := formulaBatches(ctx, c.Classes, c.Batch, c.Size, c.Seed)
		if err != nil {
			return err
		}
		res, err := s.Score(ctx, c.net, c.Seed, data)
		if err != nil {
			return err
		}
		row := checkRow{Kind: "check", ID: c.ID, By: ours, Batch: c.Batch, Score: finite(res.Score)}
		for _, l := range res.Losses {
			row.Losses = append(row.Losses, finite(l))
		}
		row.judge(c, nil, b.CheckTolerance)
		if row.Problem != "" {
			wrong++
		}
		if err := r.add(row); err != nil {
			return err
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d float64 scores of this program are not the reference's", wrong, len(checks))
	}
	return nil
}

// childChecks runs checkOurs in another process, whose kernels and memory must not count in this one's, and returns its rows by their ID.
func childChecks(ctx context.Context, o *benchOptions, r *report) (map[string]*checkRow, error) {
	rows := map[string]*checkRow{}
	err := inChild(ctx, append(o.childFlags(), "-check"), func(line []byte) error {
		var row checkRow
		if err := json.Unmarshal(line, &row); err != nil {
			return fmt.Errorf("zico bench -check printed %.200q: %w", line, err)
		}
		rows[row.ID] = &row
		return r.add(row)
	})
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", errVoid, err)
	}
	return rows, err
}

// checkPeer compares the peer's float64 scores with the reference's and with this program's. The peer that it asks is not the one that is timed, so that its memory does not count.
func checkPeer(ctx context.Context, p *peer, b *benchSet, rows map[string]*checkRow, r *report) error {
	checks, err := b.floatChecks()
	if err != nil {
		return err
	}
	var wrong []string
	for i := range checks {
		c := &checks[i]
		got, err := p.score(ctx, c.net, c.Seed, c.Batch, "float64")
		if err != nil {
			return err
		}
		other, ok := rows[c.ID]
		if !ok {
			return fmt.Errorf("%w: this program has no float64 score of %s", errVoid, c.ID)
		}
		row := checkRow{Kind: "check", ID: c.ID, By: theirs, Batch: c.Batch, Score: got.Score, Losses: got.Losses}
		row.judge(c, other, b.CheckTolerance)
		if row.Problem != "" {
			wrong = append(wrong, c.ID+": "+row.Problem)
		}
		if err := r.add(row); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%w: the peer's float64 scores of %d of %d networks are wrong; the first: %s", errVoid, len(wrong), len(checks), wrong[0])
	}
	return nil
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// pairRow is one group of networks scored by both sides, one right after the other.
type pairRow struct {
	Kind      string  `json:"kind"`     // "pair"
	Round     int     `json:"round"`    // 0 is the warm-up, which compiles and counts for nothing
	First     string  `json:"first"`    // which side went first: zico or peer
	Networks  []int   `json:"networks"` // their places in the set; one, unless several are in flight
	Zico      float64 `json:"zico_s"`   // this program's wall time, from a described network to its score
	Peer      float64 `json:"peer_s"`   // the peer's wall time, forward and backward passes and statistic
	Ratio     float64 `json:"ratio"`    // peer_s / zico_s
	Compile   float64 `json:"compile_s"`
	PeerSetup float64 `json:"peer_setup_s"` // making networks, weights and images; not in peer_s
	Others    float64 `json:"others"`       // share of the processors that other processes took
}

// String is the row as text.
func (p pairRow) String() string {
	names := strings.Trim(fmt.Sprint(p.Networks), "[]")
	return fmt.Sprintf("round %d  zico %8.3f s  peer %8.3f s  ratio %6.3f  (%s first)  network %s%s\n", p.Round, p.Zico, p.Peer, p.Ratio, p.First, names, disturbance(p.Others))
}

// ratioRow is the outcome of a comparison. Times of a group are medians over its rounds.
type ratioRow struct {
	Kind        string    `json:"kind"`      // "ratio"
	Disturbed   int       `json:"disturbed"` // pairs that others disturbed; left out of groups that have more
	Untrusted   int       `json:"untrusted"` // groups that have no other pairs
	Networks    int       `json:"networks"`
	Rounds      int       `json:"rounds"`
	InFlight    int       `json:"inflight"`
	Zico        float64   `json:"zico_s"`                      // sum over the groups
	Peer        float64   `json:"peer_s"`                      // sum over the groups
	Sum         float64   `json:"sum_ratio"`                   // peer_s / zico_s
	RoundRatios []float64 `json:"round_ratios"`                // the same of each round by itself
	RoundMin    float64   `json:"round_min"`                   // spread over rounds
	RoundMax    float64   `json:"round_max"`                   //
	Median      float64   `json:"median_ratio"`                // over the groups
	Min         float64   `json:"min_ratio"`                   //
	Max         float64   `json:"max_ratio"`                   //
	Memory      int64     `json:"zico_peak_bytes"`             // largest resident size (VmHWM); 0: unknown
	PeerMemory  int64     `json:"peer_peak_bytes"`             //
	PeerDevice  int64     `json:"peer_device_bytes,omitempty"` // largest reserved memory of the peer's GPU
	Python      string    `json:"python"`
	Torch       string    `json:"torch"`
	NumPy       string    `json:"numpy"`
	PeerOn      string    `json:"peer_device"`
	Threads     int       `json:"threads"` // of both sides
}

// String is the row as text.
func (r ratioRow) String() string {
	s := ""
	if r.Disturbed > 0 {
		s += fmt.Sprintf("other processes disturbed %d measurements, which are left out where there are more of the same network", r.Disturbed)
		if r.Untrusted > 0 {
			s += fmt.Sprintf("; %d have none: DO NOT TRUST the ratio, measure again on a quiet machine", r.Untrusted)
		}
		s += "\n"
	}
	s += fmt.Sprintf("peer / zico: %.3f over all (%.3f s / %.3f s, medians of %d rounds; %.3f to %.3f from round to round)\n", r.Sum, r.Peer, r.Zico, r.Rounds, r.RoundMin, r.RoundMax)
	s += fmt.Sprintf("by network: median %.3f, %.3f to %.3f\n", r.Median, r.Min, r.Max)
	s += fmt.Sprintf("peak memory: zico %s, peer %s\n", gb(r.Memory), gb(r.PeerMemory))
	return s + fmt.Sprintf("%d threads each; peer: PyTorch %s, NumPy %s, Python %s on %s, one network at a time; zico: %d in flight\n", r.Threads, r.Torch, r.NumPy, r.Python, r.PeerOn, r.InFlight)
}

// ratios sums pairs up. The warm-up is left out, and so are pairs that other processes disturbed, unless a group has no others: that choice looks at the machine, not at the times.
func ratios(pairs []pairRow) ratioRow {
	row := ratioRow{Kind: "ratio"}
	quiet := map[string]bool{} // of each group: it has an undisturbed pair
	var names []string
	for _, p := range pairs {
		if p.Round == 0 {
			continue
		}
		name := fmt.Sprint(p.Networks)
		if _, seen := quiet[name]; !seen {
			names = append(names, name)
			row.Networks += len(p.Networks)
		}
		quiet[name] = quiet[name] || p.Others < disturbed
		if p.Others >= disturbed {
			row.Disturbed++
		}
		row.Rounds = max(row.Rounds, p.Round)
	}
	type times struct{ zico, peer []float64 }
	groups, rounds := map[string]*times{}, make([]times, row.Rounds+1)
	for _, n := range names {
		groups[n] = &times{}
		if !quiet[n] {
			row.Untrusted++
		}
	}
	for _, p := range pairs {
		name := fmt.Sprint(p.Networks)
		if p.Round == 0 || p.Others >= disturbed && quiet[name] {
			continue
		}
		for _, t := range []*times{groups[name], &rounds[p.Round]} {
			t.zico = append(t.zico, p.Zico)
			t.peer = append(t.peer, p.Peer)
		}
	}
	var each []float64
	for _, n := range names {
		z, p := median(groups[n].zico), median(groups[n].peer)
		row.Zico += z
		row.Peer += p
		each = append(each, p/z)
	}
	row.Sum = row.Peer / row.Zico
	for _, t := range rounds {
		if len(t.zico) > 0 {
			row.RoundRatios = append(row.RoundRatios, sum(t.peer)/sum(t.zico))
		}
	}
	_, row.RoundMin, row.RoundMax = spread(row.RoundRatios)
	row.Median, row.Min, row.Max = spread(each)
	return row
}

// compare times this program against the peer, group by group in turn. work is what the kernels did in the measured rounds.
func compare(ctx context.Context, s *zico.Scorer, p *peer, b *benchSet, o *benchOptions, r *report) (row ratioRow, work map[string]zico.KernelProfile, err error) {
	k := o.inFlight[0]
	list := scored(len(b.Networks), k)
	size := 1
	if k > 1 {
		size = 4 * k // a group ends when its last network does: with few networks, processors would wait for it
	}
	groups := slices.Collect(slices.Chunk(list, size))
	same := newSameBits(b)
	var pairs []pairRow
	var before map[string]zico.KernelProfile
	for round := range o.rounds + 1 {
		if round == 1 {
			before = profiles(s)
		}
		for _, i := range o.order(len(groups), round) {
			group := groups[i]
			data := make([][]images.Batch, len(group))
			pair := pairRow{Kind: "pair", Round: round, First: ours}
			for j, n := range group {
				if data[j], err = b.batches(ctx, n); err != nil {
					return row, nil, err
				}
				pair.Networks = append(pair.Networks, o.first+n)
			}
			runtime.GC() // in neither side's time
			sides := []func() error{
				func() error { return compareOurs(ctx, s, b, k, group, data, same, &pair) },
				func() error { return comparePeers(ctx, p, b, group, o.dtype, &pair) },
			}
			// Whichever side goes second finds the machine as the other has left it: the order changes from group to group and, for each group, from round to round.
			if (i+round)%2 == 1 {
				pair.First = theirs
				slices.Reverse(sides)
			}
			load := busyNow(p.cmd.Process.Pid)
			for _, side := range sides {
				if err := side(); err != nil {
					return row, nil, err
				}
			}
			pair.Others = load.others(busyNow(p.cmd.Process.Pid))
			pair.Ratio = pair.Peer / pair.Zico
			pairs = append(pairs, pair)
			if err := r.add(pair); err != nil {
				return row, nil, err
			}
		}
	}
	row = ratios(pairs)
	row.InFlight, row.Threads = k, o.threads
	row.Memory, row.PeerMemory, row.PeerDevice = peakBytes(), p.memory, p.gpu
	row.Python, row.Torch, row.NumPy, row.PeerOn = p.said.Python, p.said.Torch, p.said.NumPy, p.said.Device
	work = map[string]zico.KernelProfile{}
	addWork(work, before, profiles(s))
	return row, work, nil
}

func compareOurs(ctx context.Context, s *zico.Scorer, b *benchSet, k int, group []int, data [][]images.Batch, same *sameBits, row *pairRow) error {
	jobs := make([]func() (*zico.Result, error), len(group))
	for j, n := range group {
		jobs[j] = func() (*zico.Result, error) { return s.Score(ctx, b.Networks[n].net, b.Networks[n].Seed, data[j]) }
	}
	start := time.Now()
	results, err := inParallel(k, jobs)
	row.Zico = time.Since(start).Seconds()
	if err != nil {
		return err
	}
	for j, res := range results {
		row.Compile += res.Compile.Seconds()
		if err := same.check(group[j], res.Score); err != nil {
			return err
		}
		if w := b.wrong(group[j], ours, res.Score); w != "" {
			return fmt.Errorf("%w: %s", errVoid, w)
		}
	}
	return nil
}

func comparePeers(ctx context.Context, p *peer, b *benchSet, group []int, dtype string, row *pairRow) error {
	for _, n := range group {
		got, err := p.score(ctx, b.Networks[n].net, b.Networks[n].Seed, b.Batch, dtype)
		if err != nil {
			return err
		}
		score := math.NaN()
		if got.Score != nil {
			score = *got.Score
		}
		if w := b.wrong(n, theirs, score); w != "" {
			return fmt.Errorf("%w: %s", errVoid, w)
		}
		row.Peer += got.Run
		row.PeerSetup += got.Setup
	}
	return nil
}

// sameBits checks that a network's score is the same to the last bit whenever it is scored.
type sameBits struct {
	set    *benchSet
	scores map[int]float64
}

func newSameBits(b *benchSet) *sameBits { return &sameBits{b, map[int]float64{}} }

func (s *sameBits) check(i int, score float64) error {
	if was, ok := s.scores[i]; ok && math.Float64bits(was) != math.Float64bits(score) {
		return fmt.Errorf("%s scored %v and before %v: the same network must give the same bits", s.set.Networks[i].Arch, score, was)
	}
	s.scores[i] = score
	return nil
}
