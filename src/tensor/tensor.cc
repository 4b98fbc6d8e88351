#include "tensor/tensor.h"

#include <array>

#include "base/byte_reader.h"
#include "base/limits.h"

namespace cloister {
namespace {

struct TypeFacts {
  DType type;
  std::uint8_t bytes;
  std::string_view protocol;
  std::string_view numpy;
};

// In the order of DType.
constexpr std::array<TypeFacts, 14> kTypes = {{
    {DType::boolean, 1, "BOOL", "bool"},
    {DType::u8, 1, "UINT8", "uint8"},
    {DType::u16, 2, "UINT16", "uint16"},
    {DType::u32, 4, "UINT32", "uint32"},
    {DType::u64, 8, "UINT64", "uint64"},
    {DType::i8, 1, "INT8", "int8"},
    {DType::i16, 2, "INT16", "int16"},
    {DType::i32, 4, "INT32", "int32"},
    {DType::i64, 8, "INT64", "int64"},
    {DType::f16, 2, "FP16", "float16"},
    {DType::bf16, 2, "BF16", "bfloat16"},
    {DType::f32, 4, "FP32", "float32"},
    {DType::f64, 8, "FP64", "float64"},
    {DType::bytes, 0, "BYTES", "bytes"},
}};

const TypeFacts& facts_of(DType type) noexcept {
  const auto index = static_cast<std::size_t>(type);
  CLOISTER_CHECK(index < kTypes.size());
  return kTypes[index];
}

}  // namespace

std::size_t element_bytes(DType type) noexcept { return facts_of(type).bytes; }
std::string_view protocol_name(DType type) noexcept { return facts_of(type).protocol; }
std::string_view numpy_name(DType type) noexcept { return facts_of(type).numpy; }

std::optional<DType> dtype_from_protocol(std::string_view name) noexcept {
  for (const TypeFacts& facts : kTypes) {
    if (facts.protocol == name) return facts.type;
  }
  return std::nullopt;
}

Result<std::uint64_t> element_count(const Shape& shape) {
  if (shape.size() > kRankMax) return Error{Code::too_large, "tensor.rank"};
  // Zeros are left out of the product that is bounded, so that no pair of extents can overflow a
  // stride anywhere, whatever a third one is.
  std::uint64_t product = 1;
  bool is_empty = false;
  for (const std::uint64_t extent : shape) {
    is_empty = is_empty || extent == 0;
    if (extent == 0) continue;
    CLOISTER_ASSIGN(product, checked_multiply(product, extent));
    if (product > kElementsMax) return Error{Code::too_large, "tensor.elements"};
  }
  return is_empty ? 0 : product;
}

std::string text_of(const Shape& shape) {
  std::string text = "[";
  for (const std::uint64_t extent : shape) {
    if (text.size() > 1) text += ',';
    text += std::to_string(extent);
  }
  return text + ']';
}

Result<std::uint64_t> tensor_bytes(DType type, const Shape& shape) {
  CLOISTER_CHECK(type != DType::bytes);
  CLOISTER_ASSIGN(const std::uint64_t count, element_count(shape));
  CLOISTER_ASSIGN(const std::uint64_t bytes, checked_multiply(count, element_bytes(type)));
  if (bytes > kTensorBytesMax) return Error{Code::too_large, "tensor.bytes"};
  return bytes;
}

Result<std::vector<Bytes>> bytes_elements(Bytes data, std::uint64_t count) {
  constexpr std::uint64_t kPrefixBytes = 4;
  if (count > data.size() / kPrefixBytes) return Error{Code::invalid, "tensor.bytes_count"};
  std::vector<Bytes> elements;
  elements.reserve(count);
  ByteReader reader(data);
  for (std::uint64_t i = 0; i < count; ++i) {
    const Result<std::uint32_t> length = reader.u32_le();
    if (!length.ok()) return Error{Code::invalid, "tensor.bytes_prefix"};
    const Result<Bytes> element = reader.take(length.value());
    if (!element.ok()) return Error{Code::invalid, "tensor.bytes_length"};
    elements.push_back(element.value());
  }
  if (!reader.empty()) return Error{Code::invalid, "tensor.bytes_trailing"};
  return elements;
}

}  // namespace cloister
