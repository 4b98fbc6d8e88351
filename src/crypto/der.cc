#include "crypto/der.h"

#include <algorithm>
#include <string>

namespace cloister {
namespace {

constexpr std::uint8_t byte_at(Bytes bytes, std::size_t at) noexcept {
  return std::to_integer<std::uint8_t>(bytes[at]);
}

Error malformed() { return Error{Code::corrupt, "der.malformed"}; }

Result<unsigned> two_digits(Bytes text, std::size_t at) {
  const int tens = byte_at(text, at) - '0';
  const int ones = byte_at(text, at + 1) - '0';
  if (tens < 0 || tens > 9 || ones < 0 || ones > 9) return malformed();
  return static_cast<unsigned>(10 * tens + ones);
}

std::string two_digit_text(unsigned value) {
  return {static_cast<char>('0' + value / 10 % 10), static_cast<char>('0' + value % 10)};
}

}  // namespace

bool Oid::is(Bytes encoded) const noexcept { return std::ranges::equal(bytes(), encoded); }

bool DerReader::next_is(DerTag tag) const noexcept {
  return !rest_.empty() && byte_at(rest_, 0) == static_cast<std::uint8_t>(tag);
}

Result<DerElement> DerReader::next() {
  if (rest_.size() < 2) return malformed();
  const std::uint8_t tag = byte_at(rest_, 0);
  if ((tag & 0x1F) == 0x1F) return malformed();  // a tag of several bytes: none is in use
  std::size_t length = byte_at(rest_, 1);
  std::size_t header = 2;
  if (length >= 0x80) {
    const std::size_t length_bytes = length & 0x7F;
    if (length_bytes == 0 || length_bytes > 4 || rest_.size() < 2 + length_bytes) {
      return malformed();
    }
    length = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) length = length << 8 | byte_at(rest_, 2 + i);
    // DER wants the fewest bytes, or two readers could disagree about what is signed.
    if (length < 0x80 || (length >> (8 * (length_bytes - 1))) == 0) return malformed();
    header += length_bytes;
  }
  if (length > rest_.size() - header) return malformed();
  const DerElement element{static_cast<DerTag>(tag), rest_.subspan(header, length),
                           rest_.first(header + length)};
  rest_ = rest_.subspan(header + length);
  return element;
}

Result<DerElement> DerReader::element(DerTag tag) {
  if (!next_is(tag)) return malformed();
  return next();
}

Result<Bytes> DerReader::take(DerTag tag) {
  CLOISTER_ASSIGN(const DerElement found, element(tag));
  return found.content;
}

Status DerReader::end() const {
  if (!rest_.empty()) return malformed();
  return Done{};
}

Result<std::uint64_t> der_unsigned(Bytes content) {
  if (content.empty() || (byte_at(content, 0) & 0x80) != 0) return malformed();
  if (content.size() > 1 && byte_at(content, 0) == 0) {
    if ((byte_at(content, 1) & 0x80) == 0) return malformed();  // not the fewest bytes
    content = content.subspan(1);
  }
  if (content.size() > 8) return malformed();
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < content.size(); ++i) value = value << 8 | byte_at(content, i);
  return value;
}

Result<UtcSeconds> der_time(const DerElement& element) {
  const bool is_long = element.tag == DerTag::generalized_time;
  const std::size_t date = is_long ? 4 : 2;
  if (!is_long && element.tag != DerTag::utc_time) return malformed();
  if (element.content.size() != date + 11 || byte_at(element.content, date + 10) != 'Z') {
    return malformed();
  }
  CLOISTER_ASSIGN(unsigned year, two_digits(element.content, 0));
  if (is_long) {
    CLOISTER_ASSIGN(const unsigned low, two_digits(element.content, 2));
    year = year * 100 + low;
  } else {
    year += year >= 50 ? 1900 : 2000;
  }
  unsigned part[5]{};  // month, day, hour, minute, second
  for (std::size_t i = 0; i < 5; ++i) {
    CLOISTER_ASSIGN(part[i], two_digits(element.content, date + 2 * i));
  }
  const std::chrono::year_month_day day{std::chrono::year(static_cast<int>(year)),
                                        std::chrono::month(part[0]), std::chrono::day(part[1])};
  if (!day.ok() || part[2] > 23 || part[3] > 59 || part[4] > 59) return malformed();
  return UtcSeconds(std::chrono::sys_days(day)) + std::chrono::hours(part[2]) +
         std::chrono::minutes(part[3]) + std::chrono::seconds(part[4]);
}

ByteVector der_wrap(DerTag tag, Bytes content) {
  ByteVector out{static_cast<std::byte>(tag)};
  const std::size_t length = content.size();
  if (length < 0x80) {
    out.push_back(static_cast<std::byte>(length));
  } else {
    int length_bytes = 1;
    while (length >> (8 * length_bytes) != 0) ++length_bytes;
    out.push_back(static_cast<std::byte>(0x80 | length_bytes));
    for (int i = length_bytes - 1; i >= 0; --i) {
      out.push_back(static_cast<std::byte>(length >> (8 * i)));
    }
  }
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

ByteVector der_list(DerTag tag, std::initializer_list<ByteVector> elements) {
  ByteVector content;
  for (const ByteVector& element : elements) {
    content.insert(content.end(), element.begin(), element.end());
  }
  return der_wrap(tag, content);
}

ByteVector der_sequence(std::initializer_list<ByteVector> elements) {
  return der_list(DerTag::sequence, elements);
}

ByteVector der_oid(const Oid& oid) { return der_wrap(DerTag::object_id, oid.bytes()); }

ByteVector der_integer(Bytes magnitude) {
  while (magnitude.size() > 1 && byte_at(magnitude, 0) == 0) magnitude = magnitude.subspan(1);
  ByteVector content;
  if (magnitude.empty() || (byte_at(magnitude, 0) & 0x80) != 0) content.push_back(std::byte{0});
  content.insert(content.end(), magnitude.begin(), magnitude.end());
  return der_wrap(DerTag::integer, content);
}

ByteVector der_small_integer(std::uint64_t value) {
  std::array<std::byte, 8> big_endian{};
  for (std::size_t i = 0; i < 8; ++i) big_endian[i] = static_cast<std::byte>(value >> (56 - 8 * i));
  return der_integer(big_endian);
}

ByteVector der_bit_string(Bytes bytes) {
  ByteVector content{std::byte{0}};
  content.insert(content.end(), bytes.begin(), bytes.end());
  return der_wrap(DerTag::bit_string, content);
}

ByteVector der_octets(Bytes bytes) { return der_wrap(DerTag::octet_string, bytes); }

ByteVector der_text(DerTag tag, std::string_view text) { return der_wrap(tag, bytes_of(text)); }

ByteVector der_of_time(UtcSeconds time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  const bool is_long = year >= 2050;
  std::string text = is_long ? two_digit_text(year / 100) : "";
  for (const unsigned part :
       {year % 100, static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<unsigned>(clock.hours().count()),
        static_cast<unsigned>(clock.minutes().count()),
        static_cast<unsigned>(clock.seconds().count())}) {
    text += two_digit_text(part);
  }
  text += 'Z';
  return der_text(is_long ? DerTag::generalized_time : DerTag::utc_time, text);
}

ByteVector der_ecdsa_signature(Bytes raw) {
  const std::size_t half = raw.size() / 2;
  return der_sequence({der_integer(raw.first(half)), der_integer(raw.subspan(half))});
}

}  // namespace cloister
