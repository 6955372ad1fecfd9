package gonbext

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico"
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
func newTestExplorer(t *testing.T, o Options) (*explorer, *pageState) {
	t.Helper()
	x, err := newExplorer(context.Background(), Exploration{}, o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.kept.close)
	return x, &pageState{rev: 1, layout: layout(x.knobs), space: x.space.Name()}
}

// look scores the present architecture of an exploration as its page has it done, and returns what the page is told.
func look(t *testing.T, x *explorer, view *pageState) update {
	t.Helper()
	v, err := x.score(context.Background(), x.space, x.arch)
	if err != nil {
		t.Fatal(err)
	}
	x.visits = append(x.visits, v)
	return x.update(view, false)
}

// TestExploreEvents plays a page: turns of knobs, late ones, impossible ones, other spaces.
func TestExploreEvents(t *testing.T) {
	x, view := newTestExplorer(t, small)
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
	o := small
	o.Space = "plain"
	x, view := newTestExplorer(t, o)
	for i, text := range []string{"3x65536s1,3x65536s1", "3x8s1"} {
		if moved, _ := x.take(view, event{Seq: i + 1, Do: "arch", Text: text}); !moved {
			t.Fatalf("%s: %s", text, x.message)
		}
		u := look(t, x, view)
		failed := i == 0
		if (x.visits[i].Err != nil) != failed || strings.Contains(u.Set["message"], "cannot be scored") != failed || (u.Set["score"] == "–") != failed {
			t.Errorf("%s gives the error %v and the update %+v", text, x.visits[i].Err, u.Set)
		}
	}
}

// TestExploreSession checks that Explore finds what Score and Compare have kept and they what it keeps, that the numbers of both are the same to the bit, and that what another cell scores meanwhile is found too.
func TestExploreSession(t *testing.T) {
	sessions(t)
	o := small
	o.Quiet = true
	alone, err := Score("1462", o)
	if err != nil {
		t.Fatal(err)
	}
	o.Session = "explored"
	one := func(arch string) *zico.Result {
		t.Helper()
		v, err := Explore(Exploration{Arch: arch, Neighbors: -1}, o)
		if err != nil || len(v) != 1 {
			t.Fatalf("%d visits, error %v; want 1", len(v), err)
		}
		return v[0].Result
	}
	explored := one("1462")
	for _, r := range []*zico.Result{alone, explored} {
		if r.Run == 0 {
			t.Fatal("a result without the time that it took, by which results are told apart here")
		}
	}
	untimed := func(r zico.Result) zico.Result {
		r.Build, r.Compile, r.Run, r.Compiled = 0, 0, 0, 0
		return r
	}
	if !reflect.DeepEqual(untimed(*explored), untimed(*alone)) {
		t.Errorf("Explore gives\n%+v\nScore\n%+v", explored, alone)
	}
	// The same times: nothing was computed.
	if scored, err := Score("1462", o); err != nil || !reflect.DeepEqual(scored, explored) {
		t.Errorf("Score finds\n%+v, error %v, Explore had\n%+v", scored, err, explored)
	}
	compared, err := Compare([]string{"1462", "7"}, o)
	if err != nil {
		t.Fatal(err)
	}
	if found := one("7"); !reflect.DeepEqual(found, compared[1]) {
		t.Errorf("Explore finds\n%+v, Compare had\n%+v", found, compared[1])
	}

	x, view := newTestExplorer(t, o)
	seq := 0
	page := func(arch string) (u update, visit Visit) {
		t.Helper()
		seq++
		if x.take(view, event{Seq: seq, Do: "arch", Text: arch}); x.message != "" {
			t.Fatal(x.message)
		}
		u = look(t, x, view)
		return u, x.visits[len(x.visits)-1]
	}
	found := "(from session explored); 2 batches of 8 images"
	known, v := page("7")
	if !strings.Contains(known.Set["status"], found) || !strings.Contains(known.Set["bars"], "<svg") || !reflect.DeepEqual(v.Result, compared[1]) {
		t.Errorf("for what Compare has scored the page says %q", known.Set["status"])
	}
	if u, _ := page("8"); !strings.HasPrefix(u.Set["status"], "scored in ") || strings.Contains(u.Set["status"], "session") {
		t.Errorf("for what was not scored before the page says %q", u.Set["status"])
	}
	page("7")
	if u, _ := page("8"); !strings.Contains(u.Set["status"], found) {
		t.Errorf("for what it has scored itself the page says %q", u.Set["status"])
	}
	meanwhile, err := Score("9", o)
	if err != nil {
		t.Fatal(err)
	}
	if u, v := page("9"); !strings.Contains(u.Set["status"], found) || !reflect.DeepEqual(v.Result, meanwhile) {
		t.Errorf("for what another cell has scored meanwhile the page says %q", u.Set["status"])
	}
	// Another statistic is another score.
	other := o
	other.Statistic = zico.Absolute
	x, view = newTestExplorer(t, other)
	if u, v := page("1462"); strings.Contains(u.Set["status"], "session") || v.Result.Score == explored.Score {
		t.Errorf("with another statistic the page says %q", u.Set["status"])
	}
}

