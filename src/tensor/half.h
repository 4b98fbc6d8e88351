#pragma once

#include <cstdint>

namespace cloister {

/// IEEE 754 binary16, given as its bits. Exact in one direction; rounded to nearest, ties to even,
/// in the other, where what is too large becomes infinity and a NaN stays one.
float float_from_half(std::uint16_t bits) noexcept;
std::uint16_t half_from_double(double value) noexcept;

/// bfloat16, the upper half of a binary32, in the same way.
float float_from_bfloat16(std::uint16_t bits) noexcept;
std::uint16_t bfloat16_from_double(double value) noexcept;

}  // namespace cloister
