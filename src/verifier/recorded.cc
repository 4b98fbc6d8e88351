#include <algorithm>

#include "encoding/cbor.h"
#include "encoding/hex.h"
#include "verifier/chain.h"
#include "verifier/judge.h"

namespace cloister {
namespace {

using Files = std::map<std::string, ByteVector>;

constexpr std::size_t kSnpReportBytes = 1184;
constexpr std::size_t kPcrTextBytesMax = 4096;

/// The first of these files that is there; empty when none is.
ByteVector first_of(const Files& files, std::initializer_list<std::string> names) {
  for (const std::string& name : names) {
    if (const auto found = files.find(name); found != files.end()) return found->second;
  }
  return {};
}

std::string without_suffix(std::string name, std::string_view suffix) {
  if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  return name;
}

/// A line of hexadecimal digits for each PCR from 0 on.
ByteVector pcr_values_of(const ByteVector& text) {
  ByteVector values;
  if (text.size() > kPcrTextBytesMax) return values;
  std::string_view rest = text_of(text);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const Result<ByteVector> value = hex_decode(line);
    if (!value.ok() || value.value().size() != 32) return {};
    values.insert(values.end(), value.value().begin(), value.value().end());
  }
  return values;
}

Verdict refused(std::string seen, std::string expected) {
  Verdict verdict;
  verdict.refusals.push_back({Rule::format, std::move(seen), std::move(expected)});
  return verdict;
}

/// The names of files that can be judged by themselves and begin with `name`.
std::vector<std::string> candidates(const Files& files, const std::string& name) {
  std::vector<std::string> found;
  for (const auto& [file, content] : files) {
    if (file == name) return {file};
    const bool is_endorsement = file.ends_with(".vcek.der") || file.ends_with(".vlek.der") ||
                                file == "vek.der" || file == "vcek.der" || file == "vlek.der" ||
                                file.ends_with(".md") || file.ends_with(".crl.der");
    if (!is_endorsement && file.starts_with(name)) found.push_back(file);
  }
  return found;
}

Verdict judge_snp_file(const Files& files, const std::string& file, const Case& the_case) {
  const std::string stem = without_suffix(file, ".report");
  Endorsements endorsements = the_case.endorsements;
  if (endorsements.vek.empty()) {
    endorsements.vek = first_of(files, {stem + ".vcek.der", stem + ".vlek.der", "vcek.der",
                                        "vlek.der", "vek.der"});
  }
  return judge_snp(files.at(file),
                   {endorsements, the_case.policy, the_case.anchors, the_case.now});
}

Verdict judge_one(const RecordedEvidence& recorded, const std::string& file,
                  const Case& the_case) {
  const ByteVector& content = recorded.files.at(file);
  const std::string_view text = text_of(content);
  if (content.size() == kSnpReportBytes) {
    return judge_policy(judge_snp_file(recorded.files, file, the_case), the_case.policy,
                        the_case.now);
  }
  if (text.starts_with('{')) {
    return verify_answer(text, {{}, recorded.nonce, {}}, the_case.endorsements, the_case.policy,
                         the_case.now);
  }
  if (text.starts_with("-----BEGIN CERTIFICATE")) {
    const Result<std::vector<ByteVector>> ders = read_pem(content);
    if (!ders.ok() || ders.value().empty()) return refused("a text that is no PEM", "one");
    return verify_certificate(ders.value().front(), the_case.endorsements, the_case.policy,
                              the_case.now);
  }
  if (text.starts_with('\x30')) {
    return verify_certificate(content, the_case.endorsements, the_case.policy, the_case.now);
  }
  return judge_policy(judge_quote(content, the_case), the_case.policy, the_case.now);
}

}  // namespace

