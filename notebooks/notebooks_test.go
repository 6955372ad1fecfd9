// Package notebooks runs the notebooks.
package notebooks

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/zico/correlate"
	"github.com/zeroshotnas/zeroshot/zico/search"
)

// notebook is what the tests need of nbformat 4.
type notebook struct {
	Cells []struct {
		Type    string   `json:"cell_type"`
		Source  lines    `json:"source"`
		Outputs []output `json:"outputs"`
	} `json:"cells"`
	Metadata struct {
		Kernel struct {
			Name string `json:"name"`
		} `json:"kernelspec"`
	} `json:"metadata"`
}

type output struct {
	Type string           `json:"output_type"`
	Text lines            `json:"text"`
	Data map[string]lines `json:"data"`
}

// lines is a text that nbformat stores whole or as a list of lines.
type lines string

func (l *lines) UnmarshalJSON(b []byte) error {
	var list []string
	if json.Unmarshal(b, &list) == nil {
		*l = lines(strings.Join(list, ""))
		return nil
	}
	return json.Unmarshal(b, (*string)(l))
}

func read(t *testing.T, file string) notebook {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var n notebook
	if err := json.Unmarshal(b, &n); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return n
}

func all(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.ipynb")
	if err != nil || len(files) == 0 {
		t.Fatalf("no notebooks (%v)", err)
	}
	return files
}

// outputs are what a notebook must have: kinds with their least number, and patterns of the text.
type outputs struct {
	kinds map[string]int
	text  []string
}

