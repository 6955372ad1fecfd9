package gonbext

import (
	"fmt"
	"math"
	"strings"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
	"github.com/zeroshotnas/zeroshot/zico"
)

// The kinds of layers that charts tell apart.
var layerKinds = []svg.Group{
	{Name: "3x3 and larger convolution", Color: svg.Blue},
	{Name: "1x1 convolution", Color: svg.Orange},
	{Name: "linear", Color: svg.Green},
	{Name: "other", Color: svg.Purple},
}

func layerKind(l zico.Layer) int {
	switch {
	case l.Op == "linear", len(l.Weight) == 2:
		return 2
	case len(l.Weight) != 4:
		return 3
	case l.Op == "conv" && l.Weight[2] == 1, l.Op == "variable" && l.Weight[0] == 1:
		return 1
	}
	return 0
}

func showScore(res *zico.Result, o Options) {
	t := &table{
		caption: fmt.Sprintf("%s\n%s", res.Network, o),
		head:    []string{"ZiCo", "layers", "left out", "parameters", "multiply-adds", "seconds", "compiling"},
		timings: []string{"seconds", "compiling"},
		right:   []bool{true, true, true, true, true, true, true},
		rows:    [][]string{{score(res.Score), fmt.Sprint(len(res.Layers)), fmt.Sprint(skipped(res)), fmt.Sprint(res.Params), millions(res.MACs), fmt.Sprintf("%.2f", seconds(res)), fmt.Sprintf("%.2f", res.Compile.Seconds())}},
	}
	t.show()
	warnings(res)
	showChart(layerColumns(res), layerText(res))
}

// layerColumns is the picture of the layers' shares of a score.
func layerColumns(res *zico.Result) svg.Columns {
	bars := make([]svg.Bar, len(res.Layers))
	for i, l := range res.Layers {
		bars[i] = svg.Bar{Label: l.Name, Value: l.Log, Group: layerKind(l), Void: l.Skipped, Title: fmt.Sprintf("%s %v: ln %.6g = %.4f (%d of %d weights)", l.Name, l.Weight, l.Sum, l.Log, l.NonZero, l.Params)}
		if l.Skipped {
			bars[i].Title = fmt.Sprintf("%s %v: left out, no gradient that differs between the batches", l.Name, l.Weight)
		}
	}
	ch := svg.Columns{
		Title:  "What the score is made of: " + score(res.Score) + " in all",
		XLabel: "layer, from input to output (× = left out)",
		YLabel: "ln of the layer's sum (nat)",
		Groups: used(layerKinds, bars),
		Bars:   bars,
	}
	regroup(ch.Groups, bars)
	return ch
}

// used are the groups that occur in the bars.
func used(groups []svg.Group, bars []svg.Bar) []svg.Group {
	var out []svg.Group
	for i, g := range groups {
		for _, b := range bars {
			if b.Group == i {
				out = append(out, g)
				break
			}
		}
	}
	return out
}

// regroup renumbers bars from layerKinds to the groups used.
func regroup(groups []svg.Group, bars []svg.Bar) {
	for i := range bars {
		for k, g := range groups {
			if g == layerKinds[bars[i].Group] {
				bars[i].Group = k
				break
			}
		}
	}
}

func layerText(res *zico.Result) string {
	t := &table{head: []string{"layer", "weight", "sum", "ln"}, right: []bool{false, false, true, true}}
	for _, l := range res.Layers {
		ln := fmt.Sprintf("%.4f", l.Log)
		if l.Skipped {
			ln = "left out"
		}
		t.rows = append(t.rows, []string{l.Name, strings.Trim(fmt.Sprint(l.Weight), "[]"), fmt.Sprintf("%.6g", l.Sum), ln})
	}
	return t.Text()
}

func showCompare(results []*zico.Result, o Options) {
	t := &table{
		caption: "On the same images with the same seed: " + o.String(),
		head:    []string{"ZiCo", "layers", "left out", "parameters", "multiply-adds", "seconds", "network"},
		timings: []string{"seconds"},
		right:   []bool{true, true, true, true, true, true, false},
	}
	bars := make([]svg.Bar, len(results))
	for i, res := range results {
		t.rows = append(t.rows, []string{score(res.Score), fmt.Sprint(len(res.Layers)), fmt.Sprint(skipped(res)), fmt.Sprint(res.Params), millions(res.MACs), fmt.Sprintf("%.2f", seconds(res)), res.Network})
		bars[i] = svg.Bar{Label: res.Network, Value: res.Score, Title: fmt.Sprintf("%s: ZiCo %.4f, %d parameters, %s multiply-adds", res.Network, res.Score, res.Params, millions(res.MACs))}
	}
	t.show()
	for _, res := range results {
		for _, w := range res.Warnings {
			note(res.Network + ": " + w)
		}
	}
	showChart(svg.Rows{Title: "ZiCo score", XLabel: "ZiCo score (nat, larger is better)", Bars: bars}, "")
}

func showSeeds(results []*zico.Result, o Options) {
	scores := make([]float64, len(results))
	dots := make([]svg.Dot, len(results))
	for i, res := range results {
		scores[i] = res.Score
		dots[i] = svg.Dot{X: float64(i + 1), Y: res.Score, Title: fmt.Sprintf("seed %d: %.4f", i+1, res.Score)}
	}
	mean, summary := spread(scores)
	ch := svg.Dots{
		Title:  summary,
		XLabel: "seed of the weights (the images stay the same)",
		YLabel: "ZiCo score (nat)",
		Points: dots,
		Line:   mean, LineName: "mean",
	}
	showChart(ch, fmt.Sprintf("%s: %s\n", results[0].Network, summary))
}

// spread returns the mean of scores and says it in words with the sample's standard deviation, where there is one.
func spread(scores []float64) (mean float64, summary string) {
	n := float64(len(scores))
	for _, v := range scores {
		mean += v / n
	}
	if len(scores) == 1 {
		return mean, fmt.Sprintf("1 seed: %.2f", mean)
	}
	var squares float64
	for _, v := range scores {
		squares += (v - mean) * (v - mean)
	}
	std := math.Sqrt(squares / (n - 1))
	summary = fmt.Sprintf("%d seeds: mean %.2f, standard deviation %.2f", len(scores), mean, std)
	if mean != 0 {
		summary += fmt.Sprintf(" (%.2f %%)", 100*std/math.Abs(mean))
	}
	return mean, summary
}

// warnings shows what a score hides.
func warnings(res *zico.Result) {
	for _, w := range res.Warnings {
		note(w)
	}
}

func score(v float64) string { return fmt.Sprintf("%.4f", v) }

func millions(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f M", float64(n)/1e6)
}

func skipped(res *zico.Result) int {
	n := 0
	for _, l := range res.Layers {
		if l.Skipped {
			n++
		}
	}
	return n
}
