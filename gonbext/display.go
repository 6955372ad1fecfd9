package gonbext

import (
	"fmt"
	"html"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
)

// show displays something in a rich form with a text form beside it; outside a notebook it prints the text.
func show(mime protocol.MIMEType, rich, text string) {
	send(map[protocol.MIMEType]any{mime: rich}, text)
}

// send displays something in several forms, of which a page takes the one it likes best.
func send(forms map[protocol.MIMEType]any, text string) {
	if !gonbui.IsNotebook {
		if !shown.muted() {
			fmt.Print(text)
		}
		return
	}
	forms[protocol.MIMETextPlain] = text
	gonbui.SendData(&protocol.DisplayData{Data: forms})
	gonbui.Sync()
}

// showChart shows a chart and keeps it for Save.
func showChart(ch svg.Chart, text string) {
	shown.keep(item{chart: ch, text: text})
	show(protocol.MIMEImageSVG, ch.Draw(theme()), text)
}

// showSVG shows a drawing of package net and keeps it for Save.
func showSVG(picture, text string) {
	shown.keep(item{drawing: picture, text: text})
	show(protocol.MIMEImageSVG, theme().Drawing(picture), text)
}

// report shows an error and returns it; nil stays nil.
func report(err error, o Options) error {
	if err == nil || o.Quiet {
		return err
	}
	text := "gonbext: " + err.Error()
	if !gonbui.IsNotebook {
		fmt.Fprintln(os.Stderr, text)
		return err
	}
	show(protocol.MIMETextHTML, `<pre style="border-left:4px solid #D55E00;padding:4px 8px;white-space:pre-wrap">`+html.EscapeString(text)+`</pre>`, text+"\n")
	return err
}

// progress shows how far a long loop is. In a notebook one element is updated and its last state is what is saved; on a terminal a line is.
type progress struct {
	what        string
	done, total int
	found       int // of done, those that nothing had to be computed for
	start, last time.Time
	id          string
	quiet       bool
	below       string // HTML under the bar, in a notebook
}

// newProgress starts the clock; loops of one step show nothing.
func newProgress(what string, total int, quiet bool) *progress {
	p := &progress{what: what, total: total, start: time.Now(), quiet: quiet || total < 2}
	if gonbui.IsNotebook {
		p.id = gonbui.UniqueId()
	}
	p.draw("")
	return p
}

func (p *progress) step() {
	p.done++
	if p.done < p.total && time.Since(p.last) < 200*time.Millisecond {
		return
	}
	rate := float64(p.done-p.found) / time.Since(p.start).Seconds()
	left := time.Duration(float64(p.total-p.done) / rate * float64(time.Second))
	p.draw(fmt.Sprintf(", %s each, %s to go", time.Duration(float64(time.Second)/rate).Round(time.Millisecond), left.Round(time.Second)))
}

func (p *progress) end() {
	p.draw(fmt.Sprintf(" in %s", time.Since(p.start).Round(100*time.Millisecond)))
	if !p.quiet && !gonbui.IsNotebook && terminal() {
		fmt.Fprintln(os.Stderr)
	}
}

func (p *progress) draw(rest string) {
	if p.quiet {
		return
	}
	p.last = time.Now()
	line := fmt.Sprintf("%s: %d of %d%s", p.what, p.done, p.total, rest)
	switch {
	case gonbui.IsNotebook:
		gonbui.UpdateHTML(p.id, fmt.Sprintf(`<progress max="%d" value="%d"></progress> <span data-zeroshot="status">%s</span>%s`, p.total, p.done, html.EscapeString(line), p.below))
	case terminal():
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s", line)
	}
}

// terminal tells whether a person looks at the standard error.
func terminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// table is a table with a heading for each column; columns of numbers are set to the right.
type table struct {
	caption string
	head    []string
	right   []bool
	rows    [][]string
	timings []string // heads of columns that no second run repeats; files leave them out
}

