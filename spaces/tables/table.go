// Package tables reads measured accuracies of benchmark architectures: what a score is compared with.
//
// A Table has a row an architecture of one search space and a column a quantity, such as "cifar10/test". Embedded has one with the validation accuracies of NAS-Bench-201; Open reads the files that the benchmarks publish, compact forms of them, and CSV, and recognises the format by the content:
//
//   - NATS-Bench: NATS-tss-v1_0-3ffb9.pickle.pbz2, NATS-sss-v1_0-50262.pickle.pbz2, and the folders of the same names with -simple behind;
//   - NAS-Bench-201: NAS-Bench-201-v1_1-096897.pth and -v1_0-e61699.pth;
//   - NAS-Bench-101: nasbench_only108.tfrecord and nasbench_full.tfrecord;
//   - TransNAS-Bench-101: transnas-bench_v10141024.pth, of which Options.Space chooses the micro or the macro space;
//   - NAS-Bench-Suite-Zero: zc_nasbench201.json and the others, with the scores of the proxies;
//   - NASLib: nb201_all.pickle and the nb201_*_full_training.pickle;
//   - CSV as WriteCSV writes it, or any with a column "arch" or "index" in front;
//   - the compact files that shared/reference/DATA.md describes.
//
// All are read as streams: memory is bounded by the table and one record, not by the file. The whole file of NATS-Bench takes minutes, for decompression; WriteCSV keeps its accuracies in a form that takes a moment. Nothing in a pickle is ever called or looked up by name. Pickles are run by a machine of this package, because the Go libraries for them build the whole object, which takes 20 GB and more for the files of NATS-Bench; this one hands out the records of a chosen dictionary one after the other and forgets them.
//
// A file that is cut off, damaged or of another space is an error (ErrTruncated, ErrFormat, ErrSpace), never a shorter table. A file or folder whose author left architectures out gives a table with fewer rows than the space has, and Len says how many. (CSV is the exception: that a file of others is cut off at the end of a line, nothing shows.)
package tables

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/zeroshotnas/zeroshot/spaces"
	_ "github.com/zeroshotnas/zeroshot/spaces/nasbench101" // the spaces of the benchmarks are opened by name
	_ "github.com/zeroshotnas/zeroshot/spaces/natssss"
	_ "github.com/zeroshotnas/zeroshot/spaces/natstss"
	_ "github.com/zeroshotnas/zeroshot/spaces/transnas"
)

// Column is one measured quantity of a table.
type Column struct {
	Name    string `json:"name"`              // Dataset/Metric, as in "cifar10/test", "class_scene/best", "cifar10/valid@12" for a training of 12 epochs where the benchmark has longer ones
	Dataset string `json:"dataset,omitempty"` // what was learned, as its benchmark calls it: "cifar10", "cifar100", "ImageNet16-120", "class_scene"
	Metric  string `json:"metric,omitempty"`  // what was measured: "test", "valid", "best"
	Unit    string `json:"unit,omitempty"`    // "%", "s", or "" for numbers without unit
	Lower   bool   `json:"lower,omitempty"`   // smaller is better. Losses that a benchmark gives with a minus sign, as TransNAS-Bench-101 does for room_layout, are kept so, and then larger is better
	Doc     string `json:"doc,omitempty"`     // epochs, seeds, source
}

// Table holds measured quantities of architectures of one space. It does not change and may be used by several goroutines.
type Table struct {
	name    string // of the space, as spaces.Open takes it
	space   spaces.Space
	indexer spaces.Indexer // space, if it numbers its architectures
	source  string
	columns []Column
	place   map[string]int // of a column by its name

	// A row is an architecture of a certain index in increasing order or, in spaces without indices, of a certain name.
	index []int32
	archs []spaces.Arch

	values [][]float64 // by column and row; NaN where there is none
	hash   func() string
}

// Space is the registered name of the space that the rows belong to, with the options in which it differs from the default: "natstss", "transnas:macro=1".
func (t *Table) Space() string { return t.name }

// Source says where the values come from: the name of the file, its format, the benchmark and its licence.
func (t *Table) Source() string { return t.source }

