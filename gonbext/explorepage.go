package gonbext

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
	"github.com/zeroshotnas/zeroshot/spaces"
)

// The page of Explore marks what a program may look for by the attribute data-zeroshot:
//
//	explore         the whole page; data-ack is the number of its last event that the cell has answered
//	space, arch     the box of spaces and the field for an architecture
//	random, mutate, stop    the buttons
//	message         what went wrong with the last change, what the score hides, or nothing
//	status          "scoring …", "scored in …" or "no score"
//	score, change, params, macs, layers, accuracy, rank    figures
//	knobs           all controls of the architecture
//	knob-0, ...     a select element, or an input of type range with its number in value-0, ...
//	picture         the drawing
//	bars            the layers' shares of the score
//	trail           the architectures so far
//
// The page lives in the colours of JupyterLab's themes; elsewhere it has the page's own. So do its pictures where no theme was chosen for them; elsewhere they are light.
const pageFrame = `<div data-zeroshot="explore" data-ack="0" data-lm-suppress-shortcuts="true" style="font-family:var(--jp-ui-font-family,sans-serif);font-size:13px;line-height:1.4;color:var(--jp-ui-font-color1,inherit);max-width:960px">
<div style="display:flex;flex-wrap:wrap;gap:8px;align-items:center">
<label>space %s</label>
<label style="flex:1 1 260px;display:flex;gap:6px;align-items:center">architecture <input data-zeroshot="arch" type="text" spellcheck="false" value="%s" style="flex:1;min-width:0;box-sizing:border-box;%s"></label>
%s
</div>
<div data-zeroshot="message" role="alert" style="color:var(--jp-error-color0,#A84A00);min-height:1.4em;margin:4px 0;overflow-wrap:anywhere"></div>
<div style="display:flex;flex-wrap:wrap;gap:6px 28px;align-items:flex-end;border-top:1px solid #8884;border-bottom:1px solid #8884;padding:6px 0">%s</div>
<div data-zeroshot="status" style="opacity:.75;margin:4px 0">scoring …</div>
<div style="display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start">
<div data-zeroshot="knobs" data-rev="1" style="flex:1 1 300px;min-width:0;max-height:460px;overflow-y:auto">%s</div>
<div data-zeroshot="picture" style="flex:1 1 380px;min-width:0;max-height:460px;overflow:auto"></div>
</div>
<div data-zeroshot="bars" style="margin-top:10px;overflow-x:auto"></div>
<div data-zeroshot="trail" style="margin-top:10px;overflow-x:auto"></div>
{{script}}</div>`

const (
	fieldStyle  = "color:inherit;background:var(--jp-input-background,Field);border:1px solid var(--jp-border-color1,#888);border-radius:3px;padding:3px 5px;font:inherit;"
	buttonStyle = "color:inherit;background:var(--jp-layout-color2,ButtonFace);border:1px solid var(--jp-border-color1,#888);border-radius:3px;padding:3px 12px;font:inherit;cursor:pointer;"
)

// figures are the numbers of the page, by their marks.
var figures = []struct{ mark, label string }{
	{"score", "ZiCo"}, {"change", "change"}, {"params", "parameters"}, {"macs", "multiply-adds"}, {"layers", "layers"}, {"accuracy", "accuracy"}, {"rank", "rank"},
}

// page is the HTML that a browser begins with.
func (x *explorer) page() string {
	var buttons, numbers strings.Builder
	for _, b := range []struct{ do, label, title string }{
		{"random", "Random", "draw an architecture"},
		{"mutate", "Mutate", "change one decision at random"},
		{"stop", "Stop", "end the cell; the last state stays"},
	} {
		fmt.Fprintf(&buttons, `<button type="button" data-zeroshot="%s" data-do="%[1]s" title="%s" style="%s">%s</button>`, b.do, b.title, buttonStyle, b.label)
	}
	for _, f := range figures {
		size := "15px"
		if f.mark == "score" {
			size = "22px;font-weight:600"
		}
		fmt.Fprintf(&numbers, `<div><div style="font-size:11px;opacity:.75">%s</div><div data-zeroshot="%s" style="font-size:%s;font-variant-numeric:tabular-nums;white-space:nowrap;min-width:4em">–</div></div>`, f.label, f.mark, size)
	}
	return fmt.Sprintf(pageFrame, x.spaceBox(), html.EscapeString(string(x.arch)), fieldStyle, buttons.String(), numbers.String(), knobsHTML(x.knobs))
}

