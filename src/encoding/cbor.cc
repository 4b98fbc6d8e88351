#include "encoding/cbor.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "base/byte_reader.h"
#include "encoding/utf8.h"

namespace cloister {
namespace {

enum class Major : unsigned { unsigned_, negative, bytes, text, array, map, tag, simple };
constexpr std::uint64_t kFalse = 20;
constexpr std::uint64_t kTrue = 21;
constexpr std::uint64_t kNull = 22;

void append_head(ByteVector& out, Major major, std::uint64_t argument) {
  const unsigned high = static_cast<unsigned>(major) << 5;
  const auto push = [&out](std::uint64_t value) { out.push_back(static_cast<std::byte>(value)); };
  if (argument < 24) return push(high | argument);
  const int size = argument <= 0xFF ? 0 : argument <= 0xFFFF ? 1 : argument <= 0xFFFFFFFF ? 2 : 3;
  push(high | (24U + static_cast<unsigned>(size)));
  for (int shift = (8 << size) - 8; shift >= 0; shift -= 8) push((argument >> shift) & 0xFF);
}

void append_string(ByteVector& out, Major major, Bytes content) {
  append_head(out, major, content.size());
  out.insert(out.end(), content.begin(), content.end());
}

struct Head {
  Major major;
  std::uint64_t argument;
};

Result<Head> read_head(ByteReader& reader) {
  CLOISTER_ASSIGN(const unsigned initial, reader.u8());
  const Major major{initial >> 5};
  const unsigned low = initial & 31;
  if (low < 24) return Head{major, low};
  if (low > 27) return Error{Code::corrupt, "cbor.head"};
  const std::size_t size = std::size_t{1} << (low - 24);
  CLOISTER_ASSIGN(const Bytes digits, reader.take(size));
  std::uint64_t argument = 0;
  for (const std::byte each : digits) argument = argument << 8 | std::to_integer<unsigned>(each);
  const std::uint64_t least = size == 1 ? 24 : std::uint64_t{1} << (size * 4);
  if (argument < least) return Error{Code::corrupt, "cbor.head_not_shortest"};
  return Head{major, argument};
}

}  // namespace

CborValue::CborValue(Content content) : content_(std::move(content)) {}

CborValue CborValue::of_unsigned(std::uint64_t value) { return CborValue(Content(value)); }
CborValue CborValue::of_bytes(Bytes value) { return CborValue(Content(copy_of(value))); }
CborValue CborValue::of_text(std::string_view value) {
  return CborValue(Content(std::string(value)));
}
CborValue CborValue::of_boolean(bool value) { return CborValue(Content(value)); }
CborValue CborValue::of_integer(std::int64_t value) {
  if (value >= 0) return of_unsigned(static_cast<std::uint64_t>(value));
  return CborValue(Content(Negative{static_cast<std::uint64_t>(-(value + 1))}));
}
CborValue CborValue::of_array(std::vector<CborValue> items) {
  return CborValue(Content(std::move(items)));
}
CborValue CborValue::of_map(std::vector<CborEntry> entries) {
  return CborValue(Content(std::move(entries)));
}
CborValue CborValue::of_tag(std::uint64_t tag, CborValue value) {
  return CborValue(Content(Tag{{tag, std::move(value)}}));
}

std::optional<bool> CborValue::boolean() const noexcept {
  const auto* value = std::get_if<bool>(&content_);
  return value ? std::optional<bool>(*value) : std::nullopt;
}

std::optional<std::uint64_t> CborValue::unsigned_integer() const noexcept {
  const auto* value = std::get_if<std::uint64_t>(&content_);
  return value ? std::optional<std::uint64_t>(*value) : std::nullopt;
}

std::optional<std::int64_t> CborValue::integer() const noexcept {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const auto* positive = std::get_if<std::uint64_t>(&content_);
  if (positive && *positive <= kMax) return static_cast<std::int64_t>(*positive);
  const auto* negative = std::get_if<Negative>(&content_);
  if (!negative || negative->minus_one_minus > kMax) return std::nullopt;
  return -1 - static_cast<std::int64_t>(negative->minus_one_minus);
}

std::optional<Bytes> CborValue::bytes() const noexcept {
  const auto* value = std::get_if<ByteVector>(&content_);
  return value ? std::optional<Bytes>(*value) : std::nullopt;
}

std::optional<std::string_view> CborValue::text() const noexcept {
  const auto* value = std::get_if<std::string>(&content_);
  return value ? std::optional<std::string_view>(*value) : std::nullopt;
}

const std::vector<CborValue>& CborValue::items() const noexcept {
  static const Items kNone;
  const auto* value = std::get_if<Items>(&content_);
  return value ? *value : kNone;
}

const std::vector<CborEntry>& CborValue::entries() const noexcept {
  static const Entries kNone;
  const auto* value = std::get_if<Entries>(&content_);
  return value ? *value : kNone;
}

const CborValue* CborValue::find(std::string_view key) const noexcept {
  for (const CborEntry& entry : entries()) {
    if (entry.key.text() == key) return &entry.value;
  }
  return nullptr;
}

const CborTagged* CborValue::tagged() const noexcept {
  const auto* value = std::get_if<Tag>(&content_);
  return value ? value->data() : nullptr;
}

bool CborValue::operator==(const CborValue& other) const {
  return encode_cbor(*this) == encode_cbor(other);
}

void CborValue::append_to(ByteVector& out) const {
  if (const auto number = unsigned_integer()) return append_head(out, Major::unsigned_, *number);
  if (const auto* negative = std::get_if<Negative>(&content_)) {
    return append_head(out, Major::negative, negative->minus_one_minus);
  }
  if (const auto content = bytes()) return append_string(out, Major::bytes, *content);
  if (const auto content = text()) return append_string(out, Major::text, bytes_of(*content));
  if (const auto flag = boolean()) return append_head(out, Major::simple, *flag ? kTrue : kFalse);
  if (is_null()) return append_head(out, Major::simple, kNull);
  if (const CborTagged* tag = tagged()) {
    append_head(out, Major::tag, tag->tag);
    return tag->value.append_to(out);
  }
  if (is_array()) {
    append_head(out, Major::array, items().size());
    for (const CborValue& item : items()) item.append_to(out);
    return;
  }
  std::vector<std::pair<ByteVector, const CborValue*>> sorted;
  for (const CborEntry& entry : entries()) {
    sorted.emplace_back(encode_cbor(entry.key), &entry.value);
  }
  std::sort(sorted.begin(), sorted.end());
  append_head(out, Major::map, sorted.size());
  for (const auto& [key, value] : sorted) {
    out.insert(out.end(), key.begin(), key.end());
    value->append_to(out);
  }
}

ByteVector encode_cbor(const CborValue& value) {
  ByteVector out;
  value.append_to(out);
  return out;
}

class CborTreeReader {
 public:
  CborTreeReader(Bytes encoded, CborOrder order, const CborLimits& limits) noexcept
      : reader_(encoded), order_(order), limits_(limits), values_left_(limits.values_max) {}

