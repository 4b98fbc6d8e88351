#pragma once

#include <array>
#include <span>

#include "base/bytes.h"
#include "crypto/sha256.h"

namespace cloister {

/// SHA-256 of two messages.
using Sha256Pair = std::array<Sha256Digest, 2>;

/// SHA-256 of two messages, each given in pieces. Side by side where the processor has instructions
/// for SHA-256 and the library that uses them so: one hash alone waits for itself half the time.
Sha256Pair sha256_pair(std::span<const Bytes> first, std::span<const Bytes> second);

/// One after the other.
Sha256Pair sha256_pair_openssl(std::span<const Bytes> first, std::span<const Bytes> second);
/// Whether this processor can do `sha256_pair_ipsec`.
bool can_pair_ipsec() noexcept;
/// Side by side. Nothing of the messages stays behind.
Sha256Pair sha256_pair_ipsec(std::span<const Bytes> first, std::span<const Bytes> second);

}  // namespace cloister
