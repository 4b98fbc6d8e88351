#include <gtest/gtest.h>

#include <algorithm>

#include "verifier/judge.h"
#include "verifier/synthetic_for_test.h"

namespace cloister {
namespace {

std::string first_rule(const Verdict& verdict) {
  return verdict.refusals.empty() ? "none" : name_of(verdict.refusals.front().rule);
}

Verdict judge(const SyntheticIntel& intel) {
  const Policy policy;
  return judge_quote(intel.quote(), {intel.endorsements(), policy, intel.anchors(), intel.now});
}

std::string status(const SyntheticIntel& intel) {
  const Verdict verdict = judge(intel);
  return verdict.refusals.empty() ? name_of(verdict.tcb_status) : first_rule(verdict);
}

TEST(SyntheticIntel, IsNeverBelievedByTheProductionVerifier) {
  const SyntheticIntel intel;
  const Verdict verdict = judge_recorded_evidence({{{"quote", intel.quote()}}, "", {}},
                                                  intel.endorsements(), Policy(), intel.now);
  EXPECT_FALSE(verdict.authentic);
  EXPECT_EQ(first_rule(verdict), "chain");
}

TEST(SyntheticIntel, IsRefusedWhenACertificateIsRevoked) {
  SyntheticIntel intel;
  intel.revoked_by_authority = {99, SyntheticIntel::kPckSerial};
  EXPECT_EQ(status(intel), "revoked");
  intel.revoked_by_authority = {99};
  intel.revoked_by_root = {SyntheticIntel::kAuthoritySerial};
  EXPECT_EQ(status(intel), "revoked");
  intel.revoked_by_root = {SyntheticIntel::kSignerSerial};
  EXPECT_EQ(status(intel), "revoked");
  intel.revoked_by_root = {98};
  EXPECT_EQ(status(intel), "UpToDate");
}

TEST(SyntheticIntel, IsRefusedOutsideOfEveryWindow) {
  SyntheticIntel intel;
  const Policy policy;
  const ByteVector quote = intel.quote();
  const Endorsements endorsements = intel.endorsements();
  const auto at = [&](std::chrono::days shift) {
    return first_rule(
        judge_quote(quote, {endorsements, policy, intel.anchors(), intel.now + shift}));
  };
  EXPECT_EQ(at(std::chrono::days(2)), "collateral-expired");
  EXPECT_EQ(at(std::chrono::days(-2)), "collateral-expired");
  EXPECT_EQ(at(std::chrono::days(31)), "chain-validity");
  EXPECT_EQ(at(std::chrono::days(-31)), "chain-validity");
}

TEST(SyntheticIntel, IsRefusedWithAQuotingEnclaveInDebugMode) {
  SyntheticIntel intel;
  intel.qe_debug = true;
  EXPECT_EQ(status(intel), "qe-debug");
}

TEST(SyntheticIntel, TakesTheStatusOfItsLevel) {
  SyntheticIntel intel;
  EXPECT_EQ(status(intel), "UpToDate");
  intel.components = 4;
  EXPECT_EQ(status(intel), "OutOfDate");
  intel.components = 2;
  EXPECT_EQ(status(intel), "Revoked");
  intel.components = 0;
  EXPECT_EQ(status(intel), "NotSupported");
}

TEST(SyntheticIntel, TakesTheStatusOfItsQuotingEnclave) {
  SyntheticIntel intel;
  intel.qe_isvsvn = 7;
  EXPECT_EQ(status(intel), "OutOfDate");
  intel.first_status = "SWHardeningNeeded";
  EXPECT_EQ(status(intel), "OutOfDate");
  intel.first_status = "ConfigurationAndSWHardeningNeeded";
  EXPECT_EQ(status(intel), "OutOfDateConfigurationNeeded");
  intel.qe_isvsvn = 3;
  EXPECT_EQ(status(intel), "Revoked");
  intel.qe_isvsvn = 2;
  EXPECT_EQ(status(intel), "NotSupported");
}

TEST(SyntheticIntel, JudgesAnEnclaveInEveryVersion) {
  SyntheticIntel intel;
  for (const unsigned version : {3U, 4U, 5U}) {
    intel.version = version;
    EXPECT_EQ(status(intel), "UpToDate") << version;
    intel.debug = true;
    EXPECT_TRUE(judge(intel).debug) << version;
    intel.debug = false;
  }
}

TEST(SyntheticIntel, JudgesAMachineInEveryVersion) {
  SyntheticIntel intel;
  intel.is_tdx = true;
  for (const unsigned version : {4U, 5U}) {
    intel.version = version;
    EXPECT_EQ(status(intel), "UpToDate") << version;
    EXPECT_FALSE(judge(intel).debug);
  }
  intel.version = 3;
  EXPECT_EQ(status(intel), "unsupported");
}

TEST(SyntheticIntel, AsksForARelaunchOnlyUnderABetterModule) {
  SyntheticIntel intel;
  intel.version = 5;
  intel.is_tdx = true;
  intel.is_td_1_5 = true;
  const auto with = [&intel](std::uint8_t launch, std::uint8_t current) {
    intel.tee_tcb_svn[0] = launch;
    intel.tee_tcb_svn_2[0] = current;
    return status(intel);
  };
  EXPECT_EQ(with(4, 4), "UpToDate");
  EXPECT_EQ(with(2, 4), "TDRelaunchAdvised");
  EXPECT_EQ(with(2, 3), "OutOfDate");
  EXPECT_EQ(with(4, 2), "UpToDate");
  EXPECT_EQ(with(4, 1), "Revoked");
  EXPECT_EQ(with(4, 0), "NotSupported");
  EXPECT_EQ(with(1, 4), "Revoked");
  intel.first_status = "ConfigurationNeeded";
  EXPECT_EQ(with(2, 4), "TDRelaunchAdvisedConfigurationNeeded");
  intel.tee_tcb_svn = {4, 2, 2};
  EXPECT_EQ(status(intel), "NotSupported");
}

TEST(SyntheticIntel, IsAcceptedWhenPinnedAndToleratedOnlyUntilTheDate) {
  SyntheticIntel intel;
  intel.first_status = "SWHardeningNeeded";
  Policy policy;
  policy.mrenclave = {ByteVector(32, std::byte{0xEE})};
  const auto rule = [&intel, &policy] {
    const Endorsements endorsements = intel.endorsements();
    return first_rule(judge_policy(
        judge_quote(intel.quote(), {endorsements, policy, intel.anchors(), intel.now}), policy,
        intel.now));
  };
  EXPECT_EQ(rule(), "tcb-status");
  policy.tcb_statuses[TcbStatus::sw_hardening_needed] = intel.now + std::chrono::days(1);
  EXPECT_EQ(rule(), "none");
  policy.tcb_statuses[TcbStatus::sw_hardening_needed] = intel.now - std::chrono::days(1);
  EXPECT_EQ(rule(), "tcb-status");
  policy.tcb_statuses[TcbStatus::sw_hardening_needed] = std::nullopt;
  policy.advisories = {{"INTEL-SA-00009"}};
  EXPECT_EQ(rule(), "advisory");
  policy.advisories = {{"INTEL-SA-00005"}};
  policy.mrenclave = {ByteVector(32)};
  EXPECT_EQ(rule(), "measurement");
  policy.mrenclave.clear();
  policy.sgx_signers = {{ByteVector(32, std::byte{0xDD}), 7, 3}};
  EXPECT_EQ(rule(), "none");
  policy.sgx_signers[0].minimum_version = 4;
  EXPECT_EQ(rule(), "measurement");
  policy.sgx_signers.clear();
  EXPECT_EQ(rule(), "not-pinned");
  intel.debug = true;
  EXPECT_EQ(rule(), "debug");
}

/// A report and its chain under own roots, as far as its signature, which is not made.
struct SyntheticAmd {
  SigningKey root = SigningKey::generate_p256().value();
  SigningKey authority = SigningKey::generate_p256().value();
  SigningKey chip = SigningKey::generate_p256().value();
  UtcSeconds now = time_of("2026-06-15T12:00:00Z").value();
  ByteVector ark =
      certificate_for_test("ARK", root, "ARK", root, 1, now, authority_constraints());
  Endorsements endorsements;

