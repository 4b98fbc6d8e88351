#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/certificate_builder.h"
#include "crypto/x509.h"
#include "encoding/hex.h"
#include "evidence/attester.h"
#include "evidence/certificate_keeper.h"
#include "evidence/envelope.h"
#include "support/fake_clock.h"
#include "verifier/verifier.h"

namespace cloister {
namespace {

constexpr std::string_view kConfiguration = R"({"isolation":"process"})";
const ByteVector kNonce(32, std::byte{7});
const ByteVector kExporter(32, std::byte{9});

/// Signs as the simulated platform does, without a file for its root.
class TestPlatform final : public Platform {
 public:
  EvidenceKind kind() const noexcept override { return EvidenceKind::simulated; }
  Result<PlatformEvidence> evidence_for(const ReportData& report_data) override {
    SimulatedEvidence evidence;
    evidence.report_data = report_data;
    evidence.measurement = ByteVector(32, std::byte{5});
    evidence.spki = key_.spki();
    evidence.signature = key_.sign(simulated_message(evidence)).value();
    return PlatformEvidence{write_simulated(evidence), {}};
  }
  Result<SecretBytes> root_secret() override { return Error{Code::unavailable, "test.root"}; }

 private:
  SigningKey key_ = SigningKey::generate_p256().value();
};

/// A server whose evidence is judged below.
struct Server {
  FakeClock clock;
  TestPlatform platform;
  SigningKey key = SigningKey::generate_p256().value();
  ServerFacts facts;
  std::unique_ptr<Attester> attester;

