package tables

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// natsColumns are the accuracies that are taken of a record of NATS-Bench and NAS-Bench-201: those that the benchmarks' get_more_info gives. The validation accuracy of CIFAR-10 is of networks trained on half of the training set, which the files call cifar10-valid.
var natsColumns = []struct{ dataset, metric, trained, set string }{
	{cifar10, "test", "cifar10", "ori-test"},
	{cifar100, "test", "cifar100", "x-test"},
	{imageNet, "test", "ImageNet16-120", "x-test"},
	{cifar10, "valid", "cifar10-valid", "x-valid"},
	{cifar100, "valid", "cifar100", "x-valid"},
	{imageNet, "valid", "ImageNet16-120", "x-valid"},
}

// natsRuns are the trainings of a record by their names in the files, with their epochs.
var natsRuns = []struct {
	key    string
	epochs int
}{{"200", 200}, {"full", 200}, {"90", 90}, {"12", 12}, {"less", 12}, {"01", 1}}

// natsRecord is what is taken of an architecture: for each of natsRuns and natsColumns a mean over the seeds, or NaN.
type natsRecord struct {
	index  int
	arch   string
	values map[[2]int]float64
}

// natsRead takes the accuracies out of the record of an architecture.
func natsRead(index int, value any) (natsRecord, error) {
	r := natsRecord{index: index, values: map[[2]int]float64{}}
	where := fmt.Sprintf("architecture %d", index)
	runs, ok := value.(*dict)
	if !ok {
		return r, bad(where, "its record is a %s, expected a dictionary of trainings", kind(value))
	}
	found := false
	for i, run := range natsRuns {
		v, ok := runs.get(run.key)
		if !ok {
			continue
		}
		found = true
		where := fmt.Sprintf("%s, training %q", where, run.key)
		state, ok := v.(*dict)
		if !ok {
			return r, bad(where, "is a %s, expected a dictionary", kind(v))
		}
		if s, ok := state.get("arch_str"); ok {
			if s, ok := s.(string); ok {
				r.arch = s
			}
		}
		results, err := natsResults(state)
		if err != nil {
			return r, bad(where, "%v", err)
		}
		for j, c := range natsColumns {
			mean, ok, err := natsMean(results[c.trained], c.set)
			if err != nil {
				return r, bad(where, "%s: %v", c.trained, err)
			}
			if ok {
				r.values[[2]int{i, j}] = mean
			}
		}
	}
	if !found {
		return r, bad(where, "it has no training of 200, 90, 12 or 1 epochs; expected a key such as \"200\" or \"full\"")
	}
	return r, nil
}

// natsResults sorts the results of a training by the dataset: there is one for each dataset and seed.
func natsResults(state *dict) (map[string][]*dict, error) {
	v, _ := state.get("all_results")
	all, ok := v.(*dict)
	if !ok {
		return nil, fmt.Errorf("its all_results is a %s, expected a dictionary", kind(v))
	}
	results := map[string][]*dict{}
	for i, key := range all.keys {
		k, ok := key.(*tuple)
		if !ok || len(k.items) != 2 {
			return nil, fmt.Errorf("a result has a %s as its key, expected dataset and seed", kind(key))
		}
		dataset, ok := k.items[0].(string)
		result, ok2 := all.values[i].(*dict)
		if !ok || !ok2 {
			return nil, fmt.Errorf("a result is a %s of a %s, expected a dictionary of a dataset", kind(all.values[i]), kind(k.items[0]))
		}
		results[dataset] = append(results[dataset], result)
	}
	return results, nil
}

// natsMean is the mean over seeds of the accuracy on a set of images after the last epoch. ok is false if not all seeds have it, as for sets that a dataset does not have; the benchmark's API then gives nothing either.
func natsMean(results []*dict, set string) (mean float64, ok bool, err error) {
	sum, n := 0.0, 0
	for _, r := range results {
		v, _ := r.get("epochs")
		epochs, isInt := v.(int64)
		if !isInt {
			return 0, false, fmt.Errorf("the number of epochs is a %s", kind(v))
		}
		v, _ = r.get("eval_acc1es")
		accuracies, isDict := v.(*dict)
		if !isDict {
			return 0, false, fmt.Errorf("eval_acc1es is a %s, expected a dictionary", kind(v))
		}
		v, found := accuracies.get(set + "@" + strconv.FormatInt(epochs-1, 10))
		if !found {
			continue
		}
		x, isNumber := real(v)
		if !isNumber {
			return 0, false, fmt.Errorf("the accuracy %s@%d is a %s, expected a number", set, epochs-1, kind(v))
		}
		sum += x
		n++
	}
	return sum / float64(n), n > 0 && n == len(results), nil
}

