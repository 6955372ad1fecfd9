package journal_test

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/zeroshotnas/zeroshot/zico/journal"
)

// A run of work keeps its results in a file of its own. Started again after whatever end, it goes on behind the last one.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for range 2 {
		j, err := journal.Open(filepath.Join(dir, "squares.jsonl"), journal.Options{Header: []byte(`{"format":"squares"}`), Whole: json.Valid, Exclusive: true})
		if err != nil {
			log.Fatal(err)
		}
		n := -1 // the header is no result
		for line, err := range j.Lines() {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf("there: %s\n", line.Text)
			n++
		}
		if err := j.Append(fmt.Appendf(nil, `{"n":%d,"square":%d}`, n, n*n)); err != nil {
			log.Fatal(err)
		}
		if err := j.Close(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// there: {"format":"squares"}
	// there: {"format":"squares"}
	// there: {"n":0,"square":0}
}
