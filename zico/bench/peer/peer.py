"""The peer of `zico bench -peer`: ZiCo scores as PyTorch computes them.

It scores the networks that it is told of in the manner of the method's reference code: a torch.nn.Module,
automatic differentiation with one backward pass for each batch, the weights' gradients copied to the host,
the statistic in numpy. Networks come as lists of layers, so that both programs score the same thing; weights,
images and labels come from the counter formula that package zico/formula describes.

Standard input and output carry one JSON object a line, a reply for each request; the end of the input ends the
program. Requests:

    {"op": "hello", "threads": 2, "device": "cpu"}
    {"op": "score", "network": {...}, "seed": 1, "batch": 128, "batches": 2, "dtype": "float32"}

A reply holds "ok": true and what was asked for, or "ok": false and "error". README.md says what is timed.
"""

import json
import math
import os
import platform
import resource
import sys
import time
import traceback

import numpy as np
import torch
from torch import nn
from torch.nn import functional

PROTOCOL = 1  # raised when requests or replies change; the other side compares

# The formula: package zico/formula. All integers wrap around at 64 bits.

GAMMA = 0x9E3779B97F4A7C15
BIAS_STREAM, IMAGE_STREAM, LABEL_STREAM = 500000, 1000000, 2000000
CHUNK = 1 << 18  # values drawn at once: temporary arrays must not raise the peak memory


def mix(z):
    """The finaliser of splitmix64 on an array of uint64."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def raw(seed, stream, start, stop):
    """Values start to stop of a stream, uniform over 64 bits."""
    # An array of one element, because numpy warns of the overflow of scalars only.
    base = mix(np.array([(seed + GAMMA * (stream + 1)) % 2**64], np.uint64))
    return mix(base + np.uint64(GAMMA) * np.arange(start + 1, stop + 1, dtype=np.uint64))


def signed(seed, stream, count, bound):
    """count values uniform in [-bound, bound), computed in float64 and rounded to float32 once."""
    out = np.empty(count, np.float32)
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        unit = (raw(seed, stream, start, stop) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        out[start:stop] = (2 * unit - 1) * bound
    return out


def draw_batches(shape, classes, seed, batch, batches, dtype):
    """The images [batch, channels, height, width] and labels of each batch."""
    data = []
    for b in range(batches):
        pixels = signed(seed, IMAGE_STREAM + b, batch * math.prod(shape), math.sqrt(3))
        labels = (raw(seed, LABEL_STREAM + b, 0, batch) % np.uint64(classes)).astype(np.int64)
        data.append((torch.from_numpy(pixels).view(batch, *shape).to(dtype), torch.from_numpy(labels)))
    return data


# The networks.


class Zero(nn.Module):
    """x*0, which passes zeros back as well; zeros of another shape where the layer changes it."""

    def __init__(self, before, after):
        super().__init__()
        self.shape = None if before == after else after

    def forward(self, x):
        return x.mul(0.0) if self.shape is None else x.new_zeros(len(x), *self.shape)


class Flat(nn.Module):
    """A linear layer on [batch, features, 1, 1]."""

    def __init__(self, features, out, bias):
        super().__init__()
        self.linear = nn.Linear(features, out, bias=bias)

    def forward(self, x):
        return self.linear(x.flatten(1))[:, :, None, None]


class Call(nn.Module):
    """A layer without parameters."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def add(first, *rest):
    for x in rest:
        first = first + x
    return first


def make_layer(nodes, i, readers):
    """The module of node i. readers counts for each node the nodes that read it."""
    node = nodes[i]
    op, shape = node["op"], node["shape"]
    before = nodes[node["in"][0]]["shape"]
    window = node["kernel"], node["stride"], node["pad"]
    if op == "conv":
        return nn.Conv2d(before[0], shape[0], *window, groups=node["groups"], bias=node["bias"])
    if op == "batchnorm":
        return nn.BatchNorm2d(before[0], eps=node["eps"])
    if op == "relu":
        # In place where nothing else wants the value, as the reference's networks have it behind a batch norm,
        # whose backward pass does not need its own output.
        source = node["in"][0]
        return nn.ReLU(inplace=nodes[source]["op"] == "batchnorm" and readers[source] == 1)
    if op == "avgpool":
        return nn.AvgPool2d(*window, count_include_pad=node["count_pad"])
    if op == "maxpool":
        return nn.MaxPool2d(*window)
    if op == "globalavgpool":
        return nn.AdaptiveAvgPool2d(1)
    if op == "linear":
        return Flat(before[0], shape[0], node["bias"])
    if op == "zero":
        return Zero(before, shape)
    if op == "scale":
        return Call(lambda x: x * node["factor"])
    if op == "add":
        return Call(add)
    if op == "concat":
        return Call(lambda *xs: torch.cat(xs, 1))
    if op == "slice":
        return Call(lambda x: x[:, node["from"] : node["to"]])
    if op == "shift":
        return Call(lambda x: functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:])
    if op == "sigmoid":
        return nn.Sigmoid()
    if op == "gate":
        return Call(torch.mul)
    raise ValueError(f"node {i}: no layer for the operation {op!r}")


