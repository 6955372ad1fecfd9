package spacetest_test

import (
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/plain"
	"github.com/zeroshotnas/zeroshot/spaces/spacetest"
)

// broken is a space that keeps all promises but the one its fault names.
type broken struct {
	plain.Space
	fault string
}

func (b broken) Name() string {
	if b.fault == "name" {
		return "plane"
	}
	return b.Space.Name()
}

func (b broken) Parse(s string) (spaces.Arch, error) {
	a, err := b.Space.Parse(s)
	switch {
	case b.fault == "parse":
		return a + " ", err
	case b.fault == "malformed" && err != nil:
		return "", nil
	}
	return a, err
}

func (b broken) Sample(rng *rand.Rand) spaces.Arch {
	if b.fault == "random" {
		rng = rand.New(rand.NewPCG(rand.Uint64(), 0))
	}
	return b.Space.Sample(rng)
}

func (b broken) Mutate(rng *rand.Rand, a spaces.Arch) spaces.Arch {
	if b.fault == "stuck" {
		return a
	}
	return b.Space.Mutate(rng, a)
}

func (b broken) Neighbors(a spaces.Arch) iter.Seq[spaces.Arch] {
	return func(yield func(spaces.Arch) bool) {
		for n := range b.Space.Neighbors(a) {
			if !yield(n) && b.fault != "deaf" {
				return
			}
			if b.fault == "twice" && !yield(n) {
				return
			}
		}
	}
}

func (b broken) Network(a spaces.Arch, in spaces.Input) (*net.Network, error) {
	n, err := b.Space.Network(a, in)
	if err == nil && b.fault == "network" {
		n.Output--
	}
	return n, err
}

func (b broken) Set(a spaces.Arch, knob, value int) (spaces.Arch, error) {
	n, err := b.Space.Set(a, knob, value)
	switch {
	case b.fault == "drift" && n == a:
		return b.Space.Set(a, 0, 1)
	case b.fault == "spaced" && err == nil && n != a:
		return n + " ", nil
	case b.fault == "few" && err == nil && knob == 0:
		return a, nil
	case b.fault == "silent" && err != nil:
		return a, nil
	}
	return n, err
}

func (b broken) Size() int {
	if b.fault == "size" {
		return 12
	}
	return b.Space.Size()
}

const faultVariable = "SPACETEST_FAULT"

// TestBroken runs the suite on the space whose fault the environment names. It is there for TestRunFinds, and passes without a fault.
func TestBroken(t *testing.T) {
	spacetest.Run(t, broken{plain.Space{BN: true}, os.Getenv(faultVariable)}, "3x")
}

// TestRunFinds checks that the suite fails for every fault, with a message that says what is wrong.
func TestRunFinds(t *testing.T) {
	for fault, want := range map[string]string{
		"name":      "unknown search space",
		"parse":     "Parse(",
		"malformed": "want a *spaces.ParseError",
		"random":    "the same seed samples",
		"stuck":     "not one decision away",
		"deaf":      "goes on after its reader has left",
		"twice":     "twice",
		"network":   "features for",
		"size":      "Size is 12",
		"few":       "which no knob reaches",
		"drift":     "the present value",
		"spaced":    "is not canonical",
		"silent":    "want a *spaces.ParseError that says why",
	} {
		t.Run(fault, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$")
			cmd.Env = append(os.Environ(), faultVariable+"="+fault)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("the suite ends with %v and prints\n%s\nwant a failure with %q", err, out, want)
			}
		})
	}
}

// A space's own test hands the space to Run, with strings that it must refuse.
func ExampleRun() {
	TestSpace := func(t *testing.T) {
		spacetest.Run(t, plain.Space{BN: true}, "", "3x8", "2x8s1")
	}
	_ = TestSpace
}
