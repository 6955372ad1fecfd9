package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

// proxyRatioRow compares the time of several proxies with that of ZiCo alone, the same networks in turn.
type proxyRatioRow struct {
	Kind    string    `json:"kind"` // "proxies"
	Proxies []string  `json:"proxies"`
	Rounds  int       `json:"rounds"`
	Alone   float64   `json:"zico_s"`       // sum over networks of the medians over rounds
	All     float64   `json:"proxies_s"`    // the same of all proxies
	Ratio   float64   `json:"ratio"`        // All / Alone
	Rounded []float64 `json:"round_ratios"` // of each round
	Others  float64   `json:"others"`       // see bench -h
}

// String is the row as text.
func (p proxyRatioRow) String() string {
	lo, hi := slices.Min(p.Rounded), slices.Max(p.Rounded)
	return fmt.Sprintf("%d proxies %.3f s, ZiCo alone %.3f s: ratio %.3f (rounds %.3f to %.3f)%s\n", len(p.Proxies), p.All, p.Alone, p.Ratio, lo, hi, disturbance(p.Others))
}

// proxyCostRow is what one proxy costs.
type proxyCostRow struct {
	Kind   string  `json:"kind"` // "cost"
	Proxy  string  `json:"proxy"`
	Shared bool    `json:"shared"`   // comes with ZiCo's pass
	Alone  float64 `json:"alone_s"`  // mean over networks of the medians: its pass with only what it needs
	Beside float64 `json:"beside_s"` // of it, what it adds to a pass that others have asked for
}

// String is the row as text.
func (p proxyCostRow) String() string {
	note := ""
	if p.Shared {
		note = "  shares ZiCo's pass"
	}
	return fmt.Sprintf("  %-14s %8.4f s alone  %8.4f s beside others%s\n", p.Proxy, p.Alone, p.Beside, note)
}

// benchProxies times proxies against ZiCo alone.
func benchProxies(ctx context.Context, b *benchSet, o *benchOptions, r *report) error {
	proxies, err := proxy.Find(strings.Split(o.proxies, ",")...)
	if err != nil {
		return usageError{err}
	}
	alone, err := proxy.Find("zico")
	if err != nil {
		return err
	}
	be, err := backend.Open(o.device)
	if err != nil {
		return err
	}
	s, err := zico.New(be, zico.Config{DType: o.dtype, Kernels: o.kernels})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := r.add(newMachineRow(be, b, o.dtype, o.threads)); err != nil {
		return err
	}
	n := len(b.Networks)
	times := [2][][]float64{make([][]float64, n), make([][]float64, n)} // [alone, all][network][round]
	costs := make([][]proxy.Cost, 0, n*o.rounds)                        // [measurement][proxy]
	row := proxyRatioRow{Kind: "proxies", Rounds: o.rounds}
	for _, p := range proxies {
		row.Proxies = append(row.Proxies, p.Name)
	}
	before := busyNow(os.Getpid())
	for round := range o.rounds + 1 {
		var sums [2]float64
		for _, i := range o.order(n, round) {
			data, err := b.batches(ctx, i)
			if err != nil {
				return err
			}
			for k := range 2 {
				k = (k + round) % 2 // each goes first in every other round
				start := time.Now()
				res, err := proxy.Evaluate(ctx, s, b.Networks[i].net, b.Networks[i].Seed, data, [][]*proxy.Proxy{alone, proxies}[k])
				if err != nil {
					return err
				}
				spent := time.Since(start).Seconds()
				if round == 0 {
					continue
				}
				times[k][i] = append(times[k][i], spent)
				sums[k] += spent
				if k == 1 {
					costs = append(costs, res.Costs)
				}
			}
		}
		if round == 0 {
			before = busyNow(os.Getpid())
			continue
		}
		row.Rounded = append(row.Rounded, sums[1]/sums[0])
		r.say("round %d: %.3f s against %.3f s\n", round, sums[1], sums[0])
	}
	row.Others = before.others(busyNow(os.Getpid()))
	for i := range n {
		row.Alone += median(times[0][i])
		row.All += median(times[1][i])
	}
	row.Ratio = row.All / row.Alone
	for k, p := range proxies {
		c := proxyCostRow{Kind: "cost", Proxy: p.Name, Shared: !p.Static && p.Pass == (zico.Pass{})}
		var a, e []float64
		for _, m := range costs {
			a, e = append(a, m[k].Alone.Seconds()), append(e, m[k].Beside.Seconds())
		}
		c.Alone, c.Beside = median(a), median(e)
		if err := r.add(c); err != nil {
			return err
		}
	}
	return r.add(row)
}
