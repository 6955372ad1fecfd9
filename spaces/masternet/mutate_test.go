package masternet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// critical95 is the 95 % quantile of the chi-square distribution by degrees of freedom.
var critical95 = map[int]float64{1: 3.841, 2: 5.991, 4: 9.488, 5: 11.070, 8: 15.507, 11: 19.675}

// fits compares observed numbers with expected ones.
func fits(t *testing.T, what string, observed, expected []float64) {
	t.Helper()
	x := 0.0
	for i := range observed {
		x += (observed[i] - expected[i]) * (observed[i] - expected[i]) / expected[i]
	}
	t.Logf("%s: chi-square %.3f with %d degrees of freedom", what, x, len(observed)-1)
	if most, ok := critical95[len(observed)-1]; !ok || x > most {
		t.Errorf("%s: observed %.0f, expected %.1f: chi-square is %.3f, above %.3f", what, observed, expected, x, most)
	}
}

// firstDiffering counts the first block in which 4,000 mutations of the initial structure differ from it; the last entry counts those that do not differ.
func firstDiffering(rng *rand.Rand) []float64 {
	counts := make([]float64, 7)
	initial, _ := Space{}.parse(string(known[0].Arch))
	for range 4000 {
		m, _ := Space{}.parse(string(Space{}.Replace(rng, known[0].Arch, 1)))
		i := 0
		for i < len(initial) && m[i] == initial[i] {
			i++
		}
		counts[i]++
	}
	return counts
}

// TestFirstBlock compares the distribution of the first block that a mutation changes with the exact one, and with the 4,000 mutations that the reference code made.
func TestFirstBlock(t *testing.T) {
	files(t, func(t *testing.T, f *file) {
		counts := firstDiffering(rand.New(rand.NewPCG(2023, 1)))
		if counts[5] != 0 {
			t.Errorf("the last block, which never changes, changed %g times", counts[5])
		}
		// A block is drawn with probability 1/6. It is replaced by itself with 1/2 (stem: 8 or 16 channels), with w/89 for the weight w of its type over the number of its numbers (SuperRes), or surely (head).
		initial, _ := Space{}.parse(string(known[0].Arch))
		expected := make([]float64, 7)
		for i, b := range initial {
			c := choicesFor(b, maxLayers)
			same := 1 / float64(len(c.outs)*len(c.layers)*len(c.mids))
			if b.family != plainConv {
				same *= 10.0 / 89
			}
			expected[i] = 4000 * (1 - same) / 6
			expected[6] += 4000 * same / 6
		}
		drop := func(x []float64) []float64 { return append(append([]float64(nil), x[:5]...), x[6]) }
		fits(t, "first block, against the exact distribution", drop(counts), drop(expected))

		// Two samples of the same size: the statistic of homogeneity is the sum of (a-b)^2/(a+b).
		reference := make([]float64, 7)
		reference[6] = 4000
		for i := range 6 {
			reference[i] = f.FirstDiffering[fmt.Sprint(i)]
			reference[6] -= reference[i]
		}
		x := 0.0
		for i := range counts {
			if sum := counts[i] + reference[i]; sum > 0 {
				x += (counts[i] - reference[i]) * (counts[i] - reference[i]) / sum
			}
		}
		t.Logf("first block, against the reference's: chi-square %.3f with 5 degrees of freedom", x)
		if x > critical95[5] {
			t.Errorf("the first blocks are %v, the reference's %v: chi-square is %.3f", counts, reference, x)
		}
	})
}

// TestDraw checks the distribution of a replacement: the type by the accumulated weights, everything else uniform.
func TestDraw(t *testing.T) {
	b := block{kind: kind{invertedDW, 4, 5}, in: 64, out: 96, stride: 2, mid: 48, layers: 3}
	c := choicesFor(b, maxLayers)
	rng := rand.New(rand.NewPCG(5, 1))
	const n = 20000
	observed := map[string]float64{}
	for range n {
		d := c.draw(rng, b)
		if d.in != b.in || d.stride != b.stride {
			t.Fatalf("%s becomes %s", b, d)
		}
		for _, key := range []string{kindNames[d.kind], fmt.Sprint("out", d.out), fmt.Sprint("mid", d.mid), fmt.Sprint("layers", d.layers)} {
			observed[key]++
		}
	}
	var o, e []float64
	for i, k := range types {
		o = append(o, observed[kindNames[k]])
		e = append(e, n*float64(typeWeights[i])/89)
	}
	fits(t, "types", o, e)
	uniform := func(what string, values []int) {
		var o, e []float64
		for _, v := range values {
			o = append(o, observed[fmt.Sprint(what, v)])
			e = append(e, n/float64(len(values)))
		}
		fits(t, what, o, e)
	}
	uniform("out", c.outs)
	uniform("mid", c.mids)
	uniform("layers", c.layers)
}

