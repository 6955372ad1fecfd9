package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/zeroshotnas/zeroshot/spaces/net"
)

// peerProtocol is the version of requests and replies; the peer tells its own.
const peerProtocol = 1

// peerFolder is where `make peer` installs, below the folder of setup; peerSource is the program's place in the module.
const (
	peerFolder = "peer"
	peerSource = "zico/bench/peer"
)

// peer is the other program, which scores what it is told to over its standard input and output.
type peer struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errs   *tail
	ended  bool
	said   peerHello
	memory int64 // largest peak memory that it has reported
	gpu    int64 // the same of its device's memory
}

// peerHello is what the peer says of itself.
type peerHello struct {
	Protocol int    `json:"protocol"`
	Python   string `json:"python"`
	Torch    string `json:"torch"`
	NumPy    string `json:"numpy"`
	Threads  int    `json:"threads"`
	Device   string `json:"device"`
}

// peerRequest asks for a score.
type peerRequest struct {
	Op      string       `json:"op"`
	Network *peerNetwork `json:"network"`
	Seed    uint64       `json:"seed"` // of the weights and images
	Batch   int          `json:"batch"`
	Batches int          `json:"batches"`
	DType   string       `json:"dtype"`
}

// peerScore is the answer. Setup, the time for making the network, its weights and images, is not part of Run.
type peerScore struct {
	Score      *float64   `json:"score"` // nil: not finite
	Losses     []*float64 `json:"losses"`
	Layers     int        `json:"layers"`
	Setup      float64    `json:"setup_s"`
	Run        float64    `json:"run_s"`
	Peak       int64      `json:"peak_bytes"`
	DevicePeak int64      `json:"device_peak_bytes"`
}

// peerNetwork describes a network to the peer.
type peerNetwork struct {
	Input   [3]int     `json:"input"` // channels, height, width
	Classes int        `json:"classes"`
	Output  int        `json:"output"`
	Nodes   []peerNode `json:"nodes"`
}

// peerNode is a net.Node. The peer reads the fields that the operation uses.
type peerNode struct {
	Op       string  `json:"op"`
	In       []int   `json:"in"`
	Shape    [3]int  `json:"shape"`
	Layer    int     `json:"layer"`
	Kernel   int     `json:"kernel"`
	Stride   int     `json:"stride"`
	Pad      int     `json:"pad"`
	Groups   int     `json:"groups"`
	Bias     bool    `json:"bias"`
	CountPad bool    `json:"count_pad"`
	Eps      float64 `json:"eps"`
	From     int     `json:"from"`
	To       int     `json:"to"`
	Factor   float64 `json:"factor"`
}

// describeNetwork describes n as it was built: the reference prunes nothing.
func describeNetwork(n *net.Network) *peerNetwork {
	d := &peerNetwork{Input: [3]int{n.Input.C, n.Input.H, n.Input.W}, Classes: n.Classes, Output: n.Output}
	for i := range n.Nodes {
		nd := &n.Nodes[i]
		in := nd.In
		if in == nil {
			in = []int{}
		}
		d.Nodes = append(d.Nodes, peerNode{
			Op: nd.Op.String(), In: in, Shape: [3]int{nd.Shape.C, nd.Shape.H, nd.Shape.W}, Layer: nd.Layer,
			Kernel: nd.Kernel, Stride: nd.Stride, Pad: nd.Pad, Groups: nd.Groups, Bias: nd.Bias, CountPad: nd.CountPad, Eps: nd.Eps, From: nd.From, To: nd.To, Factor: nd.Factor,
		})
	}
	return d
}

// peerCommand is the command line of the peer: command where that is given, else the program in this module under the Python that `make peer` installed. It fails where that is missing or was made from another list of packages.
func peerCommand(command string) ([]string, error) {
	if words := strings.Fields(command); len(words) > 0 {
		return words, nil
	}
	in, err := locate("")
	if err != nil {
		return nil, fmt.Errorf("the peer is a program in the repository: %w", err)
	}
	python := filepath.Join(in.dir, peerFolder, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return nil, fmt.Errorf("the peer is not installed, %s is missing: run `make peer`", in.relative(python))
	}
	want, err := os.ReadFile(filepath.Join(in.root, peerSource, "requirements.txt"))
	if err != nil {
		return nil, err
	}
	if got, err := os.ReadFile(filepath.Join(in.dir, peerFolder, "requirements.txt")); err != nil || !bytes.Equal(got, want) {
		return nil, fmt.Errorf("the peer's installation in %s is unfinished or of other versions: run `make peer`", in.relative(filepath.Join(in.dir, peerFolder)))
	}
	return []string{python, filepath.Join(in.root, peerSource, "peer.py")}, nil
}

