"""Times the cells of a notebook, as `zico bench -cells` asks for: one kernel from its start to its end.

    python cells.py KERNEL_FOLDER

KERNEL_FOLDER holds the kernel.json of the kernel. The answer is one JSON object of times in seconds; `zico bench -h` says what each is.
"""

import datetime
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import time

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

FIRST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"
NEXT = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_1x1~2|"

GONBEXT = """
import "fmt"
import "github.com/zeroshotnas/zeroshot/gonbext"

%%%%
fmt.Println(gonbext.Options{Batch: %d}.Batch)
"""

SCORE = """
import "github.com/zeroshotnas/zeroshot/gonbext"

%%%%
if _, err := gonbext.Score("%s", gonbext.Options{}); err != nil {
	panic(err)
}
"""

# The parts of a score, each with the time at its end.
PARTS = """
import (
	"context"
	"fmt"
	"time"

	"github.com/zeroshotnas/zeroshot/gonbext"
	"github.com/zeroshotnas/zeroshot/zico"
	"github.com/zeroshotnas/zeroshot/zico/backend"
	"github.com/zeroshotnas/zeroshot/zico/images"
)

%%%%
at := func(what string, err error) {
	if err != nil {
		panic(err)
	}
	fmt.Println("AT", what, time.Now().UnixMicro())
}
at("main", nil)
_ = gonbext.Options{} // brings the spaces; a program as other cells link it
src, err := images.Open("embedded")
var data []images.Batch
if err == nil {
	data, err = src.Batches(context.Background(), images.Options{Seed: 1})
}
at("images", err)
be, err := backend.Open("")
at("backend", err)
s, err := zico.New(be, zico.Config{})
at("scorer", err)
for _, what := range []string{"score", "again"} {
	for _, err := range s.ScoreAll(context.Background(), data, []zico.Request{{Space: "natstss", Arch: "%s", Seed: 1}}) {
		at(what, err)
	}
}
"""


class Kernel:
    """A kernel that tells, on its standard error, when it does what."""

    def __init__(self, folder, scratch):
        self.graph = os.path.join(scratch, "actions.json")
        self.log = open(os.path.join(scratch, "log"), "w+")
        folder = os.path.abspath(folder)
        specs = KernelSpecManager(kernel_dirs=[os.path.dirname(folder)])
        self.manager = KernelManager(kernel_name=os.path.basename(folder), kernel_spec_manager=specs)
        env = self.manager.kernel_spec.env
        if "GOFLAGS" not in env:
            env["GOFLAGS"] = subprocess.run(["go", "env", "GOFLAGS"], capture_output=True, text=True, check=True).stdout.strip()
        env["GOFLAGS"] += " -debug-actiongraph=" + self.graph
        began = time.time()
        self.manager.start_kernel(extra_arguments=["--vmodule=execcode=2"], stderr=self.log)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)
        self.started = time.time() - began

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel()
        self.log.close()

    def run(self, code):
        """Runs a cell and returns when its steps ended, in order: (name, Unix time)."""
        self.log.seek(0, os.SEEK_END)
        mark = self.log.tell()
        if os.path.exists(self.graph):
            os.remove(self.graph)
        steps = [("asked", time.time())]
        message, text = self.client.execute(code), ""
        while True:
            try:
                m = self.client.get_iopub_msg(timeout=300)
            except queue.Empty:
                sys.exit("the cell does not end:" + code)
            if m["parent_header"].get("msg_id") != message:
                continue
            content = m["content"]
            if m["msg_type"] == "stream":
                text += content["text"]
            elif m["msg_type"] == "error":
                sys.exit("the cell failed: %s\n%s\n%s" % (content["evalue"], text, code))
            elif m["msg_type"] == "status" and content["execution_state"] == "idle":
                break
        end = time.time()
        self.log.seek(mark)
        log = self.log.read()
        for name, what in [("gonb", r"Executing \S*goimports"), ("goimports", r"Executing \S*go get"), ("go get", r"Executing \S*go build"), ("build", r"after s\.Compile")]:
            found = re.search(r"^I(\d{4} [\d:.]+) .*" + what, log, re.M)
            if not found:
                if name != "goimports":  # without go get
                    sys.exit("the kernel's log does not say %s:\n%s" % (what, log))
                continue
            year = datetime.datetime.now().year
            steps.append((name, datetime.datetime.strptime("%d%s" % (year, found.group(1)), "%Y%m%d %H:%M:%S.%f").timestamp()))
        for name, at in re.findall(r"^AT (\w+) (\d+)", text, re.M):
            steps.append((name, int(at) / 1e6))
        return steps + [("end", end)]

    def actions(self):
        """The time that the last `go build` spent compiling and linking. Both are 0 where it found everything up to date."""
        spent = {"build": 0.0, "link": 0.0}
        with open(self.graph) as f:
            for action in json.load(f):
                begin, done = action.get("TimeStart", "0001"), action.get("TimeDone", "0001")
                if action["Mode"] in spent and action.get("Cmd") and not begin.startswith("0001"):
                    spent[action["Mode"]] += seconds(done) - seconds(begin)
        return spent


def seconds(stamp):
    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", stamp.replace("Z", "+00:00"))).timestamp()


def whole(steps):
    return steps[-1][1] - steps[0][1]


def measure(folder, scratch):
    kernel = Kernel(folder, scratch)
    try:
        out = {"start": kernel.started}
        out["hello"] = whole(kernel.run('%%\nfmt.Println("hello")'))
        out["import"] = whole(kernel.run(GONBEXT % 1))
        out["same"] = whole(kernel.run(GONBEXT % 1))
        out["changed"] = whole(kernel.run(GONBEXT % 2))
        out["score"] = whole(kernel.run(SCORE % FIRST))
        out["next"] = whole(kernel.run(SCORE % NEXT))
        steps = kernel.run(PARTS % FIRST)
        out["parts"] = {name: at - before for (_, before), (name, at) in zip(steps, steps[1:])}
        out["parts"].update({"go " + mode: spent for mode, spent in kernel.actions().items()})
        return out
    finally:
        kernel.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        json.dump(measure(sys.argv[1], scratch), sys.stdout)
