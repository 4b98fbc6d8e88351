#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// What a reader accepts at most.
struct CborLimits {
  std::size_t bytes_max = 1U << 20;
  std::size_t depth_max = 16;
  std::size_t values_max = 1U << 14;  ///< data items of all kinds together
};

/// Whether map keys must stand in the order of RFC 8949, 4.2.1 (bytewise by encoded key).
/// Duplicates are refused either way.
enum class CborOrder { sorted, any };

struct CborEntry;
struct CborTagged;

/// One CBOR data item (RFC 8949) of the kinds that evidence uses: integers, byte and text strings,
/// arrays, maps, tags, booleans and null. No floats, no indefinite lengths.
class CborValue {
 public:
  CborValue() = default;  ///< null
  static CborValue of_unsigned(std::uint64_t value);
  /// Of any sign; negative ones become major type 1.
  static CborValue of_integer(std::int64_t value);
  static CborValue of_bytes(Bytes value);
  /// `value` must be UTF-8.
  static CborValue of_text(std::string_view value);
  static CborValue of_boolean(bool value);
  static CborValue of_array(std::vector<CborValue> items);
  /// In any order; the encoder sorts. Keys must differ.
  static CborValue of_map(std::vector<CborEntry> entries);
  static CborValue of_tag(std::uint64_t tag, CborValue value);

  bool is_null() const noexcept { return std::holds_alternative<std::nullptr_t>(content_); }
  bool is_array() const noexcept { return std::holds_alternative<Items>(content_); }
  bool is_map() const noexcept { return std::holds_alternative<Entries>(content_); }
  std::optional<bool> boolean() const noexcept;
  std::optional<std::uint64_t> unsigned_integer() const noexcept;
  /// Where it fits.
  std::optional<std::int64_t> integer() const noexcept;
  /// Views hold as long as this value does.
  std::optional<Bytes> bytes() const noexcept;
  std::optional<std::string_view> text() const noexcept;
  /// Empty unless this is an array or a map.
  const std::vector<CborValue>& items() const noexcept;
  const std::vector<CborEntry>& entries() const noexcept;
  /// The value under a text key; null if absent or if this is no map.
  const CborValue* find(std::string_view key) const noexcept;
  /// The tag and what it marks; null unless this is a tagged item.
  const CborTagged* tagged() const noexcept;

  bool operator==(const CborValue& other) const;

 private:
  friend class CborTreeReader;
  struct Negative {
    std::uint64_t minus_one_minus;  ///< the value is -1 - this
  };
  using Items = std::vector<CborValue>;
  using Entries = std::vector<CborEntry>;
  using Tag = std::vector<CborTagged>;  ///< exactly one
  using Content = std::variant<std::nullptr_t, bool, std::uint64_t, Negative, ByteVector,
                               std::string, Items, Entries, Tag>;
  explicit CborValue(Content content);
  void append_to(ByteVector& out) const;
  friend ByteVector encode_cbor(const CborValue& value);

  Content content_;
};

struct CborEntry {
  CborValue key;
  CborValue value;
};

struct CborTagged {
  std::uint64_t tag = 0;
  CborValue value;
};

/// The deterministic encoding of RFC 8949, 4.2.1: shortest heads, definite lengths, sorted maps.
ByteVector encode_cbor(const CborValue& value);

/// Reads exactly one item. Refused beside malformed input: heads longer than needed, indefinite
/// lengths, floats, simple values but true, false and null, text that is not UTF-8, duplicate map
/// keys, trailing bytes. Fails: `corrupt`, `too_large`.
Result<CborValue> decode_cbor(Bytes encoded, CborOrder order, const CborLimits& limits = {});

}  // namespace cloister
