package tables

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	_ "github.com/zeroshotnas/zeroshot/spaces/darts"
	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// suiteRows are rows of the files of NAS-Bench-Suite-Zero in automl/NASLib (naslib/data/zc_*.json at commits 0b116007, a06ba0e9 and e5a821c2), in the two layouts that they have had there: parameters in millions and validation accuracy of certain architectures.
var suiteRows = []struct {
	file, outer, dataset, key string
	params, accuracy          float64
}{
	{"zc_nasbench201.json", "nasbench201", "cifar100", "(4, 3, 3, 3, 2, 3)", 0.434196, 68.33999986572266},
	{"zc_nasbench201.json", "nasbench201", "cifar100", "(3, 3, 2, 1, 3, 2)", 0.649236, 69.92000006103515},
	{"zc_nasbench201.json", "nasbench201", "cifar100", "(4, 1, 0, 0, 0, 3)", 0.107156, 56.77999997558594},
	{"zc_nasbench201.json", "nasbench201", "cifar100", "(1, 4, 1, 3, 4, 4)", 0.107156, 38.380000003051755},
	{"zc_nasbench201.json", "nasbench201", "cifar100", "(0, 0, 4, 1, 4, 4)", 0.079156, 32.53999995727539},
	{"zc_nasbench201.json", "nasbench201", "cifar100", "(2, 0, 2, 2, 2, 0)", 1.051316, 72.20000001220703},
	{"zc_nasbench201.json", "nasbench201", "cifar100", "(3, 4, 4, 4, 4, 4)", 0.107156, 50.41999998779297},
	{"zc_nasbench201.json", "", "cifar10", "(0, 2, 3, 2, 3, 1)", 0.615386, 86.06},
	{"zc_nasbench201.json", "", "cifar10", "(4, 0, 4, 1, 2, 0)", 0.316346, 83.62},
	{"zc_nasbench201.json", "", "cifar10", "(3, 4, 4, 4, 4, 4)", 0.101306, 77.66},
	{"zc_nasbench201.json", "", "cifar10", "(4, 4, 4, 0, 2, 0)", 0.316346, 68.62},
	{"zc_nasbench201.json", "", "cifar10", "(4, 0, 4, 0, 0, 0)", 0.073306, 33.28},
	{"zc_nasbench201.json", "", "cifar10", "(4, 3, 0, 4, 4, 1)", 0.101306, 77.6},
	{"zc_nasbench101.json", "nasbench101", "cifar10", "(0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 4, 4, 4, 1)", 4.095778, 92.578125},
	{"zc_nasbench101.json", "nasbench101", "cifar10", "(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 2, 4, 3, 3, 1)", 3.031562, 93.00881624221802},
	{"zc_nasbench101.json", "nasbench101", "cifar10", "(0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 4, 2, 3, 1)", 12.08897, 92.90865659713745},
	{"zc_nasbench301.json", "nasbench301", "cifar10", "[[(0, 4), (1, 3), (0, 2), (2, 3), (2, 3), (0, 3), (2, 6), (3, 5)], [(0, 3), (1, 3), (1, 1), (0, 5), (2, 3), (0, 2), (4, 4), (3, 1)]]", 1.204906, 93.90106806339374},
	{"zc_nasbench301.json", "nasbench301", "cifar10", "[[(1, 1), (0, 6), (1, 1), (0, 3), (1, 1), (2, 5), (0, 1), (4, 4)], [(0, 1), (1, 1), (0, 4), (2, 4), (0, 4), (1, 5), (2, 4), (4, 0)]]", 0.920618, 93.23039747649653},
	{"zc_transbench101_micro.json", "", "class_scene", "(1, 0, 0, 2, 1, 0)", 0.910687, 34.89251708984375},
	{"zc_transbench101_micro.json", "", "class_scene", "(1, 0, 0, 2, 2, 3)", 9.440607, 35.04180145263672},
	{"zc_transbench101_micro.json", "", "class_scene", "(0, 1, 1, 2, 3, 3)", 16.256351, 52.707008361816406},
	{"zc_transbench101_micro.json", "", "class_scene", "(3, 1, 0, 0, 2, 2)", 8.064351, 53.19466781616211},
	{"zc_transbench101_macro.json", "", "class_scene", "(1, 2, 4, 2, 0, 0)", 11.218783, 54.29438781738281},
	{"zc_transbench101_macro.json", "", "class_scene", "(4, 1, 3, 3, 3, 1)", 3.557343, 51.19426727294922},
	{"zc_transbench101_macro.json", "", "class_scene", "(3, 4, 4, 2, 1, 0)", 20.664287, 50.38813781738281},
}

