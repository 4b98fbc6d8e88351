#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace cloister {

/// The ASN.1 tags that certificates and their extensions use (X.690, 8.1.2; all in one byte).
enum class DerTag : std::uint8_t {
  boolean = 0x01,
  integer = 0x02,
  bit_string = 0x03,
  octet_string = 0x04,
  null = 0x05,
  object_id = 0x06,
  enumerated = 0x0A,
  utf8_string = 0x0C,
  ia5_string = 0x16,
  utc_time = 0x17,
  generalized_time = 0x18,
  sequence = 0x30,
  set = 0x31,
};

/// The tag of a context-specific element: [0], or [0] holding other elements when `constructed`.
constexpr DerTag context_tag(unsigned number, bool constructed) noexcept {
  return static_cast<DerTag>((constructed ? 0xA0U : 0x80U) | (number & 0x1FU));
}

/// An object identifier, encoded at compile time from its dotted form.
class Oid {
 public:
  consteval Oid(std::string_view dotted) {
    std::uint64_t arcs[20]{};
    std::size_t count = 0;
    for (const char c : dotted) {
      if (c == '.') {
        ++count;
      } else {
        arcs[count] = arcs[count] * 10 + static_cast<std::uint64_t>(c - '0');
      }
    }
    append(arcs[0] * 40 + arcs[1]);
    for (std::size_t i = 2; i <= count; ++i) append(arcs[i]);
  }
  Bytes bytes() const noexcept { return Bytes(bytes_).first(size_); }
  bool is(Bytes encoded) const noexcept;

 private:
  constexpr void append(std::uint64_t arc) {
    int groups = 1;
    for (std::uint64_t rest = arc >> 7; rest != 0; rest >>= 7) ++groups;
    for (int i = groups - 1; i >= 0; --i) {
      const std::uint64_t more = i > 0 ? 0x80 : 0;
      bytes_[size_++] = static_cast<std::byte>(((arc >> (7 * i)) & 0x7F) | more);
    }
  }
  std::array<std::byte, 24> bytes_{};
  std::size_t size_ = 0;
};

/// One element: its tag, what it holds, and all of it with tag and length.
struct DerElement {
  DerTag tag{};
  Bytes content;
  Bytes whole;
};

/// Reads DER (X.690, clause 10) front to back: tags of one byte, definite lengths in the fewest
/// bytes. Views point into the input.
class DerReader {
 public:
  explicit DerReader(Bytes input) noexcept : rest_(input) {}
  bool empty() const noexcept { return rest_.empty(); }
  Bytes rest() const noexcept { return rest_; }
  bool next_is(DerTag tag) const noexcept;
  /// Fails: `corrupt` for an encoding that is not DER or runs past the input.
  Result<DerElement> next();
  /// The next element, which must have this tag; `element` all of it, `take` its content.
  Result<DerElement> element(DerTag tag);
  Result<Bytes> take(DerTag tag);
  /// Fails: `corrupt` when anything is left.
  Status end() const;

 private:
  Bytes rest_;
};

/// A non-negative INTEGER or ENUMERATED of at most 8 bytes from its content. Fails: `corrupt`.
Result<std::uint64_t> der_unsigned(Bytes content);
/// UTCTime or GeneralizedTime, both ending in Z (RFC 5280, 4.1.2.5). Fails: `corrupt`.
Result<UtcSeconds> der_time(const DerElement& element);

/// Writers: each returns one whole element.
ByteVector der_wrap(DerTag tag, Bytes content);
ByteVector der_list(DerTag tag, std::initializer_list<ByteVector> elements);
ByteVector der_sequence(std::initializer_list<ByteVector> elements);
ByteVector der_oid(const Oid& oid);
/// A non-negative INTEGER from big-endian bytes.
ByteVector der_integer(Bytes magnitude);
ByteVector der_small_integer(std::uint64_t value);
ByteVector der_bit_string(Bytes bytes);
ByteVector der_octets(Bytes bytes);
ByteVector der_text(DerTag tag, std::string_view text);
/// UTCTime up to 2049, GeneralizedTime after.
ByteVector der_of_time(UtcSeconds time);
/// Ecdsa-Sig-Value of r || s (64 or 96 bytes). Source: RFC 3279, 2.2.3.
ByteVector der_ecdsa_signature(Bytes raw);

}  // namespace cloister
