package proxy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zeroshotnas/zeroshot/zico"
)

// usage is what errors say of options.
const usage = "a proxy that runs networks may be followed by options, as in zico:batches=3 or zico:images=16:exact: batches=K (of the batches at hand the first K), batches=A-B (A to B, counted from 1), images=K (at most K of a batch), reseed=K (weights drawn with the seed plus K), noise (uniform noise in place of the images), exact (float64)"

// Variant is the proxy under other conditions, for ablations. Options are joined by colons:
//
//	batches=K    of the batches at hand the first K, at least 2
//	batches=A-B  of the batches at hand A to B, counted from 1
//	images=K     at most K images of a batch (Pass.Images)
//	reseed=K     weights drawn with the seed plus K (Pass.Reseed)
//	noise        uniform noise in place of the images (zico.Noise)
//	exact        in float64 (Pass.Exact)
//
// It is a proxy of its own, named and stored with its options, and shares a run with every other whose Pass is equal: scores over other batches cost their statistics only. Its value is that of a run with these settings, to the bit.
//
// Errors: an option that is unknown, malformed, given twice, or without meaning for the proxy: batches is for those that compare batches and need nothing else (ZiCo and its parts), noise for those that look at the images at hand, none for static ones.
func (p *Proxy) Variant(options string) (*Proxy, error) {
	v := *p
	var over zico.Range
	parts := map[string]string{} // by option
	for _, o := range strings.Split(options, ":") {
		key, value, _ := strings.Cut(o, "=")
		err := v.set(key, value, &over)
		if _, twice := parts[key]; twice && err == nil {
			err = errors.New("it is given twice")
		}
		if p.Static {
			err = errors.New("the proxy is static, it runs nothing")
		}
		if err != nil {
			return nil, fmt.Errorf("proxy: %s:%s: option %q: %w; %s", p.Name, options, o, err, usage)
		}
		parts[key] = o
	}
	if over.To > 0 {
		parts["batches"] = fmt.Sprintf("batches=%d-%d", over.From+1, over.To)
		if over.From == 0 {
			parts["batches"] = fmt.Sprintf("batches=%d", over.To)
		}
		v.Range, v.Score = over, func(o *zico.Observation) float64 { return p.Score(restricted(o, over)) }
	}
	var names []string
	for _, key := range []string{"batches", "images", "reseed", "noise", "exact"} {
		if o, ok := parts[key]; ok {
			names = append(names, o)
		}
	}
	v.Name = p.Name + ":" + strings.Join(names, ":")
	v.Title = p.Title + " (" + strings.Join(names, ", ") + ")"
	v.Doc = p.Doc + " With " + strings.Join(names, ", ") + "."
	return &v, nil
}

// set takes an option.
func (p *Proxy) set(key, value string, over *zico.Range) (err error) {
	number := func(s string, least int) (n int) {
		if n, err = strconv.Atoi(s); err == nil && (n < least || strconv.Itoa(n) != s) {
			err = fmt.Errorf("write a number of at least %d", least)
		}
		return n
	}
	switch key {
	case "batches":
		if p.Needs != zico.NeedRatios || p.Range != (zico.Range{}) {
			return errors.New("the proxy is not one of the comparisons of batches alone")
		}
		if from, to, ok := strings.Cut(value, "-"); ok {
			if over.From = number(from, 1) - 1; err == nil {
				over.To = number(to, over.From+2)
			}
			return err
		}
		over.To = number(value, 2)
	case "images":
		p.Pass.Images = number(value, 1)
	case "reseed":
		p.Pass.Reseed = uint64(number(value, 1))
	case "noise":
		if p.Pass.Input != zico.Images {
			return errors.New("the proxy does not look at images")
		}
		p.Pass.Input = zico.Noise
	case "exact":
		p.Pass.Exact = true
	default:
		return errors.New("there is no such option")
	}
	if value != "" && (key == "noise" || key == "exact") {
		return errors.New("it takes no value")
	}
	return err
}

// restricted is what a pass over some of the batches would have left.
func restricted(o *zico.Observation, over zico.Range) *zico.Observation {
	part := *o
	part.Losses = o.Losses[over.From:over.To]
	part.Layers = slices.Clone(o.Layers)
	for i := range part.Layers {
		part.Layers[i].Ratios = o.Layers[i].Over[over]
	}
	return &part
}
