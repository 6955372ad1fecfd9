package gonbext

import (
	"fmt"
	"html"
	"os"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// show displays a picture or a table as a rich form with a text form beside it; outside a notebook it prints the text.
func show(mime protocol.MIMEType, rich, text string) {
	if !gonbui.IsNotebook {
		fmt.Print(text)
		return
	}
	gonbui.SendData(&protocol.DisplayData{Data: map[protocol.MIMEType]any{mime: rich, protocol.MIMETextPlain: text}})
	gonbui.Sync()
}

func showSVG(picture, text string) { show(protocol.MIMEImageSVG, picture, text) }

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
	rate := float64(p.done) / time.Since(p.start).Seconds()
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
		gonbui.UpdateHTML(p.id, fmt.Sprintf(`<progress max="%d" value="%d"></progress> <span>%s</span>%s`, p.total, p.done, html.EscapeString(line), p.below))
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
}

// HTML is the table with inline styles that take the page's own colours.
func (t *table) HTML() string {
	var b strings.Builder
	b.WriteString(`<table style="border-collapse:collapse;font-size:13px">`)
	if t.caption != "" {
		fmt.Fprintf(&b, `<caption style="caption-side:top;text-align:left;padding:4px 0;white-space:pre-line">%s</caption>`, html.EscapeString(t.caption))
	}
	cell := func(tag string, col int, s string) {
		align := "left"
		if t.right[col] {
			align = "right"
		}
		fmt.Fprintf(&b, `<%s style="text-align:%s;padding:2px 10px 2px 0;border-bottom:1px solid #8884">%s</%s>`, tag, align, html.EscapeString(s), tag)
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

func (t *table) show() { show(protocol.MIMETextHTML, t.HTML(), t.Text()) }

// note shows a remark.
func note(text string) {
	show(protocol.MIMETextHTML, `<div style="border-left:4px solid #E69F00;padding:2px 8px;margin:4px 0">`+html.EscapeString(text)+`</div>`, text+"\n")
}
