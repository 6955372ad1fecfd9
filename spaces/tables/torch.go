package tables

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// torchMagic is what a file of torch.save before version 1.6 begins with, as a pickle of its own: the number 0x1950a86a20f9469cfc6c.
var torchMagic = long{0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19}

// torchProtocol is the second pickle of such a file.
const torchProtocol = int64(1001)

// recordFile is a format whose file is a pickle of records.
type recordFile interface {
	visitor
	// table makes the table of the records that were visited; root is what is around them.
	table(in *input, root *dict) (*Table, error)
}

// anyFile tries the formats until one finds its records.
type anyFile struct {
	formats []recordFile
	found   recordFile
}

func newAnyFile(in *input) *anyFile {
	return &anyFile{formats: []recordFile{&natsFile{}, &transnasFile{in: in}, &naslibFile{in: in}}}
}

func (a *anyFile) choose(path []any, first any) bool {
	if a.found != nil {
		return a.found.choose(path, first)
	}
	for _, f := range a.formats {
		if f.choose(path, first) {
			a.found = f
			return true
		}
	}
	return false
}

func (a *anyFile) visit(path []any, key, value any) error { return a.found.visit(path, key, value) }

// finish makes the table.
func (a *anyFile) finish(in *input, root any) (*Table, error) {
	d, ok := root.(*dict)
	if !ok {
		return nil, bad("", "the pickle holds a %s, expected a dictionary of a benchmark", kind(root))
	}
	if a.found == nil {
		return nil, bad("", "the pickle holds a dictionary with %s; expected NATS-Bench or NAS-Bench-201 (with arch2infos), TransNAS-Bench-101 (with data and micro or macro in it), or NASLib's (architectures of NAS-Bench-201 as keys)", keysOf(d))
	}
	return a.found.table(in, d)
}

// keysOf lists the first keys of a dictionary for errors.
func keysOf(d *dict) string {
	if len(d.keys) == 0 {
		return "no keys"
	}
	var words []string
	for _, k := range d.keys[:min(len(d.keys), 6)] {
		switch k := k.(type) {
		case string:
			words = append(words, fmt.Sprintf("%.60q", k))
		case int64:
			words = append(words, fmt.Sprint(k))
		default:
			words = append(words, "a "+kind(k))
		}
	}
	if len(d.keys) > len(words) {
		words = append(words, "...")
	}
	return fmt.Sprintf("%d keys: %s", len(d.keys), strings.Join(words, ", "))
}

// pickle reads a pickle, by itself or as torch.save wrote it before version 1.6: a pickle of a magic number, one of a version, one of the system, the object, and the keys of storages, which follow.
func (in *input) pickle() (*Table, error) {
	r := &byteReader{r: in.r}
	a := newAnyFile(in)
	root, err := runPickle(r, a)
	if err != nil {
		return nil, err
	}
	magic, ok := root.(long)
	if !ok {
		if err := in.atEnd(r); err != nil {
			return nil, err
		}
		return a.finish(in, root)
	}
	if !bytes.Equal(magic, torchMagic) {
		return nil, bad("byte 0", "the pickle holds a large number which is not that of torch.save")
	}
	version, err := runPickle(r, nil)
	if err != nil {
		return nil, err
	}
	if version != any(torchProtocol) {
		return nil, bad("", "the file is of another version of torch.save than %d", torchProtocol)
	}
	if _, err := runPickle(r, nil); err != nil {
		return nil, err
	}
	if root, err = runPickle(r, a); err != nil {
		return nil, err
	}
	keys, err := runPickle(r, nil)
	if err != nil {
		return nil, err
	}
	if storages, ok := sequence(keys); !ok || len(storages) == 0 {
		if err := in.atEnd(r); err != nil {
			return nil, err
		}
	}
	return a.finish(in, root)
}

// zip reads what torch.save writes from version 1.6 on: a ZIP archive with the pickle as data.pkl in a folder.
func (in *input) zip() (*Table, error) {
	if in.file == nil {
		return nil, bad("", "a ZIP archive inside of compressed data: decompress it first")
	}
	info, err := in.file.Stat()
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(in.file, info.Size())
	if err != nil {
		// The directory is at the end.
		return nil, short("", "begins as a ZIP archive and has no directory (%v): fetch it again", err)
	}
	at := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == "data.pkl" || strings.HasSuffix(f.Name, "/data.pkl") })
	if at < 0 {
		return nil, bad("", "a ZIP archive without data.pkl: expected one of torch.save. Extract others first")
	}
	f, err := z.File[at].Open()
	if err != nil {
		return nil, bad(z.File[at].Name, "%v", err)
	}
	defer f.Close()
	r := &byteReader{r: bufio.NewReaderSize(&reader{ctx: in.ctx, r: f}, headSize)}
	a := newAnyFile(in)
	root, err := runPickle(r, a)
	if err == nil {
		err = in.atEnd(r)
	}
	if err != nil {
		return nil, err
	}
	return a.finish(in, root)
}

// readPickle reads a small pickle as a whole.
func readPickle(ctx context.Context, src io.Reader) (any, error) {
	in := &input{ctx: ctx}
	if err := in.decompress(src); err != nil {
		return nil, err
	}
	if len(in.head) == 0 {
		return nil, short("", "the file is empty")
	}
	r := &byteReader{r: in.r}
	root, err := runPickle(r, nil)
	if err == nil {
		err = in.atEnd(r)
	}
	return root, err
}
