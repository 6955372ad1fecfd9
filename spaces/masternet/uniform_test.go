package masternet

import (
	"math/rand/v2"
	"testing"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// TestMutateUniform checks that Mutate prefers no type, unlike the reference's draw: of the mutations of the initial structure's second block that change the type, each other type has the same share.
func TestMutateUniform(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	counts := map[kind]float64{}
	initial, err := Space{}.parse(string(known[0].Arch))
	if err != nil {
		t.Fatal(err)
	}
	n := 0.0
	for range 40000 {
		chain, err := Space{}.parse(string(Space{}.Mutate(rng, spaces.Arch(known[0].Arch))))
		if err != nil {
			t.Fatal(err)
		}
		if k := chain[1].kind; k != initial[1].kind {
			counts[k]++
			n++
		}
	}
	var o, e []float64
	for _, k := range types {
		if k != initial[1].kind {
			o = append(o, counts[k])
			e = append(e, n/float64(len(types)-1))
		}
	}
	if len(counts) != len(types)-1 {
		t.Errorf("%d types, want %d", len(counts), len(types)-1)
	}
	x := 0.0
	for i := range o {
		x += (o[i] - e[i]) * (o[i] - e[i]) / e[i]
	}
	const critical = 18.307 // 95 % with 10 degrees of freedom
	t.Logf("types: chi-square %.3f", x)
	if x > critical {
		t.Errorf("types %v, expected %.0f each: chi-square %.3f", o, e[0], x)
	}
}
