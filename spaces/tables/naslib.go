package tables

import (
	"strings"
)

// naslibFile collects the records of NASLib's pickles of NAS-Bench-201: {architecture: {dataset: {"eval_acc1es": [epoch, ...], "train_acc1es": ...}}}.
type naslibFile struct {
	in *input
	b  *builder
}

// naslibMetrics are the lists that are taken, of which the last value counts.
var naslibMetrics = []struct {
	key    string
	column Column
}{
	{"eval_acc1es", Column{Metric: "eval", Unit: "%", Doc: "last value of eval_acc1es: the accuracy that NASLib returns as the validation accuracy, and as the test accuracy too"}},
	{"train_acc1es", Column{Metric: "train", Unit: "%", Doc: "last value of train_acc1es: the training accuracy"}},
	{"eval_losses", Column{Metric: "eval_loss", Lower: true, Doc: "last value of eval_losses"}},
	{"train_losses", Column{Metric: "train_loss", Lower: true, Doc: "last value of train_losses"}},
}

func (f *naslibFile) choose(path []any, first any) bool {
	s, ok := first.(string)
	return ok && len(path) == 0 && strings.HasPrefix(s, "|")
}

func (f *naslibFile) visit(_ []any, key, value any) error {
	if f.b == nil {
		var err error
		if f.b, err = f.in.builder("natstss"); err != nil {
			return err
		}
	}
	row, where, datasets, err := f.b.record(key, value, "datasets")
	if err != nil {
		return err
	}
	for i, key := range datasets.keys {
		name, ok := key.(string)
		metrics, ok2 := datasets.values[i].(*dict)
		if !ok || !ok2 {
			return bad(where, "a %s for a %s, expected a dictionary for each dataset", kind(datasets.values[i]), kind(key))
		}
		for _, m := range naslibMetrics {
			v, ok := metrics.get(m.key)
			if !ok {
				continue
			}
			x, ok := real(v)
			if !ok {
				epochs, isList := reals(v)
				if !isList || len(epochs) == 0 {
					return bad(where+", "+name, "%s is a %s, expected a list of numbers, one an epoch", m.key, kind(v))
				}
				x = epochs[len(epochs)-1]
			}
			c := m.column
			c.Dataset = name
			f.b.set(row, f.b.column(c), x)
		}
	}
	return nil
}

func (f *naslibFile) table(in *input, _ *dict) (*Table, error) {
	if f.b == nil {
		return nil, short("", "it has no record of any architecture")
	}
	t := f.b.table(in.source("NASLib's form of NAS-Bench-201 (Dong and Yang, ICLR 2020), MIT licence"))
	if t.Len() == 0 {
		return nil, bad("", "no architecture has an accuracy: expected lists such as eval_acc1es")
	}
	return t, nil
}
