package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

// data are the flags that choose images.
type data struct {
	spec  string
	o     images.Options
	seed  uint64
	where *flag.FlagSet
}

func (d *data) flags(f *flag.FlagSet) {
	d.where = f
	f.StringVar(&d.spec, "data", "embedded", "images: embedded, digits, noise, formula, a CIFAR archive or folder, MNIST's files, a folder of pictures, a sheet (.png)")
	f.IntVar(&d.o.Batch, "batch", 128, "images in a batch")
	f.IntVar(&d.o.N, "batches", 2, "batches, at least 2")
	f.IntVar(&d.o.Size, "size", 0, "height and width of the images, pixels (0: the source's own)")
	f.Uint64Var(&d.seed, "seed", 1, "seed of the weights and of the choice of images")
}

func (d *data) batches(ctx context.Context) ([]images.Batch, error) {
	src, err := images.Open(d.spec)
	if err != nil {
		return nil, err
	}
	d.o.Seed = d.seed
	return src.Batches(ctx, d.o)
}

func score(ctx context.Context, args []string) error {
	f := newFlags("score", "ARCH...")
	var d data
	d.flags(f)
	space := f.String("space", "natstss", "search space, with options as in natstss:C=16,N=5")
	var device, kernels string
	deviceFlags(f, &device, &kernels)
	dtype := f.String("dtype", "float32", "float32 or float64")
	paper := f.Bool("eq15", false, "use the paper's Eq. 15 (standard deviation of |g|) instead of the reference's code (of g)")
	sample := f.Int("sample", 0, "also score so many random architectures of the space, drawn with -seed")
	mutate := f.Int("mutate", 0, "also score a walk of so many mutations, drawn with -seed, from the last architecture given")
	inFlight := f.Int("inflight", 0, "networks at once (0: chosen for the machine)")
	layers := f.Bool("layers", false, "print each layer")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	if err := parse(f, args); err != nil {
		return err
	}
	if *sample < 0 || *mutate < 0 || *mutate > 0 && f.NArg() == 0 {
		return usageError{errors.New("-sample and -mutate take numbers of architectures, and -mutate one to start from")}
	}
	if f.NArg() == 0 && *sample == 0 {
		return usageError{errors.New("no architecture given; try: zico score 1462 \"|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|skip_connect~1|avg_pool_3x3~2|\"")}
	}
	archs, err := architectures(*space, f.Args(), *sample, *mutate, d.seed)
	if err != nil {
		return err
	}
	batches, err := d.batches(ctx)
	if err != nil {
		return err
	}
	be, err := backend.Open(device)
	if err != nil {
		return err
	}
	cfg := zico.Config{DType: *dtype, Kernels: kernels, InFlight: *inFlight}
	if *paper {
		cfg.Statistic = zico.Absolute
	}
	s, err := zico.New(be, cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	var reqs []zico.Request
	for _, a := range archs {
		reqs = append(reqs, zico.Request{Space: *space, Arch: a, Seed: d.seed})
	}
	if !*asJSON {
		b := &batches[0]
		fmt.Printf("%d batches of %d images %dx%d from %s, seed %d, %s on %s\n", len(batches), b.N, b.H, b.W, d.spec, d.seed, s.Config().DType, be.Platform())
		fmt.Printf("%12s %11s %10s %8s  %s\n", "ZiCo", "parameters", "MACs", "seconds", "architecture")
	}
	failed := false
	start, total := time.Now(), zico.Result{}
	out := json.NewEncoder(os.Stdout)
	for res, err := range s.ScoreAll(ctx, batches, reqs) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "zico score: %v\n", err)
			continue
		}
		total.Kernels += res.Kernels
		total.Compiled += res.Compiled
		total.Compile += res.Compile
		if !*asJSON {
			print1(res, *layers)
			continue
		}
		if !*layers {
			res.Layers = nil
		}
		if err := out.Encode(res); err != nil {
			return err
		}
	}
	if !*asJSON && len(reqs) > 1 && total.Kernels > 0 {
		took := time.Since(start)
		fmt.Printf("%d networks in %.1f s, %.3f s each; waited %.2f s (%.2f %%) for compilation, %.3f %% of %d kernel calls found their kernel ready\n",
			len(reqs), took.Seconds(), took.Seconds()/float64(len(reqs)), total.Compile.Seconds(), 100*total.Compile.Seconds()/took.Seconds(), 100-100*float64(total.Compiled)/float64(total.Kernels), total.Kernels)
	}
	if failed {
		return errFailed
	}
	return nil
}

// architectures are those given, then a walk of mutations from the last of them, then random ones.
func architectures(space string, given []string, sample, mutate int, seed uint64) ([]string, error) {
	archs := slices.Clone(given)
	if sample+mutate == 0 {
		return archs, nil
	}
	sp, err := spaces.Open(space)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	if mutate > 0 {
		a, err := sp.Parse(archs[len(archs)-1])
		if err != nil {
			return nil, err
		}
		for range mutate {
			a = sp.Mutate(rng, a)
			archs = append(archs, string(a))
		}
	}
	for range sample {
		archs = append(archs, string(sp.Sample(rng)))
	}
	return archs, nil
}

func print1(res *zico.Result, layers bool) {
	took := res.Build + res.Compile + res.Run
	fmt.Printf("%12.4f %11d %9.1fM %8.2f  %s\n", res.Score, res.Params, float64(res.MACs)/1e6, took.Seconds(), res.Network)
	for _, w := range res.Warnings {
		fmt.Printf("%12s %s\n", "", w)
	}
	if !layers {
		return
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "layer\tname\tweight\tnon-zero\tsum\tlog\t")
	for _, l := range res.Layers {
		log := fmt.Sprintf("%.4f", l.Log)
		if l.Skipped {
			log = "skipped"
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%.6g\t%s\t\n", l.Index, l.Name, strings.Join(strings.Fields(fmt.Sprint(l.Weight)), " "), l.NonZero, l.Sum, log)
	}
	t.Flush()
	fmt.Printf("build %v, compile %v, run %v\n", res.Build.Round(time.Millisecond), res.Compile.Round(time.Millisecond), res.Run.Round(time.Millisecond))
}
