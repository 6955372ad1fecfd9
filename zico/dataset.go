package zico

import (
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"

	"github.com/zeroshotnas/zeroshot/spaces/net"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/formula"
	"github.com/zeroshotnas/zeroshot/zico/images"
	"github.com/zeroshotnas/zeroshot/zico/kernel"
	"github.com/zeroshotnas/zeroshot/zico/tape"
)

// dataset is a set of checked batches and their copies on the device.
type dataset struct {
	s       *Scorer
	batches []images.Batch

	mu     sync.Mutex
	device map[feed]*tape.Inputs
}

// feed names what a run is fed.
type feed struct {
	input     Input
	dtype     dtypes.DType
	seed      uint64 // Noise
	from      int    // first batch
	together  int    // batches
	images    int    // images of each
	alone     bool   // every image is a batch
	perturbed bool   // the first batch, and it with a little of the second added
}

// newDataset checks batches, of which there must be at least least.
func (s *Scorer) newDataset(data []images.Batch, least int) (*dataset, error) {
	if len(data) < least {
		return nil, fmt.Errorf("zico: %d batches; what is asked for needs at least %d: ZiCo compares gradients between batches", len(data), least)
	}
	if err := images.Alike(data); err != nil {
		return nil, fmt.Errorf("zico: %w", err)
	}
	return &dataset{s: s, batches: slices.Clone(data), device: map[feed]*tape.Inputs{}}, nil
}

// fits checks the images against what the network was built for.
func (d *dataset) fits(n *net.Network) error {
	b := &d.batches[0]
	if got := (net.Shape{C: b.C, H: b.H, W: b.W}); got != n.Input {
		return fmt.Errorf("zico: %s takes images %v, the batches hold %v: build the network for that size or take other images", n.Name, n.Input, got)
	}
	if b.Classes > n.Classes {
		return fmt.Errorf("zico: %s has %d outputs, the labels have %d classes: build the network for that many", n.Name, n.Classes, b.Classes)
	}
	return nil
}

// inputs returns what a run is fed on the device, copied there once, also when several runs ask at the same time.
func (d *dataset) inputs(f feed) (*tape.Inputs, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if in, ok := d.device[f]; ok {
		return in, nil
	}
	b := &d.batches[0]
	act := kernel.Act{DType: f.dtype, Batches: f.together, Images: f.images, H: b.H, W: b.W, C: b.C}
	if f.alone {
		act.Batches, act.Images = f.images, 1
	}
	var pix []float32
	var lab []int32
	for k := range f.together {
		p, l := d.batch(f, f.from+k)
		pix = append(pix, p...)
		lab = append(lab, l...)
	}
	in, err := upload(d.s.be, act, pix, lab, f.perturbed)
	if err != nil {
		return nil, err
	}
	d.device[f] = in
	return in, nil
}

// upload copies pixels and labels to the device. perturbed adds 0.01 times the second batch to the first and makes that the second: the gamma of Zen-NAS (Lin et al., ICCV 2021), in the type of the run.
func upload(be *backend.Backend, act kernel.Act, pix []float32, lab []int32, perturbed bool) (*tape.Inputs, error) {
	if !perturbed {
		return tape.Upload(be, act, pix, lab)
	}
	half := len(pix) / 2
	if act.DType == dtypes.Float32 {
		for i, x := range pix[:half] {
			pix[half+i] = x + 0.01*pix[half+i]
		}
		return tape.Upload(be, act, pix, lab)
	}
	wide := make([]float64, len(pix))
	for i, x := range pix[:half] {
		wide[i] = float64(x)
		wide[half+i] = float64(x) + 0.01*float64(pix[half+i])
	}
	return tape.Upload(be, act, wide, lab)
}

// batch is a copy of the pixels and labels of a batch.
func (d *dataset) batch(f feed, k int) ([]float32, []int32) {
	b := &d.batches[0]
	pix := make([]float32, f.images*b.H*b.W*b.C)
	lab := make([]int32, f.images)
	switch f.input {
	case Images:
		copy(pix, d.batches[k].Pixels)
		copy(lab, d.batches[k].Labels)
	case Noise:
		formula.FillImages(pix, f.seed, k, f.images, b.C, b.H, b.W)
		formula.FillLabels(lab, f.seed, k, b.Classes)
	case AllOnes:
		for i := range pix {
			pix[i] = 1
		}
	}
	return pix, lab
}

// close frees the copies; no run may use them any more.
func (d *dataset) close() {
	for _, in := range d.device {
		in.Finalize()
	}
}
