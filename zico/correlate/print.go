package correlate

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
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
	for _, p := range r.proxies() {
		line := []string{name(p)}
		for _, column := range r.Columns {
			row := r.Row(p.Name, column.Name)
			if row == nil {
				line = append(line, "-", "")
				continue
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

// proxies are those of the rows, in their order, each once.
func (r *Report) proxies() []Proxy {
	var list []Proxy
	for _, row := range r.Rows {
		if !slices.ContainsFunc(list, func(p Proxy) bool { return p.Name == row.Proxy.Name }) {
			list = append(list, row.Proxy)
		}
	}
	return list
}

// Row is the row of a proxy and a column, by name; nil if there is none.
func (r *Report) Row(proxy, column string) *Row {
	for i := range r.Rows {
		if r.Rows[i].Proxy.Name == proxy && r.Rows[i].Column == column {
			return &r.Rows[i]
		}
	}
	return nil
}

// side puts the columns side by side, one proxy a row: head are the heads of the cells of a column behind its dataset, cells makes them.
func (r *Report) side(head []string, cells func(row *Row, column tables.Column) []string) *grid {
	g := &grid{head: []string{"proxy"}}
	for _, c := range r.Columns {
		g.head = append(g.head, c.Name)
		g.head = append(g.head, head...)
	}
	for _, p := range r.proxies() {
		line := []string{p.title()}
		for _, c := range r.Columns {
			if row := r.Row(p.Name, c.Name); row != nil {
				line = append(line, cells(row, c)...)
			} else {
				line = append(line, make([]string, 1+len(head))...)
			}
		}
		g.rows = append(g.rows, line)
	}
	return g
}

// TauTable is Kendall's tau of all proxies and columns with its interval, beside the paper's, as text in cells: the layout of the paper's Tables 1, 3 and 5. An asterisk marks a value of the paper that lies outside the interval.
func (r *Report) TauTable() (head []string, rows [][]string) {
	g := r.side([]string{"paper"}, func(row *Row, _ tables.Column) []string {
		paper := ""
		if row.Paper != nil {
			paper = row.Kendall.beside(row.Paper.Kendall, row.KendallAgrees)
		}
		return []string{row.Kendall.String(), paper}
	})
	return g.head, g.rows
}

// RhoTable is TauTable for Spearman's rho.
func (r *Report) RhoTable() (head []string, rows [][]string) {
	g := r.side([]string{"paper"}, func(row *Row, _ tables.Column) []string {
		paper := ""
		if row.Paper != nil {
			paper = row.Spearman.beside(row.Paper.Spearman, row.SpearmanAgrees)
		}
		return []string{row.Spearman.String(), paper}
	})
	return g.head, g.rows
}

// beside prints a value of the paper.
func (i Interval) beside(paper float64, agrees bool) string {
	s := fmt.Sprintf("%.2f", paper)
	if !agrees && !math.IsNaN(float64(i.Value)) {
		s += " *"
	}
	return s
}

// TopTable is what a search gets from each proxy, as text in cells: the share of the best-scored architectures that are among the most accurate, and the regret of the best-scored one.
func (r *Report) TopTable() (head []string, rows [][]string) {
	g := r.side([]string{"regret"}, func(row *Row, c tables.Column) []string {
		return []string{fmt.Sprintf("%.2f", row.Precision), measure(row.Regret, c)}
	})
	for i := range r.Columns {
		g.head[1+2*i] = fmt.Sprintf("P@%g%% %s", 100*r.Top, r.Columns[i].Name)
	}
	return g.head, g.rows
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

// FirstsTitle is the head of the table of Firsts.
func (r *Report) FirstsTitle() string {
	if r.N == r.Population {
		return fmt.Sprintf("Accuracy of the architecture with the best score, of all %d", r.N)
	}
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
	fmt.Fprintln(&b, r.FirstsTitle())
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
	fmt.Fprintf(&b, "### %s\n\n", r.FirstsTitle())
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
	best := map[string]Value{}
	for c, column := range r.Columns {
		best[column.Name] = r.Best[c]
	}
	for _, row := range r.Rows {
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
			v(row.Precision), v(row.First), first, v(row.Regret), v(best[row.Column]), paper[4],
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
