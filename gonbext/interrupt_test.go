package gonbext

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/zeroshotnas/zeroshot/zico"
)

// TestInterrupt checks that an interrupted cell ends soon, with what is done, and that mistakes found before are still told.
func TestInterrupt(t *testing.T) {
	quiet := small
	quiet.Quiet = true
	if _, err := Score("7", quiet); err != nil { // so that the loop below has its kernels
		t.Fatal(err)
	}
	archs := []string{"|bad~0|"}
	for i := range 15625 {
		archs = append(archs, fmt.Sprint(i))
	}
	// The test itself must survive a signal that comes when the loop has just ended.
	ours := make(chan os.Signal, 1)
	signal.Notify(ours, os.Interrupt)
	defer signal.Stop(ours)
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(500*time.Millisecond, func() { _ = self.Signal(os.Interrupt) })
	var results []*zico.Result
	start := time.Now()
	text := capture(t, func() { results, err = Compare(archs, small) })
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the loop went on for %s; the kernel kills a cell 5 seconds after the interrupt", took)
	}
	if len(results) == 0 || len(results) >= 15625 {
		t.Fatalf("%d results, want some", len(results))
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want one that is context.Canceled", err)
	}
	for _, want := range []string{"|bad~0|", fmt.Sprintf("interrupted: %d of 15626 scored", len(results))} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
	if last := results[len(results)-1]; !strings.Contains(text, last.Network) {
		t.Errorf("what was done, up to %s, is not shown:\n%s", last.Network, text)
	}
}

// TestSeedsNumber checks that a number of seeds that makes no sense is an error.
func TestSeedsNumber(t *testing.T) {
	for _, n := range []int{0, -1} {
		if _, err := Seeds("7", n, Options{Quiet: true}); err == nil || !strings.Contains(err.Error(), "at least 1") {
			t.Errorf("Seeds of %d: the error is %v", n, err)
		}
	}
}

// TestSpread compares the summary of seeds with numbers worked out by hand.
func TestSpread(t *testing.T) {
	for want, scores := range map[string][]float64{
		"1 seed: 700.00": {700},
		"3 seeds: mean 2.00, standard deviation 1.00 (50.00 %)":      {1, 2, 3},
		"2 seeds: mean -4.00, standard deviation 1.41 (35.36 %)":     {-5, -3},
		"2 seeds: mean 0.00, standard deviation 0.00":                {0, 0},
		"2 seeds: mean 1000000000.05, standard deviation 0.07 (0.00": {1e9, 1e9 + 0.1},
	} {
		if _, got := spread(scores); !strings.HasPrefix(got, want) {
			t.Errorf("spread(%v) says %q, want %q", scores, got, want)
		}
	}
}
