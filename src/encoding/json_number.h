#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cloister {

/// A number of JSON's grammar, found at the beginning of a text.
struct JsonNumber {
  std::string_view text;        ///< empty: no number stands here
  bool is_negative = false;
  bool is_integer = false;      ///< without fraction and exponent
  /// Where `is_exact`, the value is `digits` * 10^`exponent`, negated if `is_negative`.
  bool is_exact = false;
  std::uint64_t digits = 0;
  std::int32_t exponent = 0;
};

/// Finds the number that `text` begins with. Fast enough for arrays of millions.
JsonNumber scan_json_number(std::string_view text) noexcept;

/// The nearest double or float, rounded once; a value too small is zero. Nothing for one past the
/// largest finite value, or for no number.
std::optional<double> double_of(const JsonNumber& number) noexcept;
std::optional<float> float_of(const JsonNumber& number) noexcept;

/// Nothing unless the number is an integer that fits.
std::optional<std::uint64_t> unsigned_of(const JsonNumber& number) noexcept;
std::optional<std::int64_t> integer_of(const JsonNumber& number) noexcept;

}  // namespace cloister
