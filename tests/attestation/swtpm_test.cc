// A software TPM's quotes end to end: issued by the TPM platform, put into certificate and answer
// by the attester, judged by the verifier. Skipped, and said so, where swtpm is not installed.

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "evidence/attester.h"
#include "evidence/tpm/azure_platform.h"
#include "evidence/tpm/tpm_platform.h"
#include "support/fake_clock.h"
#include "verifier/verifier.h"

namespace cloister {

struct SecretForTest {
  static Bytes read(const SecretBytes& secret) { return secret.reveal(RevealToken()); }
};

namespace {

namespace fs = std::filesystem;

/// One swtpm with a state folder of its own; ended by its process id.
class SoftwareTpm {
 public:
  SoftwareTpm() {
    std::string name = (fs::temp_directory_path() / "cloister-swtpm-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    const std::string at = folder_.string();
    const std::string command = "swtpm socket --tpm2 --daemon --tpmstate dir=" + at +
                                " --pid file=" + at + "/pid --server type=unixio,path=" + at +
                                "/sock --ctrl type=unixio,path=" + at +
                                "/sock.ctrl --flags not-need-init,startup-clear >/dev/null 2>&1";
    running_ = std::system(command.c_str()) == 0;
  }
  ~SoftwareTpm() {
    int pid = 0;
    std::ifstream(folder_ / "pid") >> pid;
    if (pid > 0) kill(pid, SIGTERM);
    std::error_code gone;  // swtpm removes its sockets as it ends
    fs::remove_all(folder_, gone);
  }
  bool running() const { return running_; }
  std::string device() const { return "swtpm:path=" + (folder_ / "sock").string(); }

 private:
  fs::path folder_;
  bool running_ = false;
};

std::string rule_of(const Verdict& verdict) {
  if (verdict.accepted()) return "accepted";
  return verdict.refusals.empty() ? "none" : name_of(verdict.refusals.front().rule);
}

std::string measured(const Verdict& verdict, const std::string& name) {
  for (const Measurement& each : verdict.measurements) {
    if (each.name == name) return each.value;
  }
  return "";
}

TEST(SoftwareTpm, VouchesForAServerThatThePolicyPins) {
  const SoftwareTpm tpm;
  if (!tpm.running()) GTEST_SKIP() << "SKIPPED: swtpm does not start here";
  const auto platform = make_tpm_platform({tpm.device()});
  ASSERT_TRUE(platform.ok());
  const SigningKey key = SigningKey::generate_p256().value();
  FakeClock clock;
  ServerFacts facts;
  facts.configuration = sha256(bytes_of("{}"));
  facts.isolation = "process";
  facts.anchor = "none";
  Attester attester(*platform.value(), key, clock, facts, "{}");
  const ByteVector nonce(32, std::byte{1});
  const ByteVector exporter(32, std::byte{2});
  const std::string answer = attester.answer({nonce, exporter, {}}).value();
  const Channel channel{key.spki(), nonce, exporter};
  EXPECT_EQ(rule_of(verify_answer(answer, channel, {}, Policy(), clock.utc())), "tpm-alone");
  Policy policy;
  policy.allow_tpm_alone = true;
  const Verdict seen = verify_answer(answer, channel, {}, policy, clock.utc());
  EXPECT_EQ(rule_of(seen), "not-pinned");
  policy.pcrs[0] = {ByteVector(32)};
  const std::string name = measured(seen, "ak_name");
  ASSERT_EQ(name.size(), 68U);
  ByteVector ak_name;
  for (std::size_t i = 0; i < name.size(); i += 2) {
    ak_name.push_back(static_cast<std::byte>(std::stoi(name.substr(i, 2), nullptr, 16)));
  }
  policy.ak_names = {ak_name};
  EXPECT_EQ(rule_of(verify_answer(answer, channel, {}, policy, clock.utc())), "accepted");
  const Channel relayed{key.spki(), nonce, ByteVector(32)};
  EXPECT_EQ(rule_of(verify_answer(answer, relayed, {}, policy, clock.utc())), "tls-exporter");
  const ByteVector certificate = attester.certificate({"localhost"}).value().certificate;
  EXPECT_EQ(rule_of(verify_certificate(certificate, {}, policy, clock.utc())), "accepted");
  policy.pcrs[0] = {ByteVector(32, std::byte{1})};
  EXPECT_EQ(rule_of(verify_certificate(certificate, {}, policy, clock.utc())), "pcr");
}

TEST(SoftwareTpm, LeavesNothingInItsSlots) {
  const SoftwareTpm tpm;
  if (!tpm.running()) GTEST_SKIP() << "SKIPPED: swtpm does not start here";
  const auto platform = make_tpm_platform({tpm.device(), {}});
  ASSERT_TRUE(platform.ok());
  for (int round = 0; round < 5; ++round) {  // a software TPM has three slots
    EXPECT_TRUE(platform.value()->evidence_for(ReportData{}).ok()) << round;
  }
}

bool same_secret(const SecretBytes& a, const SecretBytes& b) {
  return std::ranges::equal(SecretForTest::read(a), SecretForTest::read(b));
}

TEST(SoftwareTpm, GivesOneRootSecretForEachTpmAndChoiceOfPcrs) {
  const SoftwareTpm tpm;
  const SoftwareTpm other;
  if (!tpm.running() || !other.running()) GTEST_SKIP() << "SKIPPED: swtpm does not start here";
  const auto secret = [](const SoftwareTpm& from, std::set<std::uint32_t> pcrs) {
    return make_tpm_platform({from.device(), std::move(pcrs)}).value()->root_secret().value();
  };
  const SecretBytes first = secret(tpm, {0, 7});
  EXPECT_EQ(first.size(), kRootSecretBytes);
  EXPECT_TRUE(same_secret(first, secret(tpm, {0, 7})));
  EXPECT_FALSE(same_secret(first, secret(tpm, {0, 8})));
  EXPECT_FALSE(same_secret(first, secret(other, {0, 7})));
  EXPECT_FALSE(make_tpm_platform({tpm.device(), {}}).value()->root_secret().ok());
}

TEST(TpmPlatform, FailsWithoutATpm) {
  EXPECT_EQ(make_tpm_platform({"swtpm:path=/nonexistent/socket"}).error().code, Code::io);
  EXPECT_EQ(make_tpm_platform({"/nonexistent/tpm"}).error().code, Code::io);
}

TEST(AzurePlatform, FailsWithoutTheParavisorsReport) {
  const SoftwareTpm tpm;
  if (!tpm.running()) GTEST_SKIP() << "SKIPPED: swtpm does not start here";
  EXPECT_EQ(make_azure_platform({{tpm.device()}, {}}).error().code, Code::not_found);
}

}  // namespace
}  // namespace cloister
