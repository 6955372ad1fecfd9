package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cellsSource is the place in the module of the program that drives a kernel.
const cellsSource = "zico/bench/cells/cells.py"

// cellNames say in words what the program measures, in the order of a notebook and of a cell.
var cellNames = [][2]string{
	{"start", "kernel start, until it answers"},
	{"hello", "first cell: hello"},
	{"import", "first cell that imports gonbext"},
	{"same", "the same cell again"},
	{"changed", "a changed cell"},
	{"score", "first score"},
	{"next", "next score, in a process of its own"},
	{"part gonb", "  of a changed cell with a score: GoNB, up to goimports"},
	{"part goimports", "    goimports"},
	{"part go get", "    go get"},
	{"part build", "    go build"},
	{"part go build", "      of it compiling"},
	{"part go link", "      of it linking"},
	{"part main", "    start of the program"},
	{"part images", "    images"},
	{"part backend", "    opening PJRT"},
	{"part scorer", "    the Scorer"},
	{"part score", "    first score of the process"},
	{"part again", "    second score of the process"},
	{"part end", "    end of the program, until the cell is done"},
}

// cellRow is a time of notebook cells, over the rounds.
type cellRow struct {
	Kind   string  `json:"kind"` // "cell"
	What   string  `json:"what"`
	Rounds int     `json:"rounds"`
	Median float64 `json:"median_s"`
	Min    float64 `json:"min_s"`
	Max    float64 `json:"max_s"`
	// Of the clone that -against names.
	Before    float64 `json:"before_s,omitempty"` // median
	BeforeMin float64 `json:"before_min_s,omitempty"`
	BeforeMax float64 `json:"before_max_s,omitempty"`
}

// String is the row as text.
func (c cellRow) String() string {
	what := c.What
	for _, n := range cellNames {
		if n[0] == c.What {
			what = n[1]
		}
	}
	s := fmt.Sprintf("%-56s %6.3f s  (%.3f to %.3f)", what, c.Median, c.Min, c.Max)
	if c.Before > 0 {
		s += fmt.Sprintf("   before %6.3f s  (%.3f to %.3f)  %5.2f times", c.Before, c.BeforeMin, c.BeforeMax, c.Before/c.Median)
	}
	return s + "\n"
}

// cellsRow says what the cells were measured on.
type cellsRow struct {
	Kind   string  `json:"kind"` // "cells"
	Rounds int     `json:"rounds"`
	Others float64 `json:"others"` // see bench -h; the median of the kernels
}

// String is the row as text.
func (c cellsRow) String() string {
	return fmt.Sprintf("medians of %d kernels, least to most%s\n", c.Rounds, disturbance(c.Others))
}

// cells are the times that the program measured in one kernel.
func cells(ctx context.Context, in *installation, kernel string) (times map[string]float64, others float64, err error) {
	c := exec.CommandContext(ctx, in.venv("python"), filepath.Join(in.root, filepath.FromSlash(cellsSource)), kernel)
	c.Dir = filepath.Join(in.root, "notebooks")
	var errs bytes.Buffer
	c.Stderr = &errs
	c.WaitDelay = 30 * time.Second // to end its kernel
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	before := busyNow()
	out, err := c.Output()
	now := busyNow()
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	if err != nil {
		return nil, 0, fmt.Errorf("timing the cells of the kernel in %s: %w\n%s", in.relative(kernel), err, strings.TrimSpace(errs.String()))
	}
	// Its processes have all been waited for, and belong to the measurement.
	now.own += (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
	var raw map[string]any
	if err := json.Unmarshal(out, &raw); err != nil {
		return nil, 0, fmt.Errorf("timing the cells of the kernel in %s: %w", in.relative(kernel), err)
	}
	times = map[string]float64{}
	parts, _ := raw["parts"].(map[string]any)
	for k, v := range parts {
		raw["part "+k] = v
	}
	for k, v := range raw {
		if t, ok := v.(float64); ok {
			times[k] = t
		}
	}
	return times, before.others(now), nil
}

// benchCells times notebook cells in the kernel that setup installed, in turn with that of another clone where there is one.
func benchCells(ctx context.Context, o *benchOptions, r *report) error {
	in, err := locate("")
	if err != nil {
		return fmt.Errorf("notebooks run in the repository: %w", err)
	}
	kernels := []string{in.kernel()}
	if o.against != "" {
		dir, err := filepath.Abs(o.against)
		if err != nil {
			return err
		}
		other := &installation{root: dir, dir: filepath.Join(dir, ".zeroshot")}
		kernels = append(kernels, other.kernel())
	}
	for _, k := range kernels {
		if _, err := os.Stat(filepath.Join(k, "kernel.json")); err != nil {
			return fmt.Errorf("no kernel in %s: run `zico setup` in its clone", k)
		}
	}
	if _, err := os.Stat(in.venv("python")); err != nil {
		return errors.New("no Jupyter in .zeroshot: run `zico setup`")
	}
	times := make([]map[string][]float64, len(kernels))
	for side := range times {
		times[side] = map[string][]float64{}
	}
	var others []float64
	for round := range o.rounds + 1 {
		for k := range kernels {
			side := (k + round) % len(kernels) // each goes first in every other round
			one, busy, err := cells(ctx, in, kernels[side])
			if err != nil {
				return err
			}
			if round == 0 {
				continue // the compiler's cache is filled
			}
			others = append(others, busy)
			for what, t := range one {
				times[side][what] = append(times[side][what], t)
			}
			r.say("round %d, %s: first score %.2f s, next %.2f s%s\n", round, in.relative(kernels[side]), one["score"], one["next"], disturbance(busy))
		}
	}
	if err := r.add(cellsRow{Kind: "cells", Rounds: o.rounds, Others: median(others)}); err != nil {
		return err
	}
	rows := cellRows(times, o.rounds)
	for _, row := range rows {
		if err := r.add(row); err != nil {
			return err
		}
	}
	return nil
}

// cellRows sums up what was measured, times[side][what] over the rounds, in the order of cellNames.
func cellRows(times []map[string][]float64, rounds int) []cellRow {
	var rows []cellRow
	for what, t := range times[0] {
		row := cellRow{Kind: "cell", What: what, Rounds: rounds}
		row.Median, row.Min, row.Max = spread(t)
		if len(times) > 1 && len(times[1][what]) > 0 {
			row.Before, row.BeforeMin, row.BeforeMax = spread(times[1][what])
		}
		rows = append(rows, row)
	}
	place := func(what string) int {
		return slices.IndexFunc(cellNames, func(n [2]string) bool { return n[0] == what })
	}
	slices.SortFunc(rows, func(a, b cellRow) int {
		return cmp.Or(cmp.Compare(place(a.What), place(b.What)), cmp.Compare(a.What, b.What))
	})
	return rows
}
