package gonbext

import (
	"fmt"
	"math"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
	"github.com/zeroshotnas/zeroshot/zico/search"
)

// NamedLog is the log of a search under a name.
type NamedLog struct{ Name, Path string }

// Mark is a value to compare with.
type Mark struct {
	Name  string
	Value float64
}

// ShowSearches shows how the best scores of several searches grow with the evaluations, beside values to compare with. The first hundredth of each is left out: scores rise so steeply there that the rest would be flat. The logs may be compressed by gzip, and must be of runs with one objective, the same metrics and the same evaluator.
func ShowSearches(title string, logs []NamedLog, marks ...Mark) error {
	ch, text, err := searches(title, logs, marks)
	if err == nil {
		showChart(ch, text)
	}
	return report(err, Options{})
}

func searches(title string, logs []NamedLog, marks []Mark) (svg.Lines, string, error) {
	ch := svg.Lines{Title: title, XLabel: "evaluations", Height: 400}
	text := title + ":\n"
	var first *search.Header
	for _, l := range logs {
		h, err := search.ReadLog(l.Path)
		if err != nil {
			return ch, "", err
		}
		if len(h.Header.Objectives) != 1 {
			return ch, "", fmt.Errorf("gonbext: %s has the objectives %v; a best score needs one", l.Path, h.Header.Objectives)
		}
		if first == nil {
			first = &h.Header
			ch.YLabel = "best " + h.Header.Objectives[0] + " so far"
			if s := h.State(); s.Objectives()[0].Lower {
				ch.YLabel += ", with its sign turned (higher is better)"
			}
		}
		if a, b := fmt.Sprint(first.Objectives, first.Evaluator), fmt.Sprint(h.Header.Objectives, h.Header.Evaluator); a != b {
			return ch, "", fmt.Errorf("gonbext: %s scores by %s, %s by %s: their scores cannot be compared", logs[0].Path, a, l.Path, b)
		}
		line := svg.Line{Name: l.Name, Step: true}
		best := math.Inf(-1)
		s := h.State()
		n := len(s.Scored())
		for i, c := range s.Scored() {
			v := s.Score(c)
			better := v > best
			best = max(best, v)
			if at := n / 100; i == at || i > at && better {
				line.Points = append(line.Points, svg.BandPoint{X: float64(i + 1), Y: best, Title: fmt.Sprintf("%s: %.6g at evaluation %d", l.Name, best, i+1)})
			}
		}
		line.Points = append(line.Points, svg.BandPoint{X: float64(n), Y: best})
		text += fmt.Sprintf("  %-28s best %.6g after %d evaluations\n", l.Name, best, n)
		ch.Lines = append(ch.Lines, line)
	}
	for _, m := range marks {
		ch.Guides = append(ch.Guides, svg.Guide{Name: fmt.Sprintf("%s: %.4g", m.Name, m.Value), At: m.Value})
		text += fmt.Sprintf("  %-28s %.6g\n", m.Name, m.Value)
	}
	return ch, text, nil
}

// ShowChart shows a chart of package svg in the theme of SetTheme; outside a notebook it prints text, which stands for the picture there.
func ShowChart(ch svg.Chart, text string) { showChart(ch, text) }
