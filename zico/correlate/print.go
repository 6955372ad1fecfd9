package correlate

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces/tables"
)

// grid is a table of text; columns but the first are set to the right.
type grid struct {
	head []string
	rows [][]string
}

func (g *grid) text(b *strings.Builder) {
	all := append([][]string{g.head}, g.rows...)
	wide := make([]int, len(g.head))
	for _, r := range all {
		for i, s := range r {
			wide[i] = max(wide[i], len([]rune(s)))
		}
	}
	for _, r := range all {
		var line strings.Builder
		for i, s := range r {
			pad := strings.Repeat(" ", wide[i]-len([]rune(s)))
			if i == 0 {
				line.WriteString("  " + s + pad)
			} else {
				line.WriteString("  " + pad + s)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

func (g *grid) markdown(b *strings.Builder) {
	cells := strings.NewReplacer("|", "\\|", "\n", " ")
	row := func(r []string) {
		for _, s := range r {
			b.WriteString("| " + cells.Replace(s) + " ")
		}
		b.WriteString("|\n")
	}
	row(g.head)
	b.WriteString("|---|" + strings.Repeat("---:|", len(g.head)-1) + "\n")
	for _, r := range g.rows {
		row(r)
	}
}

// correlations is the table of a column, one proxy a row, after the paper's Tables 1, 3 and 5.
func (r *Report) correlations(column string, name func(Proxy) string) *grid {
	level := fmt.Sprintf("%g %%", 100*r.Level)
	g := &grid{head: []string{"proxy", "KT [" + level + "]", "paper", "", "SPR [" + level + "]", "paper", "", "N", "tied", "NaN", "inf", fmt.Sprintf("P@%g%%", 100*r.Top)}}
	for _, row := range r.Rows {
		if row.Column != column {
			continue
		}
		kt, in1, spr, in2 := "", "", "", ""
		if row.Paper != nil {
			kt, spr = fmt.Sprintf("%.2f", row.Paper.Kendall), fmt.Sprintf("%.2f", row.Paper.Spearman)
			in1, in2 = row.Kendall.inside(row.KendallAgrees), row.Spearman.inside(row.SpearmanAgrees)
		}
		g.rows = append(g.rows, []string{
			name(row.Proxy), row.Kendall.String(), kt, in1, row.Spearman.String(), spr, in2,
			fmt.Sprint(row.Counts.N), fmt.Sprint(row.Counts.TiedScores), fmt.Sprint(row.Counts.NaNScores), fmt.Sprint(row.Counts.InfScores), fmt.Sprintf("%.3f", row.Precision),
		})
	}
	return g
}

func (i Interval) inside(agrees bool) string {
	switch {
	case math.IsNaN(float64(i.Value)):
		return ""
	case agrees:
		return "in"
	}
	return "out"
}

// firsts is the table of what the best-scored architectures are worth, after the paper's Tables 4 and 6, one proxy a row.
func (r *Report) firsts(name func(Proxy) string) *grid {
	g := &grid{head: []string{"proxy"}}
	best := []string{"best of all"}
	for c, column := range r.Columns {
		g.head = append(g.head, column.Name, "paper")
		best = append(best, measure(r.Best[c], column), "")
		if t := r.PaperTruth[c]; t != nil {
			best[len(best)-1] = printed(*t, column)
		}
	}
	g.rows = append(g.rows, best)
	per := len(r.Rows) / len(r.Columns)
	for i := range per {
		var line []string
		for c, column := range r.Columns {
			row := r.Rows[c*per+i]
			if c == 0 {
				line = append(line, name(row.Proxy))
			}
			paper := ""
			if p := row.PaperFirst; p != nil {
				if paper = printed(p.Value, column); p.Spread > 0 {
					paper += "±" + printed(p.Spread, column)
				}
			}
			line = append(line, measure(row.First, column), paper)
		}
		g.rows = append(g.rows, line)
	}
	return g
}

// measure prints an accuracy.
func measure(v Value, c tables.Column) string {
	if math.IsNaN(float64(v)) {
		return "-"
	}
	if c.Unit == "%" {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.4f", v)
}

// printed prints an accuracy with the paper's decimals.
func printed(v float64, c tables.Column) string {
	if c.Unit == "%" {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// Table is the table of a column as text in cells, for who draws it elsewhere; its columns but the first are numbers.
func (r *Report) Table(column string) (head []string, rows [][]string) {
	g := r.correlations(column, Proxy.title)
	return g.head, g.rows
}

// Firsts is the table of the accuracies of the best-scored architectures as text in cells.
func (r *Report) Firsts() (head []string, rows [][]string) {
	g := r.firsts(Proxy.title)
	return g.head, g.rows
}

// title is the head of the table of a column.
func (r *Report) title(c tables.Column) string {
	s := fmt.Sprintf("%s, %d of %d architectures of %s", c.Name, r.N, r.Population, r.Space)
	if c.Doc != "" {
		s += " (" + c.Doc + ")"
	}
	return s
}

func (r *Report) firstsTitle() string {
	return fmt.Sprintf("Accuracy of the architecture with the best score, of the %d of the sample", r.N)
}

// Text is the report for a terminal: a table for each column, one of the best-scored architectures, notes, and the certificate as the last line.
func (r *Report) Text() string {
	var b strings.Builder
	name := func(p Proxy) string { return p.Name }
	for _, c := range r.Columns {
		fmt.Fprintln(&b, r.title(c))
		r.correlations(c.Name, name).text(&b)
		fmt.Fprintln(&b)
	}
	fmt.Fprintln(&b, r.firstsTitle())
	r.firsts(name).text(&b)
	fmt.Fprintln(&b)
	for _, n := range r.Notes {
		fmt.Fprintln(&b, "note:", n)
	}
	fmt.Fprintln(&b, r.Certificate)
	return b.String()
}

// Markdown is the report for a document.
func (r *Report) Markdown() string {
	var b strings.Builder
	name := Proxy.title
	for _, c := range r.Columns {
		fmt.Fprintf(&b, "### %s\n\n", r.title(c))
		r.correlations(c.Name, name).markdown(&b)
		fmt.Fprintln(&b)
	}
	fmt.Fprintf(&b, "### %s\n\n", r.firstsTitle())
	r.firsts(name).markdown(&b)
	fmt.Fprintln(&b)
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	fmt.Fprintf(&b, "- %s\n", r.Certificate)
	return b.String()
}

// WriteCSV writes a line a Row with all digits, and the certificate in a line with # before the header.
func (r *Report) WriteCSV(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "# %s\n", strings.Join(strings.Fields(r.Certificate), " ")); err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	cw := csv.NewWriter(w)
	records := [][]string{{
		"space", "column", "proxy", "n", "population", "kendall", "kendall_low", "kendall_high", "kendall_paper", "kendall_agrees", "spearman", "spearman_low", "spearman_high", "spearman_paper", "spearman_agrees",
		"tied_scores", "tied_truth", "nan", "inf", "precision", "first", "first_paper", "regret", "best", "paper_source",
	}}
	for i, row := range r.Rows {
		paper := [5]string{}
		if p := row.Paper; p != nil {
			paper = [5]string{fmt.Sprint(p.Kendall), fmt.Sprint(row.KendallAgrees), fmt.Sprint(p.Spearman), fmt.Sprint(row.SpearmanAgrees), p.Source}
		}
		first := ""
		if p := row.PaperFirst; p != nil {
			first = fmt.Sprint(p.Value)
		}
		v := func(x Value) string { return printValue(float64(x)) }
		records = append(records, []string{
			r.Space, row.Column, row.Proxy.Name, fmt.Sprint(row.Counts.N), fmt.Sprint(r.Population),
			v(row.Kendall.Value), v(row.Kendall.Low), v(row.Kendall.High), paper[0], paper[1],
			v(row.Spearman.Value), v(row.Spearman.Low), v(row.Spearman.High), paper[2], paper[3],
			fmt.Sprint(row.Counts.TiedScores), fmt.Sprint(row.Counts.TiedTruth), fmt.Sprint(row.Counts.NaNScores), fmt.Sprint(row.Counts.InfScores),
			v(row.Precision), v(row.First), first, v(row.Regret), v(r.Best[i/(len(r.Rows)/len(r.Columns))]), paper[4],
		})
	}
	if err := cw.WriteAll(records); err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	return nil
}

// WriteJSON writes the report as one indented object; numbers that are not finite are the strings NaN, +Inf and -Inf.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	return nil
}
