package main

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

//go:embed bench.json
var benchFile []byte

// benchSet is a set of networks to measure, with what is known of their scores. All are scored on two batches of the formula's images.
type benchSet struct {
	What      string         `json:"what"`
	Reference string         `json:"reference"`      // whose scores and seconds the networks carry, and on what machine
	Source64  string         `json:"float64_source"` // of the networks\' float64 scores
	Space     string         `json:"space"`
	Size      int            `json:"size"` // height and width of the images, pixels
	Batch     int            `json:"batch"`
	Classes   int            `json:"classes"`
	Tolerance float64        `json:"tolerance"` // of a float32 score, relative to the float64 one; never less than 0.5 absolute
	Networks  []benchNetwork `json:"networks"`

	// Before two programs are timed against each other, the networks are scored in float64 on smaller batches.
	CheckBatch     int          `json:"check_batch"`
	CheckTolerance float64      `json:"check_tolerance"` // relative difference of two float64 scores
	Checks         []benchCheck `json:"checks"`          // more networks, with the reference's float64 scores
}

// benchNetwork is a network of a set.
type benchNetwork struct {
	Arch    string  `json:"arch"`
	Seed    uint64  `json:"seed"`
	Score   float64 `json:"reference_score"`   // float32; 0: not known
	Seconds float64 `json:"reference_seconds"` // 0: not known
	// Float64 is the score in float64, 0 where it is not known. Float32 scores are compared with it: the reference's own are off by up to 2.4 %, since weights whose gradients almost cancel dominate a layer's sum, and two float32 programs differ by the sum of their errors.
	Float64 float64 `json:"float64_score"`
	// Check is the reference's float64 score at check_batch with its tolerance, where known.
	Check          *float64 `json:"check_score,omitempty"`
	CheckTolerance float64  `json:"check_score_tolerance,omitempty"`

	net *net.Network
}

// benchCheck is a network whose float64 score by the reference is known.
type benchCheck struct {
	ID        string   `json:"id"`
	Space     string   `json:"space"`
	Arch      string   `json:"arch"`
	Seed      uint64   `json:"seed"`
	Size      int      `json:"size"`
	Batch     int      `json:"batch"`
	Classes   int      `json:"classes"`
	Score     *float64 `json:"score"`     // nil: not known, the two programs are compared with each other only
	Tolerance float64  `json:"tolerance"` // absolute, of the score

	net *net.Network
}

// loadSet returns the set of a name or, where name is a file, the set in it.
func loadSet(name string) (*benchSet, error) {
	var sets map[string]*benchSet
	if err := json.Unmarshal(benchFile, &sets); err != nil {
		return nil, fmt.Errorf("the embedded sets: %w", err)
	}
	b, ok := sets[name]
	if !ok {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(name, "./\\") {
			return nil, usageError{fmt.Errorf("no set %q; there are %s, or name a file of the same form", name, strings.Join(slices.Sorted(maps.Keys(sets)), ", "))}
		}
		if err != nil {
			return nil, err
		}
		b = &benchSet{}
		if err := json.Unmarshal(data, b); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if b.Size < 1 || b.Batch < 1 || b.Classes < 1 || b.CheckBatch < 1 || len(b.Networks) == 0 || b.Tolerance <= 0 || b.CheckTolerance <= 0 {
		return nil, fmt.Errorf("the set %s lacks size, batch, classes, tolerance, check_batch, check_tolerance or networks, which must all be positive", name)
	}
	for i := range b.Checks {
		if c := &b.Checks[i]; c.ID == "" || c.Size < 1 || c.Batch < 1 || c.Classes < 1 || c.Score == nil || c.Tolerance <= 0 {
			return nil, fmt.Errorf("check %d (%q) of the set %s lacks id, size, batch, classes, score or tolerance", i, c.ID, name)
		}
	}
	return b, nil
}

// take keeps n networks from the first on (0: all that follow) and builds them.
func (b *benchSet) take(first, n int) error {
	if first < 0 || first >= len(b.Networks) || n < 0 {
		return usageError{fmt.Errorf("-first must be 0 to %d, -n at least 0", len(b.Networks)-1)}
	}
	b.Networks = b.Networks[first:]
	if n > 0 && n < len(b.Networks) {
		b.Networks = b.Networks[:n]
	}
	var err error
	for i := range b.Networks {
		if b.Networks[i].net, err = b.request(i).Network(); err != nil {
			return fmt.Errorf("network %d of the set: %w", first+i, err)
		}
	}
	return nil
}

// request is network i as a request.
func (b *benchSet) request(i int) zico.Request {
	n := &b.Networks[i]
	return zico.Request{Space: b.Space, Arch: n.Arch, Input: spaces.Input{Size: b.Size, Classes: b.Classes}, Seed: n.Seed}
}

// batches are the images of network i. Each has images of its own seed, so that the scores compare with the reference's.
func (b *benchSet) batches(ctx context.Context, i int) ([]images.Batch, error) {
	return formulaBatches(ctx, b.Classes, b.Batch, b.Size, b.Networks[i].Seed)
}

func formulaBatches(ctx context.Context, classes, batch, size int, seed uint64) ([]images.Batch, error) {
	src, err := images.Open(fmt.Sprintf("formula:classes=%d", classes))
	if err != nil {
		return nil, err
	}
	return src.Batches(ctx, images.Options{Batch: batch, N: benchBatches, Size: size, Seed: seed})
}

// benchBatches is the number of batches of every score.
const benchBatches = 2

// expected is the score that the network should have; 0 where it is not known.
func (n *benchNetwork) expected() float64 { return cmp.Or(n.Float64, n.Score) }

// wrong says by how much a score of network i is off, where that is more than the tolerance; "" otherwise.
func (b *benchSet) wrong(i int, who string, score float64) string {
	n := &b.Networks[i]
	want := n.expected()
	if want == 0 {
		return ""
	}
	tolerance := max(0.5, b.Tolerance*math.Abs(want))
	if d := math.Abs(score - want); !(d <= tolerance) {
		return fmt.Sprintf("%s scores %s (seed %d) %.4f, expected %.4f: off by %.3g, %.3g are allowed", who, n.Arch, n.Seed, score, want, d, tolerance)
	}
	return ""
}

// floatChecks are the float64 comparisons of a set: its checks, then each of its networks on small batches.
func (b *benchSet) floatChecks() ([]benchCheck, error) {
	checks := slices.Clone(b.Checks)
	for i := range b.Networks {
		n := &b.Networks[i]
		checks = append(checks, benchCheck{
			ID: fmt.Sprintf("%s seed %d", n.Arch, n.Seed), Space: b.Space, Arch: n.Arch, Seed: n.Seed,
			Size: b.Size, Batch: b.CheckBatch, Classes: b.Classes, Score: n.Check, Tolerance: n.CheckTolerance,
		})
	}
	for i := range checks {
		c := &checks[i]
		var err error
		req := zico.Request{Space: c.Space, Arch: c.Arch, Input: spaces.Input{Size: c.Size, Classes: c.Classes}}
		if c.net, err = req.Network(); err != nil {
			return nil, fmt.Errorf("check %s: %w", c.ID, err)
		}
	}
	return checks, nil
}