// Hash is the SHA-256 of the content in hexadecimal digits: the space, the names of the columns and the rows in the order of their architectures. Tables of equal content have equal hashes, whatever file they come from. A certificate of a result names its data by it.
func (t *Table) Hash() string { return t.hash() }

// Columns are the quantities, in the order of the file.
func (t *Table) Columns() []Column { return slices.Clone(t.columns) }

// Column returns a column by its name. The error of an unknown one lists those that there are.
func (t *Table) Column(name string) (Column, error) {
	i, ok := t.place[name]
	if !ok {
		return Column{}, fmt.Errorf("tables: %s has no column %q; it has %s", t.source, name, strings.Join(t.names(), ", "))
	}
	return t.columns[i], nil
}

func (t *Table) names() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.Name
	}
	return names
}

// Len is the number of architectures with a value in any column. A table of a whole benchmark has as many as its space, one of a folder or a CSV file may have fewer.
func (t *Table) Len() int { return max(len(t.index), len(t.archs)) }

// Value is what a column says of an architecture of the space, in the unit of the column. ok is false where the table has no value for it, for an unknown column, and for what is no architecture of the space.
//
// The first call for NAS-Bench-101 in a process computes the module hashes of all cells (see nasbench101.Space.All).
func (t *Table) Value(arch spaces.Arch, column string) (v float64, ok bool) {
	c, ok := t.place[column]
	if !ok {
		return 0, false
	}
	row, ok := t.row(arch)
	if !ok || math.IsNaN(t.values[c][row]) {
		return 0, false
	}
	return t.values[c][row], true
}

func (t *Table) row(arch spaces.Arch) (int, bool) {
	if t.indexer == nil {
		return slices.BinarySearch(t.archs, arch)
	}
	i, err := t.indexer.Index(arch)
	if err != nil {
		return 0, false
	}
	if len(t.index) == t.indexer.Size() {
		return i, true
	}
	return slices.BinarySearch(t.index, int32(i))
}

// All yields the architectures that have a value in a column, with it, in the order of the space's index where it has one, else sorted by name. For an unknown column it yields nothing; Column tells which there are.
func (t *Table) All(column string) iter.Seq2[spaces.Arch, float64] {
	return func(yield func(spaces.Arch, float64) bool) {
		c, ok := t.place[column]
		if !ok {
			return
		}
		for row, v := range t.values[c] {
			if !math.IsNaN(v) && !yield(t.arch(row), v) {
				return
			}
		}
	}
}

// arch is the architecture of a row.
func (t *Table) arch(row int) spaces.Arch {
	if t.indexer == nil {
		return t.archs[row]
	}
	a, err := t.space.Parse(strconv.Itoa(int(t.index[row])))
	if err != nil {
		panic(err) // the builder takes no index that the space does not have
	}
	return a
}

// sum computes the hash. Indices stand for architectures: those of NAS-Bench-101 are the order of its module hashes, which take seconds to make.
func (t *Table) sum() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%d columns\n", t.name, len(t.columns))
	for _, c := range t.columns {
		fmt.Fprintf(h, "%q\n", c.Name)
	}
	buf := make([]byte, 0, 1<<16)
	for row := range t.Len() {
		if t.indexer != nil {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(t.index[row]))
		} else {
			buf = append(append(buf, t.archs[row]...), '\n')
		}
		for c := range t.values {
			v := t.values[c][row]
			if math.IsNaN(v) {
				v = math.NaN() // one pattern of bits for all that is missing
			}
			buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(v))
		}
		if len(buf) > 1<<15 {
			h.Write(buf)
			buf = buf[:0]
		}
	}
	h.Write(buf)
	return hex.EncodeToString(h.Sum(nil))
}

// builder collects the rows of a table in any order.
type builder struct {
	t     *Table
	byIdx map[int32]int32
	byArc map[spaces.Arch]int32
}