  Server() {
    facts.configuration = sha256(bytes_of(kConfiguration));
    facts.software.fill(std::byte{3});
    facts.isolation = "process";
    facts.sandbox = "seccomp, principal";
    facts.anchor = "none";
    attester =
        std::make_unique<Attester>(platform, key, clock, facts, std::string(kConfiguration));
  }
  ByteVector certificate() { return attester->certificate({"localhost"}).value().certificate; }
  std::string answer() { return attester->answer({kNonce, kExporter, 12}).value(); }
};

Policy simulation() {
  Policy policy;
  policy.allow_simulation = true;
  return policy;
}

std::string rule_of(const Verdict& verdict) {
  if (verdict.accepted()) return "accepted";
  return verdict.refusals.empty() ? "none" : name_of(verdict.refusals.front().rule);
}

std::string judge(Server& server, const Channel& channel, const Policy& policy) {
  return rule_of(verify_answer(server.answer(), channel, {}, policy, server.clock.utc()));
}

TEST(VerifyCertificate, RefusesASimulationWithoutThePermission) {
  Server server;
  EXPECT_EQ(rule_of(verify_certificate(server.certificate(), {}, Policy(), server.clock.utc())),
            "simulation");
}

TEST(VerifyCertificate, RefusesOneThatCarriesNoEvidence) {
  Server server;
  CertificateContent content{"a", "a", {std::byte{1}}, server.clock.utc(),
                             server.clock.utc() + std::chrono::hours(1), server.key.spki(), {}};
  const ByteVector der = build_certificate(content, server.key).value();
  EXPECT_EQ(rule_of(verify_certificate(der, {}, simulation(), server.clock.utc())),
            "certificate");
}

TEST(VerifyCertificate, ReadsTheOlderGramineExtensionOnlyWherePermittedAndForItsOwnKey) {
  Server server;
  ByteVector quote(2000);
  quote[0] = std::byte{3};
  CertificateContent content{"a", "a", {std::byte{1}}, server.clock.utc(),
                             server.clock.utc() + std::chrono::hours(1), server.key.spki(),
                             {{Oid("0.6.9.42.840.113741.1337.6"), false, quote}}};
  const ByteVector der = build_certificate(content, server.key).value();
  EXPECT_EQ(rule_of(verify_certificate(der, {}, Policy(), server.clock.utc())), "certificate");
  Policy policy;
  policy.allow_legacy_gramine = true;
  const Verdict verdict = verify_certificate(der, {}, policy, server.clock.utc());
  EXPECT_EQ(rule_of(verdict), "unsupported");
  EXPECT_TRUE(std::ranges::any_of(verdict.refusals, [](const Refusal& refusal) {
    return refusal.rule == Rule::pubkey_hash;
  }));
}

TEST(VerifyCertificate, RefusesOutsideOfItsValidity) {
  Server server;
  const ByteVector der = server.certificate();
  const UtcSeconds now = server.clock.utc();
  EXPECT_EQ(rule_of(verify_certificate(der, {}, simulation(), now + std::chrono::hours(25))),
            "certificate-validity");
  EXPECT_EQ(rule_of(verify_certificate(der, {}, simulation(), now - std::chrono::hours(1))),
            "certificate-validity");
}

TEST(VerifyCertificate, RefusesEveryFlippedByteAndEveryTruncation) {
  Server server;
  const ByteVector der = server.certificate();
  for (std::size_t i = 0; i < der.size(); ++i) {
    ByteVector damaged = der;
    damaged[i] ^= std::byte{1};
    EXPECT_FALSE(
        verify_certificate(damaged, {}, simulation(), server.clock.utc()).accepted()) << i;
    EXPECT_FALSE(
        verify_certificate(Bytes(der).first(i), {}, simulation(), server.clock.utc()).accepted());
  }
}

TEST(VerifyCertificate, RefusesEvidenceThatVouchesForAnotherKey) {
  Server server;
  const SigningKey other = SigningKey::generate_p256().value();
  const Certificate genuine = Certificate::parse(server.certificate()).value();
  CertificateContent content{"a", "a", {std::byte{1}}, server.clock.utc(),
                             server.clock.utc() + std::chrono::hours(1), other.spki(),
                             {{kEvidenceExtension, false,
                               copy_of(*genuine.extension(kEvidenceExtension))}}};
  const ByteVector der = build_certificate(content, other).value();
  EXPECT_EQ(rule_of(verify_certificate(der, {}, simulation(), server.clock.utc())),
            "pubkey-hash");
}

TEST(VerifyCertificate, AcceptsASimulationWithThePermission) {
  Server server;
  const Verdict verdict =
      verify_certificate(server.certificate(), {}, simulation(), server.clock.utc());
  EXPECT_EQ(rule_of(verdict), "accepted");
  EXPECT_FALSE(verdict.fresh);
  EXPECT_FALSE(verdict.channel_bound);
  EXPECT_EQ(verdict.pubkey_hash, sha256(server.key.spki()));
  ASSERT_TRUE(verdict.expires.has_value());
  EXPECT_LE(*verdict.expires, server.clock.utc() + kCertificateLifeMax);
}

TEST(VerifyAnswer, RefusesAnotherKeyNonceOrExporter) {
  Server server;
  const ByteVector other(32, std::byte{1});
  EXPECT_EQ(judge(server, {other, kNonce, kExporter}, simulation()), "pubkey-hash");
  EXPECT_EQ(judge(server, {server.key.spki(), other, kExporter}, simulation()), "nonce");
  EXPECT_EQ(judge(server, {server.key.spki(), kNonce, other}, simulation()), "tls-exporter");
}

TEST(VerifyAnswer, RefusesAConfigurationTextThatIsNotTheClaimed) {
  Server server;
  std::string answer = server.answer();
  const std::size_t at = answer.find("process");
  answer.replace(at, 7, "inline!");
  EXPECT_EQ(rule_of(verify_answer(answer, {server.key.spki(), kNonce, kExporter}, {},
                                  simulation(), server.clock.utc())),
            "configuration-text");
}

TEST(VerifyAnswer, RefusesEveryFlippedByte) {
  Server server;
  const std::string answer = server.answer();
  for (std::size_t i = 0; i < answer.size(); ++i) {
    std::string damaged = answer;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(verify_answer(damaged, {server.key.spki(), kNonce, kExporter}, {}, simulation(),
                               server.clock.utc())
                     .accepted())
        << i;
  }
}

TEST(VerifyAnswer, RefusesWhatThePolicyDoesNotList) {
  Server server;
  const Channel channel{server.key.spki(), kNonce, kExporter};
  Policy policy = simulation();
  policy.configuration = {ByteVector(32)};
  EXPECT_EQ(judge(server, channel, policy), "configuration");
  policy = simulation();
  policy.software = {ByteVector(32)};
  EXPECT_EQ(judge(server, channel, policy), "software");
  policy = simulation();
  policy.isolation = {"inline"};
  EXPECT_EQ(judge(server, channel, policy), "isolation");
  policy = simulation();
  policy.sandbox = {"none"};
  EXPECT_EQ(judge(server, channel, policy), "sandbox");
  policy = simulation();
  policy.anchor = {"tpm", "etcd"};
  EXPECT_EQ(judge(server, channel, policy), "anchor");
  policy = simulation();
  policy.simulated = {ByteVector(32)};
  EXPECT_EQ(judge(server, channel, policy), "measurement");
}

TEST(VerifyAnswer, RefusesASettingThatThePolicyDoesNotList) {
  Server server;
  const Channel channel{server.key.spki(), kNonce, kExporter};
  Policy policy = simulation();
  policy.settings["isolation"] = {"\"process\"", "\"inline\""};
  EXPECT_EQ(judge(server, channel, policy), "accepted");
  EXPECT_EQ(rule_of(verify_certificate(server.certificate(), {}, policy, server.clock.utc())),
            "setting");
  policy.settings["isolation"] = {"\"inline\""};
  const Verdict verdict =
      verify_answer(server.answer(), channel, {}, policy, server.clock.utc());
  EXPECT_EQ(rule_of(verdict), "setting");
  EXPECT_EQ(verdict.refusals.front().seen, "isolation \"process\"");
  EXPECT_EQ(verdict.refusals.front().expected, "\"inline\"");
  policy.settings = {{"allow_swap", {"false"}}};
  EXPECT_EQ(judge(server, channel, policy), "setting");
}

TEST(VerifyAnswer, AcceptsFreshEvidenceOnItsOwnChannel) {
  Server server;
  Policy policy = simulation();
  policy.configuration = {copy_of(server.facts.configuration)};
  policy.software = {copy_of(server.facts.software)};
  const Verdict verdict = verify_answer(server.answer(), {server.key.spki(), kNonce, kExporter},
                                        {}, policy, server.clock.utc());
  EXPECT_EQ(rule_of(verdict), "accepted");
  EXPECT_TRUE(verdict.fresh);
  EXPECT_TRUE(verdict.channel_bound);
  EXPECT_EQ(verdict.claims->epoch, 12U);
}

TEST(Attester, RefusesNoncesOfAWrongLengthAndTooManyOfThem) {
  Server server;
  EXPECT_FALSE(server.attester->answer({ByteVector(15), kExporter, {}}).ok());
  EXPECT_FALSE(server.attester->answer({ByteVector(65), kExporter, {}}).ok());
  EXPECT_FALSE(server.attester->answer({kNonce, ByteVector(31), {}}).ok());
  for (unsigned i = 0; i < Attester::kFreshPerSecond; ++i) {
    EXPECT_TRUE(server.attester->answer({kNonce, kExporter, {}}).ok());
  }
  EXPECT_EQ(server.attester->answer({kNonce, kExporter, {}}).error().code, Code::busy);
  server.clock.advance(std::chrono::seconds(1));
  EXPECT_TRUE(server.attester->answer({kNonce, kExporter, {}}).ok());
}

TEST(CertificateKeeper, RenewsBeforeADayIsOverOnTheSameKey) {
  Server server;
  CertificateKeeper keeper(*server.attester, server.clock, {"localhost"});
  EXPECT_TRUE(keeper.is_due());
  const Certificate first = Certificate::parse(keeper.renew().value()).value();
  server.clock.advance(std::chrono::hours(19));
  EXPECT_FALSE(keeper.is_due());
  server.clock.advance(std::chrono::hours(1));
  EXPECT_TRUE(keeper.is_due());
  const Certificate second = Certificate::parse(keeper.renew().value()).value();
  EXPECT_FALSE(keeper.is_due());
  EXPECT_TRUE(std::ranges::equal(first.spki(), second.spki()));
  EXPECT_FALSE(std::ranges::equal(first.serial(), second.serial()));
  EXPECT_GT(second.not_after(), first.not_after());
  EXPECT_LE(second.not_after() - second.not_before(), kCertificateLifeMax);
}

TEST(CertificateKeeper, IsNotFooledByADateThatStandsStillOrRunsBack) {
  Server server;
  CertificateKeeper keeper(*server.attester, server.clock, {"localhost"});
  const UtcSeconds start = server.clock.utc();
  ASSERT_TRUE(keeper.renew().ok());
  server.clock.advance(std::chrono::hours(20));
  server.clock.set_utc(start);
  EXPECT_TRUE(keeper.is_due());
  server.clock.set_utc(start - std::chrono::hours(48));
  EXPECT_TRUE(keeper.is_due());
  ASSERT_TRUE(keeper.renew().ok());
  EXPECT_FALSE(keeper.is_due());
}

TEST(VerifyAnswer, LimitsTheLifeOfItsVerdictAsThePolicySays) {
  Server server;
  const Channel channel{server.key.spki(), kNonce, kExporter};
  Policy policy = simulation();
  const UtcSeconds now = server.clock.utc();
  policy.verdict_age_max = std::chrono::seconds(90);
  EXPECT_EQ(verify_answer(server.answer(), channel, {}, policy, now).expires,
            now + std::chrono::seconds(90));
  policy.tcb_statuses[TcbStatus::not_judged] = now + std::chrono::seconds(30);
  EXPECT_EQ(verify_answer(server.answer(), channel, {}, policy, now).expires,
            now + std::chrono::seconds(30));
}

TEST(Claims, RefusesEveryTruncation) {
  Server server;
  Claims claims = claims_of(server.facts, sha256(server.key.spki()));
  claims.nonce = kNonce;
  const ByteVector encoded = write_claims(claims);
  EXPECT_TRUE(read_claims(encoded).ok());
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_FALSE(read_claims(Bytes(encoded).first(size)).ok()) << size;
  }
}

}  // namespace
}  // namespace cloister
