#include <algorithm>
#include <cstdlib>

#include "encoding/hex.h"
#include "encoding/json.h"
#include "verifier/judge.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

std::string joined(const std::vector<ByteVector>& values) {
  std::string out;
  for (const ByteVector& value : values) out += (out.empty() ? "" : " or ") + hex_encode(value);
  return out;
}

std::string joined(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& value : values) out += (out.empty() ? "" : " or ") + value;
  return out;
}

std::string measured(const Verdict& verdict, std::string_view name) {
  for (const Measurement& measurement : verdict.measurements) {
    if (measurement.name == name) return measurement.value;
  }
  return {};
}

/// The verdict under judgement and the policy, with one function for each group of rules.
class PolicyJudge {
 public:
  PolicyJudge(Verdict verdict, const Policy& policy, UtcSeconds now)
      : verdict_(std::move(verdict)), kind_(*verdict_.kind), policy_(policy), now_(now) {}

  Verdict judge() && {
    judge_kind();
    judge_debug();
    judge_platform();
    judge_measurements();
    judge_claims();
    judge_pin();
    limit_life();
    state_limits();
    return std::move(verdict_);
  }

 private:
  void refuse(Rule rule, std::string seen, std::string expected) {
    verdict_.refusals.push_back({rule, std::move(seen), std::move(expected)});
  }

  void judge_kind() {
    if (kind_ == EvidenceKind::simulated) {
      if (!policy_.allow_simulation) {
        refuse(Rule::simulation, "a simulated platform, which protects nothing",
               "real hardware, or the explicit permission to use a simulation");
      }
    } else if (!policy_.kinds.contains(kind_)) {
      refuse(Rule::kind, name_of(kind_), "a kind that the policy lists");
    }
    if (kind_ == EvidenceKind::tpm && !policy_.allow_tpm_alone) {
      refuse(Rule::tpm_alone, "a TPM quote alone, which shows a measured boot and no enclave",
             "an enclave's evidence, or allow_tpm_alone in the policy");
    }
  }

  void judge_debug() {
    if (verdict_.debug && !policy_.allow_debug) {
      refuse(Rule::debug, "an enclave that the host may debug", "a production enclave");
    }
  }

  void judge_platform() {
    if (verdict_.tcb_status == TcbStatus::not_judged) return;
    const auto accepted = policy_.tcb_statuses.find(verdict_.tcb_status);
    const bool never = verdict_.tcb_status == TcbStatus::revoked ||
                       verdict_.tcb_status == TcbStatus::not_supported;
    if (never || accepted == policy_.tcb_statuses.end()) {
      std::string expected;
      for (const auto& [status, until] : policy_.tcb_statuses) {
        expected += (expected.empty() ? "" : " or ") + std::string(name_of(status));
      }
      refuse(Rule::tcb_status, name_of(verdict_.tcb_status), expected);
    } else if (accepted->second && now_ > *accepted->second) {
      refuse(Rule::tcb_status, name_of(verdict_.tcb_status),
             "tolerated until " + time_text(*accepted->second));
    }
    if (!policy_.advisories) return;
    for (const std::string& advisory : verdict_.advisories) {
      if (!policy_.advisories->contains(advisory)) {
        refuse(Rule::advisory, advisory, "advisories that the policy lists");
      }
    }
  }

  void require(const std::string& name, const std::vector<ByteVector>& accepted,
               Rule rule = Rule::measurement) {
    if (accepted.empty()) return;
    const std::string seen = measured(verdict_, name);
    const bool matches = std::ranges::any_of(
        accepted, [&seen](const ByteVector& value) { return hex_encode(value) == seen; });
    if (!matches) {
      refuse(rule, name + " " + (seen.empty() ? "absent" : seen), joined(accepted));
    }
  }

  bool signer_matches() const {
    const std::string signer = measured(verdict_, "mrsigner");
    return std::ranges::any_of(policy_.sgx_signers, [&](const SgxSigner& accepted) {
      return hex_encode(accepted.mrsigner) == signer &&
             std::to_string(accepted.product) == measured(verdict_, "isvprodid") &&
             std::strtoul(measured(verdict_, "isvsvn").c_str(), nullptr, 10) >=
                 accepted.minimum_version;
    });
  }

  void judge_sgx() {
    if (policy_.sgx_signers.empty()) {
      require("mrenclave", policy_.mrenclave);
      return;
    }
    const std::string enclave = measured(verdict_, "mrenclave");
    const bool by_enclave = std::ranges::any_of(
        policy_.mrenclave, [&](const ByteVector& value) { return hex_encode(value) == enclave; });
    if (by_enclave || signer_matches()) return;
    refuse(Rule::measurement,
           "mrenclave " + enclave + ", mrsigner " + measured(verdict_, "mrsigner") + " product " +
               measured(verdict_, "isvprodid") + " version " + measured(verdict_, "isvsvn"),
           "a pinned enclave, or a pinned signer with its product and least version");
  }

  void judge_pcrs() {
    for (const auto& [number, accepted] : policy_.pcrs) {
      require("pcr" + std::to_string(number), accepted, Rule::pcr);
    }
  }

  void judge_measurements() {
    switch (kind_) {
      case EvidenceKind::simulated: require("simulated", policy_.simulated); break;
      case EvidenceKind::sgx: judge_sgx(); break;
      case EvidenceKind::tpm: judge_pcrs(); break;
      case EvidenceKind::azure_tdx: judge_pcrs(); [[fallthrough]];
      case EvidenceKind::tdx:
        for (const auto& [name, accepted] : policy_.tdx) require(name, accepted);
        break;
      case EvidenceKind::azure_snp: judge_pcrs(); [[fallthrough]];
      case EvidenceKind::snp:
        for (const auto& [name, accepted] : policy_.snp) require(name, accepted);
        break;
    }
  }

