package rank

import (
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// columns reads columns of little-endian uint16 from a file of shared/data, beside the checkout, and skips the test where it is absent.
func columns(t testing.TB, file string, rows int) [][]float64 {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", file))
	if err != nil {
		t.Skipf("the measured accuracies are not beside the checkout: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw)%(2*rows) != 0 {
		t.Fatalf("%s has %d bytes, which are not columns of %d values", file, len(raw), rows)
	}
	var out [][]float64
	for len(raw) > 0 {
		c := make([]float64, rows)
		for i := range c {
			c[i] = float64(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		out, raw = append(out, c), raw[2*rows:]
	}
	return out
}

// tssParams is the number of parameters of each cell of NATS-Bench's topology space, less what all have in common: 5 cells of 16, 32 and 64 channels each, an operation of none, skip, 1x1, 3x3, pooling on 6 edges.
func tssParams() []float64 {
	out := make([]float64, 15625)
	for code := range out {
		for rest := code; rest > 0; rest /= 5 {
			for _, c := range []float64{16, 32, 64} {
				switch rest % 5 {
				case 2:
					out[code] += 5 * (c*c + 2*c)
				case 3:
					out[code] += 5 * (9*c*c + 2*c)
				}
			}
		}
	}
	return out
}

// sssParams is the same for its size space: 5 widths of 8 to 64 in steps of 8, as digits in base 8. The cell adds its two inputs, so only widths and the number of classes count.
func sssParams(classes float64) []float64 {
	out := make([]float64, 32768)
	for i := range out {
		var w [5]float64
		for s := range w {
			w[s] = float64(8 * (i>>(3*(4-s))&7 + 1))
		}
		cell := func(in, out float64) float64 {
			p := 2*(9*in*out+2*out) + 3*(9*out*out+2*out)
			if in != out {
				p += in*out + 2*out
			}
			return p
		}
		reduce := func(in, out float64) float64 { return 9*in*out + 2*out + 9*out*out + 2*out + in*out }
		out[i] = 27*w[0] + 2*w[0] + cell(w[0], w[0]) + reduce(w[0], w[1]) + cell(w[1], w[2]) + reduce(w[2], w[3]) + cell(w[3], w[4]) + 2*w[4] + classes*w[4] + classes
	}
	return out
}

// measured are statistics of the number of parameters and the test accuracy over a whole benchmark. The four are scipy 1.14.1's of the same columns; table holds rho and tau of shared/reference/DATA.md.
type measured struct {
	rho, tau, weighted, r float64
	table                 [2]float64
}

// TestBenchmarks compares with SciPy and with DATA.md. The latter's tau is up to 6e-4 lower wherever accuracies tie much: it equals that of the accuracies with their ties broken at random (TSS .57760 .55315 .52007, SSS .68945 .53228 .67642 by SciPy), as happens to means that were rounded in floating point. The columns hold the exact means, whose ties are ties.
func TestBenchmarks(t *testing.T) {
	t.Run("TSS", func(t *testing.T) {
		accuracies, params := columns(t, "tss.bin.gz", 15625)[1:], tssParams()
		for d, want := range []measured{
			{0.752693851736, 0.577848592953, 0.814264727194, 0.318547768212, [2]float64{.7527, .5778}},
			{0.727826274898, 0.553420708494, 0.810983367949, 0.434308413478, [2]float64{.7278, .5532}},
			{0.691503371239, 0.520327295038, 0.717676775100, 0.529012355550, [2]float64{.6915, .5201}},
		} {
			want.check(t, sample(t, params, accuracies[d]))
		}
	})
	t.Run("SSS", func(t *testing.T) {
		accuracies := columns(t, "sss.bin.gz", 32768)
		for d, want := range []measured{
			{0.872065813429, 0.690356668459, 0.898416112987, 0.827443917690, [2]float64{.8721, .6904}},
			{0.717405933330, 0.532636546308, 0.841571689196, 0.655492093530, [2]float64{.7174, .5323}},
			{0.856868376376, 0.677148651437, 0.902663462826, 0.832755146405, [2]float64{.8569, .6765}},
		} {
			want.check(t, sample(t, sssParams([]float64{10, 100, 120}[d]), accuracies[d]))
		}
	})
}

func (m measured) check(t *testing.T, s *Sample) {
	t.Helper()
	rho, tau := s.Spearman(), s.KendallTau()
	for _, v := range []struct {
		name                 string
		got, want, tolerance float64
	}{
		{"rho", rho, m.rho, 1e-11},
		{"tau", tau, m.tau, 1e-11},
		{"weighted tau", s.WeightedTau(), m.weighted, 1e-11},
		{"r", s.Pearson(), m.r, 1e-11},
		{"rho in four digits", rho, m.table[0], 5e-5},
		{"tau against the table", tau, m.table[1], 7e-4},
	} {
		if !near(v.got, v.want, v.tolerance) {
			t.Errorf("%s is %.12f, want %.12f", v.name, v.got, v.want)
		}
	}
	t.Logf("tau %v; precision at 5 %% %.3f, nDCG %.4f; %v", s.Bootstrap((*Sample).KendallTau, Options{Resamples: 100}), s.Precision(s.Top(0.05)), s.NDCG(s.N()), s.Counts())
}
