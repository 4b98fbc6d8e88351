#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include "base/limits.h"
#include "http/tensor_json.h"
#include "tensor/half.h"

namespace cloister {
namespace {

/// Reads one JSON value of a kind and stores it as one element. Each returns null, or what it
/// expected instead.
template <class Integer>
const char* read_integer(JsonCursor& cursor, std::byte* place) {
  const JsonNumber number = scan_json_number(cursor.rest());
  cursor.advance(number.text.size());
  Integer value = 0;
  if constexpr (std::is_signed_v<Integer>) {
    const std::optional<std::int64_t> parsed = integer_of(number);
    if (!parsed) return "expected an integer that fits";
    if (*parsed < std::numeric_limits<Integer>::min() ||
        *parsed > std::numeric_limits<Integer>::max()) {
      return "expected an integer that fits";
    }
    value = static_cast<Integer>(*parsed);
  } else {
    const std::optional<std::uint64_t> parsed = unsigned_of(number);
    if (!parsed || *parsed > std::numeric_limits<Integer>::max()) {
      return "expected an integer that fits, not negative";
    }
    value = static_cast<Integer>(*parsed);
  }
  std::memcpy(place, &value, sizeof value);
  return nullptr;
}

constexpr const char* kNoNumber = "expected a number";
constexpr const char* kNotFinite = "expected a number that is finite in this type";

template <class Float>
const char* read_float(JsonCursor& cursor, std::byte* place) {
  const JsonNumber number = scan_json_number(cursor.rest());
  if (number.text.empty()) return kNoNumber;
  cursor.advance(number.text.size());
  Float value = 0;
  if constexpr (sizeof(Float) == sizeof(float)) {
    const std::optional<float> parsed = float_of(number);
    if (!parsed) return kNotFinite;
    value = *parsed;
  } else {
    const std::optional<double> parsed = double_of(number);
    if (!parsed) return kNotFinite;
    value = *parsed;
  }
  std::memcpy(place, &value, sizeof value);
  return nullptr;
}

template <std::uint16_t (*kRound)(double), float (*kWiden)(std::uint16_t)>
const char* read_half(JsonCursor& cursor, std::byte* place) {
  const JsonNumber number = scan_json_number(cursor.rest());
  if (number.text.empty()) return kNoNumber;
  cursor.advance(number.text.size());
  const std::optional<double> parsed = double_of(number);
  if (!parsed) return kNotFinite;
  const std::uint16_t value = kRound(*parsed);
  if (!std::isfinite(kWiden(value))) return kNotFinite;
  std::memcpy(place, &value, sizeof value);
  return nullptr;
}

const char* read_truth(JsonCursor& cursor, std::byte* place) {
  const Result<bool> value = cursor.boolean();
  if (!value.ok()) return "expected true or false";
  *place = value.value() ? std::byte{1} : std::byte{0};
  return nullptr;
}

using ElementReader = const char* (*)(JsonCursor&, std::byte*);

ElementReader reader_of(DType type) {
  switch (type) {
    case DType::boolean: return read_truth;
    case DType::u8: return read_integer<std::uint8_t>;
    case DType::u16: return read_integer<std::uint16_t>;
    case DType::u32: return read_integer<std::uint32_t>;
    case DType::u64: return read_integer<std::uint64_t>;
    case DType::i8: return read_integer<std::int8_t>;
    case DType::i16: return read_integer<std::int16_t>;
    case DType::i32: return read_integer<std::int32_t>;
    case DType::i64: return read_integer<std::int64_t>;
    case DType::f16: return read_half<half_from_double, float_from_half>;
    case DType::bf16: return read_half<bfloat16_from_double, float_from_bfloat16>;
    case DType::f32: return read_float<float>;
    case DType::f64: return read_float<double>;
    case DType::bytes: break;
  }
  CLOISTER_CHECK(false);
  return nullptr;
}

/// The elements of one tensor on their way from text into memory.
class DataReader {
 public:
  DataReader(JsonCursor& cursor, const std::string& name, DType type, const Shape& shape,
             std::uint64_t count) noexcept
      : cursor_(cursor), name_(name), type_(type), shape_(shape), count_(count) {}

  Result<TensorView> read(TensorMemory& memory) {
    // An element takes at least one character and a comma: a shape that asks for more than the
    // text can hold is refused before any memory is.
    if (count_ > cursor_.rest().size() / 2 + 1) return wrong_count("fewer");
    const bool fixed = type_ != DType::bytes;
    const std::uint64_t reserved = fixed ? count_ * element_bytes(type_)
                                         : std::min(memory.left(), string_bytes_bound());
    CLOISTER_ASSIGN(const MutableBytes piece, memory.take(reserved));
    memory_ = piece;
    CLOISTER_TRY(read_array());
    if (filled_ != count_) return wrong_count("fewer");
    if (!fixed) memory.shrink_last(piece, used_);
    return TensorView{type_, shape_, Bytes(piece).first(used_)};
  }

