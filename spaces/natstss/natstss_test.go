package natstss

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/spaces/spacetest"
)

var malformed = []string{
	"", "|", "15625", "99999999999999999999", "-1",
	"|nor_conv_3x3~0|",
	"|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|",
	"|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|none~2|",
	"|nor_conv_5x5~0|+|none~0|none~1|+|none~0|none~1|none~2|",
	"|none~0|+|none~0|none~1|+|none~0|none~1|none~2|x",
	"|none~0||none~0|none~1|+|none~0|none~1|none~2|",
	"(4, 0, 3, 1, 4, 3)",
}

func TestSpace(t *testing.T) {
	spacetest.Run(t, Space{16, 5}, malformed...)
	spacetest.Run(t, Space{4, 1}, malformed...)
}

// TestGolden compares names, order, shapes, counts and dead layers with the reference's networks.
func TestGolden(t *testing.T) {
	spacetest.Golden(t, "nb201", func(entry json.RawMessage, in spaces.Input) (*net.Network, error) {
		var e struct {
			Arch string
			C, N int
		}
		if err := json.Unmarshal(entry, &e); err != nil {
			return nil, err
		}
		return Space{e.C, e.N}.Network(spaces.Arch(e.Arch), in)
	})
}

// TestNotCanonical checks that Network takes what Parse returns and not what Parse takes: an index in a log would be another name of the same cell.
func TestNotCanonical(t *testing.T) {
	_, err := Space{16, 5}.Network("77", spaces.Input{Size: 32, Classes: 10})
	var p *spaces.ParseError
	if !errors.As(err, &p) {
		t.Errorf("Network of an index gives %v, want a *spaces.ParseError", err)
	}
}

// TestPosition checks that an error points at the operation that is wrong.
func TestPosition(t *testing.T) {
	_, err := Space{16, 5}.Parse("|nor_conv_3x3~0|+|skip~0|none~1|+|none~0|none~1|none~2|")
	p, ok := err.(*spaces.ParseError)
	if !ok || p.Pos != 18 {
		t.Errorf("the error is %v, want position 18", err)
	}
}

// TestIndex checks the order of the index: base-5 digits, the first edge the most significant.
func TestIndex(t *testing.T) {
	i := 0
	for a := range (Space{16, 5}).All() {
		got, err := Space{16, 5}.Index(a)
		if err != nil || got != i {
			t.Fatalf("Index(%q) = %d, %v, want %d", a, got, err, i)
		}
		byNumber, err := Space{16, 5}.Parse(fmt.Sprint(i))
		if err != nil || byNumber != a {
			t.Fatalf("Parse(%d) = %q, %v, want %q", i, byNumber, err, a)
		}
		i++
	}
	a, _ := Space{16, 5}.Parse("3126") // 1*5^5 + 1
	if want := spaces.Arch("|skip_connect~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"); a != want {
		t.Errorf("3126 is %q, want %q", a, want)
	}
}

// TestCounts compares parameters and FLOPs of all cells on three datasets with closed formulas, which were checked against the benchmark's own numbers for every cell.
func TestCounts(t *testing.T) {
	for _, d := range []spaces.Input{{Size: 32, Classes: 10}, {Size: 32, Classes: 100}, {Size: 16, Classes: 120}} {
		i := 0
		for a := range (Space{16, 5}).All() {
			n, err := Space{16, 5}.Network(a, d)
			if err != nil {
				t.Fatal(err)
			}
			var c3, c1 int64
			for _, op := range fromIndex(i) {
				switch op {
				case conv3x3:
					c3++
				case conv1x1:
					c1++
				}
			}
			i++
			params := int64(27*16 + 32)
			px := int64(d.Size * d.Size)
			flops := 27 * 16 * px
			for c := int64(16); c <= 64; c *= 2 {
				params += 5 * (c3*(9*c*c+2*c) + c1*(c*c+2*c))
				flops += 5 * px * (c3*9*c*c + c1*c*c)
				if c < 64 {
					params += 9*c*2*c + 4*c + 9*4*c*c + 4*c + 2*c*c
					px /= 4
					flops += px * (9*c*2*c + 9*4*c*c + 2*c*c)
				}
			}
			params += 2*64 + 64*int64(d.Classes) + int64(d.Classes)
			flops += 64*int64(d.Classes) + int64(d.Classes)
			if got := net.Params(n); got != params {
				t.Fatalf("%v: %s has %d parameters, want %d", d, a, got, params)
			}
			if got := net.FLOPs(n, net.XAutoDL); got != flops {
				t.Fatalf("%v: %s has %d FLOPs, want %d", d, a, got, flops)
			}
		}
	}
}

// TestPublishedCounts compares with numbers that NATS-Bench and the literature print.
func TestPublishedCounts(t *testing.T) {
	n, err := Space{16, 5}.Network("|skip_connect~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|nor_conv_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|", spaces.Input{Size: 32, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	if p, f := fmt.Sprintf("%.3f", float64(net.Params(n))/1e6), fmt.Sprintf("%.2f", float64(net.FLOPs(n, net.XAutoDL))/1e6); p != "0.858" || f != "121.82" {
		t.Errorf("%s M parameters and %s M FLOPs, want 0.858 and 121.82", p, f)
	}
}

func FuzzParse(f *testing.F) {
	for _, m := range malformed {
		f.Add(m)
	}
	f.Add("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
	f.Add("77")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Space{16, 5}.Parse(s)
		if err != nil {
			_ = err.Error()
			return
		}
		if again, err := (Space{16, 5}).Parse(string(a)); err != nil || again != a {
			t.Errorf("%q parses to %q, which parses to %q, %v", s, a, again, err)
		}
	})
}
