#include <algorithm>

#include "encoding/hex.h"
#include "verifier/judge.h"
#include "verifier/tpm/attest.h"
#include "verifier/tpm/hcl.h"

namespace cloister {
namespace {

constexpr std::size_t kPcrBytes = 32;

std::string list_text(const std::set<unsigned>& pcrs) {
  std::string out;
  for (const unsigned pcr : pcrs) out += (out.empty() ? "" : ",") + std::to_string(pcr);
  return out.empty() ? "none" : out;
}

/// One TPM quote under judgement, in the order of docs/attestation.md, "TPM". `key` vouches for
/// the quote instead of the AK in the evidence where something else named it (Azure).
class TpmJudge {
 public:
  TpmJudge(const TpmEvidence& evidence, const Case& the_case)
      : evidence_(evidence), case_(the_case) {
    verdict_.kind = EvidenceKind::tpm;
  }

  Verdict judge(const PublicKey* key) && {
    Check refusal = check(key);
    if (refusal) {
      verdict_.refusals.push_back(std::move(*refusal));
    } else {
      verdict_.authentic = true;
      judge_key(key);
    }
    return std::move(verdict_);
  }

 private:
  Check check(const PublicKey* key) {
    const Result<TpmAttest> attest = read_tpm_attest(evidence_.message);
    if (!attest.ok()) {
      return refuse(Rule::format, "a quote whose lengths do not fit", "a whole TPMS_ATTEST");
    }
    attest_ = attest.value();
    if (attest_.magic != kTpmGenerated) {
      return refuse(Rule::tpm_magic, std::to_string(attest_.magic), "TPM_GENERATED (ff544347)");
    }
    if (attest_.type != kTpmQuote) {
      return refuse(Rule::tpm_type, "an attestation of type " + std::to_string(attest_.type),
                    "a quote (32792)");
    }
    const std::size_t shown = std::min(attest_.extra_data.size(), kReportDataBytes);
    std::ranges::copy(attest_.extra_data.first(shown), verdict_.report_data.begin());
    if (key == nullptr) {
      CLOISTER_REFUSE_IF(read_key());
      key = ak_ ? &ak_->key : &*bare_key_;
    }
    if (!check_tpm_signature(*key, evidence_.message, evidence_.signature).ok()) {
      return refuse(Rule::tpm_signature, "a signature that does not hold over the quote",
                    "the attestation key's");
    }
    CLOISTER_REFUSE_IF(check_nonce());
    return check_pcrs();
  }

  Check read_key() {
    if (!evidence_.ak_public.empty()) {
      Result<TpmPublic> ak = read_tpm_public(evidence_.ak_public);
      if (!ak.ok()) {
        return refuse(Rule::ak_public, "a public area that cannot be read",
                      "TPMT_PUBLIC of an RSA or P-256 key");
      }
      ak_ = std::move(ak).value();
      verdict_.measurements.push_back({"ak_name", hex_encode(ak_->name)});
      if (!ak_->is_attestation_key()) {
        return refuse(Rule::ak_not_restricted,
                      "a key with attributes " + std::to_string(ak_->attributes),
                      "restricted, sign, fixedTPM, fixedParent, sensitiveDataOrigin");
      }
      if (!evidence_.ak_name.empty() && !std::ranges::equal(evidence_.ak_name, ak_->name)) {
        return refuse(Rule::ak_name, hex_encode(ak_->name), hex_encode(evidence_.ak_name));
      }
      return std::nullopt;
    }
    Result<PublicKey> bare = PublicKey::from_spki(evidence_.ak_spki);
    if (!bare.ok()) {
      return refuse(Rule::ak_public, "no attestation key, or one that cannot be read",
                    "TPMT_PUBLIC, or at least the key's SPKI");
    }
    bare_key_ = std::move(bare).value();
    verdict_.measurements.push_back({"ak_spki_sha256", hex_encode(sha256(evidence_.ak_spki))});
    verdict_.not_proven.push_back(
        "that the TPM made what it signed: the key's attributes are not shown");
    return std::nullopt;
  }

  Check check_nonce() {
    const auto& expected = evidence_.nonce;
    if (!expected || std::ranges::equal(*expected, attest_.extra_data)) return std::nullopt;
    return refuse(Rule::tpm_nonce, hex_encode(attest_.extra_data), hex_encode(*expected));
  }

