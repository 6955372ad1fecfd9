package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
)

// init lets the test binary stand in for the peer: `zico.test fakepeer MODE [LOG]`.
func init() {
	if len(os.Args) > 2 && os.Args[1] == "fakepeer" {
		if err := fakePeer(os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
}

// fakeSeconds is what the fake peer says that each float32 score took.
const fakeSeconds = 0.25

// fakePeer speaks the peer's protocol and computes true scores, from the descriptions that it gets alone. mode says how it misbehaves; log is a file for the times at which float32 scores were asked for.
func fakePeer(mode string, log []string) error {
	be, err := backend.Open("")
	if err != nil {
		return err
	}
	scorers := map[string]*zico.Scorer{}
	out := json.NewEncoder(os.Stdout)
	in := bufio.NewReader(os.Stdin)
	asked := 0
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil
		}
		came := time.Now()
		var hello struct {
			Op      string `json:"op"`
			Threads int    `json:"threads"`
		}
		if err := json.Unmarshal(line, &hello); err != nil {
			return err
		}
		if hello.Op == "hello" {
			// The processors that it may use, which it inherits.
			reply := map[string]any{"ok": true, "protocol": peerProtocol, "python": "3", "torch": "fake", "numpy": "fake", "threads": runtime.NumCPU(), "device": "cpu"}
			if mode == "old" {
				reply["protocol"] = 0
			}
			if err := out.Encode(reply); err != nil {
				return err
			}
			continue
		}
		var r peerRequest
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		if r.DType == "float32" {
			asked++
		}
		switch {
		case mode == "dies" && asked == 3:
			return fmt.Errorf("out of luck")
		case mode == "garbage":
			fmt.Println("Segmentation fault")
			continue
		case mode == "refuses":
			if err := out.Encode(map[string]any{"ok": false, "error": "ValueError: no"}); err != nil {
				return err
			}
			continue
		}
		n, err := rebuild(r.Network)
		if err != nil {
			return err
		}
		if scorers[r.DType] == nil {
			if scorers[r.DType], err = zico.New(be, zico.Config{DType: r.DType}); err != nil {
				return err
			}
		}
		data, err := formulaBatches(context.Background(), n.Classes, r.Batch, n.Input.H, r.Seed)
		if err != nil {
			return err
		}
		res, err := scorers[r.DType].Score(context.Background(), n, r.Seed, data)
		if err != nil {
			return err
		}
		switch {
		case mode == "wrong64" && r.DType == "float64":
			res.Score *= 1 + 1e-5
		case mode == "wrong32" && r.DType == "float32":
			res.Score *= 1.2
		case mode == "wrongloss" && r.DType == "float64":
			res.Losses[1] += 1e-6
		case mode == "nan" && r.DType == "float64":
			res.Score = math.NaN()
		}
		if len(log) > 0 && r.DType == "float32" {
			f, err := os.OpenFile(log[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
			if err != nil {
				return err
			}
			fmt.Fprintln(f, came.UnixNano())
			f.Close()
		}
		if err := out.Encode(map[string]any{
			"ok": true, "score": finite(res.Score), "losses": res.Losses, "layers": len(res.Layers), "setup_s": 1.0, "run_s": fakeSeconds, "peak_bytes": 123456789,
		}); err != nil {
			return err
		}
	}
}

// rebuild makes a network from its description.
func rebuild(d *peerNetwork) (*net.Network, error) {
	n := &net.Network{Name: "rebuilt", Input: net.Shape{C: d.Input[0], H: d.Input[1], W: d.Input[2]}, Classes: d.Classes, Output: d.Output}
	for _, p := range d.Nodes {
		nd := net.Node{
			In: p.In, Layer: p.Layer, Out: p.Shape[0], Kernel: p.Kernel, Stride: p.Stride, Pad: p.Pad, Groups: p.Groups, Bias: p.Bias,
			CountPad: p.CountPad, Eps: p.Eps, From: p.From, To: p.To, Shape: net.Shape{C: p.Shape[0], H: p.Shape[1], W: p.Shape[2]},
		}
		for nd.Op.String() != p.Op {
			if nd.Op++; nd.Op > 100 {
				return nil, fmt.Errorf("unknown operation %q", p.Op)
			}
		}
		if nd.Op.HasWeights() {
			n.Layers++
		}
		n.Nodes = append(n.Nodes, nd)
	}
	return n, n.Validate()
}

// smallSet is a set that scores in milliseconds, with the float64 score of its check and the float32 scores of its networks changed as asked for.
func smallSet(t *testing.T, check, reference float64) string {
	t.Helper()
	b := benchSet{
		What: "small chains", Reference: "nobody", Space: "plain:bn=1", Size: 32, Batch: 32, Classes: 10, Tolerance: 0.025, CheckBatch: 4, CheckTolerance: 1e-6,
		Networks: []benchNetwork{{Arch: "3x8s1,3x16s1", Seed: 5}, {Arch: "5x8s1,3x16s2,1x16s1", Seed: 6}, {Arch: "3x16s1,3x8s1", Seed: 7, Score: reference}},
		// golden.json's plain3_bn.
		Checks: []benchCheck{{ID: "plain3_bn", Space: "plain:bn=1", Arch: "3x8s1,3x16s2,3x32s2", Seed: 12, Size: 32, Batch: 8, Classes: 10, Score: new(39.51362871971353 + check), Tolerance: 4e-5}},
	}
	data, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "set.json")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// fake is the command of the fake peer.
func fake(t *testing.T, words ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(append([]string{self, "fakepeer"}, words...), " ")
}

// rows are the lines of -json by their kind.
type rows map[string][]map[string]any

func parseRows(t *testing.T, out string) rows {
	t.Helper()
	r := rows{}
	for line := range strings.Lines(out) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("the line %q: %v", line, err)
		}
		kind, _ := m["kind"].(string)
		r[kind] = append(r[kind], m)
	}
	return r
}