class Network(nn.Module):
    """A network made from the list of its layers, with the formula's weights."""

    def __init__(self, description, seed):
        super().__init__()
        self.nodes = nodes = description["nodes"]
        self.output = description["output"]
        readers, self.last = [0] * len(nodes), [0] * len(nodes)
        for i, node in enumerate(nodes):
            for j in node["in"]:
                readers[j] += 1
                self.last[j] = i
        self.layers = nn.ModuleList([nn.Identity()] + [make_layer(nodes, i, readers) for i in range(1, len(nodes))])
        self.weighted = []  # (ordinal of the layer, its module), as the scores count them
        for node, layer in zip(nodes, self.layers):
            if node["op"] in ("conv", "linear"):
                self.weighted.append((node["layer"], layer.linear if node["op"] == "linear" else layer))
        for ordinal, layer in self.weighted:
            bound = 1 / math.sqrt(layer.weight[0].numel())
            for stream, tensor in ((ordinal, layer.weight), (BIAS_STREAM + ordinal, layer.bias)):
                if tensor is not None:
                    tensor.data.copy_(torch.from_numpy(signed(seed, stream, tensor.numel(), bound)).view_as(tensor))

    def forward(self, x):
        values = [None] * len(self.nodes)
        values[0] = x
        for i, (node, layer) in enumerate(zip(self.nodes, self.layers)):
            if i > 0:
                values[i] = layer(*[values[j] for j in node["in"]])
            for j in node["in"]:
                if self.last[j] == i and j != self.output:
                    values[j] = None  # only what autograd has kept stays
        return values[self.output].flatten(1)


# The score.


def gradients(network, data, device):
    """The gradient of each weight in each batch, flat, on the host, by ordinal; and the losses."""
    found = {ordinal: [] for ordinal, _ in network.weighted}
    losses = []
    for pixels, labels in data:
        network.zero_grad()
        loss = functional.cross_entropy(network(pixels.to(device)), labels.to(device))
        loss.backward()
        losses.append(loss.item())
        for ordinal, layer in network.weighted:
            if layer.weight.grad is not None:
                found[ordinal].append(layer.weight.grad.cpu().reshape(-1).numpy())
    return found, losses


def statistic(found):
    """Sum over layers of ln(sum over weights of mean |g| / std g); a layer whose sum is 0 is left out."""
    total = 0.0
    for batches in found.values():
        if not batches:
            continue  # the weight does not reach the loss
        g = np.stack(batches)
        std = np.std(g, axis=0)
        kept = np.nonzero(std)[0]
        layer = np.sum(np.mean(np.abs(g), axis=0)[kept] / std[kept])
        if layer != 0:
            total += np.log(layer)
    return float(total)


def peak_bytes():
    """The largest resident size of this process so far."""
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    # macOS counts in bytes, and has no such file.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Peer:
    def __init__(self):
        self.device = torch.device("cpu")

    def hello(self, request):
        torch.set_num_threads(request["threads"])
        self.device = torch.device(request["device"])
        name = ""
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
            # As on the other side: TF32 products differ from the reference in the third digit.
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.backends.cudnn.allow_tf32 = False
        return {
            "protocol": PROTOCOL,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "threads": torch.get_num_threads(),
            "device": name or str(self.device),
        }

    def score(self, request):
        started = time.perf_counter()
        dtype = {"float32": torch.float32, "float64": torch.float64}[request["dtype"]]
        description = request["network"]
        network = Network(description, request["seed"]).to(self.device, dtype)
        network.train()
        classes = description["classes"]
        data = draw_batches(description["input"], classes, request["seed"], request["batch"], request["batches"], dtype)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        ready = time.perf_counter()
        found, losses = gradients(network, data, self.device)
        score = statistic(found)
        done = time.perf_counter()
        reply = {
            "score": score if math.isfinite(score) else None,  # JSON has no number for the others
            "losses": [x if math.isfinite(x) else None for x in losses],
            "layers": len(network.weighted),
            "setup_s": ready - started,
            "run_s": done - ready,
            "peak_bytes": peak_bytes(),
        }
        if self.device.type == "cuda":
            reply["device_peak_bytes"] = torch.cuda.max_memory_reserved(self.device)
        return reply


def main():
    # Replies have the standard output to themselves; whatever a library prints goes to standard error.
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peer = Peer()
    operations = {"hello": peer.hello, "score": peer.score}
    for line in sys.stdin:
        try:
            request = json.loads(line)
            reply = {"ok": True, **operations[request["op"]](request)}
        except Exception as e:  # a request that fails must not end the series
            traceback.print_exc()
            reply = {"ok": False, "error": f"{type(e).__name__}: {e}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