// suiteText is a row in its layout.
func suiteText(i int) string {
	r := suiteRows[i]
	if r.outer != "" {
		return fmt.Sprintf(`{%q: {%q: {%q: {"flops": 1.5, "params": %v, "val_accuracy": %v}}}}`, r.outer, r.dataset, r.key, r.params, r.accuracy)
	}
	return fmt.Sprintf(`{%q: {%q: {"idx": "534", "arch": %q, "flops": {"score": 1.5, "time": 0.1}, "val_accuracy": %v, "params": {"score": %v, "time": 0.1}}}}`, r.dataset, r.key, r.key, r.accuracy, r.params)
}

// readText reads a file of a certain name from a string.
func readText(text, name string, o Options) (*Table, error) {
	t, err := read(context.Background(), strings.NewReader(text), name, o)
	return t, of(name, err)
}

// TestSuiteZeroRows checks the translation of NASLib's tuples by what the real files say of the architectures: their parameters, which the networks of our spaces must have, and their accuracies, which other tables must have too.
func TestSuiteZeroRows(t *testing.T) {
	embedded, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range suiteRows {
		t.Run(fmt.Sprintf("%s/%d", row.file, i), func(t *testing.T) {
			tab, err := readText(suiteText(i), row.file, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if tab.Len() != 1 {
				t.Fatalf("%d architectures, want 1", tab.Len())
			}
			arch := tab.arch(0)
			if v, ok := tab.Value(arch, row.dataset+"/val_accuracy"); !ok || v != row.accuracy {
				t.Errorf("val_accuracy is %v, %v, want %v", v, ok, row.accuracy)
			}
			if v, ok := tab.Value(arch, row.dataset+"/params"); !ok || v != row.params {
				t.Errorf("params is %v, %v, want %v", v, ok, row.params)
			}
			if tab.Space() == "nasbench101" && testing.Short() {
				return
			}
			name, tolerance := tab.Space(), 0.0
			classes := 0
			switch name {
			case "natstss":
				if row.dataset == cifar100 {
					classes = 100
				}
				// The file has one seed, the embedded table the mean of two or three.
				if v, ok := embedded.Value(arch, row.dataset+"/valid"); !ok || math.Abs(v-row.accuracy) > 1.5 {
					t.Errorf("%s: val_accuracy is %v, the embedded table has %v, %v", arch, row.accuracy, v, ok)
				}
			case "darts":
				// NASLib's networks of 8 cells have a few batch norms less.
				name, tolerance = "darts:C=32,cells=8", 0.015
			case "transnas", "transnas:macro=1":
				classes = 63 // in NASLib; the benchmark has 47
			}
			s, err := spaces.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			in := s.Input()
			if classes > 0 {
				in.Classes = classes
			}
			n, err := s.Network(arch, in)
			if err != nil {
				t.Fatal(err)
			}
			if p := float64(net.Params(n)); math.Abs(p-1e6*row.params) > 1e6*tolerance*row.params+0.5 {
				t.Errorf("%s has %.0f parameters, the file says %.0f", arch, p, 1e6*row.params)
			}
		})
	}
}

// TestSuiteZeroMicro compares the accuracies of TransNAS-Bench-101 in NASLib's file with the compact table.
func TestSuiteZeroMicro(t *testing.T) {
	compact := open(t, shared(t, "data", "tnb_micro.bin.gz"))
	n := 0
	for i, row := range suiteRows {
		if row.file != "zc_transbench101_micro.json" {
			continue
		}
		tab, err := readText(suiteText(i), row.file, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := compact.Value(tab.arch(0), row.dataset+"/final"); !ok || v != row.accuracy {
			t.Errorf("%s on %s is %v, %v in the compact table, %v in NASLib's file", tab.arch(0), row.dataset, v, ok, row.accuracy)
		}
		n++
	}
	if n == 0 {
		t.Error("no rows")
	}
}

func TestSuiteZeroErrors(t *testing.T) {
	for _, c := range []struct {
		name, text string
		o          Options
		want       error
		says       string
	}{
		{"zc_nasbench201.json", ``, Options{}, ErrTruncated, "empty"},
		{"zc_nasbench201.json", `{`, Options{}, ErrTruncated, "byte 1"},
		{"zc_nasbench201.json", `{}`, Options{}, ErrFormat, "no architectures"},
		{"zc_nasbench201.json", `{"cifar10": {}}`, Options{}, ErrFormat, "no architectures"},
		{"zc_nasbench201.json", `{"cifar10": {"(5, 0, 0, 0, 0, 0)": {"val_accuracy": 1}}}`, Options{}, ErrFormat, "number 1 of the tuple is 5"},
		{"zc_nasbench201.json", `{"cifar10": {"(1, 0, 0, 0, 0)": {"val_accuracy": 1}}}`, Options{}, ErrFormat, "5 numbers, expected 6"},
		{"zc_nasbench201.json", `{"cifar10": {"(1, 0, 0, 0, x, 0)": {"val_accuracy": 1}}}`, Options{}, ErrFormat, "no tuple"},
		{"zc_nasbench201.json", `{"cifar10": {"(1, 0, 0, 0, 0, 0)": {"val_accuracy": 1}, "(1, 0, 0, 0, 0, 0)": {"val_accuracy": 2}}}`, Options{}, ErrFormat, "two records"},
		{"zc_nasbench201.json", `{"cifar10": {"(1, 0, 0, 0, 0, 0)": {"val_accuracy": nan}}}`, Options{}, ErrFormat, "no value of JSON"},
		{"zc_nasbench201.json", `{"cifar10": {"(1, 0, 0, 0, 0, 0)": {"val_accuracy": "1"}}}`, Options{}, ErrFormat, "no architecture has a value"},
		{"zc_nasbench201.json", `{"cifar10": {"(1, 0, 0, 0, 0, 0)": {"val_accuracy": 1}}} x`, Options{}, ErrFormat, "something follows"},
		{"zc_nasbench201.json", `{"cifar10": {"(1, 0, 0, 0, 0, 0)": {"val_accuracy": 1}}}`, Options{Space: "natssss"}, ErrFormat, "natssss"},
		{"table.json", `{"ninapro": {"(1, 0, 0, 0, 0, 0)": {"val_accuracy": 1}}}`, Options{}, ErrFormat, "give Options.Space"},
		{"table.json", `{"nasbench201": {"ninapro": {"(1, 0, 0, 0, 0, 0)": {"val_accuracy": 1}}}}`, Options{Space: "transnas"}, ErrSpace, "natstss"},
		{"zc_nasbench101.json", `{"cifar10": {"(0, 1, 0, 0, 0, 7)": {"val_accuracy": 1}}}`, Options{}, ErrFormat, "expected an operation"},
		{"zc_nasbench101.json", `{"cifar10": {"(0, 2, 0, 0, 0, 1)": {"val_accuracy": 1}}}`, Options{}, ErrFormat, "expected 0 or 1"},
		{"zc_nasbench301.json", `{"cifar10": {"((0, 1), (1, 2))": {"val_accuracy": 1}}}`, Options{}, ErrFormat, "two cells"},
		{"zc.json", `{"a": ` + strings.Repeat(`{"a": `, 200), Options{}, ErrFormat, "give Options.Space"},
		{"zc_nasbench201.json", `{"cifar10": {"(1, 0, 0, 0, 0, 0)": {"x": ` + strings.Repeat("[", 200), Options{}, ErrFormat, "inside each other"},
		{"zc_nasbench201.json", `{"cifar10": {"` + strings.Repeat("x", 1<<17), Options{}, ErrFormat, "a string of more than"},
	} {
		_, err := readText(c.text, c.name, c.o)
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) || !strings.Contains(fmt.Sprint(err), c.name) {
			t.Errorf("%.80s of %s: %v, want an error (%v) that says %q", c.text, c.name, err, c.want, c.says)
		}
	}
}

// FuzzJSON looks for panics and for tables without rows.
func FuzzJSON(f *testing.F) {
	for i, row := range suiteRows {
		// Under the fuzzer, the table of NAS-Bench-101's hashes takes longer than an input may.
		if row.outer != "nasbench101" {
			f.Add(suiteText(i))
		}
	}
	f.Add(`{"cifar10": {"(1, 0, 0, 0, 0, 0)": {"\u0061": [null, true, {"b": -Infinity}], "zen": {"score": NaN}, "val_accuracy": 1e999}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "nasbench101") {
			return
		}
		tab, err := readText(text, "zc_nasbench201.json", Options{})
		if (err == nil) != (tab != nil) || err == nil && tab.Len() == 0 {
			t.Errorf("table %v, error %v", tab, err)
		}
	})
}
