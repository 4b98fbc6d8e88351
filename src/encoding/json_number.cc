#include "encoding/json_number.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace cloister {
namespace {

constexpr std::size_t kExactDigits = 19;  ///< so many always fit 64 bits
constexpr std::int32_t kExponentDigits = 9;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Takes the digits at the front of `rest`, appending them to `digits`; returns how many.
std::size_t take_digits(std::string_view& rest, std::uint64_t& digits) noexcept {
  std::size_t count = 0;
  std::uint64_t value = digits;
  while (count < rest.size() && is_digit(rest[count])) {
    value = value * 10 + static_cast<std::uint64_t>(rest[count] - '0');
    ++count;
  }
  digits = value;
  rest.remove_prefix(count);
  return count;
}

/// Whether a number that from_chars calls out of range is too small rather than too large: the
/// decimal exponent of its first digit that is not 0 decides.
bool is_tiny(std::string_view number) noexcept {
  if (number.front() == '-') number.remove_prefix(1);
  const std::size_t mantissa_end = std::min(number.find_first_of("eE"), number.size());
  const std::string_view mantissa = number.substr(0, mantissa_end);
  const std::size_t first = mantissa.find_first_of("123456789");
  if (first == std::string_view::npos) return true;
  const auto point = static_cast<std::int64_t>(std::min(mantissa.find('.'), mantissa.size()));
  const std::int64_t magnitude = point - static_cast<std::int64_t>(first);
  if (mantissa_end == number.size()) return magnitude <= 0;
  std::string_view digits = number.substr(mantissa_end + 1);
  const bool negative = digits.front() == '-';
  if (digits.front() == '-' || digits.front() == '+') digits.remove_prefix(1);
  std::int64_t exponent = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  if (parsed.ec != std::errc{}) return negative;
  return (negative ? -exponent : exponent) + magnitude <= 0;
}

template <class Float>
std::optional<Float> nearest(std::string_view number) noexcept {
  Float value = 0;
  const char* const end = number.data() + number.size();
  const auto parsed = std::from_chars(number.data(), end, value);
  if (parsed.ec == std::errc::result_out_of_range) {
    if (!is_tiny(number)) return std::nullopt;
    return number.front() == '-' ? -Float{0} : Float{0};
  }
  if (parsed.ec != std::errc{} || parsed.ptr != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

template <class Integer>
std::optional<Integer> whole(const JsonNumber& number) noexcept {
  Integer value = 0;
  const char* const end = number.text.data() + number.text.size();
  const auto parsed = std::from_chars(number.text.data(), end, value);
  if (!number.is_integer || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return value;
}

constexpr std::array<double, 23> kPowers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                            1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/// Whether one multiplication or division by a power of ten gives the nearest double: both
/// operands are doubles exactly then, and IEEE 754 rounds once.
bool is_one_step(const JsonNumber& number) noexcept {
  constexpr std::uint64_t kExactMax = 1ULL << 53;
  return number.is_exact && number.digits <= kExactMax &&
         number.exponent >= -22 && number.exponent <= 22;
}

double one_step(const JsonNumber& number) noexcept {
  const auto digits = static_cast<double>(number.digits);
  const double magnitude = number.exponent < 0
                               ? digits / kPowers[static_cast<std::size_t>(-number.exponent)]
                               : digits * kPowers[static_cast<std::size_t>(number.exponent)];
  return number.is_negative ? -magnitude : magnitude;
}

/// Whether rounding this double to float might differ from rounding the decimal: only where it
/// lies exactly between two floats, or where floats have other spacing.
bool may_round_twice(double value) noexcept {
  constexpr std::uint64_t kDropped = (1ULL << 29) - 1;
  constexpr std::uint64_t kMiddle = 1ULL << 28;
  const double magnitude = std::fabs(value);
  if (magnitude == 0) return false;
  return magnitude < 1e-37 || magnitude > 3e38 ||
         (std::bit_cast<std::uint64_t>(value) & kDropped) == kMiddle;
}

}  // namespace

JsonNumber scan_json_number(std::string_view text) noexcept {
  JsonNumber number;
  std::string_view rest = text;
  number.is_negative = !rest.empty() && rest.front() == '-';
  if (number.is_negative) rest.remove_prefix(1);
  const bool starts_with_zero = !rest.empty() && rest.front() == '0';
  std::size_t digits = take_digits(rest, number.digits);
  if (digits == 0 || (starts_with_zero && digits > 1)) return {};
  number.is_integer = true;
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    const std::size_t fraction = take_digits(rest, number.digits);
    if (fraction == 0) return {};
    digits += fraction;
    number.exponent = -static_cast<std::int32_t>(std::min<std::size_t>(fraction, 1000));
    number.is_integer = false;
  }
  number.is_exact = digits <= kExactDigits;
  if (!rest.empty() && (rest.front() == 'e' || rest.front() == 'E')) {
    rest.remove_prefix(1);
    const bool is_below = !rest.empty() && rest.front() == '-';
    if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) rest.remove_prefix(1);
    std::uint64_t exponent = 0;
    const std::size_t count = take_digits(rest, exponent);
    if (count == 0) return {};
    number.is_integer = false;
    number.is_exact = number.is_exact && count <= kExponentDigits;
    if (number.is_exact) {
      const auto value = static_cast<std::int32_t>(exponent);
      number.exponent += is_below ? -value : value;
    }
  }
  number.text = text.substr(0, text.size() - rest.size());
  return number;
}

std::optional<double> double_of(const JsonNumber& number) noexcept {
  if (is_one_step(number)) return one_step(number);
  return nearest<double>(number.text);
}

std::optional<float> float_of(const JsonNumber& number) noexcept {
  if (is_one_step(number)) {
    const double value = one_step(number);
    if (!may_round_twice(value)) return static_cast<float>(value);
  }
  return nearest<float>(number.text);
}

std::optional<std::uint64_t> unsigned_of(const JsonNumber& number) noexcept {
  if (number.is_integer && !number.is_negative && number.is_exact) return number.digits;
  return whole<std::uint64_t>(number);
}

std::optional<std::int64_t> integer_of(const JsonNumber& number) noexcept {
  return whole<std::int64_t>(number);
}

}  // namespace cloister
