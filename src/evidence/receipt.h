#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "crypto/signature.h"
#include "evidence/signed_payload.h"

namespace cloister {

inline constexpr std::size_t kReceiptBytesMax = 1024;
inline constexpr std::size_t kReceiptNonceBytesMax = 64;

/// What one receipt states. Of these the server proves all but `time`, which is its own claim.
struct ReceiptStatement {
  Sha256Digest model{};          ///< of the model file as it was uploaded
  std::uint64_t version = 0;     ///< the model's version number
  Sha256Digest request{};        ///< of the request's body as it was sent
  Sha256Digest response{};       ///< of the response's body as it was sent
  ByteVector nonce;              ///< the caller's, up to kReceiptNonceBytesMax bytes; may be empty
  UtcSeconds time{};             ///< by the server's clock
  std::uint64_t compute_us = 0;  ///< microseconds that the run took
  std::uint64_t epoch = 0;       ///< the catalogue's
  Sha256Digest configuration{};  ///< as in the claims
  Sha256Digest certificate{};    ///< of the TLS certificate (DER), which holds the evidence

  bool operator==(const ReceiptStatement&) const = default;
};

/// A SignedPayload without a content type: the payload is the statement as a deterministic CBOR
/// map. docs/receipts.md has every byte. Fails: `invalid` for an over-long nonce, `internal`.
Result<ByteVector> write_receipt(const ReceiptStatement& statement, const SigningKey& key);

/// A receipt as it was received: well-formed, its signature not yet checked.
class Receipt {
 public:
  /// Accepts the one encoding that write_receipt gives, and no other. Fails: `corrupt`,
  /// `too_large` past kReceiptBytesMax.
  static Result<Receipt> read(Bytes encoded);

  const ReceiptStatement& statement() const noexcept { return statement_; }
  /// SHA-256 of the SPKI DER of the key that is said to have signed.
  const Sha256Digest& key_digest() const noexcept { return signed_.key_digest(); }
  /// Whether the key whose digest some evidence vouches for (the claim `receipt-key`) has signed.
  /// Fails: `unverified` for another key and for a signature that does not hold.
  Status verify(const Sha256Digest& attested_key) const { return signed_.verify(attested_key); }

 private:
  Receipt(SignedPayload signed_payload, ReceiptStatement statement)
      : signed_(std::move(signed_payload)), statement_(std::move(statement)) {}
  SignedPayload signed_;
  ReceiptStatement statement_;
};

}  // namespace cloister
