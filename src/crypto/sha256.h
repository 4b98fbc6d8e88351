#pragma once

#include <array>
#include <memory>

#include "base/bytes.h"

namespace cloister {

using Sha256Digest = std::array<std::byte, 32>;
using Sha384Digest = std::array<std::byte, 48>;
using Sha512Digest = std::array<std::byte, 64>;

/// FIPS 180-4. Implemented by crypto/openssl.
Sha256Digest sha256(Bytes input) noexcept;
Sha384Digest sha384(Bytes input) noexcept;
Sha512Digest sha512(Bytes input) noexcept;

/// SHA-256 over bytes that arrive in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  ~Sha256Stream();
  void update(Bytes piece) noexcept;
  /// The digest of all pieces so far; the stream may not be used afterwards.
  Sha256Digest finish() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cloister
