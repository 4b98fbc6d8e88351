"""The cases of the ONNX backend test suite, and what the runtime makes of them by itself.

A case is a folder with `model.onnx` and `test_data_set_*` of `input_N.pb` and `output_N.pb`; or, in
the category `light`, a file with its outputs beside it and the inputs that ONNX's own runner makes.
"""

import dataclasses
import pathlib

import numpy
import onnx
import onnxruntime
from onnx import numpy_helper

# ONNX's own tolerances in onnx.backend.test.
RELATIVE = 1e-3
ABSOLUTE = 1e-7
RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli",
          "Multinomial"}
PROTOCOL_TYPES = {
    onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8, onnx.TensorProto.INT8,
    onnx.TensorProto.UINT16, onnx.TensorProto.INT16, onnx.TensorProto.INT32,
    onnx.TensorProto.INT64, onnx.TensorProto.STRING, onnx.TensorProto.BOOL,
    onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.UINT32,
    onnx.TensorProto.UINT64, onnx.TensorProto.BFLOAT16,
}


@dataclasses.dataclass
class Case:
    """One model with its data sets."""
    category: str
    name: str
    model: pathlib.Path


def cases_below(root):
    """All cases in a folder laid out as onnx/backend/test/data is."""
    root = pathlib.Path(root)
    return [
        Case(model.parent.parent.name, model.parent.name, model)
        for model in sorted(root.glob("*/*/model.onnx"))
    ] + [Case("light", model.stem, model) for model in sorted(root.glob("light/*.onnx"))]


def is_tensor_of_protocol(value):
    """Whether a graph's input or output is a tensor whose type the protocol has."""
    kind = value.type.WhichOneof("value")
    return kind == "tensor_type" and value.type.tensor_type.elem_type in PROTOCOL_TYPES


def is_random(model):
    """Whether two runs may rightly differ."""
    operators = {node.op_type for node in model.graph.node}
    operators |= {node.op_type for function in model.functions for node in function.node}
    training = any(
        node.op_type == "Dropout" and len(node.input) > 2 for node in model.graph.node)
    return bool(operators & RANDOM) or training


def _tensors(folder, prefix):
    tensors = []
    for index in range(len(list(folder.glob(f"{prefix}_*.pb")))):
        proto = onnx.TensorProto()
        proto.ParseFromString((folder / f"{prefix}_{index}.pb").read_bytes())
        tensors.append(proto)
    return tensors


def _rising(shape):
    """The input that ONNX's runner gives to the light models."""
    count = int(numpy.prod(shape))
    return numpy_helper.from_array((numpy.arange(count).reshape(shape) / count).astype("float32"))


def data_sets(case):
    """(inputs, expected outputs) of each data set, as TensorProtos in the model's order."""
    if case.category == "light":
        shapes = [[extent if isinstance(extent, int) else 1 for extent in value.shape]
                  for value in session_of(str(case.model)).get_inputs()]
        yield [_rising(shape) for shape in shapes], _tensors(case.model.parent,
                                                             f"{case.name}_output")
        return
    for folder in sorted(case.model.parent.glob("test_data_set_*")):
        yield _tensors(folder, "input"), _tensors(folder, "output")


def to_array(proto):
    """The tensor as the runtime's Python interface takes and gives it."""
    array = numpy_helper.to_array(proto)
    if proto.data_type == onnx.TensorProto.STRING:
        return array.astype(object)
    return array


def session_of(path_or_bytes, packed=True):
    """A session that runs on one thread and says nothing; matrices packed as by default, or not.

    Kernels for packed matrices add in another order: the last bits of floats differ.
    """
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_prepacking", "0" if packed else "1")
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path_or_bytes, options,
                                        providers=["CPUExecutionProvider"])


def runtime_results(path, feeds):
    """The runtime's own results of the model in file `path`: first its default ones, then those
    without packed matrices, which a server gives until it has packed them."""
    return [session_of(path, packed).run(None, feeds) for packed in (True, False)]


def agrees(got, expected, exactly=False):
    """Whether two arrays agree: bit by bit, or within ONNX's tolerances."""
    got, expected = numpy.asarray(got), numpy.asarray(expected)
    if got.shape != expected.shape or got.dtype.kind != expected.dtype.kind:
        return False
    if got.dtype != expected.dtype and got.dtype.kind not in "OUS":
        return False
    if got.dtype.kind in "OUS":
        return [str(x) for x in got.ravel()] == [str(x) for x in expected.ravel()]
    if exactly:
        equal_nan = got.dtype.kind in "fc"
        return bool(numpy.array_equal(got, expected, equal_nan=equal_nan))
    return bool(numpy.allclose(got.astype(numpy.float64), expected.astype(numpy.float64),
                               rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True))


def same_kind(got, expected):
    """Whether two results of a random operator have the same shape and type."""
    got, expected = numpy.asarray(got), numpy.asarray(expected)
    return got.shape == expected.shape and got.dtype == expected.dtype
