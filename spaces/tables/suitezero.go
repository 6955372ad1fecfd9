package tables

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxColumns is more than any file has.
const maxColumns = 1000

// suiteSource is where the scores of proxies come from.
const suiteSource = "NAS-Bench-Suite-Zero (Krishnakumar et al., NeurIPS 2022), Apache-2.0 licence"

// suiteNames are the names that the first files of the suite have around their datasets, with the spaces.
var suiteNames = map[string]string{
	"nasbench101":         "nasbench101",
	"nasbench201":         "natstss",
	"nasbench301":         "darts",
	"transbench101_micro": "transnas",
	"transbench101_macro": "transnas:macro=1",
}

// suite collects what a file of NAS-Bench-Suite-Zero says.
type suite struct {
	in    *input
	j     *jsonReader
	space string
	b     *builder
	seen  map[suiteKey]bool
}

type suiteKey struct {
	dataset string
	row     int
}

// json reads a file of NAS-Bench-Suite-Zero: {dataset: {architecture: {proxy: {"score": number, "time": number}, "val_accuracy": number, ...}}}, or as the first files were, {"nasbench201": {dataset: {architecture: {proxy: number, "val_accuracy": number}}}}. Architectures are written as tuples of NASLib.
func (in *input) json() (*Table, error) {
	s := &suite{in: in, j: newJSONReader(in.r), seen: map[suiteKey]bool{}}
	err := s.j.object("the datasets", func(name string) error {
		space, outer := suiteNames[name]
		if !outer {
			return s.dataset(name)
		}
		if s.b != nil && s.space != space {
			return s.j.fail("architectures of %s behind those of %s: extract one of them first", space, s.space)
		}
		s.space = space
		return s.j.object("the datasets of "+name, s.dataset)
	})
	if err == nil {
		err = s.j.end()
	}
	if err != nil {
		return nil, err
	}
	if s.b == nil {
		return nil, bad("", "the file has no architectures; expected {dataset: {architecture: {...}}} as in zc_nasbench201.json")
	}
	t := s.b.table(in.source(suiteSource))
	if t.Len() == 0 {
		return nil, bad("", "no architecture has a value; expected {dataset: {architecture: {\"val_accuracy\": number, ...}}} as in zc_nasbench201.json")
	}
	return t, nil
}

// dataset reads the architectures of a dataset.
func (s *suite) dataset(name string) error {
	rows := 0
	err := s.j.object("the architectures of "+name, func(key string) error {
		rows++
		where := fmt.Sprintf("byte %d, dataset %s, architecture %.200s", s.j.r.offset, name, key)
		if s.b == nil {
			if s.space == "" || s.in.o.Space != "" {
				space, err := s.in.suiteSpace(name, key)
				if err != nil {
					return bad(where, "%v", err)
				}
				if s.space != "" {
					if err := same(space, s.space); err != nil {
						return err
					}
				}
				s.space = space
			}
			var err error
			if s.b, err = s.in.builder(s.space); err != nil {
				return err
			}
		}
		arch, err := fromNASLib(s.space, key)
		if err != nil {
			return bad(where, "%v", err)
		}
		row, _, err := s.b.arch(arch)
		if err != nil {
			return bad(where, "%v; if the file is of another space than %s, give Options.Space", err, s.space)
		}
		k := suiteKey{name, row}
		if s.seen[k] {
			return bad(where, "it has two records")
		}
		s.seen[k] = true
		return s.record(row, name)
	})
	if err == nil && rows == 0 {
		err = s.j.fail("the dataset %q has no architectures", name)
	}
	return err
}

// record reads what the file says of an architecture.
func (s *suite) record(row int, dataset string) error {
	j, b := s.j, s.b
	return j.object("what is known of an architecture", func(field string) error {
		c, err := j.next()
		if err != nil {
			return err
		}
		value := math.NaN()
		switch {
		case c == '{':
			err = j.object("", func(member string) error {
				c, err := j.next()
				if err != nil || member != "score" || c == '{' || c == '[' || c == '"' {
					if err == nil {
						err = j.skip(0)
					}
					return err
				}
				value, err = j.word()
				return err
			})
		case c == '[' || c == '"':
			err = j.skip(0)
		default:
			value, err = j.word()
		}
		if err != nil || math.IsNaN(value) || field == "id" {
			return err
		}
		if len(b.t.columns) == maxColumns {
			return j.fail("more than %d columns", maxColumns)
		}
		b.set(row, b.column(suiteColumn(dataset, field)), value)
		return nil
	})
}

// suiteColumn is the column of a field.
func suiteColumn(dataset, field string) Column {
	c := Column{Dataset: dataset, Metric: field, Doc: "score of the proxy " + field + " of NAS-Bench-Suite-Zero"}
	if field == "val_accuracy" {
		c.Doc = "validation accuracy, or the task's main metric, as NASLib gives it"
		c.Unit = "%"
		for _, task := range transnasTasks {
			if task.name == dataset {
				c.Unit = task.unit
			}
		}
	}
	return c
}

// suiteSpace finds the space of a file: what was asked for, or by the name of the file, or by the first dataset and architecture.
func (in *input) suiteSpace(dataset, key string) (string, error) {
	file := strings.ToLower(in.name())
	digits, _ := ints(key)
	isTask := slices.ContainsFunc(transnasTasks, func(t transnasTask) bool { return t.name == dataset })
	switch {
	case in.o.Space != "":
		return in.o.Space, nil
	case strings.Contains(file, "macro"):
		return "transnas:macro=1", nil
	case strings.Contains(file, "micro"):
		return "transnas", nil
	case strings.Contains(file, "101"):
		return "nasbench101", nil
	case strings.Contains(file, "201"):
		return "natstss", nil
	case strings.Contains(file, "301"), strings.Count(key, "(") > 2:
		return "darts", nil
	case isTask && len(digits) == 6:
		return "transnas", nil
	case isTask:
		return "transnas:macro=1", nil
	case len(digits) == 6 && (dataset == cifar10 || dataset == cifar100 || dataset == imageNet):
		return "natstss", nil
	case len(digits) >= 12:
		return "nasbench101", nil
	}
	return "", fmt.Errorf("neither the name of the file nor its first architecture tells the space; give Options.Space")
}

