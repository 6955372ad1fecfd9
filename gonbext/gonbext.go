// Package gonbext is what a notebook uses: functions that compute, show what they found as tables and pictures, and return it.
//
// In a notebook with the Go kernel (GoNB) they show HTML and SVG; elsewhere they print text. Every function says in its result what went wrong and shows that too. Interrupting a cell stops at the next kernel and keeps what is done.
//
//	import "github.com/zeroshotnas/zeroshot/gonbext"
//
//	%%
//	gonbext.Score("|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|", gonbext.Options{})
package gonbext

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"time"

	"github.com/gomlx/gomlx/ml/model"

	_ "github.com/zeroshotnas/zeroshot/spaces/darts" // the spaces that Options.Space can name
	_ "github.com/zeroshotnas/zeroshot/spaces/masternet"
	_ "github.com/zeroshotnas/zeroshot/spaces/nasbench101"
	_ "github.com/zeroshotnas/zeroshot/spaces/natssss"
	_ "github.com/zeroshotnas/zeroshot/spaces/natstss"
	_ "github.com/zeroshotnas/zeroshot/spaces/plain"
	_ "github.com/zeroshotnas/zeroshot/spaces/transnas"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

// Options choose what is scored on which images, and how. The zero value of each field means the default in its comment; the environment variable ZEROSHOT_QUICK=1 makes the default batch 8, to try a notebook out.
type Options struct {
	Space     string         // search space with its options; default "natstss", which is natstss:C=16,N=5
	Images    string         // images, see images.Open; default "embedded"
	Batch     int            // images in a batch; default 128
	Batches   int            // batches; default 2
	Size      int            // height and width of the images, pixels; default the images' own
	Seed      uint64         // seed of the weights; default 1
	ImageSeed uint64         // seed of the choice of images; default 1
	DType     string         // "float32" (default) or "float64"
	Statistic zico.Statistic // zico.Signed (default) or zico.Absolute
	Device    string         // "xla:cpu" or "xla:cuda"; default $GOMLX_BACKEND, else "xla:cpu"
	Session   string         // name of the Session that scores and batches are kept in and found in; default none
	Quiet     bool           // show nothing, only return
}

func (o Options) withDefaults() Options {
	if o.Space == "" {
		o.Space = "natstss"
	}
	if o.Images == "" {
		o.Images = "embedded"
	}
	if o.Batch == 0 {
		o.Batch = 128
		if os.Getenv("ZEROSHOT_QUICK") == "1" {
			o.Batch = 8
		}
	}
	if o.Batches == 0 {
		o.Batches = 2
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.ImageSeed == 0 {
		o.ImageSeed = 1
	}
	return o
}

// String says in words what the options are, for captions.
func (o Options) String() string {
	o = o.withDefaults()
	dtype := o.DType
	if dtype == "" {
		dtype = "float32"
	}
	return fmt.Sprintf("%d batches of %d images (%s, seed %d), weights seed %d, %s", o.Batches, o.Batch, o.Images, o.ImageSeed, o.Seed, dtype)
}

// Score scores one architecture and shows its total, what it is made of layer by layer, and how long it took.
func Score(arch string, o Options) (*zico.Result, error) {
	results, err := run([]zico.Request{{Arch: arch}}, o)
	if err == nil && !o.Quiet {
		showScore(results[0], o)
	}
	if len(results) == 0 {
		return nil, err
	}
	return results[0], err
}

// Compare scores architectures on the same images with the same seed and shows them beside each other. Where one fails or the cell is interrupted it returns the results so far, in the order of archs, with the error.
func Compare(archs []string, o Options) ([]*zico.Result, error) {
	reqs := make([]zico.Request, len(archs))
	for i, a := range archs {
		reqs[i].Arch = a
	}
	results, err := run(reqs, o)
	if len(results) > 0 && !o.Quiet {
		showCompare(results, o)
	}
	return results, err
}

// Seeds scores one architecture with the weights of several seeds, 1 to n, on the same images, and shows how far the scores spread.
func Seeds(arch string, n int, o Options) ([]*zico.Result, error) {
	if n < 1 {
		return nil, report(fmt.Errorf("%d seeds asked for; at least 1 is needed, and 2 to see a spread", n), o)
	}
	reqs := make([]zico.Request, n)
	for i := range reqs {
		reqs[i] = zico.Request{Arch: arch, Seed: uint64(i + 1)}
	}
	results, err := run(reqs, o)
	if len(results) > 0 && !o.Quiet {
		showSeeds(results, o)
	}
	return results, err
}

// ScoreModel scores a GoMLX model function, as zico.ScoreModel does, on the images of the options, and shows the result like Score. Its weights are drawn anew in the reference's way with Options.Seed, so that the score does not depend on the model's initialiser.
func ScoreModel(name string, fn zico.ModelFn, o Options) (*zico.Result, error) {
	o = o.withDefaults()
	res, err := func() (*zico.Result, error) {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		data, be, err := prepare(ctx, o)
		if err != nil {
			return nil, err
		}
		return zico.ScoreModel(ctx, be, model.NewStore(), fn, data.Batches, zico.ModelConfig{DType: o.DType, Statistic: o.Statistic, Reinit: true, Seed: o.Seed})
	}()
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("interrupted before %s was scored: %w", name, err)
	}
	if err != nil {
		return nil, report(err, o)
	}
	res.Network = name
	if !o.Quiet {
		showScore(res, o)
	}
	return res, nil
}