 private:
  /// Every string element has two quotes and a comma or bracket, and no more bytes than
  /// characters; in memory it has a length of four bytes.
  std::uint64_t string_bytes_bound() const noexcept { return 2 * cursor_.rest().size() + 4; }

  Status read_array() {
    if (!cursor_.accept('[')) return invalid("data must be an array");
    const bool nested = shape_.size() > 1 && (cursor_.peek() == '[');
    return nested ? read_nested(0) : read_flat(count_);
  }

  /// The items of dimension `axis`, whose bracket has been consumed, and its closing bracket.
  Status read_nested(std::size_t axis) {
    if (axis + 1 == shape_.size()) return read_flat(shape_[axis]);
    for (std::uint64_t i = 0; i < shape_[axis]; ++i) {
      if (i > 0 && !cursor_.accept(',')) return wrong_nesting(axis);
      if (!cursor_.accept('[')) return wrong_nesting(axis);
      CLOISTER_TRY(read_nested(axis + 1));
    }
    if (!cursor_.accept(']')) return wrong_nesting(axis);
    return Done{};
  }

  /// `expected` elements and the closing bracket.
  Status read_flat(std::uint64_t expected) {
    if (expected == 0) {
      if (!cursor_.accept(']')) return wrong_count("more");
      return Done{};
    }
    return type_ == DType::bytes ? read_strings(expected) : read_numbers(expected);
  }

  Status read_numbers(std::uint64_t expected) {
    const ElementReader read_element = reader_of(type_);
    const std::size_t size = element_bytes(type_);
    for (std::uint64_t i = 0; i < expected; ++i) {
      if (i > 0) CLOISTER_TRY(separate());
      cursor_.peek();
      const char* const wrong = read_element(cursor_, memory_.data() + used_);
      if (wrong != nullptr) return wrong_element(wrong);
      used_ += size;
      ++filled_;
    }
    return close();
  }

  Status read_strings(std::uint64_t expected) {
    constexpr std::size_t kPrefix = 4;
    for (std::uint64_t i = 0; i < expected; ++i) {
      if (i > 0) CLOISTER_TRY(separate());
      if (cursor_.peek() != '"') return wrong_element("expected a string");
      if (memory_.size() - used_ < kPrefix) return too_large();
      const auto written = cursor_.string_into(memory_.subspan(used_ + kPrefix));
      if (!written.ok()) {
        if (written.error().code == Code::too_large) return too_large();
        return wrong_element("expected a string in UTF-8 without broken escapes");
      }
      if (written.value() > std::numeric_limits<std::uint32_t>::max()) return too_large();
      const auto length = static_cast<std::uint32_t>(written.value());
      std::memcpy(memory_.data() + used_, &length, kPrefix);
      used_ += kPrefix + length;
      ++filled_;
    }
    return close();
  }

  Status separate() {
    if (cursor_.accept(',')) return Done{};
    return cursor_.peek() == ']' ? wrong_count("fewer") : wrong_element("expected , or ]");
  }
  Status close() {
    if (cursor_.accept(']')) return Done{};
    return cursor_.peek() == ',' ? wrong_count("more") : wrong_element("expected , or ]");
  }

  Error invalid(const std::string& why) const {
    return Error{Code::invalid, "http.tensor_json", Detail("input \"" + name_ + "\": " + why)};
  }
  Error too_large() const {
    return Error{Code::too_large, "http.tensor_json",
                 Detail("input \"" + name_ + "\": the strings take too much memory")};
  }
  Error wrong_element(const char* why) const {
    return invalid("element " + std::to_string(filled_) + ": " + why);
  }
  Error wrong_count(const char* how) const {
    return invalid("shape " + text_of(shape_) + " asks for " + std::to_string(count_) +
                   " elements, the data has " + how);
  }
  Error wrong_nesting(std::size_t axis) const {
    return invalid("nested data does not match dimension " + std::to_string(axis) + " of shape " +
                   text_of(shape_));
  }

  JsonCursor& cursor_;
  const std::string& name_;
  DType type_;
  const Shape& shape_;
  std::uint64_t count_;
  MutableBytes memory_;
  std::size_t used_ = 0;
  std::uint64_t filled_ = 0;
};

}  // namespace

Result<TensorView> read_tensor_data(JsonCursor& cursor, const std::string& name, DType type,
                                    const Shape& shape, TensorMemory& memory) {
  const Result<std::uint64_t> count = element_count(shape);
  if (!count.ok()) {
    return Error{Code::too_large, "http.tensor_json",
                 Detail("input \"" + name + "\": shape " + text_of(shape) + " is too large")};
  }
  return DataReader(cursor, name, type, shape, count.value()).read(memory);
}

}  // namespace cloister
