"""Makes the files in the official formats that the tests read, with the official writers where those can be installed, and expected.json with what the official readers say of them.

    pip install torch==2.2.2 numpy==1.26.4 nats_bench==1.8 nas-bench-201==2.1 protobuf==7.36.2 tfrecord==1.14.5 crc32c==2.7.1
    python3 testdata/generate.py testdata

The numbers are made up; only the layout is official. Records are made by ResultsCount and ArchResults of nats_bench, files by torch.save, masked checksums by tfrecord, messages by protobuf.
"""

import base64
import bz2
import json
import os
import pickle
import random
import shutil
import struct
import sys
from collections import OrderedDict

import numpy as np
import torch
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from nas_201_api import NASBench201API
from nats_bench import ArchResults, ResultsCount, create
from tfrecord.writer import TFRecordWriter

OUT = sys.argv[1]
EXPECTED = {}
random.seed(7)


def path(*names):
    return os.path.join(OUT, *names)


def result(name, arch, sets, seed, epochs, config):
    """A trial, as AutoDL-Projects makes them."""
    acc = lambda: random.random() * 100
    r = ResultsCount(name, None, {e: acc() for e in range(epochs)}, {e: acc() for e in range(epochs)}, 0.5, 12.25, config, seed, epochs, None)
    r.update_train_info({e: acc() for e in range(epochs)}, {e: acc() for e in range(epochs)}, {e: acc() for e in range(epochs)}, OrderedDict((e, acc()) for e in range(epochs)))
    accs, losses, times = {}, {}, {}
    for s in sets:
        for e in range(epochs):
            key = "{:}@{:}".format(s, e)
            accs[key], losses[key], times[key] = acc(), acc(), acc()
    r.update_eval(accs, losses, times)
    r.update_latency([0.01])
    return r


SETS = {"cifar10-valid": ["x-valid", "ori-test"], "cifar10": ["ori-test"], "cifar100": ["ori-test", "x-valid", "x-test"], "ImageNet16-120": ["ori-test", "x-valid", "x-test"]}


def arch_results(index, arch, epochs, seeds, config, datasets=tuple(SETS)):
    a = ArchResults(index, arch)
    for d in datasets:
        for s in seeds:
            a.update(d, s, result(d, arch, SETS[d], s, epochs, config))
    return a.state_dict()


WHAT = [("cifar10", "test", "cifar10", "test-accuracy"), ("cifar100", "test", "cifar100", "test-accuracy"), ("ImageNet16-120", "test", "ImageNet16-120", "test-accuracy"),
        ("cifar10", "valid", "cifar10-valid", "valid-accuracy"), ("cifar100", "valid", "cifar100", "valid-accuracy"), ("ImageNet16-120", "valid", "ImageNet16-120", "valid-accuracy")]


def ask(api, indices, hps, longest):
    """What the official API says, by column and architecture."""
    columns = {}
    for hp in hps:
        for dataset, metric, trained, key in WHAT:
            name = "%s/%s" % (dataset, metric) + ("" if int(hp) == longest else "@%d" % int(hp))
            for i in indices:
                try:
                    v = api.get_more_info(i, trained, hp=hp, is_random=False)[key]
                except KeyError:
                    continue  # the dataset is not there
                columns.setdefault(name, {})[api.arch(i)] = float(v)
    return columns


def nats(name, archs, space, hps, longest, config):
    info = OrderedDict()
    for i, arch in enumerate(archs):
        info[i] = OrderedDict((hp, arch_results(i, arch, 2 + n, seeds, config(arch))) for n, (hp, seeds) in enumerate(hps.items()))
    whole = {"meta_archs": archs, "total_archs": len(archs), "arch2infos": info, "evaluated_indexes": set(info)}
    with bz2.BZ2File(path(name + ".pickle.pbz2"), "wb") as f:
        pickle.dump(whole, f, protocol=4)
    api = create(path(name + ".pickle.pbz2"), space, fast_mode=False, verbose=False)
    EXPECTED[name + ".pickle.pbz2"] = {"space": "nats" + space, "columns": ask(api, list(info), list(hps), longest)}
    folder = name + "-simple"
    shutil.rmtree(path(folder), ignore_errors=True)
    os.makedirs(path(folder))
    with bz2.BZ2File(path(folder, "meta.pickle.pbz2"), "wb") as f:
        pickle.dump({"meta_archs": archs, "total_archs": len(archs), "evaluated_indexes": set(info)}, f, protocol=4)
    for i in list(info)[:-1]:  # the last one is left out
        with bz2.BZ2File(path(folder, "%06d.pickle.pbz2" % i), "wb") as f:
            pickle.dump(dict(info[i]), f, protocol=4)
    api = create(path(folder), space, fast_mode=True, verbose=False)
    EXPECTED[folder] = {"space": "nats" + space, "columns": ask(api, list(info)[:-1], list(hps), longest)}


TSS = ["|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
       "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
       "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"]
