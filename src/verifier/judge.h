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

/// What every kind is judged with.
struct Case {
  const Endorsements& endorsements;
  const Policy& policy;
  const TrustAnchors& anchors;
  UtcSeconds now;
};

/// Each judges one kind of evidence: whether it is authentic, what it measures, its platform's
/// state. What the policy says of measurements and claims is left to judge_policy. The verdict
/// holds at most one refusal of authenticity, and then says how far it came.
Verdict judge_simulated(Bytes evidence);
Verdict judge_quote(Bytes quote, const Case& the_case);

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
