package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
)

// Table evaluates by looking up: measured accuracies take the place of scores, so that methods can be compared in seconds. The seed of an evaluation changes nothing.
type Table struct {
	table   *tables.Table
	columns []tables.Column
	noise   float64
	seed    uint64
	noisy   []map[spaces.Arch]float64
}

// NewTable looks up the named columns. With noise the value is instead the architecture's rank in the column, from 0 for the worst to 1 for the best, plus a normal deviate with that standard deviation, which seed draws once for every architecture: a proxy that ranks as well as that, and errs in the same way whenever it is asked.
func NewTable(t *tables.Table, noise float64, seed uint64, columns ...string) (*Table, error) {
	e := &Table{table: t, noise: noise, seed: seed}
	if len(columns) == 0 {
		return nil, errors.New("search: a table needs the name of at least one column to look up")
	}
	if !(noise >= 0) {
		return nil, fmt.Errorf("search: noise %g; it is a standard deviation of ranks between 0 and 1, so 0 or more", noise)
	}
	for _, name := range columns {
		c, err := t.Column(name)
		if err != nil {
			return nil, err
		}
		e.columns = append(e.columns, c)
		if noise > 0 {
			e.noisy = append(e.noisy, noisyRanks(t, name, noise, seed))
		}
	}
	return e, nil
}

func noisyRanks(t *tables.Table, column string, noise float64, seed uint64) map[spaces.Arch]float64 {
	type row struct {
		arch  spaces.Arch
		value float64
	}
	var rows []row
	for a, v := range t.All(column) {
		rows = append(rows, row{a, v})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.value, b.value) })
	rng := rand.New(rand.NewPCG(seed, 0x6e6f697365))
	out := make(map[spaces.Arch]float64, len(rows))
	for i, r := range rows {
		out[r.arch] = float64(i)/float64(max(1, len(rows)-1)) + noise*rng.NormFloat64()
	}
	return out
}

// Metrics implements Evaluator: a metric a column.
func (e *Table) Metrics() []Metric {
	m := make([]Metric, len(e.columns))
	for i, c := range e.columns {
		m[i] = Metric{c.Name, c.Lower}
	}
	return m
}

// About implements Evaluator.
func (e *Table) About() map[string]string {
	about := map[string]string{"kind": "table", "table": e.table.Source(), "table_hash": e.table.Hash()}
	if e.noise > 0 {
		about["noise"] = strconv.FormatFloat(e.noise, 'g', -1, 64)
		about["noise_seed"] = strconv.FormatUint(e.seed, 10)
	}
	return about
}

// Evaluate implements Evaluator. It fails for an architecture that the table does not have.
func (e *Table) Evaluate(_ context.Context, a spaces.Arch, _ uint64) (*Evaluation, error) {
	v := make([]float64, len(e.columns))
	for i, c := range e.columns {
		var ok bool
		if e.noise > 0 {
			v[i], ok = e.noisy[i][a]
		} else {
			v[i], ok = e.table.Value(a, c.Name)
		}
		if !ok {
			return nil, fmt.Errorf("search: the table has no %s of %s", c.Name, a)
		}
	}
	return &Evaluation{Values: v}, nil
}
