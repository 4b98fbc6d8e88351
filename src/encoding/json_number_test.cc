#include "encoding/json_number.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "encoding/json_cursor.h"

namespace cloister {
namespace {

float float_at(const char* text) { return float_of(scan_json_number(text)).value(); }
double double_at(const std::string& text) { return double_of(scan_json_number(text)).value(); }

TEST(ScanJsonNumber, FindsNothingWhereTheGrammarHasNothing) {
  for (const char* text : {"", "-", "01", "-01", "00", ".5", "1.", "1.e3", "1e", "1e+", "+1"}) {
    EXPECT_TRUE(scan_json_number(text).text.empty()) << text;
  }
  EXPECT_EQ(scan_json_number("12,3").text, "12");
  EXPECT_EQ(scan_json_number("-0.5e+3]").text, "-0.5e+3");
}

TEST(FloatOf, RefusesWhatIsNotFinite) {
  for (const char* text : {"3.5e38", "-3.5e38", "1e999", "1e99999999999999999999"}) {
    EXPECT_FALSE(float_of(scan_json_number(text)).has_value()) << text;
  }
  EXPECT_FALSE(double_of(scan_json_number("1.8e308")).has_value());
  EXPECT_TRUE(double_of(scan_json_number("1.7e308")).has_value());
}

TEST(FloatOf, RoundsOnceToTheNearest) {
  // Rounded through double, this would end on the even neighbour below.
  EXPECT_EQ(float_at("1.000000059604644775390626"), 1.0000001F);
  EXPECT_EQ(float_at("1.000000059604644775390624"), 1.0F);
  EXPECT_EQ(float_at("16777217"), 16777216.0F);
  EXPECT_EQ(float_at("16777217.0000001"), 16777218.0F);
  EXPECT_EQ(float_at("1e-60"), 0.0F);
  EXPECT_TRUE(std::signbit(float_at("-1e-60")));
  EXPECT_EQ(float_at("1e-45"), std::numeric_limits<float>::denorm_min());
  EXPECT_EQ(float_at("3.4028235e38"), std::numeric_limits<float>::max());
  EXPECT_EQ(float_at("0.000000000000000000000000000000000000000000001"), 1e-45F);
}

TEST(FloatOf, AgreesWithTheStandardLibrary) {
  EXPECT_TRUE(rc::check([](std::uint32_t digits, std::int8_t exponent, double any) {
    const std::string written = std::to_string(digits) + "." + std::to_string(digits % 977) + "e" +
                                std::to_string(exponent % 45);
    double expected = 0;
    std::from_chars(written.data(), written.data() + written.size(), expected);
    RC_ASSERT(double_at(written) == expected);
    const std::optional<float> single = float_of(scan_json_number(written));
    float nearest = 0;
    const auto parsed = std::from_chars(written.data(), written.data() + written.size(), nearest);
    if (parsed.ec == std::errc{} && std::isfinite(nearest)) RC_ASSERT(single.value() == nearest);
    RC_PRE(std::isfinite(any));
    std::array<char, 40> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), any);
    RC_ASSERT(double_at(std::string(text.data(), end.ptr)) == any);
  }));
}

TEST(IntegerOf, RefusesFractionsAndWhatDoesNotFit) {
  for (const char* text : {"1.0", "1e3", "9223372036854775808", "-9223372036854775809"}) {
    EXPECT_FALSE(integer_of(scan_json_number(text)).has_value()) << text;
  }
  for (const char* text : {"-1", "18446744073709551616", "1.5", "99999999999999999999999"}) {
    EXPECT_FALSE(unsigned_of(scan_json_number(text)).has_value()) << text;
  }
  EXPECT_EQ(integer_of(scan_json_number("-9223372036854775808")).value(),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(unsigned_of(scan_json_number("18446744073709551615")).value(), ~std::uint64_t{0});
}

TEST(JsonCursor, WritesAStringOnlyWhereItFits) {
  std::array<std::byte, 5> memory;
  JsonCursor fits(R"("a\u00e9\n")", 1);
  EXPECT_EQ(fits.string_into(memory).value(), 4U);
  EXPECT_EQ(text_of(Bytes(memory).first(4)), "a\xC3\xA9\n");
  JsonCursor too_long(R"("abcdef")", 1);
  EXPECT_EQ(too_long.string_into(memory).error().code, Code::too_large);
}

}  // namespace
}  // namespace cloister
