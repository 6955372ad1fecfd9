package search

import (
	"math/rand/v2"

	"github.com/zeroshotnas/zeroshot/spaces"
)

func init() {
	Register(Info{
		Name:   "random",
		Doc:    "Architectures drawn by the space's Sample, each on its own.",
		Source: "the baseline of Li and Talwalkar, Random search and reproducibility for neural architecture search, UAI 2019",
		New: func(s Setup, _ *Options) (Method, error) {
			return random{s.Space}, nil
		},
	})
}

type random struct{ space spaces.Space }

func (r random) Propose(rng *rand.Rand) (spaces.Arch, bool) { return r.space.Sample(rng), true }

func (r random) Learn(*Candidate) {}
