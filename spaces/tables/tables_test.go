package tables

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/nasbench101"
	"github.com/zeroshotnas/zeroshot/spaces/spacetest"
)

// shared returns a file of the folder shared/ beside the repository, or skips the test.
func shared(t testing.TB, name ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "..", "shared"}, name...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs %s beside the repository", filepath.Join(append([]string{"shared"}, name...)...))
	}
	return path
}

func open(t testing.TB, path string) *Table {
	t.Helper()
	tab, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// best is the architecture with the largest value.
func best(tab *Table, column string) (arch spaces.Arch, value float64) {
	for a, v := range tab.All(column) {
		if arch == "" || v > value {
			arch, value = a, v
		}
	}
	return arch, value
}

const all3x3 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"

// TestCompact checks the compact files by the numbers that shared/reference/DATA.md has verified against the benchmarks, and pins the hashes.
func TestCompact(t *testing.T) {
	type value struct {
		arch, column, want string // want as printed there; "" for arch: the best
	}
	for _, c := range []struct {
		file, space string
		rows        int
		hash        string
		values      []value
	}{
		{"tss.bin.gz", "natstss", 15625, "3c71fc0d350251d8c36443ccf85851aa657bc3697dde22790acddedea86211de", []value{
			{"", "cifar10/test", "94.3733"},
			{"", "cifar100/test", "73.5133"},
			{"", "ImageNet16-120/test", "47.3111"},
			{"|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|", "cifar10/test", "94.3733"},
			{all3x3, "cifar10/test", "94.3633"},
			{all3x3, "cifar100/test", "73.5133"},
			{all3x3, "ImageNet16-120/test", "46.3444"},
		}},
		{"tss_test_only.bin.gz", "natstss", 15625, "581b5c989f9164b189f9ae87eb92c531bec9a6e0d118e7c0cfd86cc43791f420", []value{
			{"", "cifar10/test", "94.3733"}, {all3x3, "cifar100/test", "73.5133"},
		}},
		{"sss.bin.gz", "natssss", 32768, "7d282cbfb38bc3b320945ba682963c25ac43010020cc19668abe5e13a1e37354", []value{
			{"", "cifar10/test", "93.6500"},
			{"", "cifar100/test", "71.3400"},
			{"", "ImageNet16-120/test", "47.4000"},
			{"0", "cifar10/test", "79.7900"},
			{"11", "cifar10/test", "85.7700"},
			{"284", "cifar10/test", "89.5100"},
		}},
		{"tnb_micro.bin.gz", "transnas", 4096, "521db81e7090876228326f662f19a0f7ee5f1570039c5450c34b77a12adcf46b", []value{
			{"", "class_scene/best", "54.9363"},
			{"", "class_object/best", "46.3177"},
			{"", "room_layout/best", "-0.5938"},
			{"", "jigsaw/best", "95.3722"},
			{"", "segmentsemantic/best", "26.2707"},
			{"", "normal/best", "0.5962"},
			{"", "autoencoder/best", "0.5772"},
		}},
		{"nb101_test.bin.gz", "nasbench101", 423624, "cd64e6ee44efbe6381e3d5b52b003ff12993c7db50f3d48bc4c9482245360bca", nil},
	} {
		t.Run(c.file, func(t *testing.T) {
			tab := open(t, shared(t, "data", c.file))
			if tab.Space() != c.space || tab.Len() != c.rows {
				t.Errorf("%d architectures of %s, want %d of %s", tab.Len(), tab.Space(), c.rows, c.space)
			}
			if tab.Hash() != c.hash {
				t.Errorf("the hash is %s, want %s: certificates of results name it", tab.Hash(), c.hash)
			}
			if !strings.Contains(tab.Source(), c.file) || !strings.Contains(tab.Source(), "licence") {
				t.Errorf("the source %q lacks the file or the licence", tab.Source())
			}
			for _, v := range c.values {
				got, ok := tab.Value(spaces.Arch(v.arch), v.column)
				if v.arch == "" {
					_, got = best(tab, v.column)
					ok = true
				}
				if s := strconv.FormatFloat(got, 'f', 4, 64); !ok || s != v.want {
					t.Errorf("%s of %q is %s, %v, want %s", v.column, v.arch, s, ok, v.want)
				}
			}
		})
	}
}

// TestTSSOrder checks the order of the rows by the benchmark's own index: the best architectures have the indices of shared/reference/DATA.md.
func TestTSSOrder(t *testing.T) {
	path := shared(t, "data", "tss.bin.gz")
	raw := gunzip(t, path)
	tab := open(t, path)
	for column, want := range map[string]uint16{"cifar10/test": 6111, "cifar100/test": 9930, "ImageNet16-120/test": 857} {
		_, most := best(tab, column)
		var all []uint16 // two cells share the best value of CIFAR-10
		i := 0
		for _, v := range tab.All(column) {
			if v == most {
				all = append(all, binary.LittleEndian.Uint16(raw[2*i:]))
			}
			i++
		}
		if !slices.Contains(all, want) {
			t.Errorf("the best of %s have the indices %v, want %d among them", column, all, want)
		}
	}
}

func gunzip(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestCorrelations recomputes a rank correlation of shared/reference/DATA.md, which no wrong order of the rows would have: parameters against test accuracies, Spearman .7527, .7278 and .6915.
func TestCorrelations(t *testing.T) {
	tab := open(t, shared(t, "data", "tss.bin.gz"))
	for column, want := range map[string]string{"cifar10/test": "0.7527", "cifar100/test": "0.7278", "ImageNet16-120/test": "0.6915"} {
		var accuracy, parameters []float64
		for a, v := range tab.All(column) {
			accuracy = append(accuracy, v)
			// In a cell of c channels a 3x3 convolution has 9c*c+2c parameters, a 1x1 convolution c*c+2c; the rest is the same for all.
			n3, n1 := float64(strings.Count(string(a), "3x3~")-strings.Count(string(a), "pool_3x3~")), float64(strings.Count(string(a), "1x1~"))
			sum := 0.0
			for _, c := range []float64{16, 32, 64} {
				sum += n3*(9*c*c+2*c) + n1*(c*c+2*c)
			}
			parameters = append(parameters, sum)
		}
		if rho := strconv.FormatFloat(spacetest.Spearman(parameters, accuracy), 'f', 4, 64); rho != want {
			t.Errorf("%s: the rank correlation with the parameters is %s, want %s", column, rho, want)
		}
	}
}

// TestNB101Order checks the order of NAS-Bench-101's rows: the best cell, and the first one by what its files say of it, 0.9206063151359558 (as quoted in several repositories, e.g. the JSON of CTNAS).
func TestNB101Order(t *testing.T) {
	path := shared(t, "data", "nb101_test.bin.gz")
	if testing.Short() {
		t.Skip("computes 423,624 hashes")
	}
	tab := open(t, path)
	if v, ok := tab.Value("00005c142e6f48ac74fdcf73e3439874", "cifar10/test"); !ok || math.Abs(v-92.06063151359558) > 1e-4 {
		t.Errorf("the first cell has %v, %v, want 92.0606", v, ok)
	}
	a, v := best(tab, "cifar10/test")
	h, err := nasbench101.Hash(a)
	if err != nil || h != "02e5a0247bbdcf2860b7e96f74961594" || strconv.FormatFloat(v, 'f', 4, 64) != "94.3176" {
		t.Errorf("the best cell is %s, %v with %v, want 02e5a0247bbdcf2860b7e96f74961594 with 94.3176", h, err, v)
	}
}

// TestEmbedded compares the embedded table with the rounded means of the compact one, and pins its hash.
func TestEmbedded(t *testing.T) {
	tab, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(Names(), []string{"embedded", "nb201-valid"}) {
		t.Errorf("the names are %q", Names())
	}
	for _, name := range Names() {
		if again, err := Open(context.Background(), name, Options{Space: "natstss:C=16,N=5"}); again != tab || err != nil {
			t.Errorf("Open(%q) is another table than Embedded, or %v", name, err)
		}
	}
	const hash = "b9818bc3392bdf6ea6c6579617a3f99035c69538a1ca224583f4599a0ddff6a3"
	if tab.Hash() != hash || tab.Len() != 15625 || tab.Space() != "natstss" {
		t.Errorf("%d architectures of %s with the hash %s, want 15625 of natstss with %s", tab.Len(), tab.Space(), tab.Hash(), hash)
	}
	if len(embeddedData) > 190<<10 {
		t.Errorf("the embedded file has %d bytes", len(embeddedData))
	}
	// The optima are those of NAS-Bench-201's paper (91.61, 73.49), and 46.73.
	for column, want := range map[string]string{"cifar10/valid": "91.61", "cifar100/valid": "73.49", "ImageNet16-120/valid": "46.73"} {
		if _, v := best(tab, column); strconv.FormatFloat(v, 'f', 2, 64) != want {
			t.Errorf("the best of %s is %v, want %s", column, v, want)
		}
	}
	compact := open(t, shared(t, "data", "tss.bin.gz"))
	for _, c := range tab.Columns() {
		n := 0
		for a, v := range tab.All(c.Name) {
			w, ok := compact.Value(a, c.Name)
			if !ok || math.Abs(v-w) > 0.5/600+1e-9 {
				t.Fatalf("%s of %s is %v, the compact table has %v, %v", c.Name, a, v, w, ok)
			}
			n++
		}
		if n != 15625 {
			t.Errorf("%s has %d values", c.Name, n)
		}
	}
}

func TestCompactErrors(t *testing.T) {
	raw := gunzip(t, shared(t, "data", "tss.bin.gz"))
	twice, high := bytes.Clone(raw), bytes.Clone(raw)
	copy(twice[2:4], twice[:2])
	binary.LittleEndian.PutUint16(high[2*15625+200:], 60001)
	zipped := func(data []byte) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(data)
		z.Close()
		return b.Bytes()
	}
	damaged := zipped(raw)
	damaged[len(damaged)-6] ^= 1
	for _, c := range []struct {
		name string
		data []byte
		o    Options
		want error
		says string
	}{
		{"tss.bin", raw[:len(raw)-1], Options{}, ErrTruncated, "byte 218749"},
		{"tss.bin", append(bytes.Clone(raw), 0), Options{}, ErrFormat, "byte 218750"},
		{"tss.bin", twice, Options{}, ErrFormat, "byte 2: the index of NATS-Bench"},
		{"other.bin", high, Options{}, ErrFormat, "above 100 %"},
		{"other.bin", raw[1:], Options{}, ErrFormat, "no known format"},
		{"tss.bin.gz", damaged, Options{}, ErrFormat, "damaged"},
		{"tss.bin.gz", zipped(raw)[:1000], Options{}, ErrTruncated, "too early"},
		{"tss.bin.gz", nil, Options{}, ErrTruncated, "empty"},
		{"tss.bin", raw, Options{Space: "natssss"}, ErrSpace, "natstss"},
		{"table.xz", []byte("\xfd7zXZ\x00\x00"), Options{}, ErrFormat, "decompress it first"},
	} {
		_, err := read(context.Background(), bytes.NewReader(c.data), c.name, c.o)
		err = of(c.name, err)
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) || !strings.Contains(fmt.Sprint(err), c.name) {
			t.Errorf("%s: %v, want an error (%v) that says %q", c.name, err, c.want, c.says)
		}
	}
	if tab, err := read(context.Background(), bytes.NewReader(raw), "renamed", Options{Space: "natstss:C=8,N=1"}); err != nil || tab.Len() != 15625 {
		t.Errorf("a compact file of another name: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	ctx := context.Background()
	if _, err := Open(ctx, "testdata/missing", Options{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), EmbeddedName) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := Open(ctx, EmbeddedName, Options{Space: "nasbench101"}); !errors.Is(err, ErrSpace) {
		t.Errorf("the embedded table as one of nasbench101: %v", err)
	}
	if _, err := Open(ctx, "testdata/zc_nasbench201.json", Options{Space: "nowhere"}); !errors.Is(err, spaces.ErrUnknownSpace) {
		t.Errorf("a table of an unknown space: %v", err)
	}
	if _, err := Open(ctx, t.TempDir(), Options{}); !errors.Is(err, ErrFormat) {
		t.Errorf("an empty folder: %v", err)
	}
	for name, space := range map[string]string{
		"NATS-tss-v1_0-3ffb9.pickle.pbz2": "natssss", "NATS-sss-v1_0-50262-simple": "natstss", "NAS-Bench-201-v1_0-e61699.pth": "transnas", "transnas-bench_zip.pth": "natstss",
		"nb201_cifar10_full_training.pickle": "nasbench101", "nasbench_only108.tfrecord": "natstss",
	} {
		if _, err := Open(ctx, filepath.Join("testdata", name), Options{Space: space}); !errors.Is(err, ErrSpace) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s as a table of %s: %v", name, space, err)
		}
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	for _, name := range []string{"NATS-tss-v1_0-3ffb9.pickle.pbz2", "NATS-tss-v1_0-3ffb9-simple", "NAS-Bench-201-v1_1-096897.pth", "nasbench_only108.tfrecord", "zc_nasbench201.json"} {
		if _, err := Open(stopped, filepath.Join("testdata", name), Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s after the end of its context: %v", name, err)
		}
	}
}

// TestFolder reads folders that miss a file or have a wrong one.
func TestFolder(t *testing.T) {
	const source = "testdata/NATS-tss-v1_0-3ffb9-simple"
	folder := func(change func(dir string) error) string {
		t.Helper()
		dir := t.TempDir()
		if err := errors.Join(os.CopyFS(dir, os.DirFS(source)), change(dir)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	remove := func(name string) func(string) error {
		return func(dir string) error { return os.Remove(filepath.Join(dir, name)) }
	}
	want := open(t, source)
	for name, rows := range map[string]int{"meta.pickle.pbz2": 2, "000000.pickle.pbz2": 1} {
		tab := open(t, folder(remove(name)))
		if tab.Len() != rows {
			t.Errorf("without %s there are %d architectures, want %d", name, tab.Len(), rows)
		}
		for a, v := range tab.All("cifar10/test") {
			if w, ok := want.Value(a, "cifar10/test"); !ok || v != w {
				t.Errorf("without %s: %s has %v, want %v", name, a, v, w)
			}
		}
	}
	for _, c := range []struct {
		change func(dir string) error
		want   error
		says   string
	}{
		{func(dir string) error { return os.Truncate(filepath.Join(dir, "000001.pickle.pbz2"), 3000) }, ErrTruncated, "000001.pickle.pbz2"},
		{func(dir string) error { return os.Truncate(filepath.Join(dir, "meta.pickle.pbz2"), 0) }, ErrTruncated, "meta.pickle.pbz2"},
		{func(dir string) error {
			return os.Rename(filepath.Join(dir, "000001.pickle.pbz2"), filepath.Join(dir, "000002.pickle.pbz2"))
		}, ErrFormat, "architecture 2: it is |none~0|"},
		{func(dir string) error {
			return os.Rename(filepath.Join(dir, "000001.pickle.pbz2"), filepath.Join(dir, "3.pickle.pbz2"))
		}, ErrFormat, "architecture 3: the list of architectures has 3"},
		{func(dir string) error {
			return os.Rename(filepath.Join(dir, "meta.pickle.pbz2"), filepath.Join(dir, "2.pickle.pbz2"))
		}, ErrFormat, "it has no training"},
		{func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "5.pickle.pbz2"), []byte("BZh9"), 0o600)
		}, ErrTruncated, "5.pickle.pbz2"},
	} {
		dir := folder(c.change)
		if _, err := Open(context.Background(), dir, Options{}); !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%v, want an error (%v) that says %q", err, c.want, c.says)
		}
	}
}

