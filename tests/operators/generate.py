"""Prints src/graph/rules/operators.txt, the operators that admission lets through.

Standard operators come from the schemas of the `onnx` package at the version that the pinned
runtime was built with; the runtime's own operators from the schemas inside that runtime, those
alone that are named below. `--check FILE` compares instead: 0 same, 1 differs, 77 when the
packages are not here (CTest shows that as skipped).
"""

import sys

ONNX_VERSION = "1.21.0"
RUNTIME_VERSION = "1.27.0"
STANDARD_DOMAINS = {"": "ai.onnx", "ai.onnx.ml": "ai.onnx.ml"}

# What exports that were optimised or quantised with the runtime's own tools contain, and what has
# a CPU kernel. Left out: operators that reach other libraries or files (Snpe, EPContext), that
# run whole generation loops, or that only GPUs have.
MICROSOFT = """
Attention BiasAdd BiasGelu BiasSoftmax CDist ComplexMul ConvTransposeWithDynamicPads
DequantizeLinear DynamicQuantizeLSTM DynamicQuantizeMatMul EmbedLayerNormalization ExpandDims
FastGelu FusedConv FusedGemm FusedMatMul FusedMatMulActivation GatherBlockQuantized GatherND Gelu
GemmFastGelu GridSample GroupQueryAttention Inverse IsAllFinite MatMulBnb4 MatMulInteger16
MatMulIntegerToFloat MatMulNBits MaxpoolWithMask MulInteger MultiHeadAttention NGramRepeatBlock
NhwcFusedConv NhwcMaxPool Pad QAttention QEmbedLayerNormalization QGemm QLinearAdd
QLinearAveragePool QLinearConcat QLinearConv QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul
QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere QMoE QuantizeLinear QuickGelu Range
ReduceSumInteger RotaryEmbedding SkipLayerNormalization SkipSimplifiedLayerNormalization
SparseToDenseMatMul TransposeMatMul Trilu Unique
""".split()

# The runtime's own additions to the standard domain that exports of language models contain.
RUNTIME_ONLY = ["SimplifiedLayerNormalization"]

KINDS = {
    "FLOAT": "real", "INT": "integer", "STRING": "string", "TENSOR": "tensor", "GRAPH": "graph",
    "FLOATS": "reals", "INTS": "integers", "STRINGS": "strings", "TENSORS": "tensors",
    "GRAPHS": "graphs", "SPARSE_TENSOR": "sparse", "SPARSE_TENSORS": "sparses",
    "TYPE_PROTO": "type", "TYPE_PROTOS": "types",
}
UNBOUNDED = 2**31 - 1


def kind_of(attribute):
    return KINDS[str(attribute.type).split(".")[-1].split(":")[0].strip("<> ")]


def line(domain, schema):
    def bound(count):
        return "*" if count >= UNBOUNDED else str(count)

    attributes = [
        f"{name}:{kind_of(attribute)}{'!' if attribute.required else ''}"
        for name, attribute in sorted(schema.attributes.items())
    ]
    return " ".join([
        domain, schema.name, str(schema.since_version), "deprecated" if schema.deprecated else "-",
        str(schema.min_input), bound(schema.max_input), str(schema.min_output),
        bound(schema.max_output), *attributes,
    ])


def operators():
    import onnx
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    if onnx.__version__ != ONNX_VERSION or onnxruntime.__version__ != RUNTIME_VERSION:
        raise ImportError(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}")
    lines = [
        line(STANDARD_DOMAINS[schema.domain], schema)
        for schema in onnx.defs.get_all_schemas_with_history()
        if schema.domain in STANDARD_DOMAINS
    ]
    own = {s.name: s for s in runtime.get_all_operator_schema() if s.domain == "com.microsoft"}
    lines += [line("com.microsoft", own[name]) for name in MICROSOFT]
    lines += [
        line("ai.onnx", schema)
        for schema in runtime.get_all_operator_schema()
        if schema.domain == "" and schema.name in RUNTIME_ONLY
    ]
    return sorted(set(lines), key=lambda text: (text.split()[:2], int(text.split()[2])))


def main():
    try:
        text = "\n".join(operators()) + "\n"
    except ImportError as error:
        print(f"SKIPPED: needs onnx {ONNX_VERSION} and onnxruntime {RUNTIME_VERSION}: {error}")
        return 77
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        with open(sys.argv[2], encoding="utf-8") as stored:
            same = stored.read() == text
        print("operators.txt is what the schemas say" if same else
              "operators.txt differs from the schemas: run tests/operators/generate.py")
        return 0 if same else 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
