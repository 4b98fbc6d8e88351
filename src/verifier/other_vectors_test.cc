#include <gtest/gtest.h>

#include <algorithm>

#include "encoding/hex.h"
#include "verifier/vectors_for_test.h"

namespace cloister {
namespace {

/// What the policy must allow before the vectors' own findings show: pins that fit nothing else.
Policy unpinned() {
  Policy policy;
  policy.allow_tpm_alone = true;
  return policy;
}

bool has_rule(const Verdict& verdict, const std::string& rule) {
  const std::vector<std::string> rules = rules_of(verdict);
  return std::ranges::find(rules, rule) != rules.end();
}

Verdict judge_snp_vector(const JsonValue& vector, UtcSeconds now) {
  const std::filesystem::path report(text_in(vector, "report"));
  return judge_recorded_evidence({folder_content(vectors_folder() / report.parent_path()),
                                  report.filename(), {}},
                                 {}, Policy(), now);
}

TEST(SnpVectors, AgreeFieldByField) {
  CLOISTER_NEEDS_VECTORS();
  for (const JsonValue* vector : vectors_of("snp")) {
    SCOPED_TRACE(text_in(*vector, "id"));
    const Verdict verdict = judge_snp_vector(*vector, todays_date());
    EXPECT_EQ(verdict.authentic, vector->find("signature_ok")->boolean()) << first_rule(verdict);
    for (const JsonMember& claim : vector->find("claims")->members()) {
      if (claim.key == "report_data") {
        EXPECT_EQ(hex_encode(verdict.report_data), claim.value.text());
      } else {
        const auto number = claim.value.unsigned_integer();
        EXPECT_EQ(measured_in(verdict, claim.key),
                  number ? std::to_string(*number) : std::string(*claim.value.text()))
            << claim.key;
      }
    }
    EXPECT_EQ(verdict.debug, vector->find("debug")->boolean());
    const std::string expected = text_in(*vector, "expected");
    EXPECT_EQ(first_rule(verdict),
              expected == "ok" ? "not-pinned" : expected.substr(expected.find(':') + 1));
    if (verdict.authentic) {
      EXPECT_EQ(measured_in(verdict, "product"), vector->find("chain")->items()[0].text());
    }
  }
}

TEST(SnpVectors, HoldUnderAGivenChainToo) {
  CLOISTER_NEEDS_VECTORS();
  for (const JsonValue* vector : vectors_of("snp")) {
    if (vector->find("signature_ok")->boolean() != true) continue;
    const std::string product(*vector->find("chain")->items()[0].text());
    const std::filesystem::path report(text_in(*vector, "report"));
    Endorsements endorsements;
    endorsements.vek_chain =
        file_content(vectors_folder() / "snp/roots" / ("ask_ark_" + product + ".pem"));
    const Verdict verdict = judge_recorded_evidence(
        {folder_content(vectors_folder() / report.parent_path()), report.filename(), {}},
        endorsements, Policy(), todays_date());
    EXPECT_TRUE(verdict.authentic) << text_in(*vector, "id") << first_rule(verdict);
    const std::string other = product == "milan" ? "genoa" : "milan";
    endorsements.vek_chain =
        file_content(vectors_folder() / "snp/roots" / ("ask_ark_" + other + ".pem"));
    EXPECT_EQ(first_rule(judge_recorded_evidence(
                  {folder_content(vectors_folder() / report.parent_path()), report.filename(), {}},
                  endorsements, Policy(), todays_date())),
              "chain");
  }
}

TEST(SnpVectors, MutantsAreRefusedByTheirRule) {
  CLOISTER_NEEDS_VECTORS();
  const auto files = folder_content(vectors_folder() / "snp");
  const auto rule = [&files](std::initializer_list<std::pair<std::size_t, int>> changes) {
    auto changed = files;
    for (const auto& [at, value] : changes) {
      changed["v3_milan_caci.report"][at] = static_cast<std::byte>(value);
    }
    return first_rule(judge_recorded_evidence({changed, "v3_milan_caci.report", {}}, {}, Policy(),
                                              todays_date()));
  };
  EXPECT_EQ(rule({{0x50, 0xFF}}), "report-signature");
  EXPECT_EQ(rule({{0x90, 0xFF}}), "report-signature");
  EXPECT_EQ(rule({{0x180, 0xFF}}), "vek-tcb");
  EXPECT_EQ(rule({{0x1A0, 0xFE}}), "chip-id");
  EXPECT_EQ(rule({{0x2A0, 0}, {0x2A1, 0}, {0x2A2, 0}}), "report-signature");
  EXPECT_EQ(rule({{0x2E8, 0}, {0x2E9, 0}, {0x2EA, 0}}), "report-signature");
  EXPECT_EQ(rule({{0x2A0 + 48, 1}}), "report-signature");
  EXPECT_EQ(rule({{0x2E8 + 71, 1}}), "report-signature");
  EXPECT_EQ(rule({{0, 0}}), "report-version");
  EXPECT_EQ(rule({{0, 1}}), "report-version");
  EXPECT_EQ(rule({{0, 6}}), "report-version");
  EXPECT_EQ(rule({{0x34, 0}}), "report-signature-algorithm");
  EXPECT_EQ(rule({{0x48, 7 << 2}}), "signing-key");
  EXPECT_EQ(rule({{0x188, 1}}), "product");
}

TEST(SnpVectors, NeverHoldWithAnyFlippedByteOrAnyTruncation) {
  CLOISTER_NEEDS_VECTORS();
  RecordedEvidence recorded{folder_content(vectors_folder() / "snp"), "v5_genoa.report", {}};
  ByteVector& report = recorded.files["v5_genoa.report"];
  const ByteVector genuine = report;
  const auto holds = [&recorded] {
    return judge_recorded_evidence(recorded, {}, Policy(), todays_date()).authentic;
  };
  for (std::size_t i = 0; i < genuine.size(); ++i) {
    report[i] ^= std::byte{1};
    EXPECT_FALSE(holds()) << "byte " << i;
    report = copy_of(Bytes(genuine).first(i));
    EXPECT_FALSE(holds()) << "size " << i;
    report = genuine;
  }
  EXPECT_TRUE(holds());
}

TEST(TpmVectors, NeverHoldWithAnyFlippedByteOrAnyTruncation) {
  CLOISTER_NEEDS_VECTORS();
  RecordedEvidence recorded{folder_content(vectors_folder() / "tpm/swtpm"), "quote_ecc", {}};
  const auto holds = [&recorded] {
    return judge_recorded_evidence(recorded, {}, Policy(), todays_date()).authentic;
  };
  EXPECT_TRUE(holds());
  for (const char* file : {"quote_ecc.msg", "quote_ecc.sig", "ak_ecc.tpmt", "ak_ecc.name"}) {
    ByteVector& content = recorded.files[file];
    const ByteVector genuine = content;
    for (std::size_t i = 0; i < genuine.size(); ++i) {
      content[i] ^= std::byte{1};
      EXPECT_FALSE(holds()) << file << " byte " << i;
      content = genuine;
      if (i == 0) continue;  // a file that is empty is a file that is missing
      content.resize(i);
      EXPECT_FALSE(holds()) << file << " size " << i;
      content = genuine;
    }
  }
}

Verdict judge_tpm_vector(const JsonValue& vector, std::optional<ByteVector> nonce = {}) {
  if (!nonce) nonce = hex_decode(text_in(vector, "nonce")).value();
  return judge_recorded_evidence(
      {folder_content(vectors_folder() / text_in(vector, "dir")), text_in(vector, "file"), nonce},
      {}, unpinned(), todays_date());
}

TEST(TpmVectors, AgreeWithWhatIsExpected) {
  CLOISTER_NEEDS_VECTORS();
  for (const JsonValue* vector : vectors_of("tpm")) {
    SCOPED_TRACE(text_in(*vector, "id"));
    const Verdict verdict = judge_tpm_vector(*vector);
    const std::string expected = text_in(*vector, "expected");
    EXPECT_EQ(verdict.authentic, expected == "ok");
    EXPECT_EQ(first_rule(verdict),
              expected == "ok" ? "not-pinned" : expected.substr(expected.find(':') + 1));
  }
}

TEST(TpmVectors, AreRefusedForAnotherNonceKeyOrPcr) {
  CLOISTER_NEEDS_VECTORS();
  const JsonValue& vector = vector_named("swtpm_quote_ecc");
  EXPECT_EQ(first_rule(judge_tpm_vector(vector, ByteVector(32))), "tpm-nonce");
  auto files = folder_content(vectors_folder() / text_in(vector, "dir"));
  const auto judge = [](const std::map<std::string, ByteVector>& changed) {
    return first_rule(
        judge_recorded_evidence({changed, "quote_ecc", {}}, {}, unpinned(), todays_date()));
  };
  auto changed = files;
  changed["pcrs.bin"][8 * 32] ^= std::byte{1};
  EXPECT_EQ(judge(changed), "pcr-digest");
  changed = files;
  changed["ak_ecc.name"][5] ^= std::byte{1};
  EXPECT_EQ(judge(changed), "ak-name");
  changed = files;
  changed["quote_ecc.msg"][60] ^= std::byte{1};
  EXPECT_EQ(judge(changed), "tpm-signature");
  changed = files;
  changed["quote_ecc.msg"][0] ^= std::byte{1};
  EXPECT_EQ(judge(changed), "magic");
}

TEST(TpmVectors, AloneShowNoEnclave) {
  CLOISTER_NEEDS_VECTORS();
  const JsonValue& vector = vector_named("swtpm_quote_ecc");
  const Verdict verdict = judge_recorded_evidence(
      {folder_content(vectors_folder() / text_in(vector, "dir")), "quote_ecc", {}}, {}, Policy(),
      todays_date());
  EXPECT_EQ(first_rule(verdict), "tpm-alone");
}

TEST(TpmVectors, AreAcceptedWhereThePolicyPinsKeyAndPcrs) {
  CLOISTER_NEEDS_VECTORS();
  const auto files = folder_content(vectors_folder() / "tpm/swtpm");
  Policy policy = unpinned();
  policy.ak_names = {files.at("ak_ecc.name")};
  policy.pcrs[8] = {copy_of(Bytes(files.at("pcrs.bin")).subspan(8 * 32, 32))};
  EXPECT_TRUE(
      judge_recorded_evidence({files, "quote_ecc", {}}, {}, policy, todays_date()).accepted());
  policy.pcrs[8] = {ByteVector(32)};
  EXPECT_EQ(first_rule(judge_recorded_evidence({files, "quote_ecc", {}}, {}, policy,
                                               todays_date())),
            "pcr");
  policy.ak_names = {ByteVector(34)};
  EXPECT_EQ(first_rule(judge_recorded_evidence({files, "quote_ecc", {}}, {}, policy,
                                               todays_date())),
            "ak-name");
}

std::vector<const JsonValue*> azure_vectors() {
  std::vector<const JsonValue*> all = vectors_of("azure-snp");
  const std::vector<const JsonValue*> tdx = vectors_of("azure-tdx");
  all.insert(all.end(), tdx.begin(), tdx.end());
  return all;
}

Verdict judge_azure_vector(const JsonValue& vector, UtcSeconds now) {
  return judge_recorded_evidence({folder_content(vectors_folder() / text_in(vector, "dir")), "",
                                  hex_decode(text_in(vector, "nonce")).value()},
                                 collateral_in(vector), Policy(), now);
}

TEST(AzureVectors, AgreeFieldByField) {
  CLOISTER_NEEDS_VECTORS();
  for (const JsonValue* vector : azure_vectors()) {
    SCOPED_TRACE(text_in(*vector, "id"));
    const bool is_tdx = text_in(*vector, "tee") == "azure-tdx";
    const Verdict verdict =
        judge_azure_vector(*vector, is_tdx ? time_in(*vector, "verify_at") : todays_date());
    EXPECT_TRUE(verdict.authentic) << first_rule(verdict);
    EXPECT_EQ(name_of(verdict.kind.value()), text_in(*vector, "tee"));
    EXPECT_EQ(measured_in(verdict, "pcr0"), text_in(*vector, "pcr0"));
    EXPECT_EQ(measured_in(verdict, "runtime_data_sha256"),
              text_in(*vector, "runtime_data_sha256"));
    std::string user_data = measured_in(verdict, "user_data");
    std::ranges::transform(user_data, user_data.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    EXPECT_EQ(user_data, text_in(*vector, "user_data"));
    for (const JsonMember& member : vector->find("vm_config")->members()) {
      EXPECT_EQ(measured_in(verdict, "vm_configuration." + member.key),
                member.value.text() ? *member.value.text() : member.value.raw())
          << member.key;
    }
    if (!is_tdx) {
      EXPECT_EQ(measured_in(verdict, "measurement"), text_in(*vector, "measurement"));
      EXPECT_EQ(measured_in(verdict, "product"), vector->find("chain")->items()[0].text());
      EXPECT_EQ(first_rule(verdict), "not-pinned");
      continue;
    }
    EXPECT_EQ(measured_in(verdict, "mrtd"), text_in(*vector, "mrtd"));
    EXPECT_EQ(measured_in(verdict, "fmspc"), text_in(*vector, "fmspc"));
    EXPECT_EQ(name_of(verdict.tcb_status), text_in(*vector, "expected_tcb_status"));
    std::vector<std::string> advisories;
    for (const JsonValue& item : vector->find("expected_advisories")->items()) {
      advisories.emplace_back(*item.text());
    }
    EXPECT_EQ(verdict.advisories, advisories);
    EXPECT_EQ(first_rule(judge_azure_vector(*vector, todays_date())), "collateral-expired");
  }
}

TEST(AzureVectors, AreRefusedWhenTheRuntimeDataChanges) {
  CLOISTER_NEEDS_VECTORS();
  for (const JsonValue* vector : azure_vectors()) {
    RecordedEvidence recorded{folder_content(vectors_folder() / text_in(*vector, "dir")), "", {}};
    ByteVector& report = recorded.files["hcl_report.bin"];
    const std::string_view text = text_of(report);
    const std::size_t at = text.find("\"secure-boot\":") + 14;
    report[at] = report[at] == std::byte{'t'} ? std::byte{'T'} : std::byte{'F'};
    EXPECT_EQ(first_rule(judge_recorded_evidence(recorded, {}, Policy(), todays_date())),
              "hcl-report");
    const std::size_t id = text.find("\"vmUniqueId\":\"") + 14;
    report[at] = report[at] == std::byte{'T'} ? std::byte{'t'} : std::byte{'f'};
    report[id] ^= std::byte{1};
    EXPECT_EQ(first_rule(judge_recorded_evidence(recorded, {}, Policy(), todays_date())),
              "hcl-binding");
  }
}

Verdict judge_certificate(const std::string& file, const Endorsements& endorsements,
                          const Policy& policy, UtcSeconds now) {
  const ByteVector content = file_content(vectors_folder() / "ratls" / file);
  return judge_recorded_evidence({{{file, content}}, "", {}}, endorsements, policy, now);
}

TEST(CertificateVectors, AgreeFieldByField) {
  CLOISTER_NEEDS_VECTORS();
  for (const JsonValue* vector : vectors_of("sgx-ratls")) {
    SCOPED_TRACE(text_in(*vector, "id"));
    const std::string file =
        std::filesystem::path(text_in(*vector, "cert")).filename().string();
    const UtcSeconds at = time_in(*vector, "verify_at");
    const Verdict verdict = judge_certificate(file, collateral_in(*vector), Policy(), at);
    EXPECT_TRUE(verdict.authentic) << first_rule(verdict);
    EXPECT_TRUE(verdict.claims.has_value());
    EXPECT_FALSE(has_rule(verdict, "pubkey-hash"));
    EXPECT_FALSE(has_rule(verdict, "claims"));
    EXPECT_FALSE(has_rule(verdict, "certificate-signature"));
    EXPECT_TRUE(has_rule(verdict, "debug"));
    EXPECT_EQ(has_rule(verdict, "certificate-validity"), at > time_in(*vector, "not_after"));
    EXPECT_EQ(measured_in(verdict, "mrenclave"), text_in(*vector, "mrenclave"));
    EXPECT_EQ(measured_in(verdict, "mrsigner"), text_in(*vector, "mrsigner"));
    EXPECT_EQ(name_of(verdict.tcb_status), text_in(*vector, "expected_tcb_status"));
    std::vector<std::string> advisories;
    for (const JsonValue& item : vector->find("expected_advisories")->items()) {
      advisories.emplace_back(*item.text());
    }
    EXPECT_EQ(verdict.advisories, advisories);
    EXPECT_TRUE(has_rule(judge_certificate(file, collateral_in(*vector), Policy(), todays_date()),
                         "collateral-expired"));
  }
}

TEST(CertificateVectors, RefuseThoseOfOtherStacksThatAreBroken) {
  CLOISTER_NEEDS_VECTORS();
  EXPECT_FALSE(
      judge_certificate("oe_sgx_cert_ec_bad.der", {}, Policy(), todays_date()).authentic);
  EXPECT_FALSE(
      judge_certificate("oe_sgx_cert_rsa_bad.der", {}, Policy(), todays_date()).authentic);
}

}  // namespace
}  // namespace cloister
