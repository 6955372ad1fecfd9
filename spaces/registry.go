package spaces

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// ErrUnknownSpace is wrapped by Open for a name that no space has registered.
var ErrUnknownSpace = errors.New("unknown search space")

// Option is an option of a space, or of something else that is named like one, a whole number.
type Option struct {
	Name              string
	Default, Min, Max int
	Doc               string // what it is, in a few words
}

// Options are options as given in a name, "C=16,N=5". A space takes the ones it knows with Int and leaves the rest, which Open reports.
type Options struct {
	values map[string]string
	known  []Option
	err    error
}

// Int takes the integer option name, or its default where it is not given. Values outside lo..hi are an error of Open. doc says in a few words what the option is, for lists of spaces.
func (o *Options) Int(name string, def, lo, hi int, doc string) int {
	o.known = append(o.known, Option{name, def, lo, hi, doc})
	s, ok := o.values[name]
	if !ok {
		return def
	}
	delete(o.values, name)
	v, err := strconv.Atoi(s)
	if (err != nil || v < lo || v > hi) && o.err == nil {
		o.err = fmt.Errorf("option %s=%s must be a whole number from %d to %d", name, s, lo, hi)
	}
	return v
}

var (
	mu       sync.RWMutex
	registry = map[string]func(*Options) Space{}
)

// Register makes a space available to Open. Space packages call it from init; a second registration of a name panics, as it is a mistake in the program.
func Register(name string, open func(*Options) Space) {
	mu.Lock()
	defer mu.Unlock()
	if _, ok := registry[name]; ok {
		panic("spaces: " + name + " is registered twice")
	}
	registry[name] = open
}

// Names lists the registered spaces in alphabetical order.
func Names() []string {
	mu.RLock()
	defer mu.RUnlock()
	return slices.Sorted(maps.Keys(registry))
}

// OptionsOf lists the options of a registered space in the order in which it takes them. An unknown name gives ErrUnknownSpace.
func OptionsOf(name string) ([]Option, error) {
	open, err := find(name)
	if err != nil {
		return nil, err
	}
	o := &Options{}
	open(o)
	return o.known, nil
}

func find(name string) (func(*Options) Space, error) {
	mu.RLock()
	defer mu.RUnlock()
	open, ok := registry[name]
	if !ok {
		return nil, fmt.Errorf("spaces: %w %q; known: %s", ErrUnknownSpace, name, strings.Join(slices.Sorted(maps.Keys(registry)), ", "))
	}
	return open, nil
}

// ParseOptions reads options as in "C=16,N=5".
func ParseOptions(list string) (*Options, error) {
	o := &Options{values: map[string]string{}}
	for part := range strings.SplitSeq(list, ",") {
		if part == "" {
			continue
		}
		k, v, found := strings.Cut(part, "=")
		if _, twice := o.values[k]; !found || twice {
			return nil, fmt.Errorf("option %q: write each option once, as NAME=VALUE", part)
		}
		o.values[k] = v
	}
	return o, nil
}

// Known are the options that Int was asked for, in their order.
func (o *Options) Known() []Option { return o.known }

// Err is what is wrong once all options are taken: a value, or an option that nobody took. owner has the options, for the message.
func (o *Options) Err(owner string) error {
	if o.err != nil || len(o.values) == 0 {
		return o.err
	}
	has := make([]string, len(o.known))
	for i, k := range o.known {
		has[i] = k.Name
	}
	return fmt.Errorf("unknown option %s; %s has %s", slices.Sorted(maps.Keys(o.values))[0], owner, cmp.Or(strings.Join(has, ", "), "none"))
}

// Open returns the space of a name with options, as in "natstss" or "natstss:C=16,N=1". Errors name the known spaces (ErrUnknownSpace) or options.
func Open(name string) (Space, error) {
	base, rest, _ := strings.Cut(name, ":")
	open, err := find(base)
	if err != nil {
		return nil, err
	}
	o, err := ParseOptions(rest)
	if err != nil {
		return nil, fmt.Errorf("spaces: %s: %w", name, err)
	}
	s := open(o)
	if err := o.Err(base); err != nil {
		return nil, fmt.Errorf("spaces: %s: %w", name, err)
	}
	return s, nil
}

// ParseError says what is wrong with an architecture string and where.
type ParseError struct {
	Space string // name of the space
	Input string // what was parsed
	Pos   int    // byte position of the problem in Input
	Want  string // what is wrong and what was expected
}

// Error prints the problem with the place marked.
func (e *ParseError) Error() string {
	const most = 200
	in := e.Input
	pos := max(0, min(e.Pos, len(in)))
	if len(in) > most {
		from := max(0, pos-most/2)
		in, pos = in[from:min(len(in), from+most)], pos-from
	}
	return fmt.Sprintf("%s: position %d of %q: %s", e.Space, e.Pos, in[:pos]+"►"+in[pos:], e.Want)
}
