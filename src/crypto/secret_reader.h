#pragma once

#include "base/bytes.h"
#include "secret/secret_bytes.h"

namespace cloister {

/// How the doors of crypto/ read keys into their libraries and write derived keys out. For the
/// `.cc` files of crypto/openssl and crypto/ipsec only; tests/tidy refuses it elsewhere.
class SecretReader {
 public:
  /// The view lives as long as `secret` does.
  static Bytes read(const SecretBytes& secret) noexcept { return secret.reveal(RevealToken()); }
  static MutableBytes write(SecretBytes& secret) noexcept { return secret.fill(RevealToken()); }
};

}  // namespace cloister
