package tables

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readNASBench reads a file that has only some of the cells.
func readNASBench(data []byte, cells int) (*Table, error) {
	in := &input{ctx: context.Background(), path: "nasbench.tfrecord"}
	if err := in.decompress(bytes.NewReader(data)); err != nil {
		return nil, err
	}
	b, err := in.builder("nasbench101")
	if err != nil {
		return nil, err
	}
	return in.nasbench(b, cells)
}

func nasbenchFile(t testing.TB, name string) []byte {
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestChecksum checks the masked CRC-32C by the value that the iSCSI standard (RFC 3720, B.4) gives for 32 zeros, 0x8a9136aa.
func TestChecksum(t *testing.T) {
	crc := uint32(0x8a9136aa)
	if got, want := masked(make([]byte, 32)), (crc>>15|crc<<17)+0xa282ead8; got != want {
		t.Errorf("the masked checksum of 32 zeros is %#x, want %#x", got, want)
	}
}

// TestNASBench101 reads files of three cells, written by the official message classes, and compares each value.
func TestNASBench101(t *testing.T) {
	if testing.Short() {
		t.Skip("computes 423,624 hashes")
	}
	var files map[string]struct {
		Space   string
		Columns map[string]map[string]any
	}
	if err := json.Unmarshal(nasbenchFile(t, "expected.json"), &files); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nasbench_only108.tfrecord", "nasbench_full.tfrecord"} {
		tab, err := readNASBench(nasbenchFile(t, name), 3)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, tab, files[name].Space, files[name].Columns)
		if _, err := Open(context.Background(), filepath.Join("testdata", name), Options{}); !errors.Is(err, ErrTruncated) || !strings.Contains(err.Error(), "3 of 423624 cells") {
			t.Errorf("%s has three cells, which is too few: %v", name, err)
		}
	}
}

func TestNASBench101Errors(t *testing.T) {
	if testing.Short() {
		t.Skip("computes 423,624 hashes")
	}
	data := nasbenchFile(t, "nasbench_only108.tfrecord")
	size := func(at int) int { return 12 + int(data[at]) + int(data[at+1])<<8 + 4 } // of the record at a place
	first, last := size(0), 0
	for last+size(last) < len(data) {
		last += size(last)
	}
	flip := func(at int) []byte {
		d := bytes.Clone(data)
		d[at] ^= 1
		return d
	}
	frame := func(text string) []byte {
		var b bytes.Buffer
		length := []byte{byte(len(text)), byte(len(text) >> 8), 0, 0, 0, 0, 0, 0}
		b.Write(length)
		put := func(c uint32) { b.Write([]byte{byte(c), byte(c >> 8), byte(c >> 16), byte(c >> 24)}) }
		put(masked(length))
		b.WriteString(text)
		put(masked([]byte(text)))
		return b.Bytes()
	}
	record := func(hash, matrix string, message []byte) []byte {
		return frame(fmt.Sprintf(`[%q, 108, %q, "input,conv3x3-bn-relu,output", %q]`, hash, matrix, base64.StdEncoding.EncodeToString(message)))
	}
	three := strings.Repeat("\x0a\x09\x29\x00\x00\x00\x00\x00\x00\xe0\x3f", 3) // test accuracy 0.5
	const hash = "00005c142e6f48ac74fdcf73e3439874"
	for _, c := range []struct {
		name string
		data []byte
		want error
		says string
	}{
		{"a wrong length", append(bytes.Clone(data[:first]), flip(first)[first:]...), ErrFormat, "record 1: the length"},
		{"a wrong byte", flip(40), ErrFormat, "record 0: the data do not have their checksum"},
		{"two runs of the last cell", data[:last], ErrTruncated, "different numbers of trainings"},
		{"no list", frame("{}"), ErrFormat, "record 0: is \"{}\""},
		{"a short list", frame(`["a", 1]`), ErrFormat, "expected a list"},
		{"no hash", record("abc", "010001000", []byte(three)), ErrFormat, "32 digits"},
		{"an unknown hash", record(strings.Repeat("0", 32), "010001000", []byte(three)), ErrFormat, "no cell of the benchmark"},
		{"another graph", record(hash, "010001000", []byte(three)), ErrFormat, "does not have the hash"},
		{"another matrix", record(hash, "0100", []byte(three)), ErrFormat, "a matrix of 4 digits"},
		{"no base64", frame(`["` + hash + `", 108, "", "", "!"]`), ErrFormat, "not base64"},
		{"no epochs", frame(`["` + hash + `", 0, "", "", ""]`), ErrFormat, "0 epochs"},
		{"two evaluations", record(hash, "", []byte(three[:22])), ErrFormat, "2 evaluations"},
		{"an accuracy of 2", record(hash, "", []byte(strings.ReplaceAll(three, "\xe0\x3f", "\x00\x40"))), ErrFormat, "not between 0 and 1"},
		{"a message that is cut off", record(hash, "", []byte(three[:30])), ErrFormat, "a field of 9 bytes"},
	} {
		_, err := readNASBench(c.data, 3)
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v, want an error (%v) that says %q", c.name, err, c.want, c.says)
		}
	}
}

// FuzzNASBench looks for panics in records.
func FuzzNASBench(f *testing.F) {
	data := nasbenchFile(f, "nasbench_only108.tfrecord")
	f.Add(data[12 : 12+int(data[0])+int(data[1])<<8])
	f.Add([]byte(`["00005c142e6f48ac74fdcf73e3439874", 108, "", "", "CgkpAAAAAAAA4D8="]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseNASBench(data)
		if err == nil && (r.epochs < 1 || len(r.hash) != 32) {
			t.Errorf("%+v", r)
		}
		r.metrics(data)
	})
}
