package export_test

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/masternet"
	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/export"
)

func open(t *testing.T, name string) spaces.Space {
	t.Helper()
	s, err := spaces.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t *testing.T, name ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(name...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestFolder writes folders of two spaces and looks into each file.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "found")
	score := 971.6452
	o := export.Options{Input: spaces.Input{Size: 16, Classes: 20}, Score: &score}
	files, err := export.Folder(dir, open(t, "natstss:C=4,N=1"), "1462", o)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"arch.txt", "network.json", "network.svg", "cell.svg", "layers.md", "layers.csv", "model.py", "model/main.go"}; !slices.Equal(files, want) {
		t.Errorf("files %v, want %v", files, want)
	}
	s := natstss.Space{C: 4, N: 1}
	a, err := s.Parse(strings.TrimSpace(read(t, dir, "arch.txt")))
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Network(a, o.Input)
	if err != nil {
		t.Fatal(err)
	}

	var d struct {
		export.Description
		Score  float64
		Output int
	}
	if err := json.Unmarshal([]byte(read(t, dir, "network.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.Space != s.Name() || d.Arch != string(a) || *d.Index != 1462 || d.Pixels != 16 || d.Classes != 20 || d.Score != score || d.Output != n.Output || len(d.Layers) != len(n.Nodes) || len(d.Dead) != 3 {
		t.Errorf("network.json says %+v", d)
	}
	if c := net.Count(n); d.Params != c.Params || d.FLOPs["macs"] != c.MACs || d.FLOPs["ptflops"] != net.FLOPs(n, net.PTFlops) {
		t.Errorf("network.json counts %d and %v", d.Params, d.FLOPs)
	}
	for _, name := range []string{"network.svg", "cell.svg"} {
		x := xml.NewDecoder(strings.NewReader(read(t, dir, name)))
		for {
			if _, err := x.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	rows, err := csv.NewReader(strings.NewReader(read(t, dir, "layers.csv"))).ReadAll()
	if err != nil || len(rows) != len(n.Nodes)+2 {
		t.Errorf("layers.csv has %d rows, %v", len(rows), err)
	}
	if md := read(t, dir, "layers.md"); strings.Count(md, "\n") != len(n.Nodes)+3 || !strings.Contains(md, "| 1 | conv 3x3 4 | `stem.0` | 0 | 4 | 16 | 16 | 108 | 27648 |") {
		t.Errorf("layers.md:\n%.600s", md)
	}
	python := read(t, dir, "model.py")
	for _, want := range []string{"natstss:C=4,N=1", string(a), "971.6452 (ZiCo)", "num_classes=20", "torch.randn(2, 3, 16, 16)", "no gradient reaches", "    cells_0_layers_4_op_1\n"} {
		if !strings.Contains(python, want) {
			t.Errorf("model.py lacks %q:\n%.900s", want, python)
		}
	}

	// Again: the same files are no trouble, another score is, and a file of the user's.
	if _, err := export.Folder(dir, s, "1462", o); err != nil {
		t.Errorf("exporting the same again: %v", err)
	}
	before := read(t, dir, "model.py")
	score++
	if _, err := export.Folder(dir, s, "1462", o); !errors.Is(err, export.ErrOccupied) || !strings.Contains(err.Error(), "other contents") {
		t.Errorf("exporting over other contents: %v", err)
	}
	if read(t, dir, "model.py") != before {
		t.Error("a file was overwritten")
	}
	own := t.TempDir()
	write(t, own, "thesis.tex", nil)
	if _, err := export.Folder(own, s, "1462", o); !errors.Is(err, export.ErrOccupied) || !strings.Contains(err.Error(), "thesis.tex") {
		t.Errorf("exporting beside a file: %v", err)
	}
	if list, _ := os.ReadDir(own); len(list) != 1 {
		t.Error("something was written beside a file")
	}
	if _, err := export.Folder(filepath.Join(own, "thesis.tex"), s, "1462", o); err == nil || !strings.Contains(err.Error(), "thesis.tex is a file") {
		t.Errorf("exporting into a file: %v", err)
	}
	var bad *spaces.ParseError
	if _, err := export.Folder(own, s, "|what|", o); !errors.As(err, &bad) {
		t.Errorf("exporting no architecture: %v", err)
	}
	if _, err := export.Folder("", s, "1462", o); err == nil {
		t.Error("no folder is no error")
	}
}

// TestTrainingForm checks that masternet is exported as it is trained, unless told otherwise.
func TestTrainingForm(t *testing.T) {
	both := masternet.Space{ResLink: true, SE: true}
	for _, c := range []struct {
		space spaces.Space
		o     export.Options
		want  string
	}{
		{masternet.Space{}, export.Options{}, both.Name()},
		{masternet.Space{}, export.Options{AsScored: true}, masternet.Space{}.Name()},
		{masternet.Space{ResLink: true}, export.Options{}, masternet.Space{ResLink: true}.Name()},
	} {
		dir := t.TempDir()
		files, err := export.Folder(dir, c.space, "initial", c.o)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(files, "cell.svg") {
			t.Error("masternet has no cell to draw")
		}
		for _, name := range []string{"network.json", "model.py", "model/main.go"} {
			if !strings.Contains(read(t, dir, name), c.want) {
				t.Errorf("%s of %s does not name %s", name, c.space.Name(), c.want)
			}
		}
	}
	if s := spaces.Training(natstss.Space{C: 16, N: 5}); s.Name() != "natstss:C=16,N=5" {
		t.Errorf("natstss trains as %s", s.Name())
	}
}

// TestGoMLX compiles the program, lets it train for an epoch, and checks what cannot be a program.
func TestGoMLX(t *testing.T) {
	dir := t.TempDir()
	if _, err := export.Folder(dir, open(t, "plain"), "3x4s2", export.Options{}); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "model", "main.go")
	if out, err := exec.Command("gofmt", "-l", program).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("gofmt: %s, %v", out, err)
	}
	out, err := exec.Command("go", "run", program, "-epochs", "1", "-size", "16").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "epoch 1: held-out loss") {
		t.Errorf("the program: %v\n%s", err, out)
	}

	s := open(t, "natstss")
	for _, c := range []struct {
		about export.About
		size  int
		want  string
	}{
		{export.About{}, 32, "needs the space"},
		{export.About{Space: s, Arch: "1462"}, 32, "canonical"},
		{export.About{Space: s, Arch: "|x"}, 32, "position"},
		{export.About{Space: s, Arch: "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"}, 0, "images of 0 pixels"},
		{export.About{Space: mine{s}, Arch: "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"}, 32, "cannot import"},
	} {
		if _, err := export.GoMLX(c.about, c.size); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want an error with %q, got %v", c.want, err)
		}
	}
	files, err := export.Folder(t.TempDir(), mine{s}, "1462", export.Options{})
	if err != nil || slices.Contains(files, "model/main.go") {
		t.Errorf("a space of a program's own gives %v, %v", files, err)
	}
}

// mine is a space of a package that no program can import.
type mine struct{ spaces.Space }

// TestInvalid checks that what is no network is refused.
func TestInvalid(t *testing.T) {
	if _, err := export.PyTorch(&net.Network{}, export.About{}); err == nil || !strings.HasPrefix(err.Error(), "export: ") {
		t.Errorf("PyTorch of nothing: %v", err)
	}
	if _, err := export.JSON(&net.Network{}, export.About{}); err == nil || !strings.HasPrefix(err.Error(), "export: ") {
		t.Errorf("JSON of nothing: %v", err)
	}
}