// process is what a process opens once.
var process struct {
	sync.Mutex
	backends map[string]*backend.Backend
	scorers  map[string]*zico.Scorer
}

func openBackend(device string) (*backend.Backend, error) {
	process.Lock()
	defer process.Unlock()
	if be, ok := process.backends[device]; ok {
		return be, nil
	}
	be, err := backend.Open(device)
	if err != nil {
		return nil, err
	}
	if process.backends == nil {
		process.backends = map[string]*backend.Backend{}
	}
	process.backends[device] = be
	return be, nil
}

func scorer(be *backend.Backend, o Options) (*zico.Scorer, error) {
	process.Lock()
	defer process.Unlock()
	key := fmt.Sprint(o.Device, " ", o.DType, " ", o.Statistic)
	if s, ok := process.scorers[key]; ok {
		return s, nil
	}
	s, err := zico.New(be, zico.Config{DType: o.DType, Statistic: o.Statistic})
	if err != nil {
		return nil, err
	}
	if process.scorers == nil {
		process.scorers = map[string]*zico.Scorer{}
	}
	process.scorers[key] = s
	return s, nil
}

func prepare(ctx context.Context, o Options) (keptBatches, *backend.Backend, error) {
	data, err := batches(ctx, o)
	if err != nil {
		return data, nil, err
	}
	be, err := openBackend(o.Device)
	return data, be, err
}

// batches are those of the options, without their hash where there is no session.
func batches(ctx context.Context, o Options) (keptBatches, error) {
	want := images.Options{Batch: o.Batch, N: o.Batches, Size: o.Size, Seed: o.ImageSeed}
	if o.Session != "" {
		s, err := OpenSession(o.Session)
		if err != nil {
			return keptBatches{}, err
		}
		return s.batches(ctx, o.Images, want)
	}
	data, err := readBatches(ctx, o.Images, want)
	return keptBatches{Batches: data}, err
}

func readBatches(ctx context.Context, spec string, o images.Options) ([]images.Batch, error) {
	src, err := images.Open(spec)
	if err != nil {
		return nil, err
	}
	return src.Batches(ctx, o)
}

// run scores requests, of which only the architecture and, where it is not the options', the seed are set. It shows progress and reports errors.
func run(reqs []zico.Request, o Options) ([]*zico.Result, error) {
	o = o.withDefaults()
	if len(reqs) == 0 {
		return nil, report(errors.New("no architecture given"), o)
	}
	for i := range reqs {
		reqs[i].Space = o.Space
		if reqs[i].Seed == 0 {
			reqs[i].Seed = o.Seed
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	data, be, err := prepare(ctx, o)
	if err != nil {
		return nil, report(err, o)
	}
	s, err := scorer(be, o)
	if err != nil {
		return nil, report(err, o)
	}
	kept, err := o.kept(data)
	if err != nil {
		return nil, report(err, o)
	}
	defer kept.close()
	p := newProgress("scoring", len(reqs), o.Quiet)
	results := make([]*zico.Result, len(reqs))
	var left []int // of the requests
	for i := range reqs {
		if results[i] = kept.find(reqs[i]); results[i] == nil {
			left = append(left, i)
		}
	}
	p.from(o.Session, len(reqs)-len(left))
	ask := make([]zico.Request, len(left))
	for k, i := range left {
		ask[k] = reqs[i]
	}
	var errs []error
	for res, err := range s.ScoreAll(ctx, data.Batches, ask) {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			errs = append(errs, err)
			left = left[min(1, len(left)):] // an error of the batches comes alone
			continue
		}
		i := left[0]
		left = left[1:]
		results[i] = res
		if err := kept.put(reqs[i], res); err != nil {
			errs = append(errs, err)
		}
		p.step()
	}
	p.end()
	results = slices.DeleteFunc(results, func(r *zico.Result) bool { return r == nil })
	if ctx.Err() != nil {
		errs = append(errs, fmt.Errorf("interrupted: %d of %d scored: %w", len(results), len(reqs), ctx.Err()))
	}
	return results, report(errors.Join(errs...), o)
}

func seconds(res *zico.Result) float64 {
	return (res.Build + res.Compile + res.Run).Round(time.Millisecond).Seconds()
}