// TestExploreSessionNeighbors checks that neighbours are found in the session, and that a session that cannot be written costs no score and is an error.
func TestExploreSessionNeighbors(t *testing.T) {
	sessions(t)
	o := small
	o.Session, o.Quiet = "near", true
	e := Exploration{Arch: "1462", Neighbors: 3}
	first, err := Explore(e, o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Explore(e, o)
	if err != nil || len(again) != 4 {
		t.Fatalf("%d visits, error %v; want 4", len(again), err)
	}
	for i := range again {
		if !again[i].found || !reflect.DeepEqual(again[i].Result, first[i].Result) {
			t.Errorf("the session gives\n%+v\nfor\n%+v", again[i].Result, first[i].Result)
		}
	}

	x, _ := newTestExplorer(t, o)
	x.kept.close()
	if err := x.move("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"); err != nil {
		t.Fatal(err)
	}
	if v, err := x.score(context.Background(), x.space, x.arch); err == nil || v.Err != nil || v.Result == nil || v.found {
		t.Errorf("with a session that cannot be used the visit is %+v, error %v; want a score and an error", v, err)
	}
}

// TestExploreTheme checks that live pictures are in the theme of their page unless one was chosen, and that those that are kept are not.
func TestExploreTheme(t *testing.T) {
	clear := func() { chosen.Theme = svg.Theme{} }
	t.Cleanup(clear)
	t.Setenv("ZEROSHOT_THEME", "")
	clear()
	x, view := newTestExplorer(t, small)
	look(t, x, view)
	x.take(view, event{Seq: 1, Do: "mutate"})
	seq := 1
	says := func(theme string, want svg.Theme) {
		t.Helper()
		seq++
		if moved, _ := x.take(view, event{Seq: seq, Do: "hello", Text: theme}); moved {
			t.Error("another theme is another architecture")
		}
		u := look(t, x, view)
		for _, mark := range []string{"picture", "bars", "trail"} {
			// The ground is the first rectangle.
			if _, rest, _ := strings.Cut(u.Set[mark], "<rect "); !strings.Contains(strings.SplitN(rest, ">", 2)[0], `fill="`+want.Ground+`"`) {
				t.Errorf("on a page that is %q, %s is not %s: %.400s", theme, mark, want.Name, u.Set[mark])
			}
		}
	}
	for theme, want := range map[string]svg.Theme{"": svg.Light, "light": svg.Light, "dark": svg.Dark, "other": svg.Light} {
		says(theme, want)
	}
	says("dark", svg.Dark)
	if theme() != svg.Light {
		t.Errorf("what is kept is %s on a dark page", theme().Name)
	}
	if err := SetTheme("light"); err != nil {
		t.Fatal(err)
	}
	says("dark", svg.Light)
	clear()
	t.Setenv("ZEROSHOT_THEME", "dark")
	says("light", svg.Dark)
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
		x := &explorer{o: small, rng: rand.New(rand.NewPCG(1, 1)), left: map[string]spaces.Arch{}}
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
