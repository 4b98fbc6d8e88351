#pragma once

#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// The one way to take hostile bytes apart: every step is checked against what is left.
/// Views returned point into the input, which must outlive them.
class ByteReader {
 public:
  explicit ByteReader(Bytes input) noexcept : rest_(input) {}

  std::size_t remaining() const noexcept { return rest_.size(); }
  bool empty() const noexcept { return rest_.empty(); }
  Bytes rest() const noexcept { return rest_; }

  /// The next `count` bytes. Fails: `corrupt` when fewer are left; nothing is consumed then.
  Result<Bytes> take(std::size_t count) {
    if (count > rest_.size()) return Error{Code::corrupt, "bytes.take"};
    return std::exchange(rest_, rest_.subspan(count)).first(count);
  }
  Status skip(std::size_t count) {
    if (count > rest_.size()) return Error{Code::corrupt, "bytes.skip"};
    rest_ = rest_.subspan(count);
    return Done{};
  }

  Result<std::uint8_t> u8() { return integer<std::uint8_t, false>(); }
  Result<std::uint16_t> u16_le() { return integer<std::uint16_t, false>(); }
  Result<std::uint32_t> u32_le() { return integer<std::uint32_t, false>(); }
  Result<std::uint64_t> u64_le() { return integer<std::uint64_t, false>(); }
  Result<std::uint16_t> u16_be() { return integer<std::uint16_t, true>(); }
  Result<std::uint32_t> u32_be() { return integer<std::uint32_t, true>(); }
  Result<std::uint64_t> u64_be() { return integer<std::uint64_t, true>(); }

 private:
  template <class Unsigned, bool kBigEndian>
  Result<Unsigned> integer() {
    constexpr std::size_t kSize = sizeof(Unsigned);
    if (rest_.size() < kSize) return Error{Code::corrupt, "bytes.integer"};
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < kSize; ++i) {
      const std::size_t at = kBigEndian ? i : kSize - 1 - i;
      value = (value << 8) | std::to_integer<std::uint64_t>(rest_[at]);
    }
    rest_ = rest_.subspan(kSize);
    return static_cast<Unsigned>(value);
  }

  Bytes rest_;
};

}  // namespace cloister