// natsTable makes the table of records. names are the architectures by their index, if the file has them, which must agree with the records.
func (in *input) natsTable(records []natsRecord, names []string, format string) (*Table, error) {
	if len(records) == 0 {
		return nil, short("", "there is no record of any architecture")
	}
	slices.SortFunc(records, func(a, b natsRecord) int { return a.index - b.index })
	space := ""
	for i := range records {
		r := &records[i]
		where := fmt.Sprintf("architecture %d", r.index)
		if i > 0 && records[i-1].index == r.index {
			return nil, bad(where, "it has two records")
		}
		if names != nil {
			if r.index >= len(names) {
				return nil, bad(where, "the list of architectures has %d", len(names))
			}
			if r.arch != "" && looksLikeNATS(r.arch) && r.arch != names[r.index] {
				return nil, bad(where, "it is %s in its record and %s in the list of architectures", r.arch, names[r.index])
			}
			r.arch = names[r.index]
		}
		if space == "" {
			switch {
			case strings.Contains(r.arch, "|"):
				space = "natstss"
			case strings.Contains(r.arch, ":"):
				space = "natssss"
			default:
				return nil, bad(where, "%q is no architecture of NATS-Bench; expected one as |none~0|+... or 8:16:24:32:40", r.arch)
			}
		}
	}
	b, err := in.builder(space)
	if err != nil {
		return nil, err
	}
	longest := 200
	if space == "natssss" {
		longest = 90
	}
	columns := map[[2]int]int{}
	for i, run := range natsRuns {
		for j, c := range natsColumns {
			column := Column{Dataset: c.dataset, Metric: c.metric, Unit: "%"}
			if run.epochs != longest {
				column.Metric += "@" + strconv.Itoa(run.epochs)
			}
			what := "test"
			if c.metric == "valid" {
				what = "validation"
			}
			column.Doc = fmt.Sprintf("%s accuracy after %d epochs (%s of %s), mean of the seeds", what, run.epochs, c.set, c.trained)
			columns[[2]int{i, j}] = b.column(column)
		}
	}
	for _, r := range records {
		where := fmt.Sprintf("architecture %d", r.index)
		row, fresh, err := b.arch(r.arch)
		if err != nil {
			return nil, bad(where, "%v", err)
		}
		if !fresh {
			return nil, bad(where, "%s has two records", r.arch)
		}
		for key, v := range r.values {
			b.set(row, columns[key], v)
		}
	}
	t := b.table(in.source(format + ", MIT licence"))
	if t.Len() == 0 {
		return nil, bad("", "no architecture has an accuracy")
	}
	return t, nil
}

// looksLikeNATS tells an architecture from the other texts that records may have in its place.
func looksLikeNATS(s string) bool { return strings.HasPrefix(s, "|") || strings.Contains(s, ":") }

// natsFile collects the records of a file: {"meta_archs": [architecture, ...], "arch2infos": {index: record, ...}, "evaluated_indexes": ...}.
type natsFile struct{ records []natsRecord }

func (f *natsFile) choose(path []any, _ any) bool {
	return len(path) == 1 && path[0] == any("arch2infos")
}

func (f *natsFile) visit(_ []any, key, value any) error {
	index, ok := key.(int64)
	if !ok || index < 0 || index > 1<<20 {
		return bad("", "a record of arch2infos has a %s as its key, expected the index of an architecture", kind(key))
	}
	r, err := natsRead(int(index), value)
	f.records = append(f.records, r)
	return err
}

