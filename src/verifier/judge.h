#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "evidence/envelope.h"
#include "verifier/anchors.h"
#include "verifier/policy.h"
#include "verifier/verdict.h"
#include "verifier/verifier.h"

// The parts of the verifier, for its own sources and tests. What others call is in verifier.h.

namespace cloister {

/// A step's outcome: why the evidence is refused, or nothing.
using Check = std::optional<Refusal>;

inline Check refuse(Rule rule, std::string seen, std::string expected) {
  return Refusal{rule, std::move(seen), std::move(expected)};
}

/// What every kind is judged with.
struct Case {
  const Endorsements& endorsements;
  const Policy& policy;
  const TrustAnchors& anchors;
  UtcSeconds now;
};

/// A TPM quote and what is needed to check it. Empty members are missing.
struct TpmEvidence {
  ByteVector message;     ///< TPMS_ATTEST
  ByteVector signature;   ///< TPMT_SIGNATURE, or a bare RSASSA signature
  ByteVector ak_public;   ///< TPMT_PUBLIC
  ByteVector ak_spki;     ///< DER, where the public area is missing
  ByteVector ak_name;     ///< the name that the EK vouched for
  ByteVector pcr_values;  ///< 32 bytes for each PCR from 0 on
  std::optional<ByteVector> nonce;  ///< what the quote should hold, where the asker knows
};

/// What an Azure confidential VM gives: the paravisor's report, its virtual TPM's quote and, on
/// TDX, the quote that stands for the report.
struct AzureEvidence {
  ByteVector hcl_report;
  ByteVector td_quote;
  TpmEvidence tpm;
};

/// Each judges one kind of evidence: whether it is authentic, what it measures, its platform's
/// state. What the policy says of measurements and claims is left to judge_policy. The verdict
/// holds at most one refusal of authenticity, and then says how far it came.
Verdict judge_simulated(Bytes evidence);
Verdict judge_quote(Bytes quote, const Case& the_case);
Verdict judge_snp(Bytes report, const Case& the_case);
Verdict judge_tpm(const TpmEvidence& evidence, const Case& the_case);
Verdict judge_azure(const AzureEvidence& evidence, const Case& the_case);

/// A TPM quote or an Azure bundle out of named files: those of a folder, or those of the CBOR map
/// of byte strings that such evidence is in an envelope. Files that are missing stay empty.
TpmEvidence tpm_evidence_of(const std::map<std::string, ByteVector>& files,
                            const std::string& name);
AzureEvidence azure_evidence_of(const std::map<std::string, ByteVector>& files);
/// Fails: `corrupt` for anything but a map of texts to byte strings, at most kRecordedFilesMax.
Result<std::map<std::string, ByteVector>> read_evidence_files(Bytes encoded);

/// `given` with what the GUID table of an extended SNP report adds, where it has nothing yet.
/// A malformed table adds nothing. Source: AMD GHCB specification, 4.1.8.1.
Endorsements with_certificate_table(Endorsements given, Bytes table);

/// Judges the kind that the envelope states.
Verdict judge_envelope(const EvidenceEnvelope& envelope, const Case& the_case);

/// Adds that the report data covers the claims, and the claims themselves.
Verdict bind_claims(Verdict verdict, Bytes claims);

/// Adds what the channel knows: key, nonce and exporter must be those in the claims.
Verdict bind_channel(Verdict verdict, const Channel& channel);

/// Adds every rule of the policy that the verdict's facts break, and what is not proven.
Verdict judge_policy(Verdict verdict, const Policy& policy, UtcSeconds now);

}  // namespace cloister

/// Returns the refusal of `check` from the enclosing function, if there is one.
#define CLOISTER_REFUSE_IF(check)                                                      \
  do {                                                                                 \
    if (auto cloister_refusal_ = (check); cloister_refusal_.has_value())               \
      return cloister_refusal_;                                                        \
  } while (false)
