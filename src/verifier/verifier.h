#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "evidence/platform.h"
#include "verifier/policy.h"
#include "verifier/verdict.h"

namespace cloister {

/// What third parties publish about a platform. Empty members are missing. All of it is hostile
/// until its signature holds.
struct Endorsements {
  ByteVector tcb_info;          ///< Intel: the service's JSON answer, exact bytes
  ByteVector qe_identity;       ///< Intel: the same, for the QE of this kind
  ByteVector tcb_signing_chain; ///< Intel: PEM
  ByteVector root_crl;          ///< Intel: DER
  ByteVector pck_crl;           ///< Intel: DER
  ByteVector pck_chain;         ///< Intel: PEM, for quotes that carry none
  ByteVector vek;               ///< AMD: VCEK or VLEK, DER
  ByteVector certificate_table; ///< AMD: the GUID table of the extended report
  ByteVector vek_chain;         ///< AMD: PEM, ASK or ASVK then ARK
  ByteVector amd_crl;           ///< AMD: DER, of the ARK
};

/// What the asker knows about the connection; evidence must match everything that is given.
struct Channel {
  std::optional<ByteVector> spki;          ///< of the peer's TLS certificate
  std::optional<ByteVector> nonce;         ///< the one that was asked for
  std::optional<ByteVector> tls_exporter;  ///< RFC 9266, of our own end
};

/// Judges the certificate (DER) that a TLS peer showed: its self-signature and validity, the
/// evidence in its extension, that the evidence vouches for its key, and the policy. `now` is the
/// caller's clock; the verifier has none, makes no connection and keeps nothing between calls.
Verdict verify_certificate(Bytes certificate, const Endorsements& endorsements,
                           const Policy& policy, UtcSeconds now);

/// Judges the body of `GET /v2/attestation?nonce=` the same way; the configuration text in it must
/// hash to the claim. `channel` should hold all three members: then a relay is caught.
Verdict verify_answer(std::string_view answer, const Channel& channel,
                      const Endorsements& endorsements, const Policy& policy, UtcSeconds now);

/// Evidence that was recorded earlier, and what lay beside it.
struct RecordedEvidence {
  /// Name of each file and its content. One file may be a quote, a report, a certificate (DER or
  /// PEM) or an answer of `GET /v2/attestation`; several are what lies in one folder: a report
  /// and its VCEK, a TPM quote with signature, key and PCRs, an Azure bundle.
  std::map<std::string, ByteVector> files;
  /// The file to judge, or how its name begins ("quote_ecc", "v2_milan.report"); may be empty
  /// where there is only one.
  std::string name;
  /// The nonce that the TPM quote should hold; not checked when absent.
  std::optional<ByteVector> nonce;
};

inline constexpr std::size_t kRecordedFilesMax = 64;
inline constexpr std::size_t kRecordedFileBytesMax = 1 << 20;

/// Judges recorded evidence offline. What kind it is, is read from the bytes first and from the
/// files' names where the bytes do not say. `endorsements` may be empty.
Verdict judge_recorded_evidence(const RecordedEvidence& recorded,
                                const Endorsements& endorsements, const Policy& policy,
                                UtcSeconds now);

/// Endorsements from the files of one folder, by name: tcb_info.json, qe_identity.json,
/// tcb_signing_chain.pem, root_ca.crl.der, pck_ca.crl.der, pck_chain.pem, vek.der, vek_chain.pem,
/// amd.crl.der. Other files are passed over.
Endorsements endorsements_of(const std::map<std::string, ByteVector>& files);

}  // namespace cloister
