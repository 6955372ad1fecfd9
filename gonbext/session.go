package gonbext

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/correlate"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/journal"
	"github.com/zeroshotnas/zeroshot/zico/search"
)

// Session is a folder in which later cells, and later days, find what cells have computed: every cell is a process of its own, which begins with nothing.
//
//	results.jsonl    what Score, Compare, Seeds and Explore have scored
//	proxies.jsonl    the store of Correlate
//	runs/*.jsonl     the logs of Search
//	batches/*.gob    batches of images that were read from files or folders
//
// Name one in Options.Session or SearchOptions.Session: what is there is not computed again. The folder can be copied, kept with a paper and deleted; several cells and kernels may use it at once.
type Session struct {
	Name string
	Dir  string // the folder
}

// OpenSession finds the session of a name, or makes it: the folder of that name in $ZEROSHOT_SESSIONS or, where that is not set, in the folder "sessions" beside the notebook. A name is one element of a path.
func OpenSession(name string) (*Session, error) {
	s, err := sessionNamed(name)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("session %s: %w; $ZEROSHOT_SESSIONS can name another folder for sessions", name, err)
	}
	return s, nil
}

func sessionNamed(name string) (*Session, error) {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\:`) {
		return nil, fmt.Errorf("%q is no name of a session: it is the name of a folder, without / and not beginning with a dot", name)
	}
	parent := os.Getenv("ZEROSHOT_SESSIONS")
	if parent == "" {
		parent = "sessions"
	}
	return &Session{Name: name, Dir: filepath.Join(parent, name)}, nil
}

func (s *Session) results() string { return filepath.Join(s.Dir, "results.jsonl") }
func (s *Session) proxies() string { return filepath.Join(s.Dir, "proxies.jsonl") }

// resultKey is what a result depends on.
type resultKey struct {
	correlate.Key
	Arch      string         `json:"arch"` // canonical
	Statistic zico.Statistic `json:"statistic"`
}

// keptResult is a line of results.jsonl.
type keptResult struct {
	resultKey
	Result *zico.Result `json:"result"`
}

// resultHeader is the first line of results.jsonl.
const resultHeader = `{"format":"zeroshot-results","version":1}`

// ledger is the open file of results.
type ledger struct {
	file *journal.Journal
	have map[resultKey]*zico.Result
	// order has the keys as they came.
	order []resultKey
}

func (s *Session) ledger() (*ledger, error) {
	file, err := journal.Open(s.results(), journal.Options{Header: []byte(resultHeader), Whole: json.Valid})
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", s.Name, err)
	}
	l := &ledger{file: file, have: map[resultKey]*zico.Result{}}
	if err := l.read(); err != nil {
		file.Close()
		return nil, fmt.Errorf("session %s: %w", s.Name, err)
	}
	return l, nil
}

// read takes in what was put, here or by other cells, since it was last called.
func (l *ledger) read() error {
	for line, err := range l.file.Lines() {
		if err != nil {
			return err
		}
		var k keptResult
		// A line that is damaged costs its result, which is computed anew.
		if json.Unmarshal(line.Text, &k) != nil || k.Result == nil {
			continue
		}
		if _, ok := l.have[k.resultKey]; !ok {
			l.order = append(l.order, k.resultKey)
		}
		l.have[k.resultKey] = k.Result
	}
	return nil
}

// put keeps a result. One with numbers that are not finite, which JSON would lose, is not kept.
func (l *ledger) put(k resultKey, r *zico.Result) error {
	whole := finite(r.Score)
	for _, v := range r.Losses {
		whole = whole && finite(v)
	}
	for _, y := range r.Layers {
		whole = whole && finite(y.Sum) && finite(y.Log) && finite(y.Clipped) && !slices.ContainsFunc(y.GradL2, func(v float64) bool { return !finite(v) })
	}
	if !whole {
		return nil
	}
	line, err := json.Marshal(keptResult{k, r})
	if err != nil {
		return err
	}
	return l.file.Append(line)
}

// Results are what Score, Compare, Seeds and Explore have scored in the session, each once, in the order in which they came. A new session has none.
func (s *Session) Results() ([]*zico.Result, error) {
	l, err := s.ledger()
	if err != nil {
		return nil, err
	}
	defer l.file.Close()
	var out []*zico.Result
	for _, k := range l.order {
		out = append(out, l.have[k])
	}
	return out, nil
}

// Runs are the logs of the session's searches, for ShowSearch and ShowSearches, sorted by name.
func (s *Session) Runs() ([]NamedLog, error) {
	files, err := filepath.Glob(filepath.Join(s.Dir, "runs", "*.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", s.Name, err)
	}
	var out []NamedLog
	for _, f := range files {
		out = append(out, NamedLog{Name: strings.TrimSuffix(filepath.Base(f), ".jsonl"), Path: f})
	}
	return out, nil
}

// log is the file of a search: its name is the method's and a hash of all that the run depends on, so that the same cell finds it again and another does not.
func (s *Session) log(o SearchOptions) (string, error) {
	limits := o.Limits
	o.Limits = nil
	// Where it is kept, what computes it, how far it goes and what is shown make no other run.
	o.Session, o.Log, o.Device = "", "", ""
	o.Iterations, o.Evaluations, o.Time, o.Top, o.Quiet = 0, 0, 0, 0, false
	text := fmt.Sprintf("%+v", o)
	for _, l := range limits {
		text += fmt.Sprintf(" %s %v", l.Name, l.Max)
	}
	sum := sha256.Sum256([]byte(text))
	dir := filepath.Join(s.Dir, "runs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("session %s: %w", s.Name, err)
	}
	method := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|, `, r) {
			return '-'
		}
		return r
	}, o.Method)
	return filepath.Join(dir, fmt.Sprintf("%.60s-%s.jsonl", method, hex.EncodeToString(sum[:4]))), nil
}

