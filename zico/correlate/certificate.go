package correlate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/zeroshotnas/zeroshot/zico/buildinfo"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

// DataName is what Config.DataName should say of images: their name, and of files and folders the last element of the path, for the rest of it is of one machine.
func DataName(src images.Source) string {
	name := src.Name()
	if _, err := os.Stat(name); err == nil {
		if abs, err := filepath.Abs(name); err == nil {
			name = filepath.Base(abs)
		}
	}
	return name
}

// short is the beginning of a hash, enough to tell files apart.
func short(hash string) string { return hash[:min(12, len(hash))] }

// certificate says on what the numbers of a report rest, in one line.
func (s *Scores) certificate(r *Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "certificate: %s, %d of %d architectures (sample seed %d", s.Space, s.Len(), s.Population, s.SampleSeed)
	if done := s.Done(); done < s.Len() {
		fmt.Fprintf(&b, ", %d of them scored", done)
	}
	fmt.Fprintf(&b, "); accuracies %s (%s, SHA-256 %s)", s.Table, s.TableSpace, short(s.TableHash))
	if s.DrawnHash != "" {
		fmt.Fprintf(&b, "; the sample drawn from %s (SHA-256 %s)", s.Drawn, short(s.DrawnHash))
	}
	if s.Images != "" {
		fmt.Fprintf(&b, "; images %s (SHA-256 %s), %d batches of %d, %dx%d pixels, %d classes", s.Data, short(s.Images), s.Batches, s.Batch, s.Size, s.Size, s.Classes)
		fmt.Fprintf(&b, "; weights seed %d, %s", s.Seed, s.DType)
		if len(s.Kernels) > 0 {
			fmt.Fprintf(&b, ", kernels %s", strings.Join(s.Kernels, " and "))
		}
	} else {
		b.WriteString("; networks counted, none run")
	}
	tied, nan, inf := 0, 0, 0
	for _, row := range r.Rows {
		tied, nan, inf = max(tied, row.Counts.TiedScores), max(nan, row.Counts.NaNScores), max(inf, row.Counts.InfScores)
	}
	fmt.Fprintf(&b, "; at most %d tied, %d NaN, %d infinite scores of a proxy, %d architectures failed", tied, nan, inf, r.FailedArchs)
	fmt.Fprintf(&b, "; %d resamples, seed %d", r.Resamples, r.BootstrapSeed)
	fmt.Fprintf(&b, "; scoring version %d, %s %s", s.Scoring, buildinfo.Path, buildinfo.Version())
	return b.String()
}
