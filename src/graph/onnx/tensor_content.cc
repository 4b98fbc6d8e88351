#include "graph/onnx/tensor_content.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "base/bytes.h"

namespace cloister {
namespace {

struct TypeFacts {
  const char* name;
  std::uint32_t bits;
  TensorStorage storage;  // the typed field that may hold it
};

constexpr auto kFloats = TensorStorage::floats;
constexpr auto kInts32 = TensorStorage::ints32;
constexpr auto kUnsigned64 = TensorStorage::unsigned64;

// In the order of ElementType. Source: ONNX 1.21, onnx-ml.proto, the comments on the typed fields.
constexpr std::array<TypeFacts, kElementTypeMax + 1> kTypes{{
    {"undefined", 0, TensorStorage::none},
    {"float32", 32, kFloats},
    {"uint8", 8, kInts32},
    {"int8", 8, kInts32},
    {"uint16", 16, kInts32},
    {"int16", 16, kInts32},
    {"int32", 32, kInts32},
    {"int64", 64, TensorStorage::ints64},
    {"string", 0, TensorStorage::strings},
    {"bool", 8, kInts32},
    {"float16", 16, kInts32},
    {"float64", 64, TensorStorage::doubles},
    {"uint32", 32, kUnsigned64},
    {"uint64", 64, kUnsigned64},
    {"complex64", 64, kFloats},
    {"complex128", 128, TensorStorage::doubles},
    {"bfloat16", 16, kInts32},
    {"float8e4m3fn", 8, kInts32},
    {"float8e4m3fnuz", 8, kInts32},
    {"float8e5m2", 8, kInts32},
    {"float8e5m2fnuz", 8, kInts32},
    {"uint4", 4, kInts32},
    {"int4", 4, kInts32},
    {"float4e2m1", 4, kInts32},
    {"float8e8m0", 8, kInts32},
    {"uint2", 2, kInts32},
    {"int2", 2, kInts32},
}};

const TypeFacts& facts(ElementType type) noexcept { return kTypes[static_cast<std::size_t>(type)]; }

std::size_t run_width(TensorStorage storage) noexcept {
  if (storage == TensorStorage::floats) return 4;
  return storage == TensorStorage::doubles ? 8 : 0;
}

/// Bytes that one stored value becomes.
std::size_t value_bytes(const Tensor& tensor) noexcept {
  const std::size_t width = run_width(tensor.storage);
  return width != 0 ? width : std::max(1U, element_bits(tensor.type) / 8);
}

/// The least and greatest int32 that may stand for one value of a narrow type.
std::pair<std::int64_t, std::int64_t> range_of(ElementType type) noexcept {
  switch (type) {
    case ElementType::i8: return {-128, 127};
    case ElementType::i16: return {-32768, 32767};
    case ElementType::boolean: return {0, 1};
    case ElementType::i32: return {INT32_MIN, INT32_MAX};
    case ElementType::u16:
    case ElementType::f16:
    case ElementType::bf16: return {0, 65535};
    default: return {-128, 255};
  }
}

}  // namespace

std::uint32_t element_bits(ElementType type) noexcept { return facts(type).bits; }
const char* name_of(ElementType type) noexcept { return facts(type).name; }

std::optional<DType> protocol_type(ElementType type) noexcept {
  switch (type) {
    case ElementType::boolean: return DType::boolean;
    case ElementType::u8: return DType::u8;
    case ElementType::u16: return DType::u16;
    case ElementType::u32: return DType::u32;
    case ElementType::u64: return DType::u64;
    case ElementType::i8: return DType::i8;
    case ElementType::i16: return DType::i16;
    case ElementType::i32: return DType::i32;
    case ElementType::i64: return DType::i64;
    case ElementType::f16: return DType::f16;
    case ElementType::bf16: return DType::bf16;
    case ElementType::f32: return DType::f32;
    case ElementType::f64: return DType::f64;
    case ElementType::string: return DType::bytes;
    default: return std::nullopt;
  }
}

std::optional<std::uint64_t> element_count(const Tensor& tensor) noexcept {
  if (tensor.negative_extent || tensor.dims.size() > kRankMax) return std::nullopt;
  std::uint64_t count = 1;
  for (const std::uint64_t extent : tensor.dims) {
    if (__builtin_mul_overflow(count, extent, &count) || count > kElementsMax) return std::nullopt;
  }
  return count;
}

std::optional<std::uint64_t> raw_bytes(const Tensor& tensor) noexcept {
  const auto count = element_count(tensor);
  if (!count) return std::nullopt;
  return (*count * element_bits(tensor.type) + 7) / 8;
}

std::optional<std::uint64_t> stored_values(const Tensor& tensor) noexcept {
  const auto count = element_count(tensor);
  if (!count) return std::nullopt;
  if (tensor.storage == TensorStorage::none) return 0;
  if (tensor.storage == TensorStorage::raw) {
    return tensor.type == ElementType::string ? std::nullopt : raw_bytes(tensor);
  }
  if (tensor.storage != facts(tensor.type).storage) return std::nullopt;
  const bool complex =
      tensor.type == ElementType::complex64 || tensor.type == ElementType::complex128;
  if (complex) return *count * 2;
  return element_bits(tensor.type) == 4 || element_bits(tensor.type) == 2 ? *raw_bytes(tensor)
                                                                          : *count;
}

bool values_in_range(const Tensor& tensor) noexcept {
  if (tensor.type == ElementType::boolean && tensor.storage == TensorStorage::raw) {
    return std::all_of(tensor.raw.begin(), tensor.raw.end(),
                       [](std::byte value) { return value <= std::byte{1}; });
  }
  bool fits = true;
  if (tensor.storage == TensorStorage::ints32) {
    const std::pair<std::int64_t, std::int64_t> range = range_of(tensor.type);
    for_each_number(tensor.values, 0, [&](std::uint64_t bits) {
      const auto value = static_cast<std::int64_t>(bits);
      // A 32-bit value may be written with or without its sign carried on to 64 bits.
      const std::int64_t narrow =
          bits <= UINT32_MAX ? static_cast<std::int32_t>(static_cast<std::uint32_t>(bits)) : value;
      fits = fits && narrow >= range.first && narrow <= range.second;
    });
  } else if (tensor.storage == TensorStorage::unsigned64 && tensor.type == ElementType::u32) {
    for_each_number(tensor.values, 0,
                    [&](std::uint64_t bits) { fits = fits && bits <= UINT32_MAX; });
  }
  return fits;
}

std::optional<Bytes> raw_view(const Tensor& tensor) noexcept {
  if (tensor.storage == TensorStorage::none) return Bytes{};
  if (tensor.storage == TensorStorage::raw) return tensor.raw;
  if (run_width(tensor.storage) != 0 && tensor.values.packed &&
      tensor.values.count * run_width(tensor.storage) == tensor.values.run.size()) {
    return tensor.values.run;
  }
  return std::nullopt;
}

ByteVector converted(const Tensor& tensor) {
  const std::size_t width = value_bytes(tensor);
  ByteVector bytes;
  bytes.reserve(tensor.values.count * width);
  for_each_number(tensor.values, run_width(tensor.storage), [&](std::uint64_t value) {
    for (std::size_t i = 0; i < width; ++i) {
      bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
    }
  });
  return bytes;
}

std::vector<float> small_reals(const Tensor& tensor, std::size_t max) {
  std::vector<float> values;
  const auto count = element_count(tensor);
  if (tensor.type != ElementType::f32 || !count || *count > max) return values;
  const auto view = raw_view(tensor);
  const ByteVector own = view ? ByteVector{} : converted(tensor);
  const Bytes bytes = view ? *view : Bytes(own);
  for (std::size_t at = 0; at + sizeof(float) <= bytes.size(); at += sizeof(float)) {
    std::uint32_t bits = 0;
    for (std::size_t i = sizeof bits; i-- > 0;) {
      bits = (bits << 8) | std::to_integer<std::uint32_t>(bytes[at + i]);
    }
    values.push_back(std::bit_cast<float>(bits));
  }
  return values;
}

std::optional<std::vector<std::int64_t>> small_integers(const Tensor& tensor, std::size_t max) {
  const bool wide = tensor.type == ElementType::i64;
  if (!wide && tensor.type != ElementType::i32) return std::nullopt;
  const auto count = element_count(tensor);
  if (!count || *count > max) return std::nullopt;
  const auto view = raw_view(tensor);
  const ByteVector own = view ? ByteVector{} : converted(tensor);
  const Bytes bytes = view ? *view : Bytes(own);
  const std::size_t width = wide ? 8 : 4;
  std::vector<std::int64_t> values;
  for (std::size_t at = 0; at + width <= bytes.size(); at += width) {
    std::uint64_t bits = 0;
    for (std::size_t i = width; i-- > 0;) {
      bits = (bits << 8) | std::to_integer<std::uint64_t>(bytes[at + i]);
    }
    values.push_back(wide ? static_cast<std::int64_t>(bits)
                          : static_cast<std::int32_t>(static_cast<std::uint32_t>(bits)));
  }
  return values;
}

}  // namespace cloister
