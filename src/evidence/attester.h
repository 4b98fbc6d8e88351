#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "crypto/signature.h"
#include "evidence/claims.h"
#include "evidence/platform.h"

namespace cloister {

inline constexpr std::chrono::hours kCertificateLifeMax{24};
inline constexpr std::size_t kTlsExporterBytes = 32;

/// A certificate with its evidence inside, ready for the TLS listener.
struct AttestedCertificate {
  ByteVector certificate;  ///< DER
  UtcSeconds not_after;    ///< renew before this, on the same key
};

/// The fresh part of an answer to `GET /v2/attestation?nonce=`.
struct FreshnessRequest {
  ByteVector nonce;         ///< decoded from base64url, kNonceBytesMin to kNonceBytesMax
  ByteVector tls_exporter;  ///< RFC 9266 tls-exporter of the asker's own connection, 32 bytes
  std::optional<std::uint64_t> epoch;  ///< the catalogue's epoch now
  std::optional<std::string> purpose;  ///< where the evidence asks for something itself
};

/// Binds one TLS key and one server's facts to the platform's evidence. Evidence is made one piece
/// at a time, and fresh evidence at most kFreshPerSecond a second. Safe from several threads.
class Attester {
 public:
  static constexpr unsigned kFreshPerSecond = 20;
  static constexpr unsigned kWaitingMax = 32;

  /// `platform`, `key` and `clock` must outlive the attester. `configuration` is the canonical
  /// text whose SHA-256 is `facts.configuration`.
  Attester(Platform& platform, const SigningKey& key, Clock& clock, ServerFacts facts,
           std::string configuration);

  /// A self-signed certificate for `names` (DNS names and IP addresses), valid from a minute
  /// before `now` for `life` (at most kCertificateLifeMax), with evidence for its key in the
  /// extension 2.23.133.5.4.9. Call it again before `not_after`: the key stays.
  /// Fails: as the platform does; `invalid` for a bad name or life.
  Result<AttestedCertificate> certificate(const std::vector<std::string>& names,
                                          std::chrono::seconds life = kCertificateLifeMax);

  /// The body of `GET /v2/attestation?nonce=`, a JSON object of strings:
  /// tee | evidence | claims | endorsements | cert_spki (base64) | configuration (canonical text).
  /// Fails: `invalid` for a nonce or exporter of a wrong length, `busy` past the rate or with
  /// kWaitingMax already waiting, else as the platform does.
  Result<std::string> answer(const FreshnessRequest& request);

  /// From now on evidence vouches for this key for sealed models: SHA-256 of its SPKI DER.
  /// Certificates that were made before go on naming the one before.
  void use_hpke_key(const Sha256Digest& digest) EXCLUDES(mutex_);

  EvidenceKind kind() const noexcept { return platform_.kind(); }

 private:
  Claims claims() const EXCLUDES(mutex_);
  Status admit();
  Result<std::string> admitted_answer(const FreshnessRequest& request);
  Result<PlatformEvidence> evidence_for(const ReportData& report_data);

  Platform& platform_;
  const SigningKey& key_;
  Clock& clock_;
  const std::string configuration_;
  Mutex flight_;  // held while the platform makes evidence: one piece at a time
  mutable Mutex mutex_;
  ServerFacts facts_ GUARDED_BY(mutex_);
  unsigned waiting_ GUARDED_BY(mutex_) = 0;
  unsigned made_ GUARDED_BY(mutex_) = 0;  // fresh evidence in the second that began at second_
  SteadyTime second_ GUARDED_BY(mutex_){};
};

}  // namespace cloister
