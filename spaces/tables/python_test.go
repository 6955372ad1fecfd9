package tables

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// pythonFiles writes files of NATS-Bench's layout in the protocols of pickle that begin with their number, as those of all published files do. Dictionaries of one item, which pickles write otherwise than longer ones, are at every level; strings, tuples and a list are shared between the records; 1,001 and 2,001 records have a last one by itself.
const pythonFiles = `
import pickle, sys
OPS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
def arch(i):
    d = [i // 5**k % 5 for k in (5, 4, 3, 2, 1, 0)]
    return "|%s~0|+|%s~0|%s~1|+|%s~0|%s~1|%s~2|" % tuple(OPS[x] for x in d)
key, shared, empty = ("cifar10", 777), [1.5, {"a": [2]}], {}
def record(i):
    def result(sets):
        return {"name": arch(i), "shared": shared, "empty": empty, "epochs": 1, "train_acc1es": {0: 1.5}, "eval_acc1es": {"%s@0" % s: i + 0.5 + k for k, s in enumerate(sets)}}
    results = {key: result(["ori-test"])}
    if i % 3 == 1:
        results[("cifar100", i)] = result(["x-valid", "x-test"])
    runs = {"200": {"arch_str": arch(i), "all_results": results}}
    if i % 2 == 1:
        runs["12"] = {"all_results": {key: result(["ori-test"])}}
    return runs
for protocol in range(2, 6):
    for n in (1, 2, 3, 1001, 2001):
        if n > 3 and protocol not in (2, 4):
            continue
        for lone in (False, True):
            whole = {"arch2infos": {i: record(i) for i in range(n)}}
            if not lone:
                whole = {"meta_archs": [arch(i) for i in range(n)], **whole, "evaluated_indexes": set(range(n))}
            with open("%s/%d-%d-%s.pickle" % (sys.argv[1], protocol, n, lone), "wb") as f:
                pickle.dump(whole, f, protocol=protocol)
`

// TestPython reads what the Python of this machine writes.
func TestPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3")
	}
	dir := t.TempDir()
	if out, err := exec.Command(python, "-c", pythonFiles, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.pickle"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		words := strings.Split(filepath.Base(file), "-")
		n, err := strconv.Atoi(words[1])
		if err != nil {
			t.Fatal(err)
		}
		tab := open(t, file)
		if tab.Len() != n {
			t.Errorf("%s has %d architectures, want %d", filepath.Base(file), tab.Len(), n)
		}
		for i := range n {
			a := tab.arch(i)
			for column, want := range map[string]float64{"cifar10/test": 0.5, "cifar10/test@12": 0.5, "cifar100/valid": 0.5, "cifar100/test": 1.5, "cifar10/valid": 0} {
				there := column == "cifar10/test" || column == "cifar10/test@12" && i%2 == 1 || strings.HasPrefix(column, "cifar100") && i%3 == 1
				if v, ok := tab.Value(a, column); ok != there || ok && v != float64(i)+want {
					t.Fatalf("%s: %s of %s is %v, %v, want %v, %v", filepath.Base(file), column, a, v, ok, float64(i)+want, there)
				}
			}
		}
	}
}
