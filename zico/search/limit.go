package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// Limit is a bound on a quantity of architectures: one with more than Max is rejected before it is evaluated. The quantity is kept as one of Candidate.Costs, and can be an objective; with Max +Inf it is measured only.
type Limit struct {
	// Name is that of the quantity, and the reason of rejections: lower case, without spaces.
	Name string
	// Max is the largest value that is accepted.
	Max float64
	// Unit is for tables and axes; empty for plain numbers.
	Unit string
	// About says what is counted, for the log.
	About string
	// Measure computes the quantity of a canonical architecture. Its error fails the candidate. Run calls it from one goroutine; NaN is rejected.
	Measure func(ctx context.Context, a spaces.Arch) (float64, error)
}

// counters makes the limits that package spaces and net can count. One count serves all of them.
type counters struct {
	space spaces.Space
	in    spaces.Input

	mu     sync.Mutex
	arch   spaces.Arch
	counts spaces.BudgetCounts
}

func (c *counters) of(a spaces.Arch) (spaces.BudgetCounts, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a == c.arch {
		return c.counts, nil
	}
	counts, err := count(c.space, a, c.in)
	if err == nil {
		c.arch, c.counts = a, counts
	}
	return counts, err
}

// count counts as the space's own search does, and else as package net: multiply-adds and parameters. Layers are then not counted, as they need the network.
func count(s spaces.Space, a spaces.Arch, in spaces.Input) (spaces.BudgetCounts, error) {
	if b, ok := s.(spaces.Budgeter); ok {
		return b.Budget(a, in)
	}
	c, err := spaces.Count(s, a, in)
	return spaces.BudgetCounts{FLOPs: float64(c.MACs), Params: c.Params}, err
}

// Quantity is the limit of a name: flops, params, layers or memory, of networks for the given input (zero fields: the space's own).
//
// Where the space has counters of its own (spaces.Budgeter: masternet has the reference's, with residual links), flops, params and layers are theirs. Otherwise flops are the multiply-adds of convolutions and linear layers, and layers their number. memory is net.PeakMemory.
func Quantity(name string, limit float64, s spaces.Space, in spaces.Input) (Limit, error) {
	return (&counters{space: s, in: filled(in, s)}).limit(name, limit)
}

func filled(in spaces.Input, s spaces.Space) spaces.Input {
	if in.Size == 0 {
		in.Size = s.Input().Size
	}
	if in.Classes == 0 {
		in.Classes = s.Input().Classes
	}
	return in
}

func (c *counters) limit(name string, most float64) (Limit, error) {
	l := Limit{Name: name, Max: most, About: fmt.Sprintf("%s at %d pixels, %d classes", c.space.Name(), c.in.Size, c.in.Classes)}
	budget := func(pick func(*spaces.BudgetCounts) float64) func(context.Context, spaces.Arch) (float64, error) {
		return func(_ context.Context, a spaces.Arch) (float64, error) {
			counts, err := c.of(a)
			return pick(&counts), err
		}
	}
	network := func(pick func(*net.Network) float64) func(context.Context, spaces.Arch) (float64, error) {
		return func(_ context.Context, a spaces.Arch) (float64, error) {
			n, err := c.space.Network(a, c.in)
			if err != nil {
				return 0, err
			}
			return pick(n), nil
		}
	}
	_, own := c.space.(spaces.Budgeter)
	switch {
	case name == "flops":
		l.Unit, l.Measure = "multiply-adds", budget(func(b *spaces.BudgetCounts) float64 { return b.FLOPs })
	case name == "params":
		l.Measure = budget(func(b *spaces.BudgetCounts) float64 { return float64(b.Params) })
	case name == "layers" && own:
		l.Measure = budget(func(b *spaces.BudgetCounts) float64 { return float64(b.Layers) })
	case name == "layers":
		l.Measure = network(func(n *net.Network) float64 {
			layers := 0
			for i := range n.Nodes {
				if n.Nodes[i].Op.HasWeights() {
					layers++
				}
			}
			return float64(layers)
		})
	case name == "memory":
		l.Unit, l.Measure = "bytes", network(func(n *net.Network) float64 { return float64(net.PeakMemory(n)) })
	default:
		return Limit{}, fmt.Errorf("search: unknown quantity %q; there are flops, params, layers, memory", name)
	}
	return l, nil
}

// ParseBudget reads limits as in "flops=450e6,layers=14": the names of Quantity, and latency in milliseconds where one is given. Quantities that it does not name among flops and params are measured without a limit, so that every run can be drawn against them.
func ParseBudget(budget string, s spaces.Space, in spaces.Input, latency func(limit float64) (Limit, error)) ([]Limit, error) {
	c := &counters{space: s, in: filled(in, s)}
	var limits []Limit
	has := map[string]bool{}
	for part := range strings.SplitSeq(budget, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, found := strings.Cut(part, "=")
		most, err := strconv.ParseFloat(value, 64)
		if !found || err != nil || !(most > 0) {
			return nil, fmt.Errorf("search: budget %q: write NAME=NUMBER with a positive number, as in flops=450e6", part)
		}
		if has[name] {
			return nil, fmt.Errorf("search: budget %q: %s is given twice", budget, name)
		}
		has[name] = true
		var l Limit
		if name == "latency" {
			if latency == nil {
				return nil, errors.New("search: latency cannot be measured here")
			}
			l, err = latency(most)
		} else {
			l, err = c.limit(name, most)
		}
		if err != nil {
			return nil, err
		}
		limits = append(limits, l)
	}
	// Cheap and never broken, they come first; latency is best measured last, of what has passed the others.
	var free []Limit
	for _, name := range []string{"flops", "params"} {
		if !has[name] {
			l, err := c.limit(name, math.Inf(1))
			if err != nil {
				return nil, err
			}
			free = append(free, l)
		}
	}
	limits = append(free, limits...)
	for i, l := range limits {
		if l.Name == "latency" {
			limits = append(append(limits[:i:i], limits[i+1:]...), l)
			break
		}
	}
	return limits, nil
}
