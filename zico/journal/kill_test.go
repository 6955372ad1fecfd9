package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for processes that use a journal.
func TestMain(m *testing.M) {
	if role := os.Getenv("JOURNAL_TEST_ROLE"); role != "" {
		if err := play(role, os.Getenv("JOURNAL_TEST_MODE"), os.Getenv("JOURNAL_TEST_PATH")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// event is a line of the processes that are killed, the n-th of its role over all its processes. There are lines of all lengths, now and then one of many pages, which the kernel may leave half written.
func event(role string, n int) []byte {
	size := n * 37 % 300
	if n%32 == 31 {
		size = n * 7919 % (MaxLine / 4)
	}
	return fmt.Appendf(nil, `{"role":%q,"n":%d,"pad":"%s"}`, role, n, strings.Repeat(string(rune('a'+n%26)), size))
}

// play appends for ever, saying which lines are in the file. The role "hold" has the file open, for exclusive use, until it is killed.
func play(role, mode, path string) error {
	j, err := Open(path, modes[mode])
	if err != nil {
		return err
	}
	if role == "hold" {
		fmt.Println("open")
		_, err := io.Copy(io.Discard, os.Stdin) // ends with the test
		return err
	}
	n := 0
	for line, err := range j.Lines() {
		if err != nil {
			return err
		}
		if bytes.Equal(line.Text, event(role, n)) {
			n++
		}
	}
	for ; ; n++ {
		if err := j.Append(event(role, n)); err != nil {
			return err
		}
		fmt.Printf("%1023d\n", n) // a pipe holds few of these, so who is not heard stands still and the test stays small
	}
}

// process is a started role.
type process struct {
	cmd    *exec.Cmd
	out    *bufio.Reader
	last   string // what it has said
	errors strings.Builder
}

// listen waits for the process to say something, and is false when it has ended.
func (p *process) listen() bool {
	line, err := p.out.ReadString('\n')
	if err == nil {
		p.last = strings.TrimSpace(line)
	}
	return err == nil
}

func start(t *testing.T, role, mode, path string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), "JOURNAL_TEST_ROLE="+role, "JOURNAL_TEST_MODE="+mode, "JOURNAL_TEST_PATH="+path)
	p.cmd.Stderr = &p.errors
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if _, err := p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// kill kills the process and hears the last of it.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for p.listen() {
	}
	p.cmd.Wait()
	if p.errors.Len() > 0 {
		t.Fatal(p.errors.String())
	}
}

// TestKill kills processes that append with kill -9 at random moments, also while they open the file: every line that was acknowledged is there and whole, and at most one that was not.
func TestKill(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	total, cut := 0, 0
	for round := range 8 {
		mode, roles := "exclusive", []string{"one"}
		if round%2 == 0 {
			mode, roles = "shared", []string{"one", "two"}
		}
		path := filepath.Join(t.TempDir(), "journal")
		acked := map[string]int{}
		for range 4 {
			var running []*process
			for _, role := range roles {
				running = append(running, start(t, role, mode, path))
			}
			for i, role := range roles {
				p := running[i]
				for range rng.IntN(4) * rng.IntN(40) {
					p.listen()
				}
				time.Sleep(time.Duration(rng.Int64N(int64(2 * time.Millisecond))))
				p.kill(t)
				if p.last != "" {
					n, err := strconv.Atoi(p.last)
					if err != nil {
						t.Fatal(err)
					}
					acked[role] = n + 1
				}
				j := openTest(t, path, modes[mode])
				there := map[string]int{}
				for line, err := range j.Lines() {
					if err != nil {
						t.Fatal(err)
					}
					if line.Number == 1 {
						continue
					}
					from := slices.IndexFunc(roles, func(role string) bool { return bytes.Equal(line.Text, event(role, there[role])) })
					if from < 0 {
						t.Fatalf("%s: line %d is %.60q, and of the roles there were %v lines", mode, line.Number, line.Text, there)
					}
					there[roles[from]]++
				}
				cut += j.Cut()
				j.Close()
				// The others of the round are still at work.
				for _, dead := range roles[:i+1] {
					if n := there[dead]; n != acked[dead] && n != acked[dead]+1 {
						t.Fatalf("%s: %d lines of %q are there, and %d were acknowledged", mode, n, dead, acked[dead])
					}
					acked[dead] = there[dead]
				}
			}
		}
		for _, n := range acked {
			total += n
		}
	}
	t.Logf("%d lines; %d bytes of unfinished ones were cut off", total, cut)
	if total == 0 {
		t.Error("nothing was appended")
	}
}

// TestShared appends while another is in the middle of a line: a shared journal waits, and both lines are there.
func TestShared(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no flock on Windows")
	}
	path := filepath.Join(t.TempDir(), "journal")
	j, other := openTest(t, path, objects), openTest(t, path, objects)
	done := make(chan error)
	err := other.locked(func() error {
		if _, err := other.f.WriteString(`{"a":`); err != nil {
			return err
		}
		go func() { done <- j.Append([]byte(`{"b":2}`)) }()
		select {
		case err := <-done:
			return fmt.Errorf("it has not waited (%w)", err)
		case <-time.After(20 * time.Millisecond):
		}
		_, err := other.f.WriteString("1}\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := lines(t, j); !slices.Equal(got, []string{header, `{"a":1}`, `{"b":2}`}) {
		t.Errorf("lines %q", got)
	}
}

// TestLocked has a file open for exclusive use in another process: it cannot be opened here, is left alone, and is free once the other is killed with kill -9.
func TestLocked(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no flock on Windows")
	}
	path := filepath.Join(t.TempDir(), "journal")
	p := start(t, "hold", "exclusive", path)
	p.listen()
	if p.last != "open" {
		t.Fatalf("the other process says %q", p.last)
	}
	write(t, path, content(t, path)+"{") // it may be in the middle of a line
	_, err := Open(path, modes["exclusive"])
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path+": in use by ") || !strings.Contains(err.Error(), "name another file") {
		t.Errorf("the error is %v", err)
	}
	if pid := fmt.Sprintf("process %d (", p.cmd.Process.Pid); runtime.GOOS == "linux" && !strings.Contains(err.Error(), pid) {
		t.Errorf("the error is %v, want %q", err, pid)
	}
	if got := content(t, path); got != header+"\n{" {
		t.Errorf("the file is %q", got)
	}
	p.kill(t)
	j := openTest(t, path, modes["exclusive"])
	if j.Cut() != 1 {
		t.Errorf("%d bytes were cut off, want 1", j.Cut())
	}
	_, err = Open(path, modes["exclusive"])
	if !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice by one process: the error is %v", err)
	}
	if runtime.GOOS == "linux" && !strings.Contains(err.Error(), "by this process") {
		t.Errorf("the error is %v", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	openTest(t, path, modes["exclusive"])
}