// want is what the outputs of a notebook must hold, in the repository and in a quick run without the files of the benchmarks.
var want = map[string]outputs{
	"01-score.ipynb": {
		kinds: map[string]int{"image/svg+xml": 4, "text/html": 5},
		text: []string{
			`ZiCo +layers +left out +parameters`,
			`cells\.12\.layers\.0\.op\.1 +64 64 3 3`,
			`mean/std = +3\.00 +ln = +1\.099`,
			`0\.0000 +23 +23 +316346 .*none~0\|none~1\|none~2`, // the disconnected cell: every layer left out
			`8 seeds: mean [1-9]\d+\.\d\d, standard deviation`,
			`/classifier/dense/weights +64 10`,
			`the paper's Eq\. 15: +[1-9]\d+\.\d{4}`,
		},
	},
	"02-nas-bench-201.ipynb": {
		kinds: map[string]int{"image/svg+xml": 15, "text/html": 12},
		text: []string{
			`scored|cifar10/valid: \d+ of 15625 architectures of natstss:C=16,N=5`,
			`architectures have all their scores; tau of ZiCo is now`,
			`\d+ of 15625 architectures of natstss:C=16,N=5, drawn with seed 1\nimages: cifar10_batch_0\.png, 2 batches of 128, 32x32 pixels, 10 classes; weights seed 1, float32`,
			`Kendall's tau-b with its 95 % interval, \d+ of 15625 architectures`,
			`\nZiCo +0\.[5-7]\d\d \[0\.\d+, 0\.\d+\] +0\.61`,
			`Spearman's rho with its 95 % interval`,
			`P@10% cifar10/\w+ +regret`,
			`all 15625 architectures +tau +rho +paper`,
			`Accuracy of the architecture with the best score, of all 15625`,
			`ZiCo per layer: tau`,
			`tau and rho of the paper lie in our intervals for \d+ of \d+ rows`,
			`certificate: natstss:C=16,N=5, \d+ of 15625 architectures`,
		},
	},
	"03-other-benchmarks.ipynb": {
		text: []string{
			`data/sss\.csv: \d+ of 32768 architectures of natssss, drawn with seed 1, \d+ proxies\nimages: .*, 2 batches of \d+, 32x32 pixels`,
			`data/nb101\.csv: \d+ of 423624 architectures of nasbench101:C=128,N=3, drawn with seed 1`,
			`data/transnas\.csv: \d+ of 4096 architectures of transnas:C=64,macro=0, drawn with seed 1`,
			`all 32768 architectures|No accuracies: sss\.bin\.gz is not there\. Download NATS-sss`,
			`certificate: nasbench101:C=128,N=3|No accuracies: nb101_test\.bin\.gz is not there\. Download nasbench_only108`,
			`all 4096 architectures|No accuracies: tnb_micro\.bin\.gz is not there\. Download transnas-bench`,
		},
	},
	"04-imagenet-search.ipynb": {
		kinds: map[string]int{"image/svg+xml": 13, "text/html": 8},
		text: []string{
			`evolution:population=8 on masternet:reslink=0,se=0, FLOPs up to 450M, layers up to 14`,
			`evaluations an hour on this machine`,
			`the paper's 450M network +9\d\d\.\d`,
			`random +best \d{3}\.\d+ after 2000 evaluations`,
			`#params by zico: +\d+\.\d\dM parameters, +4\d\dM multiply-adds, ZiCo \d+`,
			`initial +289\.\d +162\.4M +2\.81M +6 `,
			`zico_450M +9\d\d\.\d +438\.4M +5\.72M +14 +440\.1M +7\.53M +448M +78\.1`,
			`params_450M +\d+\.\d +450\.0M .* 63\.5`,
			`64 px, 2 x 16 +0\.\d+ \[0\.\d+, 0\.\d+\]`,
			`224 px, 2 x 128 +\d+ candidates an hour, 100,000 iterations: +\d+\.\d hours`,
			`searching by cifar10/valid on natstss.*means of \d+ runs`,
			`searching by ranks in cifar10/valid with noise 0\.4`,
			`all of it took`,
			`zico +1 +227 .* 94\.15 / 72\.77 / 46\.39 +\|nor_conv_3x3~0\|`,
			`files: arch\.txt, .*model\.py`,
			`import torch\nfrom torch import nn`,
			`loss \d\.\d+ at the first step, \d\.\d+ at the last`,
		},
	},
	"05-theory.ipynb": {
		kinds: map[string]int{"image/svg+xml": 8},
		text: []string{
			`\d+ images of \d+ pixels\s+mean cosine between two images: 0\.\d+`,
			`bound as printed .* runs under it: 0 of \d+`,
			`bound put right .* runs under it: (100 of 100|1000 of 1000), loss/bound 0\.`,
			`bound of the variance .* runs under it: (100 of 100|1000 of 1000), loss/bound 0\.`,
			`between floor and bound: (100 of 100|1000 of 1000)`,
			`share of noise and loss left: +(0\.9\d\d|1\.000) `,
			`always 1 +1\.000 +0\.001 `,
			`of its loss the epoch takes away at most \de-0[789]`,
			`width +256 +-?\d\.\d{3} \[`,
			`scale 4 +sigma .* ZiCo \d+\.\d\d`,
			`limit +0\.0\d+ +\d+\.\d+`,
			`width 2048: rate N/largest eigenvalue = .* by H\(0\) 0\.`,
			`rank correlation of H's largest eigenvalue with`,
			`ZiCo of one network: (\d+\.\d)\d+ in float64, \d+\.\d+ by zico\.ScoreGradients`,
		},
	},
	"06-ablations.ipynb": {
		kinds: map[string]int{"image/svg+xml": 6},
		text: []string{
			`ablation-number\.csv: \d+ of 15625 architectures of natstss:C=16,N=5, drawn with seed 1; images: cifar10_batch_0\.png, 10 batches of 64`,
			`\nsss\.csv: \d+ of 32768 architectures of natssss, .* 2 batches of 32`,
			`zico:batches=3-4( +\d+\.\d\d){4}`,
			`zico:batches=2:reseed=1( +\d+\.\d\d){4}`,
			`Fig\. 4 \(a\): ZiCo over N batches of 64 images against cifar100/\w+, \d+ networks`,
			`  N = 10 +0\.[67]\d\d \[`,
			`  zico:batches=9-10 +0\.[67]\d\d \[`,
			`Fig\. 4 \(b\): ZiCo over two batches against cifar100/\w+, \d+ networks`,
			`  128 images +0\.[678]\d\d \[.* \+0\.000 \[\+0\.000, \+0\.000\]`,
			`Table 7: parts of ZiCo on natssss, \d+ networks|No accuracies: sss\.bin\.gz is not there\. Download NATS-sss`,
			`Table 7: parts of ZiCo on natstss:C=16,N=5, \d+ networks`,
			`tau between zico and zico-eq15: 0\.9\d\d\n +cifar10/\w+ +tau of the code 0\.5`,
			`8 draws of the weights, \d+ networks, 2 batches of 64\n +variation of a network's score: median [01]\.\d\d %`,
			`5 choices of images, \d+ networks, 2 batches of 64`,
			`zico: relative difference of a score: median \d\.\de-03, .* tau between the types 0\.9[789]`,
			`tau between the scores on CIFAR-10 and on noise: 0\.9`,
		},
	},
	"07-explore.ipynb": {
		kinds: map[string]int{"image/svg+xml": 9, "text/html": 6},
		text: []string{
			`\n *[1-9]\d+\.\d{4} +587,386 +82\.49 M +53 +90\.59 % +390 of 15,625 +\|nor_conv_3x3~0\|`,
			`\d+ of \d+ scored neighbours have a higher score; 24 in all`,
			` of 15,625 +edge \d → \d: \w+ → \w+`,
			`of \d+ other cells, score and accuracy move the same way in \d+`,
			`scored neighbours have a higher score; 35 in all`,
			` +width \d: \d+ → \d+`,
			`other networks have more parameters; \d+ of these have a higher score`,
			`masternet:reslink=0,se=0\n2 batches of \d+ images`,
			` +block \d, [a-z]+: \w+ → `,
			`the best of \d+: \+`,
		},
	},
}

