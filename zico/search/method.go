package search

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Method proposes architectures and learns what became of them. It evaluates nothing itself.
//
// Run calls Propose and Learn from one goroutine. It learns every proposal, in the order of the proposals; with k evaluations in flight up to k-1 of them, and what was rejected between them, are learned late. A Method must depend on nothing but what it is told and on rng: then a run is a function of its seed and k, and a stopped one is resumed by replaying it.
type Method interface {
	// Propose names the architecture that is to be tried next, in canonical form. ok is false where the method has nothing more to propose, which ends the run.
	Propose(rng *rand.Rand) (a spaces.Arch, ok bool)
	// Learn is told what became of a proposal.
	Learn(c *Candidate)
}

// Recommender is a Method whose result is not simply the candidate with the highest score.
type Recommender interface {
	Method
	// Recommend is the candidate that the method would choose now, nil if there is none.
	Recommend() *Candidate
}

// Setup is what a Method is made for.
type Setup struct {
	Space spaces.Space
	// Initial is the architecture to begin with; empty where neither Config nor space names one.
	Initial spaces.Arch
	// Objectives is the number of Candidate.Objectives.
	Objectives int
	// Score makes one number of the objectives of a candidate, higher being better: the objective itself where there is one, else the log-rank sum (LogRank) over all candidates that have been learned, which moves as more are. It is never NaN.
	Score func(objectives []float64) float64
}

// start is Initial, or a random architecture where there is none.
func (s *Setup) start(rng *rand.Rand) spaces.Arch {
	if s.Initial != "" {
		return s.Initial
	}
	return s.Space.Sample(rng)
}

// Info describes a method that can be named.
type Info struct {
	Name   string
	Doc    string // what it does, in a few sentences
	Source string // the paper, and the program where it follows one
	// Fits says why the method cannot search a space; nil where it can. A method without Fits can search every one.
	Fits func(s spaces.Space) error
	// New makes the method. It takes its options with Options.Int; those that it does not take are an error of the caller.
	New func(s Setup, o *Options) (Method, error)
}

// Options are the options of a method as given in its name, "aging:population=64,sample=16"; New takes them with Int.
type Options = spaces.Options

// Option is an option of a method.
type Option = spaces.Option

var (
	mu      sync.RWMutex
	methods = map[string]Info{}
)

// Register makes a method available by its name. Packages call it from init; a second registration of a name panics, as it is a mistake in the program.
func Register(m Info) {
	mu.Lock()
	defer mu.Unlock()
	if _, ok := methods[m.Name]; ok || m.Name == "" || m.New == nil {
		panic("search: method " + m.Name + " is registered twice, or without name or New")
	}
	methods[m.Name] = m
}

// Methods lists the registered methods in alphabetical order.
func Methods() []Info {
	mu.RLock()
	defer mu.RUnlock()
	return slices.SortedFunc(maps.Values(methods), func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
}

// OptionsOf lists the options of a method, by name.
func OptionsOf(name string) ([]Option, error) {
	_, o, err := newMethod(name, Setup{Objectives: 2, Score: func([]float64) float64 { return 0 }})
	if err != nil {
		return nil, err
	}
	return o.Known(), nil
}

// ErrUnknownMethod is wrapped for a name that no method has registered.
var ErrUnknownMethod = errors.New("unknown search method")

// newMethod makes a method of a name with options, as in "aging:population=64".
func newMethod(name string, s Setup) (Method, *Options, error) {
	base, rest, _ := strings.Cut(name, ":")
	mu.RLock()
	info, ok := methods[base]
	known := slices.Sorted(maps.Keys(methods))
	mu.RUnlock()
	if !ok {
		return nil, nil, fmt.Errorf("search: %w %q; known: %s", ErrUnknownMethod, base, strings.Join(known, ", "))
	}
	if info.Fits != nil && s.Space != nil {
		if err := info.Fits(s.Space); err != nil {
			return nil, nil, fmt.Errorf("search: %s: %w", name, err)
		}
	}
	o, err := spaces.ParseOptions(rest)
	if err != nil {
		return nil, nil, fmt.Errorf("search: %s: %w", name, err)
	}
	m, err := info.New(s, o)
	if err = errors.Join(o.Err(base), err); err != nil {
		return nil, nil, fmt.Errorf("search: %s: %w", name, err)
	}
	return m, o, nil
}
