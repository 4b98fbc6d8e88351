#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/signature.h"

namespace cloister {

/// TPMS_ATTEST, taken apart. Views point into it. Source: TPM 2.0 Part 2, 10.12.8.
struct TpmAttest {
  std::uint32_t magic = 0;
  std::uint16_t type = 0;
  Bytes signer;      ///< the qualified name of the key
  Bytes extra_data;  ///< the caller's nonce
  std::set<unsigned> pcrs;  ///< selected PCRs of the SHA-256 bank
  bool other_bank = false;  ///< a bank that is not SHA-256 was selected too
  Bytes pcr_digest;
};

inline constexpr std::uint32_t kTpmGenerated = 0xFF544347;
inline constexpr std::uint16_t kTpmQuote = 0x8018;
inline constexpr unsigned kTpmPcrCount = 24;

/// Magic and type of any attestation; the rest only where these two are a quote's.
/// Fails: `corrupt`, for bytes after the structure too.
Result<TpmAttest> read_tpm_attest(Bytes bytes);

/// TPMT_PUBLIC of an attestation key. Source: TPM 2.0 Part 2, 12.2.4.
struct TpmPublic {
  std::uint32_t attributes = 0;
  ByteVector name;  ///< 000B, then SHA-256 of the structure
  PublicKey key;

  /// Made in the TPM, bound to it, signing, and only what the TPM itself made:
  /// restricted, sign, fixedTPM, fixedParent, sensitiveDataOrigin; not decrypt.
  bool is_attestation_key() const noexcept;
};

/// RSA, or ECC on P-256, with names in SHA-256. Fails: `corrupt`, `unsupported`.
Result<TpmPublic> read_tpm_public(Bytes bytes);

/// Done when the TPMT_SIGNATURE, or a bare RSASSA signature of 256 bytes as Azure gives it, holds
/// over `message` (with SHA-256). Fails: `unverified`.
Status check_tpm_signature(const PublicKey& key, Bytes message, Bytes signature);

}  // namespace cloister
