#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "crypto/signature.h"
#include "encoding/json_writer.h"
#include "evidence/receipt.h"
#include "vault/vault.h"

namespace cloister {

/// A receipt that will be wanted.
struct ReceiptWish {
  ByteVector nonce;
  /// Of the request's body as it was sent, where it was taken before.
  std::optional<Sha256Digest> request;
};

/// The use case behind `Cloister-Receipt: want`: signs what one answer was computed from. Safe
/// from several threads. Source: docs/receipts.md.
class Receipts {
 public:
  /// A new key for as long as the server runs; `vault` and `clock` must outlive it.
  /// Fails: `internal`.
  static Result<std::unique_ptr<Receipts>> make(const Vault& vault, const Clock& clock,
                                                const Sha256Digest& configuration);

  /// SHA-256 of the key's SPKI DER: what the evidence claims.
  const Sha256Digest& key_digest() const noexcept { return key_digest_; }
  /// The certificate (DER) that connections get from now on, whose evidence vouches for the key.
  void use_certificate(Bytes certificate);

  /// `nonce` is what the caller asks to have in his receipt: base64url without padding, up to
  /// kReceiptNonceBytesMax bytes once decoded. Fails: `invalid`.
  static Result<ReceiptWish> wish_for(std::optional<std::string_view> nonce);

  /// Members of an export, `out` being within its object: `time`, by the server's clock, `epoch`,
  /// and the SHA-256 of `configuration` and `certificate` in hex.
  void write_origin(JsonWriter& out) const;
  /// SignedPayload of an export's text. Fails: `internal`.
  Result<ByteVector> sign_export(std::string_view content_type, std::string_view text) const;

  /// A receipt in base64url without padding, fit for a header. `request` is the body as it was
  /// sent, unless `wish` has its digest; `response` as it will be sent, in pieces.
  /// Fails: `internal`.
  Result<std::string> sign(const ReceiptWish& wish, const VersionRecord& model, Bytes request,
                           const std::vector<Bytes>& response,
                           std::chrono::microseconds compute) const;

 private:
  Receipts(SigningKey key, const Vault& vault, const Clock& clock,
           const Sha256Digest& configuration);

  Sha256Digest certificate() const EXCLUDES(mutex_);

  SigningKey key_;
  Sha256Digest key_digest_;
  const Vault& vault_;
  const Clock& clock_;
  Sha256Digest configuration_;
  mutable Mutex mutex_;
  Sha256Digest certificate_ GUARDED_BY(mutex_){};
};

}  // namespace cloister
