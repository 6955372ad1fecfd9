package gonbext

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
)

// fresh gives a test an empty folder for figures and an empty record.
func fresh(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "figures")
	t.Setenv("ZEROSHOT_FIGURES", dir)
	clear := func() { shown.items, shown.dropped = nil, 0 }
	clear()
	t.Cleanup(clear)
	return dir
}

// saving calls Save and returns the names of its files.
func saving(t *testing.T, name string) (names []string) {
	t.Helper()
	var files []string
	var err error
	line := capture(t, func() { files, err = Save(name) })
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, filepath.Base(f))
		if !strings.Contains(line, filepath.Base(f)) || strings.Count(line, "\n") != 1 {
			t.Errorf("the line does not name %s: %q", f, line)
		}
	}
	return names
}

var saveChart = svg.Rows{Title: "two bars", XLabel: "nat", Bars: []svg.Bar{{Label: "a, \"b\"\n", Value: 1.0 / 3}, {Label: "c", Value: math.NaN()}}}

// TestSave checks the files of everything that can be shown: their names, that they are read back, and their sums.
func TestSave(t *testing.T) {
	dir := fresh(t)
	capture(t, func() {
		ShowChart(saveChart, "text of the bars\n")
		if err := Draw("1462", Options{}); err != nil {
			t.Error(err)
		}
		(&table{caption: "a caption", head: []string{"arch", "seconds"}, timings: []string{"seconds"}, right: []bool{false, true}, rows: [][]string{{"|a~0|", "1.5"}}}).show()
		note("certificate: abc")
	})
	want := []string{"fig-1.svg", "fig-1.png", "fig-1.pdf", "fig-1.csv", "fig-2.svg", "fig-2.png", "fig-2.pdf", "fig-table.csv", "fig-table.md", "fig.json"}
	if got := saving(t, "fig"); !slices.Equal(got, want) {
		t.Fatalf("the files are %v, want %v", got, want)
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var s saved
	if err := json.Unmarshal(read("fig.json"), &s); err != nil {
		t.Fatal(err)
	}
	for i, f := range s.Files {
		if sum := sha256.Sum256(read(f.Name)); f.Name != want[i] || f.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("fig.json has %s with %s, the file %x", f.Name, f.SHA256, sum)
		}
	}
	if version := regexp.MustCompile(`^(devel( [0-9a-f]{12}(\+changes)?)?|v\d\S*)$`); !version.MatchString(s.Versions["zeroshot"]) {
		t.Errorf("fig.json has the versions %v", s.Versions)
	}
	if len(s.Files) != 9 || s.Versions["go"] == "" || len(s.Shown) != 4 || s.Shown[0].Title != "two bars" || s.Shown[0].Text != "text of the bars\n" || !strings.Contains(s.Shown[1].Text, "400346 parameters") || s.Shown[2].Text != "a caption" || s.Shown[3].Text != "certificate: abc" {
		t.Errorf("fig.json has %s", read("fig.json"))
	}
	rows, err := csv.NewReader(bytes.NewReader(read("fig-1.csv"))).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][0] != "a, \"b\"\n" {
		t.Fatalf("the data are %q, %v", rows, err)
	}
	if v, _ := strconv.ParseFloat(rows[1][1], 64); v != 1.0/3 {
		t.Errorf("1/3 is saved as %s", rows[1][1])
	}
	if v, err := strconv.ParseFloat(rows[2][1], 64); err != nil || !math.IsNaN(v) {
		t.Errorf("NaN is saved as %s", rows[2][1])
	}
	if got := string(read("fig-table.csv")); got != "arch\n|a~0|\n" {
		t.Errorf("the table is %q", got)
	}
	if img, err := png.Decode(bytes.NewReader(read("fig-1.png"))); err != nil || img.Bounds().Dx() != 2400 {
		t.Errorf("the picture is no PNG of 2400 pixels: %v", err)
	}
	if !bytes.HasPrefix(read("fig-1.pdf"), []byte("%PDF-")) {
		t.Error("the PDF is none")
	}

	// The same, shown again, gives the same bytes; one picture fewer removes its files.
	before := read("fig.json")
	capture(t, func() { ShowChart(saveChart, "text of the bars\n"); note("certificate: abc") })
	if got := saving(t, "again"); len(got) != 5 || got[0] != "again.svg" {
		t.Errorf("the second Save has %v, want only what is new", got)
	}
	if !bytes.Equal(read("again.pdf"), read("fig-1.pdf")) || !bytes.Equal(read("again.png"), read("fig-1.png")) || !bytes.Equal(before, read("fig.json")) {
		t.Error("the same picture has other bytes")
	}
	capture(t, func() { note("only this") })
	if err := os.WriteFile(filepath.Join(dir, "fig-2.svg"), []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	saving(t, "fig")
	left, err := filepath.Glob(filepath.Join(dir, "*fig*"))
	if err != nil || len(left) != 2 {
		t.Errorf("there are %v, want fig.json and fig-2.svg, which was changed (%v)", left, err)
	}
}

