#include "serving/receipts.h"

#include <utility>

#include "crypto/sha256_pair.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "evidence/signed_payload.h"

namespace cloister {

Receipts::Receipts(SigningKey key, const Vault& vault, const Clock& clock,
                   const Sha256Digest& configuration)
    : key_(std::move(key)),
      key_digest_(sha256(key_.spki())),
      vault_(vault),
      clock_(clock),
      configuration_(configuration) {}

Result<std::unique_ptr<Receipts>> Receipts::make(const Vault& vault, const Clock& clock,
                                                 const Sha256Digest& configuration) {
  CLOISTER_ASSIGN(SigningKey key, SigningKey::generate_p256());
  return std::unique_ptr<Receipts>(new Receipts(std::move(key), vault, clock, configuration));
}

void Receipts::use_certificate(Bytes certificate) {
  const Sha256Digest digest = sha256(certificate);
  const MutexLock lock(mutex_);
  certificate_ = digest;
}

Result<ReceiptWish> Receipts::wish_for(std::optional<std::string_view> nonce) {
  ReceiptWish wish;
  if (nonce) {
    auto decoded = base64url_decode(*nonce);
    if (!decoded.ok() || decoded.value().size() > kReceiptNonceBytesMax) {
      return Error{Code::invalid, "receipts.nonce",
                   Detail("Cloister-Receipt-Nonce: expected base64url without padding of at most "
                          "64 bytes")};
    }
    wish.nonce = std::move(decoded).value();
  }
  return wish;
}

void Receipts::write_origin(JsonWriter& out) const {
  out.key("time").integer(clock_.utc().time_since_epoch().count());
  out.key("epoch").unsigned_integer(vault_.epoch());
  out.key("configuration").text(hex_encode(configuration_));
  out.key("certificate").text(hex_encode(certificate()));
}

Result<ByteVector> Receipts::sign_export(std::string_view content_type,
                                         std::string_view text) const {
  return SignedPayload::write(content_type, bytes_of(text), key_);
}

Sha256Digest Receipts::certificate() const {
  const MutexLock lock(mutex_);
  return certificate_;
}

Result<std::string> Receipts::sign(const ReceiptWish& wish, const VersionRecord& model,
                                   Bytes request, const std::vector<Bytes>& response,
                                   std::chrono::microseconds compute) const {
  ReceiptStatement statement;
  statement.model = model.sha256;
  statement.version = model.ref.version.value;
  // Both at once: that takes little longer than the longer of them.
  const Bytes sent[] = {wish.request ? Bytes() : request};
  const Sha256Pair digests = sha256_pair(sent, response);
  statement.request = wish.request.value_or(digests[0]);
  statement.response = digests[1];
  statement.nonce = wish.nonce;
  statement.time = clock_.utc();
  statement.compute_us = static_cast<std::uint64_t>(compute.count());
  statement.epoch = vault_.epoch();
  statement.configuration = configuration_;
  statement.certificate = certificate();
  CLOISTER_ASSIGN(const ByteVector receipt, write_receipt(statement, key_));
  return base64url_encode(receipt);
}

}  // namespace cloister