// spaceBox offers every space: the one at hand with its options, the others with their defaults.
func (x *explorer) spaceBox() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<select data-zeroshot="space" style="%s">`, fieldStyle)
	base, _, _ := strings.Cut(x.space.Name(), ":")
	for _, name := range spaces.Names() {
		value := name
		if name == base {
			value = x.space.Name()
		} else if s, err := spaces.Open(name); err == nil {
			if _, ok := s.(spaces.Editor); !ok {
				continue
			}
			value = s.Name()
		}
		selected := ""
		if name == base {
			selected = " selected"
		}
		fmt.Fprintf(&b, `<option value="%s"%s>%s</option>`, html.EscapeString(value), selected, html.EscapeString(name))
	}
	return b.String() + "</select>"
}

// knobsHTML are the controls, in a grid for each group.
func knobsHTML(knobs []spaces.Knob) string {
	var b strings.Builder
	for i := 0; i < len(knobs); {
		group := knobs[i].Group
		b.WriteString(`<fieldset style="border:0;margin:0 0 8px;padding:0;min-width:0">`)
		if group != "" {
			fmt.Fprintf(&b, `<legend style="font-weight:600;padding:0 0 2px">%s</legend>`, html.EscapeString(group))
		}
		b.WriteString(`<div style="display:grid;grid-template-columns:minmax(6em,max-content) minmax(0,1fr) 3em;gap:4px 8px;align-items:center">`)
		for ; i < len(knobs) && knobs[i].Group == group; i++ {
			knobHTML(&b, i, knobs[i])
		}
		b.WriteString("</div></fieldset>")
	}
	return b.String()
}

func knobHTML(b *strings.Builder, i int, k spaces.Knob) {
	name := html.EscapeString(strings.TrimPrefix(k.Group+", "+k.Name, ", "))
	fmt.Fprintf(b, `<span style="white-space:nowrap">%s</span>`, html.EscapeString(k.Name))
	if k.Number() {
		fmt.Fprintf(b, `<input type="range" data-zeroshot="knob-%d" data-knob="%[1]d" aria-label="%s" min="%d" max="%d" step="%d" value="%d" style="width:100%%;margin:0;accent-color:#0072B2"><output data-zeroshot="value-%[1]d" style="font-variant-numeric:tabular-nums">%[6]d</output>`, i, name, k.Min, k.Max, k.Step, k.Value)
		return
	}
	fmt.Fprintf(b, `<select data-zeroshot="knob-%d" data-knob="%[1]d" aria-label="%s" style="grid-column:2/4;min-width:0;max-width:100%%;%s">`, i, name, fieldStyle)
	for v, word := range k.Choices {
		selected := ""
		if v == k.Value {
			selected = " selected"
		}
		fmt.Fprintf(b, `<option value="%d"%s>%s</option>`, v, selected, html.EscapeString(word))
	}
	b.WriteString("</select>")
}

// layout is what of the knobs needs other controls where it changes.
func layout(knobs []spaces.Knob) string {
	var b strings.Builder
	for _, k := range knobs {
		fmt.Fprintf(&b, "%q %q %d %q\n", k.Group, k.Name, k.Step, k.Choices)
	}
	return b.String()
}

// pageState is what the page shows.
type pageState struct {
	rev     int // of the controls
	layout  string
	space   string
	message string
	arch    spaces.Arch // of the drawing
	fresh   bool        // the page has a new connection and may have missed something, or another theme
	theme   string      // of the page: "light", "dark" or, where it does not say, nothing
	ack     int
	last    map[string]int // the last event of each control
}

// update is what brings the page up to date.
func (x *explorer) update(view *pageState, scoring bool) update {
	u := update{Ack: view.ack, Set: map[string]string{}, Arch: string(x.arch), Space: x.space.Name()}
	if l := layout(x.knobs); l != view.layout {
		view.layout = l
		view.rev++
		u.Rev = view.rev
		u.Set["knobs"] = knobsHTML(x.knobs)
	}
	for _, k := range x.knobs {
		u.Knobs = append(u.Knobs, knobState{k.Value, k.Min, k.Max})
	}
	view.message = x.message
	u.Set["message"] = html.EscapeString(x.message)
	if view.arch != x.arch || view.space != x.space.Name() || view.fresh {
		if view.space != x.space.Name() {
			u.Set["bars"], u.Set["trail"] = "", ""
		}
		view.arch, view.space, view.fresh = x.arch, x.space.Name(), false
		x.describe(u.Set, themeOn(view.theme))
	}
	v := x.at()
	if scoring || v == nil {
		u.Set["status"] = "scoring …"
		if v == nil { // the number on the page is of another architecture
			u.Set["score"], u.Set["change"] = "…", "…"
		}
		return u
	}
	x.scored(u.Set, v, themeOn(view.theme))
	return u
}

// describe sets what is known of the present architecture without a score.
func (x *explorer) describe(set map[string]string, t svg.Theme) {
	picture, err := drawing(x.space, x.arch, x.input())
	if err != nil {
		picture = html.EscapeString(err.Error())
	}
	set["picture"] = fitted(t.Drawing(picture))
	set["params"], set["macs"], set["layers"] = "–", "–", "–"
	if c, layers, err := x.counts(); err == nil {
		set["params"], set["macs"], set["layers"] = thousands(c.Params), millions(c.MACs), fmt.Sprint(layers)
	}
	set["accuracy"], set["rank"] = "–", "–"
	if x.truth != nil {
		v, r, of := x.truth.of(x.space, x.arch)
		set["accuracy"], set["rank"] = x.accuracy(v), ranked(r, of)
	}
}

// scored sets what a visit brings.
func (x *explorer) scored(set map[string]string, v *Visit, t svg.Theme) {
	if v.Err != nil {
		set["score"], set["change"], set["bars"] = "–", "–", ""
		set["status"] = "no score"
		set["message"] = html.EscapeString("This cannot be scored: " + v.Err.Error())
		return
	}
	set["score"] = fmt.Sprintf("%.2f", v.Result.Score)
	set["change"] = x.change(v)
	from := ""
	if v.found {
		from = fmt.Sprintf(" (from session %s)", x.o.Session)
	}
	set["status"] = html.EscapeString(fmt.Sprintf("scored in %.2f s%s; %s", seconds(v.Result), from, x.o))
	if w := strings.Join(v.Result.Warnings, "; "); w != "" {
		set["message"] = `<span style="color:var(--jp-ui-font-color1,inherit);opacity:.75">` + html.EscapeString(w) + "</span>"
	}
	set["bars"] = fitted(layerColumns(v.Result).Draw(t))
	set["trail"] = ""
	if ch, ok := x.trail(); ok {
		set["trail"] = fitted(ch.Draw(t))
	}
}

// change says how the score differs from that of the architecture before.
func (x *explorer) change(v *Visit) string {
	b := x.before()
	if b == nil {
		return "–"
	}
	d := v.Result.Score - b.Result.Score
	if !finite(d) {
		return "–"
	}
	return fmt.Sprintf("%+.2f", d)
}

func (x *explorer) accuracy(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.2f %s", v, x.truth.column.Unit)
}

func ranked(rank, of int) string {
	if rank == 0 {
		return "–"
	}
	return thousands(int64(rank)) + " of " + thousands(int64(of))
}

// thousands writes a number in groups of three digits.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// fitted lets a picture shrink to the width of the page, as far as its text can be read.
func fitted(picture string) string {
	wide := 0
	if _, rest, ok := strings.Cut(picture, ` width="`); ok {
		_, _ = fmt.Sscanf(rest, "%d", &wide)
	}
	return strings.Replace(picture, "<svg ", fmt.Sprintf(`<svg style="max-width:100%%;min-width:%dpx;height:auto" `, wide*7/10), 1)
}

