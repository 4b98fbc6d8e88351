#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "graph/cost/inference.h"
#include "graph/limits.h"
#include "graph/rules/attributes.h"
#include "tensor/tensor.h"

namespace cloister {
namespace {

constexpr std::int64_t kExtentMax = 1LL << 40;  // far past kElementsMax; sums stay in range

/// The same elements in another shape.
Shaped moved(const Shaped& from, std::vector<std::int64_t> dims) {
  Shaped result = shaped(from.type, std::move(dims));
  result.values = from.values;
  return result;
}

/// Axes from an attribute or, in newer opsets, from an input. Nothing when they are not known.
std::optional<std::vector<std::int64_t>> axes_of(const Call& call, std::size_t input) {
  if (auto axes = integers_attribute(*call.node, "axes", kRankMax)) return axes;
  return call.has(input) ? call.list(input) : std::nullopt;
}

Shaped reshape(const Call& call) {
  const Shaped& data = call.input(0);
  std::vector<std::optional<std::int64_t>> wanted = call.input(1).values;
  if (const auto attribute = integers_attribute(*call.node, "shape", kRankMax)) {
    wanted.assign(attribute->begin(), attribute->end());
  }
  const Shaped& target = call.input(1);
  const bool scalar = target.rank_known && target.dims.size() == 1 && target.dims[0] == 0;
  if (scalar) return moved(data, {});
  if (wanted.empty()) {
    const bool ranked = target.dims.size() == 1 && target.dims[0] >= 0 &&
                        target.dims[0] <= static_cast<std::int64_t>(kRankMax);
    return ranked ? shaped(data.type, std::vector<std::int64_t>(
                                          static_cast<std::size_t>(target.dims[0]), kOpen))
                  : unknown(data.type);
  }
  const bool zero_is_zero = integer_attribute(*call.node, "allowzero", 0) != 0;
  std::vector<std::int64_t> dims;
  std::size_t rest = wanted.size();
  bool all_known = is_closed(data);
  std::uint64_t known = 1;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    std::int64_t extent = wanted[i] ? *wanted[i] : kOpen;
    if (extent == 0 && !zero_is_zero) extent = i < data.dims.size() ? data.dims[i] : kOpen;
    if (wanted[i] && *wanted[i] == -1) rest = i;
    else if (extent < 0) all_known = false;
    else known = saturating_multiply(known, static_cast<std::uint64_t>(extent));
    dims.push_back(extent < 0 ? kOpen : extent);
  }
  if (rest < dims.size() && all_known && known != 0) {
    dims[rest] = static_cast<std::int64_t>(
        std::min<std::uint64_t>(elements(data) / known, INT64_MAX));
  }
  return moved(data, std::move(dims));
}

Shaped squeezed(const Call& call) {
  const Shaped& data = call.input(0);
  const auto axes = axes_of(call, 1);
  if (!data.rank_known || (!axes && call.has(1))) return unknown(data.type);
  std::vector<bool> drop(data.dims.size(), false);
  for (std::size_t i = 0; i < drop.size() && !axes; ++i) {
    if (data.dims[i] == kOpen) return unknown(data.type);
    drop[i] = data.dims[i] == 1;
  }
  for (const std::int64_t axis : axes.value_or(std::vector<std::int64_t>{})) {
    const auto at = axis_of(axis, data.dims.size());
    if (!at) return unknown(data.type);
    drop[*at] = true;
  }
  std::vector<std::int64_t> dims;
  for (std::size_t i = 0; i < drop.size(); ++i) {
    if (!drop[i]) dims.push_back(data.dims[i]);
  }
  return moved(data, std::move(dims));
}

Shaped unsqueezed(const Call& call) {
  const Shaped& data = call.input(0);
  const auto axes = axes_of(call, 1);
  if (!data.rank_known || !axes) return unknown(data.type);
  const std::size_t rank = data.dims.size() + axes->size();
  std::vector<bool> added(rank, false);
  for (const std::int64_t axis : *axes) {
    const auto at = axis_of(axis, rank);
    if (!at || added[*at]) return unknown(data.type);
    added[*at] = true;
  }
  std::vector<std::int64_t> dims;
  auto next = data.dims.begin();
  for (std::size_t i = 0; i < rank; ++i) dims.push_back(added[i] ? 1 : *next++);
  return moved(data, std::move(dims));
}

Shaped transposed(const Call& call) {
  const Shaped& data = call.input(0);
  auto order = integers_attribute(*call.node, "perm", kRankMax);
  if (!data.rank_known) return unknown(data.type);
  Shaped result = shaped(data.type, {});
  if (!order || order->empty()) {
    result.dims.assign(data.dims.rbegin(), data.dims.rend());
    return result;
  }
  for (const std::int64_t axis : *order) {
    const auto at = axis_of(axis, data.dims.size());
    if (!at) return unknown(data.type);
    result.dims.push_back(data.dims[*at]);
  }
  return result;
}

Shaped flattened(const Call& call) {
  const Shaped& data = call.input(0);
  const auto rank = static_cast<std::int64_t>(data.dims.size());
  std::int64_t axis = integer_attribute(*call.node, "axis", 1);
  if (axis < 0) axis += rank;
  if (!data.rank_known || axis < 0 || axis > rank) return unknown(data.type);
  std::int64_t sides[2] = {1, 1};
  for (std::size_t i = 0; i < data.dims.size(); ++i) {
    std::int64_t& side = sides[static_cast<std::int64_t>(i) < axis ? 0 : 1];
    if (side == kOpen || data.dims[i] == kOpen) side = kOpen;
    else if (__builtin_mul_overflow(side, data.dims[i], &side)) side = INT64_MAX;
  }
  return shaped(data.type, {sides[0], sides[1]});
}

Shaped concatenated(const Call& call) {
  const Shaped& first = call.input(0);
  const auto at = axis_of(integer_attribute(*call.node, "axis", 1), first.dims.size());
  if (!first.rank_known || !at) return unknown(first.type);
  Shaped result = shaped(first.type, first.dims);
  bool follow = first.dims.size() == 1;
  result.dims[*at] = 0;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    const Shaped& part = call.input(i);
    if (part.dims.size() != result.dims.size()) return unknown(first.type);
    std::int64_t& sum = result.dims[*at];
    const std::int64_t more = part.dims[*at];
    sum = sum == kOpen || more == kOpen ? kOpen
                                        : std::min(sum + std::min(more, kExtentMax), kExtentMax);
    for (std::size_t k = 0; k < part.dims.size(); ++k) {
      if (k != *at && result.dims[k] == kOpen) result.dims[k] = part.dims[k];
    }
    const bool whole = part.dims[0] >= 0 &&
                       static_cast<std::uint64_t>(part.dims[0]) == part.values.size();
    follow = follow && whole && result.values.size() + part.values.size() <= kFollowedValuesMax;
    if (follow) {
      result.values.insert(result.values.end(), part.values.begin(), part.values.end());
    }
  }
  if (!follow) result.values.clear();
  return result;
}

