#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "graph/cost/inference.h"
#include "graph/limits.h"
#include "graph/rules/attributes.h"
#include "tensor/tensor.h"

namespace cloister {
namespace {

/// The window of a convolution or pool over each spatial dimension.
struct Window {
  std::vector<std::int64_t> kernel;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
  std::vector<std::int64_t> pads;  // begins, then ends
  std::string_view automatic;
  bool round_up = false;
};

constexpr std::int64_t kWindowMax = 1LL << 31;

/// A list of the window's numbers. One that is no such number, which no real model has, makes
/// `usable` false.
std::vector<std::int64_t> list_or(const Node& node, std::string_view name, std::size_t count,
                                  std::int64_t otherwise, bool& usable) {
  auto values = integers_attribute(node, name, 2 * kRankMax);
  if (!values || values->size() != count) return std::vector<std::int64_t>(count, otherwise);
  for (const std::int64_t value : *values) usable = usable && value >= 0 && value <= kWindowMax;
  return std::move(*values);
}

/// Nothing where the attributes make no window.
std::optional<Window> window_of(const Call& call, std::vector<std::int64_t> kernel) {
  const Node& node = *call.node;
  const std::size_t spatial = kernel.size();
  bool usable = true;
  Window window;
  window.kernel = std::move(kernel);
  window.strides = list_or(node, "strides", spatial, 1, usable);
  window.dilations = list_or(node, "dilations", spatial, 1, usable);
  window.pads = list_or(node, "pads", 2 * spatial, 0, usable);
  window.automatic = text_attribute(node, "auto_pad", "NOTSET");
  window.round_up = integer_attribute(node, "ceil_mode", 0) != 0;
  if (!usable) return std::nullopt;
  return window;
}

std::int64_t slid(const Window& window, std::size_t i, std::int64_t extent) {
  if (extent == kOpen || window.kernel[i] == kOpen) return kOpen;
  const std::int64_t stride = std::max<std::int64_t>(window.strides[i], 1);
  extent = std::min(extent, kWindowMax);
  if (window.automatic.starts_with("SAME")) return (extent + stride - 1) / stride;
  const std::size_t spatial = window.kernel.size();
  const bool padded = window.automatic != "VALID";
  const std::int64_t pads = padded ? window.pads[i] + window.pads[spatial + i] : 0;
  const std::int64_t reach = (std::min(window.kernel[i], kWindowMax) - 1) *
                             std::max<std::int64_t>(window.dilations[i], 1);
  const std::int64_t room = extent + pads - reach - 1;
  if (room < 0) return 0;
  return (window.round_up ? (room + stride - 1) / stride : room / stride) + 1;
}

/// Convolution over `data` with `weight` [out, in / group, kernel...].
Inferred convolution(const Call& call, const Shaped& data, const Shaped& weight, ElementType type) {
  if (!data.rank_known || !weight.rank_known || data.dims.size() < 3 ||
      weight.dims.size() != data.dims.size()) {
    return {{unknown(type)}};
  }
  const auto window = window_of(call, {weight.dims.begin() + 2, weight.dims.end()});
  if (!window) return {{unknown(type)}};
  Shaped result = shaped(type, {data.dims[0], weight.dims[0]});
  for (std::size_t i = 2; i < data.dims.size(); ++i) {
    result.dims.push_back(slid(*window, i - 2, data.dims[i]));
  }
  const auto filters = static_cast<std::uint64_t>(std::max<std::int64_t>(weight.dims[0], 1));
  const std::uint64_t taps = elements(weight) / filters;
  return {{result}, saturating_multiply(elements(result), taps)};
}

/// Transposed convolution: weight [in, out / group, kernel...].
Inferred transposed(const Call& call) {
  const Shaped& data = call.input(0);
  const Shaped& weight = call.input(1);
  if (!data.rank_known || !weight.rank_known || data.dims.size() < 3 ||
      weight.dims.size() != data.dims.size()) {
    return {{unknown(data.type)}};
  }
  const std::size_t spatial = data.dims.size() - 2;
  const auto window = window_of(call, {weight.dims.begin() + 2, weight.dims.end()});
  bool usable = true;
  const auto extra = list_or(*call.node, "output_padding", spatial, 0, usable);
  const bool given = find_attribute(*call.node, "output_shape") != nullptr;
  const auto wanted = list_or(*call.node, "output_shape", spatial, kOpen, usable);
  if (!window || !usable) return {{unknown(data.type)}};
  const std::int64_t group =
      std::clamp<std::int64_t>(integer_attribute(*call.node, "group", 1), 1, kWindowMax);
  std::int64_t channels = kOpen;
  if (weight.dims[1] != kOpen &&
      __builtin_mul_overflow(weight.dims[1], group, &channels)) {
    channels = kOpen;
  }
  Shaped result = shaped(data.type, {data.dims[0], channels});
  for (std::size_t i = 0; i < spatial; ++i) {
    std::int64_t extent = data.dims[i + 2];
    if (given) {
      extent = wanted[i];
    } else if (extent != kOpen && window->kernel[i] != kOpen) {
      const std::int64_t reach =
          std::min(window->kernel[i], kWindowMax) * std::max<std::int64_t>(window->dilations[i], 1);
      extent = std::min(extent, kWindowMax) * std::max<std::int64_t>(window->strides[i], 1);
      if (__builtin_add_overflow(extent, reach + extra[i], &extent)) extent = INT64_MAX;
    }
    result.dims.push_back(extent);
  }
  return {{result}, saturating_multiply(elements(data), elements(weight))};
}

Inferred pool(const Call& call, bool global) {
  const Shaped& data = call.input(0);
  if (!data.rank_known || data.dims.size() < 2) return {{unknown(data.type)}};
  Shaped result = shaped(data.type, {data.dims[0], data.dims[1]});
  const std::size_t spatial = data.dims.size() - 2;
  if (global) {
    result.dims.resize(data.dims.size(), 1);
    return {{result}, elements(data)};
  }
  bool usable = true;
  const auto window =
      window_of(call, list_or(*call.node, "kernel_shape", spatial, 1, usable));
  if (!window || !usable) return {{unknown(data.type), unknown(ElementType::i64)}};
  std::uint64_t taps = 1;
  for (std::size_t i = 0; i < spatial; ++i) {
    taps = saturating_multiply(taps, static_cast<std::uint64_t>(window->kernel[i]));
    result.dims.push_back(slid(*window, i, data.dims[i + 2]));
  }
  Shaped indices = result;
  indices.type = ElementType::i64;
  return {{result, indices}, saturating_multiply(elements(result), taps)};
}

/// Matrix product of the last two dimensions; those before broadcast.
Inferred product(const Shaped& a, const Shaped& b, ElementType type) {
  if (!a.rank_known || !b.rank_known || a.dims.empty() || b.dims.empty()) {
    return {{unknown(type)}};
  }
  const bool row = a.dims.size() == 1;
  const bool column = b.dims.size() == 1;
  const auto lead = [](const Shaped& value) {
    const std::size_t keep = value.dims.size() < 2 ? 0 : value.dims.size() - 2;
    return shaped(value.type, {value.dims.begin(), value.dims.begin() +
                                                       static_cast<std::ptrdiff_t>(keep)});
  };
  Shaped result = broadcast(lead(a), lead(b));
  result.type = type;
  if (!row) result.dims.push_back(a.dims[a.dims.size() - 2]);
  if (!column) result.dims.push_back(b.dims.back());
  const std::int64_t inner =
      std::max(a.dims.back(), column ? b.dims[0] : b.dims[b.dims.size() - 2]);
  const std::uint64_t depth = inner == kOpen ? 1 : static_cast<std::uint64_t>(inner);
  return {{result}, saturating_multiply(elements(result), depth)};
}

Inferred gemm(const Call& call) {
  const Shaped& a = call.input(0);
  const Shaped& b = call.input(1);
  if (a.dims.size() != 2 || b.dims.size() != 2) return {{unknown(a.type)}};
  const bool turn_a = integer_attribute(*call.node, "transA", 0) != 0;
  const bool turn_b = integer_attribute(*call.node, "transB", 0) != 0;
  const Shaped result = shaped(a.type, {a.dims[turn_a ? 1 : 0], b.dims[turn_b ? 0 : 1]});
  const std::int64_t inner = std::max(a.dims[turn_a ? 0 : 1], b.dims[turn_b ? 1 : 0]);
  const std::uint64_t depth = inner == kOpen ? 1 : static_cast<std::uint64_t>(inner);
  return {{result}, saturating_multiply(elements(result), depth)};
}

/// LSTM, GRU and RNN: X [steps, batch, in], W [directions, gates * hidden, in].
Inferred recurrence(const Call& call) {
  const Shaped& data = call.input(0);
  const Shaped& weight = call.input(1);
  const Shaped& again = call.input(2);
  if (data.dims.size() != 3 || weight.dims.size() != 3 || again.dims.size() != 3) return {};
  const bool batch_first = integer_attribute(*call.node, "layout", 0) != 0;
  const std::int64_t steps = data.dims[batch_first ? 1 : 0];
  const std::int64_t batch = data.dims[batch_first ? 0 : 1];
  const std::int64_t hidden = again.dims[2];
  const Shaped all = shaped(data.type, {steps, weight.dims[0], batch, hidden});
  const Shaped last = shaped(data.type, {weight.dims[0], batch, hidden});
  const Shaped count = shaped(data.type, {steps, batch});
  const std::uint64_t each = saturating_add(elements(weight), elements(again));
  return {{all, last, last}, saturating_multiply(elements(count), each)};
}

/// Scores or labels of ai.onnx.ml: one row for each row of the input.
std::optional<Inferred> learned(const Call& call) {
  const std::string_view name = call.node->op_type;
  const Shaped& data = call.input(0);
  const std::int64_t rows = !data.rank_known           ? kOpen
                            : data.dims.size() == 2 ? data.dims[0]
                                                      : 1;
  const auto labels = [&](const char* integers, const char* strings) {
    return static_cast<std::int64_t>(std::max(length_attribute(*call.node, integers),
                                              length_attribute(*call.node, strings)));
  };
  const std::uint64_t work = std::max(length_attribute(*call.node, "coefficients"),
                                      length_attribute(*call.node, "support_vectors"));
  const std::uint64_t per_row =
      saturating_multiply(work, rows == kOpen ? 1 : static_cast<std::uint64_t>(rows));
  if (name == "TreeEnsembleClassifier" || name == "LinearClassifier" || name == "SVMClassifier") {
    const bool trees = name == "TreeEnsembleClassifier";
    const std::int64_t classes = labels(trees ? "classlabels_int64s" : "classlabels_ints",
                                        "classlabels_strings");
    const bool text = length_attribute(*call.node, "classlabels_strings") != 0;
    // A machine that votes by pairs gives a score for each pair.
    const std::int64_t scores = name == "SVMClassifier" ? classes * (classes + 1) / 2 : classes;
    return Inferred{{shaped(text ? ElementType::string : ElementType::i64, {rows}),
                     shaped(ElementType::f32, {rows, scores})},
                    per_row};
  }
  if (name == "TreeEnsembleRegressor" || name == "TreeEnsemble" || name == "LinearRegressor" ||
      name == "SVMRegressor") {
    const char* targets = name == "LinearRegressor" ? "targets" : "n_targets";
    const ElementType type = name == "TreeEnsemble" ? data.type : ElementType::f32;
    const std::int64_t columns = integer_attribute(*call.node, targets, 1);
    return Inferred{{shaped(type, {rows, columns < 0 ? kOpen : columns})}, per_row};
  }
  if (name == "Scaler" || name == "Normalizer" || name == "Binarizer" || name == "Imputer") {
    Shaped same = data;
    if (name == "Scaler" || name == "Normalizer") same.type = ElementType::f32;
    return Inferred{{same}};
  }
  if (name == "LabelEncoder" || name == "CategoryMapper") {
    Shaped same = data;
    same.type = ElementType::undefined;
    return Inferred{{same}};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Inferred> infer_layer(const Call& call) {
  const std::string_view name = call.node->op_type;
  if (call.node->domain == "ai.onnx.ml") return learned(call);
  const Shaped& first = call.input(0);
  if (name == "Conv" || name == "FusedConv") {
    return convolution(call, first, call.input(1), first.type);
  }
  if (name == "ConvInteger") return convolution(call, first, call.input(1), ElementType::i32);
  if (name == "QLinearConv") return convolution(call, first, call.input(3), call.input(7).type);
  if (name == "ConvTranspose") return transposed(call);
  if (name == "MaxPool" || name == "AveragePool" || name == "LpPool") return pool(call, false);
  if (name == "GlobalAveragePool" || name == "GlobalMaxPool" || name == "GlobalLpPool") {
    return pool(call, true);
  }
  if (name == "MatMul") return product(first, call.input(1), first.type);
  if (name == "MatMulInteger") return product(first, call.input(1), ElementType::i32);
  if (name == "DynamicQuantizeMatMul" || name == "MatMulIntegerToFloat") {
    return product(first, call.input(1), ElementType::f32);
  }
  if (name == "QLinearMatMul") return product(first, call.input(3), call.input(7).type);
  if (name == "Gemm") return gemm(call);
  if (name == "LSTM" || name == "GRU" || name == "RNN") return recurrence(call);
  return std::nullopt;
}

}  // namespace cloister