func TestTable(t *testing.T) {
	tab, err := readText("arch,cifar10/a,cifar10/b\n|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,1,\n15624,,-Inf\n7,nan,\n3,0.1,2\n", "t.csv", Options{Space: "natstss"})
	if err != nil {
		t.Fatal(err)
	}
	if tab.Len() != 3 {
		t.Errorf("%d architectures have a value, want 3", tab.Len())
	}
	var order []float64
	for a, v := range tab.All("cifar10/a") {
		i, err := tab.indexer.Index(a)
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, float64(i), v)
	}
	if want := []float64{0, 1, 3, 0.1}; !slices.Equal(order, want) {
		t.Errorf("All gives %v, want index and value %v", order, want)
	}
	for range tab.All("cifar10/b") {
		break // stopping is allowed
	}
	for range tab.All("cifar10/c") {
		t.Error("an unknown column has values")
	}
	for _, c := range []struct {
		arch, column string
		want         float64
		ok           bool
	}{
		{"15624", "cifar10/b", math.Inf(-1), true},
		{"15624", "cifar10/a", 0, false},
		{"7", "cifar10/a", 0, false},
		{"4", "cifar10/a", 0, false},
		{"3", "cifar10/c", 0, false},
		{"conv3x3~0,output~1", "cifar10/a", 0, false},
	} {
		if v, ok := tab.Value(spaces.Arch(c.arch), c.column); v != c.want || ok != c.ok {
			t.Errorf("Value(%s, %s) is %v, %v, want %v, %v", c.arch, c.column, v, ok, c.want, c.ok)
		}
	}
	if c, err := tab.Column("cifar10/b"); err != nil || c.Dataset != "cifar10" || c.Metric != "b" {
		t.Errorf("Column: %v, %v", c, err)
	}
	if _, err := tab.Column("cifar10/c"); err == nil || !strings.Contains(err.Error(), "cifar10/a, cifar10/b") {
		t.Errorf("an unknown column: %v", err)
	}
}

