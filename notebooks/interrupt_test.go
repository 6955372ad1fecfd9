package notebooks

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// interruptSearch drives a Go kernel as Jupyter does: it starts a search, interrupts it as the stop button does, and runs the cell again.
const interruptSearch = `
import queue, sys, time
from jupyter_client.manager import start_new_kernel

log = sys.argv[1]
manager, client = start_new_kernel(kernel_name="zeroshot", startup_timeout=60)

def run(code, interrupt):
    message, texts, began = client.execute(code), [], time.time()
    while True:
        try:
            m = client.get_iopub_msg(timeout=1)
        except queue.Empty:
            if time.time() - began > 120:
                sys.exit("the cell does not end: " + "\n".join(texts))
            m = None
        if interrupt:
            try:
                whole = open(log).read().count("\n")
            except FileNotFoundError:
                whole = 0
            if whole > 12:
                manager.interrupt_kernel()
                interrupt = False
        if m is None or m["parent_header"].get("msg_id") != message:
            continue
        content = m["content"]
        if m["msg_type"] == "stream":
            texts.append(content["text"])
        elif m["msg_type"] in ("display_data", "update_display_data"):
            texts.append(content["data"].get("text/plain", ""))
        elif m["msg_type"] == "error":
            texts.append("ERROR " + content["evalue"])
        elif m["msg_type"] == "status" and content["execution_state"] == "idle":
            return "\n".join(texts)

cell = '''
import "fmt"
import "github.com/zeroshotnas/zeroshot/gonbext"

%%%%
s, err := gonbext.Search(gonbext.SearchOptions{Space: "natstss:C=4,N=1", Size: 16, Batch: 4, Method: "aging:population=20,sample=5", Iterations: %d, Log: %r})
fmt.Println("RESULT", s.Status, s.Iterations, err)
'''.replace("%r", '"%s"')
print("FIRST", run(cell % (100000, log), True))
kept = open(log).read()
count = sum(1 for line in kept.split("\n")[1:] if line.startswith('{"i":'))
print("SECOND", run(cell % (count + 10, log), False))
print("KEPT", count, open(log).read().startswith(kept[:kept.rindex('{"clock"')]))
client.stop_channels()
manager.shutdown_kernel()
`

// TestInterruptSearch interrupts a search in a kernel and goes on with it by running the cell again.
func TestInterruptSearch(t *testing.T) {
	if testing.Short() {
		t.Skip("starting a kernel takes some seconds")
	}
	python := installed(t, "python")
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, "-c", interruptSearch, filepath.Join(t.TempDir(), "log.jsonl")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	first, second, ok := strings.Cut(string(out), "SECOND")
	if !ok || !strings.Contains(first, "RESULT interrupted") || !strings.Contains(first, "run the cell again to go on") {
		t.Errorf("the interrupted cell says:\n%s", first)
	}
	if !strings.Contains(second, "RESULT iteration limit reached") || !strings.Contains(second, "<nil>") || !strings.Contains(second, " True") {
		t.Errorf("the cell that is run again says:\n%s", second)
	}
}
