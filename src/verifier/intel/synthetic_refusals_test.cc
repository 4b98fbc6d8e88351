#include <gtest/gtest.h>

#include <string>

#include "verifier/judge.h"
#include "verifier/synthetic_for_test.h"

// Every refusal of an Intel quote, on evidence under roots of our own: runs where the recorded
// evidence is not.

namespace cloister {
namespace {

std::string first_rule(const Verdict& verdict) {
  return verdict.refusals.empty() ? name_of(verdict.tcb_status)
                                  : name_of(verdict.refusals.front().rule);
}

std::string rule(const SyntheticIntel& intel, const ByteVector& quote,
                 const Endorsements& endorsements, const Policy& policy = {}) {
  return first_rule(judge_quote(quote, {endorsements, policy, intel.anchors(), intel.now}));
}

std::string rule(const SyntheticIntel& intel, const Policy& policy = {}) {
  return rule(intel, intel.quote(), intel.endorsements(), policy);
}

SyntheticIntel machine() {
  SyntheticIntel intel;
  intel.version = 4;
  intel.is_tdx = true;
  return intel;
}

void put(ByteVector& bytes, std::size_t at, unsigned value) {
  bytes[at] = static_cast<std::byte>(value);
}

TEST(SyntheticQuote, IsRefusedByTheRegionThatChanged) {
  const SyntheticIntel intel;
  const ByteVector genuine = intel.quote();
  const Endorsements endorsements = intel.endorsements();
  const auto with = [&](std::size_t at, unsigned value) {
    ByteVector changed = genuine;
    put(changed, at, value);
    return rule(intel, changed, endorsements);
  };
  EXPECT_EQ(with(0, 2), "unsupported");
  EXPECT_EQ(with(0, 6), "unsupported");
  EXPECT_EQ(with(2, 3), "unsupported");
  EXPECT_EQ(with(4, 0x82), "unsupported");
  EXPECT_EQ(with(4, 0x81), "unsupported");
  EXPECT_EQ(with(12, 0), "unsupported");
  EXPECT_EQ(with(30, 1), "quote-signature");
  EXPECT_EQ(with(48 + 64, 1), "quote-signature");
  EXPECT_EQ(with(500, 0), "qe-hash");
  EXPECT_EQ(with(564, 1), "qe-signature");
  EXPECT_EQ(with(948, 0), "qe-signature");
  EXPECT_EQ(with(1014, 1), "qe-hash");
  EXPECT_EQ(with(432, 0), "format");
  EXPECT_EQ(with(genuine.size() - 40, '!'), "chain");
}

TEST(SyntheticQuote, NeverHoldsWithAnyFlippedByteOrAnyTruncation) {
  SyntheticIntel intel = machine();
  intel.version = 5;
  intel.is_td_1_5 = true;
  const ByteVector genuine = intel.quote();
  const Policy policy;
  const Endorsements none;
  const Case the_case{none, policy, intel.anchors(), intel.now};
  for (std::size_t i = 0; i < genuine.size(); ++i) {
    ByteVector changed = genuine;
    changed[i] ^= std::byte{1};
    EXPECT_FALSE(judge_quote(changed, the_case).authentic) << "byte " << i;
    EXPECT_EQ(first_rule(judge_quote(Bytes(genuine).first(i), the_case)), "format") << i;
  }
}

TEST(SyntheticQuote, MustStateTheBodyThatItHolds) {
  SyntheticIntel intel = machine();
  intel.version = 5;
  const Endorsements endorsements = intel.endorsements();
  const auto with = [&](unsigned type, unsigned size) {
    ByteVector changed = intel.quote();
    put(changed, 48, type);
    put(changed, 50, size & 0xFF);
    put(changed, 51, size >> 8);
    return rule(intel, changed, endorsements);
  };
  EXPECT_EQ(with(2, 584), "UpToDate");
  EXPECT_EQ(with(1, 384), "unsupported");
  EXPECT_EQ(with(4, 648), "unsupported");
  EXPECT_EQ(with(2, 648), "format");
  EXPECT_EQ(with(3, 584), "format");
  intel.is_tdx = false;
  EXPECT_EQ(with(2, 584), "unsupported");
  EXPECT_EQ(with(3, 648), "unsupported");
}

TEST(SyntheticQuote, NeedsAChainBesideItWhereItCarriesNone) {
  const SyntheticIntel intel;
  ByteVector quote = intel.quote();
  put(quote, 1014 + 32, 3);  // an encrypted PPID
  Endorsements endorsements = intel.endorsements();
  EXPECT_EQ(rule(intel, quote, endorsements), "chain");
  endorsements.pck_chain = copy_of(bytes_of(intel.pck_chain()));
  EXPECT_EQ(rule(intel, quote, endorsements), "UpToDate");
  put(quote, 1014 + 32, 7);
  EXPECT_EQ(rule(intel, quote, endorsements), "unsupported");
}

TEST(SyntheticQuote, NeedsAWholePckExtension) {
  SyntheticIntel intel;
  intel.edit_pck_extension = [](ByteVector& extension) { extension.back() = std::byte{0}; };
  EXPECT_EQ(rule(intel), "fmspc");
  intel.edit_pck_extension = [](ByteVector& extension) { extension.pop_back(); };
  EXPECT_EQ(rule(intel), "pck-extension");
  intel.edit_pck_extension = [](ByteVector& extension) {
    extension = der_wrap(DerTag::sequence, {});
  };
  EXPECT_EQ(rule(intel), "pck-extension");
}

TEST(SyntheticQuote, NeedsChainsOfTheRightLength) {
  SyntheticIntel intel;
  intel.is_pck_of_root = true;
  EXPECT_EQ(rule(intel), "collateral-issuer");
  intel.is_pck_of_root = false;
  intel.is_signer_of_authority = true;
  EXPECT_EQ(rule(intel), "collateral-issuer");
}

TEST(SyntheticQuote, NeedsEveryPieceOfCollateral) {
  const SyntheticIntel intel;
  const ByteVector quote = intel.quote();
  for (ByteVector Endorsements::* piece :
       {&Endorsements::tcb_info, &Endorsements::qe_identity, &Endorsements::tcb_signing_chain,
        &Endorsements::root_crl, &Endorsements::pck_crl}) {
    Endorsements endorsements = intel.endorsements();
    (endorsements.*piece).clear();
    EXPECT_EQ(rule(intel, quote, endorsements), "collateral-missing");
    endorsements.*piece = ByteVector(40, std::byte{'x'});
    const std::string expected =
        piece == &Endorsements::tcb_signing_chain ? "chain" : "collateral-format";
    EXPECT_EQ(rule(intel, quote, endorsements), expected);
  }
}

TEST(SyntheticQuote, NeedsListsOfItsOwnAuthorities) {
  const SyntheticIntel intel;
  const ByteVector quote = intel.quote();
  Endorsements endorsements = intel.endorsements();
  std::swap(endorsements.root_crl, endorsements.pck_crl);
  EXPECT_EQ(rule(intel, quote, endorsements), "crl-issuer");
  endorsements = intel.endorsements();
  endorsements.pck_crl = crl_for_test(intel.authority_certificate(), intel.root, intel.now, {});
  EXPECT_EQ(rule(intel, quote, endorsements), "crl-signature");
}

TEST(SyntheticQuote, NeedsDocumentsOfItsOwnPlatform) {
  SyntheticIntel intel;
  const auto with_tcb = [&intel](const char* from, const char* to) {
    intel.edit_tcb = {from, to};
    return rule(intel);
  };
  EXPECT_EQ(with_tcb("ABABABABABAB", "ABABABABABAC"), "fmspc");
  EXPECT_EQ(with_tcb("\"pceId\":\"0000\"", "\"pceId\":\"0100\""), "pceid");
  EXPECT_EQ(with_tcb("\"version\":3", "\"version\":2"), "collateral-format");
  EXPECT_EQ(with_tcb("\"tcbType\":0", "\"tcbType\":1"), "collateral-format");
  EXPECT_EQ(with_tcb("\"id\":\"SGX\"", "\"id\":\"XGS\""), "collateral-format");
  EXPECT_EQ(with_tcb("\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"Fine\""), "collateral-format");
  EXPECT_EQ(with_tcb("\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"TDRelaunchAdvised\""),
            "collateral-format");
  EXPECT_EQ(with_tcb("\"tcbEvaluationDataNumber\":20", "\"tcbEvaluationDataNumber\":21"),
            "evaluation-number");
  EXPECT_EQ(with_tcb("\"svn\":5", "\"svn\":256"), "collateral-format");
  EXPECT_EQ(with_tcb("{\"svn\":5},", ""), "collateral-format");
}

TEST(SyntheticQuote, NeedsTheIdentityOfItsQuotingEnclave) {
  SyntheticIntel intel;
  const auto with_qe = [&intel](const char* from, const char* to) {
    intel.edit_qe = {from, to};
    return rule(intel);
  };
  EXPECT_EQ(with_qe("\"id\":\"QE\"", "\"id\":\"TD_QE\""), "qe-identity-id");
  EXPECT_EQ(with_qe("\"version\":2", "\"version\":3"), "collateral-format");
  EXPECT_EQ(with_qe("\"isvprodid\":1", "\"isvprodid\":2"), "qe-identity");
  EXPECT_EQ(with_qe("\"miscselect\":\"00000000\"", "\"miscselect\":\"01000000\""), "qe-identity");
  EXPECT_EQ(with_qe("\"attributes\":\"11", "\"attributes\":\"01"), "qe-identity");
  EXPECT_EQ(with_qe("\"mrsigner\":\"22", "\"mrsigner\":\"23"), "qe-identity");
  intel.edit_qe = {};
  intel.edit_qe_report = [](ByteVector& report) { put(report, 48 + 8, 0xFF); };
  EXPECT_EQ(rule(intel), "UpToDate");  // the mask leaves XFRM out
  intel.edit_qe_report = [](ByteVector& report) { put(report, 320 + 63, 1); };
  EXPECT_EQ(rule(intel), "qe-hash");
  intel = machine();
  intel.edit_qe = {"\"id\":\"TD_QE\"", "\"id\":\"QE\""};
  EXPECT_EQ(rule(intel), "qe-identity-id");
}

TEST(SyntheticQuote, NeedsTheTdxModuleOfItsVersion) {
  SyntheticIntel intel = machine();
  EXPECT_EQ(rule(intel), "UpToDate");
  intel.edit_body = [](ByteVector& body) { put(body, 64, 1); };  // MRSIGNERSEAM
  EXPECT_EQ(rule(intel), "tdx-module");
  intel.edit_body = [](ByteVector& body) { put(body, 112, 1); };  // SEAMATTRIBUTES
  EXPECT_EQ(rule(intel), "tdx-module");
  intel.edit_body = {};
  intel.tee_tcb_svn = {9, 0, 5};  // no version of its own: all components count
  EXPECT_EQ(rule(intel), "NotSupported");
  intel.edit_tcb = {"\"tdxtcbcomponents\":[{\"svn\":9},{\"svn\":9}",
                    "\"tdxtcbcomponents\":[{\"svn\":9},{\"svn\":0}"};
  intel.edit_body = [](ByteVector& body) {
    for (std::size_t i = 2; i < 16; ++i) put(body, i, 0);
  };
  EXPECT_EQ(rule(intel), "UpToDate");
  intel.tee_tcb_svn = {8, 0, 5};
  EXPECT_EQ(rule(intel), "NotSupported");
}

TEST(SyntheticQuote, IsPolicedByItsAttributes) {
  SyntheticIntel intel = machine();
  intel.edit_body = [](ByteVector& body) { put(body, 123, 0); };
  EXPECT_EQ(rule(intel), "sept-ve-disable");
  Policy policy;
  policy.require_sept_ve_disable = false;
  EXPECT_EQ(rule(intel, policy), "UpToDate");
  intel.edit_body = [](ByteVector& body) { put(body, 123, 0x30); };
  EXPECT_EQ(rule(intel), "migratable");
  policy.allow_migratable = true;
  EXPECT_EQ(rule(intel, policy), "UpToDate");
  intel.version = 5;
  intel.is_td_1_5 = true;
  intel.edit_body = [](ByteVector& body) { put(body, 600, 7); };  // MRSERVICETD
  EXPECT_EQ(rule(intel, policy), "service-td");
  ByteVector service(48);
  put(service, 0, 7);
  policy.tdx["mrservicetd"] = {service};
  EXPECT_EQ(rule(intel, policy), "UpToDate");
  for (unsigned bit = 0; bit < 8; ++bit) {
    intel.edit_body = [bit](ByteVector& body) { put(body, 120, 1U << bit); };
    const Endorsements endorsements = intel.endorsements();
    const Case the_case{endorsements, policy, intel.anchors(), intel.now};
    EXPECT_TRUE(judge_quote(intel.quote(), the_case).debug) << bit;
  }
}

TEST(SyntheticQuote, IsPolicedByAgeAndEvaluationNumber) {
  const SyntheticIntel intel;
  Policy policy;
  policy.evaluation_number_min = 21;
  EXPECT_EQ(rule(intel, policy), "evaluation-number");
  policy.evaluation_number_min = 20;
  EXPECT_EQ(rule(intel, policy), "UpToDate");
  policy.collateral_age_max = std::chrono::days(1);
  EXPECT_EQ(rule(intel, policy), "collateral-age");
}

}  // namespace
}  // namespace cloister