// trail is the picture of what was visited in the present space: the score against the accuracy or, without a table, against the multiply-adds. ok is false before the second architecture.
func (x *explorer) trail() (ch svg.Lines, ok bool) {
	ch = svg.Lines{YLabel: "ZiCo score (nat)", XLabel: "multiply-adds, millions"}
	across := func(v *Visit) float64 { return float64(v.Result.MACs) / 1e6 }
	if x.truth.has(x.space) {
		ch.XLabel = unit(x.truth.column)
		across = func(v *Visit) float64 { return v.Accuracy }
	}
	path := svg.Line{Name: "visited", Color: svg.Blue, Marks: true}
	now := svg.Line{Name: "now", Color: svg.Vermillion, Marks: true, Apart: true}
	for i := range x.visits {
		v := &x.visits[i]
		if v.Space != x.space.Name() || v.Result == nil {
			continue
		}
		p := svg.BandPoint{X: across(v), Y: v.Result.Score, Title: fmt.Sprintf("%d. %s: ZiCo %.2f, %s", len(path.Points)+1, v.Arch, v.Result.Score, millions(v.Result.MACs))}
		if v.Rank > 0 {
			p.Title += fmt.Sprintf(", %s, rank %s", x.accuracy(v.Accuracy), ranked(v.Rank, v.Of))
		}
		path.Points = append(path.Points, p)
		if v.Arch == x.arch {
			now.Points = []svg.BandPoint{p}
		}
	}
	ch.Title = fmt.Sprintf("%d architectures so far", len(path.Points))
	ch.Lines = []svg.Line{path, now}
	return ch, len(path.Points) > 1
}

