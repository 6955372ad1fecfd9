package gonbext

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// TestExploreText checks that without a front end Explore ends by itself, with the architecture, its accuracy and rank, and its neighbours in the order of their scores.
func TestExploreText(t *testing.T) {
	var visits []Visit
	var err error
	text := capture(t, func() { visits, err = Explore(Exploration{Arch: "1462"}, small) })
	if err != nil || len(visits) != 25 {
		t.Fatalf("%d visits, error %v, want the architecture and its 24 neighbours", len(visits), err)
	}
	first := visits[0]
	if first.Of != 15625 || first.Rank < 1 || first.Accuracy < 10 || first.Result == nil {
		t.Errorf("the first visit is %+v", first)
	}
	for _, want := range []string{
		score(first.Result.Score), string(first.Arch), thousands(int64(first.Rank)) + " of 15,625", fmt.Sprintf("%.2f %%", first.Accuracy),
		"cells.0.layers.1.op.1", "24 scored neighbours have a higher score; 24 in all", "edge 0 → 1: ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
}

// TestExploreNoScore checks that an architecture without a score is shown with the reason, and an error.
func TestExploreNoScore(t *testing.T) {
	o := small
	o.Space = "masternet"
	o.Size = 8
	var visits []Visit
	var err error
	text := capture(t, func() {
		visits, err = Explore(Exploration{Arch: "SuperConvK3BNRELU(3,8,2,1)SuperConvK7BNRELU(8,8,2,1)"}, o)
	})
	if err != nil || len(visits) < 2 {
		t.Errorf("%d visits, error %v", len(visits), err)
	}
	if !strings.Contains(text, "block 2, kind: SuperConvK7BNRELU") && !strings.Contains(text, "block 1, channels") {
		t.Errorf("no change is named:\n%s", text)
	}
	for want, e := range map[string]Exploration{
		"position":               {Arch: "SuperConv"},
		"has no column":          {Column: "imagenet/test"},
		"no such file":           {Table: "no/such/table"},
		"expected a super block": {Arch: "|none~0|"},
	} {
		q := o
		q.Quiet = true
		if _, err := Explore(e, q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: the error is %v, want one with %q", e, err, want)
		}
	}
}

// newTestExplorer is an exploration as a page begins it.
func newTestExplorer(t *testing.T, space string) (*explorer, *pageState) {
	t.Helper()
	o := small
	o.Space = space
	x, err := newExplorer(context.Background(), Exploration{}, o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	return x, &pageState{rev: 1, layout: layout(x.knobs), space: x.space.Name()}
}

// TestExploreEvents plays a page: turns of knobs, late ones, impossible ones, other spaces.
func TestExploreEvents(t *testing.T) {
	x, view := newTestExplorer(t, "natstss:C=4,N=1")
	seq := 0
	do := func(e event) (moved, stop bool) {
		t.Helper()
		if e.Seq == 0 {
			seq++
			e.Seq = seq
		}
		return x.take(view, e)
	}
	if moved, _ := do(event{Do: "arch", Text: "1462"}); !moved || x.message != "" {
		t.Fatalf("moved %t, message %q", moved, x.message)
	}
	turned := (x.knobs[2].Value + 1) % 5
	if moved, _ := do(event{Do: "knob", Rev: 1, Knob: 2, Value: turned}); !moved || x.knobs[2].Value != turned {
		t.Errorf("the knob shows %d, want %d; moved %t", x.knobs[2].Value, turned, moved)
	}
	now := x.arch
	if moved, _ := do(event{Do: "knob", Rev: 1, Knob: 2, Value: (turned + 1) % 5, Seq: 1}); moved || x.arch != now {
		t.Error("an event that comes late changes something")
	}
	if moved, _ := do(event{Do: "arch", Text: "|bad~0|"}); moved || !strings.Contains(x.message, "position") {
		t.Errorf("a bad architecture: moved %t, message %q", moved, x.message)
	}
	if moved, _ := do(event{Do: "mutate"}); !moved || x.message != "" {
		t.Errorf("a mutation: moved %t, message %q", moved, x.message)
	}
	was := x.arch
	if moved, _ := do(event{Do: "space", Text: "darts:C=4,cells=3,imagenet=0"}); !moved || len(x.knobs) != 32 {
		t.Fatalf("moved %t, %d knobs", moved, len(x.knobs))
	}
	u := x.update(view, true)
	if u.Rev != 2 || !strings.Contains(u.Set["knobs"], `data-zeroshot="knob-31"`) || u.Set["accuracy"] != "–" || u.Space != "darts:C=4,cells=3,imagenet=0" {
		t.Errorf("another space gives the update %+v", u)
	}
	if moved, _ := do(event{Do: "knob", Rev: 1, Knob: 0, Value: 1}); moved {
		t.Error("a control of the space before changes something")
	}
	other := x.knobs[2].Value // the source of the other edge into state 2
	if moved, _ := do(event{Do: "knob", Rev: 2, Knob: 0, Value: other}); moved || !strings.Contains(x.message, "two different states") {
		t.Errorf("an impossible choice: moved %t, message %q", moved, x.message)
	}
	u = x.update(view, true)
	if u.Rev != 0 || u.Knobs[0].Value == other || !strings.Contains(u.Set["message"], "two different states") {
		t.Errorf("an impossible choice gives the update %+v", u)
	}
	if moved, _ := do(event{Do: "space", Text: "natstss:C=4,N=1"}); !moved || x.arch != was {
		t.Errorf("the space is left with %s and found with %s", was, x.arch)
	}
	if moved, _ := do(event{Do: "space", Text: "nonsense"}); moved || !strings.Contains(x.message, "unknown search space") {
		t.Errorf("an unknown space: moved %t, message %q", moved, x.message)
	}
	if _, stop := do(event{Do: "stop"}); !stop {
		t.Error("stop does not stop")
	}
}

// TestExploreUnscorable checks that the page says why a network has no score, and goes on.
func TestExploreUnscorable(t *testing.T) {
	x, view := newTestExplorer(t, "plain")
	for i, text := range []string{"3x65536s1,3x65536s1", "3x8s1"} {
		if moved, _ := x.take(view, event{Seq: i + 1, Do: "arch", Text: text}); !moved {
			t.Fatalf("%s: %s", text, x.message)
		}
		x.visits = append(x.visits, x.score(context.Background(), x.space, x.arch))
		u := x.update(view, false)
		failed := i == 0
		if (x.visits[i].Err != nil) != failed || strings.Contains(u.Set["message"], "cannot be scored") != failed || (u.Set["score"] == "–") != failed {
			t.Errorf("%s gives the error %v and the update %+v", text, x.visits[i].Err, u.Set)
		}
	}
}

// TestExploreTruth compares ranks with a count.
func TestExploreTruth(t *testing.T) {
	tr, err := readTruth(context.Background(), Exploration{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := spaces.Open("natstss:C=4,N=1")
	for _, index := range []string{"0", "1462", "15624"} {
		a, _ := s.Parse(index)
		v, rank, of := tr.of(s, a)
		want := 1
		for _, other := range tr.table.All("cifar10/valid") {
			if other > v {
				want++
			}
		}
		if rank != want || of != 15625 {
			t.Errorf("%s has the rank %d of %d, want %d", index, rank, of, want)
		}
	}
	other, _ := spaces.Open("natssss")
	if v, rank, _ := tr.of(other, "8:8:8:8:8"); rank != 0 || !math.IsNaN(v) {
		t.Errorf("the table of another space says %g, rank %d", v, rank)
	}
}

// TestExplorePage checks that the page has a control for each decision of every space, and that hostile text stays text.
func TestExplorePage(t *testing.T) {
	for _, name := range []string{"natstss", "natssss", "transnas", "transnas:macro=1", "masternet", "darts", "plain"} {
		x := &explorer{o: small, rng: rand.New(rand.NewPCG(1, 1)), kept: map[string]spaces.Arch{}}
		if err := x.open(name); err != nil {
			t.Fatal(err)
		}
		page := x.page()
		for i := range x.knobs {
			if !strings.Contains(page, fmt.Sprintf(`data-zeroshot="knob-%d"`, i)) {
				t.Errorf("%s: the page lacks control %d", name, i)
			}
		}
		for _, other := range spaces.Names() {
			if !strings.Contains(page, ">"+other+"</option>") {
				t.Errorf("%s: the page does not offer the space %s", name, other)
			}
		}
	}
	h := knobsHTML([]spaces.Knob{{Group: `<b>"`, Name: "<script>", Choices: []string{"<i>"}}, {Group: `<b>"`, Name: "n", Max: 3, Step: 1}})
	if strings.Contains(h, "<script>") || strings.Contains(h, "<i>") || strings.Contains(h, `<b>`) {
		t.Errorf("text is not escaped: %s", h)
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 15625: "15,625", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

// TestFrontEndPossible checks what tells, without asking a browser, that there is none.
func TestFrontEndPossible(t *testing.T) {
	defer func(was bool) { gonbui.IsNotebook = was }(gonbui.IsNotebook)
	for _, c := range []struct {
		notebook        bool
		static, session string
		want            bool
	}{
		{false, "", "x.ipynb", false},
		{false, "0", "x.ipynb", false},
		{true, "", "", false}, // nbconvert
		{true, "", "x.ipynb", true},
		{true, "1", "x.ipynb", false},
		{true, "0", "", true},
	} {
		gonbui.IsNotebook = c.notebook
		t.Setenv("ZEROSHOT_STATIC", c.static)
		t.Setenv("JPY_SESSION_NAME", c.session)
		if got := frontEndPossible(); got != c.want {
			t.Errorf("%+v: got %t", c, got)
		}
	}
}
