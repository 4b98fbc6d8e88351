#pragma once

#include <map>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/der.h"
#include "evidence/platform.h"

namespace cloister {

/// The certificate extension that holds the evidence (TCG DICE tagged evidence).
inline constexpr Oid kEvidenceExtension("2.23.133.5.4.9");
/// The CBOR tag of [quote, claims] for SGX and TDX quotes.
inline constexpr std::uint64_t kQuoteTag = 60000;

/// Evidence as a certificate carries it.
struct EvidenceEnvelope {
  EvidenceKind kind = EvidenceKind::simulated;
  ByteVector evidence;
  ByteVector claims;        ///< CBOR, see claims.h
  ByteVector endorsements;  ///< empty for SGX and TDX, whose quotes carry their chain
};

/// SGX and TDX: tag 60000 over [quote, claims]. Every other kind: a CMW record
/// [media type, bytes], the bytes being CBOR [evidence, claims, endorsements]; the simulated kind's
/// media type says `insecure-simulation`.
/// Source: docs/attestation.md, "Certificate".
ByteVector write_envelope(const EvidenceEnvelope& envelope);

/// Fails: `corrupt`; `unsupported` for a tag or media type that is not ours, and for a quote under
/// tag 60000 that is neither SGX nor TDX.
Result<EvidenceEnvelope> read_envelope(Bytes encoded);

/// Evidence that is several files (a TPM quote, an Azure bundle): a CBOR map of their names to byte
/// strings. The verifier's read_evidence_files reads it.
ByteVector write_evidence_files(const std::map<std::string, ByteVector>& files);

/// SGX or TDX by a quote's header. Fails: `unsupported`.
Result<EvidenceKind> quote_kind(Bytes quote);

/// What stands where a quote would, in simulation: signed with a key that comes along, so it shows
/// that the bytes were not damaged and nothing else.
struct SimulatedEvidence {
  ReportData report_data{};
  ByteVector measurement;  ///< 32 bytes
  ByteVector spki;         ///< P-256
  ByteVector signature;    ///< over simulated_message(), r || s
};

/// The bytes that the signature covers.
ByteVector simulated_message(const SimulatedEvidence& evidence);
ByteVector write_simulated(const SimulatedEvidence& evidence);
/// Fails: `corrupt`.
Result<SimulatedEvidence> read_simulated(Bytes encoded);

}  // namespace cloister