// committed is what the outputs in the repository hold beside, which rest on samples of the size that they were promised to have and on the test accuracies of the benchmarks.
var committed = map[string]outputs{
	"02-nas-bench-201.ipynb": {
		text: []string{
			`Kendall's tau-b with its 95 % interval, [1-9]\d{3} of 15625 architectures`,
			`#Params +cifar10/test +0\.5778 +0\.7527`,
			`#Params +cifar100/test +0\.5534 +0\.7278`,
			`#Params +ImageNet16-120/test +0\.5203 +0\.6915`,
			`FLOPs as ptflops counts +ImageNet16-120/test +0\.4878 +0\.6743`,
			`#Params +93\.76 +93\.7 +71\.11 +71\.1 +41\.44 +41\.4`,
			`ZiCo, cifar10/test +tau 0\.\d+`,
		},
	},
	"03-other-benchmarks.ipynb": {
		kinds: map[string]int{"image/svg+xml": 17, "text/html": 15},
		text: []string{
			`certificate: natssss, ([3-9]\d\d|\d{4,}) of 32768`,
			`certificate: nasbench101:C=128,N=3, ([3-9]\d\d|\d{4,}) of 423624`,
			`certificate: transnas:C=64,macro=0, ([3-9]\d\d|\d{4,}) of 4096`,
			`ours, +cifar100/test +0\.5326 +0\.7174 +0\.1925 +0\.2812`,
			`class_scene/final +0\.4562 +0\.6381 +0\.46 0\.64 +0\.4672 +0\.6519 +0\.47 0\.65`,
			`mean distance from the paper's "CIFAR10"`,
			`transnas:C=64,macro=0, .* tau and rho of the paper lie in our intervals for \d+ of \d+ rows`,
		},
	},
	"04-imagenet-search.ipynb": {
		text: []string{
			`evaluation limit reached.* 300 evaluations`,
			`After 2500 candidates, searching by cifar10/valid on natstss.*means of 20 runs`,
			`epoch 12: loss 0\.\d+`,
			`zico +1 +227 +93\.76 +71\.11 +41\.44 `,
		},
	},
	"05-theory.ipynb": {
		text: []string{
			`mean cosine between two images: 0\.688`, // of the embedded digits: results of somebody's own files are not committed
			`bound put right .* runs under it: 1000 of 1000`,
			`150 networks\s+sigma`,
			`width 1024 +-?\d\.\d{3} \[`,
			` 16384 +0\.0\d+ `,
			`width 256, 60 draws`,
		},
	},
	"06-ablations.ipynb": {
		kinds: map[string]int{"image/svg+xml": 7},
		text: []string{
			`against cifar100/test, 400 networks`,
			`N = 3 .* -0\.016 \[-0\.025, -0\.008\]\*`,
			`against cifar100/test, 300 networks`,
			`  2 images .* \+0\.039 \[\+0\.027, \+0\.053\]\*`,
			`zico-mean +0\.772 \[.* 0\.25 0\.37 +\+0\.088 \[\+0\.062, \+0\.115\]\*`,
			`8 draws of the weights, 80 networks`,
			`5 choices of images, 400 networks`,
			`  noise +0\.633 \[.* \+0\.027 \[\+0\.011, \+0\.042\]\*`,
		},
	},
	"07-explore.ipynb": {
		text: []string{
			`559\.6318 +587,386`,
			`731\.2181 .* 91\.29 % +33 of 15,625 +edge 1 → 2: avg_pool_3x3 → nor_conv_3x3`,
			`721\.3068 .* 89\.45 % +2,088 of 15,625 +edge 0 → 3: skip_connect → nor_conv_3x3`,
			`move the same way in 20 and against each other in 4`,
			`249\.5143 +214,042`,
			`14 of 24 other networks have more parameters; 14 of these`,
			`912\.9600 +3,673,738 +34\.77 M`,
			`972\.1167 +3,730,762 +38\.33 M +81 +block 3, layers: 1 → 2`,
		},
	},
}