// TestTwice checks that a block that is drawn twice is changed once, and no other in its place: with two replacements in five blocks that happens to one mutation in five.
func TestTwice(t *testing.T) {
	a := spaces.Arch("SuperResIDWE6K7(3,64,2,64,1)" + strings.Repeat("SuperResIDWE6K7(64,64,1,64,1)", 4))
	old, err := Space{}.parse(string(a))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 3))
	observed := make([]float64, 3)
	const n = 10000
	for range n {
		m, err := Space{}.parse(string(Space{}.Replace(rng, a, 2)))
		if err != nil || len(m) != len(old) {
			t.Fatalf("%d blocks, %v", len(m), err)
		}
		changed := 0
		for i := range m {
			m[i].in = old[i].in // follows the block before
			if m[i] != old[i] {
				changed++
			}
		}
		observed[changed]++
	}
	c := choicesFor(old[0], maxLayers)
	same := 2.0 / 89 / float64(len(c.outs)*len(c.mids)*len(c.layers))
	expected := []float64{
		n * (same/5 + 4*same*same/5),
		n * ((1-same)/5 + 4*2*same*(1-same)/5),
		n * 4 * (1 - same) * (1 - same) / 5,
	}
	// The first is too rare for the statistic.
	if expected[0] > 1 || observed[0] > 3 {
		t.Errorf("%g mutations changed nothing, expected %g", observed[0], expected[0])
	}
	fits(t, "changed blocks", observed[1:], expected[1:])
}

// TestWalk follows mutations for long and checks what holds for every one of them.
func TestWalk(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	a := known[0].Arch
	for i := range 5000 {
		m := Space{}.Replace(rng, a, 2)
		if back, err := (Space{}).Parse(string(m)); err != nil || back != m {
			t.Fatalf("%q mutates to %q, which parses to %q, %v", a, m, back, err)
		}
		chain, _ := Space{}.parse(string(m))
		stride := 1
		for _, b := range chain {
			stride *= b.stride
			if b.family != plainConv && b.layers >= splitAt {
				t.Fatalf("%q mutates to %q, whose %s is not split", a, m, b)
			}
		}
		if last := chain[len(chain)-1]; stride != 32 || chain[0].stride != 2 || last.out != 2048 || last.family != plainConv {
			t.Fatalf("%q mutates to %q", a, m)
		}
		if i%50 == 0 {
			if _, err := (Space{}).Network(m, imageNet); err != nil {
				t.Fatal(err)
			}
		}
		if a = m; depth(chain) > 40 {
			a = known[0].Arch
		}
	}
}

// TestReplaceNothing checks the cases without a choice.
func TestReplaceNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	const only = "SuperConvK1BNRELU(3,8,1,1)"
	for range 10 {
		if m := (Space{}).Replace(rng, only, 2); m != only {
			t.Errorf("%s becomes %s", only, m)
		}
		if m := (Space{}).Mutate(rng, only); m != only {
			t.Errorf("%s mutates to %s", only, m)
		}
	}
	for n := range (Space{}).Neighbors(only) {
		t.Errorf("%s has the neighbour %s", only, n)
	}
	// No replacement still splits, as in the reference.
	const deep, split = "SuperResK3K3(3,8,2,16,7)", "SuperResK3K3(3,8,2,16,3)SuperResK3K3(8,8,1,16,4)"
	if m := (Space{}).Replace(rng, deep, 0); m != split {
		t.Errorf("%s becomes %s, want %s", deep, m, split)
	}
	// A block of SuperConvK1BNRELU with more layers loses them.
	if m := (Space{}).Mutate(rng, "SuperConvK1BNRELU(3,8,1,4)"); m != only {
		t.Errorf("the mutation is %s, want %s", m, only)
	}
}

