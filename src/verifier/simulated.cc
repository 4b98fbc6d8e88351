#include "crypto/signature.h"
#include "encoding/hex.h"
#include "verifier/judge.h"

namespace cloister {

Verdict judge_simulated(Bytes evidence) {
  Verdict verdict;
  verdict.kind = EvidenceKind::simulated;
  const Result<SimulatedEvidence> read = read_simulated(evidence);
  if (!read.ok()) {
    verdict.refusals.push_back(
        {Rule::format, "bytes that do not parse", "simulated evidence in CBOR"});
    return verdict;
  }
  const SimulatedEvidence& simulated = read.value();
  verdict.report_data = simulated.report_data;
  verdict.measurements = {{"simulated", hex_encode(simulated.measurement)}};
  const Result<PublicKey> key = PublicKey::from_spki(simulated.spki);
  const bool holds = key.ok() && key.value()
                                     .verify(SignatureScheme::ecdsa_p256_sha256_raw,
                                             simulated_message(simulated), simulated.signature)
                                     .ok();
  if (!holds) {
    verdict.refusals.push_back({Rule::simulated_signature, "a signature that does not hold",
                                "one by the key in the evidence"});
    return verdict;
  }
  verdict.authentic = true;
  return verdict;
}

}  // namespace cloister