  Check check_pcrs() {
    const auto is_quoted = [this](const auto& pcr) { return attest_.pcrs.contains(pcr.first); };
    if (attest_.other_bank ||
        !std::ranges::includes(attest_.pcrs, case_.policy.pcr_selection) ||
        !std::ranges::all_of(case_.policy.pcrs, is_quoted)) {
      return refuse(Rule::pcr_selection, "SHA-256 PCRs " + list_text(attest_.pcrs),
                    "at least " + list_text(case_.policy.pcr_selection) +
                        ", those that the policy pins, and no other bank");
    }
    ByteVector quoted;
    for (const unsigned pcr : attest_.pcrs) {
      const std::size_t at = pcr * kPcrBytes;
      if (evidence_.pcr_values.size() < at + kPcrBytes) {
        return refuse(Rule::pcr_digest, "no value of PCR " + std::to_string(pcr),
                      "the values of all quoted PCRs");
      }
      const Bytes value = Bytes(evidence_.pcr_values).subspan(at, kPcrBytes);
      quoted.insert(quoted.end(), value.begin(), value.end());
      verdict_.measurements.push_back({"pcr" + std::to_string(pcr), hex_encode(value)});
    }
    if (!std::ranges::equal(sha256(quoted), attest_.pcr_digest)) {
      return refuse(Rule::pcr_digest, "PCR values that hash to " + hex_encode(sha256(quoted)),
                    "the quoted digest " + hex_encode(attest_.pcr_digest));
    }
    return std::nullopt;
  }

  /// Which TPM it is: only the policy can say, unless other evidence named the key.
  void judge_key(const PublicKey* vouched) {
    const std::vector<ByteVector>& accepted = case_.policy.ak_names;
    if (vouched != nullptr || accepted.empty()) return;
    const ByteVector seen = ak_ ? ak_->name : copy_of(sha256(evidence_.ak_spki));
    if (std::ranges::find(accepted, seen) != accepted.end()) return;
    verdict_.refusals.push_back(
        {Rule::ak_name, hex_encode(seen), "an attestation key that the policy lists"});
  }

  const TpmEvidence& evidence_;
  const Case& case_;
  Verdict verdict_;
  TpmAttest attest_;
  std::optional<TpmPublic> ak_;
  std::optional<PublicKey> bare_key_;
};

Verdict refused(EvidenceKind kind, Rule rule, std::string seen, std::string expected) {
  Verdict verdict;
  verdict.kind = kind;
  verdict.refusals.push_back({rule, std::move(seen), std::move(expected)});
  return verdict;
}

/// The hardware's verdict joined with that of the TPM whose key it vouches for.
Verdict joined(Verdict hardware, Verdict tpm, EvidenceKind kind) {
  hardware.kind = kind;
  hardware.authentic = hardware.authentic && tpm.authentic;
  hardware.report_data = tpm.report_data;
  for (Refusal& refusal : tpm.refusals) hardware.refusals.push_back(std::move(refusal));
  for (Measurement& item : tpm.measurements) hardware.measurements.push_back(std::move(item));
  for (std::string& limit : tpm.not_proven) hardware.not_proven.push_back(std::move(limit));
  return hardware;
}

}  // namespace

Verdict judge_tpm(const TpmEvidence& evidence, const Case& the_case) {
  return TpmJudge(evidence, the_case).judge(nullptr);
}

Verdict judge_azure(const AzureEvidence& evidence, const Case& the_case) {
  const Result<HclReport> read = read_hcl_report(evidence.hcl_report);
  if (!read.ok()) {
    return refused(EvidenceKind::azure_snp, Rule::hcl_report, "an HCL report that cannot be read",
                   "an attestation report with SHA-256 runtime data");
  }
  const HclReport& hcl = read.value();
  const EvidenceKind kind = hcl.is_tdx ? EvidenceKind::azure_tdx : EvidenceKind::azure_snp;
  Verdict hardware = hcl.is_tdx ? judge_quote(evidence.td_quote, the_case)
                                : judge_snp(hcl.hardware_report, the_case);
  hardware.kind = kind;
  if (!hardware.authentic) return hardware;
  const Sha256Digest runtime = sha256(hcl.runtime_data);
  ReportData expected{};
  std::ranges::copy(runtime, expected.begin());
  if (hardware.report_data != expected) {
    hardware.authentic = false;
    hardware.refusals.insert(hardware.refusals.begin(),
                             {Rule::hcl_binding,
                              "hardware report data " + hex_encode(hardware.report_data),
                              "SHA-256 of the runtime data " + hex_encode(expected)});
    return hardware;
  }
  hardware.measurements.push_back({"runtime_data_sha256", hex_encode(runtime)});
  hardware.measurements.push_back({"user_data", hcl.user_data});
  for (const auto& [name, value] : hcl.vm_configuration) {
    hardware.measurements.push_back({"vm_configuration." + name, value});
  }
  const Result<PublicKey> ak = PublicKey::from_rsa(hcl.ak_modulus, hcl.ak_exponent);
  if (!ak.ok()) {
    return joined(std::move(hardware),
                  refused(kind, Rule::ak_public, "an attestation key that is no RSA-2048 key",
                          "the paravisor's RSA key"),
                  kind);
  }
  Verdict tpm = TpmJudge(evidence.tpm, the_case).judge(&ak.value());
  return joined(std::move(hardware), std::move(tpm), kind);
}

}  // namespace cloister
