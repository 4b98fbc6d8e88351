"""Checks of the suite that need ONNX Runtime, and the quantised variants."""

import json

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 0.01  # of the published count, for parameters in the file


def check(out, name):
    """Runs the model on two inputs. Returns 0 when all is well, 1 otherwise, and says why."""
    record = json.loads((out / f"{name}.json").read_text())
    problems = []
    onnx.checker.check_model(str(out / f"{name}.onnx"), full_check=True)
    published = record["published_parameters"]
    if published is not None:
        if record["architecture_parameters"] != published:
            problems.append(f"{record['architecture_parameters']:,} parameters before folding "
                            f"batch norms, published {published:,}")
        if abs(record["parameters"] - published) > TOLERANCE * published:
            problems.append(f"{record['parameters']:,} parameters, published {published:,}")
    session = _session(out / f"{name}.onnx")
    sample = np.load(out / f"{name}.input.npy")
    first, second = (session.run(None, {session.get_inputs()[0].name: x})
                     for x in (sample, np.ascontiguousarray(sample[..., ::-1] // 2)))
    for value, other, expected in zip(first, second, record["outputs"]):
        if list(value.shape) != expected["shape"]:
            problems.append(f"{expected['name']}: shape {list(value.shape)}")
        if not np.isfinite(value).all():
            problems.append(f"{expected['name']}: not finite")
        if value.size > 1 and value.std() < 1e-3:
            problems.append(f"{expected['name']}: constant within one answer")
        if np.abs(value - other).max() < 1e-3:
            problems.append(f"{expected['name']}: the same for another input")
        print(f"  {expected['name']} {expected['shape']}: mean {value.mean():.3f}, "
              f"deviation {value.std():.3f}, change with input {np.abs(value - other).max():.3f}")
    for problem in problems:
        print(f"  FAILED {problem}")
    return 1 if problems else 0


def _session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def quantize(out, name):
    """Writes NAME.int8.onnx: weights in eight bits, activations quantised as they come. Returns 0
    when the runtime computes something finite with it, 1 otherwise."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # needs ml_dtypes

    target = out / f"{name}.int8.onnx"
    model = onnx.load(out / f"{name}.onnx")
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.name == "/lm_head/Gemm":  # the quantiser transposes in place what Gather reads too
            model.graph.initializer.add().CopyFrom(tensors[node.input[1]])
            node.input[1] = model.graph.initializer[-1].name = "lm_head.weight"
    # Unsigned: the runtime's integer convolution for CPUs takes no signed weights.
    quantize_dynamic(model, target, weight_type=QuantType.QUInt8)
    session = _session(target)
    feed = {session.get_inputs()[0].name: np.load(out / f"{name}.input.npy")}
    finite = all(np.isfinite(value).all() for value in session.run(None, feed))
    print(f"  {target.name}: {target.stat().st_size / 1e6:.1f} MB"
          f"{'' if finite else ', FAILED not finite'}")
    return 0 if finite else 1