func TestBenchUsage(t *testing.T) {
	set := smallSet(t, 0, 0)
	empty := filepath.Join(t.TempDir(), "empty.json")
	if err := os.WriteFile(empty, []byte(`{"size": 32}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"-h"}, 0, "share_of_peak_gbs"},
		{[]string{"-set", "nb2001"}, 2, "imagenet, nb201, search"},
		{[]string{"-set", "./none.json"}, 1, "none.json"},
		{[]string{"-set", empty}, 1, "lacks"},
		{[]string{"-inflight", "1,zero"}, 2, "-inflight"},
		{[]string{"-inflight", "0"}, 2, "-inflight"},
		{[]string{"-rounds", "0"}, 2, "at least 1"},
		{[]string{"-set", set, "-first", "3"}, 2, "0 to 2"},
		{[]string{"-peer", "-whole"}, 2, "exclude"},
		{[]string{"-peer", "-inflight", "1,2"}, 2, "one number"},
		{[]string{"-peercmd", "x"}, 2, "-peer"},
		{[]string{"-against", "x"}, 2, "-cells"},
		{[]string{"-cells", "-against", t.TempDir()}, 1, "zico setup"},
		{[]string{"more"}, 2, "unexpected"},
		{[]string{"-threads", "100000"}, 1, "100000"},
		{[]string{"-set", set, "-peer", "-peercmd", "./no-such-program"}, 1, "starting the peer"},
	} {
		out, errs, status := result(t, start(t, nil, append([]string{"bench"}, c.args...)...))
		if status != c.status || !strings.Contains(out+errs, c.want) {
			t.Errorf("zico bench %q ends with %d, want %d, and prints\n%s%s\nwanted %q", c.args, status, c.status, out, errs, c.want)
		}
	}
}

// TestBenchHelp keeps the documentation of -json complete.
func TestBenchHelp(t *testing.T) {
	words := map[string]bool{}
	for _, w := range regexp.MustCompile(`[a-z0-9_]+`).FindAllString(benchHelp, -1) {
		words[w] = true
	}
	var look func(reflect.Type)
	look = func(typ reflect.Type) {
		for f := range typ.Fields() {
			if f.Anonymous {
				look(f.Type)
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" || !words[name] {
				t.Errorf("the field %s of %s is not in the help of bench as %q", f.Name, typ.Name(), name)
			}
		}
	}
	for _, row := range []any{machineRow{}, networkRow{}, roundRow{}, medianRow{}, summaryRow{}, kernelRow{}, checkRow{}, pairRow{}, ratioRow{}, cellsRow{}, cellRow{}} {
		look(reflect.TypeOf(row))
	}
}

// TestBenchSets compares the embedded sets with the files that their numbers come from.
func TestBenchSets(t *testing.T) {
	var sets []*benchSet
	for _, name := range []string{"nb201", "imagenet", "search"} {
		b, err := loadSet(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.take(0, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := b.floatChecks(); err != nil {
			t.Fatal(err)
		}
		sets = append(sets, b)
	}
	read := func(name string, v any) {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "golden", name))
		if err != nil {
			t.Skipf("the reference's files are not beside the repository: %v", err)
		}
		if err := json.Unmarshal(data, v); err != nil {
			t.Fatal(err)
		}
	}
	var bench struct {
		Parts struct {
			NB201 struct {
				Archs   []string
				Scores  []float64
				Seconds []float64
			}
			IDW16 struct{ Score float64 }
		}
	}
	var golden struct {
		Networks []struct {
			ID, Arch            string
			Seed                uint64
			Res, Batch, Classes int
			ZiCo                struct {
				F64 float64 `json:"f64"`
				Tol float64 `json:"tol_f64"`
			}
		}
	}
	read("bench.json", &bench)
	read("golden.json", &golden)
	nb201 := bench.Parts.NB201
	if len(sets[0].Networks) != len(nb201.Archs) {
		t.Fatalf("%d networks, want %d", len(sets[0].Networks), len(nb201.Archs))
	}
	for i, n := range sets[0].Networks {
		if n.Arch != nb201.Archs[i] || n.Seed != uint64(500+i) || n.Score != nb201.Scores[i] || n.Seconds != nb201.Seconds[i] {
			t.Errorf("network %d of nb201 is %+v", i, n)
		}
	}
	if n := sets[1].Networks[0]; n.Score != bench.Parts.IDW16.Score || n.Seed != 71 {
		t.Errorf("the network of imagenet is %+v", n)
	}
	for _, b := range sets {
		checks, _ := b.floatChecks()
		for _, c := range checks {
			i := 0
			for i < len(golden.Networks) && (golden.Networks[i].Arch != c.Arch || golden.Networks[i].Seed != c.Seed) {
				i++
			}
			if i == len(golden.Networks) {
				if c.Score != nil {
					t.Errorf("the score of %s has no source", c.ID)
				}
				continue
			}
			g := golden.Networks[i]
			if *c.Score != g.ZiCo.F64 || c.Tolerance != g.ZiCo.Tol || c.Size != g.Res || c.Batch != g.Batch || c.Classes != g.Classes {
				t.Errorf("the check %s is %+v, want %+v", c.ID, c, g)
			}
		}
	}
}

// TestBench measures a small set, one and two networks in flight.
func TestBench(t *testing.T) {
	set := smallSet(t, 0, 0)
	out, errs, status := result(t, start(t, nil, "bench", "-set", set, "-json", "-rounds", "2", "-inflight", "1,2", "-top", "4", "-shuffle", "3"))
	if status != 0 {
		t.Fatalf("ends with %d: %s", status, errs)
	}
	r := parseRows(t, out)
	for kind, n := range map[string]int{"machine": 1, "network": 3 + 2*(3+6), "round": 5, "median": 6, "kernel": 4, "summary": 2} {
		if len(r[kind]) != n {
			t.Errorf("%d rows of kind %s, want %d", len(r[kind]), kind, n)
		}
	}
	if t.Failed() {
		t.Fatal(out)
	}
	num := func(m map[string]any, key string) float64 {
		v, ok := m[key].(float64)
		if !ok {
			t.Errorf("%s of a row of kind %s is %v", key, m["kind"], m[key])
		}
		return v
	}
	m := r["machine"][0]
	if num(m, "peak_gflops") < 0.1 || num(m, "peak_gbs") < 0.01 || num(m, "threads") != float64(runtime.NumCPU()) || m["plugin"] == "" {
		t.Errorf("the machine is %v", m)
	}
	if first := r["round"][0]; num(first, "misses") == 0 || num(first, "compile_s") == 0 {
		t.Errorf("the warm-up compiles nothing: %v", first)
	}
	for _, round := range r["round"][1:] {
		if num(round, "misses") != 0 || num(round, "hit_rate") != 1 || num(round, "compile_s") != 0 || num(round, "peak_bytes") < 1e6 {
			t.Errorf("a round after the warm-up: %v", round)
		}
		if d := num(round, "wall_s")/num(round, "networks") - num(round, "per_network_s"); math.Abs(d) > 1e-12 {
			t.Errorf("throughput and time do not match: %v", round)
		}
	}
	scores := map[float64]float64{}
	for _, n := range r["network"] {
		i := num(n, "index")
		if was, ok := scores[i]; ok && was != num(n, "score") {
			t.Errorf("network %v scored %v and %v", i, was, n["score"])
		}
		scores[i] = num(n, "score")
	}
	share := 0.0
	for i, k := range r["kernel"] {
		share += num(k, "share")
		if num(k, "calls") < 2 || math.Abs(num(k, "total_s")/num(k, "calls")-num(k, "call_s")) > 1e-9 || i > 0 && num(k, "share") > num(r["kernel"][i-1], "share") {
			t.Errorf("a kernel: %v", k)
		}
	}
	if share <= 0 || share > 1.000001 {
		t.Errorf("four kernels have the share %v", share)
	}
	a, b := r["summary"][0], r["summary"][1]
	if num(a, "speedup") != 1 || math.Abs(num(b, "speedup")-num(a, "per_network_s")/num(b, "per_network_s")) > 1e-9 || num(b, "inflight") != 2 {
		t.Errorf("the summaries are %v and %v", a, b)
	}
}

// TestBenchWrongScore makes sure that a score that is not the reference's fails the bench, and that text shows both.
func TestBenchWrongScore(t *testing.T) {
	out, errs, status := result(t, start(t, nil, "bench", "-set", smallSet(t, 0, 20), "-rounds", "1", "-top", "0"))
	if status != 1 || !strings.Contains(errs, "expected 20.0000") || !strings.Contains(out, "reference   20.0000") || !strings.Contains(out, "in flight: ") {
		t.Errorf("ends with %d and\n%s%s", status, out, errs)
	}
}

// TestBenchCheck compares float64 scores with a right and a wrong expectation.
func TestBenchCheck(t *testing.T) {
	out, errs, status := result(t, start(t, nil, "bench", "-set", smallSet(t, 0, 0), "-check", "-json"))
	r := parseRows(t, out)
	if status != 0 || len(r["check"]) != 4 {
		t.Errorf("ends with %d and\n%s%s", status, out, errs)
	}
	out, errs, status = result(t, start(t, nil, "bench", "-set", smallSet(t, 1e-4, 0), "-check"))
	if status != 1 || !strings.Contains(out, "WRONG") || !strings.Contains(errs, "1 of 4") {
		t.Errorf("a wrong score ends with %d and\n%s%s", status, out, errs)
	}
}

// TestBenchPeer times a small set against the fake peer and checks the turns, the arithmetic and the threads.
func TestBenchPeer(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	args := []string{"bench", "-set", smallSet(t, 0, 0), "-json", "-rounds", "2", "-top", "0", "-peer", "-peercmd", fake(t, "good", log)}
	threads := runtime.NumCPU()
	if runtime.GOOS == "linux" {
		threads = 1 // the fake peer tells the processors that it may use
		args = append(args, "-threads", "1")
	}
	c := start(t, nil, args...)
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var out string
	var came []time.Time // when a pair's row was printed
	var pairs []pairRow
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		out += lines.Text() + "\n"
		if !strings.Contains(lines.Text(), `"kind":"pair"`) {
			continue
		}
		var p pairRow
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		pairs, came = append(pairs, p), append(came, time.Now())
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	asked := strings.Fields(string(data))
	if len(pairs) != 9 || len(asked) != 9 {
		t.Fatalf("%d pairs and %d requests, want 9:\n%s", len(pairs), len(asked), out)
	}
	for i, p := range pairs {
		network, round := i%3, i/3
		first := []string{ours, theirs}[(network+round)%2]
		if !slices.Equal(p.Networks, []int{network}) || p.Round != round || p.First != first {
			t.Errorf("pair %d is %+v, want network %d in round %d with %s first", i, p, network, round, first)
		}
		if p.Peer != fakeSeconds || p.Ratio != p.Peer/p.Zico || p.PeerSetup != 1 || p.Compile > 0 && round > 0 {
			t.Errorf("the times of pair %d are %+v", i, p)
		}
		ns, err := strconv.ParseInt(asked[i], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		// Whoever is second really ran later: this program's time lies before the request or after it.
		at, run := time.Unix(0, ns), time.Duration(p.Zico*float64(time.Second))
		if i > 0 && first == ours && at.Sub(came[i-1]) < run-time.Millisecond {
			t.Errorf("pair %d: the peer was asked %v after the last pair, this program took %v before", i, at.Sub(came[i-1]), run)
		}
		if first == theirs && came[i].Sub(at) < run-time.Millisecond {
			t.Errorf("pair %d: the pair ended %v after the peer was asked, this program took %v after", i, came[i].Sub(at), run)
		}
	}
	r := parseRows(t, out)
	if len(r["check"]) != 8 || len(r["ratio"]) != 1 {
		t.Fatalf("%d checks and %d outcomes:\n%s", len(r["check"]), len(r["ratio"]), out)
	}
	var got ratioRow
	line := out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatal(err)
	}
	want := ratios(pairs)
	if got.Sum != want.Sum || got.Median != want.Median || got.Rounds != 2 || got.Networks != 3 || got.PeerMemory != 123456789 || got.Torch != "fake" || got.Threads != threads || got.Peer != 3*fakeSeconds {
		t.Errorf("the outcome is %+v, want %+v", got, want)
	}
	if runtime.GOOS == "linux" && got.Memory < 1e6 {
		t.Errorf("this program's peak memory is %d bytes", got.Memory)
	}
}

// TestBenchPeerInFlight compares with several networks in flight: the set is too small for one group and is scored several times over.
func TestBenchPeerInFlight(t *testing.T) {
	out, errs, status := result(t, start(t, nil, "bench", "-set", smallSet(t, 0, 0), "-rounds", "1", "-top", "2", "-inflight", "2", "-peer", "-peercmd", fake(t, "good")))
	if status != 0 || !strings.Contains(out, "network 0 1 2 0 1 2") || !strings.Contains(out, "zico: 2 in flight") || !strings.Contains(out, "peak memory: zico ") {
		t.Errorf("ends with %d and\n%s%s", status, out, errs)
	}
}

// TestBenchVoid makes sure that nothing is timed, or no ratio printed, when a side is wrong or gone.
func TestBenchVoid(t *testing.T) {
	for _, c := range []struct {
		mode             string
		check, reference float64
		want             string
		pairs            bool // some pairs are printed before
	}{
		{"wrong64", 0, 0, "the comparison is void: the peer's float64 scores of 4 of 4 networks are wrong; the first: plain3_bn", false},
		{"wrongloss", 0, 0, "the comparison is void", false},
		{"nan", 0, 0, "not finite", false},
		{"wrong32", 0, 24.9335, "the comparison is void: peer scores 3x16s1,3x8s1", true},
		{"good", 0, 1000, "the comparison is void: zico scores 3x16s1,3x8s1", true},
		{"good", 1e-4, 0, "the comparison is void: zico bench -set", false},
		{"dies", 0, 0, "the peer ended before it had answered, with exit status 3; it wrote:\nout of luck", true},
		{"garbage", 0, 0, "Segmentation fault", false},
		{"refuses", 0, 0, "the peer failed: ValueError: no", false},
		{"old", 0, 0, "version 0 of the protocol", false},
	} {
		out, errs, status := result(t, start(t, nil, "bench", "-set", smallSet(t, c.check, c.reference), "-json", "-rounds", "1", "-top", "0", "-peer", "-peercmd", fake(t, c.mode)))
		r := parseRows(t, out)
		if status != 1 || !strings.Contains(errs, c.want) || len(r["ratio"]) > 0 || (len(r["pair"]) > 0) != c.pairs {
			t.Errorf("a peer that is %q ends the bench with %d and\n%s%s\nwanted %q", c.mode, status, out, errs, c.want)
		}
	}
}

// TestPeerMissing checks what is said where `make peer` was not run, was broken off, or was run for other versions.
// TestBenchCells times the cells of one real kernel: every time is there, and the parts of a cell are parts of it.
func TestBenchCells(t *testing.T) {
	if testing.Short() {
		t.Skip("a kernel with seven cells takes some seconds")
	}
	in, err := locate("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(in.kernel(), "kernel.json")); err != nil {
		t.Skip("Jupyter is not installed: run `zico setup`")
	}
	t.Setenv("ZEROSHOT_QUICK", "1")
	times, _, err := cells(t.Context(), in, in.kernel())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range cellNames {
		if v, ok := times[n[0]]; !ok || v < 0 || v > 600 {
			t.Errorf("%s: %g s, %t", n[1], v, ok)
		}
		delete(times, n[0])
	}
	if len(times) > 0 {
		t.Errorf("no words for %v", times)
	}
}

// TestCellRows checks the summary of cells: medians over rounds, both sides, in the order of a notebook.
func TestCellRows(t *testing.T) {
	rows := cellRows([]map[string][]float64{
		{"next": {3, 1, 2}, "start": {0.5, 0.25, 0.75}, "part go get": {0.5, 0.5, 0.5}},
		{"next": {6, 4, 5}, "start": {1, 1, 1}},
	}, 3)
	var got string
	for _, r := range rows {
		got += r.String()
	}
	for i, want := range []string{"start", "next", "part go get"} {
		if rows[i].What != want {
			t.Fatalf("row %d is %q, want %q", i, rows[i].What, want)
		}
	}
	if n := rows[1]; n.Median != 2 || n.Min != 1 || n.Max != 3 || n.Before != 5 || n.BeforeMin != 4 || n.BeforeMax != 6 {
		t.Errorf("the next score is %+v", n)
	}
	if !strings.Contains(got, "next score, in a process of its own                       2.000 s  (1.000 to 3.000)   before  5.000 s  (4.000 to 6.000)   2.50 times\n") || strings.Count(got, "before") != 2 {
		t.Errorf("the table is\n%s", got)
	}
}

func TestPeerMissing(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module github.com/zeroshotnas/zeroshot\n")
	write("zico/bench/peer/requirements.txt", "torch==2\n")
	t.Chdir(root)
	if _, err := peerCommand(""); err == nil || !strings.Contains(err.Error(), "run `make peer`") || !strings.Contains(err.Error(), "bin/python is missing") {
		t.Errorf("without an installation: %v", err)
	}
	write(".zeroshot/peer/bin/python", "")
	if _, err := peerCommand(""); err == nil || !strings.Contains(err.Error(), "run `make peer`") || !strings.Contains(err.Error(), "unfinished") {
		t.Errorf("with half an installation: %v", err)
	}
	write(".zeroshot/peer/requirements.txt", "torch==1\n")
	if _, err := peerCommand(""); err == nil || !strings.Contains(err.Error(), "other versions") {
		t.Errorf("with another installation: %v", err)
	}
	write(".zeroshot/peer/requirements.txt", "torch==2\n")
	if got, err := peerCommand(""); err != nil || len(got) != 2 {
		t.Errorf("with an installation: %q, %v", got, err)
	}
	_, errs, status := result(t, start(t, nil, "bench", "-peer", "-peercmd", filepath.Join(root, ".zeroshot/peer/bin/none")))
	if status != 1 || !strings.Contains(errs, "make peer") {
		t.Errorf("a missing program ends with %d and %s", status, errs)
	}
}

// TestRatios checks the arithmetic on numbers made by hand.
func TestRatios(t *testing.T) {
	pair := func(round, network int, zico, peer float64) pairRow {
		return pairRow{Round: round, Networks: []int{network}, Zico: zico, Peer: peer}
	}
	got := ratios([]pairRow{
		pair(0, 0, 100, 1), pair(0, 1, 100, 1), // the warm-up
		pair(1, 0, 1, 2), pair(1, 1, 4, 20),
		pair(2, 0, 2, 6), pair(2, 1, 2, 14),
		pair(3, 0, 9, 4), pair(3, 1, 3, 15),
	})
	// Medians: network 0 takes 2 s and 4 s, network 1 takes 3 s and 15 s.
	if got.Zico != 5 || got.Peer != 19 || got.Sum != 3.8 || got.Networks != 2 || got.Rounds != 3 {
		t.Errorf("over all: %+v", got)
	}
	if got.Median != 3.5 || got.Min != 2 || got.Max != 5 {
		t.Errorf("by network: %+v", got)
	}
	if !slices.Equal(got.RoundRatios, []float64{22.0 / 5, 20.0 / 4, 19.0 / 12}) || got.RoundMin != 19.0/12 || got.RoundMax != 5 {
		t.Errorf("by round: %+v", got)
	}
	// A pair that others disturbed is left out where its network has more; network 1 has only such.
	a, b := pair(1, 0, 1, 9), pair(1, 1, 1, 4)
	a.Others, b.Others = disturbed, 1
	got = ratios([]pairRow{a, b, pair(2, 0, 1, 2)})
	if got.Disturbed != 2 || got.Untrusted != 1 || got.Peer != 6 || !slices.Equal(got.RoundRatios, []float64{4, 2}) || !strings.Contains(got.String(), "DO NOT TRUST") {
		t.Errorf("with disturbances: %+v", got)
	}
	if mid, least, most := spread([]float64{3, 1, 2, 10}); mid != 2.5 || least != 1 || most != 10 {
		t.Errorf("the spread is %v, %v, %v", mid, least, most)
	}
	if !math.IsNaN(median(nil)) {
		t.Error("nothing has a median")
	}
	if got := scored(3, 1); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("one at a time scores %v", got)
	}
	if got := scored(1, 2); len(got) != 4 {
		t.Errorf("two in flight score one network %d times", len(got))
	}
	if got := scored(20, 3); len(got) != 20 {
		t.Errorf("three in flight score 20 networks as %d", len(got))
	}
}

// TestKernelRows checks the arithmetic of the table.
func TestKernelRows(t *testing.T) {
	before := map[string]zico.KernelProfile{"a": {Name: "a", Calls: 10, Total: 10 * time.Second}, "idle": {Name: "idle", Calls: 1}}
	after := map[string]zico.KernelProfile{
		"a": {Name: "a", Calls: 14, Total: 12 * time.Second, FLOPs: 1e9, Bytes: 2e9}, "idle": {Name: "idle", Calls: 1}, "new": {Name: "new", Calls: 2, Total: 6 * time.Second},
	}
	work := map[string]zico.KernelProfile{}
	addWork(work, before, after)
	if len(work) != 2 || work["a"].Calls != 4 || work["a"].Total != 2*time.Second || work["new"].Calls != 2 {
		t.Fatalf("the work is %+v", work)
	}
	row := newKernelRow(work["a"], 8*time.Second, peaks{GFLOPs: 20, GBs: 16})
	if row.Share != 0.25 || row.Call != 0.5 || row.GFLOPs != 2 || row.GBs != 4 || row.ShareGFLOPs != 0.1 || row.ShareGBs != 0.25 {
		t.Errorf("the row is %+v", row)
	}
	if s := newKernelRow(work["new"], 8*time.Second, peaks{}).String(); strings.Contains(s, "GFLOP") {
		t.Errorf("work that is not known is shown: %s", s)
	}
	addWork(work, before, after)
	if work["a"].Calls != 8 || work["a"].Total != 4*time.Second {
		t.Errorf("twice the work is %+v", work["a"])
	}
}

// TestBusy sees this process work for itself and a child that is not named.
func TestBusy(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the machine's clocks are read on Linux only")
	}
	before := busyNow()
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
		_ = math.Sqrt(2)
	}
	after := busyNow()
	if own := after.own - before.own; !after.known || own < 0.1 || after.all-before.all < own-0.05 {
		t.Errorf("after 0.2 s of work this process has worked %v s, all have %v s", own, after.all-before.all)
	}
	at := time.Now()
	n := float64(runtime.NumCPU())
	from, to := busy{at, 100, 10, true}, busy{at.Add(2 * time.Second), 100 + n, 10 + n/2, true}
	if got := from.others(to); got != 0.25 {
		t.Errorf("others took %v, want a quarter", got)
	}
	if got := from.others(busy{at: at.Add(time.Second)}); got != 0 {
		t.Errorf("where nothing is known others took %v", got)
	}
}

// realPeer is the command of the installed peer; without one the test is skipped.
func realPeer(t *testing.T) []string {
	t.Helper()
	command, err := peerCommand("")
	if err != nil {
		t.Skip(err)
	}
	return command
}

// TestRealPeerLayers scores a network with every kind of layer by PyTorch and by this program, in float64.
func TestRealPeerLayers(t *testing.T) {
	command := realPeer(t)
	b := net.NewBuilder("every layer", net.Shape{C: 3, H: 15, W: 15})
	x := b.BatchNorm("", b.Add(net.Node{Op: net.Conv, In: []int{0}, Out: 8, Kernel: 3, Stride: 2, Pad: 1, Bias: true}), 1e-3)
	x = b.ReLU(x)
	y := b.Add(net.Node{Op: net.Conv, In: []int{x}, Out: 12, Kernel: 3, Stride: 1, Pad: 1, Groups: 4})
	y = b.BatchNorm("", y, 0)
	z := b.ReLU(y) // y is read twice: not in place
	z = b.Sum(z, b.Add(net.Node{Op: net.Zero, In: []int{y}}), b.Depthwise("", y, 5, 1))
	a := b.Add(net.Node{Op: net.Slice, In: []int{z}, From: 2, To: 7})
	a = b.Add(net.Node{Op: net.AvgPool, In: []int{a}, Kernel: 3, Stride: 1, Pad: 1})
	c := b.Add(net.Node{Op: net.Shift, In: []int{z}})
	c = b.Add(net.Node{Op: net.AvgPool, In: []int{c}, Kernel: 3, Stride: 1, Pad: 1, CountPad: true})
	d := b.Add(net.Node{Op: net.MaxPool, In: []int{x}, Kernel: 3, Stride: 1, Pad: 1})
	x = b.Add(net.Node{Op: net.Concat, In: []int{a, c, d}})
	g := b.Add(net.Node{Op: net.GlobalAvgPool, In: []int{x}})
	g = b.ReLU(b.Add(net.Node{Op: net.Linear, In: []int{g}, Out: 6}))
	g = b.Add(net.Node{Op: net.Linear, In: []int{g}, Out: b.Shape(x).C, Bias: true})
	x = b.Add(net.Node{Op: net.Gate, In: []int{x, b.Add(net.Node{Op: net.Sigmoid, In: []int{g}})}})
	x = b.Conv("", x, 16, 1, 2)
	x = b.Sum(x, b.Add(net.Node{Op: net.Zero, In: []int{d}, Shape: b.Shape(x)}))
	n, err := b.Network(b.Head("", x, 10))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	p, err := startPeer(ctx, command, 1, "cpu")
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	be, err := backend.Open("")
	if err != nil {
		t.Fatal(err)
	}
	s, err := zico.New(be, zico.Config{DType: "float64"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for seed := range uint64(3) {
		data, err := formulaBatches(ctx, 10, 8, 15, seed)
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.Score(ctx, n, seed, data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.score(ctx, n, seed, 8, "float64")
		if err != nil {
			t.Fatal(err)
		}
		if got.Score == nil || math.Abs(*got.Score-want.Score) > 1e-6*want.Score {
			t.Errorf("seed %d: PyTorch scores %v, this program %v", seed, *got.Score, want.Score)
		}
		for i, l := range want.Losses {
			if math.Abs(*got.Losses[i]-l) > lossTolerance*l {
				t.Errorf("seed %d: the loss of batch %d is %v by PyTorch, %v here", seed, i, *got.Losses[i], l)
			}
		}
	}
	// A request that fails does not end it.
	bad := describeNetwork(n)
	bad.Nodes[1].Op = "dance"
	var answer peerScore
	err = p.ask(ctx, peerRequest{Op: "score", Network: bad, Batch: 1, Batches: 2, DType: "float32"}, &answer)
	if err == nil || !strings.Contains(err.Error(), "dance") {
		t.Errorf("an unknown layer gives %v", err)
	}
	if _, err := p.score(ctx, n, 1, 2, "float32"); err != nil {
		t.Error(err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
	if _, err := p.score(ctx, n, 1, 2, "float32"); err == nil {
		t.Error("a peer that has ended answers")
	}
}

// TestRealPeer runs the comparison as a user does, on small networks.
func TestRealPeer(t *testing.T) {
	realPeer(t)
	out, errs, status := result(t, start(t, nil, "bench", "-set", smallSet(t, 0, 0), "-json", "-rounds", "1", "-top", "0", "-peer"))
	if status != 0 {
		t.Fatalf("ends with %d and\n%s%s", status, out, errs)
	}
	r := parseRows(t, out)
	if len(r["check"]) != 8 || len(r["pair"]) != 6 || len(r["ratio"]) != 1 || r["ratio"][0]["sum_ratio"].(float64) <= 0 {
		t.Errorf("it prints\n%s", out)
	}
}
