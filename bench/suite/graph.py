"""An ONNX graph under construction, with seeded random weights.

Values carry their shape, so a layer needs only what its paper gives: channels, kernel, stride.
Names follow the exports of PyTorch: weights as module paths, nodes as /module/Operator.
"""

import hashlib
from dataclasses import dataclass
from math import prod, sqrt

import numpy as np
import onnx
from onnx import TensorProto, helper

OPSET = 17
IR_VERSION = 8  # the IR version that was current with opset 17
SEED = 20260


@dataclass(frozen=True)
class Value:
    """A tensor that flows along an edge of the graph. `shape` is fully known."""

    name: str
    shape: tuple[int, ...]


def pair(number):
    return number if isinstance(number, tuple) else (number, number)


class Graph:
    """Collects nodes and weights, then writes the file."""

    def __init__(self, name):
        self.name = name
        self.parameters = 0  # trainable scalars in the file
        self.folded = 0  # trainable scalars that folding batch norms away has saved
        self.nodes, self.inputs, self.outputs = [], [], []
        self._tensors = []
        self._taken = set()
        self._constants = {}

    def write(self, stream):
        """Writes the model as protobuf, one tensor at a time: serialised in one piece it would be
        in memory three times, which at 830 MB is felt."""
        before = onnx.GraphProto(node=self.nodes, name=self.name).SerializeToString()
        after = onnx.GraphProto(input=self.inputs, output=self.outputs).SerializeToString()
        heads = [_head(onnx.GraphProto.INITIALIZER_FIELD_NUMBER, tensor.ByteSize())
                 for tensor in self._tensors]
        length = len(before) + len(after) + sum(
            len(head) + tensor.ByteSize() for head, tensor in zip(heads, self._tensors))
        stream.write(onnx.ModelProto(ir_version=IR_VERSION, producer_name="cloister-bench-suite"
                                     ).SerializeToString())
        stream.write(_head(onnx.ModelProto.GRAPH_FIELD_NUMBER, length) + before)
        for head, tensor in zip(heads, self._tensors):
            stream.write(head)
            stream.write(tensor.SerializeToString())
        stream.write(after)
        opset = helper.make_opsetid("", OPSET)
        stream.write(onnx.ModelProto(opset_import=[opset]).SerializeToString())

    # ---- weights

    def random(self, name):
        """The generator of one tensor: depends on model and tensor name, not on the order."""
        digest = hashlib.sha256(f"{SEED}/{self.name}/{name}".encode()).digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))

    def store(self, name, array):
        """Adds `array` as an initializer that is no parameter, and returns its name."""
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        self._tensors.append(onnx.TensorProto(
            dims=array.shape, data_type=kind, name=name, raw_data=array.tobytes()))
        return name

    def weight(self, name, shape, deviation, mean=0.0):
        """A trainable tensor, normally distributed."""
        array = self.random(name).standard_normal(shape, dtype=np.float32)
        array *= np.float32(deviation)
        array += np.float32(mean)
        self.parameters += prod(shape)
        return self.store(name, array)

    def constant(self, array):
        """A small constant; equal ones are stored once."""
        array = np.asarray(array)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"onnx::constant_{len(self._constants)}"
            self._constants[key] = self.store(name, array)
        return self._constants[key]

    # ---- nodes

    def input(self, name, shape, element=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, element, shape))
        return Value(name, tuple(shape))

    def output(self, value, name):
        """Makes `value`, the result of a node, an output of the model under the name `name`."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for index, each in enumerate(names):
                    if each == value.name:
                        names[index] = name
        self.outputs.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape))

    def op(self, kind, path, inputs, shape, **attributes):
        """Appends one node. `inputs` are Values or names of initializers."""
        name = f"/{path.replace('.', '/')}/{kind}"
        count = 1
        while name in self._taken:
            name = f"/{path.replace('.', '/')}/{kind}_{count}"
            count += 1
        self._taken.add(name)
        names = [item.name if isinstance(item, Value) else item for item in inputs]
        result = f"{name}_output_0"
        self.nodes.append(helper.make_node(kind, names, [result], name, **attributes))
        return Value(result, tuple(shape))

    # ---- layers

    def conv(self, x, path, channels, kernel, stride=1, padding=0, groups=1, gain=2.0,
             bias="norm"):
        """Convolution. `bias`: "norm" (of a batch norm behind it, which is folded in, as an
        export in evaluation mode folds it), "own", or None. `gain` is the variance the layer
        gives back: 2 behind a rectifier (He), 1 behind a linear layer. `padding` is a number, a
        pair, or "same" (TensorFlow's rule)."""
        kernel = pair(kernel)
        fan_in = x.shape[1] // groups * prod(kernel)
        inputs = [x, self.weight(f"{path}.weight", (channels, x.shape[1] // groups, *kernel),
                                 sqrt(gain / fan_in))]
        if bias:
            inputs.append(self.weight(f"{path}.bias", (channels,), 0.1))
        if bias == "norm":
            self.folded += channels  # scale and shift became one bias
        pads = _pads(x.shape[2:], kernel, stride, padding)
        spatial = _spatial(x.shape[2:], kernel, stride, pads)
        return self.op("Conv", path, inputs, (x.shape[0], channels, *spatial),
                       kernel_shape=kernel, strides=pair(stride), pads=pads, group=groups,
                       dilations=[1, 1])

    def batch_norm(self, x, path):
        """A batch norm that no convolution precedes; running statistics are no parameters."""
        channels = x.shape[1]
        random = self.random(f"{path}.running")
        inputs = [x, self.weight(f"{path}.weight", (channels,), 0.1, mean=1.0),
                  self.weight(f"{path}.bias", (channels,), 0.1),
                  self.store(f"{path}.running_mean",
                             (0.1 * random.standard_normal(channels)).astype(np.float32)),
                  self.store(f"{path}.running_var",
                             random.uniform(0.6, 1.6, channels).astype(np.float32))]
        return self.op("BatchNormalization", path, inputs, x.shape, epsilon=1e-5)

    def linear(self, x, path, features, gain=1.0):
        """Fully connected layer on [rows, features]."""
        weights = self.weight(f"{path}.weight", (features, x.shape[1]), sqrt(gain / x.shape[1]))
        bias = self.weight(f"{path}.bias", (features,), 0.1)
        return self.op("Gemm", path, [x, weights, bias], (x.shape[0], features), transB=1)

    def relu(self, x, path):
        return self.op("Relu", path, [x], x.shape)

    def relu6(self, x, path):
        limits = [self.constant(np.float32(0)), self.constant(np.float32(6))]
        return self.op("Clip", path, [x, *limits], x.shape)

    def sigmoid(self, x, path):
        return self.op("Sigmoid", path, [x], x.shape)

    def silu(self, x, path):
        return self.op("Mul", path, [x, self.sigmoid(x, path)], x.shape)

    def add(self, a, b, path):
        return self.op("Add", path, [a, b], a.shape)

    def concat(self, values, path, axis=1):
        shape = list(values[0].shape)
        shape[axis] = sum(value.shape[axis] for value in values)
        return self.op("Concat", path, values, shape, axis=axis)

    def max_pool(self, x, path, kernel, stride, padding=0, ceil=False):
        pads = _pads(x.shape[2:], pair(kernel), stride, padding)
        spatial = _spatial(x.shape[2:], pair(kernel), stride, pads, ceil)
        return self.op("MaxPool", path, [x], (*x.shape[:2], *spatial), kernel_shape=pair(kernel),
                       strides=pair(stride), pads=pads, ceil_mode=int(ceil))

    def average_pool(self, x, path, kernel, stride, padding=0):
        pads = _pads(x.shape[2:], pair(kernel), stride, padding)
        spatial = _spatial(x.shape[2:], pair(kernel), stride, pads)
        return self.op("AveragePool", path, [x], (*x.shape[:2], *spatial),
                       kernel_shape=pair(kernel), strides=pair(stride), pads=pads,
                       count_include_pad=1)

    def global_average_pool(self, x, path):
        return self.op("GlobalAveragePool", path, [x], (*x.shape[:2], 1, 1))

    def flatten(self, x, path):
        return self.op("Flatten", path, [x], (x.shape[0], prod(x.shape[1:])), axis=1)

    def reshape(self, x, path, shape):
        return self.op("Reshape", path, [x, self.constant(np.array(shape, np.int64))], shape)

    def transpose(self, x, path, order):
        return self.op("Transpose", path, [x], [x.shape[axis] for axis in order], perm=order)


def _head(field, length):
    """What precedes a protobuf field of `length` bytes: number and wire type 2, then the length."""
    encoded = [field << 3 | 2]
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*encoded, length])


def _pads(spatial, kernel, stride, padding):
    """ONNX pads: [top, left, bottom, right]."""
    if padding != "same":
        return [*pair(padding), *pair(padding)]
    total = [max(0, (-(-size // stride) - 1) * stride + window - size)
             for size, window in zip(spatial, kernel)]
    return [size // 2 for size in total] + [size - size // 2 for size in total]


def _spatial(spatial, kernel, stride, pads, ceil=False):
    steps = [(size + pads[axis] + pads[axis + 2] - kernel[axis], pair(stride)[axis])
             for axis, size in enumerate(spatial)]
    return [(-(-span // step) if ceil else span // step) + 1 for span, step in steps]
