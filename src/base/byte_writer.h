#pragma once

#include <cstdint>
#include <utility>

#include "base/bytes.h"

namespace cloister {

/// Appends fixed-width integers and bytes to a buffer of its own. For bytes that are not secret:
/// the buffer grows by reallocation and is not wiped.
class ByteWriter {
 public:
  void u8(std::uint8_t value) { bytes_.push_back(std::byte{value}); }
  void u16_le(std::uint16_t value) { little(value, 2); }
  void u32_le(std::uint32_t value) { little(value, 4); }
  void u64_le(std::uint64_t value) { little(value, 8); }
  void u16_be(std::uint16_t value) { big(value, 2); }
  void u32_be(std::uint32_t value) { big(value, 4); }
  void u64_be(std::uint64_t value) { big(value, 8); }
  void bytes(Bytes more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }

  std::size_t size() const noexcept { return bytes_.size(); }
  Bytes view() const noexcept { return bytes_; }
  ByteVector take() && { return std::move(bytes_); }

 private:
  void little(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
  void big(std::uint64_t value, int count) {
    for (int i = count - 1; i >= 0; --i) {
      bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    }
  }

  ByteVector bytes_;
};

}  // namespace cloister