// keptBatches is a file of batches.
type keptBatches struct {
	Hash    string // images.Hash
	Batches []images.Batch
}

// lent are the batches that the process had from a session last: a cell that asks for them again, as a loop of Score does, need not wait until they are read and hashed.
var lent struct {
	sync.Mutex
	asked string
	keptBatches
}

// batches makes the batches that are asked for, or finds them where an earlier cell has made them: reading an archive or the pictures of a folder takes seconds. They are known by the path, the size and the time of the file or folder and by the options, so a change inside a folder's own folders is not seen. Images that the program makes or carries are made anew in every process.
func (s *Session) batches(ctx context.Context, spec string, o images.Options) (keptBatches, error) {
	asked, file := fmt.Sprintf("%s %+v", spec, o), ""
	if info, err := os.Stat(spec); err == nil {
		path, err := filepath.Abs(spec)
		if err != nil {
			return keptBatches{}, err
		}
		asked = fmt.Sprintf("%s %d %s %+v", path, info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano), o)
		sum := sha256.Sum256([]byte(asked))
		file = filepath.Join(s.Dir, "batches", hex.EncodeToString(sum[:8])+".gob")
	}
	asked = s.Dir + " " + asked
	lent.Lock()
	defer lent.Unlock()
	if lent.asked == asked {
		return lent.keptBatches, nil
	}
	lent.asked, lent.keptBatches = "", keptBatches{} // makes room
	k, err := s.readBatches(ctx, spec, o, file)
	if err == nil {
		lent.asked, lent.keptBatches = asked, k
	}
	return k, err
}

// readBatches finds batches in a file or, where that does not have them whole, makes them and the file. Without a file it only makes them.
func (s *Session) readBatches(ctx context.Context, spec string, o images.Options, file string) (k keptBatches, err error) {
	if text, err := os.ReadFile(file); err == nil && gob.NewDecoder(bytes.NewReader(text)).Decode(&k) == nil && images.Hash(k.Batches) == k.Hash {
		return k, nil
	}
	if k.Batches, err = readBatches(ctx, spec, o); err != nil {
		return k, err
	}
	k.Hash = images.Hash(k.Batches)
	if file != "" {
		if err := keep(file, k); err != nil {
			return k, fmt.Errorf("session %s: the batches cannot be kept: %w", s.Name, err)
		}
	}
	return k, nil
}

// keep writes a value to a file that is there whole or not at all.
func keep(file string, v any) error {
	var text bytes.Buffer
	if err := gob.NewEncoder(&text).Encode(v); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return replaceFile(file, text.Bytes())
}

