#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace cloister {

/// A read-only view of bytes owned by somebody else.
using Bytes = std::span<const std::byte>;
/// A writable view of bytes owned by somebody else.
using MutableBytes = std::span<std::byte>;
/// Bytes that are not secret and that the holder owns.
using ByteVector = std::vector<std::byte>;

/// The bytes of `text`, without its terminator. The view lives as long as `text` does.
inline Bytes bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// `bytes` seen as text; nothing is checked about its encoding.
inline std::string_view text_of(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A copy of `bytes` that the caller owns.
inline ByteVector copy_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace cloister
