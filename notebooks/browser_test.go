package notebooks

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
)

// TestBrowser looks at the notebooks as their readers do: in JupyterLab, with a browser, a mouse and a keyboard. With ZEROSHOT_SCREENSHOTS=FOLDER it keeps pictures of what it sees.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starting JupyterLab and a browser takes some seconds")
	}
	b := startChromium(t)
	l := startLab(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *lab, *chromium)
	}{{"Committed", browseCommitted}, {"Search", browseSearch}, {"Correlate", browseCorrelate}, {"Explore", browseExplore}} {
		t.Run(c.name, func(t *testing.T) {
			c.test(t, l, b)
		})
	}
	outside, asked := b.outside()
	for _, address := range outside {
		t.Errorf("a page asked another machine: %s", address)
	}
	if asked == 0 {
		t.Error("no request of any page was seen")
	}
	for _, text := range b.errors {
		if unlisted.MatchString(text) {
			t.Logf("Jupyter's server could not list its kernels, and was asked again: %s", text)
			continue
		}
		t.Errorf("an error on the browser's console: %s", text)
	}
}

// unlisted is what the console says where Jupyter's server was asked for its kernels just when one was starting: version 2.21.1 lists a kernel shortly before it sets the time of its last activity, and a listing in between fails (a TraitError of last_activity in its log; 21 of 37,733 listings while 12 kernels started). JupyterLab asks again by itself.
var unlisted = regexp.MustCompile(`^Failed to load resource: the server responded with a status of 500 \(Internal Server Error\) http://127\.0\.0\.1:\d+/api/kernels\?\d+$`)

// browseCommitted opens the notebooks as they are in the repository, and counts what is drawn.
func browseCommitted(t *testing.T, l *lab, b *chromium) {
	files := all(t)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(l.root, file), string(text))
	}
	// JupyterLab draws the pictures of notebooks that are trusted, as make lab does; in place of the others' it shows their text.
	trust := exec.Command(filepath.Join(filepath.Dir(l.python), "jupyter"), append([]string{"trust"}, files...)...)
	trust.Dir, trust.Env = l.root, l.env
	if out, err := trust.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p := l.open(t, b, files[0])
	for i, file := range files {
		if i > 0 {
			p.do(t, fmt.Sprintf(`window.jupyterapp.commands.execute("docmanager:open", {path: %q})`, file))
			p.ready(t, file)
		}
		kinds, tables := map[string]int{}, 0
		for _, c := range read(t, file).Cells {
			for _, o := range c.Outputs {
				for kind := range o.Data {
					kinds[kind]++
				}
				tables += strings.Count(string(o.Data["text/html"]), "<table")
			}
		}
		p.wait(t, "its outputs", fmt.Sprintf(`[...document.querySelectorAll(%q)].every(e => e.complete)`, notebookPanel+" .jp-OutputArea img"))
		var seen struct{ SVG, Empty, Tables int }
		if err := p.eval(seenOutputs, &seen); err != nil {
			t.Fatal(err)
		}
		p.do(t, fmt.Sprintf(`document.querySelector(%q)?.scrollIntoView({block: "center"})`, notebookPanel+" .jp-RenderedSVG"))
		p.picture(t, strings.TrimSuffix(file, ".ipynb"))
		if seen.SVG != kinds["image/svg+xml"] || seen.Empty > 0 {
			t.Errorf("%s: %d pictures are drawn, %d of them empty; it has %d", file, seen.SVG, seen.Empty, kinds["image/svg+xml"])
		}
		if seen.Tables != tables {
			t.Errorf("%s: %d tables are drawn, it has %d", file, seen.Tables, tables)
		}
	}
}

const (
	notebookPanel = ".jp-NotebookPanel:not(.lm-mod-hidden)"
	seenOutputs   = `(() => {
		const panel = document.querySelector("` + notebookPanel + `")
		const seen = (selector) => [...panel.querySelectorAll(selector)]
		const svg = seen(".jp-RenderedSVG img, .jp-RenderedSVG svg")
		return {
			SVG: svg.length,
			Empty: svg.filter(e => e.getBoundingClientRect().width < 50 || e.naturalWidth === 0).length,
			Tables: seen(".jp-RenderedHTML table").length,
		}
	})()`
)