  void require_digest(Rule rule, const std::optional<Sha256Digest>& claimed,
                      const std::vector<ByteVector>& accepted) {
    if (accepted.empty()) return;
    const bool matches = claimed && std::ranges::any_of(accepted, [&](const ByteVector& value) {
                           return std::ranges::equal(value, *claimed);
                         });
    if (!matches) refuse(rule, claimed ? hex_encode(*claimed) : "no claim", joined(accepted));
  }

  void require_text(Rule rule, const std::optional<std::string>& claimed,
                    const std::vector<std::string>& accepted) {
    if (accepted.empty()) return;
    const bool matches =
        claimed && std::ranges::find(accepted, *claimed) != accepted.end();
    if (!matches) refuse(rule, claimed.value_or("no claim"), joined(accepted));
  }

  void judge_claims() {
    const Claims claims = verdict_.claims.value_or(Claims{});
    require_digest(Rule::configuration, claims.configuration, policy_.configuration);
    require_digest(Rule::software, claims.software, policy_.software);
    require_text(Rule::isolation, claims.isolation, policy_.isolation);
    require_text(Rule::sandbox, claims.sandbox, policy_.sandbox);
    require_text(Rule::anchor, claims.anchor, policy_.anchor);
    judge_settings();
  }

  void judge_settings() {
    if (policy_.settings.empty()) return;
    const Result<JsonValue> text = parse_json(verdict_.configuration);
    for (const auto& [name, accepted] : policy_.settings) {
      const JsonValue* value = text.ok() ? text.value().find(name) : nullptr;
      const std::string seen(value == nullptr ? std::string_view("not shown") : value->raw());
      if (std::ranges::find(accepted, seen) != accepted.end()) continue;
      refuse(Rule::setting, name + " " + seen, joined(accepted));
    }
  }

  void expire_at(UtcSeconds time) {
    if (!verdict_.expires || time < *verdict_.expires) verdict_.expires = time;
  }

  /// What the policy tolerates for a time holds no longer than that.
  void limit_life() {
    if (policy_.verdict_age_max) expire_at(now_ + *policy_.verdict_age_max);
    const auto status = policy_.tcb_statuses.find(verdict_.tcb_status);
    if (status != policy_.tcb_statuses.end() && status->second) expire_at(*status->second);
  }

  bool pins(const std::map<std::string, std::vector<ByteVector>>& values, const char* name) const {
    const auto found = values.find(name);
    return found != values.end() && !found->second.empty();
  }

  bool pins_pcrs() const {
    return std::ranges::any_of(policy_.pcrs, [](const auto& pcr) { return !pcr.second.empty(); });
  }

  /// Anybody can run genuine hardware: something must name the code. What the code says of itself
  /// (the software digest) cannot, and neither can a value that the host chooses.
  void judge_pin() {
    bool pinned = true;
    const char* what = "";
    switch (kind_) {
      case EvidenceKind::simulated: return;
      case EvidenceKind::sgx:
        pinned = !policy_.mrenclave.empty() || !policy_.sgx_signers.empty();
        what = "sgx.mrenclave, or sgx.signers with product and minimum_version";
        break;
      case EvidenceKind::tdx:
        pinned = pins(policy_.tdx, "mrtd");
        what = "tdx.mrtd, and the rtmr values that the image extends";
        break;
      case EvidenceKind::snp:
        pinned = pins(policy_.snp, "measurement");
        what = "snp.measurement";
        break;
      case EvidenceKind::tpm:
        pinned = pins_pcrs() && !policy_.ak_names.empty();
        what = "tpm.pcrs and tpm.ak_names";
        break;
      case EvidenceKind::azure_snp:
        pinned = pins(policy_.snp, "measurement") && pins_pcrs();
        what = "snp.measurement (the paravisor) and tpm.pcrs (the image)";
        break;
      case EvidenceKind::azure_tdx:
        pinned = pins(policy_.tdx, "mrtd") && pins_pcrs();
        what = "tdx.mrtd (the paravisor) and tpm.pcrs (the image)";
        break;
    }
    if (!pinned) {
      refuse(Rule::not_pinned, "a policy that names no code: anybody can run genuine hardware",
             std::string("a pin in the policy: ") + what);
    }
  }

  void state_limits() {
    std::vector<std::string>& limits = verdict_.not_proven;
    if (kind_ == EvidenceKind::simulated) {
      limits.push_back("anything about the host: simulation protects nothing from it");
    }
    if (!verdict_.fresh) limits.push_back("that this was made now: no nonce of ours is in it");
    if (!verdict_.channel_bound) {
      limits.push_back("that nobody relays this connection: it is not bound to the channel");
    }
    if (verdict_.claims && verdict_.claims->anchor == "none") {
      limits.push_back("that an erased model cannot come back: the store has no anchor");
    }
    if (verdict_.claims && verdict_.claims->isolation == "inline") {
      limits.push_back("anything about hostile models: they run in the server's own process");
    }
    if (verdict_.debug) limits.push_back("that the host cannot read the enclave: debug is on");
  }

  Verdict verdict_;
  const EvidenceKind kind_;
  const Policy& policy_;
  const UtcSeconds now_;
};

}  // namespace

Verdict judge_policy(Verdict verdict, const Policy& policy, UtcSeconds now) {
  if (!verdict.authentic) return verdict;
  return PolicyJudge(std::move(verdict), policy, now).judge();
}

}  // namespace cloister