// check looks at the outputs of a notebook that was run.
func check(t *testing.T, name string, n notebook, wants ...outputs) {
	t.Helper()
	kinds := map[string]int{}
	var text strings.Builder
	for i, c := range n.Cells {
		for _, o := range c.Outputs {
			if o.Type == "error" {
				t.Errorf("%s: cell %d ends in an error", name, i)
			}
			text.WriteString(string(o.Text) + "\n")
			for kind, data := range o.Data {
				kinds[kind]++
				switch kind {
				case "image/svg+xml":
					selfContained(t, name, i, string(data))
				case "text/html":
					if strings.Contains(string(data), "<script") || strings.Contains(string(data), "http") {
						t.Errorf("%s: cell %d has HTML that runs or loads something", name, i)
					}
				case "text/plain":
					text.WriteString(string(data) + "\n")
				}
			}
		}
	}
	if _, ok := want[name]; !ok {
		t.Fatalf("%s: notebooks_test.go does not say what the outputs must hold", name)
	}
	for _, w := range append(wants, want[name]) {
		for kind, least := range w.kinds {
			if kinds[kind] < least {
				t.Errorf("%s has %d outputs of kind %s, want %d", name, kinds[kind], kind, least)
			}
		}
		for _, p := range w.text {
			if !regexp.MustCompile(p).MatchString(text.String()) {
				t.Errorf("%s: no output matches %q", name, p)
			}
		}
	}
}

// selfContained checks that a picture is well-formed and refers to nothing.
func selfContained(t *testing.T, name string, cell int, picture string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(picture))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Errorf("%s: cell %d has a picture that is not well-formed: %v", name, cell, err)
			return
		}
		if e, ok := tok.(xml.StartElement); ok {
			for _, a := range e.Attr {
				if a.Name.Local == "id" || a.Name.Local == "href" || e.Name.Local == "script" {
					t.Errorf("%s: cell %d has a picture with %s %s", name, cell, e.Name.Local, a.Name.Local)
				}
			}
		}
	}
}

