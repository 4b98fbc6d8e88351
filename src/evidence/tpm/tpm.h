#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/mutex.h"
#include "base/result.h"
#include "secret/secret_bytes.h"

namespace cloister {

inline constexpr std::uint32_t kPcrCount = 24;
/// What every platform with a TPM asks its root secret with.
inline constexpr std::string_view kTpmRootLabel = "cloister root secret, TPM";

/// A quote over all SHA-256 PCRs, and what is needed to check it.
struct TpmQuote {
  ByteVector message;    ///< TPMS_ATTEST
  ByteVector signature;  ///< TPMT_SIGNATURE
  ByteVector ak_public;  ///< TPMT_PUBLIC
  ByteVector pcrs;       ///< kPcrCount values of 32 bytes
};

/// One TPM 2.0. Every call opens its transport and closes it again, so that others (a rollback
/// anchor) may use the same TPM between two calls, and leaves nothing in the TPM's few slots.
/// Safe from several threads. Every call fails with `io` when the TPM does not answer as it should.
class Tpm {
 public:
  /// `device`: a path ("/dev/tpmrm0"), or "swtpm:path=FILE" and "swtpm:host=HOST,port=N" for a
  /// simulator. Fails: `io` when nothing answers there.
  static Result<std::unique_ptr<Tpm>> open(const std::string& device);

  /// Quotes all PCRs with `nonce` (at most 64 bytes) by the key at the persistent handle `key`, or
  /// else by a restricted ECDSA P-256 primary key of the endorsement hierarchy, which is the same
  /// for the same TPM. Source: TPM 2.0 Library, Part 3, TPM2_CreatePrimary, TPM2_Quote.
  Result<TpmQuote> quote(Bytes nonce, std::optional<std::uint32_t> key);

  /// 32 bytes that this TPM gives again only while the PCRs in `pcrs` have their present values:
  /// the HMAC over `label` by a primary key of the owner hierarchy whose policy names them. Crosses
  /// the bus encrypted. Another label, other PCRs or other values of theirs give other bytes.
  /// Source: TPM 2.0 Library, Part 3, TPM2_PolicyPCR, TPM2_HMAC.
  Result<SecretBytes> secret(std::string_view label, const std::set<std::uint32_t>& pcrs);

  /// The content of an NV index that the owner, whose password is empty, may read.
  /// Fails: `not_found`.
  Result<ByteVector> read_nv(std::uint32_t index);

 private:
  explicit Tpm(std::string device) : device_(std::move(device)) {}
  const std::string device_;
  Mutex mutex_;
};

}  // namespace cloister
