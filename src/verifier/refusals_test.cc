#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/byte_writer.h"
#include "evidence/envelope.h"
#include "verifier/chain.h"
#include "verifier/judge.h"
#include "verifier/synthetic_for_test.h"

// Refusals of chains, TPM quotes, bundles and files, on bytes made here.

namespace cloister {
namespace {

std::string first_rule(const Verdict& verdict) {
  return verdict.refusals.empty() ? "none" : name_of(verdict.refusals.front().rule);
}

const UtcSeconds kNow = time_of("2026-06-15T12:00:00Z").value();

struct Chains {
  SigningKey root = SigningKey::generate_p256().value();
  SigningKey below = SigningKey::generate_p256().value();
  SigningKey leaf = SigningKey::generate_p256().value();

  ByteVector certificate(const char* issuer, const SigningKey& by, const char* subject,
                         const SigningKey& key,
                         std::vector<CertificateExtension> extensions) const {
    return certificate_for_test(issuer, by, subject, key, 1, kNow, std::move(extensions));
  }
  ByteVector root_certificate() const {
    return certificate("Root", root, "Root", root, authority_constraints());
  }
  ByteVector authority() const {
    return certificate("Root", root, "CA", below, authority_constraints());
  }
  ByteVector end(const char* issuer, const SigningKey& by) const {
    return certificate(issuer, by, "End", leaf, {end_entity_constraint()});
  }
  std::string seen(std::vector<ByteVector> certificates) const {
    const Sha256Digest pinned = sha256(root.spki());
    const Judged<Chain> judged = judge_chain(std::move(certificates), {&pinned, 1}, kNow);
    return judged.refusal ? judged.refusal->seen : "none";
  }
};

TEST(JudgeChain, RefusesWhateverDoesNotLeadToTheRoot) {
  const Chains c;
  EXPECT_EQ(c.seen({c.root_certificate(), c.end("CA", c.below), c.authority()}), "none");
  EXPECT_EQ(c.seen({ByteVector(20)}), "a certificate that cannot be read");
  EXPECT_EQ(c.seen({c.root_certificate(), c.authority()}), "several end certificates, or none");
  EXPECT_EQ(c.seen({c.end("CA", c.below), c.end("CA", c.below), c.authority()}),
            "several end certificates, or none");
  EXPECT_EQ(c.seen({c.end("CA", c.below), c.root_certificate()}),
            "a certificate whose issuer is missing");
  EXPECT_EQ(c.seen({c.end("End", c.leaf)}), "a self-signed end certificate");
  EXPECT_EQ(c.seen({c.end("CA", c.root), c.authority(), c.root_certificate()}),
            "a certificate whose signature does not hold");
  const ByteVector own = c.certificate("Root", c.below, "Root", c.below, authority_constraints());
  EXPECT_TRUE(c.seen({c.end("Root", c.below), own}).starts_with("a root with the key"));
}

TEST(JudgeChain, RefusesUnknownCriticalExtensionsAndLongPaths) {
  const Chains c;
  std::vector<CertificateExtension> odd{end_entity_constraint()};
  odd.push_back({Oid("1.2.3.4"), true, der_small_integer(1)});
  EXPECT_EQ(c.seen({c.certificate("CA", c.below, "End", c.leaf, odd), c.authority(),
                    c.root_certificate()}),
            "a certificate that cannot be read");
  // Basic constraints of an authority below which there is no other one.
  const ByteVector constraint =
      der_sequence({der_wrap(DerTag::boolean, ByteVector{std::byte{0xFF}}), der_small_integer(0)});
  const ByteVector narrow =
      c.certificate("Root", c.root, "Root", c.root, {{Oid("2.5.29.19"), true, constraint}});
  EXPECT_EQ(c.seen({c.end("CA", c.below), c.authority(), narrow}),
            "more authorities than the path length allows");
  EXPECT_EQ(c.seen({c.end("Root", c.root), narrow}), "none");
}

TEST(ReadPem, RefusesOtherTextsAndTooManyCertificates) {
  const auto read = [](const std::string& text) { return read_pem(bytes_of(text)); };
  const std::string one = pem_for_test(ByteVector(3));
  EXPECT_EQ(read(one + one + std::string(1, '\0')).value().size(), 2U);
  EXPECT_FALSE(read("no PEM").ok());
  EXPECT_FALSE(read(one.substr(0, one.size() - 6)).ok());
  EXPECT_FALSE(read("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----").ok());
  std::string many;
  for (std::size_t i = 0; i <= kChainMax; ++i) many += one;
  EXPECT_EQ(read(many).error().code, Code::too_large);
}

void numbers(ByteWriter& out, std::initializer_list<std::uint16_t> each) {
  for (const std::uint16_t number : each) out.u16_be(number);
}

/// A TPM with one attestation key and 24 PCRs of zeros. Change members, then judge.
struct SyntheticTpm {
  SigningKey key = SigningKey::generate_p256().value();
  std::uint32_t attributes = 0x50072;
  std::uint32_t magic = 0xFF544347;
  std::uint16_t type = 0x8018;
  std::uint16_t bank = 0x000B;
  std::uint32_t pcrs = 0xFFFFFF;
  bool digest_is_right = true;
  std::function<void(TpmEvidence&)> edit;