tss_config = lambda arch: {"channel": 16, "num_cells": 5, "arch_str": arch, "class_num": 10}
nats("NATS-tss-v1_0-3ffb9", TSS, "tss", {"12": [777], "200": [777, 888, 999]}, 200, tss_config)

GENOTYPE = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
sss_config = lambda arch: {"name": "infer.shape.tiny", "channels": arch, "genotype": GENOTYPE, "class_num": 10}
nats("NATS-sss-v1_0-50262", ["8:8:8:8:8", "64:64:64:64:64", "8:16:24:32:40"], "sss", {"01": [777], "12": [777], "90": [777]}, 90, sss_config)

# NAS-Bench-201, in both containers of torch.save; fewer datasets in "less", as in version 1.0.
info = {i: {"full": arch_results(i, arch, 4, [777, 888][: 1 + i % 2], tss_config(arch)), "less": arch_results(i, arch, 3, [777], tss_config(arch), ("cifar10-valid",))} for i, arch in enumerate(TSS)}
whole = {"meta_archs": TSS, "arch2infos": info, "evaluated_indexes": list(info)}
for name, zipped in (("NAS-Bench-201-v1_0-e61699.pth", False), ("NAS-Bench-201-v1_1-096897.pth", True)):
    torch.save(whole, path(name), _use_new_zipfile_serialization=zipped)
    api = NASBench201API(path(name), verbose=False)
    EXPECTED[name] = {"space": "natstss", "columns": ask(api, list(info), ["12", "200"], 200)}

# TransNAS-Bench-101. Some of the numbers are NumPy's, some lists are arrays; what is expected is what its API gives: the largest value and the last one.
METRICS = {"class_scene": "valid_top1", "class_object": "valid_top1", "room_layout": "valid_neg_loss", "jigsaw": "valid_top1", "segmentsemantic": "valid_mIoU", "normal": "valid_ssim", "autoencoder": "valid_ssim"}
data, expected = {}, {}
for space, archs in (("macro", ["64-1234-basic", "64-41414-basic"]), ("micro", ["64-41414-1_02_333", "64-41414-0_00_000", "64-41414-3_33_333"])):
    data[space], expected[space] = {}, {}
    for arch in archs:
        data[space][arch] = {}
        for task, metric in METRICS.items():
            values = [random.random() - (task == "room_layout") for _ in range(4)]
            if task == "normal":
                values = [np.float64(v) for v in values]
            if task == "jigsaw":
                values = np.array(values, dtype=np.float32)
            data[space][arch][task] = {"encoder_str": arch, "total_epochs": 4, "model_info": {"inference_time": 0.1, "encoder_params": 10, "model_params": 20}, "metrics": {"train_loss": [1.0, 0.5, 0.25, 0.125], metric: values, "time_elapsed": [1, 2, 3, 4]}}
            expected[space].setdefault(task + "/best", {})[arch] = float(max(values))
            expected[space].setdefault(task + "/final", {})[arch] = float(values[-1])
whole = {"data": data, "metrics_dict": {t: ["train_loss", m, "time_elapsed"] for t, m in METRICS.items()}, "info_names": ["inference_time", "encoder_params", "model_params"], "task_list": list(METRICS)}
for name, zipped in (("transnas-bench_v10141024.pth", False), ("transnas-bench_zip.pth", True)):
    torch.save(whole, path(name), _use_new_zipfile_serialization=zipped)
    EXPECTED[name] = {"space": "transnas", "columns": expected["micro"]}
    EXPECTED[name + "#transnas:macro=1"] = {"space": "transnas:macro=1", "columns": expected["macro"]}

# NASLib: one dataset a file, lists of Python or NumPy.
for name, dataset in (("nb201_cifar10_full_training.pickle", "cifar10-valid"), ("nb201_ImageNet16_full_training.pickle", "ImageNet16-120")):
    records, columns = {}, {}
    for arch in TSS:
        m = {k: [random.random() * 100 for _ in range(3)] for k in ("train_losses", "eval_losses", "train_acc1es", "eval_acc1es")}
        if dataset != "cifar10-valid":
            m = {k: np.array(v) for k, v in m.items()}
        records[arch] = {dataset: {**m, "cost_info": {"flops": 1.5, "params": 0.1, "latency": 0.01, "train_time": 9.0}}}
        for key, metric in (("eval_acc1es", "eval"), ("train_acc1es", "train"), ("eval_losses", "eval_loss"), ("train_losses", "train_loss")):
            columns.setdefault(dataset + "/" + metric, {})[arch] = float(m[key][-1])
    with open(path(name), "wb") as f:
        pickle.dump(records, f, protocol=4 if dataset == "cifar10-valid" else 2)
    EXPECTED[name] = {"space": "natstss", "columns": columns}

# NAS-Bench-101.
file = descriptor_pb2.FileDescriptorProto(name="model_metrics.proto", package="nasbench", syntax="proto2")
F = descriptor_pb2.FieldDescriptorProto
e = file.message_type.add(name="EvaluationData")
for number, name in enumerate(("current_epoch", "training_time", "train_accuracy", "validation_accuracy", "test_accuracy"), 1):
    e.field.add(name=name, number=number, type=F.TYPE_DOUBLE, label=F.LABEL_OPTIONAL)
