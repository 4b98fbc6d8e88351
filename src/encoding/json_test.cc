#include "encoding/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "encoding/json_cursor.h"
#include "encoding/utf8.h"

namespace cloister {
namespace {

TEST(ParseJson, RefusesWhatTheGrammarDoesNotHave) {
  const char* const kRefused[] = {
      "", " ", "{", "[", "}", "[1,]", "{\"a\":1,}", "[1 2]", "{\"a\" 1}", "{a:1}", "{1:1}", "'a'",
      "nul", "True", "NaN", "Infinity", "-Infinity", "01", "-", "+1", "1.", ".5", "1e", "1e+",
      "0x10", "1 2", "[1]x", "\"a", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\ud800\"",
      "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"", "\"\t\"", "\"\xff\"", "\"\xc0\x80\"",
      "\"\xed\xa0\x80\"", "\xEF\xBB\xBF{}", "[1]//c", "\"\\u-123\"",
  };
  for (const char* text : kRefused) {
    EXPECT_EQ(parse_json(text).error().code, Code::invalid) << text;
  }
  EXPECT_FALSE(parse_json(std::string_view("[1]\0", 4)).ok());
  EXPECT_FALSE(parse_json(std::string_view("\0", 1)).ok());
}

TEST(ParseJson, RefusesDuplicateKeysAtAnyDepth) {
  EXPECT_FALSE(parse_json(R"({"a":1,"a":1})").ok());
  EXPECT_FALSE(parse_json(R"({"a":1,"b":[{"c":1,"\u0063":2}]})").ok());
  EXPECT_TRUE(parse_json(R"({"a":{"a":1},"b":{"a":1}})").ok());
}

TEST(ParseJson, RefusesNumbersThatDoNotFit) {
  for (const char* text : {"1e999", "-1e999", "1.8e308", "18446744073709551616",
                           "-9223372036854775809", "123456789012345678901234567890"}) {
    EXPECT_FALSE(parse_json(text).ok()) << text;
  }
}

TEST(ParseJson, RefusesDepthSizeAndCountPastTheLimits) {
  JsonLimits limits{.bytes_max = 100, .depth_max = 3, .values_max = 5};
  EXPECT_TRUE(parse_json("[[[1]]]", limits).ok());
  EXPECT_EQ(parse_json("[[[[1]]]]", limits).error().code, Code::too_large);
  EXPECT_TRUE(parse_json("[1,2,3,4]", limits).ok());
  EXPECT_EQ(parse_json("[1,2,3,4,5]", limits).error().code, Code::too_large);
  EXPECT_EQ(parse_json(std::string(101, ' '), limits).error().code, Code::too_large);
  EXPECT_EQ(parse_json(std::string(100000, '[')).error().code, Code::too_large);
}

TEST(ParseJson, NamesTheByteOfTheFault) {
  const Result<JsonValue> parsed = parse_json(R"({"a":1,"a":2})");
  EXPECT_FALSE(parsed.error().detail.empty());
}

TEST(ParseJson, KeepsIntegersExact) {
  const JsonValue value =
      parse_json("[18446744073709551615,-9223372036854775808,9007199254740993,1.0,-0]").value();
  EXPECT_EQ(value.items()[0].unsigned_integer(), ~std::uint64_t{0});
  EXPECT_EQ(value.items()[0].integer(), std::nullopt);
  EXPECT_EQ(value.items()[1].integer(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(value.items()[1].unsigned_integer(), std::nullopt);
  EXPECT_EQ(value.items()[2].integer(), 9007199254740993);
  EXPECT_EQ(value.items()[3].integer(), std::nullopt);
  EXPECT_EQ(value.items()[3].number(), 1.0);
  EXPECT_TRUE(std::signbit(*value.items()[4].number()));
}

TEST(ParseJson, RoundsTinyNumbersToZero) {
  EXPECT_EQ(parse_json("1e-999").value().number(), 0.0);
  EXPECT_EQ(parse_json("-0.000000001e-99999999999999999999").value().number(), 0.0);
  EXPECT_EQ(parse_json("0e999").value().number(), 0.0);
  EXPECT_EQ(parse_json("5e-324").value().number(), 5e-324);
}

TEST(ParseJson, KeepsOrderAndExactBytes) {
  const std::string text = R"( {"b" : [1, 2 ] ,"a":"\u00e9\ud83d\ude00\n", "c":{} } )";
  const JsonValue value = parse_json(text).value();
  ASSERT_EQ(value.members().size(), 3U);
  EXPECT_EQ(value.members()[0].key, "b");
  EXPECT_EQ(value.find("b")->raw(), "[1, 2 ]");
  EXPECT_EQ(value.find("b")->raw().data(), text.data() + text.find('['));
  EXPECT_EQ(value.find("a")->text(), "\xC3\xA9\xF0\x9F\x98\x80\n");
  EXPECT_EQ(value.find("d"), nullptr);
  EXPECT_EQ(value.raw(), std::string_view(text).substr(1, text.size() - 2));
}

TEST(IsUtf8, KnowsTheRangesOfTheStandard) {
  for (const char* text : {"\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "a\xC3\xA9"}) {
    EXPECT_TRUE(is_utf8(text));
  }
  for (const char* text : {"\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                           "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3", "\xE2\x82", "\xC3("}) {
    EXPECT_FALSE(is_utf8(text));
  }
}

}  // namespace
}  // namespace cloister
