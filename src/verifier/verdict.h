#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "evidence/claims.h"
#include "evidence/platform.h"
#include "verifier/rule.h"

namespace cloister {

/// Why evidence is refused: the rule, what was seen and what the rule wants. All three are fit to
/// be printed for the person who asked; nothing in them is secret.
struct Refusal {
  Rule rule;
  std::string seen;
  std::string expected;
};

/// Intel's statuses (TCB info version 3, "tcbStatus", and the relaunch rule), plus `not_judged`
/// for kinds without one and for evidence whose collateral was missing.
enum class TcbStatus {
  not_judged,
  up_to_date,
  sw_hardening_needed,
  configuration_needed,
  configuration_and_sw_hardening_needed,
  out_of_date,
  out_of_date_configuration_needed,
  td_relaunch_advised,
  td_relaunch_advised_configuration_needed,
  revoked,
  not_supported,
};

/// Intel's own spelling ("UpToDate", "SWHardeningNeeded", ...); "" for not_judged.
const char* name_of(TcbStatus status) noexcept;
/// The status of that spelling; nothing for any other text.
std::optional<TcbStatus> tcb_status_of(std::string_view name) noexcept;

/// One thing that was read from the evidence: "mrenclave", "rtmr0", "host_data", "pcr7",
/// "reported_tcb"..., and its value (hexadecimal, or a decimal number).
struct Measurement {
  std::string name;
  std::string value;
};

/// What came out of judging one piece of evidence. Facts are filled in as far as they were
/// established, also when the evidence is refused.
struct Verdict {
  /// Nothing when the bytes did not say so much.
  std::optional<EvidenceKind> kind;
  /// True when every signature, chain and binding held: the evidence is what it says it is.
  bool authentic = false;
  /// Empty when the evidence is accepted. The first one is the one to name.
  std::vector<Refusal> refusals;

  TcbStatus tcb_status = TcbStatus::not_judged;
  std::string tcb_date;                 ///< of the matched level, as Intel writes it
  std::string qe_status, module_status, module_id;
  std::vector<std::string> advisories;  ///< sorted, without repetition
  bool debug = false;
  std::vector<Measurement> measurements;
  ReportData report_data{};
  std::optional<Claims> claims;
  /// The server's configuration (JSON), once it hashed to the claim; only fresh evidence shows it.
  std::string configuration;
  /// SHA-256 of the SPKI of the key that the evidence vouches for; the pin for
  /// `curl --pinnedpubkey sha256//...` is its base64.
  std::optional<Sha256Digest> pubkey_hash;
  /// The verdict may not be used past this time: the collateral's or the certificate's end.
  std::optional<UtcSeconds> expires;
  bool fresh = false;        ///< a nonce of ours was in the claims
  bool channel_bound = false;  ///< the TLS exporter of our own connection was in the claims
  std::vector<std::string> not_proven;  ///< sentences for a person: what this does not show

  bool accepted() const noexcept { return authentic && refusals.empty(); }
};

/// The verdict as one JSON object, the same for the command line and the C interface:
/// {accepted, authentic, kind, rule, refusals: [{rule, seen, expected}], tcb_status, advisories,
/// measurements: {...}, claims: {...}, ...}.
std::string verdict_json(const Verdict& verdict);

/// The verdict as a few lines for a person: who, what code, what configuration, how fresh, what
/// is not proven, and why it was refused.
std::string verdict_text(const Verdict& verdict);

}  // namespace cloister
