package gonbext

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
)

// TestSearches draws the logs of two searches over each other, and refuses logs whose scores mean different things.
func TestSearches(t *testing.T) {
	dir := t.TempDir()
	search := func(name, method, column string) string {
		path := filepath.Join(dir, name)
		if _, err := Search(SearchOptions{Table: "embedded", Columns: []string{column}, Method: method, Iterations: 200, Log: path, Quiet: true}); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a, b := search("a", "random", "cifar10/valid"), search("b", "aging:population=20,sample=5", "cifar10/valid")
	ch, text, err := searches("two searches", []NamedLog{{"first", a}, {"second", b}}, []Mark{{"best of all", 91.6067}})
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"first ", "second ", "evaluations", "best of all ", "91.6067"} {
		if !strings.Contains(text, word) {
			t.Errorf("the text does not say %q:\n%s", word, text)
		}
	}
	for _, l := range ch.Lines {
		for i := 1; i < len(l.Points); i++ {
			if l.Points[i].X < l.Points[i-1].X || l.Points[i].Y < l.Points[i-1].Y {
				t.Errorf("the line of %s falls at %v", l.Name, l.Points[i])
			}
		}
	}
	if picture := ch.SVG(); !strings.Contains(picture, "best of all: 91.61") || !strings.Contains(picture, "evaluations") {
		t.Error("the picture lacks its mark or axis")
	}
	other := search("c", "random", "cifar100/valid")
	if _, _, err := searches("different", []NamedLog{{"first", a}, {"other", other}}, nil); err == nil || !strings.Contains(err.Error(), "cannot be compared") {
		t.Errorf("scores of two datasets in one picture: %v", err)
	}
	if _, _, err := searches("none", []NamedLog{{"none", filepath.Join(dir, "none")}}, nil); err == nil {
		t.Error("a log that is not there was drawn")
	}
	ShowChart(svg.Lines{Title: "t"}, "a chart in a terminal\n")
}
