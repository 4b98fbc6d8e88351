#include <gtest/gtest.h>

#include <algorithm>

#include "verifier/judge.h"
#include "verifier/later_news.h"
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

TEST(SyntheticIntel, TellsByLaterCollateralThatAKeyOrAPlatformWasRevoked) {
  SyntheticIntel intel;
  const Policy policy;
  const ByteVector quote = intel.quote();
  const auto judged = [&](const Endorsements& endorsements, UtcSeconds at) {
    return judge_quote(quote, {endorsements, policy, intel.anchors(), at});
  };
  const UtcSeconds then = intel.now;
  const Endorsements kept = intel.endorsements();
  EXPECT_EQ(news_of(judged(kept, then)), LaterNews::none);
  EXPECT_EQ(news_of(judged({}, then)), LaterNews::unknown);
  const UtcSeconds later = then + std::chrono::days(20);
  EXPECT_EQ(news_of(judged(kept, later)), LaterNews::unknown);
  intel.now = later;
  EXPECT_EQ(news_of(judged(intel.endorsements(), later)), LaterNews::none);
  intel.revoked_by_authority = {SyntheticIntel::kPckSerial};
  EXPECT_EQ(news_of(judged(intel.endorsements(), later)), LaterNews::revoked);
  intel.revoked_by_authority.clear();
  intel.revoked_by_root = {SyntheticIntel::kAuthoritySerial};
  EXPECT_EQ(news_of(judged(intel.endorsements(), later)), LaterNews::revoked);
  intel.revoked_by_root.clear();
  intel.first_status = "Revoked";
  EXPECT_EQ(news_of(judged(intel.endorsements(), later)), LaterNews::revoked);
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

}  // namespace
}  // namespace cloister
