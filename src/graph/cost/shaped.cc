#include "graph/cost/shaped.h"

#include <algorithm>
#include <utility>

#include "graph/onnx/tensor_content.h"

namespace cloister {
namespace {

constexpr std::uint64_t kStringBytes = 64;
constexpr std::uint64_t kWidestBits = 128;

}  // namespace

Shaped shaped(ElementType type, std::vector<std::int64_t> dims) {
  Shaped value;
  value.type = type;
  value.rank_known = true;
  value.dims = std::move(dims);
  return value;
}

Shaped unknown(ElementType type) {
  Shaped value;
  value.type = type;
  return value;
}

std::uint64_t saturating_multiply(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

std::uint64_t elements(const Shaped& value) noexcept {
  std::uint64_t count = 1;
  for (const std::int64_t extent : value.dims) {
    if (extent >= 0) count = saturating_multiply(count, static_cast<std::uint64_t>(extent));
  }
  return count;
}

std::uint64_t bytes(const Shaped& value) noexcept {
  if (value.type == ElementType::string) return saturating_multiply(elements(value), kStringBytes);
  const std::uint64_t bits = element_bits(value.type) == 0 ? kWidestBits : element_bits(value.type);
  return saturating_add(saturating_multiply(elements(value), bits) / 8, 1);
}

bool is_closed(const Shaped& value) noexcept {
  return value.rank_known && std::find(value.dims.begin(), value.dims.end(), kOpen) ==
                                 value.dims.end();
}

Shaped broadcast(const Shaped& a, const Shaped& b) {
  if (!a.rank_known || !b.rank_known) return unknown(a.type);
  const Shaped& longer = a.dims.size() >= b.dims.size() ? a : b;
  const Shaped& shorter = a.dims.size() >= b.dims.size() ? b : a;
  Shaped result = shaped(a.type, longer.dims);
  const std::size_t lead = longer.dims.size() - shorter.dims.size();
  for (std::size_t i = 0; i < shorter.dims.size(); ++i) {
    std::int64_t& extent = result.dims[lead + i];
    const std::int64_t other = shorter.dims[i];
    if (extent == 1) extent = other;
    else if (other != 1 && other != kOpen) extent = extent == 0 ? 0 : std::max(extent, other);
  }
  return result;
}

}  // namespace cloister
