#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cloister {

/// Appends JSON to a string of the caller's, which must outlive the writer. Commas are written as
/// needed; that keys and values alternate and brackets match is the caller's part.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) noexcept : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  /// Text that is not UTF-8 has each offending byte replaced by U+FFFD.
  JsonWriter& text(std::string_view value);
  JsonWriter& boolean(bool value);
  JsonWriter& integer(std::int64_t value);
  JsonWriter& unsigned_integer(std::uint64_t value);
  /// The shortest digits that read back as the same value. Must be finite: JSON has no other.
  JsonWriter& number(double value);
  JsonWriter& number(float value);
  JsonWriter& null();
  /// `json` is one JSON value, copied as it is.
  JsonWriter& raw(std::string_view json);

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();

  std::string& out_;
  bool comma_due_ = false;
};

/// Appends `value` as a JSON string, quotes included.
void append_json_text(std::string& out, std::string_view value);

}  // namespace cloister
