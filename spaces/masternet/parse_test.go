package masternet

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// refused are strings with the place of the error marked, and a part of what the message must say.
var refused = []struct{ input, want string }{
	{"►", "expected super blocks"},
	{"►  ", "expected super blocks"},
	{"►zico_900M", "zico_450M, zico_600M"},
	{"►17", "super block"},
	{"SuperConvK3BNRELU►", "expected ("},
	{"SuperConvK3BNRELU(►", "a whole number, in of SuperConvK3BNRELU(in,out,stride,layers)"},
	{"SuperConvK3BNRELU(3►", `expected ","`},
	{"SuperConvK3BNRELU(3,8,1,1►", `expected ")"`},
	{"SuperConvK3BNRELU(3,8,1,1►,1)", `expected ")"`},
	{"SuperConvK3BNRELU(3,8,1►)", `expected ","`},
	{"SuperConvK3BNRELU(3,►-8,1,1)", "a whole number, out"},
	{"SuperConvK3BNRELU(3,►,1,1)", "a whole number, out"},
	{"SuperConvK3BNRELU(3,► 8,1,1)", "a whole number, out"},
	{"SuperConvK3BNRELU(3,8►.5,1,1)", `expected ","`},
	{"SuperConvK3BNRELU(3,►0,1,1)", "out must be at least 1"},
	{"SuperConvK3BNRELU(3,8,►0,1)", "stride must be at least 1"},
	{"SuperConvK3BNRELU(3,8,1,►0)", "layers must be at least 1"},
	{"SuperConvK3BNRELU(3,►65537,1,1)", "out must be at most 65536"},
	{"SuperConvK3BNRELU(3,►99999999999999999999,1,1)", "out must be at most 65536"},
	{"SuperConvK3BNRELU(3,8,1,►1025)", "together must be at most 1024"},
	{"SuperConvK3BNRELU(3,8,1,1000)SuperConvK3BNRELU(8,8,1,►25)", "together must be at most 1024"},
	{"SuperConvK3BNRELU(►1,8,1,1)", "in must be 3, not 1"},
	{"SuperConvK3BNRELU(►0,8,1,1)", "in must be at least 1"},
	{"SuperConvK3BNRELU(3,8,2,1)SuperResIDWE6K3(►16,32,2,8,1)", "in is 16, but the block before gives 8 channels"},
	{"SuperConvK3BNRELU(3,8,2,1)SuperResIDWE6K3(8,32,2,►0,1)", "bottleneck must be at least 1"},
	{"SuperConvK3BNRELU(3,8,2,1)SuperResIDWE6K3(8,32,2,8►)", `expected ","`},
	{"SuperConvK3BNRELU(3,8,2,1)►SuperResIDWE3K3(8,32,2,8,1)", "SuperResIDWE{1,2,4,6}K{3,5,7}"},
	{"SuperConvK3BNRELU(3,8,2,1)►SuperResK3K5(8,32,2,8,1)", "(equal)"},
	{"SuperConvK3BNRELU(3,8,2,1)►SuperResK1K1K1(8,32,2,8,1)", "SuperResK1K{3,5,7}K1"},
	{"SuperConvK3BNRELU(3,8,2,1)►;", "expected a super block"},
	{"SuperConvK3BNRELU(3,8,2,1)► SuperConvK1BNRELU(8,8,1,1)", "expected a super block"},
	{"►ConvKX(3,8,3,2)", "expected a super block"},
	{"►(3,8,2,1)", "expected a super block"},
	{"►superconvk3bnrelu(3,8,2,1)", "expected a super block"},
	{"SuperConvK3BNRELU(a|►b|3,8,2,1)", "a whole number, in"},
	{"SuperConvK3BNRELU(►a,3|8,2,1)", "a whole number, in"},
	{" SuperConvK3BNRELU(3,8,►0,1) ", "stride must be at least 1"},
}

