#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "graph/cost/inference.h"
#include "graph/limits.h"
#include "graph/onnx/tensor_content.h"
#include "graph/rules/attributes.h"
#include "tensor/tensor.h"

namespace cloister {
namespace {

Shaped from_tensor(const Tensor& tensor) {
  Shaped result = shaped(tensor.type, {});
  for (const std::uint64_t extent : tensor.dims) {
    result.dims.push_back(static_cast<std::int64_t>(extent));
  }
  if (const auto values = small_integers(tensor, kFollowedValuesMax)) {
    result.values.assign(values->begin(), values->end());
  }
  result.reals = small_reals(tensor, kRankMax);
  return result;
}

Shaped constant(const Node& node) {
  if (const Tensor* tensor = tensor_attribute(node, "value")) return from_tensor(*tensor);
  if (const Attribute* sparse = find_attribute(node, "sparse_value");
      sparse != nullptr && sparse->content && !sparse->content->sparses.empty()) {
    const SparseTensor& value = sparse->content->sparses[0];
    Shaped result = shaped(value.values.type, {});
    result.dims.assign(value.dims.begin(), value.dims.end());
    return result;
  }
  if (const auto values = integers_attribute(node, "value_ints", kFollowedValuesMax)) {
    Shaped result = shaped(ElementType::i64, {static_cast<std::int64_t>(values->size())});
    result.values.assign(values->begin(), values->end());
    return result;
  }
  if (find_attribute(node, "value_int") != nullptr) {
    Shaped result = shaped(ElementType::i64, {});
    result.values.emplace_back(integer_attribute(node, "value_int", 0));
    return result;
  }
  for (const char* name : {"value_ints", "value_floats", "value_strings"}) {
    if (find_attribute(node, name) == nullptr) continue;
    const auto length = static_cast<std::int64_t>(length_attribute(node, name));
    return shaped(ElementType::undefined, {length});
  }
  return shaped(ElementType::undefined, {});
}

Shaped shape_of(const Call& call) {
  const Shaped& data = call.input(0);
  if (!data.rank_known) return shaped(ElementType::i64, {kOpen});
  const auto rank = static_cast<std::int64_t>(data.dims.size());
  const auto clip = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const std::int64_t start = clip(integer_attribute(*call.node, "start", 0));
  const std::int64_t end = clip(integer_attribute(*call.node, "end", rank));
  Shaped result = shaped(ElementType::i64, {std::max<std::int64_t>(end - start, 0)});
  for (std::int64_t i = start; i < end; ++i) {
    const std::int64_t extent = data.dims[static_cast<std::size_t>(i)];
    result.values.push_back(extent == kOpen ? std::nullopt : std::optional(extent));
  }
  return result;
}

Shaped of_shape(const Call& call) {
  const Tensor* value = tensor_attribute(*call.node, "value");
  const ElementType type = value == nullptr ? ElementType::f32 : value->type;
  const Shaped& target = call.input(0);
  const bool scalar = target.rank_known && target.dims.size() == 1 && target.dims[0] == 0;
  if (target.values.empty() && !scalar) return unknown(type);
  Shaped result = shaped(type, {});
  for (const auto& extent : target.values) {
    result.dims.push_back(extent && *extent >= 0 ? *extent : kOpen);
  }
  const auto fill = value == nullptr ? std::nullopt : small_integers(*value, 1);
  if (fill && fill->size() == 1 && is_closed(result) && elements(result) <= kFollowedValuesMax) {
    result.values.assign(elements(result), fill->front());
  }
  return result;
}

Shaped range(const Call& call) {
  const Shaped& start = call.input(0);
  const Shaped& limit = call.input(1);
  const Shaped& step = call.input(2);
  const ElementType type = start.type;
  const auto single = [](const Shaped& value) -> std::optional<std::int64_t> {
    return value.values.size() == 1 ? value.values[0] : std::nullopt;
  };
  const auto from = single(start);
  const auto to = single(limit);
  const auto by = single(step);
  std::int64_t span = 0;
  if (!from || !to || !by || *by == 0 || *by == INT64_MIN ||
      __builtin_sub_overflow(*to, *from, &span)) {
    return shaped(type, {kOpen});
  }
  const bool rises = *by > 0;
  const std::int64_t size = rises ? *by : -*by;
  if (rises ? span <= 0 : span >= 0) return shaped(type, {0});
  if (span == INT64_MIN) return shaped(type, {INT64_MAX});
  const std::int64_t distance = rises ? span : -span;
  return shaped(type, {distance / size + (distance % size != 0 ? 1 : 0)});
}

std::optional<Shaped> random(const Call& call) {
  const auto dims = integers_attribute(*call.node, "shape", kRankMax);
  if (!dims) return std::nullopt;
  Shaped result = shaped(ElementType::undefined, {});
  for (const std::int64_t extent : *dims) result.dims.push_back(std::max<std::int64_t>(extent, 0));
  return result;
}

}  // namespace

const Shaped& Call::input(std::size_t index) const noexcept {
  static const Shaped kNothing;
  return has(index) ? *inputs[index] : kNothing;
}

std::optional<std::vector<std::int64_t>> Call::list(std::size_t index) const {
  const Shaped& value = input(index);
  if (value.values.empty() && !(value.dims.size() == 1 && value.dims[0] == 0)) return std::nullopt;
  std::vector<std::int64_t> list;
  for (const auto& element : value.values) {
    if (!element) return std::nullopt;
    list.push_back(*element);
  }
  return list;
}

Shaped shaped_tensor(const Tensor& tensor) {
  Shaped result = from_tensor(tensor);
  result.constant = true;
  return result;
}

std::optional<Inferred> infer_made(const Call& call) {
  const std::string_view name = call.node->op_type;
  if (!call.node->domain.empty()) return std::nullopt;
  if (name == "Constant") return Inferred{{constant(*call.node)}};
  if (name == "Shape") return Inferred{{shape_of(call)}};
  if (name == "ConstantOfShape") return Inferred{{of_shape(call)}};
  if (name == "Range") return Inferred{{range(call)}};
  if (name == "Size") return Inferred{{shaped(ElementType::i64, {})}};
  if (name == "RandomNormal" || name == "RandomUniform") {
    const auto result = random(call);
    return result ? std::optional(Inferred{{*result}}) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace cloister
