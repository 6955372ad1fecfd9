package plain

import (
	"fmt"

	"github.com/zeroshotnas/zeroshot/spaces"
)

var _ spaces.Editor = Space{}

// knobsPerLayer are kernel, width and stride.
const knobsPerLayer = 3

// Knobs implements spaces.Editor: the number of convolutions, then the kernel, the channels and the stride of each.
func (s Space) Knobs(a spaces.Arch) ([]spaces.Knob, error) {
	chain, err := s.parse(string(a))
	if err != nil {
		return nil, err
	}
	knobs := []spaces.Knob{{Name: "convolutions", Min: 1, Max: max(maxDepth, len(chain)), Step: 1, Value: len(chain)}}
	for i, l := range chain {
		of := l.knobs(fmt.Sprintf("convolution %d", i+1))
		knobs = append(knobs, of[:]...)
	}
	return knobs, nil
}

func (l layer) knobs(group string) (of [knobsPerLayer]spaces.Knob) {
	of[0], _ = spaces.ListOf(group, "kernel", kernels, l.kernel)
	of[1] = spaces.Knob{Group: group, Name: "channels", Min: min(8, l.out), Max: max(64, l.out), Step: 8, Value: l.out}
	of[2], _ = spaces.ListOf(group, "stride", strides, l.stride)
	return of
}

// Set implements spaces.Editor. A longer chain repeats its last convolution.
func (s Space) Set(a spaces.Arch, knob, value int) (spaces.Arch, error) {
	if _, err := spaces.FindKnob(s, a, knob, value); err != nil {
		return "", err
	}
	chain, _ := s.parse(string(a)) // FindKnob has read it
	if knob == 0 {
		last := chain[len(chain)-1]
		for len(chain) < value {
			chain = append(chain, last)
		}
		return arch(chain[:value]), nil
	}
	l := &chain[(knob-1)/knobsPerLayer]
	switch (knob - 1) % knobsPerLayer {
	case 0:
		_, list := spaces.ListOf("", "", kernels, l.kernel)
		l.kernel = list[value]
	case 1:
		l.out = value
	case 2:
		_, list := spaces.ListOf("", "", strides, l.stride)
		l.stride = list[value]
	}
	return arch(chain), nil
}
