package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/buildinfo"
)

// peaks are a machine's measured limits.
type peaks struct {
	GFLOPs float64 `json:"peak_gflops"` // of a large matrix product through XLA, 10^9 additions and multiplications a second
	GBs    float64 `json:"peak_gbs"`    // of a large addition through XLA, 10^9 bytes read and written a second
	Others float64 `json:"others"`      // share of the processors that other processes took meanwhile
}

// measurePeaks times a large matrix product and a large addition, the best of several.
func measurePeaks(be *backend.Backend, dtype string) (p peaks, err error) {
	side, length := 2048, 1<<25
	if be.Platform() != "cpu" {
		side, length = 8192, 1<<28
	}
	dt := dtypes.Float32
	if dtype == "float64" {
		dt = dtypes.Float64
		length /= 2
	}
	start := busyNow()
	defer func() { p.Others = start.others(busyNow()) }()
	n := float64(side)
	best, err := fastest(be, shapes.Make(dt, side, side), graph.MatMul)
	if err != nil {
		return p, fmt.Errorf("measuring the peak of matrix products: %w", err)
	}
	p.GFLOPs = 2 * n * n * n / best.Seconds() / 1e9
	if best, err = fastest(be, shapes.Make(dt, length), graph.Add); err != nil {
		return p, fmt.Errorf("measuring the memory's bandwidth: %w", err)
	}
	p.GBs = 3 * float64(length) * float64(dt.Size()) / best.Seconds() / 1e9
	return p, nil
}

// fastest is the least time that an operation on two arguments takes.
func fastest(be *backend.Backend, shape shapes.Shape, op func(a, b *graph.Node) *graph.Node) (best time.Duration, err error) {
	defer func() {
		if r := recover(); r != nil { // graph building panics
			err = fmt.Errorf("%v", r)
		}
	}()
	g := graph.NewGraph(be.Backend, "peak")
	if err := g.Compile(op(graph.Parameter(g, "a", shape), graph.Parameter(g, "b", shape))); err != nil {
		return 0, err
	}
	exec := g.Executable()
	defer exec.Finalize()
	var in []compute.Buffer
	defer func() {
		for _, b := range in {
			_ = b.Finalize()
		}
	}()
	for range 2 {
		// Values of the size of activations: zeros and numbers too small to be normal take other times.
		var flat any
		if shape.DType == dtypes.Float64 {
			flat = ramp[float64](shape.Size())
		} else {
			flat = ramp[float32](shape.Size())
		}
		b, err := be.BufferFromFlatData(0, flat, shape)
		if err != nil {
			return 0, err
		}
		in = append(in, b)
	}
	best = math.MaxInt64
	for range 12 {
		start := time.Now()
		out, err := exec.Execute(in, nil, 0)
		took := time.Since(start)
		if err != nil {
			return 0, err
		}
		for _, b := range out {
			_ = b.Finalize()
		}
		best = min(best, took)
	}
	return best, nil
}

func ramp[T float32 | float64](n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(i%1024)/512 - 1
	}
	return x
}

// machineRow says what was measured, where and with what.
type machineRow struct {
	Kind     string `json:"kind"` // "machine"
	What     string `json:"what"` // the set
	DType    string `json:"dtype"`
	Device   string `json:"device"` // cpu or cuda
	CPU      string `json:"cpu"`
	System   string `json:"system"`   // operating system and architecture
	Threads  int    `json:"threads"`  // processors that each program may use
	Plugin   string `json:"plugin"`   // file of the PJRT plugin
	API      string `json:"api"`      // version of the PJRT API
	Zeroshot string `json:"zeroshot"` // versions
	GoXLA    string `json:"go_xla"`
	GoMLX    string `json:"gomlx"`
	Go       string `json:"go"`
	XLAFlags string `json:"xla_flags"`
	Heap     string `json:"heap"` // what the heap does with freed memory
	peaks           // 0: not measured
}

func newMachineRow(be *backend.Backend, b *benchSet, dtype string, threads int) machineRow {
	info := be.Info()
	m := machineRow{
		Kind: "machine", What: b.What, DType: dtype, Device: info.Platform, CPU: cpuModel(), System: runtime.GOOS + "/" + runtime.GOARCH, Threads: threads,
		Plugin: filepath.Base(info.Plugin), API: info.API, Zeroshot: buildinfo.Version(), GoXLA: buildinfo.Dependency("github.com/gomlx/go-xla"), GoMLX: buildinfo.Dependency("github.com/gomlx/gomlx"), Go: runtime.Version(), XLAFlags: info.Flags, Heap: backend.HeapPolicy(),
	}
	if target, err := filepath.EvalSymlinks(info.Plugin); err == nil {
		m.Plugin = filepath.Base(target)
	}
	return m
}

