#include "tensor/half.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace cloister {
namespace {

/// A binary format of 16 bits: 1 sign, the exponent, and `fraction_bits` of fraction.
struct Format {
  int fraction_bits;
  int exponent_min;  ///< of the smallest normal number
  int exponent_max;
  int bias;
};
constexpr Format kHalf{10, -14, 15, 15};
constexpr Format kBfloat16{7, -126, 127, 127};

std::uint16_t round_to(const Format& format, double value) noexcept {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const int infinity = (format.exponent_max + format.bias + 1) << format.fraction_bits;
  const double magnitude = std::fabs(value);
  if (std::isnan(value)) {
    return static_cast<std::uint16_t>(sign | infinity | (1 << (format.fraction_bits - 1)));
  }
  if (std::isinf(value)) return static_cast<std::uint16_t>(sign | infinity);
  if (magnitude == 0) return sign;
  const int exponent = std::max(std::ilogb(magnitude), format.exponent_min);
  if (exponent > format.exponent_max) return static_cast<std::uint16_t>(sign | infinity);
  // Scaled so that one unit is the last place; nearbyint rounds ties to even. A fraction that
  // rounds up to a power of two carries into the exponent by plain addition.
  const auto units = static_cast<int>(
      std::nearbyint(std::scalbn(magnitude, format.fraction_bits - exponent)));
  const int biased = exponent + format.bias - 1;
  return static_cast<std::uint16_t>(sign | ((biased << format.fraction_bits) + units));
}

}  // namespace

float float_from_half(std::uint16_t bits) noexcept {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 0x3FF;
  float magnitude = 0;
  if (exponent == 31) {
    magnitude = fraction == 0 ? HUGE_VALF : std::nanf("");
  } else if (exponent == 0) {
    magnitude = std::scalbn(static_cast<float>(fraction), -24);
  } else {
    magnitude = std::scalbn(static_cast<float>(fraction + 1024), exponent - 25);
  }
  return std::copysign(magnitude, (bits & 0x8000) != 0 ? -1.0F : 1.0F);
}

std::uint16_t half_from_double(double value) noexcept { return round_to(kHalf, value); }

float float_from_bfloat16(std::uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

std::uint16_t bfloat16_from_double(double value) noexcept { return round_to(kBfloat16, value); }

}  // namespace cloister
