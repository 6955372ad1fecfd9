package gonbext

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/zeroshotnas/zeroshot/gonbext/render"
	"github.com/zeroshotnas/zeroshot/gonbext/svg"
	"github.com/zeroshotnas/zeroshot/zico/buildinfo"
)

// item is something that was shown: a chart, a drawing, a table or, with text only, a note.
type item struct {
	chart   svg.Chart
	drawing string
	table   *table
	text    string
}

// mostItems bounds what is kept for Save. Items refer to what was shown and draw it again, so they take little memory of their own.
const mostItems = 256

// record is what was shown since the last Save.
type record struct {
	mu      sync.Mutex
	items   []item
	dropped int
	silent  int
}

var shown record

// note tells whether the item is a text alone.
func (it item) note() bool { return it.chart == nil && it.drawing == "" && it.table == nil }

// keep adds an item; a note that is there already is enough.
func (r *record) keep(it item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if it.note() && slices.ContainsFunc(r.items, func(old item) bool { return old.note() && old.text == it.text }) {
		return
	}
	if len(r.items) == mostItems {
		r.items = slices.Delete(r.items, 0, 1)
		r.dropped++
	}
	r.items = append(r.items, it)
}

// certify keeps the certificate of a report for Save, which the page need not show again. What follows "at most" tells how it was evaluated: one certificate of a sample is enough.
func (r *record) certify(text string) {
	sample, _, _ := strings.Cut(text, "; at most")
	r.mu.Lock()
	known := slices.ContainsFunc(r.items, func(it item) bool { return strings.HasPrefix(it.text, sample) })
	r.mu.Unlock()
	if !known {
		r.keep(item{text: text})
	}
}

func (r *record) muted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.silent > 0
}

// mute keeps what is shown from being printed, until the function that it returns is called.
func mute() (unmute func()) {
	add := func(n int) {
		shown.mu.Lock()
		defer shown.mu.Unlock()
		shown.silent += n
	}
	add(1)
	return func() { add(-1) }
}

