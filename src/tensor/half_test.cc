#include "tensor/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace cloister {
namespace {

TEST(Half, EveryValueSurvivesARoundTrip) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = float_from_half(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(float_from_half(half_from_double(value))));
    } else {
      EXPECT_EQ(half_from_double(value), half);
    }
  }
}

TEST(Half, RoundsToNearestTiesToEven) {
  EXPECT_EQ(half_from_double(1.0), 0x3C00);
  EXPECT_EQ(half_from_double(1.0 + 1.0 / 2048), 0x3C00);
  EXPECT_EQ(half_from_double(1.0 + 3.0 / 2048), 0x3C02);
  EXPECT_EQ(half_from_double(1.0 + 1.0 / 2048 + 1e-9), 0x3C01);
  EXPECT_EQ(half_from_double(65504), 0x7BFF);
  EXPECT_EQ(half_from_double(65519.9), 0x7BFF);
  EXPECT_EQ(half_from_double(65520), 0x7C00);
  EXPECT_EQ(half_from_double(1e300), 0x7C00);
  EXPECT_EQ(half_from_double(std::ldexp(1.0, -24)), 0x0001);
  EXPECT_EQ(half_from_double(std::ldexp(1.0, -25)), 0x0000);
  EXPECT_EQ(half_from_double(std::ldexp(1.5, -25)), 0x0001);
  EXPECT_EQ(half_from_double(-0.0), 0x8000);
  EXPECT_EQ(half_from_double(1e-300), 0x0000);
}

TEST(Bfloat16, EveryValueSurvivesARoundTrip) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const auto brain = static_cast<std::uint16_t>(bits);
    const float value = float_from_bfloat16(brain);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(value), bits << 16);
    if (!std::isnan(value)) {
      EXPECT_EQ(bfloat16_from_double(value), brain);
    }
  }
}

TEST(Bfloat16, RoundsToNearestTiesToEven) {
  EXPECT_EQ(bfloat16_from_double(1.0 + 1.0 / 256), 0x3F80);
  EXPECT_EQ(bfloat16_from_double(1.0 + 3.0 / 256), 0x3F82);
  EXPECT_EQ(bfloat16_from_double(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(bfloat16_from_double(1e300), 0x7F80);
}

}  // namespace
}  // namespace cloister
