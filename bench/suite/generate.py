#!/usr/bin/env python3
"""Writes the benchmark models: published architectures, seeded random weights.

  generate.py --list
  generate.py resnet50 gpt2
  generate.py --out DIR --check all

Each NAME gives NAME.onnx, NAME.input.npy and NAME.json (parameters, shapes, SHA-256). A model
that is there already, made by the same code and unchanged, is not made again.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

import catalogue
import graph as graph_module
from graph import Graph

HERE = Path(__file__).resolve().parent
DEFAULT_OUT = Path("~/.cache/cloister/suite")
BLOCK = 1 << 22


def main():
    arguments = parse_arguments()
    if arguments.list:
        for name, entry in catalogue.MODELS.items():
            count = f"{entry.published:,}" if entry.published is not None else "-"
            print(f"{name:22}{str(list(entry.shape)):20}{count:>14}  {entry.source}")
        return 0
    out = arguments.out.expanduser()
    out.mkdir(parents=True, exist_ok=True)
    failures = 0
    for name in selected(arguments.names):
        started = time.monotonic()
        record, made = ensure(out, name)
        took = time.monotonic() - started
        print(f"{name}: {'made' if made else 'kept'}, {record['bytes'] / 1e6:.1f} MB, "
              f"{record['parameters']:,} parameters, {took:.1f} s", flush=True)
        if arguments.check:
            import check  # the runtime is needed here only
            failures += check.check(out, name)
        if arguments.int8:
            import check
            failures += check.quantize(out, name)
    return 1 if failures else 0


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="models, or 'all' (everything) or 'paper' (the thirteen)")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help=f"default {DEFAULT_OUT}")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--check", action="store_true",
                        help="run each in ONNX Runtime; parameter counts within 1 %%")
    parser.add_argument("--int8", action="store_true",
                        help="also write NAME.int8.onnx, dynamically quantised")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names
               if name not in catalogue.MODELS and name not in ("all", "paper")]
    if unknown:
        parser.error(f"unknown: {' '.join(unknown)}; --list prints the names")
    if not arguments.names and not arguments.list:
        parser.error("name at least one model, or use --list")
    return arguments


def selected(names):
    groups = {"all": list(catalogue.MODELS), "paper": list(catalogue.PAPER)}
    expanded = [each for name in names for each in groups.get(name, [name])]
    return list(dict.fromkeys(expanded))


def ensure(out, name):
    """Returns the model's record and whether it had to be made."""
    code = code_digest(catalogue.MODELS[name])
    record = load_record(out, name)
    path = out / f"{name}.onnx"
    if (record and record["code"] == code and path.is_file()
            and (out / f"{name}.input.npy").is_file() and file_digest(path) == record["sha256"]):
        return record, False
    print(f"{name}: making", flush=True)
    return make(out, name, code), True


def make(out, name, code):
    entry = catalogue.MODELS[name]
    graph = Graph(name)
    element = TensorProto.INT64 if entry.vocabulary else TensorProto.FLOAT
    x = graph.input("input_ids" if entry.vocabulary else "input", entry.shape, element)
    getattr(entry.module or catalogue, entry.build)(graph, x, **entry.arguments)
    outputs = [{"name": value.name, "dtype": "float32",
                "shape": [d.dim_value for d in value.type.tensor_type.shape.dim]}
               for value in graph.outputs]
    path = out / f"{name}.onnx"
    save(path, graph.write)
    sample = example_input(graph, entry)
    save(out / f"{name}.input.npy", lambda stream: np.save(stream, sample))
    record = {
        "name": name, "parameters": graph.parameters,
        "architecture_parameters": graph.parameters + graph.folded,
        "published_parameters": entry.published, "source": entry.source,
        "opset": graph_module.OPSET, "bytes": path.stat().st_size,
        "inputs": [{"name": x.name, "dtype": str(sample.dtype), "shape": list(entry.shape),
                    "file": f"{name}.input.npy"}],
        "outputs": outputs, "sha256": file_digest(path), "code": code,
    }
    text = json.dumps(record, indent=2) + "\n"
    save(out / f"{name}.json", lambda stream: stream.write(text.encode()))
    return record


def example_input(graph, entry):
    random = graph.random("the input")
    if entry.vocabulary:
        return random.integers(0, entry.vocabulary, entry.shape, dtype=np.int64)
    return random.standard_normal(entry.shape, dtype=np.float32)


def save(path, write):
    """A file appears under its name only when it is complete."""
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as stream:
        write(stream)
    os.replace(partial, path)


def load_record(out, name):
    try:
        return json.loads((out / f"{name}.json").read_text())
    except (OSError, ValueError):
        return None


def code_digest(entry):
    """Changes when the bytes of the model may change."""
    made_by = (np.__version__, onnx.__version__, entry.build, entry.shape, entry.arguments)
    digest = hashlib.sha256(repr(made_by).encode())
    for module in filter(None, (graph_module, entry.module)):
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()


def file_digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
