// Zico sets up, scores and checks networks with the ZiCo proxy.
//
//	zico setup      install what is missing: PJRT plugin, Go kernel, Jupyter
//	zico doctor     say what is there and what is not
//	zico score      score architectures
//	zico proxies    list the proxies
//	zico correlate  say how well proxies rank the architectures of a benchmark
//	zico search     search for architectures under a budget
//	zico spaces     list the search spaces
//	zico describe   say what an architecture is made of, and draw it
//	zico export     write a found architecture as PyTorch, GoMLX, JSON, tables and pictures
//	zico verify     compare scores with files of expected values
//	zico bench      measure
//
// A command lives in the file of its name and registers itself in the table below. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/zeroshotnas/zeroshot/spaces/darts" // the spaces that -space can name
	_ "github.com/zeroshotnas/zeroshot/spaces/masternet"
	_ "github.com/zeroshotnas/zeroshot/spaces/nasbench101"
	_ "github.com/zeroshotnas/zeroshot/spaces/natssss"
	_ "github.com/zeroshotnas/zeroshot/spaces/natstss"
	_ "github.com/zeroshotnas/zeroshot/spaces/plain"
	_ "github.com/zeroshotnas/zeroshot/spaces/transnas"
)

// command is a subcommand. run gets its arguments without the name.
type command struct {
	name, doc string
	run       func(ctx context.Context, args []string) error
}

var commands = []command{
	{"setup", "install what is missing: PJRT plugin, Go kernel, Jupyter", setup},
	{"doctor", "say what is there and what is not", doctor},
	{"score", "score architectures", score},
	{"proxies", "list the proxies", listProxies},
	{"correlate", "say how well proxies rank the architectures of a benchmark", correlateProxies},
	{"search", "search for architectures under a budget", searchArchs},
	{"spaces", "list the search spaces", listSpaces},
	{"describe", "say what an architecture is made of, and draw it", describe},
	{"export", "write a found architecture as PyTorch, GoMLX, JSON, tables and pictures", exportArch},
	{"verify", "compare scores with files of expected values", verify},
	{"bench", "measure", bench},
}

// usageError is an error in how a command was called.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// errFailed ends the program with status 1 when the command has said why itself.
var errFailed = errors.New("failed")

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) > 1 && args[0] == "help" {
		args = []string{args[1], "-h"}
	}
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage()
		if len(args) == 0 {
			return 2
		}
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, c := range commands {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, args[1:])
		var u usageError
		switch {
		case err == nil || errors.Is(err, flag.ErrHelp):
			return 0
		case errors.As(err, &u):
			if !errors.Is(err, errFailed) {
				fmt.Fprintf(os.Stderr, "zico %s: %v\n", c.name, err)
			}
			return 2
		case errors.Is(err, errFailed):
			return 1
		case ctx.Err() != nil:
			fmt.Fprintf(os.Stderr, "zico %s: interrupted\n", c.name)
			return 130
		}
		fmt.Fprintf(os.Stderr, "zico %s: %v\n", c.name, err)
		return 1
	}
	fmt.Fprintf(os.Stderr, "zico: unknown command %q\n", args[0])
	usage()
	return 2
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: zico COMMAND [flags] [arguments]; zico help COMMAND lists the flags")
	for _, c := range commands {
		fmt.Fprintf(os.Stderr, "  %-9s %s\n", c.name, c.doc)
	}
}

// newFlags makes the flag set of a command whose usage line ends in args.
func newFlags(name, args string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprintf(f.Output(), "usage: zico %s [flags] %s\n", name, args)
		f.PrintDefaults()
	}
	return f
}

// deviceFlags adds the flags that say what computes.
func deviceFlags(f *flag.FlagSet, device, kernels *string) {
	f.StringVar(device, "device", "", "xla:cpu or xla:cuda (default: $GOMLX_BACKEND, else xla:cpu)")
	f.StringVar(kernels, "kernels", "", "what computes on a CPU: xla, avx512, avx2 or baseline (default: the best that the machine has)")
}

// parse reads flags. The flag package prints what is wrong itself.
func parse(f *flag.FlagSet, args []string) error {
	err := f.Parse(args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return usageError{errFailed}
	}
	return err
}
