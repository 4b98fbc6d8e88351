#include "base/byte_reader.h"

#include <gtest/gtest.h>

#include <limits>
#include <string_view>

#include "base/limits.h"

namespace cloister {
namespace {

using std::string_view_literals::operator""sv;

TEST(ByteReader, RefusesMoreThanIsLeftAndConsumesNothing) {
  ByteReader reader(bytes_of("abc"));
  EXPECT_EQ(reader.take(4).error().code, Code::corrupt);
  EXPECT_EQ(reader.take(std::numeric_limits<std::size_t>::max()).error().code, Code::corrupt);
  EXPECT_EQ(reader.skip(4).error().code, Code::corrupt);
  EXPECT_EQ(reader.u32_le().error().code, Code::corrupt);
  EXPECT_EQ(reader.u64_be().error().code, Code::corrupt);
  EXPECT_EQ(reader.remaining(), 3U);
}

TEST(ByteReader, RefusesEveryReadOfNothing) {
  ByteReader reader({});
  EXPECT_TRUE(reader.empty());
  EXPECT_FALSE(reader.u8().ok());
  EXPECT_FALSE(reader.u16_be().ok());
  EXPECT_FALSE(reader.take(1).ok());
  EXPECT_TRUE(reader.take(0).ok());
}

TEST(ByteReader, ReadsBothByteOrders) {
  ByteReader little(bytes_of("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xff"sv));
  EXPECT_EQ(little.u16_le().value(), 0x0201U);
  EXPECT_EQ(little.u32_le().value(), 0x06050403U);
  EXPECT_EQ(little.u64_le().value(), 0x0e0d0c0b0a090807U);
  EXPECT_EQ(little.u8().value(), 0xffU);
  EXPECT_TRUE(little.empty());
  ByteReader big(bytes_of("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"sv));
  EXPECT_EQ(big.u16_be().value(), 0x0102U);
  EXPECT_EQ(big.u32_be().value(), 0x03040506U);
  EXPECT_EQ(big.u64_be().value(), 0x0708090a0b0c0d0eU);
}

TEST(ByteReader, TakesViewsIntoItsInput) {
  const std::string_view input = "abcdef";
  ByteReader reader(bytes_of(input));
  EXPECT_TRUE(reader.skip(1).ok());
  EXPECT_EQ(text_of(reader.take(2).value()), "bc");
  EXPECT_EQ(text_of(reader.rest()), "def");
}

TEST(CheckedArithmetic, RefusesOverflow) {
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(checked_add(kMax, 1).error().code, Code::too_large);
  EXPECT_EQ(checked_multiply(kMax / 2 + 1, 2).error().code, Code::too_large);
  EXPECT_EQ(checked_add(kMax - 1, 1).value(), kMax);
  EXPECT_EQ(checked_multiply(kMax, 1).value(), kMax);
}

}  // namespace
}  // namespace cloister
