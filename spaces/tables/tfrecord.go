package tables

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strings"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the checksum of a TFRecord: a rotated and shifted CRC-32C.
func masked(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// maxTFRecord is the longest record that is read; those of NAS-Bench-101 have less than 1 KB.
const maxTFRecord = 1 << 20

// isTFRecord reports whether a file begins with the length of a record and its checksum.
func isTFRecord(head []byte) bool {
	return len(head) >= 12 && masked(head[:8]) == binary.LittleEndian.Uint32(head[8:])
}

// nasbenchMetrics are what is taken of a training, in the order of the columns.
var nasbenchMetrics = []Column{
	{Metric: "test", Unit: "%", Doc: "test accuracy"},
	{Metric: "valid", Unit: "%", Doc: "validation accuracy"},
	{Metric: "train", Unit: "%", Doc: "training accuracy"},
	{Metric: "time", Unit: "s", Lower: true, Doc: "training time"},
}

const longestNASBench = 108

// tfrecord reads nasbench_only108.tfrecord or nasbench_full.tfrecord: records in the order of the module hashes, several for each cell, each a JSON list of hash, epochs, adjacency matrix, operations and the metrics of a training.
func (in *input) tfrecord() (*Table, error) {
	b, err := in.builder("nasbench101")
	if err != nil {
		return nil, err
	}
	return in.nasbench(b, b.t.indexer.Size())
}

// nasbench reads records of a number of cells.
func (in *input) nasbench(b *builder, cells int) (*Table, error) {
	parameters := -1
	columns := map[int]int{} // first column of a number of epochs
	runs := map[int][]uint8{}
	n := 0
	last := ""
	row := 0
	buf := make([]byte, 0, 4096)
	for ; ; n++ {
		where := fmt.Sprintf("record %d", n)
		var err error
		if buf, err = in.frame(buf, where); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		r, err := parseNASBench(buf)
		if err != nil {
			return nil, bad(where, "%v", err)
		}
		if r.hash != last {
			var fresh bool
			if row, fresh, err = b.arch(r.hash); err != nil {
				return nil, bad(where, "%v", err)
			}
			// Now and then the graph must have the hash that it says; doing so for all would take half a minute.
			if fresh && (row < 100 || row%1000 == 0) {
				if err := b.check(r, row); err != nil {
					return nil, bad(where, "%v", err)
				}
			}
			last = r.hash
		}
		c, ok := columns[r.epochs]
		if !ok {
			if len(columns) == 16 {
				return nil, bad(where, "trainings of more than 16 different numbers of epochs")
			}
			c = len(b.t.columns)
			for _, m := range nasbenchMetrics {
				if r.epochs != longestNASBench {
					m.Metric += fmt.Sprintf("@%d", r.epochs)
				}
				m.Dataset = cifar10
				m.Doc = fmt.Sprintf("%s after %d epochs, mean of the runs", m.Doc, r.epochs)
				b.column(m)
			}
			columns[r.epochs] = c
		}
		for len(runs[r.epochs]) <= row {
			runs[r.epochs] = append(runs[r.epochs], 0)
		}
		if runs[r.epochs][row] == math.MaxUint8 {
			return nil, bad(where, "more than %d trainings of one cell", math.MaxUint8)
		}
		runs[r.epochs][row]++
		for k, v := range []float64{100 * r.test, 100 * r.valid, 100 * r.train, r.time} {
			if old := b.get(row, c+k); !math.IsNaN(old) {
				v += old
			}
			b.set(row, c+k, v)
		}
		if r.parameters > 0 {
			if parameters < 0 {
				parameters = b.column(Column{Name: "parameters", Metric: "parameters", Doc: "trainable parameters"})
			}
			b.set(row, parameters, float64(r.parameters))
		}
	}
	if have := b.t.Len(); have != cells {
		return nil, short(fmt.Sprintf("record %d", n), "the file ends with %d of %d cells: fetch it again", have, cells)
	}
	for epochs, count := range runs {
		if len(count) < cells || slices.Min(count) != slices.Max(count) {
			return nil, short("", "the cells have different numbers of trainings of %d epochs: fetch the file again", epochs)
		}
		for k := range nasbenchMetrics {
			for row := range cells {
				b.set(row, columns[epochs]+k, b.get(row, columns[epochs]+k)/float64(count[row]))
			}
		}
	}
	return b.table(in.source("NAS-Bench-101 (Ying et al., ICML 2019), Apache-2.0 licence")), nil
}

// frame reads a TFRecord: length, checksum of the length, data, checksum of the data. It returns io.EOF at the end of the file.
func (in *input) frame(buf []byte, where string) ([]byte, error) {
	var head [12]byte
	switch _, err := io.ReadFull(in.r, head[:]); err {
	case nil:
	case io.ErrUnexpectedEOF:
		return nil, short(where, "the file ends inside the record: fetch it again")
	default:
		return nil, err
	}
	n := binary.LittleEndian.Uint64(head[:])
	if !isTFRecord(head[:]) || n > maxTFRecord {
		return nil, bad(where, "the length of the record, %d bytes, does not have its checksum: the file is damaged", n)
	}
	if uint64(cap(buf)) < n+4 {
		buf = make([]byte, n+4)
	}
	buf = buf[:n+4]
	switch _, err := io.ReadFull(in.r, buf); err {
	case nil:
	case io.EOF, io.ErrUnexpectedEOF:
		return nil, short(where, "the file ends inside the record: fetch it again")
	default:
		return nil, err
	}
	if masked(buf[:n]) != binary.LittleEndian.Uint32(buf[n:]) {
		return nil, bad(where, "the data do not have their checksum: the file is damaged")
	}
	return buf[:n], nil
}

// nasbenchRecord is a training of a cell.
type nasbenchRecord struct {
	hash        string
	epochs      int
	matrix, ops string
	parameters  int64
	test, valid float64 // fractions, after the last epoch
	train, time float64
}

// parseNASBench reads a record.
func parseNASBench(data []byte) (r nasbenchRecord, err error) {
	var metrics string
	fields := []any{&r.hash, &r.epochs, &r.matrix, &r.ops, &metrics}
	want := len(fields)
	if err := json.Unmarshal(data, &fields); err != nil || len(fields) != want {
		return r, fmt.Errorf("is %.80q, expected a list of hash, epochs, adjacency matrix, operations and metrics", data)
	}
	if len(r.hash) != 32 {
		return r, fmt.Errorf("its hash %.40q does not have 32 digits", r.hash)
	}
	if r.epochs < 1 {
		return r, fmt.Errorf("%d epochs", r.epochs)
	}
	message, err := base64.StdEncoding.DecodeString(metrics)
	if err != nil {
		return r, fmt.Errorf("its metrics are not base64: %v", err)
	}
	return r, r.metrics(message)
}

// metrics reads the message ModelMetrics: evaluations (field 1) before, half way through and after the training, and the number of parameters (2). Of an evaluation: time (2) and accuracies in training (3), validation (4) and test (5). (model_metrics.proto of google-research/nasbench.)
func (r *nasbenchRecord) metrics(message []byte) error {
	evaluations := 0
	err := fields(message, func(number int, bits uint64, data []byte) error {
		switch {
		case number == 2 && data == nil:
			r.parameters = int64(bits)
		case number == 1 && data != nil:
			evaluations++
			r.time, r.train, r.valid, r.test = math.NaN(), math.NaN(), math.NaN(), math.NaN()
			return fields(data, func(number int, bits uint64, data []byte) error {
				if data == nil {
					switch v := math.Float64frombits(bits); number {
					case 2:
						r.time = v
					case 3:
						r.train = v
					case 4:
						r.valid = v
					case 5:
						r.test = v
					}
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("its metrics: %v", err)
	}
	if evaluations != 3 {
		return fmt.Errorf("its metrics have %d evaluations, expected those before, half way through and after the training", evaluations)
	}
	if r.test < 0 || r.test > 1 || r.valid < 0 || r.valid > 1 || r.train < 0 || r.train > 1 {
		return fmt.Errorf("its accuracies are not between 0 and 1")
	}
	return nil
}

// fields calls do for each field of a protocol buffer message: data for one of bytes, bits for a number.
func fields(message []byte, do func(number int, bits uint64, data []byte) error) error {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29 {
			return fmt.Errorf("a wrong tag")
		}
		message = message[n:]
		var bits uint64
		var data []byte
		switch tag & 7 {
		case 0:
			if bits, n = binary.Uvarint(message); n <= 0 {
				return fmt.Errorf("a number that does not end")
			}
			message = message[n:]
		case 1:
			if len(message) < 8 {
				return fmt.Errorf("a number that is cut off")
			}
			bits, message = binary.LittleEndian.Uint64(message), message[8:]
		case 2:
			length, n := binary.Uvarint(message)
			if n <= 0 || length > uint64(len(message)-n) {
				return fmt.Errorf("a field of %d bytes where %d are left", length, len(message))
			}
			end := n + int(length)
			data, message = message[n:end:end], message[end:]
		case 5:
			if len(message) < 4 {
				return fmt.Errorf("a number that is cut off")
			}
			bits, message = uint64(binary.LittleEndian.Uint32(message)), message[4:]
		default:
			return fmt.Errorf("a field of the unknown type %d", tag&7)
		}
		if err := do(int(tag>>3), bits, data); err != nil {
			return err
		}
	}
	return nil
}

// check compares the graph of a record with its hash.
func (b *builder) check(r nasbenchRecord, row int) error {
	ops := strings.Split(r.ops, ",")
	n := len(ops)
	if len(r.matrix) != n*n {
		return fmt.Errorf("a matrix of %d digits for %d operations", len(r.matrix), n)
	}
	spec := struct {
		Matrix [][]int  `json:"matrix"`
		Ops    []string `json:"ops"`
	}{Ops: ops}
	for u := range n {
		var line []int
		for _, digit := range r.matrix[u*n : (u+1)*n] {
			line = append(line, int(digit-'0'))
		}
		spec.Matrix = append(spec.Matrix, line)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	a, err := b.t.space.Parse(string(text))
	if err != nil {
		return err
	}
	i, err := b.t.indexer.Index(a)
	if err != nil {
		return err
	}
	if int32(i) != b.t.index[row] {
		return fmt.Errorf("its graph %s does not have the hash %s", a, r.hash)
	}
	return nil
}