// watchLive keeps every state that the live part of a cell goes through.
const watchLive = `{
	window.zeroshotSeen?.disconnect()
	window.zeroshotStates = []
	const look = () => {
		const status = document.querySelector('.jp-OutputArea [data-zeroshot="status"]')
		if (!status) return
		const state = {
			Line: status.textContent,
			Part: status.parentElement.querySelector("progress").position,
			Pictures: [...document.querySelectorAll('.jp-OutputArea [data-zeroshot="picture"] svg')].map(e => e.textContent),
		}
		if (JSON.stringify(state) !== JSON.stringify(window.zeroshotStates.at(-1))) window.zeroshotStates.push(state)
	}
	window.zeroshotSeen = new MutationObserver(look)
	window.zeroshotSeen.observe(document.querySelector(".jp-Notebook"), {childList: true, subtree: true, characterData: true})
	look()
}`

// liveState is what a reader sees of a cell at work.
type liveState struct {
	Line     string
	Part     float64  // how much is done, from 0 to 1
	Pictures []string // their words and numbers
}

func (p notebookPage) states(t *testing.T) (list []liveState) {
	t.Helper()
	if err := p.eval("window.zeroshotStates", &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// number is the number that a pattern finds, or -1.
func number(pattern, text string) int {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return -1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return -1
	}
	return n
}

const stopButton = `.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]`

// runAndStop runs the first cell, sees three states of its live pictures, and presses the stop button. It returns what the cell says.
func (p notebookPage) runAndStop(t *testing.T, name string) (said string) {
	t.Helper()
	for range 5 {
		p.do(t, watchLive)
		p.run(t, 0)
		p.wait(t, "three states of the live pictures", `window.zeroshotRun[0] || new Set(window.zeroshotStates.filter(s => s.Pictures.length > 1).map(s => s.Pictures.join())).size >= 3`)
		p.picture(t, name+"-live")
		p.click(t, stopButton)
		said = p.ran(t, 0)
		p.picture(t, name+"-stopped")
		// The kernel gives a cell five seconds of the clock, which may be nothing where much else runs. What was done is kept.
		if !strings.Contains(said, "signal: killed") {
			break
		}
		t.Log("the kernel killed the cell, which did not end in five seconds; running it again")
	}
	return said
}

// browseSearch runs a search, sees it at work, stops it with the button of the toolbar, and goes on.
func browseSearch(t *testing.T, l *lab, b *chromium) {
	cell := func(iterations int) string {
		return fmt.Sprintf(`import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/gonbext"
)

%%%%
s, err := gonbext.Search(gonbext.SearchOptions{Space: "natstss:C=4,N=1", Size: 16, Batch: 4, Method: "aging:population=20,sample=5", Iterations: %d, Log: "run.jsonl"})
fmt.Println("RESULT", s.Status, s.Evaluations, err)
`, iterations)
	}
	l.add(t, "search.ipynb", cell(1000000), "import \"fmt\"\n\n%%\nfmt.Println(1+1)")
	p := l.open(t, b, "search.ipynb")
	p.idle(t)
	said := p.runAndStop(t, "search")
	for _, want := range []string{"RESULT interrupted", "interrupted after", "run.jsonl", "run the cell again to go on", "zico search -resume -log run.jsonl"} {
		if !strings.Contains(said, want) {
			t.Errorf("the stopped cell does not say %q:\n%s", want, said)
		}
	}
	var evaluations []int
	var best []string
	for _, s := range p.states(t) {
		if n := number(`(\d+) evaluations`, s.Line); n > 0 {
			evaluations = append(evaluations, n)
			if m := regexp.MustCompile(`best ([\d.]+)`).FindStringSubmatch(s.Line); m != nil {
				best = append(best, m[1])
			}
			if len(s.Pictures) > 0 && !strings.Contains(strings.Join(s.Pictures, " "), fmt.Sprintf("of %d", n)) {
				t.Errorf("the pictures are not of %d evaluations: %q", n, s.Pictures)
			}
		}
	}
	if len(evaluations) < 3 || !slices.IsSorted(evaluations) || evaluations[0] == evaluations[len(evaluations)-1] {
		t.Errorf("the numbers of evaluations were %v, want at least three that grow", evaluations)
	}
	if len(best) < 3 || strings.Contains(strings.Join(best, " "), "NaN") {
		t.Errorf("the best scores were %v, want at least three", best)
	}
	stopped := number(`RESULT interrupted (\d+)`, said)
	if lines := p.shown(t, 0); !strings.Contains(lines, "run the cell again to go on") || !strings.Contains(lines, "progress:interrupted") {
		t.Errorf("the page shows after the stop:\n%s", lines)
	}

	// A smaller number, so that the run comes to its end.
	kept, err := os.ReadFile(filepath.Join(l.root, "run.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	iterations := strings.Count(string(kept), "\n{\"i\":")
	p.source(t, 0, cell(iterations+40))
	p.do(t, `window.zeroshotStates = []`)
	p.run(t, 0)
	said = p.ran(t, 0)
	p.picture(t, "search-ended")
	ended := number(`RESULT iteration limit reached (\d+) <nil>`, said)
	if ended < stopped || ended > stopped+40 {
		t.Errorf("the search was stopped after %d evaluations, and ended after %d; the cell says:\n%s", stopped, ended, said)
	}
	for _, s := range p.states(t) {
		if n := number(`(\d+) evaluations`, s.Line); strings.HasPrefix(s.Line, "running") && !strings.HasSuffix(s.Line, "from the log") && n < stopped {
			t.Errorf("the search goes on from %d evaluations, and not from %d: %s", n, stopped, s.Line)
		}
	}
	now, err := os.ReadFile(filepath.Join(l.root, "run.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if whole := kept[:strings.LastIndex(string(kept), "\n{\"clock\"")+1]; !strings.HasPrefix(string(now), string(whole)) || len(now) <= len(kept) {
		t.Error("the log was not gone on with, but changed")
	}

	p.run(t, 1)
	if got := strings.TrimSpace(p.ran(t, 1)); got != "2" {
		t.Errorf("after the search, 1+1 is %q", got)
	}
}

// browseCorrelate runs a correlation, sees it at work, stops it, and lets it end.
func browseCorrelate(t *testing.T, l *lab, b *chromium) {
	cell := func(sample int) string {
		return fmt.Sprintf(`import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/gonbext"
)

%%%%
r, _, err := gonbext.Correlate(gonbext.Correlation{Proxies: []string{"zico", "params"}, Sample: %d, Store: "scores"}, gonbext.Options{Batch: 4})
fmt.Println("RESULT", r.N, err)
`, sample)
	}
	l.add(t, "correlate.ipynb", cell(5000))
	p := l.open(t, b, "correlate.ipynb")
	p.idle(t)
	said := p.runAndStop(t, "correlate")
	if !regexp.MustCompile(`RESULT 5000 .*the scores are kept, run the cell again to go on`).MatchString(said) {
		t.Errorf("the stopped cell says:\n%s", said)
	}
	done := 0
	for _, s := range p.states(t) {
		n := number(`scor\w+.*: (\d+) of 5000`, s.Line)
		if n < done {
			t.Errorf("after %d the cell says %q", done, s.Line)
		}
		done = n
	}
	if done < 3 {
		t.Fatalf("the cell was stopped after %d", done)
	}
	whole := done + 10

	p.source(t, 0, cell(whole))
	p.run(t, 0)
	said = p.ran(t, 0)
	p.picture(t, "correlate-ended")
	if got := number(`RESULT (\d+) <nil>`, said); got != whole {
		t.Errorf("the cell that is run again says:\n%s", said)
	}
	for _, want := range []string{`\d+ from the store`, fmt.Sprintf(`%[1]d of %[1]d in `, whole), `Kendall's tau of ZiCo`, `certificate: natstss`} {
		if text := p.shown(t, 0); !regexp.MustCompile(want).MatchString(text + said) {
			t.Errorf("the page does not show %q:\n%s", want, text)
		}
	}
}

// shown is what a cell's outputs show: their text, with "progress:" before that of bars.
func (p notebookPage) shown(t *testing.T, cell int) string {
	t.Helper()
	return p.text(t, fmt.Sprintf(`[...%s.widgets[%d].outputArea.node.querySelectorAll(".jp-OutputArea-output")].map(e => (e.querySelector("progress") ? "progress:" : "") + e.innerText.trim()).join("\n")`, content, cell))
}

// browseExplore goes through 07-explore with the mouse.
func browseExplore(t *testing.T, l *lab, b *chromium) {
	text, err := os.ReadFile("07-explore.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(l.root, "explored.ipynb"), string(text))
	p := l.open(t, b, "explored.ipynb")
	p.idle(t)
	p.do(t, `{ window.zeroshotRun = [false]; window.jupyterapp.commands.execute("notebook:run-all-cells").finally(() => { window.zeroshotRun[0] = true }); null }`)
	const live = `[data-zeroshot="explore"]`
	at := func(mark string) string { return fmt.Sprintf(live+` [data-zeroshot=%q]`, mark) }
	get := func(mark string) string {
		t.Helper()
		return p.text(t, fmt.Sprintf(`(e => e.value ?? e.textContent)(document.querySelector(%q))`, at(mark)))
	}
	// scored waits for the score of an architecture that fulfils a condition on its text, a, and checks that it is a new one.
	seen := map[string]bool{}
	scored := func(what, condition string) {
		t.Helper()
		p.wait(t, "the score of "+what, fmt.Sprintf(`(a => (%s) && document.querySelector(%q).textContent.startsWith("scored in"))(document.querySelector(%q).value)`, condition, at("status"), at("arch")))
		v := get("score")
		if _, err := strconv.ParseFloat(v, 64); err != nil || seen[v] {
			t.Errorf("the score of %s, %s, is %s, and before there were %v", what, get("arch"), v, slices.Sorted(maps.Keys(seen)))
		}
		seen[v] = true
	}
	// answered does something and waits until the cell has taken account of it.
	answered := func(do func()) {
		t.Helper()
		var before int
		ack := fmt.Sprintf(`+document.querySelector('%s').dataset.ack`, live)
		if err := p.eval(ack, &before); err != nil {
			t.Fatal(err)
		}
		do()
		p.wait(t, "an answer of the cell", fmt.Sprintf("%s > %d", ack, before))
	}

	// Edges of NAS-Bench-201.
	scored("the first cell", `a.startsWith("|nor_conv_3x3~0|+")`)
	first := get("accuracy") + ", rank " + get("rank")
	if !regexp.MustCompile(`^\d\d\.\d\d %, rank [\d,]+ of 15,625$`).MatchString(first) {
		t.Errorf("the accuracy is %s", first)
	}
	answered(func() {
		p.click(t, at("knob-0"))
		p.press(t, "ArrowDown")
		p.press(t, "Enter")
	})
	scored("the cell with another operation", `!a.startsWith("|nor_conv_3x3~0|+")`)
	if now := get("accuracy") + ", rank " + get("rank"); now == first {
		t.Errorf("with %s the accuracy is still %s", get("arch"), now)
	}
	best := "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
	answered(func() { p.enter(t, at("arch"), best) })
	scored("the typed cell", fmt.Sprintf("a === %q", best))
	p.do(t, fmt.Sprintf("document.querySelector('%s').scrollIntoView()", live))
	p.picture(t, "explore-light")
	answered(func() { p.enter(t, at("arch"), "|nonsense~0|") })
	p.wait(t, "what is wrong with the typed text", fmt.Sprintf(`document.querySelector(%q).textContent.includes("nonsense")`, at("message")))
	// A message that is lost is sent again.
	p.do(t, `{ const c = window.gonb_comm, send = c.send; c.send = (address, text) => { if (!text.includes("random")) return send.call(c, address, text); c.send = send; window.zeroshotLost = true } }`)
	p.click(t, at("random"))
	scored("a random cell", fmt.Sprintf("a !== %q", best))
	p.wait(t, "the loss of a message", `window.zeroshotLost`)
	last := get("arch")
	// pictures waits until the live pictures stand on the ground of a theme: it is their first rectangle.
	pictures := func(theme svg.Theme, marks ...string) {
		t.Helper()
		for _, mark := range marks {
			p.wait(t, fmt.Sprintf("the %s theme of %s", theme.Name, mark), fmt.Sprintf(`document.querySelector(%q).getAttribute("fill") === %q`, at(mark)+" svg rect", theme.Ground))
		}
	}
	pictures(svg.Light, "picture", "bars", "trail")
	before := last + " " + get("score")
	p.do(t, `window.jupyterapp.commands.execute("apputils:change-theme", {theme: "JupyterLab Dark"})`)
	p.wait(t, "the dark theme", `document.body.dataset.jpThemeLight === "false"`)
	pictures(svg.Dark, "picture", "bars", "trail")
	if now := get("arch") + " " + get("score"); now != before {
		t.Errorf("the dark theme has made %s of %s", now, before)
	}
	p.wait(t, "the end of JupyterLab's change of themes", `!document.getElementById("jupyterlab-splash")`)
	p.picture(t, "explore-dark")
	p.click(t, at("stop"))

	// Widths of the size space, on a page that is dark from its beginning.
	scored("the widths", `a === "16:32:32:48:48"`)
	pictures(svg.Dark, "picture", "bars")
	answered(func() { p.click(t, at("knob-0"), 0.95) })
	scored("a greater width", `+a.split(":")[0] > 40 && a.endsWith(":32:32:48:48")`)
	p.picture(t, "explore-slider")
	widths := get("arch")
	p.click(t, at("stop"))

	// Blocks of the ImageNet space.
	scored("a network for ImageNet", `a.startsWith("SuperConv")`)
	p.do(t, fmt.Sprintf(`document.querySelector('%s').scrollIntoView({block: "start"})`, live))
	p.picture(t, "explore-masternet")
	p.click(t, at("stop"))
	p.wait(t, "the end of the cells", `window.zeroshotRun[0]`)
	p.idle(t)
	p.picture(t, "explore-ended")
	p.do(t, `window.jupyterapp.commands.execute("apputils:change-theme", {theme: "JupyterLab Light"})`)
	p.do(t, `window.jupyterapp.commands.execute("docmanager:save").then(() => null)`)

	n := read(t, filepath.Join(l.root, "explored.ipynb"))
	var words, html []string
	grounds := map[string]int{}
	for i, c := range n.Cells {
		pictures := 0
		for _, o := range c.Outputs {
			if o.Type == "error" {
				t.Errorf("cell %d ended in an error", i)
			}
			if picture := string(o.Data["image/svg+xml"]); picture != "" {
				pictures++
				_, first, _ := strings.Cut(picture, "<rect ")
				grounds[regexp.MustCompile(`fill="[^"]*"`).FindString(first)]++
			}
			words = append(words, string(o.Text), string(o.Data["text/plain"]))
			html = append(html, string(o.Data["text/html"]))
		}
		if strings.Contains(string(c.Source), "gonbext.Explore(") && pictures < 2 {
			t.Errorf("the notebook keeps %d pictures of cell %d, want its drawing and its layers", pictures, i)
		}
	}
	if light := fmt.Sprintf("fill=%q", svg.Light.Ground); len(grounds) != 1 || grounds[light] == 0 {
		t.Errorf("the pictures that are kept stand on the grounds %v, want %s for all", grounds, light)
	}
	for _, want := range []string{last, widths, "of 3 other cells"} {
		if !strings.Contains(strings.Join(words, "\n"), want) {
			t.Errorf("the notebook that is kept does not hold %q:\n%s", want, strings.Join(words, "\n"))
		}
	}
	if page := strings.Join(html, ""); strings.Contains(page, "<script") || strings.Contains(page, "knob-0") {
		t.Error("the notebook keeps controls, which nobody would answer")
	}
}
