#include "encoding/json.h"

#include <limits>
#include <utility>

#include "encoding/json_cursor.h"

namespace cloister {

std::optional<bool> JsonValue::boolean() const noexcept {
  const bool* value = std::get_if<bool>(&content_);
  return value ? std::optional<bool>(*value) : std::nullopt;
}

std::optional<std::int64_t> JsonValue::integer() const noexcept {
  if (const auto* value = std::get_if<std::int64_t>(&content_)) return *value;
  const auto* value = std::get_if<std::uint64_t>(&content_);
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!value || *value > kMax) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

std::optional<std::uint64_t> JsonValue::unsigned_integer() const noexcept {
  const auto* value = std::get_if<std::uint64_t>(&content_);
  return value ? std::optional<std::uint64_t>(*value) : std::nullopt;
}

std::optional<double> JsonValue::number() const noexcept {
  if (const auto* value = std::get_if<double>(&content_)) return *value;
  if (const auto* value = std::get_if<std::uint64_t>(&content_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::int64_t>(&content_)) return static_cast<double>(*value);
  return std::nullopt;
}

std::optional<std::string_view> JsonValue::text() const noexcept {
  const auto* value = std::get_if<std::string>(&content_);
  return value ? std::optional<std::string_view>(*value) : std::nullopt;
}

const std::vector<JsonValue>& JsonValue::items() const noexcept {
  static const Items kNone;
  const auto* value = std::get_if<Items>(&content_);
  return value ? *value : kNone;
}

const std::vector<JsonMember>& JsonValue::members() const noexcept {
  static const Members kNone;
  const auto* value = std::get_if<Members>(&content_);
  return value ? *value : kNone;
}

const JsonValue* JsonValue::find(std::string_view key) const noexcept {
  for (const JsonMember& member : members()) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

class JsonTreeReader {
 public:
  JsonTreeReader(std::string_view text, const JsonLimits& limits) noexcept
      : cursor_(text, limits.depth_max), values_left_(limits.values_max) {}

  Result<JsonValue> read() {
    CLOISTER_ASSIGN(JsonValue value, read_value());
    CLOISTER_TRY(cursor_.end());
    return value;
  }

 private:
  Result<JsonValue> read_value() {
    if (values_left_-- == 0) return Error{Code::too_large, "json.values"};
    const char first = cursor_.peek();
    const std::size_t from = cursor_.offset();
    CLOISTER_ASSIGN(JsonValue::Content content, read_content(first));
    JsonValue value;
    value.content_ = std::move(content);
    value.raw_ = cursor_.between(from, cursor_.offset());
    return value;
  }

  Result<JsonValue::Content> read_content(char first) {
    switch (first) {
      case '{':
        return read_object();
      case '[':
        return read_array();
      case '"': {
        CLOISTER_ASSIGN(std::string text, cursor_.string());
        return JsonValue::Content(std::move(text));
      }
      case 't':
      case 'f': {
        CLOISTER_ASSIGN(const bool value, cursor_.boolean());
        return JsonValue::Content(value);
      }
      case 'n':
        CLOISTER_TRY(cursor_.null());
        return JsonValue::Content(nullptr);
      default:
        return read_number();
    }
  }

  Result<JsonValue::Content> read_object() {
    JsonValue::Members members;
    CLOISTER_TRY(cursor_.object([&](const std::string& key) -> Status {
      CLOISTER_ASSIGN(JsonValue value, read_value());
      members.push_back({key, std::move(value)});
      return Done{};
    }));
    return JsonValue::Content(std::move(members));
  }

  Result<JsonValue::Content> read_array() {
    JsonValue::Items items;
    CLOISTER_TRY(cursor_.array([&]() -> Status {
      CLOISTER_ASSIGN(JsonValue value, read_value());
      items.push_back(std::move(value));
      return Done{};
    }));
    return JsonValue::Content(std::move(items));
  }

  Result<JsonValue::Content> read_number() {
    CLOISTER_ASSIGN(const JsonNumber number, cursor_.number());
    if (number.text == "-0") return JsonValue::Content(-0.0);
    if (!number.is_integer) {
      const std::optional<double> value = double_of(number);
      if (!value) return cursor_.fail("number is not finite");
      return JsonValue::Content(*value);
    }
    if (number.is_negative) {
      const std::optional<std::int64_t> value = integer_of(number);
      if (!value) return cursor_.fail("integer does not fit 64 bits");
      return JsonValue::Content(*value);
    }
    const std::optional<std::uint64_t> value = unsigned_of(number);
    if (!value) return cursor_.fail("integer does not fit 64 bits");
    return JsonValue::Content(*value);
  }

  JsonCursor cursor_;
  std::size_t values_left_;
};

Result<JsonValue> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) return Error{Code::too_large, "json.bytes"};
  return JsonTreeReader(text, limits).read();
}

}  // namespace cloister
