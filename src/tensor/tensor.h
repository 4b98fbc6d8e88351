#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// Element types of the Open Inference Protocol v2 ("Tensor Data Types").
enum class DType : std::uint8_t {
  boolean, u8, u16, u32, u64, i8, i16, i32, i64, f16, bf16, f32, f64, bytes
};

inline constexpr std::size_t kRankMax = 32;            ///< dimensions of one tensor
inline constexpr std::uint64_t kElementsMax = 1ULL << 31;  ///< elements of one tensor
inline constexpr std::uint64_t kTensorBytesMax = 1ULL << 32;

/// Bytes of one element; 0 for `bytes`, whose elements have lengths of their own.
std::size_t element_bytes(DType type) noexcept;
/// "FP32" and so on, as the protocol spells them.
std::string_view protocol_name(DType type) noexcept;
std::optional<DType> dtype_from_protocol(std::string_view name) noexcept;
/// "float32" and so on, as NumPy spells them; error texts use these. `bytes` is "bytes".
std::string_view numpy_name(DType type) noexcept;

/// Extents from the outermost dimension; empty is a scalar. Extents may be 0.
using Shape = std::vector<std::uint64_t>;

/// The product of extents. Fails: `too_large` past kRankMax or kElementsMax.
Result<std::uint64_t> element_count(const Shape& shape);
/// "[1,3,224,224]".
std::string text_of(const Shape& shape);

/// A tensor in somebody else's memory: row-major, little-endian, no padding. `bytes` elements are
/// a little-endian u32 length and that many bytes each, one after the other (the protocol's binary
/// representation); whoever makes such a view has checked that the lengths add up.
struct TensorView {
  DType type = DType::f32;
  Shape shape;
  Bytes data;
};

/// A named tensor view: one input or output of one request.
struct NamedTensorView {
  std::string name;
  TensorView tensor;
};

/// The byte count that a non-`bytes` tensor of this type and shape has. Fails: `too_large`.
Result<std::uint64_t> tensor_bytes(DType type, const Shape& shape);

/// Walks the elements of a `bytes` tensor. Fails: `invalid` unless `data` holds exactly `count`
/// length-prefixed elements.
Result<std::vector<Bytes>> bytes_elements(Bytes data, std::uint64_t count);

}  // namespace cloister
