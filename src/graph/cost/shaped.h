#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "graph/onnx/proto.h"

namespace cloister {

/// An extent that is not known before the run.
inline constexpr std::int64_t kOpen = -1;

/// What is known of one value before the run. A rank that is not known has no dims.
struct Shaped {
  ElementType type = ElementType::undefined;  ///< undefined: not known
  bool rank_known = false;
  bool constant = false;                ///< the same in every run: the runtime may fold it
  std::vector<std::int64_t> dims;       ///< each from 0, or kOpen
  /// The elements of a small tensor of integers, in order; nothing for an element that is not
  /// known. Empty where none is.
  std::vector<std::optional<std::int64_t>> values;
  std::vector<float> reals;  ///< the same of a small constant of floats in the file itself
  bool operator==(const Shaped&) const = default;
};

/// A value of known shape.
Shaped shaped(ElementType type, std::vector<std::int64_t> dims);
/// A value of that type of which nothing else is known.
Shaped unknown(ElementType type);

/// a * b and a + b, or UINT64_MAX past it.
std::uint64_t saturating_multiply(std::uint64_t a, std::uint64_t b) noexcept;
std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept;

/// The product of the extents, each open one counted as 1.
std::uint64_t elements(const Shaped& value) noexcept;
/// Bytes of the value, the same way; strings count 64 bytes each.
std::uint64_t bytes(const Shaped& value) noexcept;
/// Whether every extent is known.
bool is_closed(const Shaped& value) noexcept;

/// The shape of an operation that broadcasts both. Source: ONNX, docs/Broadcasting.md.
Shaped broadcast(const Shaped& a, const Shaped& b);

}  // namespace cloister
