package correlate

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
)

// sampleStream is the second word of the sample's generator, apart from that of the images.
const sampleStream = 0x636f7272656c

// columnsOf are the columns of the given names; without names those of test accuracies or, where a table has none, all accuracies that a proxy is compared with.
func columnsOf(t *tables.Table, names []string) ([]tables.Column, error) {
	var columns []tables.Column
	for _, name := range names {
		c, err := t.Column(name)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	for _, metrics := range [][]string{{"test", "best"}, {"valid", "final"}} {
		if len(columns) > 0 {
			break
		}
		for _, c := range t.Columns() {
			for _, m := range metrics {
				if c.Metric == m {
					columns = append(columns, c)
				}
			}
		}
	}
	if len(columns) == 0 {
		if columns = t.Columns(); len(columns) == 0 {
			return nil, fmt.Errorf("correlate: %s has no columns", t.Source())
		}
	}
	return columns, nil
}

// matches checks that the architectures of a table are those of the space. The sizes of networks, C and N, may differ: scores of narrow networks can be compared with accuracies of wide ones.
func matches(space spaces.Space, t *tables.Table) error {
	other, err := spaces.Open(t.Space())
	if err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	base := func(s spaces.Space) string { b, _, _ := strings.Cut(s.Name(), ":"); return b }
	same := base(space) == base(other) && space.Size() == other.Size()
	if same && space.Size() > 0 {
		a, err1 := space.Parse("0")
		b, err2 := other.Parse("0")
		same = a == b && (err1 == nil) == (err2 == nil)
	}
	if !same {
		return fmt.Errorf("correlate: the table %s is of the space %s, not of %s: %w", t.Source(), t.Space(), space.Name(), tables.ErrSpace)
	}
	return nil
}

// population fills in the sample: of the architectures that have an accuracy in one of the columns, in the order of the space's index, the first n of a random permutation; 0 means all. The permutation depends on the seed and the population only, so that a sample begins with every smaller one.
func (s *Scores) population(space spaces.Space, t *tables.Table, n int) error {
	type member struct {
		arch  spaces.Arch
		index int
	}
	var all []member
	truth := make([][]float64, len(s.Columns))
	add := func(arch spaces.Arch, index int, values []float64) {
		all = append(all, member{arch, index})
		for c := range truth {
			truth[c] = append(truth[c], values[c])
		}
	}
	if _, ok := space.(spaces.Indexer); ok && space.Size() > 0 {
		// The rows of a table are in the order of the index, so walking beside All finds the numbers without asking for each.
		walks := make([]*walk, len(s.Columns))
		for c := range walks {
			walks[c] = newWalk(t.All(s.Columns[c].Name))
			defer walks[c].stop()
		}
		index := 0
		values := make([]float64, len(walks))
		for arch := range space.All() {
			found := false
			for c, w := range walks {
				values[c] = math.NaN()
				if w.ok && w.arch == arch {
					values[c], found = w.value, true
					w.step()
				}
			}
			if found {
				add(arch, index, values)
			}
			index++
		}
	} else {
		seen := map[spaces.Arch]bool{}
		for _, c := range s.Columns {
			for arch := range t.All(c.Name) {
				if seen[arch] {
					continue
				}
				seen[arch] = true
				values := make([]float64, len(s.Columns))
				for k, other := range s.Columns {
					v, ok := t.Value(arch, other.Name)
					if !ok {
						v = math.NaN()
					}
					values[k] = v
				}
				add(arch, -1, values)
			}
		}
	}
	s.Population = len(all)
	if n == 0 {
		n = len(all)
	}
	if n < 0 || n > len(all) {
		return fmt.Errorf("correlate: a sample of %d of the %d architectures with an accuracy in %s; ask for at most as many, or for all of them", n, len(all), t.Source())
	}
	for c := range truth {
		s.Truth = append(s.Truth, make([]float64, n))
		for row, i := range order(len(all), s.SampleSeed)[:n] {
			s.Truth[c][row] = truth[c][i]
		}
	}
	for _, i := range order(len(all), s.SampleSeed)[:n] {
		s.Archs = append(s.Archs, all[i].arch)
		s.Index = append(s.Index, all[i].index)
	}
	return nil
}

// order is the random order in which n architectures are taken.
func order(n int, seed uint64) []int { return rand.New(rand.NewPCG(seed, sampleStream)).Perm(n) }

// walk goes through a column one architecture at a time.
type walk struct {
	next  func() (spaces.Arch, float64, bool)
	stop  func()
	arch  spaces.Arch
	value float64
	ok    bool
}

func newWalk(column iter.Seq2[spaces.Arch, float64]) *walk {
	w := &walk{}
	w.next, w.stop = iter.Pull2(column)
	w.step()
	return w
}

func (w *walk) step() { w.arch, w.value, w.ok = w.next() }
