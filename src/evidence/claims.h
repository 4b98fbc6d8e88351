#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "evidence/platform.h"

namespace cloister {

inline constexpr std::size_t kNonceBytesMin = 16;
inline constexpr std::size_t kNonceBytesMax = 64;
inline constexpr std::size_t kClaimsBytesMax = 4096;

/// What one server states about itself for its whole life: everything in the claims but the key
/// and what makes them fresh.
struct ServerFacts {
  Sha256Digest configuration{};  ///< of the canonical configuration text
  Sha256Digest software{};       ///< see software_digest()
  std::string isolation;         ///< "process" or "inline"
  std::string sandbox;           ///< how workers are confined and whom they serve
  std::string anchor;            ///< "none", "tpm", "etcd"
  std::optional<Sha256Digest> receipt_key;  ///< of the receipt key's SPKI DER
  std::optional<Sha256Digest> hpke_key;     ///< of the HPKE key's SPKI DER
};

/// SHA-256 over the three digests in this order: cloisterd, cloister-sandbox, runtime library.
Sha256Digest software_digest(const Sha256Digest& server, const Sha256Digest& sandbox,
                             const Sha256Digest& runtime) noexcept;

/// The claims under one piece of evidence: a definite-length CBOR map with text keys. Only
/// `pubkey_hash` is there in every certificate; other issuers leave the rest out.
struct Claims {
  /// "pubkey-hash": [1, SHA-256 of the SPKI DER], encoded inside a byte string as the RA-TLS
  /// stacks in use have it; a bare array is read too.
  Sha256Digest pubkey_hash{};
  std::optional<ByteVector> nonce;         ///< "nonce": 16 to 64 bytes, the asker's
  std::optional<ByteVector> tls_exporter;  ///< "tls-exporter": RFC 9266, 32 bytes
  std::optional<std::string> purpose;      ///< "purpose"
  std::optional<Sha256Digest> configuration, software, receipt_key, hpke_key;
  std::optional<std::string> isolation, sandbox, anchor;
  std::optional<std::uint64_t> epoch;  ///< the catalogue's, only beside a nonce
};

/// The claims of a server's certificate: facts and key, nothing fresh.
Claims claims_of(const ServerFacts& facts, const Sha256Digest& pubkey_hash);

/// The claims in deterministic CBOR. Source: docs/attestation.md, "Claims"; RFC 8949, 4.2.1.
ByteVector write_claims(const Claims& claims);

/// Reads claims of ours or of another issuer; unknown keys are skipped, known ones must have their
/// type. Fails: `corrupt` (malformed, a repeated key, no pubkey-hash, a hash that is not SHA-256,
/// bytes after the map), `too_large` past kClaimsBytesMax.
Result<Claims> read_claims(Bytes encoded);

/// What the platform signs: SHA-256 of the encoded claims, then 32 zero bytes.
ReportData report_data_of(Bytes encoded_claims) noexcept;

}  // namespace cloister
