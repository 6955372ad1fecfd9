package masternet

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Limits of structures, far beyond what can be run. They keep a short string from standing for a network that fills the memory, and mutations keep to them.
const (
	maxNumber = 1 << 16 // channels, stride
	maxLayers = 1 << 10 // of all blocks together
)

// blockNames is the list of super blocks for messages.
const blockNames = "SuperConvK{1,3,5,7}BNRELU, SuperResIDWE{1,2,4,6}K{3,5,7}, SuperResK1K{3,5,7}K1, SuperResK{3,5,7}K{3,5,7} (equal)"

// Parse reads a structure: super blocks one after the other, NAME(in,out,stride,layers) for SuperConv and NAME(in,out,stride,bottleneck,layers) for SuperRes, all whole numbers from 1. A block's in must be the out of the block before it, the first one's 3. As in the reference, "label|" may stand after a parenthesis and is dropped; so is white space around the whole. The name of a known structure (Known) stands for it.
func (s Space) Parse(str string) (spaces.Arch, error) {
	for _, k := range known {
		if strings.TrimSpace(str) == k.Name {
			return k.Arch, nil
		}
	}
	chain, err := s.parse(str)
	if err != nil {
		return "", err
	}
	return arch(chain), nil
}

// chain reads a canonical architecture.
func (s Space) chain(a spaces.Arch) ([]block, error) {
	chain, err := s.parse(string(a))
	if err != nil {
		return nil, err
	}
	if want := arch(chain); want != a {
		// The position is where the two part.
		pos := 0
		for pos < min(len(a), len(want)) && a[pos] == want[pos] {
			pos++
		}
		err := spaces.NotCanonical(s.Name(), a, want)
		err.Pos = pos
		return nil, err
	}
	return chain, nil
}

func (s Space) parse(str string) ([]block, error) {
	fail := func(pos int, format string, args ...any) ([]block, error) {
		return nil, &spaces.ParseError{Space: s.Name(), Input: str, Pos: pos, Want: fmt.Sprintf(format, args...)}
	}
	end := len(strings.TrimRight(str, " \t\r\n"))
	pos := end - len(strings.TrimLeft(str[:end], " \t\r\n"))
	if pos == end {
		return fail(pos, "expected super blocks (%s) or the name of a structure (%s)", blockNames, knownNames())
	}
	var chain []block
	layers, channels := 0, 3
	for pos < end {
		name, _, found := strings.Cut(str[pos:end], "(")
		k, ok := kinds[name]
		switch {
		case !ok && !found && len(chain) == 0:
			return fail(pos, "expected a super block (%s) and its numbers in parentheses, or the name of a structure (%s)", blockNames, knownNames())
		case !ok:
			return fail(pos, "expected a super block (%s)", blockNames)
		case !found:
			return fail(end, "expected ( and the numbers %s", strings.Join(k.arguments(), ","))
		}
		pos += len(name) + 1
		if i := strings.IndexAny(str[pos:end], "|(),"); i >= 0 && str[pos+i] == '|' {
			pos += i + 1
		}
		b := block{kind: k}
		numbers, words := b.numbers(), k.arguments()
		for i, v := range numbers {
			digits := pos
			for digits < end && str[digits] >= '0' && str[digits] <= '9' {
				digits++
			}
			most := maxNumber
			if words[i] == "layers" {
				most = maxLayers - layers
			}
			n, err := strconv.Atoi(str[pos:digits])
			switch {
			case digits == pos:
				return fail(pos, "expected a whole number, %s of %s(%s)", words[i], name, strings.Join(words, ","))
			case err != nil || n > most && words[i] != "layers":
				return fail(pos, "%s must be at most %d", words[i], most)
			case n > most:
				return fail(pos, "the layers of all blocks together must be at most %d", maxLayers)
			case n < 1:
				return fail(pos, "%s must be at least 1", words[i])
			case words[i] == "in" && n != channels && len(chain) == 0:
				return fail(pos, "the first block sees images: in must be 3, not %d", n)
			case words[i] == "in" && n != channels:
				return fail(pos, "in is %d, but the block before gives %d channels", n, channels)
			}
			*v = n
			pos = digits
			mark := ","
			if i == len(numbers)-1 {
				mark = ")"
			}
			if !strings.HasPrefix(str[pos:end], mark) {
				return fail(pos, "expected %q: the numbers are %s(%s)", mark, name, strings.Join(words, ","))
			}
			pos++
		}
		channels = b.out
		layers += b.layers
		chain = append(chain, b)
	}
	return chain, nil
}