// startPeer starts the peer on as many threads as given. device is cpu or cuda.
func startPeer(ctx context.Context, command []string, threads int, device string) (*peer, error) {
	p := &peer{errs: &tail{}}
	p.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	p.cmd.Stderr = p.errs
	p.cmd.WaitDelay = 5 * time.Second
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the peer: %w: run `make peer`", err)
	}
	hello := struct {
		Op      string `json:"op"`
		Threads int    `json:"threads"`
		Device  string `json:"device"`
	}{"hello", threads, device}
	if err = p.ask(ctx, hello, &p.said); err == nil {
		switch {
		case p.said.Protocol != peerProtocol:
			err = fmt.Errorf("the peer speaks version %d of the protocol, this program version %d: take both from one revision of the repository", p.said.Protocol, peerProtocol)
		case p.said.Threads != threads:
			err = fmt.Errorf("the peer runs on %d threads, not on the %d that it was told to: the comparison would not be fair", p.said.Threads, threads)
		}
	}
	if err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// score lets the peer score a network.
func (p *peer) score(ctx context.Context, n *net.Network, seed uint64, batch int, dtype string) (*peerScore, error) {
	var s peerScore
	err := p.ask(ctx, peerRequest{Op: "score", Network: describeNetwork(n), Seed: seed, Batch: batch, Batches: benchBatches, DType: dtype}, &s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	if s.Layers != n.Layers || len(s.Losses) != benchBatches || !(s.Run > 0) {
		return nil, fmt.Errorf("%s: the peer has scored %d layers on %d batches in %v s; the network has %d layers and there are %d batches", n.Name, s.Layers, len(s.Losses), s.Run, n.Layers, benchBatches)
	}
	p.memory = max(p.memory, s.Peak)
	p.gpu = max(p.gpu, s.DevicePeak)
	return &s, nil
}

// ask sends a request and reads the reply into answer.
func (p *peer) ask(ctx context.Context, request, answer any) error {
	if p.ended {
		return errors.New("the peer has ended")
	}
	line, err := json.Marshal(request)
	if err != nil {
		return err
	}
	// A write fails when the peer is gone, and so does the read: what the read says is enough.
	_, _ = p.in.Write(append(line, '\n'))
	reply, err := p.out.ReadBytes('\n')
	if err != nil {
		return p.died(ctx)
	}
	var status struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if err = json.Unmarshal(reply, &status); err == nil && status.OK {
		err = json.Unmarshal(reply, answer)
	}
	if err != nil {
		p.kill()
		return fmt.Errorf("the peer answers %.200q, which is no reply of its protocol: %w", reply, err)
	}
	if !status.OK {
		return fmt.Errorf("the peer failed: %s%s", status.Error, p.lastWords())
	}
	return nil
}

// died says how the peer ended.
func (p *peer) died(ctx context.Context) error {
	p.ended = true
	_ = p.in.Close()
	err := p.cmd.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	how := "exit status 0"
	if err != nil {
		how = err.Error()
	}
	hint := ""
	if strings.Contains(how, "killed") {
		hint = " (a machine out of memory kills)"
	}
	return fmt.Errorf("the peer ended before it had answered, with %s%s%s", how, hint, p.lastWords())
}

// lastWords is the end of what the peer has written to its standard error.
func (p *peer) lastWords() string {
	if s := p.errs.String(); s != "" {
		return "; it wrote:\n" + s
	}
	return ""
}

// close ends the peer.
func (p *peer) close() error {
	if p.ended {
		return nil
	}
	p.ended = true
	_ = p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("the peer ended with %w%s", err, p.lastWords())
	}
	return nil
}

func (p *peer) kill() {
	if !p.ended {
		p.ended = true
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	data []byte
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	const most = 2000
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, b...)
	if n := len(t.data); n > most {
		t.data = append(t.data[:0], t.data[n-most:]...)
	}
	return len(b), nil
}

// String is the end of the text.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.data))
}
