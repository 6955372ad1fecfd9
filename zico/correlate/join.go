package correlate

import (
	"fmt"
	"math"
	"path/filepath"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/tables"
)

// Bare is a copy without the accuracies, which are the benchmark's: architectures and scores to pass on, that anyone who has the benchmark's file can Join it to. Slices are shared with s. The name of the images loses its folder.
func (s *Scores) Bare() *Scores {
	b := *s
	b.Columns, b.Truth = nil, nil
	if filepath.IsAbs(b.Data) {
		b.Data = filepath.Base(b.Data)
	}
	return &b
}

// Join is a copy whose accuracies are those of a table: of the named columns or, without names, of those that Config.Columns has by default. Slices are shared with s.
//
// The table need not be the one that the sample was drawn from. If its hash is another, the report and its certificate name both. Architectures without an accuracy in it are left out of the statistics.
//
// Errors: a table of another space (tables.ErrSpace), unknown columns, a table that has none of the architectures.
func (s *Scores) Join(t *tables.Table, columns ...string) (*Scores, error) {
	space, err := spaces.Open(s.Space)
	if err != nil {
		return nil, fmt.Errorf("correlate: %w", err)
	}
	if err := matches(space, t); err != nil {
		return nil, err
	}
	j := *s
	if j.Columns, err = columnsOf(t, columns); err != nil {
		return nil, err
	}
	drawn, hash := s.Table, s.TableHash
	if s.DrawnHash != "" {
		drawn, hash = s.Drawn, s.DrawnHash
	}
	j.Table, j.TableSpace, j.TableHash = t.Source(), t.Space(), t.Hash()
	j.Drawn, j.DrawnHash = drawn, hash
	if hash == j.TableHash {
		j.Drawn, j.DrawnHash = "", ""
	}
	j.Truth = nil
	found := false
	for _, c := range j.Columns {
		truth := make([]float64, s.Len())
		for row, arch := range s.Archs {
			v, ok := t.Value(arch, c.Name)
			if !ok {
				v = math.NaN()
			}
			truth[row], found = v, found || ok
		}
		j.Truth = append(j.Truth, truth)
	}
	if !found && s.Len() > 0 {
		return nil, fmt.Errorf("correlate: %s has an accuracy of none of the %d architectures; they are a sample of %s", t.Source(), s.Len(), drawn)
	}
	return &j, nil
}
