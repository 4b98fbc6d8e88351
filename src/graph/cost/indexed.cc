#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/cost/inference.h"
#include "graph/limits.h"
#include "graph/rules/attributes.h"
#include "tensor/tensor.h"

namespace cloister {
namespace {

Shaped gathered(const Call& call) {
  const Shaped& data = call.input(0);
  const Shaped& indices = call.input(1);
  const auto at = axis_of(integer_attribute(*call.node, "axis", 0), data.dims.size());
  if (!data.rank_known || !indices.rank_known || !at) return unknown(data.type);
  Shaped result = shaped(data.type, {});
  for (std::size_t i = 0; i < data.dims.size(); ++i) {
    if (i != *at) result.dims.push_back(data.dims[i]);
    else result.dims.insert(result.dims.end(), indices.dims.begin(), indices.dims.end());
  }
  if (data.dims.size() == 1 && !data.values.empty() && !indices.values.empty()) {
    for (const auto& index : indices.values) {
      const auto place = index ? axis_of(*index, data.values.size()) : std::nullopt;
      result.values.push_back(place ? data.values[*place] : std::nullopt);
    }
  }
  return result;
}

struct Cut {
  std::int64_t start;
  std::int64_t end;
  std::int64_t step;
};

/// The places that a slice takes from an extent: how many, and where it starts.
std::pair<std::int64_t, std::int64_t> taken(const Cut& cut, std::int64_t extent) {
  const auto place = [&](std::int64_t at, std::int64_t least, std::int64_t most) {
    return std::clamp(at < 0 ? at + extent : at, least, most);
  };
  if (cut.step > 0) {
    const std::int64_t start = place(cut.start, 0, extent);
    const std::int64_t span = place(cut.end, 0, extent) - start;
    return {span <= 0 ? 0 : (span - 1) / cut.step + 1, start};
  }
  const std::int64_t start = place(cut.start, 0, std::max<std::int64_t>(extent - 1, 0));
  const std::int64_t end = cut.end < -extent ? -1 : place(cut.end, -1, extent - 1);
  const std::int64_t span = start - end;
  return {span <= 0 || extent == 0 ? 0 : (span - 1) / -cut.step + 1, start};
}

Shaped sliced(const Call& call) {
  const Shaped& data = call.input(0);
  if (!data.rank_known) return unknown(data.type);
  const Node& node = *call.node;
  auto starts = integers_attribute(node, "starts", kRankMax);
  auto ends = integers_attribute(node, "ends", kRankMax);
  auto axes = integers_attribute(node, "axes", kRankMax);
  if (!starts) starts = call.list(1);
  if (!ends) ends = call.list(2);
  if (!axes && call.has(3)) axes = call.list(3);
  const auto steps = call.has(4) ? call.list(4) : std::nullopt;
  Shaped result = shaped(data.type, data.dims);
  const bool lost = !starts || !ends || starts->size() != ends->size() ||
                    (call.has(3) && !axes) || (call.has(4) && !steps) ||
                    (axes && axes->size() != starts->size()) ||
                    (steps && steps->size() != starts->size());
  if (lost) {
    result.dims.assign(data.dims.size(), kOpen);
    return result;
  }
  for (std::size_t i = 0; i < starts->size(); ++i) {
    const auto at = axis_of(axes ? (*axes)[i] : static_cast<std::int64_t>(i), data.dims.size());
    const Cut cut{(*starts)[i], (*ends)[i], steps ? (*steps)[i] : 1};
    if (!at || cut.step == 0 || cut.step == INT64_MIN) return unknown(data.type);
    const std::int64_t extent = result.dims[*at];
    if (extent == kOpen) continue;
    const auto [count, start] = taken(cut, extent);
    result.dims[*at] = count;
    if (data.dims.size() != 1 || data.values.size() != static_cast<std::size_t>(extent)) continue;
    for (std::int64_t k = 0; k < count; ++k) {
      result.values.push_back(data.values[static_cast<std::size_t>(start + k * cut.step)]);
    }
  }
  return result;
}

Inferred split(const Call& call) {
  const Shaped& data = call.input(0);
  const std::size_t parts = call.node->outputs.size();
  const auto at = axis_of(integer_attribute(*call.node, "axis", 0), data.dims.size());
  Inferred inferred;
  if (parts > kInferredPartsMax) return inferred;
  if (!data.rank_known || !at || parts == 0) {
    inferred.outputs.assign(parts, unknown(data.type));
    return inferred;
  }
  auto sizes = integers_attribute(*call.node, "split", kInferredPartsMax);
  if (!sizes && call.has(1)) sizes = call.list(1);
  const bool given = sizes && sizes->size() == parts;
  const std::int64_t whole = data.dims[*at];
  const auto count = static_cast<std::int64_t>(parts);
  for (std::size_t i = 0; i < parts; ++i) {
    Shaped part = shaped(data.type, data.dims);
    if (given) part.dims[*at] = std::max<std::int64_t>((*sizes)[i], 0);
    else if (call.has(1) || whole == kOpen) part.dims[*at] = kOpen;
    else part.dims[*at] = whole / count + (whole % count != 0 ? 1 : 0);
    inferred.outputs.push_back(part);
  }
  return inferred;
}

Inferred top(const Call& call) {
  Shaped values = shaped(call.input(0).type, call.input(0).dims);
  const auto at = axis_of(integer_attribute(*call.node, "axis", -1), values.dims.size());
  if (!call.input(0).rank_known || !at) return {{unknown(values.type), unknown(ElementType::i64)}};
  const auto count = call.has(1) ? call.list(1)
                                 : std::optional(std::vector<std::int64_t>{
                                       integer_attribute(*call.node, "k", 1)});
  values.dims[*at] = count && count->size() == 1 && (*count)[0] >= 0 ? (*count)[0] : kOpen;
  Shaped places = values;
  places.type = ElementType::i64;
  return {{values, places}, elements(call.input(0))};
}

Shaped one_hot(const Call& call) {
  const Shaped& indices = call.input(0);
  const ElementType type = call.input(2).type;
  if (!indices.rank_known) return unknown(type);
  const auto depth = call.list(1);
  const auto at = axis_of(integer_attribute(*call.node, "axis", -1), indices.dims.size() + 1);
  if (!at) return unknown(type);
  Shaped result = shaped(type, indices.dims);
  const bool known = depth && depth->size() == 1 && (*depth)[0] >= 0;
  result.dims.insert(result.dims.begin() + static_cast<std::ptrdiff_t>(*at),
                     known ? (*depth)[0] : kOpen);
  return result;
}

std::int64_t stretched(std::int64_t extent, float scale) {
  if (extent == kOpen || !(scale >= 0)) return kOpen;
  const double result = static_cast<double>(extent) * static_cast<double>(scale);
  return result < 0x1p62 ? static_cast<std::int64_t>(result) : INT64_MAX;
}

/// Resize and Upsample to constant sizes, or by constant scales.
Shaped resized(const Call& call) {
  const Shaped& data = call.input(0);
  if (!data.rank_known) return unknown(data.type);
  Shaped result = shaped(data.type, std::vector<std::int64_t>(data.dims.size(), kOpen));
  const auto sizes = call.has(3) ? call.list(3) : std::nullopt;
  // Upsample and the first Resize have the scales as their second input, later ones as their third.
  const std::vector<float>& scales = call.input(call.inputs.size() > 2 ? 2 : 1).reals;
  const auto axes = integers_attribute(*call.node, "axes", kRankMax);
  const std::size_t count = sizes && !sizes->empty() ? sizes->size() : scales.size();
  if (count == 0) return result;
  if (axes) result.dims = data.dims;
  for (std::size_t i = 0; i < count; ++i) {
    const auto at =
        axis_of(axes && i < axes->size() ? (*axes)[i] : static_cast<std::int64_t>(i),
                data.dims.size());
    if (!at) return unknown(data.type);
    result.dims[*at] = sizes && !sizes->empty() ? std::max<std::int64_t>((*sizes)[i], 0)
                                                : stretched(data.dims[*at], scales[i]);
  }
  return result;
}

Shaped regrouped(const Call& call, bool to_space) {
  const Shaped& data = call.input(0);
  const std::int64_t block = integer_attribute(*call.node, "blocksize", 1);
  if (data.dims.size() != 4 || block < 1 || block > 1 << 15) return unknown(data.type);
  const auto times = [&](std::int64_t extent, std::int64_t factor, bool grow) {
    if (extent == kOpen) return kOpen;
    return grow ? std::min(extent, INT64_MAX / factor) * factor : extent / factor;
  };
  return shaped(data.type, {data.dims[0], times(data.dims[1], block * block, !to_space),
                            times(data.dims[2], block, to_space),
                            times(data.dims[3], block, to_space)});
}

}  // namespace

std::optional<Inferred> infer_indexed(const Call& call) {
  const std::string_view name = call.node->op_type;
  if (!call.node->domain.empty()) return std::nullopt;
  if (name == "Gather") return Inferred{{gathered(call)}};
  if (name == "GatherElements") {
    Shaped result = call.input(1);
    result.type = call.input(0).type;
    result.values.clear();
    return Inferred{{result}};
  }
  if (name == "Slice") return Inferred{{sliced(call)}};
  if (name == "Split") return split(call);
  if (name == "TopK") return top(call);
  if (name == "OneHot") return Inferred{{one_hot(call)}};
  if (name == "Resize" || name == "Upsample") return Inferred{{resized(call)}};
  if (name == "DepthToSpace") return Inferred{{regrouped(call, true)}};
  if (name == "SpaceToDepth") return Inferred{{regrouped(call, false)}};
  return std::nullopt;
}

}  // namespace cloister
