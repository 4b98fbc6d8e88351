#include <algorithm>
#include <array>
#include <string_view>

#include "graph/cost/inference.h"
#include "graph/rules/attributes.h"

namespace cloister {
namespace {

// Same shape and type as the first input.
constexpr auto kUnary = std::to_array<std::string_view>({
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BatchNormalization", "Bernoulli",
    "BiasGelu", "BitwiseNot", "Ceil", "Celu", "Clip", "Cos", "Cosh", "CumSum", "Dropout", "Elu",
    "Erf", "Exp", "FastGelu", "Floor", "Gelu", "GroupNormalization", "HardSigmoid", "HardSwish",
    "Hardmax", "Identity", "InstanceNormalization", "LRN", "LayerNormalization", "LeakyRelu",
    "Log", "LogSoftmax", "LpNormalization", "MeanVarianceNormalization", "Mish", "Neg", "Not",
    "QuickGelu", "RMSNormalization", "Reciprocal", "Relu", "ReverseSequence", "RotaryEmbedding",
    "Round", "ScatterElements", "ScatterND", "Selu", "Shrink", "Sigmoid", "Sign",
    "SimplifiedLayerNormalization", "Sin", "Sinh", "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization", "Softmax", "Softplus", "Softsign", "Sqrt", "Swish", "Tan",
    "Tanh", "ThresholdedRelu", "Trilu",
});
// The shape that all inputs broadcast to.
constexpr auto kBroadcast = std::to_array<std::string_view>({
    "Add", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Max", "Mean", "Min", "Mod",
    "Mul", "PRelu", "Pow", "Sub", "Sum",
});
constexpr auto kCompare = std::to_array<std::string_view>({
    "And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Or",
    "Xor",
});

template <std::size_t kCount>
bool among(const std::array<std::string_view, kCount>& names, std::string_view name) noexcept {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Shaped broadcast_all(const Call& call, std::size_t first) {
  Shaped result = call.input(first);
  result.values.clear();
  for (std::size_t i = first + 1; i < call.inputs.size(); ++i) {
    result = broadcast(result, call.input(i));
  }
  return result;
}

/// Integer arithmetic on followed elements, for the shapes that exporters compute.
std::optional<std::int64_t> computed(std::string_view name, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (name == "Add" && !__builtin_add_overflow(a, b, &result)) return result;
  if (name == "Sub" && !__builtin_sub_overflow(a, b, &result)) return result;
  if (name == "Mul" && !__builtin_mul_overflow(a, b, &result)) return result;
  if (name == "Div" && b > 0) return a / b;
  if (name == "Max") return std::max(a, b);
  if (name == "Min") return std::min(a, b);
  return std::nullopt;
}

void follow_values(const Call& call, Shaped& result) {
  const Shaped& a = call.input(0);
  const Shaped& b = call.input(1);
  if (call.inputs.size() != 2 || a.values.empty() || b.values.empty()) return;
  const std::size_t count = std::max(a.values.size(), b.values.size());
  if ((a.values.size() != count && a.values.size() != 1) ||
      (b.values.size() != count && b.values.size() != 1)) {
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto& left = a.values[a.values.size() == 1 ? 0 : i];
    const auto& right = b.values[b.values.size() == 1 ? 0 : i];
    result.values.push_back(left && right ? computed(call.node->op_type, *left, *right)
                                          : std::nullopt);
  }
}

ElementType cast_type(const Call& call) {
  if (call.node->op_type == "CastLike") return call.input(1).type;
  const std::int64_t to = integer_attribute(*call.node, "to", 0);
  return to > 0 && to <= static_cast<std::int64_t>(kElementTypeMax) ? static_cast<ElementType>(to)
                                                                 : ElementType::undefined;
}

Inferred dynamic_quantize(const Call& call) {
  Shaped quantized = call.input(0);
  quantized.type = ElementType::u8;
  return {{quantized, shaped(ElementType::f32, {}), shaped(ElementType::u8, {})}};
}

Inferred unary(const Call& call) {
  const Shaped& input = call.input(0);
  Shaped same = input;
  if (call.node->op_type != "Identity") same.values.clear();
  Inferred inferred{{same}};
  // Further outputs are masks and statistics: never larger than the first.
  for (std::size_t i = 1; i < call.node->outputs.size(); ++i) {
    inferred.outputs.push_back(same);
    inferred.outputs.back().values.clear();
  }
  return inferred;
}

}  // namespace

std::optional<Inferred> infer_elementwise(const Call& call) {
  const std::string_view name = call.node->op_type;
  if (call.node->domain == "ai.onnx.ml") return std::nullopt;
  if (among(kUnary, name)) return unary(call);
  if (among(kBroadcast, name)) {
    Shaped result = broadcast_all(call, 0);
    follow_values(call, result);
    return Inferred{{result}};
  }
  if (among(kCompare, name)) {
    Shaped result = broadcast_all(call, 0);
    result.type = ElementType::boolean;
    return Inferred{{result}};
  }
  if (name == "Where") {
    Shaped result = broadcast_all(call, 0);
    result.type = call.input(1).type;
    return Inferred{{result}};
  }
  if (name == "Cast" || name == "CastLike") {
    Shaped result = call.input(0);
    result.type = cast_type(call);
    if (result.type != ElementType::i64 && result.type != ElementType::i32) result.values.clear();
    return Inferred{{result}};
  }
  if (name == "DynamicQuantizeLinear") return dynamic_quantize(call);
  if (name == "QuantizeLinear" || name == "DequantizeLinear") {
    Shaped result = call.input(0);
    result.values.clear();
    if (name == "DequantizeLinear") result.type = call.input(1).type;
    else result.type = call.has(2) ? call.input(2).type : ElementType::u8;
    return Inferred{{result}};
  }
  if (name == "RandomNormalLike" || name == "RandomUniformLike" || name == "EyeLike") {
    Shaped result = call.input(0);
    result.values.clear();
    result.type = ElementType::undefined;
    return Inferred{{result}};
  }
  return std::nullopt;
}

}  // namespace cloister