// table finishes with what is beside the records.
func (f *natsFile) table(in *input, root *dict) (*Table, error) {
	var names []string
	if v, ok := root.get("meta_archs"); ok {
		items, ok := sequence(v)
		if !ok {
			return nil, bad("", "meta_archs is a %s, expected the list of architectures", kind(v))
		}
		if names, ok = stringsOf(items); !ok {
			return nil, bad("", "meta_archs has other things than architectures")
		}
	}
	if v, ok := root.get("evaluated_indexes"); ok {
		if items, ok := sequence(v); ok && len(items) != len(f.records) {
			return nil, short("", "%d architectures have been evaluated, %d have a record: fetch the file again", len(items), len(f.records))
		}
	}
	format := "NATS-Bench (Dong et al., TPAMI 2021)"
	if strings.Contains(in.name(), "201") {
		format = "NAS-Bench-201 (Dong and Yang, ICLR 2020)"
	}
	return in.natsTable(f.records, names, format)
}

func stringsOf(items []any) ([]string, bool) {
	all := make([]string, len(items))
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			return nil, false
		}
		all[i] = s
	}
	return all, true
}

// natsMeta is the file of a folder that lists the architectures.
const natsMeta = "meta.pickle.pbz2"

// natsIndex is the index of an architecture whose file has a certain name, 000011.pickle.pbz2 or 11.pickle.pbz2.
func natsIndex(name string) (int, bool) {
	digits, ok := strings.CutSuffix(name, ".pickle.pbz2")
	if !ok || digits == "" || len(digits) > 6 || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	i, err := strconv.Atoi(digits)
	return i, err == nil
}

// openFolder reads a folder of NATS-Bench with a file an architecture.
func openFolder(ctx context.Context, path string, o Options) (*Table, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("tables: %w", err)
	}
	var files []string
	meta := false
	for _, e := range entries {
		if _, ok := natsIndex(e.Name()); ok {
			files = append(files, e.Name())
		}
		meta = meta || e.Name() == natsMeta
	}
	if len(files) == 0 {
		return nil, bad("", "the folder has no file of an architecture, as 000000.pickle.pbz2; name a file of a table, or the folder NATS-tss-v1_0-3ffb9-simple itself")
	}
	in := &input{ctx: ctx, path: path, o: o}
	var names []string
	if meta {
		root, err := readPickleFile(ctx, filepath.Join(path, natsMeta))
		if err != nil {
			return nil, err
		}
		d, ok := root.(*dict)
		if !ok {
			return nil, bad(natsMeta, "holds a %s, expected a dictionary", kind(root))
		}
		v, _ := d.get("meta_archs")
		items, _ := sequence(v)
		if names, ok = stringsOf(items); !ok || len(names) == 0 {
			return nil, bad(natsMeta, "its meta_archs is a %s, expected the list of architectures", kind(v))
		}
	}
	records := make([]natsRecord, len(files))
	errs := make([]error, len(files))
	next := make(chan int)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := range next {
				root, err := readPickleFile(ctx, filepath.Join(path, files[i]))
				if err == nil {
					index, _ := natsIndex(files[i])
					records[i], err = natsRead(index, root)
				}
				if errs[i] = of(filepath.Join(path, files[i]), err); err != nil {
					stop()
				}
			}
		})
	}
feed:
	for i := range files {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wait.Wait()
	if in.ctx.Err() != nil {
		return nil, in.ctx.Err()
	}
	for _, err := range errs {
		// Those after the first one may have been stopped by it.
		if err != nil && !errors.Is(err, context.Canceled) {
			return nil, err
		}
	}
	return in.natsTable(records, names, "folder of NATS-Bench (Dong et al., TPAMI 2021)")
}

// readPickleFile reads a small pickle, compressed or not.
func readPickleFile(ctx context.Context, path string) (any, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tables: %w", err)
	}
	defer f.Close()
	root, err := readPickle(ctx, f)
	return root, of(path, damaged(err))
}

// atEnd checks that nothing follows, which also lets the decompressors check their sums.
func (in *input) atEnd(r *byteReader) error {
	switch _, err := r.byte(); err {
	case nil:
		return bad(fmt.Sprintf("byte %d", r.offset-1), "something follows the end of the pickle")
	case io.EOF:
		return nil
	default:
		return err
	}
}
