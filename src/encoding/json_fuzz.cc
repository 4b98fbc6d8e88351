// Property: what the reader accepts can be written again, and reads back to the same text; a
// cursor that only skips accepts everything that the tree reader does.
#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "encoding/json.h"
#include "encoding/json_cursor.h"
#include "encoding/json_writer.h"

namespace cloister {
namespace {

void write(JsonWriter& writer, const JsonValue& value) {
  if (value.is_object()) {
    writer.begin_object();
    for (const JsonMember& member : value.members()) {
      writer.key(member.key);
      write(writer, member.value);
    }
    writer.end_object();
  } else if (value.is_array()) {
    writer.begin_array();
    for (const JsonValue& item : value.items()) write(writer, item);
    writer.end_array();
  } else if (const auto text = value.text()) {
    writer.text(*text);
  } else if (const auto flag = value.boolean()) {
    writer.boolean(*flag);
  } else if (const auto whole = value.unsigned_integer()) {
    writer.unsigned_integer(*whole);
  } else if (const auto negative = value.integer()) {
    writer.integer(*negative);
  } else if (const auto number = value.number()) {
    writer.number(*number);
  } else {
    CLOISTER_CHECK(value.is_null());
    writer.null();
  }
}

std::string written(const JsonValue& value) {
  std::string out;
  JsonWriter writer(out);
  write(writer, value);
  return out;
}

}  // namespace
}  // namespace cloister

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloister;
  const std::string_view text = text_of(std::as_bytes(std::span(data, size)));
  const Result<JsonValue> first = parse_json(text);
  if (!first.ok()) return 0;
  JsonCursor cursor(text, JsonLimits{}.depth_max);
  CLOISTER_CHECK(cursor.skip().ok() && cursor.end().ok());
  CLOISTER_CHECK(parse_json(first.value().raw()).ok());
  const std::string once = written(first.value());
  JsonLimits wide;
  wide.bytes_max = once.size();
  const Result<JsonValue> again = parse_json(once, wide);
  CLOISTER_CHECK(again.ok());
  CLOISTER_CHECK(written(again.value()) == once);
  return 0;
}
