#include "verifier/policy.h"

#include <gtest/gtest.h>

#include <string>

namespace cloister {
namespace {

TEST(ReadPolicy, RefusesUnknownAndRepeatedKeys) {
  EXPECT_FALSE(read_policy(R"({"mrenclave": []})").ok());
  EXPECT_FALSE(read_policy(R"({"sgx": {"mrtd": []}})").ok());
  EXPECT_FALSE(read_policy(R"({"software": [], "software": []})").ok());
  EXPECT_FALSE(read_policy("[]").ok());
  EXPECT_FALSE(read_policy("").ok());
}

TEST(ReadPolicy, RefusesValuesOfAnotherLengthOrType) {
  EXPECT_FALSE(read_policy(R"({"sgx": {"mrenclave": ["00"]}})").ok());
  EXPECT_FALSE(read_policy(R"({"software": "00"})").ok());
  EXPECT_FALSE(read_policy(R"({"allow_debug": 1})").ok());
  EXPECT_FALSE(read_policy(R"({"snp": {"vmpl_max": 4}})").ok());
  EXPECT_FALSE(read_policy(R"({"tpm": {"pcrs": {"24": []}}})").ok());
  EXPECT_FALSE(read_policy(R"({"tpm": {"pcrs": {"-1": []}}})").ok());
}

TEST(ReadPolicy, RefusesASignerWithoutProductOrLeastVersion) {
  const std::string signer(64, 'a');
  EXPECT_FALSE(read_policy(R"({"sgx": {"signers": [{"mrsigner": ")" + signer + R"("}]}})").ok());
  EXPECT_FALSE(read_policy(R"({"sgx": {"signers": [{"mrsigner": ")" + signer +
                           R"(", "product": 1}]}})")
                   .ok());
}

TEST(ReadPolicy, RefusesToAcceptRevokedPlatforms) {
  EXPECT_FALSE(read_policy(R"({"intel": {"statuses": {"Revoked": null}}})").ok());
  EXPECT_FALSE(read_policy(R"({"intel": {"statuses": {"NotSupported": null}}})").ok());
  EXPECT_FALSE(read_policy(R"({"intel": {"statuses": {"Fine": null}}})").ok());
}

TEST(ReadPolicy, TakesSettingsAsTheyAreWritten) {
  EXPECT_FALSE(read_policy(R"({"settings": {"allow_swap": false}})").ok());
  EXPECT_FALSE(read_policy(R"({"settings": {"allow_swap": []}})").ok());
  const Policy policy =
      read_policy(R"({"settings": {"allow_swap": [false], "names": [["a","b"], []]}})").value();
  EXPECT_EQ(policy.settings.at("allow_swap"), std::vector<std::string>{"false"});
  EXPECT_EQ(policy.settings.at("names"), (std::vector<std::string>{R"(["a","b"])", "[]"}));
}

TEST(ReadPolicy, DoesNotTakeSimulationForAKind) {
  EXPECT_FALSE(read_policy(R"({"kinds": ["simulated"]})").ok());
}

TEST(ReadPolicy, ReadsItsOwnTemplateAsTheDefault) {
  const Policy policy = read_policy(policy_template()).value();
  const Policy standard;
  EXPECT_EQ(policy.kinds, standard.kinds);
  EXPECT_FALSE(policy.allow_simulation);
  EXPECT_FALSE(policy.allow_debug);
  EXPECT_FALSE(policy.allow_tpm_alone);
  EXPECT_TRUE(policy.mrenclave.empty());
  EXPECT_TRUE(policy.sgx_signers.empty());
  EXPECT_EQ(policy.tcb_statuses, standard.tcb_statuses);
  EXPECT_FALSE(policy.advisories.has_value());
}

TEST(ReadPolicy, ReadsTheLifeOfAVerdict) {
  for (const char* text : {R"({"verdict_seconds": -1})", R"({"verdict_seconds": 0})",
                           R"({"verdict_seconds": "60"})",
                           R"({"verdict_seconds": 9999999999})"}) {
    EXPECT_FALSE(read_policy(text).ok()) << text;
  }
  const Policy policy = read_policy(R"({"verdict_seconds": 60})").value();
  EXPECT_EQ(policy.verdict_age_max, std::chrono::seconds(60));
}

TEST(ReadPolicy, ReadsPinsAndDates) {
  const std::string signer(64, 'a');
  const Policy policy =
      read_policy(R"({"// note": "x", "sgx": {"signers": [{"mrsigner": ")" + signer +
                  R"(", "product": 7, "minimum_version": 3}]},
                  "intel": {"statuses": {"SWHardeningNeeded": "2027-01-01T00:00:00Z"},
                            "advisories": ["INTEL-SA-00289"]}})")
          .value();
  ASSERT_EQ(policy.sgx_signers.size(), 1U);
  EXPECT_EQ(policy.sgx_signers[0].product, 7);
  EXPECT_EQ(policy.sgx_signers[0].minimum_version, 3);
  ASSERT_EQ(policy.tcb_statuses.size(), 1U);
  EXPECT_TRUE(policy.tcb_statuses.begin()->second.has_value());
  EXPECT_TRUE(policy.advisories->contains("INTEL-SA-00289"));
}

}  // namespace
}  // namespace cloister