TpmEvidence tpm_evidence_of(const Files& files, const std::string& name) {
  TpmEvidence evidence;
  const std::string stem = without_suffix(name, ".msg");
  evidence.message = first_of(files, {stem + ".msg"});
  evidence.signature = first_of(files, {stem + ".sig"});
  // TPMT_SIGNATURE begins with its algorithm: ECDSA is 0018.
  const bool is_ecdsa =
      evidence.signature.size() > 2 && evidence.signature[1] == std::byte{0x18};
  const std::string kind = is_ecdsa ? "ak_ecc" : "ak_rsa";
  evidence.ak_public = first_of(files, {stem + ".tpmt", "ak.tpmt", kind + ".tpmt"});
  if (!files.contains(stem + ".tpmt")) {
    evidence.ak_name = first_of(files, {"ak.name", kind + ".name"});
  }
  evidence.ak_spki = first_of(files, {"ak_spki.der"});
  const ByteVector text = first_of(files, {"pcrs_sha256.txt"});
  evidence.pcr_values = text.empty() ? first_of(files, {"pcrs.bin"}) : pcr_values_of(text);
  return evidence;
}

AzureEvidence azure_evidence_of(const Files& files) {
  AzureEvidence evidence;
  evidence.hcl_report = first_of(files, {"hcl_report.bin"});
  evidence.td_quote = first_of(files, {"td.quote"});
  evidence.tpm = tpm_evidence_of(files, "tpm_quote");
  return evidence;
}

Result<Files> read_evidence_files(Bytes encoded) {
  CLOISTER_ASSIGN(const CborValue map, decode_cbor(encoded, CborOrder::any));
  const Error malformed{Code::corrupt, "recorded.files"};
  if (!map.is_map() || map.entries().size() > kRecordedFilesMax) return malformed;
  Files files;
  for (const CborEntry& entry : map.entries()) {
    const auto name = entry.key.text();
    const auto content = entry.value.bytes();
    if (!name || !content) return malformed;
    files.emplace(*name, copy_of(*content));
  }
  return files;
}

Verdict judge_recorded_evidence(const RecordedEvidence& recorded,
                                const Endorsements& endorsements, const Policy& policy,
                                UtcSeconds now) {
  const Files& files = recorded.files;
  const bool fits = files.size() <= kRecordedFilesMax &&
                    std::ranges::all_of(files, [](const auto& file) {
                      return file.second.size() <= kRecordedFileBytesMax;
                    });
  if (!fits) return refused("too many files, or too large ones", "64 files of 1 MiB at most");
  const Case the_case{endorsements, policy, production_anchors(), now};
  if (files.contains("hcl_report.bin")) {
    AzureEvidence evidence = azure_evidence_of(files);
    evidence.tpm.nonce = recorded.nonce;
    Endorsements all = endorsements;
    if (all.vek.empty()) all.vek = first_of(files, {"vcek.der", "vlek.der", "vek.der"});
    return judge_policy(judge_azure(evidence, {all, policy, production_anchors(), now}), policy,
                        now);
  }
  std::vector<std::string> quotes;
  for (const auto& [file, content] : files) {
    const bool is_named = recorded.name.empty() || file == recorded.name ||
                          without_suffix(file, ".msg") == recorded.name;
    if (file.ends_with(".msg") && is_named) quotes.push_back(file);
  }
  if (quotes.size() == 1) {
    TpmEvidence evidence = tpm_evidence_of(files, quotes.front());
    evidence.nonce = recorded.nonce;
    return judge_policy(judge_tpm(evidence, the_case), policy, now);
  }
  const std::vector<std::string> found = candidates(files, recorded.name);
  if (found.size() != 1) {
    return refused(std::to_string(found.size()) + " files that could be meant",
                   "one piece of evidence: name it");
  }
  return judge_one(recorded, found.front(), the_case);
}

Endorsements endorsements_of(const Files& files) {
  Endorsements endorsements;
  endorsements.tcb_info = first_of(files, {"tcb_info.json"});
  endorsements.qe_identity = first_of(files, {"qe_identity.json"});
  endorsements.tcb_signing_chain = first_of(files, {"tcb_signing_chain.pem"});
  endorsements.root_crl = first_of(files, {"root_ca.crl.der"});
  endorsements.pck_crl = first_of(files, {"pck_ca.crl.der"});
  endorsements.pck_chain = first_of(files, {"pck_chain.pem"});
  endorsements.vek = first_of(files, {"vek.der", "vcek.der", "vlek.der"});
  endorsements.vek_chain = first_of(files, {"vek_chain.pem"});
  endorsements.amd_crl = first_of(files, {"amd.crl.der"});
  return endorsements;
}

}  // namespace cloister
