package gonbext

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/export"
)

// Export writes what is needed to train an architecture elsewhere into a folder, as export.Folder does with the options e (the PyTorch module, the GoMLX program, JSON, tables and pictures), and shows the layers with weights and the picture. Of the options o only Space and Quiet matter. It returns the names of the files, relative to dir.
func Export(arch, dir string, e export.Options, o Options) ([]string, error) {
	o = o.withDefaults()
	s, err := spaces.Open(o.Space)
	if err != nil {
		return nil, report(err, o)
	}
	files, err := export.Folder(dir, s, arch, e)
	if err != nil || o.Quiet {
		return files, report(err, o)
	}
	return files, report(showExport(dir, files), o)
}

// showExport shows what a folder holds.
func showExport(dir string, files []string) error {
	text, err := os.ReadFile(filepath.Join(dir, "network.json"))
	if err != nil {
		return err
	}
	var d export.Description
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, "network.json"), err)
	}
	exportTable(&d, dir, files).show()
	for _, name := range []string{"cell.svg", "network.svg"} {
		picture, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			showSVG(string(picture), filepath.Join(dir, name)+"\n")
		} else if !errors.Is(err, fs.ErrNotExist) { // only spaces of cells have a picture of one
			return err
		}
	}
	return nil
}

// exportTable has the layers with parameters; those without are in the files.
func exportTable(d *export.Description, dir string, files []string) *table {
	macs := net.Conventions()[0].String()
	t := &table{
		caption: fmt.Sprintf("%s of %s\n%d layers with weights, %d parameters, %s multiply-adds at %d pixels; left out here: batch norms and what has no parameters\n%s: %s", d.Arch, d.Space, d.Weighted, d.Params, millions(d.FLOPs[macs]), d.Pixels, dir, strings.Join(files, ", ")),
		head:    []string{"layer", "name", "output", "parameters", "multiply-adds"},
		right:   []bool{false, false, true, true, true},
	}
	for _, l := range d.Layers {
		if l.Params > 0 && l.Op != net.BatchNorm.String() {
			name := l.Name
			if slices.Contains(d.Dead, name) {
				name += " (reaches no output)"
			}
			t.rows = append(t.rows, []string{l.Label, name, fmt.Sprintf("%d x %d x %d", l.Shape[0], l.Shape[1], l.Shape[2]), fmt.Sprint(l.Params), millions(l.FLOPs[macs])})
		}
	}
	return t
}
