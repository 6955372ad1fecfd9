package plain

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/spacetest"
)

var malformed = []string{"", ",", "3", "3x", "3x8", "3x8s", "3x8s1,", "2x8s1", "0x8s1", "3x0s1", "3x8s0", "3x8s1;3x8s1", "3x99999999999s1", "ax8s1", "03x8s1"}

func TestSpace(t *testing.T) {
	spacetest.Run(t, Space{BN: true}, malformed...)
	spacetest.Run(t, Space{BN: false}, malformed...)
}

// TestGolden compares names, order, shapes and counts with the reference's networks, which are one chain with and without batch normalisation.
func TestGolden(t *testing.T) {
	spacetest.Golden(t, "plain", func(entry json.RawMessage, in spaces.Input) (*net.Network, error) {
		var e struct{ BN bool }
		if err := json.Unmarshal(entry, &e); err != nil {
			return nil, err
		}
		return Space{BN: e.BN}.Network("3x8s1,3x16s2,3x32s2", in)
	})
}

func FuzzParse(f *testing.F) {
	for _, m := range malformed {
		f.Add(m)
	}
	f.Add("3x8s1,5x16s2")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Space{}.Parse(s)
		if err == nil && string(a) != s {
			t.Errorf("%q is accepted but not canonical: %q", s, a)
		}
	})
}

func ExampleSpace_Parse() {
	_, err := Space{BN: true}.Parse("3x8s1,4x16s2")
	fmt.Println(err)
	// Output: plain:bn=1: position 6 of "3x8s1,►4x16s2": expected an odd kernel size and "x", as in 3x16s2
}
