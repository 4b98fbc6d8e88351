#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cloister {

/// Whom to attack, and with what.
struct Target {
  std::uint16_t port = 0;
  std::string token;
  std::string bomb;  ///< a gzip stream that is large once inflated
};

/// One way of misusing a connection. `commit` opens one, misuses it, and returns once the server
/// has had enough of it. May throw.
struct Misuse {
  std::string_view name;
  void (*commit)(const Target& target);
};

/// A head and a body that come a byte at a time, chunks of one byte, a length that lies, bombs,
/// answers that nobody reads, silence after the handshake and in its middle.
std::span<const Misuse> misuses() noexcept;

}  // namespace cloister