// HTML is the table with inline styles that take the page's own colours.
func (t *table) HTML() string {
	var b strings.Builder
	b.WriteString(`<table style="border-collapse:collapse;font-size:13px">`)
	if t.caption != "" {
		fmt.Fprintf(&b, `<caption style="caption-side:top;text-align:left;padding:4px 0;white-space:pre-line;overflow-wrap:anywhere">%s</caption>`, html.EscapeString(t.caption))
	}
	cell := func(tag string, col int, s string) {
		style := "text-align:left"
		if t.right[col] {
			style = "text-align:right;white-space:nowrap"
		}
		fmt.Fprintf(&b, `<%s style="%s;padding:2px 10px 2px 0;border-bottom:1px solid #8884">%s</%s>`, tag, style, html.EscapeString(s), tag)
	}
	b.WriteString("<thead><tr>")
	for i, h := range t.head {
		cell("th", i, h)
	}
	b.WriteString("</tr></thead><tbody>")
	for _, r := range t.rows {
		b.WriteString("<tr>")
		for i, s := range r {
			cell("td", i, s)
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</tbody></table>")
	return b.String()
}

// Text is the table in columns.
func (t *table) Text() string {
	wide := make([]int, len(t.head))
	for _, r := range append([][]string{t.head}, t.rows...) {
		for i, s := range r {
			wide[i] = max(wide[i], len([]rune(s)))
		}
	}
	var b strings.Builder
	if t.caption != "" {
		fmt.Fprintln(&b, t.caption)
	}
	for _, r := range append([][]string{t.head}, t.rows...) {
		var line strings.Builder
		for i, s := range r {
			pad := strings.Repeat(" ", wide[i]-len([]rune(s)))
			if t.right[i] {
				s = pad + s
			} else {
				s += pad
			}
			line.WriteString(s + "  ")
		}
		fmt.Fprintln(&b, strings.TrimRight(line.String(), " "))
	}
	return b.String()
}

// markdown makes text safe in the cells of tables.
var markdown = strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "~", `\~`, "`", "\\`", "<", "&lt;", ">", "&gt;", "&", "&amp;", "[", `\[`, "]", `\]`, "$", `\$`, "\n", "<br>", "\r", " ")

// Markdown is the table in the form that code hosts and text programs read.
func (t *table) Markdown() string {
	var b strings.Builder
	if t.caption != "" {
		fmt.Fprintf(&b, "%s\n\n", markdown.Replace(t.caption))
	}
	row := func(cells []string) {
		for _, s := range cells {
			fmt.Fprintf(&b, "| %s ", markdown.Replace(s))
		}
		b.WriteString("|\n")
	}
	row(t.head)
	for _, right := range t.right {
		b.WriteString(map[bool]string{false: "|---", true: "|---:"}[right])
	}
	b.WriteString("|\n")
	for _, r := range t.rows {
		row(r)
	}
	return b.String()
}

// repeatable is the table without its timings.
func (t *table) repeatable() *table {
	c := &table{caption: t.caption, rows: make([][]string, len(t.rows))}
	for i, h := range t.head {
		if slices.Contains(t.timings, h) {
			continue
		}
		c.head, c.right = append(c.head, h), append(c.right, t.right[i])
		for k, r := range t.rows {
			c.rows[k] = append(c.rows[k], r[i])
		}
	}
	return c
}

// show shows the table and keeps it for Save.
func (t *table) show() {
	shown.keep(item{table: t})
	send(map[protocol.MIMEType]any{protocol.MIMETextHTML: t.HTML(), protocol.MIMETextMarkdown: t.Markdown()}, t.Text())
}

// ShowTable shows a table as HTML, Markdown and text. Its first column is set to the left, the others, as numbers, to the right. Every row has as many cells as the heading; another is an error, and nothing is shown.
func ShowTable(caption string, head []string, rows [][]string) error {
	for i, r := range rows {
		if len(r) != len(head) {
			return report(fmt.Errorf("ShowTable: row %d has %d cells, the heading has %d: %q", i, len(r), len(head), r), Options{})
		}
	}
	showTable(caption, head, rows)
	return nil
}

// ShowNote shows a remark, such as what a picture rests on, and keeps it for Save.
func ShowNote(text string) { note(text) }

// note shows a remark and keeps it for Save.
func note(text string) {
	shown.keep(item{text: text})
	show(protocol.MIMETextHTML, `<div style="border-left:4px solid #E69F00;padding:2px 8px;margin:4px 0">`+html.EscapeString(text)+`</div>`, text+"\n")
}
