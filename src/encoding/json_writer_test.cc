#include "encoding/json_writer.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "encoding/json.h"
#include "encoding/json_number.h"

namespace cloister {
namespace {

TEST(JsonWriter, ReplacesBytesThatAreNotUtf8) {
  std::string out;
  JsonWriter(out).text("a\xff\xc3");
  EXPECT_EQ(out, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(JsonWriter, SeparatesAndEscapes) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("a\"").begin_array().integer(-1).unsigned_integer(2).null();
  writer.begin_object().end_object().boolean(true).end_array();
  writer.key("b").text("\\\n\x01/").key("c").number(0.1).key("d").number(0.1f).end_object();
  EXPECT_EQ(out,
            R"({"a\"":[-1,2,null,{},true],"b":"\\\n\u0001/","c":0.1,"d":0.1})");
}

TEST(JsonWriter, WritesFloatsThatReadBackEqual) {
  EXPECT_TRUE(rc::check([](std::uint32_t bits) {
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    RC_PRE(std::isfinite(value));
    std::string out;
    JsonWriter(out).number(value);
    const float again = float_of(scan_json_number(out)).value();
    RC_ASSERT(again == value && std::signbit(again) == std::signbit(value));
  }));
  for (const double value : {5e-324, 1e308, -0.0, 0.1, 1e21, 123456789.125}) {
    std::string out;
    JsonWriter(out).number(value);
    EXPECT_EQ(double_of(scan_json_number(out)).value(), value);
  }
}

TEST(JsonWriter, WritesTextThatReadsBackEqual) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    std::string once;
    JsonWriter(once).text(text);
    const std::string replaced(*parse_json(once).value().text());
    std::string twice;
    JsonWriter(twice).text(replaced);
    RC_ASSERT(once == twice);
  }));
}

}  // namespace
}  // namespace cloister
