#pragma once

#include <memory>

#include "base/bytes.h"

namespace cloister {

/// A P-384 key that signs as AMD's processors do; only tests have one.
class P384Key {
 public:
  P384Key();
  ~P384Key();
  P384Key(const P384Key&) = delete;
  P384Key& operator=(const P384Key&) = delete;

  /// SubjectPublicKeyInfo, DER.
  ByteVector spki() const;
  /// ECDSA over SHA-384 of `message`: r and s of 72 bytes each, little-endian.
  ByteVector sign(Bytes message) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cloister
