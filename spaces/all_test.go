package spaces_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
	_ "github.com/zeroshotnas/zeroshot/spaces/darts"
	_ "github.com/zeroshotnas/zeroshot/spaces/masternet"
	_ "github.com/zeroshotnas/zeroshot/spaces/nasbench101"
	_ "github.com/zeroshotnas/zeroshot/spaces/natssss"
	_ "github.com/zeroshotnas/zeroshot/spaces/natstss"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	_ "github.com/zeroshotnas/zeroshot/spaces/plain"
	_ "github.com/zeroshotnas/zeroshot/spaces/transnas"
)

// specs are all spaces, with the options under which they are another set of architectures or of networks.
var specs = []string{"natstss", "natstss:super=1", "natssss", "nasbench101", "transnas", "transnas:macro=1", "masternet", "masternet:reslink=1,se=1", "darts", "darts:C=48,cells=14,imagenet=1", "plain", "plain:bn=0", "kernels"}

// each runs a subtest for each space.
func each(t *testing.T, test func(t *testing.T, s spaces.Space, rng *rand.Rand)) {
	for i, spec := range specs {
		s, err := spaces.Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(spec, func(t *testing.T) { test(t, s, rand.New(rand.NewPCG(1, uint64(i)))) })
	}
}

// TestRoundTrip parses 10,000 random architectures of each space and prints them again.
func TestRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, s spaces.Space, rng *rand.Rand) {
		for range 10000 {
			a := s.Sample(rng)
			if back, err := s.Parse(string(a)); err != nil || back != a {
				t.Fatalf("Parse(%q) = %q, %v", a, back, err)
			}
		}
	})
}

// TestWalk takes 2,000 mutations, each of the one before: every one is canonical, another one than the last, and has a valid network (of every tenth, as networks take the time).
func TestWalk(t *testing.T) {
	each(t, func(t *testing.T, s spaces.Space, rng *rand.Rand) {
		a := s.Sample(rng)
		for step := range 2000 {
			b := s.Mutate(rng, a)
			if back, err := s.Parse(string(b)); err != nil || back != b || b == a {
				t.Fatalf("step %d, from %q: Parse(%q) = %q, %v", step, a, b, back, err)
			}
			if a = b; step%10 > 0 {
				continue
			}
			n, err := s.Network(a, s.Input())
			if err == nil {
				err = n.Validate()
			}
			if err != nil {
				t.Fatalf("step %d: the network of %q: %v", step, a, err)
			}
		}
	})
}

// TestDocs checks that the page on spaces shows the space of the example as it is.
func TestDocs(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/spaces.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(source), "// kernels is")
	code, _, found := strings.Cut(code, "// A space of one's own")
	if code = strings.TrimSpace(code); !found || !strings.Contains(string(page), code) {
		t.Error("docs/spaces.md does not show the space of example_test.go as it is")
	}
	_, code, _ = strings.Cut(code, "\n")
	if lines := strings.Count(code, "\n") + 1; lines >= 50 {
		t.Errorf("the space has %d lines, want less than 50", lines)
	}
}

// BenchmarkNetwork makes networks of random architectures.
func BenchmarkNetwork(b *testing.B) {
	for _, spec := range specs {
		b.Run(spec, func(b *testing.B) {
			s, archs := drawn(b, spec)
			b.ReportAllocs()
			for i := range b.N {
				if _, err := s.Network(archs[i%len(archs)], s.Input()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCounts counts parameters and the FLOPs of all conventions of networks that are there already.
func BenchmarkCounts(b *testing.B) {
	for _, spec := range specs {
		b.Run(spec, func(b *testing.B) {
			s, archs := drawn(b, spec)
			var networks []*net.Network
			for _, a := range archs {
				n, err := s.Network(a, s.Input())
				if err != nil {
					b.Fatal(err)
				}
				networks = append(networks, n)
			}
			b.ResetTimer()
			var sum int64
			for i := range b.N {
				n := networks[i%len(networks)]
				sum += net.Params(n)
				for _, c := range net.Conventions() {
					sum += net.FLOPs(n, c)
				}
			}
			if sum == 0 {
				b.Error("nothing counted")
			}
		})
	}
}

// BenchmarkParse parses random architectures.
func BenchmarkParse(b *testing.B) {
	for _, spec := range specs {
		b.Run(spec, func(b *testing.B) {
			s, archs := drawn(b, spec)
			for i := range b.N {
				if _, err := s.Parse(string(archs[i%len(archs)])); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// drawn opens a space and draws architectures for a benchmark.
func drawn(b *testing.B, spec string) (spaces.Space, []spaces.Arch) {
	s, err := spaces.Open(spec)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	archs := make([]spaces.Arch, 100)
	for i := range archs {
		archs[i] = s.Sample(rng)
	}
	b.ResetTimer()
	return s, archs
}

func ExampleOptionsOf() {
	options, err := spaces.OptionsOf("nasbench101")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range options {
		fmt.Printf("%s=%d: %s\n", o.Name, o.Default, o.Doc)
	}
	// Output:
	// C=128: channels of the first stack
	// N=3: cells in a stack
}