e.field.add(name="checkpoint_path", number=6, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL)
m = file.message_type.add(name="ModelMetrics")
m.field.add(name="evaluation_data", number=1, type=F.TYPE_MESSAGE, type_name=".nasbench.EvaluationData", label=F.LABEL_REPEATED)
m.field.add(name="trainable_parameters", number=2, type=F.TYPE_INT32, label=F.LABEL_OPTIONAL)
m.field.add(name="total_time", number=3, type=F.TYPE_DOUBLE, label=F.LABEL_OPTIONAL)
pool = descriptor_pool.DescriptorPool()
pool.Add(file)
ModelMetrics = message_factory.GetMessageClass(pool.FindMessageTypeByName("nasbench.ModelMetrics"))

CELLS = [  # hash, matrix, operations: the first three of the benchmark (spaces/nasbench101)
    ("00005c142e6f48ac74fdcf73e3439874", "0100110001000000010010000010000001000000010000000", "input,conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,output"),
    ("0000718c96730a92ea6d5242f8ce77e2", "0100000001000000010000000111000001000000010000000", "input,conv1x1-bn-relu,conv1x1-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,conv3x3-bn-relu,output"),
    ("0000cb5372fad9d62c470df699ac6d52", "0100010001001000010000000101000001000000010000000", "input,conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu,maxpool3x3,conv1x1-bn-relu,output"),
]
for name, epochs in (("nasbench_only108.tfrecord", [108]), ("nasbench_full.tfrecord", [4, 12, 36, 108])):
    columns = {}
    with open(path(name), "wb") as f:
        for h, matrix, ops in CELLS:
            for n in epochs:
                runs = []
                for _ in range(3):
                    metrics = ModelMetrics(trainable_parameters=8555530, total_time=3000.5)
                    for k in range(3):
                        v = [n * k / 2, random.random() * 2000, random.random(), random.random(), random.random()]
                        metrics.evaluation_data.add(current_epoch=v[0], training_time=v[1], train_accuracy=v[2], validation_accuracy=v[3], test_accuracy=v[4], checkpoint_path="")
                    runs.append(v)
                    record = json.dumps([h, n, matrix, ops, base64.b64encode(metrics.SerializeToString()).decode()]).encode()
                    length = struct.pack("<Q", len(record))
                    f.write(length + TFRecordWriter.masked_crc(length) + record + TFRecordWriter.masked_crc(record))
                at = "" if n == 108 else "@%d" % n
                for k, (metric, scale) in enumerate((("time", 1), ("train", 100), ("valid", 100), ("test", 100)), 1):
                    columns.setdefault("cifar10/" + metric + at, {})[h] = float(np.mean([r[k] * scale for r in runs]))
                columns.setdefault("parameters", {})[h] = 8555530.0
    EXPECTED[name] = {"space": "nasbench101", "columns": columns}

# NAS-Bench-Suite-Zero. A NaN and an infinity are written as Python does.
proxies = lambda: {"id": random.randrange(10**5), **{p: {"score": random.random() * 1e6 - 5e5, "time": 0.1} for p in ("epe_nas", "synflow", "zen", "params")}, "val_accuracy": random.random() * 100}
suite = {"cifar10": {k: proxies() for k in ("(4, 0, 3, 1, 4, 3)", "(1, 1, 1, 1, 1, 1)")}, "ImageNet16-120": {"(4, 0, 3, 1, 4, 3)": proxies()}}
suite["cifar10"]["(1, 1, 1, 1, 1, 1)"]["epe_nas"]["score"] = float("nan")
suite["cifar10"]["(1, 1, 1, 1, 1, 1)"]["synflow"]["score"] = float("-inf")

def naslib_string(indices):
    """The string of a tuple of NASLib (naslib/search_spaces/nasbench201/conversions.py): edges in the order of their sources, operations numbered as here."""
    ops = ["skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"]
    edges = dict(zip([(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)], indices))
    return "+".join("|" + "".join("%s~%d|" % (ops[edges[u, v]], u - 1) for u in range(1, v)) for v in (2, 3, 4))


columns = {}
for d, archs in suite.items():
    for k, fields in archs.items():
        arch = naslib_string(eval(k))
        for name, v in fields.items():
            if name != "id" and (name == "val_accuracy" or v["score"] == v["score"]):
                x = v if name == "val_accuracy" else v["score"]
                columns.setdefault(d + "/" + name, {})[arch] = x if abs(x) < 1e300 else "-inf"
with open(path("zc_nasbench201.json"), "w") as f:
    json.dump(suite, f)
EXPECTED["zc_nasbench201.json"] = {"space": "natstss", "columns": columns}

with open(path("expected.json"), "w") as f:
    json.dump(EXPECTED, f, indent=1)