// TestHash checks that equal content has an equal hash, whatever the order of the rows, and other content another one.
func TestHash(t *testing.T) {
	hash := func(text string) string {
		t.Helper()
		tab, err := readText(text, "t.csv", Options{Space: "natstss"})
		if err != nil {
			t.Fatal(err)
		}
		return tab.Hash()
	}
	base := hash("index,a,b\n1,2,3\n4,5,6\n")
	if again := hash("arch,a,b\n4,5.0,6\n1,2,3e0\n9,,\n"); again != base {
		t.Errorf("the same content has the hashes %s and %s", base, again)
	}
	for _, other := range []string{"index,a,c\n1,2,3\n4,5,6\n", "index,b,a\n1,2,3\n4,5,6\n", "index,a,b\n1,2,3\n4,5,7\n", "index,a,b\n1,2,3\n3,5,6\n", "index,a,b\n1,2,3\n", "index,a,b\n1,2,3\n4,5,\n"} {
		if hash(other) == base {
			t.Errorf("%q has the hash of another content", other)
		}
	}
}

// TestConcurrent uses a table from several goroutines; the race detector has the last word.
func TestConcurrent(t *testing.T) {
	tab, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan float64)
	for range 4 {
		go func() {
			rng := rand.New(rand.NewPCG(1, 2))
			v, _ := tab.Value(tab.space.Sample(rng), "cifar10/valid")
			for range tab.All("cifar100/valid") {
			}
			tab.Hash()
			done <- v
		}()
	}
	first := <-done
	for range 3 {
		if v := <-done; v != first {
			t.Errorf("%v and %v", first, v)
		}
	}
}