// TestCommitted checks the notebooks as they are in the repository: run, without errors, without paths of a machine.
func TestCommitted(t *testing.T) {
	for _, file := range all(t) {
		n := read(t, file)
		if n.Metadata.Kernel.Name != "zeroshot" {
			t.Errorf("%s is for the kernel %q, want zeroshot", file, n.Metadata.Kernel.Name)
		}
		check(t, file, n, committed[file])
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/root/", "/home/", "/tmp/", "/Users/"} {
			if strings.Contains(string(b), path) {
				t.Errorf("%s holds the path %s...", file, path)
			}
		}
	}
	for name := range want {
		if !slices.Contains(all(t), name) {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestData checks the scores that the notebooks read: whole, without accuracies, which are the benchmarks', and without paths of a machine.
func TestData(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("data", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in data (%v)", err)
	}
	for _, file := range files {
		switch {
		case strings.HasSuffix(file, ".jsonl.gz"):
			h, err := search.ReadLog(file)
			if err != nil {
				t.Errorf("%s: %v", file, err)
			} else if s := h.State(); s.Evaluations < 2000 || s.Failed > 0 || strings.ContainsAny(h.Header.Evaluator["images"], `/\`) {
				t.Errorf("%s has %d evaluations, %d failed, on images from %q", file, s.Evaluations, s.Failed, h.Header.Evaluator["images"])
			}
			continue
		case file == filepath.Join("data", "search-agreement.csv"):
			continue // read by its notebook
		case file == filepath.Join("data", "zero-cost-pt.csv"):
			choices(t, file)
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := correlate.ReadCSV(bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if len(s.Columns) > 0 {
			t.Errorf("%s holds the accuracies %v: write it with -bare", file, s.Columns)
		}
		if s.Done() < s.Len() || strings.ContainsAny(s.Data, `/\`) {
			t.Errorf("%s has all scores of %d of %d architectures, on images from %q", file, s.Done(), s.Len(), s.Data)
		}
	}
}

// choices checks the file of what runs of Zero-Cost-PT chose: one cell of NAS-Bench-201 a row.
func choices(t *testing.T, file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil || len(rows) < 2 || strings.Join(rows[0], ",") != "proxy,seed,evaluations,arch" {
		t.Errorf("%s: %d rows, error %v; want a heading proxy,seed,evaluations,arch and runs", file, len(rows), err)
		return
	}
	for _, r := range rows[1:] {
		n, err := strconv.Atoi(r[2])
		if a, perr := (natstss.Space{C: 16, N: 5}).Parse(r[3]); perr != nil || string(a) != r[3] || err != nil || n < 31 || n > 310 {
			t.Errorf("%s: %q: a run has 31 to 310 evaluations and a canonical cell (%v)", file, r, perr)
		}
	}
}

// installed is a program of the Python environment that zico setup makes. Without it the test is skipped.
func installed(t *testing.T, program string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", ".zeroshot", "venv", "bin", program))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("Jupyter is not installed: run `zico setup`")
	}
	return path
}

// TestRun runs every notebook from top to bottom with small batches.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("running notebooks takes a minute")
	}
	jupyter := installed(t, "jupyter")
	for _, file := range all(t) {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, jupyter, "nbconvert", "--to", "notebook", "--execute", file, "--output-dir", dir, "--output", file)
			c.Env = append(os.Environ(), "ZEROSHOT_QUICK=1", "ZEROSHOT_FIGURES="+filepath.Join(dir, "figures"), "ZEROSHOT_SESSIONS="+filepath.Join(dir, "sessions"))
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			check(t, file, read(t, filepath.Join(dir, file)))
		})
	}
}