// TestLimits mutates at the parser's limits, which it must not leave.
func TestLimits(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for _, a := range []spaces.Arch{
		"SuperConvK3BNRELU(3,65536,65536,1)SuperResIDWE6K7(65536,65536,1,65536,1)",
		"SuperResIDWE6K7(3,65529,1,40000,1)SuperConvK1BNRELU(65529,65533,1,1)",
		"SuperResIDWE6K7(3,8,1,8,1024)",
		"SuperResIDWE6K7(3,8,1,8,1)SuperConvK3BNRELU(8,8,1,1023)",
	} {
		for range 300 {
			m := Space{}.Replace(rng, a, 2)
			if back, err := (Space{}).Parse(string(m)); err != nil || back != m {
				t.Fatalf("%q mutates to %q, which parses to %q, %v", a, m, back, err)
			}
		}
	}
}

// TestSample checks that samples keep to what Sample promises, and that the limits are reached.
func TestSample(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	seen := map[string]bool{}
	for range 5000 {
		chain, err := Space{}.parse(string(Space{}.Sample(rng)))
		if err != nil || len(chain) != 6 {
			t.Fatalf("%d blocks, %v", len(chain), err)
		}
		for i, b := range chain[:5] {
			if b.out%8 != 0 || b.out > sampled[i] || b.mid%8 != 0 || b.mid > sampled[i] || b.layers > 5 || b.stride != 2 {
				t.Fatalf("block %d is %s", i, b)
			}
			seen[kindNames[b.kind]] = true
			seen[fmt.Sprint(i, " out ", b.out)] = true
			seen[fmt.Sprint(i, " mid ", b.mid)] = true
			seen[fmt.Sprint(i, " layers ", b.layers)] = true
		}
	}
	for i, most := range sampled {
		for c := 8; c <= most; c += 8 {
			if !seen[fmt.Sprint(i, " out ", c)] || i > 0 && !seen[fmt.Sprint(i, " mid ", c)] {
				t.Errorf("block %d never has %d channels", i, c)
			}
		}
		for l := 1; i > 0 && l <= 5; l++ {
			if !seen[fmt.Sprint(i, " layers ", l)] {
				t.Errorf("block %d never has %d layers", i, l)
			}
		}
	}
	for _, k := range types {
		if !seen[kindNames[k]] {
			t.Errorf("%s is never drawn", kindNames[k])
		}
	}
}

// TestCountQuirks computes by hand what the reference counts at a resolution that strides do not divide.
func TestCountQuirks(t *testing.T) {
	// 9 pixels: the convolution of stride 2 gives 9/2 = 4 by the counter (5 in truth), the residual block keeps 4.
	const a = "SuperConvK3BNRELU(3,5,2,1)SuperResK3K3(5,7,2,3,1)"
	got := countAt(t, Space{ResLink: true}, a, 9)
	stem := math.Floor(3*5*9*81.0/4) + 5*16
	first := 5*3*9*16.0/4 + 3*4
	second := 3*7*9*4.0 + 7*4
	link := 5*7*1.0*1.0 + 1*1*7 // at 2/2 = 1 pixel, where the output has 2
	if want := stem + first + second + link + 7*1000; got.FLOPs != want {
		t.Errorf("%g FLOPs, want %g", got.FLOPs, want)
	}
	if want := int64(3*5*9 + 5 + 5*3*9 + 3 + 3*7*9 + 7 + 5*7 + 7 + 7*1000 + 1); got.Params != want {
		t.Errorf("%d parameters, want %d", got.Params, want)
	}
	// 6 pixels: the output has 3/2 = 1, the link is counted at half a pixel.
	got = countAt(t, Space{ResLink: true}, a, 6)
	if frac := got.FLOPs - math.Floor(got.FLOPs); frac != 0.5 { // (5*7 + 7)/4 = 10.5
		t.Errorf("%g FLOPs, want a half", got.FLOPs)
	}
}