/// Multiplies or adds to each extent what a constant list says.
Shaped scaled(const Call& call, const std::optional<std::vector<std::int64_t>>& factors,
              bool add) {
  const Shaped& data = call.input(0);
  const std::size_t rank = data.dims.size();
  if (!data.rank_known) return unknown(data.type);
  Shaped result = shaped(data.type, data.dims);
  const bool usable = factors && factors->size() == (add ? 2 * rank : rank);
  for (std::size_t i = 0; i < rank; ++i) {
    std::int64_t& extent = result.dims[i];
    if (!usable || extent == kOpen) {
      extent = kOpen;
      continue;
    }
    std::int64_t change = (*factors)[i];
    if (add && __builtin_add_overflow(change, (*factors)[rank + i], &change)) change = INT64_MAX;
    const bool past = add ? __builtin_add_overflow(extent, change, &extent)
                          : __builtin_mul_overflow(extent, change, &extent);
    if (past) extent = INT64_MAX;
    extent = std::max<std::int64_t>(extent, 0);
  }
  return result;
}

Shaped reduced(const Call& call, bool argument) {
  const Shaped& data = call.input(0);
  const ElementType type = argument ? ElementType::i64 : data.type;
  const bool keep = integer_attribute(*call.node, "keepdims", 1) != 0;
  if (!data.rank_known) return unknown(type);
  std::vector<bool> gone(data.dims.size(), false);
  auto axes = argument ? std::vector<std::int64_t>{integer_attribute(*call.node, "axis", 0)}
                       : axes_of(call, 1);
  if (!axes && call.has(1)) return unknown(type);
  if (!axes || axes->empty()) {
    const bool nothing = integer_attribute(*call.node, "noop_with_empty_axes", 0) != 0;
    gone.assign(data.dims.size(), !nothing);
    axes.emplace();
  }
  for (const std::int64_t axis : *axes) {
    const auto at = axis_of(axis, data.dims.size());
    if (!at) return unknown(type);
    gone[*at] = true;
  }
  Shaped result = shaped(type, {});
  for (std::size_t i = 0; i < gone.size(); ++i) {
    if (!gone[i]) result.dims.push_back(data.dims[i]);
    else if (keep) result.dims.push_back(1);
  }
  return result;
}

Shaped expanded(const Call& call) {
  const Shaped& data = call.input(0);
  const Shaped& target = call.input(1);
  Shaped wanted = unknown(data.type);
  if (!target.values.empty()) {
    wanted.rank_known = true;
    for (const auto& extent : target.values) {
      wanted.dims.push_back(extent && *extent >= 0 ? *extent : kOpen);
    }
  }
  return broadcast(data, wanted);
}

}  // namespace

std::optional<std::size_t> axis_of(std::int64_t axis, std::size_t rank) noexcept {
  const auto count = static_cast<std::int64_t>(rank);
  if (axis < -count || axis >= count) return std::nullopt;
  return static_cast<std::size_t>(axis < 0 ? axis + count : axis);
}

std::optional<Inferred> infer_layout(const Call& call) {
  const std::string_view name = call.node->op_type;
  if (!call.node->domain.empty()) return std::nullopt;
  if (name == "Reshape") return Inferred{{reshape(call)}};
  if (name == "Squeeze") return Inferred{{squeezed(call)}};
  if (name == "Unsqueeze") return Inferred{{unsqueezed(call)}};
  if (name == "Transpose") return Inferred{{transposed(call)}};
  if (name == "Flatten") return Inferred{{flattened(call)}};
  if (name == "Concat") return Inferred{{concatenated(call)}};
  if (name == "Expand") return Inferred{{expanded(call)}};
  if (name == "Tile" && call.inputs.size() == 2) {
    return Inferred{{scaled(call, call.list(1), false)}};
  }
  if (name == "Pad" && !call.has(3)) {
    const auto attribute = integers_attribute(*call.node, "pads", 2 * kRankMax);
    return Inferred{{scaled(call, attribute ? attribute : call.list(1), true)}};
  }
  if (name == "ArgMax" || name == "ArgMin") return Inferred{{reduced(call, true)}};
  if (name.starts_with("Reduce")) {
    return Inferred{{reduced(call, false)}, elements(call.input(0))};
  }
  return std::nullopt;
}

}  // namespace cloister