// String is the row as text.
func (m machineRow) String() string {
	s := fmt.Sprintf("%s\n%s on %s: %s, %s, %d threads\n%s, PJRT API %s, zeroshot %s, go-xla %s, GoMLX %s, %s, XLA_FLAGS=%s, heap %s\n",
		m.What, m.DType, m.Device, m.CPU, m.System, m.Threads, m.Plugin, m.API, m.Zeroshot, m.GoXLA, m.GoMLX, m.Go, m.XLAFlags, m.Heap)
	if m.GFLOPs > 0 {
		s += fmt.Sprintf("measured peaks: %.1f GFLOP/s in a matrix product, %.1f GB/s in an addition%s\n", m.GFLOPs, m.GBs, disturbance(m.Others))
	}
	return s
}

// cpuModel is the processor's name.
func cpuModel() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return "unknown processor"
}

// peakBytes is the largest resident size of this process so far; 0 where it is not known.
func peakBytes() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			if kib, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64); err == nil {
				return kib << 10
			}
		}
	}
	return 0
}

// busy is how much the processors have worked so far, in seconds added up over them: for everyone, and for this program and others that belong to it.
type busy struct {
	at       time.Time
	all, own float64
	known    bool
}

// disturbed is the share of the processors' time from which on other processes disturb a measurement: programs whose threads wait for each other lose many times what is taken from one of them.
const disturbed = 0.05

// busyNow reads the machine's clocks. Work that the hypervisor has kept the processors from counts as that of others. Only Linux has these clocks.
func busyNow(pids ...int) (b busy) {
	const tick = 100 // USER_HZ, the same for all programs on Linux
	b.at = time.Now()
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return b
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	for i, w := range strings.Fields(line) {
		// cpu user nice system idle iowait irq softirq steal guest guest_nice; guests are part of user and nice.
		if i == 0 || i == 4 || i == 5 || i > 8 {
			continue
		}
		v, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return b
		}
		b.all += v / tick
	}
	for _, pid := range append(pids, os.Getpid()) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return b
		}
		// The name, in parentheses, may hold anything. User and system time are fields 14 and 15.
		words := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(words) < 13 {
			return b
		}
		for _, w := range words[11:13] {
			v, err := strconv.ParseFloat(w, 64)
			if err != nil {
				return b
			}
			b.own += v / tick
		}
	}
	b.known = true
	return b
}

// others is the share of the processors' time that other processes have taken since b; 0 where that is not known, or less than the clocks' ticks can tell.
func (b busy) others(now busy) float64 {
	taken := (now.all - b.all) - (now.own - b.own)
	wall := now.at.Sub(b.at).Seconds()
	const grain = 0.05 // seconds: a few ticks of each clock
	if !b.known || !now.known || wall <= 0 || taken < grain {
		return 0
	}
	return min(1, taken/(wall*float64(runtime.NumCPU())))
}

// disturbance is the note behind a measurement that others have disturbed.
func disturbance(share float64) string {
	if share < disturbed {
		return ""
	}
	return fmt.Sprintf("  DISTURBED: others took %.0f %% of the processors", 100*share)
}

// gb prints a number of bytes.
func gb(bytes int64) string {
	if bytes == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.2f GB", float64(bytes)/1e9)
}

// inChild runs `zico bench` with other flags in a process of its own, whose memory and kernels are not this one's, and yields the lines that it prints. Its messages are part of the error.
func inChild(ctx context.Context, args []string, yield func(line []byte) error) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, self, append([]string{"bench", "-json"}, args...)...)
	var errs bytes.Buffer
	c.Stderr = &errs
	c.WaitDelay = 5 * time.Second
	out, err := c.Output()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for line := range bytes.Lines(out) {
		if err := yield(line); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("zico bench %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return nil
}

// childPeaks measures the peaks in another process: the arrays it takes must not count in this one's memory.
func childPeaks(ctx context.Context, o *benchOptions) (p peaks, err error) {
	err = inChild(ctx, append(o.childFlags(), "-peaks"), func(line []byte) error { return json.Unmarshal(line, &p) })
	if err == nil && p.GFLOPs <= 0 {
		err = errors.New("zico bench -peaks printed no peaks")
	}
	return p, err
}