// TestSaveScore checks that a plain program can save a score, that its files repeat, and that quiet calls leave nothing.
func TestSaveScore(t *testing.T) {
	dir := fresh(t)
	quiet := small
	quiet.Quiet = true
	if _, err := Score("1462", quiet); err != nil {
		t.Fatal(err)
	}
	if len(shown.items) != 0 {
		t.Errorf("a quiet call keeps %d items", len(shown.items))
	}
	var sums [2][]byte
	for i := range sums {
		capture(t, func() {
			if _, err := Score("1462", small); err != nil {
				t.Error(err)
			}
		})
		saving(t, "score")
		var err error
		if sums[i], err = os.ReadFile(filepath.Join(dir, "score.json")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(sums[0], sums[1]) {
		t.Errorf("two runs give\n%s\nand\n%s", sums[0], sums[1])
	}
	home, _ := os.UserHomeDir()
	for _, path := range []string{os.TempDir(), home} {
		if len(path) > 1 && bytes.Contains(sums[0], []byte(path+"/")) {
			t.Errorf("score.json has a path of this machine, %s:\n%s", path, sums[0])
		}
	}
	if !bytes.Contains(sums[0], []byte("weights seed 1")) || !bytes.Contains(sums[0], []byte("pjrt cpu")) {
		t.Errorf("score.json lacks the options or the plugin:\n%s", sums[0])
	}
}

// TestSaveErrors checks that what cannot be saved says why, changes nothing and keeps what was shown.
func TestSaveErrors(t *testing.T) {
	dir := fresh(t)
	say := func(name, want string) {
		t.Helper()
		if files, err := Save(name); err == nil || !strings.Contains(err.Error(), want) || files != nil {
			t.Errorf("Save(%q) gives %v and %v, want an error with %q", name, files, err, want)
		}
	}
	say("x", "nothing was shown")
	capture(t, func() { note("a") })
	for _, name := range []string{"", "../x", "a/b", ".x", "a b"} {
		say(name, "want a name for files")
	}
	// A file where the folder should be cannot be written, whoever runs the test.
	if err := os.WriteFile(dir, []byte("in the way"), 0o666); err != nil {
		t.Fatal(err)
	}
	say("x", "ZEROSHOT_FIGURES")
	if len(shown.items) != 1 {
		t.Errorf("a failed Save keeps %d items, want 1", len(shown.items))
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	saving(t, "x")
	// A folder in the place of a file: the rename fails, and no temporary file stays.
	capture(t, func() { note("b") })
	if err := os.MkdirAll(filepath.Join(dir, "y.json", "full"), 0o777); err != nil {
		t.Fatal(err)
	}
	say("y", "y.json")
	if temps, _ := filepath.Glob(filepath.Join(dir, ".y-*")); len(temps) > 0 || len(shown.items) != 1 {
		t.Errorf("there are left %v and %d items", temps, len(shown.items))
	}
}

// TestRecordBound checks that a long program keeps the last items only.
func TestRecordBound(t *testing.T) {
	fresh(t)
	for i := range mostItems + 3 {
		shown.keep(item{text: strconv.Itoa(i)})
	}
	if len(shown.items) != mostItems || shown.dropped != 3 {
		t.Errorf("%d items are kept and %d dropped, want %d and 3", len(shown.items), shown.dropped, mostItems)
	}
}

// TestMarkdown checks that cells of a table stay cells whatever they hold.
func TestMarkdown(t *testing.T) {
	tab := &table{caption: "c_1", head: []string{"arch", "n"}, right: []bool{false, true}, rows: [][]string{{"|nor_conv~0|*", "<b>\n1"}}}
	want := "c\\_1\n\n| arch | n |\n|---|---:|\n| \\|nor\\_conv\\~0\\|\\* | &lt;b&gt;<br>1 |\n"
	if got := tab.Markdown(); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
}

// TestTheme checks how a theme is chosen.
func TestTheme(t *testing.T) {
	clear := func() { chosen.Theme = svg.Theme{} }
	t.Cleanup(clear)
	clear()
	t.Setenv("ZEROSHOT_THEME", "dark")
	if got := theme().Name; got != "dark" {
		t.Errorf("ZEROSHOT_THEME=dark gives %s", got)
	}
	if err := SetTheme("light"); err != nil || theme().Name != "light" {
		t.Errorf("SetTheme(light) gives %s, %v", theme().Name, err)
	}
	if err := SetTheme("pink"); err == nil || !strings.Contains(err.Error(), "light or dark") || theme().Name != "light" {
		t.Errorf("SetTheme(pink) gives %s, %v", theme().Name, err)
	}
	clear()
	t.Setenv("ZEROSHOT_THEME", "pink")
	if got := theme().Name; got != "light" {
		t.Errorf("an unknown theme gives %s", got)
	}
}

// TestDraw checks that the picture is the cell where there is one, and the counts.
func TestDraw(t *testing.T) {
	for space, c := range map[string]struct{ arch, picture, text string }{
		"natstss": {"1462", "<title>|none~0|+", "400346 parameters"},
		"natssss": {"284", "conv 3x3", "144834 parameters"},
	} {
		picture, text, err := draw(c.arch, Options{Space: space})
		if err != nil || !strings.Contains(picture, c.picture) || !strings.Contains(text, c.text) {
			t.Errorf("%s of %s: %v, %s\n%.300s", c.arch, space, err, text, picture)
		}
	}
	if err := Draw("|bad~0|", Options{Quiet: true}); err == nil {
		t.Error("a bad architecture is no error")
	}
}

// TestShowTable checks that a table of one's own is shown and kept, and that one with a wrong row is not.
func TestShowTable(t *testing.T) {
	fresh(t)
	text := capture(t, func() {
		if err := ShowTable("mine", []string{"name", "value"}, [][]string{{"a", "1.5"}}); err != nil {
			t.Error(err)
		}
	})
	if !strings.Contains(text, "mine\nname  value\na       1.5\n") {
		t.Errorf("the table is\n%s", text)
	}
	if names := saving(t, "own"); !slices.Contains(names, "own-table.csv") {
		t.Errorf("saved are %v", names)
	}
	if err := ShowTable("", []string{"name"}, [][]string{{"a", "b"}}); err == nil || !strings.Contains(err.Error(), "row 0 has 2 cells") {
		t.Errorf("a row that is too long gives the error %v", err)
	}
}

// TestCertificates checks that what Save writes of scores says what they rest on, once, whether the page shows it or not.
func TestCertificates(t *testing.T) {
	dir := fresh(t)
	r, scores, err := Correlate(Correlation{Columns: []string{"cifar10/valid"}, Proxies: []string{"params"}, Sample: 12, Store: "none"}, Options{Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, show := range map[string]func() error{
		"overview":    func() error { ShowOverview(r); ShowNotes(r); return nil },
		"proxies":     func() error { return ShowProxies(r, "cifar10/valid") },
		"scatter":     func() error { return ShowScatter(scores, "params", "cifar10/valid") },
		"convergence": func() error { return ShowConvergence(scores, "params", "cifar10/valid") },
		"best":        func() error { ShowBest(r); return ShowScatter(scores, "params", "cifar10/valid") },
	} {
		capture(t, func() {
			if err := show(); err != nil {
				t.Error(err)
			}
		})
		saving(t, name)
		text, err := os.ReadFile(filepath.Join(dir, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "certificate: natstss:C=16,N=5, 12 of 15625 architectures (sample seed 1)"); n != 1 {
			t.Errorf("%s.json has %d certificates, want 1:\n%s", name, n, text)
		}
	}
}