// replaceFile writes a file that is there whole or, where that fails, as it was.
func replaceFile(file string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

// ShowSession shows what a session holds: the scores, the runs of searches with their best, and how much there is of the rest. A session that does not exist is an error.
func ShowSession(name string) error {
	return report(showSession(name), Options{})
}

func showSession(name string) error {
	s, err := sessionNamed(name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(s.Dir); err != nil {
		return fmt.Errorf("session %s: %w; OpenSession, or a cell that names it in its options, makes it", name, err)
	}
	l, err := s.ledger()
	if err != nil {
		return err
	}
	defer l.file.Close()
	scores := &table{
		caption: fmt.Sprintf("Session %s: %d scores", name, len(l.order)),
		head:    []string{"ZiCo", "parameters", "multiply-adds", "batches", "pixels", "seed", "numbers", "space", "network"},
		right:   []bool{true, true, true, true, true, true, false, false, false},
	}
	for _, k := range l.order {
		r := l.have[k]
		scores.rows = append(scores.rows, []string{score(r.Score), fmt.Sprint(r.Params), millions(r.MACs), fmt.Sprintf("%d x %d", k.Batches, k.Batch), fmt.Sprint(k.Size), fmt.Sprint(k.Seed), k.DType, k.Space, k.Arch})
	}
	scores.show()
	runs, err := s.Runs()
	if err != nil {
		return err
	}
	if len(runs) > 0 {
		t := &table{
			caption: fmt.Sprintf("Session %s: %d searches", name, len(runs)),
			head:    []string{"log", "space", "evaluations", "best", "architecture"},
			right:   []bool{false, false, true, true, false},
		}
		for _, run := range runs {
			h, err := search.ReadLog(run.Path)
			if err != nil {
				note(err.Error())
				continue
			}
			st := h.State()
			row := []string{filepath.Base(run.Path), h.Header.Space, fmt.Sprint(st.Evaluations), "-", "-"}
			if best := st.Best(); best != nil {
				m := loggedPage(&h.Header).score(st)
				row[3], row[4] = short(m.of(best)), string(best.Arch)
			}
			t.rows = append(t.rows, row)
		}
		t.show()
	}
	kept, err := filepath.Glob(filepath.Join(s.Dir, "batches", "*.gob"))
	if err != nil {
		return err
	}
	entries, err := countLines(s.proxies())
	if err != nil {
		return err
	}
	note(fmt.Sprintf("Session %s also has %d entries of proxies and %d sets of batches; its folder is %s", name, max(entries-1, 0), len(kept), s.Dir))
	return nil
}

// countLines counts the lines of a file; one that is not there has none.
func countLines(file string) (int, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return bytes.Count(text, []byte("\n")), err
}

// kept are the results that a session has on some batches. Without a session there are none.
type kept struct {
	ledger *ledger
	key    resultKey // what all have in common
}

// kept opens what the session has on batches.
func (o Options) kept(data keptBatches) (*kept, error) {
	if o.Session == "" {
		return &kept{}, nil
	}
	s, err := OpenSession(o.Session)
	if err != nil {
		return nil, err
	}
	if err := images.Alike(data.Batches); err != nil {
		return nil, err
	}
	first := &data.Batches[0]
	k := &kept{key: resultKey{
		Key:       correlate.Key{Size: first.H, Classes: first.Classes, Images: data.Hash, Batch: first.N, Batches: len(data.Batches), DType: cmp.Or(o.DType, "float32"), Scoring: correlate.Version},
		Statistic: o.Statistic,
	}}
	k.ledger, err = s.ledger()
	return k, err
}

// of is the key of a request's result. It fails where the request names no architecture.
func (k *kept) of(r zico.Request) (resultKey, error) {
	space, arch, _, err := r.Resolve()
	if err != nil {
		return resultKey{}, err
	}
	key := k.key
	key.Space, key.Arch, key.Seed = space.Name(), string(arch), r.Seed
	return key, nil
}

// find is the result of a request, nil where there is none.
func (k *kept) find(r zico.Request) *zico.Result {
	if k.ledger == nil {
		return nil
	}
	key, err := k.of(r)
	if err != nil {
		return nil // who scores it says so
	}
	return k.ledger.have[key]
}

func (k *kept) put(r zico.Request, res *zico.Result) error {
	if k.ledger == nil {
		return nil
	}
	key, err := k.of(r)
	if err != nil {
		return err
	}
	return k.ledger.put(key, res)
}

// read takes in what other cells have put.
func (k *kept) read() error {
	if k.ledger == nil {
		return nil
	}
	return k.ledger.read()
}

func (k *kept) close() {
	if k.ledger != nil {
		k.ledger.file.Close()
	}
}

// from counts the steps that a session has done already.
func (p *progress) from(session string, n int) {
	if n > 0 {
		p.what += fmt.Sprintf(" (%d from session %s)", n, session)
		p.done, p.found = n, n
	}
}