// row is a visit in a table.
func (x *explorer) row(v *Visit) []string {
	row := []string{"–", "–", "–", "–"}
	if r := v.Result; r != nil {
		row = []string{score(r.Score), thousands(r.Params), millions(r.MACs), fmt.Sprint(len(r.Layers))}
	}
	if x.truth.has(x.space) {
		row = append(row, x.accuracy(v.Accuracy), ranked(v.Rank, v.Of))
	}
	return row
}

func (x *explorer) tableOf(caption, last string) *table {
	t := &table{caption: caption, head: []string{"ZiCo", "parameters", "multiply-adds", "layers"}}
	if x.truth.has(x.space) {
		t.head = append(t.head, x.truth.column.Name, "rank")
	}
	for range t.head {
		t.right = append(t.right, true)
	}
	t.head, t.right = append(t.head, last), append(t.right, false)
	return t
}

// mostRows bounds the tables of what was visited.
const mostRows = 10

// show shows the present state for good: the architecture, its score, where it was found.
func (x *explorer) show() {
	if v := x.at(); v != nil {
		t := x.tableOf(fmt.Sprintf("%s\n%s", x.space.Name(), x.o), "architecture")
		t.rows = [][]string{append(x.row(v), string(v.Arch))}
		t.show()
		if v.Err != nil {
			note("This cannot be scored: " + v.Err.Error())
		}
	}
	if picture, err := drawing(x.space, x.arch, x.input()); err == nil {
		showSVG(picture, "")
	}
	v := x.at()
	if v == nil || v.Result == nil {
		return
	}
	warnings(v.Result)
	showChart(layerColumns(v.Result), layerText(v.Result))
	ch, ok := x.trail()
	if !ok {
		return
	}
	showChart(ch, ch.Title+"\n")
	list := slices.DeleteFunc(slices.Clone(x.visits), func(v Visit) bool { return v.Space != x.space.Name() })
	t := x.tableOf(fmt.Sprintf("the last %d of %d architectures", min(mostRows, len(list)), len(list)), "architecture")
	for _, v := range list[max(0, len(list)-mostRows):] {
		t.rows = append(t.rows, append(x.row(&v), string(v.Arch)))
	}
	t.show()
}

// showNeighbors shows the neighbours, which are the visits behind the first, with the best scores. turns are the changes that lead to them.
func (x *explorer) showNeighbors(turns []string, of int) {
	if len(turns) == 0 {
		return
	}
	first, near := &x.visits[0], x.visits[1:]
	order := make([]int, len(near))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(near[b].Result.Score, near[a].Result.Score) })
	better := 0
	for _, v := range near {
		if v.Result.Score > first.Result.Score {
			better++
		}
	}
	t := x.tableOf(fmt.Sprintf("%d of %d scored neighbours have a higher score; %d in all. The first %d:", better, len(near), of, min(mostRows, len(near))), "change")
	for _, i := range order[:min(mostRows, len(order))] {
		t.rows = append(t.rows, append(x.row(&near[i]), turns[i]))
	}
	t.show()
	if ch, ok := x.trail(); ok {
		ch.Lines[0].Apart, ch.Lines[0].Name, ch.Lines[1].Name = true, "neighbours", "the architecture"
		ch.Title = "The architecture and its neighbours"
		showChart(ch, ch.Title+"\n")
	}
}