  SyntheticAmd() {
    const ByteVector ask =
        certificate_for_test("ARK", root, "ASK", authority, 2, now, authority_constraints());
    endorsements.vek_chain = copy_of(bytes_of(pem_for_test(ask) + pem_for_test(ark)));
    std::vector<CertificateExtension> extensions{end_entity_constraint()};
    const ByteVector zero = der_small_integer(0);
    extensions.push_back({Oid("1.3.6.1.4.1.3704.1.3.1"), false, zero});
    extensions.push_back({Oid("1.3.6.1.4.1.3704.1.3.2"), false, zero});
    extensions.push_back({Oid("1.3.6.1.4.1.3704.1.3.3"), false, zero});
    extensions.push_back({Oid("1.3.6.1.4.1.3704.1.3.8"), false, zero});
    extensions.push_back(
        {Oid("1.3.6.1.4.1.3704.1.4"), false, der_octets(ByteVector(64, std::byte{7}))});
    endorsements.vek = certificate_for_test("ASK", authority, "VCEK", chip, 3, now, extensions);
  }
  std::string rule(bool production = false) const {
    ByteVector report(1184);
    report[0] = std::byte{3};
    report[0x34] = std::byte{1};
    report[0x188] = std::byte{0x19};
    report[0x189] = std::byte{1};
    std::fill_n(report.begin() + 0x1A0, 64, std::byte{7});
    TrustAnchors own;
    own.amd_milan = {sha256(root.spki())};
    const Policy policy;
    return first_rule(judge_snp(
        report, {endorsements, policy, production ? production_anchors() : own, now}));
  }
};

TEST(SyntheticAmd, IsNeverBelievedByTheProductionVerifier) {
  EXPECT_EQ(SyntheticAmd().rule(true), "chain");
}

TEST(SyntheticAmd, IsRefusedWhenAnAuthorityIsRevoked) {
  SyntheticAmd amd;
  EXPECT_EQ(amd.rule(), "report-signature");  // as far as it goes without a list
  amd.endorsements.amd_crl = crl_for_test(amd.ark, amd.root, amd.now, {2});
  EXPECT_EQ(amd.rule(), "revoked");
  amd.endorsements.amd_crl = crl_for_test(amd.ark, amd.root, amd.now, {9});
  EXPECT_EQ(amd.rule(), "report-signature");
}

TEST(SyntheticAmd, IsRefusedWithAListThatIsNotTheRootsOrExpired) {
  SyntheticAmd amd;
  amd.endorsements.amd_crl = crl_for_test(amd.ark, amd.authority, amd.now, {});
  EXPECT_EQ(amd.rule(), "crl-signature");
  amd.endorsements.amd_crl =
      crl_for_test(amd.ark, amd.root, amd.now - std::chrono::days(5), {});
  EXPECT_EQ(amd.rule(), "collateral-expired");
  const ByteVector other =
      certificate_for_test("Other", amd.root, "Other", amd.root, 1, amd.now,
                           authority_constraints());
  amd.endorsements.amd_crl = crl_for_test(other, amd.root, amd.now, {});
  EXPECT_EQ(amd.rule(), "crl-issuer");
}

}  // namespace
}  // namespace cloister
