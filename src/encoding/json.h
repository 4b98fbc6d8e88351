#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace cloister {

/// What a strict reader accepts at most.
struct JsonLimits {
  std::size_t bytes_max = 1U << 20;
  std::size_t depth_max = 32;
  std::size_t values_max = 1U << 16;  ///< values of all kinds in the whole text
};

struct JsonMember;

/// One value of a parsed JSON text; never changes. Reading it as a kind that it is not yields
/// nothing (or an empty list), never a conversion.
class JsonValue {
 public:
  bool is_null() const noexcept { return std::holds_alternative<std::nullptr_t>(content_); }
  bool is_object() const noexcept { return std::holds_alternative<Members>(content_); }
  bool is_array() const noexcept { return std::holds_alternative<Items>(content_); }
  bool is_text() const noexcept { return std::holds_alternative<std::string>(content_); }

  std::optional<bool> boolean() const noexcept;
  /// A number written without fraction or exponent, where it fits the type.
  std::optional<std::int64_t> integer() const noexcept;
  std::optional<std::uint64_t> unsigned_integer() const noexcept;
  /// Any number; an integer past 2^53 is rounded.
  std::optional<double> number() const noexcept;
  /// The view holds as long as this value does.
  std::optional<std::string_view> text() const noexcept;

  /// In the order of the text; empty unless this is an array or an object.
  const std::vector<JsonValue>& items() const noexcept;
  const std::vector<JsonMember>& members() const noexcept;
  /// The member named `key`; null if absent or if this is no object.
  const JsonValue* find(std::string_view key) const noexcept;

  /// The exact bytes of this value in the parsed text, without blanks around it: what a signature
  /// over received bytes covers. Holds as long as the parsed text does.
  std::string_view raw() const noexcept { return raw_; }

 private:
  friend class JsonTreeReader;
  using Items = std::vector<JsonValue>;
  using Members = std::vector<JsonMember>;
  /// A whole number is kept as unsigned when it is not negative.
  using Content = std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double,
                               std::string, Items, Members>;
  Content content_;
  std::string_view raw_;
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

/// Reads one JSON text (RFC 8259), strictly: UTF-8, no duplicate keys, no lone surrogates, finite
/// numbers, whole numbers that fit 64 bits, nothing after the value. `text` must outlive every use
/// of `raw`. Fails: `invalid`, `too_large`; the Detail names the byte.
Result<JsonValue> parse_json(std::string_view text, const JsonLimits& limits = {});

}  // namespace cloister