// ints reads "(4, 0, 3)".
func ints(tuple string) ([]int, error) {
	inner := strings.Trim(tuple, "()[] ")
	var all []int
	for word := range strings.SplitSeq(inner, ",") {
		if word = strings.TrimSpace(word); word == "" && len(all) > 0 {
			continue // the comma behind a single item
		}
		v, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("%.100q is no tuple of whole numbers, as NASLib writes architectures", tuple)
		}
		all = append(all, v)
	}
	return all, nil
}

// fromNASLib translates a tuple of NASLib to a form that the space parses. What is not a tuple stays.
func fromNASLib(space, key string) (string, error) {
	if !strings.HasPrefix(key, "(") && !strings.HasPrefix(key, "[") {
		return key, nil
	}
	base, options, _ := strings.Cut(space, ":")
	if base == "darts" {
		return fromDARTS(key)
	}
	v, err := ints(key)
	if err != nil {
		return "", err
	}
	within := func(lo, hi int) error {
		for i, x := range v {
			if x < lo || x > hi {
				return fmt.Errorf("number %d of the tuple is %d, expected %d to %d", i+1, x, lo, hi)
			}
		}
		return nil
	}
	switch {
	case base == "natstss":
		if len(v) != 6 {
			return "", fmt.Errorf("a tuple of %d numbers, expected 6", len(v))
		}
		// Both the numbers of the operations and the order of the edges are others than NAS-Bench-201's: edges 0>1, 0>2, 0>3, 1>2, 1>3, 2>3.
		ops := [...]string{"skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"}
		if err := within(0, len(ops)-1); err != nil {
			return "", err
		}
		return fmt.Sprintf("|%s~0|+|%s~0|%s~1|+|%s~0|%s~1|%s~2|", ops[v[0]], ops[v[1]], ops[v[3]], ops[v[2]], ops[v[4]], ops[v[5]]), nil
	case base == "transnas" && strings.Contains(options, "macro=1"):
		// Files for predictors pad the tuple with zeros.
		for len(v) > 4 && v[len(v)-1] == 0 {
			v = v[:len(v)-1]
		}
		if err := within(1, 4); err != nil {
			return "", err
		}
		text := "64-"
		for _, x := range v {
			text += strconv.Itoa(x)
		}
		return text + "-basic", nil
	case base == "transnas":
		if len(v) != 6 {
			return "", fmt.Errorf("a tuple of %d numbers, expected 6", len(v))
		}
		if err := within(0, 3); err != nil {
			return "", err
		}
		return fmt.Sprintf("64-41414-%d_%d%d_%d%d%d", v[0], v[1], v[2], v[3], v[4], v[5]), nil
	case base == "nasbench101":
		return fromMatrix(v)
	}
	return "", fmt.Errorf("tuples of the space %s are not known", space)
}

// fromMatrix translates the rows of an adjacency matrix of n vertices and their n operations.
func fromMatrix(v []int) (string, error) {
	n := int(math.Sqrt(float64(len(v))))
	if len(v) != n*n+n || n < 2 {
		return "", fmt.Errorf("a tuple of %d numbers, expected n*n of a matrix and n of operations", len(v))
	}
	names := [...]string{"input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu"}
	var b strings.Builder
	b.WriteString(`{"matrix": [`)
	for i, x := range v[:n*n] {
		switch {
		case x != 0 && x != 1:
			return "", fmt.Errorf("number %d of the tuple is %d, expected 0 or 1 for an edge", i+1, x)
		case i > 0 && i%n == 0:
			b.WriteString("], [")
		case i > 0:
			b.WriteString(", ")
		default:
			b.WriteString("[")
		}
		b.WriteString(strconv.Itoa(x))
	}
	b.WriteString(`]], "ops": [`)
	for i, x := range v[n*n:] {
		if x < 0 || x >= len(names) {
			return "", fmt.Errorf("number %d of the tuple is %d, expected an operation, 0 to %d", n*n+i+1, x, len(names)-1)
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(names[x]))
	}
	b.WriteString("]}")
	return b.String(), nil
}

// fromDARTS translates two tuples of eight pairs of state and operation, those of the normal and of the reduction cell.
func fromDARTS(key string) (string, error) {
	flat := strings.NewReplacer("(", " ", ")", " ", "[", " ", "]", " ", ",", " ").Replace(key)
	words := strings.Fields(flat)
	if len(words) != 32 {
		return "", fmt.Errorf("a tuple of %d numbers, expected two cells of eight pairs of state and operation", len(words))
	}
	names := [...]string{"max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"}
	var cells [2]string
	for i := 0; i < len(words); i += 2 {
		state, err1 := strconv.Atoi(words[i])
		op, err2 := strconv.Atoi(words[i+1])
		if err1 != nil || err2 != nil || op < 0 || op >= len(names) {
			return "", fmt.Errorf("the pair (%s, %s), expected a state and an operation, 0 to %d", words[i], words[i+1], len(names)-1)
		}
		c := &cells[i/16]
		if *c != "" {
			*c += ", "
		}
		*c += fmt.Sprintf("('%s', %d)", names[op], state)
	}
	return fmt.Sprintf("Genotype(normal=[%s], normal_concat=range(2, 6), reduce=[%s], reduce_concat=range(2, 6))", cells[0], cells[1]), nil
}
