package tables

import (
	"slices"
	"strings"
)

// transnasTask is a task of TransNAS-Bench-101 and the metric of its validation set by which its networks are compared.
type transnasTask struct{ name, metric, unit, doc string }

// transnasTasks are the tasks in the benchmark's order.
var transnasTasks = []transnasTask{
	{"class_scene", "valid_top1", "%", "top-1 validation accuracy"},
	{"class_object", "valid_top1", "%", "top-1 validation accuracy"},
	{"room_layout", "valid_neg_loss", "", "validation loss with a minus sign, so larger is better"},
	{"jigsaw", "valid_top1", "%", "top-1 validation accuracy"},
	{"segmentsemantic", "valid_mIoU", "%", "mean intersection over union, validation"},
	{"normal", "valid_ssim", "", "structural similarity, validation"},
	{"autoencoder", "valid_ssim", "", "structural similarity, validation"},
}

// column is the column of a task; mode is "best" or "final".
func (t transnasTask) column(mode string) Column {
	doc := t.doc + ", best epoch"
	if mode == "final" {
		doc = t.doc + ", last epoch"
	}
	return Column{Dataset: t.name, Metric: mode, Unit: t.unit, Doc: doc}
}

// transnasFile collects the records of transnas-bench_v10141024.pth: {"data": {"micro": {architecture: {task: {"metrics": {metric: [epoch, ...]}}}}, "macro": ...}}.
type transnasFile struct {
	in *input
	b  *builder
}

func (f *transnasFile) choose(path []any, first any) bool {
	s, ok := first.(string)
	return ok && len(path) == 2 && path[0] == any("data") && (path[1] == any("micro") || path[1] == any("macro")) && strings.Contains(s, "-")
}

// space is the space to take from the file.
func (f *transnasFile) space() (name, inFile string) {
	if f.in.o.Space != "" && same(f.in.o.Space, "transnas:macro=1") == nil {
		return "transnas:macro=1", "macro"
	}
	return "transnas", "micro"
}

func (f *transnasFile) visit(path []any, key, value any) error {
	name, inFile := f.space()
	if path[1] != any(inFile) {
		return nil
	}
	if f.b == nil {
		var err error
		if f.b, err = f.in.builder(name); err != nil {
			return err
		}
		for _, mode := range []string{"best", "final"} {
			for _, task := range transnasTasks {
				f.b.column(task.column(mode))
			}
		}
	}
	row, where, tasks, err := f.b.record(key, value, "tasks")
	if err != nil {
		return err
	}
	for i, task := range transnasTasks {
		v, ok := tasks.get(task.name)
		if !ok {
			continue
		}
		where := where + ", task " + task.name
		record, ok := v.(*dict)
		if !ok {
			return bad(where, "is a %s, expected a dictionary", kind(v))
		}
		v, _ = record.get("metrics")
		metrics, ok := v.(*dict)
		if !ok {
			return bad(where, "its metrics are a %s, expected a dictionary", kind(v))
		}
		v, ok = metrics.get(task.metric)
		if !ok {
			return bad(where, "it has no %s, but %s", task.metric, keysOf(metrics))
		}
		epochs, ok := reals(v)
		if !ok || len(epochs) == 0 {
			return bad(where, "its %s is a %s, expected a list of numbers, one an epoch", task.metric, kind(v))
		}
		// The benchmark's API takes the largest value for the best in all tasks: losses have a minus sign.
		f.b.set(row, i, slices.Max(epochs))
		f.b.set(row, len(transnasTasks)+i, epochs[len(epochs)-1])
	}
	return nil
}

func (f *transnasFile) table(in *input, _ *dict) (*Table, error) {
	name, inFile := f.space()
	if in.o.Space != "" {
		if err := same(in.o.Space, name); err != nil {
			return nil, err
		}
	}
	if f.b == nil {
		return nil, bad("", "it has no architecture of the %s space", inFile)
	}
	t := f.b.table(in.source("TransNAS-Bench-101 (Duan et al., CVPR 2021), MIT licence"))
	if t.Len() == 0 {
		return nil, bad("", "no architecture has a value")
	}
	return t, nil
}