// savedFile is a file as name.json lists it.
type savedFile struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`

	data []byte
}

// savedItem says what was shown.
type savedItem struct {
	Kind    string   `json:"kind"` // picture, table or note
	Title   string   `json:"title,omitempty"`
	Text    string   `json:"text,omitempty"`
	Missing string   `json:"missing_letters,omitempty"` // of the picture's, in PNG and PDF
	Files   []string `json:"files,omitempty"`
}

// saved is the file name.json.
type saved struct {
	Name     string            `json:"name"`
	Shown    []savedItem       `json:"shown"`             // in order
	Dropped  int               `json:"dropped,omitempty"` // earlier items that were not kept
	Versions map[string]string `json:"versions"`
	Files    []savedFile       `json:"files"`
}

// pngScale is that of saved PNG files: 288 dots an inch.
const pngScale = 3

// Save writes what this cell, or program, has shown since the last Save into the folder $ZEROSHOT_FIGURES or, where that is not set, into "figures" beside the notebook, and returns the paths of the files:
//
//	name.svg .png .pdf   the picture, in the theme light whatever was shown: for papers
//	name.csv             the data that it draws, see svg.Chart; drawings of networks have none
//	name-table.csv .md   the table, as shown; columns of times are left out
//	name.json            titles, captions, notes and certificates in the order in which they were shown, versions, and the SHA-256 of each file
//	index.md             all that was saved in the folder, as a page
//
// Several pictures are name-1, name-2 and so on in the order in which they were shown, several tables name-table-1, name-table-2. Files of an earlier Save of that name are replaced; those that it has no longer are removed, if they are as they were written.
//
// The files hold no dates, times of runs or paths of the machine, so that the same scores with the same versions give the same bytes, but for what Search says of its speed.
//
// Save fails where nothing was shown, where the name is none of a file, and where files cannot be written; then no file was changed, unless the disk failed between the renames, and what was shown is kept for the next Save.
func Save(name string) ([]string, error) {
	files, err := save(name)
	if err != nil {
		return nil, report(fmt.Errorf("Save(%q): %w", name, err), Options{})
	}
	line := "saved in " + filepath.Dir(files[0]) + ":"
	for _, f := range files {
		line += " " + filepath.Base(f)
	}
	show(protocol.MIMETextHTML, `<div>`+html.EscapeString(line)+`</div>`, line+"\n")
	return files, nil
}

var nameOfFile = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func save(name string) ([]string, error) {
	if !nameOfFile.MatchString(name) {
		return nil, errors.New("want a name for files, of letters, digits, dots, dashes and underscores, beginning with a letter or digit")
	}
	shown.mu.Lock()
	defer shown.mu.Unlock()
	if len(shown.items) == 0 {
		return nil, errors.New("nothing was shown since the last Save; call it in the same cell, behind Score, ShowScatter or another function that shows something, without Quiet")
	}
	s, err := compose(name, shown.items)
	if err != nil {
		return nil, err
	}
	s.Dropped = shown.dropped
	files, err := s.write(cmp.Or(os.Getenv("ZEROSHOT_FIGURES"), "figures"))
	if err != nil {
		return nil, err
	}
	shown.items, shown.dropped = nil, 0
	return files, nil
}

// compose makes the contents of all files but name.json.
func compose(name string, items []item) (*saved, error) {
	s := &saved{Name: name, Versions: versions()}
	pictures, tables := 0, 0
	for _, it := range items {
		switch {
		case it.table != nil:
			tables++
		case it.chart != nil || it.drawing != "":
			pictures++
		}
	}
	numbered := func(base string, n *int, of int) string {
		if *n++; of == 1 {
			return base
		}
		return fmt.Sprintf("%s-%d", base, *n)
	}
	private := privacy()
	picture, table := 0, 0
	for _, it := range items {
		var out savedItem
		add := func(file string, data []byte) {
			sum := sha256.Sum256(data)
			s.Files = append(s.Files, savedFile{Name: file, SHA256: hex.EncodeToString(sum[:]), data: data})
			out.Files = append(out.Files, file)
		}
		switch {
		case it.table != nil:
			base := numbered(name+"-table", &table, tables)
			t := it.table.repeatable()
			out.Kind, out.Text = "table", private.Replace(t.caption)
			t.caption = out.Text
			data, err := toCSV(t.head, t.rows)
			if err != nil {
				return nil, err
			}
			add(base+".csv", data)
			add(base+".md", []byte(t.Markdown()))
		case it.chart != nil || it.drawing != "":
			base := numbered(name, &picture, pictures)
			text := it.drawing
			if it.chart != nil {
				text = it.chart.SVG()
			}
			p, err := render.Parse(text)
			if err != nil {
				return nil, err
			}
			out = savedItem{Kind: "picture", Title: p.Title, Text: private.Replace(it.text), Missing: p.Missing}
			var png, pdf bytes.Buffer
			if err := errors.Join(p.PNG(&png, pngScale), p.PDF(&pdf)); err != nil {
				return nil, err
			}
			add(base+".svg", []byte(text))
			add(base+".png", png.Bytes())
			add(base+".pdf", pdf.Bytes())
			if it.chart != nil {
				data, err := toCSV(it.chart.Data())
				if err != nil {
					return nil, err
				}
				add(base+".csv", data)
			}
		default:
			out.Kind, out.Text = "note", private.Replace(it.text)
		}
		s.Shown = append(s.Shown, out)
	}
	return s, nil
}

func toCSV(head []string, rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	err := errors.Join(w.Write(head), w.WriteAll(rows))
	return b.Bytes(), err
}

// privacy takes the paths of this machine out of texts.
func privacy() *strings.Replacer {
	var pairs []string
	add := func(path, with string) {
		if len(path) > 1 {
			pairs = append(pairs, path, with)
		}
	}
	if dir, err := os.Getwd(); err == nil {
		add(dir+string(filepath.Separator), "")
		add(dir, ".")
	}
	if home, err := os.UserHomeDir(); err == nil {
		add(home, "~")
	}
	add(strings.TrimSuffix(os.TempDir(), string(filepath.Separator)), "$TMPDIR")
	return strings.NewReplacer(pairs...)
}

// versions are those of what computed and drew.
func versions() map[string]string {
	v := map[string]string{"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "zeroshot": buildinfo.Version()}
	for name, path := range map[string]string{"gomlx": "github.com/gomlx/gomlx", "go-xla": "github.com/gomlx/go-xla", "fpdf": "codeberg.org/go-pdf/fpdf"} {
		v[name] = buildinfo.Dependency(path)
	}
	process.Lock()
	defer process.Unlock()
	for _, be := range process.backends {
		i := be.Info()
		v["pjrt "+i.Platform] = "API " + i.API
	}
	return v
}

// write writes all files, and returns their paths, name.json last.
func (s *saved) write(dir string) ([]string, error) {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	all := append(slices.Clone(s.Files), savedFile{Name: s.Name + ".json", data: append(text, '\n')})
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("%w; $ZEROSHOT_FIGURES can name another folder", err)
	}
	stale := s.stale(dir)
	// All are written before the first is renamed: a full disk changes nothing.
	var temps, paths []string
	defer func() {
		for _, t := range temps {
			os.Remove(t)
		}
	}()
	for _, f := range all {
		t, err := os.CreateTemp(dir, "."+s.Name+"-*")
		if err != nil {
			return nil, fmt.Errorf("%w; $ZEROSHOT_FIGURES can name another folder", err)
		}
		temps = append(temps, t.Name())
		_, err = t.Write(f.data)
		if err = errors.Join(err, t.Chmod(0o644), t.Close()); err != nil {
			return nil, fmt.Errorf("writing %s: %w; nothing was replaced; $ZEROSHOT_FIGURES can name another folder", filepath.Join(dir, f.Name), err)
		}
		paths = append(paths, filepath.Join(dir, f.Name))
	}
	for i, path := range paths {
		if err := os.Rename(temps[i], path); err != nil {
			return nil, err
		}
	}
	for _, f := range stale {
		os.Remove(filepath.Join(dir, f))
	}
	return paths, writeIndex(dir)
}

// stale are the files of an earlier Save of the name that this one does not have, and that nobody has changed.
func (s *saved) stale(dir string) (names []string) {
	var old saved
	text, err := os.ReadFile(filepath.Join(dir, s.Name+".json"))
	if err != nil || json.Unmarshal(text, &old) != nil {
		return nil
	}
	for _, f := range old.Files {
		if !nameOfFile.MatchString(f.Name) || slices.ContainsFunc(s.Files, func(g savedFile) bool { return g.Name == f.Name }) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, f.Name))
		if sum := sha256.Sum256(data); err == nil && hex.EncodeToString(sum[:]) == f.SHA256 {
			names = append(names, f.Name)
		}
	}
	return names
}
