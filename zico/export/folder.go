package export

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/zeroshotnas/zeroshot/spaces"
)

// Names of the files of a Folder.
const (
	archFile     = "arch.txt"
	jsonFile     = "network.json"
	pictureFile  = "network.svg"
	cellFile     = "cell.svg"
	markdownFile = "layers.md"
	csvFile      = "layers.csv"
	pythonFile   = "model.py"
	goFile       = "model/main.go"
)

// ErrOccupied is wrapped by the error of Folder for a folder that holds other files than those that it would write.
var ErrOccupied = errors.New("the folder is in use")

// Options say what Folder writes. The zero value of each field means the default in its comment.
type Options struct {
	Input    spaces.Input // images and classes; zero fields: the space's own
	AsScored bool         // the network that is scored; default: the one that is trained (spaces.Training)
	Score    *float64     // the score that the architecture was found by, for the files' headers; default: none
	Proxy    string       // what Score is; default "ZiCo"
}

// Folder writes everything about an architecture into a folder, which it makes:
//
//	arch.txt       the architecture, in a line
//	network.json   the network (JSON)
//	network.svg    its picture
//	cell.svg       the picture of its cell, in spaces of cells
//	layers.md      its layers (Markdown)
//	layers.csv     the same for programs (CSV)
//	model.py       the network in PyTorch (PyTorch)
//	model/main.go  a program that trains it in GoMLX (GoMLX); left out for a space that no other program can import
//
// In spaces that train another form of a network than they score, as masternet, that form is written, and network.json names its space; Options.AsScored has the other.
//
// Nothing is ever overwritten: Folder fails with ErrOccupied, before it writes anything, where the folder holds other files, or these with other contents. It fails as the space's Parse and Network do, and where files cannot be written. The names of the files, relative to dir and with slashes, come back in the order of the list.
func Folder(dir string, s spaces.Space, arch string, o Options) ([]string, error) {
	if dir == "" {
		return nil, errors.New("export: no folder was named")
	}
	if !o.AsScored {
		s = spaces.Training(s)
	}
	a, err := s.Parse(arch)
	if err != nil {
		return nil, err
	}
	in := s.Input()
	if o.Input.Size != 0 {
		in.Size = o.Input.Size
	}
	if o.Input.Classes != 0 {
		in.Classes = o.Input.Classes
	}
	n, err := s.Network(a, in)
	if err != nil {
		return nil, err
	}
	about := About{Space: s, Arch: a, Score: o.Score, Proxy: o.Proxy}

	var names []string
	contents := map[string][]byte{}
	add := func(name string, text []byte) {
		names = append(names, name)
		contents[name] = text
	}
	add(archFile, []byte(string(a)+"\n"))
	text, err := JSON(n, about)
	if err != nil {
		return nil, err
	}
	add(jsonFile, text)
	add(pictureFile, []byte(n.SVG()))
	if drawer, ok := s.(spaces.CellDrawer); ok {
		picture, err := drawer.CellSVG(a)
		if err != nil {
			return nil, err
		}
		add(cellFile, []byte(picture))
	}
	add(markdownFile, []byte(Markdown(n)))
	add(csvFile, []byte(CSV(n)))
	module, err := PyTorch(n, about)
	if err != nil {
		return nil, err
	}
	add(pythonFile, []byte(module))
	if importPath(s) != "" {
		source, err := GoMLX(about, in.Size)
		if err != nil {
			return nil, err
		}
		add(goFile, []byte(source))
	}
	if err := vacant(dir, contents); err != nil {
		return nil, err
	}
	for _, name := range names {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
		if err := os.WriteFile(file, contents[name], 0o666); err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
	}
	return names, nil
}

// vacant reports as an error what a folder holds beside the given files.
func vacant(dir string, contents map[string][]byte) error {
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && file == dir && errors.Is(err, fs.ErrNotExist):
			return fs.SkipAll
		case err != nil:
			return err
		case file == dir && !d.IsDir():
			return fmt.Errorf("%s is a file: name a folder", dir)
		case file == dir:
			return nil
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() {
			if name == path.Dir(goFile) {
				return nil
			}
			return fmt.Errorf("%s is a folder that an export does not have: choose an empty folder (%w)", file, ErrOccupied)
		}
		want, ours := contents[name]
		if !ours {
			return fmt.Errorf("%s is not a file of an export: choose an empty folder (%w)", file, ErrOccupied)
		}
		have, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.Equal(have, want) {
			return fmt.Errorf("%s exists and has other contents: choose an empty folder, or remove it (%w)", file, ErrOccupied)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}
