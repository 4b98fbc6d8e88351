#pragma once

#include <cstdint>
#include <optional>

#include "graph/onnx/proto.h"
#include "tensor/tensor.h"

namespace cloister {

/// Bits of one element as raw data stores it; 0 for strings and `undefined`.
std::uint32_t element_bits(ElementType type) noexcept;

/// "float32" and so on; "undefined" for no type.
const char* name_of(ElementType type) noexcept;

/// The protocol's type, if it has one.
std::optional<DType> protocol_type(ElementType type) noexcept;

/// The product of `dims`; nothing past kRankMax, kElementsMax or for a negative extent.
std::optional<std::uint64_t> element_count(const Tensor& tensor) noexcept;

/// Bytes of the tensor's values as raw data: for strings 0. Nothing where element_count is nothing.
std::optional<std::uint64_t> raw_bytes(const Tensor& tensor) noexcept;

/// How many values of `tensor.storage` a tensor of this type and shape has; nothing when the type
/// is not kept in that storage.
std::optional<std::uint64_t> stored_values(const Tensor& tensor) noexcept;

/// Whether every stored value is one that the type can have: integers in range, booleans 0 or 1.
/// Reads values of narrow types in typed fields and booleans; for all others true at once.
bool values_in_range(const Tensor& tensor) noexcept;

/// The values as they lie in the file, where they lie there as raw data would (raw data itself, and
/// one packed run of floats or doubles). Nothing where they must be converted.
std::optional<Bytes> raw_view(const Tensor& tensor) noexcept;

/// The values of a tensor that has no raw view, as raw data. Not for strings.
ByteVector converted(const Tensor& tensor);

/// Calls `visit(std::uint64_t)` with the bits of each value of an int64 tensor whose size was
/// checked.
template <class Visit>
void for_each_int64(const Tensor& tensor, Visit&& visit) {
  if (tensor.storage != TensorStorage::raw) return for_each_number(tensor.values, 0, visit);
  Repeated run;
  run.run = tensor.raw;
  run.packed = true;
  for_each_number(run, 8, visit);
}

/// The values of a small tensor of integers, as its type reads them. At most `max` of them;
/// nothing for other types and larger tensors.
std::optional<std::vector<std::int64_t>> small_integers(const Tensor& tensor, std::size_t max);

/// The same for float32; empty for other types and larger tensors.
std::vector<float> small_reals(const Tensor& tensor, std::size_t max);

}  // namespace cloister