  Result<CborValue> read() {
    CLOISTER_ASSIGN(CborValue value, read_value(0));
    if (!reader_.empty()) return Error{Code::corrupt, "cbor.trailing"};
    return value;
  }

 private:
  Result<CborValue> read_value(std::size_t depth) {
    if (depth > limits_.depth_max) return Error{Code::too_large, "cbor.depth"};
    if (values_left_-- == 0) return Error{Code::too_large, "cbor.values"};
    CLOISTER_ASSIGN(const Head head, read_head(reader_));
    switch (head.major) {
      case Major::unsigned_:
        return CborValue::of_unsigned(head.argument);
      case Major::negative:
        return CborValue(CborValue::Content(CborValue::Negative{head.argument}));
      case Major::bytes: {
        CLOISTER_ASSIGN(const Bytes content, reader_.take(head.argument));
        return CborValue::of_bytes(content);
      }
      case Major::text: {
        CLOISTER_ASSIGN(const Bytes content, reader_.take(head.argument));
        if (!is_utf8(text_of(content))) return Error{Code::corrupt, "cbor.utf8"};
        return CborValue::of_text(text_of(content));
      }
      case Major::array:
        return read_array(head.argument, depth);
      case Major::map:
        return read_map(head.argument, depth);
      case Major::tag: {
        CLOISTER_ASSIGN(CborValue value, read_value(depth + 1));
        return CborValue::of_tag(head.argument, std::move(value));
      }
      case Major::simple:
        break;
    }
    if (head.argument == kNull) return CborValue();
    if (head.argument != kTrue && head.argument != kFalse) return Error{Code::corrupt, "cbor.kind"};
    return CborValue::of_boolean(head.argument == kTrue);
  }

  Result<CborValue> read_array(std::uint64_t count, std::size_t depth) {
    if (count > reader_.remaining()) return Error{Code::corrupt, "cbor.count"};
    std::vector<CborValue> items;
    for (std::uint64_t i = 0; i < count; ++i) {
      CLOISTER_ASSIGN(CborValue item, read_value(depth + 1));
      items.push_back(std::move(item));
    }
    return CborValue::of_array(std::move(items));
  }

  Result<CborValue> read_map(std::uint64_t count, std::size_t depth) {
    if (count > reader_.remaining() / 2) return Error{Code::corrupt, "cbor.count"};
    std::vector<CborEntry> entries;
    std::vector<ByteVector> keys;
    for (std::uint64_t i = 0; i < count; ++i) {
      CLOISTER_ASSIGN(CborValue key, read_value(depth + 1));
      keys.push_back(encode_cbor(key));
      CLOISTER_ASSIGN(CborValue value, read_value(depth + 1));
      entries.push_back({std::move(key), std::move(value)});
    }
    if (order_ == CborOrder::any) std::sort(keys.begin(), keys.end());
    const auto not_rising = std::adjacent_find(keys.begin(), keys.end(), std::greater_equal<>());
    if (not_rising != keys.end()) return Error{Code::corrupt, "cbor.map_keys"};
    return CborValue::of_map(std::move(entries));
  }

  ByteReader reader_;
  CborOrder order_;
  CborLimits limits_;
  std::size_t values_left_;
};

Result<CborValue> decode_cbor(Bytes encoded, CborOrder order, const CborLimits& limits) {
  if (encoded.size() > limits.bytes_max) return Error{Code::too_large, "cbor.bytes"};
  return CborTreeReader(encoded, order, limits).read();
}

}  // namespace cloister
