"""Writes the cases of the installed `onnx` package as files: make_cases.py FOLDER.

Releases of late make the cases of single operators when they are asked for, and store the others.
Runs in an environment of its own, with the release whose cases are wanted.
"""

import pathlib
import shutil
import sys

import numpy
import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test import cmd_tools
from onnx.backend.test.case import model as model_cases
from onnx.backend.test.case import node as node_cases


def to_proto(value):
    """The tensor, or nothing for a sequence, a map or an optional."""
    if isinstance(value, TensorProto):
        return value
    if isinstance(value, (list, dict)) or value is None:
        return None
    return numpy_helper.from_array(numpy.asarray(value))


def write(case, root):
    folder = root / case.kind / case.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    for number, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{number}"
        data.mkdir(exist_ok=True)
        for prefix, values in (("input", inputs), ("output", outputs)):
            for place, value in enumerate(values):
                proto = to_proto(value)
                if proto is not None:
                    (data / f"{prefix}_{place}.pb").write_bytes(proto.SerializeToString())


def main():
    root = pathlib.Path(sys.argv[1])
    shutil.copytree(cmd_tools.DATA_DIR, root)
    made = [*node_cases.collect_testcases(), *model_cases.collect_testcases()]
    cases = [case for case in made if case.model is not None]
    for case in cases:
        write(case, root)
    print(f"onnx {onnx.__version__}: {len(cases)} cases made")


if __name__ == "__main__":
    main()
