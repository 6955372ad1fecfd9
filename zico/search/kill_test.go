package search

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

// killedIterations is the length of the run that is killed, some seconds.
const killedIterations = 700

// realSearch scores networks on this machine.
func realSearch(log string) error {
	s, err := spaces.Open("natstss:C=4,N=1")
	if err != nil {
		return err
	}
	be, err := backend.Open("xla:cpu")
	if err != nil {
		return err
	}
	scorer, err := zico.New(be, zico.Config{})
	if err != nil {
		return err
	}
	defer scorer.Close()
	src, err := images.Open("embedded")
	if err != nil {
		return err
	}
	data, err := src.Batches(context.Background(), images.Options{Batch: 4, N: 2, Size: 16, Seed: 1})
	if err != nil {
		return err
	}
	proxies, err := proxy.Find("zico", "naswot")
	if err != nil {
		return err
	}
	limits, err := ParseBudget("params=7000,layers=16", s, spaces.Input{}, nil)
	if err != nil {
		return err
	}
	_, err = Run(context.Background(), Config{
		Space: s, Method: "aging:population=30,sample=5", Limits: limits, InFlight: 2, Seed: 5, Weights: 1, Iterations: killedIterations, Log: log, Resume: true,
		Evaluator: &Local{Scorer: scorer, Data: data, DataName: "embedded", Space: s, Proxies: proxies},
	})
	return err
}

// TestKilledChild is the process that TestKill kills.
func TestKilledChild(t *testing.T) {
	log := os.Getenv("SEARCH_TEST_LOG")
	if log == "" {
		t.Skip("run by TestKill")
	}
	if err := realSearch(log); err != nil {
		t.Fatal(err)
	}
}

// TestKill kills a search that scores real networks twenty times with SIGKILL at random moments, and goes on each time: the log is that of a run that was left alone, and nothing that was learned is lost.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	dir := t.TempDir()
	whole, killed := filepath.Join(dir, "whole"), filepath.Join(dir, "killed")
	start := time.Now()
	if err := realSearch(whole); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	want := candidates(t, whole)
	child := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$", "-test.v")
		cmd.Env = append(os.Environ(), "SEARCH_TEST_LOG="+killed)
		return cmd
	}
	rng := rand.New(rand.NewPCG(8, 8))
	var last int64
	kills, middle := 0, 0
	for kills < 20 {
		cmd := child()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// A process takes about 0.3 s to begin; kills are spread over that and over its share of the run.
		time.Sleep(time.Duration((0.1 + rng.Float64()) * float64(200*time.Millisecond+took/15)))
		cmd.Process.Kill()
		cmd.Wait()
		kills++
		info, err := os.Stat(killed)
		if err != nil {
			continue // killed before it had a log
		}
		if info.Size() < last {
			t.Fatalf("kill %d: the log has shrunk from %d to %d bytes", kills, last, info.Size())
		}
		if last = info.Size(); last > 1000 && last < int64(len(want)) {
			middle++
		}
	}
	if out, err := child().CombinedOutput(); err != nil {
		t.Fatalf("the last process: %v\n%s", err, out)
	}
	if got := candidates(t, killed); got != want {
		t.Errorf("after %d kills the log differs from the uninterrupted one at %s", kills, firstDifference(got, want))
	}
	t.Logf("%d kills, %d of them in the middle of the run, which takes %s", kills, middle, took.Round(10*time.Millisecond))
	if middle < 5 {
		t.Errorf("only %d of %d kills came in the middle of the run: the test does not test that", middle, kills)
	}
}
