#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "secret/secret_bytes.h"

namespace cloister {

/// The two halves of HKDF-SHA-256, for protocols that use them apart (RFC 5869, 2.2 and 2.3; whole
/// it is in crypto/aead.h). `extract` gives 32 bytes; an empty salt stands for 32 zero bytes.
/// Fails: `invalid` for an empty key or a `length` that is 0 or above 8160.
Result<SecretBytes> hkdf_sha256_extract(const SecretBytes& input_key, const SecretBytes& salt);
Result<SecretBytes> hkdf_sha256_expand(const SecretBytes& key, Bytes info, std::size_t length);

/// The same for many keys from one: the first half is done once. Safe from several threads at once.
class HkdfKey {
 public:
  static Result<HkdfKey> extract(const SecretBytes& input_key, Bytes salt);
  Result<SecretBytes> expand(Bytes info, std::size_t length) const;

 private:
  friend Result<SecretBytes> hkdf_sha256_expand(const SecretBytes&, Bytes, std::size_t);
  struct State;
  static Result<HkdfKey> from(Bytes extracted);
  explicit HkdfKey(std::shared_ptr<const State> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace cloister