  ByteVector ak_public() const {
    const Bytes point = Bytes(key.spki()).last(64);
    ByteWriter out;
    out.u16_be(0x0023);
    out.u16_be(0x000B);
    out.u32_be(attributes);
    numbers(out, {0, 0x0010, 0x0018, 0x000B, 0x0003, 0x0010, 32});
    out.bytes(point.first(32));
    out.u16_be(32);
    out.bytes(point.last(32));
    return copy_of(out.view());
  }
  ByteVector message() const {
    ByteWriter out;
    out.u32_be(magic);
    out.u16_be(type);
    out.u16_be(2);
    out.u16_be(0xABCD);  // the signer
    out.u16_be(4);
    out.u32_be(0x01020304);  // extra data
    out.bytes(ByteVector(25));
    out.u32_be(1);
    out.u16_be(bank);
    out.u8(3);
    for (unsigned i = 0; i < 3; ++i) out.u8(static_cast<std::uint8_t>(pcrs >> (8 * i)));
    std::size_t quoted = 0;
    for (unsigned i = 0; i < 24; ++i) quoted += pcrs >> i & 1;
    out.u16_be(32);
    out.bytes(sha256(ByteVector(quoted * 32 + (digest_is_right ? 0 : 1))));
    return copy_of(out.view());
  }
  Verdict judge(const Policy& policy = {}) const {
    TpmEvidence evidence;
    evidence.message = message();
    const ByteVector raw = key.sign(evidence.message).value();
    ByteWriter signature;
    numbers(signature, {0x0018, 0x000B, 32});
    signature.bytes(Bytes(raw).first(32));
    signature.u16_be(32);
    signature.bytes(Bytes(raw).last(32));
    evidence.signature = copy_of(signature.view());
    evidence.ak_public = ak_public();
    evidence.pcr_values = ByteVector(24 * 32);
    if (edit) edit(evidence);
    const Endorsements none;
    const TrustAnchors anchors;
    return judge_policy(judge_tpm(evidence, {none, policy, anchors, kNow}), policy, kNow);
  }
  std::string rule(const Policy& policy = {}) const { return first_rule(judge(policy)); }
};

TEST(SyntheticTpm, IsRefusedForWhatItIsNot) {
  SyntheticTpm tpm;
  EXPECT_EQ(tpm.rule(), "tpm-alone");
  EXPECT_TRUE(tpm.judge().authentic);
  tpm.magic = 1;
  EXPECT_EQ(tpm.rule(), "magic");
  tpm = {};
  tpm.type = 0x8017;
  EXPECT_EQ(tpm.rule(), "type");
  tpm = {};
  tpm.bank = 0x000C;
  EXPECT_EQ(tpm.rule(), "pcr-selection");
  tpm = {};
  tpm.pcrs = 0xFFFF7F;
  EXPECT_EQ(tpm.rule(), "pcr-selection");
  tpm = {};
  tpm.digest_is_right = false;
  EXPECT_EQ(tpm.rule(), "pcr-digest");
  for (const unsigned bit : {1U, 4U, 5U, 16U, 18U, 17U}) {
    tpm = {};
    tpm.attributes ^= 1U << bit;
    EXPECT_EQ(tpm.rule(), "ak-not-restricted") << bit;
  }
}

TEST(SyntheticTpm, IsRefusedWithoutAWholeKeySignatureOrPcrs) {
  SyntheticTpm tpm;
  const auto with = [&tpm](std::function<void(TpmEvidence&)> edit) {
    tpm.edit = std::move(edit);
    return tpm.rule();
  };
  EXPECT_EQ(with([](TpmEvidence& e) { e.message.pop_back(); }), "format");
  EXPECT_EQ(with([](TpmEvidence& e) { e.message.push_back({}); }), "format");
  EXPECT_EQ(with([](TpmEvidence& e) { e.ak_public.clear(); }), "ak-public");
  EXPECT_EQ(with([](TpmEvidence& e) { e.ak_public.pop_back(); }), "ak-public");
  EXPECT_EQ(with([](TpmEvidence& e) { e.ak_public[1] = std::byte{8}; }), "ak-public");
  EXPECT_EQ(with([](TpmEvidence& e) { e.ak_public.back() ^= std::byte{1}; }), "ak-public");
  EXPECT_EQ(with([](TpmEvidence& e) { e.ak_name = ByteVector(34); }), "ak-name");
  EXPECT_EQ(with([](TpmEvidence& e) { e.signature.back() ^= std::byte{1}; }), "tpm-signature");
  EXPECT_EQ(with([](TpmEvidence& e) { e.signature.pop_back(); }), "tpm-signature");
  EXPECT_EQ(with([](TpmEvidence& e) { e.signature[3] = std::byte{4}; }), "tpm-signature");
  EXPECT_EQ(with([](TpmEvidence& e) { e.signature[1] = std::byte{0x14}; }), "tpm-signature");
  EXPECT_EQ(with([](TpmEvidence& e) { e.pcr_values.resize(32); }), "pcr-digest");
  EXPECT_EQ(with([](TpmEvidence& e) { e.nonce = ByteVector(4); }), "tpm-nonce");
  EXPECT_EQ(with([](TpmEvidence& e) {
              e.nonce = ByteVector{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
            }),
            "tpm-alone");
}

TEST(SyntheticTpm, TakesABareKeyOnlyAsFarAsItShows) {
  SyntheticTpm tpm;
  tpm.edit = [&tpm](TpmEvidence& e) {
    e.ak_public.clear();
    e.ak_spki = tpm.key.spki();
  };
  Policy policy;
  policy.allow_tpm_alone = true;
  policy.pcrs[0] = {ByteVector(32)};
  policy.ak_names = {ByteVector(32)};
  EXPECT_EQ(tpm.rule(policy), "ak-name");
  policy.ak_names = {copy_of(sha256(tpm.key.spki()))};
  EXPECT_EQ(tpm.rule(policy), "none");
  EXPECT_FALSE(tpm.judge(policy).not_proven.empty());
  policy.pcrs[0] = {ByteVector(32, std::byte{1})};
  EXPECT_EQ(tpm.rule(policy), "pcr");
}

/// The paravisor's report of a TD whose quote covers `runtime`.
ByteVector hcl_report(std::string_view runtime, std::uint32_t type = 4) {
  ByteWriter out;
  out.u32_le(0x414C4348);
  out.bytes(ByteVector(8));
  out.u32_le(2);
  out.bytes(ByteVector(16 + 1184 + 8));
  out.u32_le(type);
  out.u32_le(1);
  out.u32_le(static_cast<std::uint32_t>(runtime.size()));
  out.bytes(bytes_of(runtime));
  return copy_of(out.view());
}

TEST(SyntheticAzure, IsRefusedWhereTheChainOfThreeBreaks) {
  SyntheticIntel intel;
  intel.version = 4;
  intel.is_tdx = true;
  std::string runtime =
      R"({"keys":[{"kid":"HCLAkPub","kty":"RSA","n":"AQAB","e":"AQAB"}],"user-data":""})";
  const Endorsements endorsements = intel.endorsements();
  const auto judge = [&](Bytes report) {
    const Policy policy;
    AzureEvidence evidence;
    evidence.hcl_report = copy_of(report);
    evidence.td_quote = intel.quote();
    return first_rule(judge_azure(evidence, {endorsements, policy, intel.anchors(), intel.now}));
  };
  EXPECT_EQ(judge(ByteVector(10)), "hcl-report");
  EXPECT_EQ(judge(hcl_report(runtime, 3)), "hcl-report");
  for (const char* wrong :
       {"", "[]", "{}", R"({"keys":[]})", R"({"keys":[{"kid":"HCLAkPub","kty":"EC"}]})",
        R"({"keys":[{"kid":"HCLAkPub","kty":"RSA","n":"!","e":"AQAB"}]})",
        R"({"keys":[{"kid":"HCLAkPub","kty":"RSA"},{"kid":"HCLAkPub","kty":"RSA"}]})"}) {
    EXPECT_EQ(judge(hcl_report(wrong)), "hcl-report") << wrong;
  }
  EXPECT_EQ(judge(hcl_report(runtime)), "hcl-binding");
  intel.edit_body = [&runtime](ByteVector& body) {
    const Sha256Digest digest = sha256(bytes_of(runtime));
    std::ranges::copy(digest, body.begin() + 520);  // REPORTDATA
  };
  EXPECT_EQ(judge(hcl_report(runtime)), "ak-public");
  EXPECT_EQ(judge(hcl_report(runtime, 2)), "report-version");
}

std::string recorded(const std::string& name, std::map<std::string, ByteVector> files) {
  return first_rule(judge_recorded_evidence({std::move(files), name, {}}, {}, Policy(), kNow));
}

TEST(RecordedEvidence, IsRefusedWhereItIsNotOnePieceOfEvidence) {
  EXPECT_EQ(recorded("", {}), "format");
  EXPECT_EQ(recorded("", {{"a", ByteVector(9)}, {"b", ByteVector(9)}}), "format");
  EXPECT_EQ(recorded("", {{"a", ByteVector(kRecordedFileBytesMax + 1)}}), "format");
  EXPECT_EQ(recorded("", {{"a", copy_of(bytes_of("-----BEGIN CERTIFICATE-----"))}}), "format");
  EXPECT_EQ(recorded("", {{"a", copy_of(bytes_of("\x30"))}}), "certificate");
  EXPECT_EQ(recorded("", {{"a", copy_of(bytes_of("{"))}}), "format");
  EXPECT_EQ(recorded("", {{"a", copy_of(bytes_of("{}"))}}), "format");
  EXPECT_EQ(recorded("", {{"quote.msg", ByteVector(9)}}), "magic");
  EXPECT_EQ(recorded("", {{"hcl_report.bin", ByteVector(9)}}), "hcl-report");
  EXPECT_EQ(recorded("", {{"a.report", ByteVector(1184)}}), "report-version");
}

TEST(Envelope, IsRefusedWhereItHoldsAnotherKindThanItSays) {
  const Endorsements none;
  const Policy policy;
  const TrustAnchors anchors;
  const Case the_case{none, policy, anchors, kNow};
  const auto rule = [&the_case](EvidenceKind kind, ByteVector evidence) {
    return first_rule(judge_envelope({kind, std::move(evidence), {}, {}}, the_case));
  };
  EXPECT_EQ(rule(EvidenceKind::tpm, ByteVector(3, std::byte{0xFF})), "format");
  EXPECT_EQ(rule(EvidenceKind::tpm, write_evidence_files({{"quote.msg", ByteVector(3)}})),
            "format");
  EXPECT_EQ(rule(EvidenceKind::azure_tdx, write_evidence_files({})), "kind");
  EXPECT_EQ(rule(EvidenceKind::azure_snp, write_evidence_files({})), "hcl-report");
  EXPECT_EQ(rule(EvidenceKind::simulated, ByteVector(3)), "format");
  EXPECT_EQ(rule(EvidenceKind::snp, ByteVector(3)), "format");
  EXPECT_EQ(rule(EvidenceKind::sgx, ByteVector(3)), "format");
}

TEST(CertificateTable, AddsNothingWhenItIsMalformed) {
  ByteWriter table;
  table.bytes(hex_decode("63da758de6644564adc5f4b93be8accd").value());
  table.u32_le(48);
  table.u32_le(4);
  table.bytes(ByteVector(24));
  table.bytes(bytes_of("VCEK"));
  const ByteVector whole = copy_of(table.view());
  EXPECT_EQ(text_of(with_certificate_table({}, whole).vek), "VCEK");
  const Endorsements given{.vek = ByteVector(1)};
  EXPECT_EQ(with_certificate_table(given, whole).vek, ByteVector(1));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(with_certificate_table({}, Bytes(whole).first(size)).vek.empty()) << size;
  }
  ByteVector wrong = whole;
  wrong[16] = std::byte{1};  // inside of the table's own entries
  EXPECT_TRUE(with_certificate_table({}, wrong).vek.empty());
}

}  // namespace
}  // namespace cloister
