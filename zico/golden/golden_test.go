package golden

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zeroshotnas/zeroshot/zico/backend"
)

// files are the golden files to check: those of ZICO_GOLDEN (a list of paths), else the repository's own and, where it is, the shared one.
func files(t *testing.T) []string {
	if env := os.Getenv("ZICO_GOLDEN"); env != "" {
		list := filepath.SplitList(env)
		for i, f := range list {
			// go test runs here; the user named the file from the top of the repository.
			if _, err := os.Stat(f); err != nil && !filepath.IsAbs(f) {
				list[i] = filepath.Join("..", "..", f)
			}
		}
		return list
	}
	files := []string{filepath.Join("testdata", "small.json")}
	shared := filepath.Join("..", "..", "..", "shared", "golden", "golden.json")
	if _, err := os.Stat(shared); err != nil {
		t.Log("only the repository's own golden file: shared/golden/golden.json is not beside it, ZICO_GOLDEN is not set")
		return files
	}
	return append(files, shared)
}

// TestGolden is the ground that everything stands on: scores, layers, losses, logits and counts equal the reference's.
func TestGolden(t *testing.T) {
	be, err := backend.Open("")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files(t) {
		f, err := Read(file)
		if err != nil {
			t.Fatal(err)
		}
		passed := 0
		err = Verify(context.Background(), be, "", f, func(r *Row) {
			t.Log("\n" + r.String())
			switch {
			case r.OK():
				passed++
			case r.Skipped == "":
				t.Errorf("%s in %s differs from the reference", r.ID, r.DType)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if passed == 0 {
			t.Errorf("%s: nothing was compared", file)
		}
	}
}

// TestGoldenFails makes sure that a wrong score, loss, layer or count is noticed.
func TestGoldenFails(t *testing.T) {
	f, err := Read(files(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	be, err := backend.Open("")
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for i < len(f.Networks) && f.Networks[i].Kind != "plain" {
		i++
	}
	if i == len(f.Networks) {
		t.Skip("the file has no plain network")
	}
	f.Networks, f.Functions = f.Networks[i:i+1], nil
	n := &f.Networks[0]
	n.ZiCo["f64"] = n.ZiCo["f64"].(float64) + 1e-3
	n.Losses[1] *= 1 + 1e-8
	n.Counts["num_conv_linear"] = 17.0
	*n.Layers[2].Log += 1e-4
	n.Layers[1].NonZero++
	n.Proxies["zcn_snip"] = n.Proxies["zcn_snip"].(float64) * (1 + 3e-6)
	n.Proxies["ziconet_zen"] = nil // no value there
	var all string
	if err := Verify(context.Background(), be, "", f, func(r *Row) {
		if r.DType != "float32" {
			all += strings.Join(r.Problems, "\n")
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"score is off by", "loss of batch 1", "num_conv_linear", n.Layers[2].Name + ": log", n.Layers[1].Name + ": ", "zcn_snip is"} {
		if !strings.Contains(all, want) {
			t.Errorf("a changed expectation went unnoticed: no %q in\n%s", want, all)
		}
	}
}

// TestRead checks the errors on files that are no golden files.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"cut.json":    `{"networks": [{"id": "a"`,
		"empty.json":  `{}`,
		"lacks.json":  `{"networks": [{"id": "a", "kind": "plain"}]}`,
		"absent.json": "",
	} {
		file := filepath.Join(dir, name)
		if content != "" {
			if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Read(file); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error %v should name the file", name, err)
		}
	}
}