// newBuilder starts a table for a space, in the form of a name for spaces.Open.
func newBuilder(space string) (*builder, error) {
	s, err := spaces.Open(space)
	if err != nil {
		return nil, fmt.Errorf("tables: %w (a program has the spaces whose packages it imports)", err)
	}
	t := &Table{name: space, space: s, place: map[string]int{}}
	b := &builder{t: t}
	if x, ok := s.(spaces.Indexer); ok && s.Size() > 0 {
		t.indexer = x
		b.byIdx = map[int32]int32{}
	} else {
		b.byArc = map[spaces.Arch]int32{}
	}
	return b, nil
}

// column returns the place of a column, which it adds if it is new.
func (b *builder) column(c Column) int {
	if c.Name == "" {
		c.Name = c.Dataset + "/" + c.Metric
	}
	i, ok := b.t.place[c.Name]
	if !ok {
		i = len(b.t.columns)
		b.t.place[c.Name] = i
		b.t.columns = append(b.t.columns, c)
		missing := make([]float64, b.t.Len())
		for row := range missing {
			missing[row] = math.NaN()
		}
		b.t.values = append(b.t.values, missing)
	}
	return i
}

// arch returns the row of an architecture in any form that the space parses, and whether it is new.
func (b *builder) arch(s string) (row int, fresh bool, err error) {
	if b.t.indexer != nil {
		i, err := b.t.indexer.Index(spaces.Arch(s))
		if err != nil {
			return 0, false, err
		}
		row, fresh = b.at(i)
		return row, fresh, nil
	}
	a, err := b.t.space.Parse(s)
	if err != nil {
		return 0, false, err
	}
	r, ok := b.byArc[a]
	if !ok {
		r = int32(len(b.t.archs))
		b.byArc[a] = r
		b.t.archs = append(b.t.archs, a)
		b.extend()
	}
	return int(r), !ok, nil
}

// at returns the row of an index of the space, and whether it is new.
func (b *builder) at(i int) (row int, fresh bool) {
	r, ok := b.byIdx[int32(i)]
	if !ok {
		r = int32(len(b.t.index))
		b.byIdx[int32(i)] = r
		b.t.index = append(b.t.index, int32(i))
		b.extend()
	}
	return int(r), !ok
}

func (b *builder) extend() {
	for c := range b.t.values {
		b.t.values[c] = append(b.t.values[c], math.NaN())
	}
}

// set stores a value.
func (b *builder) set(row, column int, v float64) { b.t.values[column][row] = v }

// get is the value stored, or NaN.
func (b *builder) get(row, column int) float64 { return b.t.values[column][row] }

// whole makes all rows of an Indexer space at once; row i is index i.
func (b *builder) whole() {
	for i := range b.t.indexer.Size() {
		b.t.index = append(b.t.index, int32(i))
	}
	b.byIdx = nil
}

// table finishes: rows in order; rows and columns without any value left out.
func (b *builder) table(source string) *Table {
	t := b.t
	t.source = source
	present := func(v float64) bool { return !math.IsNaN(v) }
	order := make([]int, 0, t.Len())
	for row := range t.Len() {
		if slices.ContainsFunc(t.values, func(column []float64) bool { return present(column[row]) }) {
			order = append(order, row)
		}
	}
	if t.indexer != nil {
		slices.SortFunc(order, func(r, s int) int { return cmp.Compare(t.index[r], t.index[s]) })
		t.index = picked(t.index, order)
	} else {
		slices.SortFunc(order, func(r, s int) int { return cmp.Compare(t.archs[r], t.archs[s]) })
		t.archs = picked(t.archs, order)
	}
	var columns []Column
	var values [][]float64
	t.place = map[string]int{}
	for c, v := range t.values {
		if slices.ContainsFunc(v, present) {
			t.place[t.columns[c].Name] = len(columns)
			columns = append(columns, t.columns[c])
			values = append(values, picked(v, order))
		}
	}
	t.columns, t.values = columns, values
	t.hash = sync.OnceValue(t.sum)
	return t
}

// picked are the elements of x in an order.
func picked[T any](x []T, order []int) []T {
	y := make([]T, len(order))
	for i, o := range order {
		y[i] = x[o]
	}
	return y
}