func TestRefused(t *testing.T) {
	for _, c := range refused {
		pos := strings.Index(c.input, "►")
		in := strings.Replace(c.input, "►", "", 1)
		_, err := Space{}.Parse(in)
		var p *spaces.ParseError
		if !errors.As(err, &p) || p.Pos != pos || !strings.Contains(p.Want, c.want) {
			t.Errorf("Parse(%q) gives %v, want position %d and %q", in, err, pos, c.want)
		}
	}
}

// TestAccepted checks the forms that are not canonical.
func TestAccepted(t *testing.T) {
	const want = "SuperConvK3BNRELU(3,8,2,1)SuperResIDWE6K3(8,32,2,8,1)"
	for _, in := range []string{
		want,
		"\n " + want + "\r\n",
		"SuperConvK3BNRELU(uuid3f|3,8,2,1)SuperResIDWE6K3(stage 1|8,32,2,8,1)",
		"SuperConvK3BNRELU(|3,08,2,1)SuperResIDWE6K3(8,32,2,8,1)",
	} {
		if a, err := (Space{}).Parse(in); err != nil || a != want {
			t.Errorf("Parse(%q) gives %q, %v, want %q", in, a, err, want)
		}
	}
	// Every kind of super block, found by its name and written by it.
	if len(kinds) != 22 || len(kindNames) != 22 {
		t.Errorf("%d kinds of super blocks, want 22", len(kinds))
	}
	for name, k := range kinds {
		in := name + "(3,16,2,8,2)"
		if k.family == plainConv {
			in = name + "(3,16,2,2)"
		}
		a, err := Space{}.Parse(in)
		if err != nil || string(a) != in {
			t.Errorf("Parse(%q) gives %q, %v", in, a, err)
		}
		if _, err := (Space{ResLink: true, SE: true}).Network(a, imageNet); err != nil {
			t.Errorf("Network(%q) gives %v", a, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range refused {
		f.Add(strings.Replace(c.input, "►", "", 1), uint64(1))
	}
	for _, k := range known {
		f.Add(string(k.Arch), uint64(2))
	}
	f.Add("SuperConvK7BNRELU(x|3,8,2,3)SuperResK3K3(8,12,1,8,8)SuperResK1K7K1(12,8,3,4,1)SuperResIDWE1K5(8,65536,65536,65536,999)", uint64(3))
	f.Fuzz(func(t *testing.T, str string, seed uint64) {
		s := Space{ResLink: seed%2 == 1, SE: seed%4 > 1}
		a, err := s.Parse(str)
		if err != nil {
			var p *spaces.ParseError
			if !errors.As(err, &p) || p.Pos < 0 || p.Pos > len(str) || err.Error() == "" {
				t.Fatalf("Parse(%q) gives %v", str, err)
			}
			return
		}
		if again, err := s.Parse(string(a)); err != nil || again != a {
			t.Fatalf("%q parses to %q, which parses to %q, %v", str, a, again, err)
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		m := s.Replace(rng, a, 2)
		if again, err := s.Parse(string(m)); err != nil || again != m {
			t.Fatalf("%q mutates to %q, which parses to %q, %v", a, m, again, err)
		}
		c, err := s.Budget(a, spaces.Input{Size: 32, Classes: 10})
		if err != nil || !(c.FLOPs >= 0) || c.Params < 1 || c.Layers > maxLayers {
			t.Fatalf("%q counts %+v, %v", a, c, err)
		}
		if c.Layers > 50 {
			return // building is linear in the layers, and slow under the fuzzer
		}
		n, err := s.Network(a, spaces.Input{Size: 32, Classes: 10})
		if err == nil {
			err = n.Validate()
			if err != nil {
				t.Fatalf("%q: %v", a, err)
			}
		}
		if _, err := s.Expand(a); err != nil {
			t.Fatalf("Expand(%q): %v", a, err)
		}
	})
}
