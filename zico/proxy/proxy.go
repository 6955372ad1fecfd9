// Package proxy has the zero-shot proxies that architecture search ranks networks with: ZiCo and its parts, and those it is compared with.
//
// A proxy is a formula over what a pass leaves of a network (zico.Observation), and a statement of the pass and of what it needs of it. Evaluate runs each pass once for all proxies that share it. A new proxy is one file with one Register call; TestDocumented and the golden files keep the existing ones honest.
//
// Higher is better for every value that a proxy returns, or Lower says otherwise. A value may be NaN (the proxy has no value there) or infinite (a network that no gradient passes); package rank has rules for both.
package proxy

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico"
)

// Proxy is a zero-shot proxy.
type Proxy struct {
	// Name is the name in commands, stores and tables: lower case, without spaces.
	Name string
	// Title is the name in the tables of papers; empty means Name.
	Title string
	// Doc says in a few sentences what is computed: formula, inputs, weights, mode of the batch norm.
	Doc string
	// Source is the paper and, where numbers are to agree with a program, the program.
	Source string
	// Lower marks a proxy that is better when lower.
	Lower bool
	// Static marks a proxy of the description alone, which runs nothing: Score gets an Observation with only the Network, or Count takes its place.
	Static bool
	// Pass is how the network is run, Needs what the run has to leave.
	Pass  zico.Pass
	Needs zico.Needs
	// Range, where it is not zero, is of the batches whose zico.LayerObservation.Over Score looks at, beside NeedRatios.
	Range zico.Range
	// Score computes the value from what the pass has left.
	Score func(o *zico.Observation) float64
	// Count computes the value of a static proxy from parameters and multiply-adds, in place of Score, which Register derives from it. Where all proxies asked for have a Count and the space is a spaces.Counter, no network is built.
	Count func(c net.Counts) float64
}

var (
	mu       sync.RWMutex
	registry []*Proxy
)

// Register makes a proxy available to Find. Packages call it from init. It panics on a name that is taken and on a proxy without a name, without a Score or, if it is static, a Count, or with both, as these are mistakes in the program.
func Register(p Proxy) {
	if p.Name == "" || strings.ContainsAny(p.Name, " ,:\t\n") || p.Name != strings.ToLower(p.Name) || (p.Score == nil) == (p.Count == nil) || p.Count != nil && !p.Static {
		panic(fmt.Sprintf("proxy: %q needs a name in lower case without spaces, commas or colons, and either a Score or, if it is static, a Count", p.Name))
	}
	if p.Count != nil {
		p.Score = func(o *zico.Observation) float64 { return p.Count(net.Count(o.Network)) }
	}
	if p.Title == "" {
		p.Title = p.Name
	}
	mu.Lock()
	defer mu.Unlock()
	for _, q := range registry {
		if q.Name == p.Name {
			panic("proxy: " + p.Name + " is registered twice")
		}
	}
	registry = append(registry, &p)
	slices.SortFunc(registry, func(a, b *Proxy) int { return strings.Compare(a.Name, b.Name) })
}

// All returns the registered proxies in alphabetical order.
func All() []*Proxy {
	mu.RLock()
	defer mu.RUnlock()
	return slices.Clone(registry)
}

// Find returns the proxies of the given names in their order, each once. The name "all" stands for every registered one, "shared" for those that come with ZiCo's own pass or need none. A name may be followed by a colon and the options of a Variant, as in zico:batches=3. An unknown name is an error that lists the known ones.
func Find(names ...string) ([]*Proxy, error) {
	var found []*Proxy
	add := func(p *Proxy) {
		if !slices.ContainsFunc(found, func(q *Proxy) bool { return q.Name == p.Name }) {
			found = append(found, p)
		}
	}
	all := All()
	for _, full := range names {
		name, options, variant := strings.Cut(full, ":")
		switch full {
		case "all", "shared":
			for _, p := range all {
				if full == "all" || p.Static || p.Pass == (zico.Pass{}) {
					add(p)
				}
			}
			continue
		}
		i := slices.IndexFunc(all, func(p *Proxy) bool { return p.Name == name })
		if i < 0 {
			known := make([]string, len(all))
			for k, p := range all {
				known[k] = p.Name
			}
			return nil, fmt.Errorf("proxy: unknown proxy %q; known: all, shared, %s", name, strings.Join(known, ", "))
		}
		p := all[i]
		if variant {
			var err error
			if p, err = p.Variant(options); err != nil {
				return nil, err
			}
		}
		add(p)
	}
	return found, nil
}
