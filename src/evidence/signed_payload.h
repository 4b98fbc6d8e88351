#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "crypto/signature.h"

namespace cloister {

/// What the key of receipts has signed: a COSE_Sign1 (RFC 9052, 4.2) under tag 18. Its protected
/// header has the algorithm ES256, the key's SPKI DER as key identifier and, except in a receipt,
/// the payload's content type, so that nothing of one kind passes for another.
/// Source: docs/receipts.md.
class SignedPayload {
 public:
  /// `content_type` is ASCII and may be empty. Deterministic CBOR throughout. Fails: `internal`.
  static Result<ByteVector> write(std::string_view content_type, Bytes payload,
                                  const SigningKey& key);
  /// Well-formed, its signature not yet checked. Accepts the one encoding that `write` gives, and
  /// no other. Fails: `corrupt`, `too_large` past `bytes_max`.
  static Result<SignedPayload> read(Bytes encoded, std::size_t bytes_max);

  const std::string& content_type() const noexcept { return content_type_; }
  const ByteVector& payload() const noexcept { return payload_; }
  /// SHA-256 of the SPKI DER of the key that is said to have signed.
  const Sha256Digest& key_digest() const noexcept { return key_digest_; }
  /// Whether the key whose digest some evidence vouches for (the claim `receipt-key`) has signed.
  /// Fails: `unverified` for another key and for a signature that does not hold.
  Status verify(const Sha256Digest& attested_key) const;

 private:
  SignedPayload() = default;
  Status read_header(Bytes header);

  std::string content_type_;
  ByteVector payload_;
  ByteVector spki_;
  Sha256Digest key_digest_{};
  ByteVector to_be_signed_;
  ByteVector signature_;
};

}  // namespace cloister
