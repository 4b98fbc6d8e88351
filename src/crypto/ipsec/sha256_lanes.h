#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cloister {

inline constexpr std::size_t kSha256Step = 64;  ///< bytes that SHA-256 takes at once
/// What a hash begins with (FIPS 180-4, 5.3.3).
inline constexpr std::array<std::uint32_t, 8> kSha256Start{
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

inline void put_big_endian(std::span<std::byte> place, std::uint64_t number) {
  for (std::size_t i = place.size(); i > 0; number >>= 8) {
    place[--i] = static_cast<std::byte>(number);
  }
}

}  // namespace cloister
