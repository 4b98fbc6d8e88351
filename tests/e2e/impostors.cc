// A server of ours and those who want to pass for it, each on a port of its own of 127.0.0.1, for
// tests of clients: it prints `NAME: PORT` for each, `ready`, and then `LEAK: NAME` whenever an
// impostor gets anything but a question for evidence. Ends with its standard input.
//
// impostors                     on simulated platforms
// impostors TRANSPORT OTHER     on two TPMs (TCTI configurations), and one simulated platform
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/posix/posix_clock.h"
#include "crypto/certificate_builder.h"
#include "crypto/x509.h"
#include "encoding/base64.h"
#include "evidence/attester.h"
#include "evidence/envelope.h"
#include "evidence/tpm/tpm_platform.h"
#include "net/server.h"
#include "support/tls_client.h"

namespace cloister {
namespace {

constexpr std::string_view kConfiguration = R"({"isolation":"process"})";
constexpr std::string_view kOtherConfiguration = R"({"isolation":"inline"})";
constexpr std::string_view kNonceKey = "nonce=";

/// Signs as the simulated platform does, without a file for its root.
class Simulation final : public Platform {
 public:
  EvidenceKind kind() const noexcept override { return EvidenceKind::simulated; }
  Result<PlatformEvidence> evidence_for(const ReportData& report_data) override {
    SimulatedEvidence evidence;
    evidence.report_data = report_data;
    evidence.measurement = ByteVector(32, std::byte{5});
    evidence.spki = key_.spki();
    CLOISTER_ASSIGN(evidence.signature, key_.sign(simulated_message(evidence)));
    return PlatformEvidence{write_simulated(evidence), {}};
  }
  Result<SecretBytes> root_secret() override { return Error{Code::unavailable, "test.root"}; }

 private:
  SigningKey key_ = SigningKey::generate_p256().value();
};

/// A clock that is wrong by a fixed time.
class ShiftedClock final : public Clock {
 public:
  explicit ShiftedClock(std::chrono::hours shift) : shift_(shift) {}
  UtcSeconds utc() const noexcept override { return clock_.utc() + shift_; }
  SteadyTime steady() const noexcept override { return clock_.steady(); }

 private:
  const PosixClock clock_;
  const std::chrono::hours shift_;
};

ServerFacts facts_with(std::string_view configuration) {
  ServerFacts facts;
  facts.configuration = sha256(bytes_of(configuration));
  facts.software.fill(std::byte{3});
  facts.isolation = "process";
  facts.sandbox = "seccomp";
  facts.anchor = "none";
  return facts;
}

using AttestationAnswer = std::function<std::string(const HttpRequestHead& head)>;

/// Answers the question for evidence as told, and everything else with `{}`; an impostor that is
/// asked for anything else, or is given a token, says so.
class Role final : public RequestHandler {
 public:
  Role(std::string name, bool is_genuine, AttestationAnswer answer)
      : name_(std::move(name)), is_genuine_(is_genuine), answer_(std::move(answer)) {}

  HeadDecision decide(const HttpRequestHead&) override { return BodyPlan{1U << 20, 60, {}}; }
  void handle(HttpRequestHead head, RequestBody, std::shared_ptr<Responder> responder) override {
    const bool is_question = head.path == "/v2/attestation";
    if (!is_genuine_ && (!is_question || head.header("authorization"))) {
      std::printf("LEAK: %s\n", name_.c_str());
      std::fflush(stdout);
    }
    responder->send(text_response(200, "application/json", is_question ? answer_(head) : "{}"));
  }

 private:
  const std::string name_;
  const bool is_genuine_;
  const AttestationAnswer answer_;
};

class Stage {
 public:
  void add(const std::string& name, const SigningKey& key, ByteVector certificate,
           AttestationAnswer answer) {
    roles_.push_back(std::make_unique<Role>(name, name == "genuine", std::move(answer)));
    servers_.push_back(start_https_server({}, {key.pkcs8().value(), std::move(certificate)},
                                          *roles_.back()).value());
    std::printf("%s: %u\n", name.c_str(), static_cast<unsigned>(port()));
  }
  std::uint16_t port() const { return servers_.back()->port(); }

 private:
  std::vector<std::unique_ptr<Role>> roles_;
  std::vector<std::unique_ptr<HttpsServer>> servers_;
};

ByteVector nonce_in(const HttpRequestHead& head) {
  return base64url_decode(head.query.substr(kNonceKey.size())).value();
}

/// What an honest server answers.
AttestationAnswer by(Attester& attester) {
  return [&attester](const HttpRequestHead& head) {
    const auto& exporter = head.connection.tls_exporter;
    return attester.answer({nonce_in(head), {exporter.begin(), exporter.end()}, 1}).value();
  };
}

ByteVector certificate_of(Attester& attester) {
  return attester.certificate({"localhost", "127.0.0.1"}).value().certificate;
}

/// A certificate for another key with the evidence of `genuine` in it.
ByteVector with_evidence_of(Bytes genuine, const SigningKey& key) {
  const Certificate certificate = Certificate::parse(genuine).value();
  const auto evidence = certificate.extension(kEvidenceExtension);
  const CertificateContent content{
      "impostor", "impostor", {std::byte{1}}, certificate.not_before(), certificate.not_after(),
      key.spki(), {{kEvidenceExtension, false, copy_of(*evidence)}}};
  return build_certificate(content, key).value();
}

std::string replaced(std::string text, std::string_view old_part, std::string_view new_part) {
  return text.replace(text.find(old_part), old_part.size(), new_part);
}

int run(Platform& platform, Platform& elsewhere) {
  ShiftedClock clock(std::chrono::hours(0));
  ShiftedClock past(std::chrono::hours(-48));
  Simulation simulation;
  const SigningKey key = SigningKey::generate_p256().value();
  const SigningKey other_key = SigningKey::generate_p256().value();
  const std::string configuration(kConfiguration);
  Attester genuine(platform, key, clock, facts_with(kConfiguration), configuration);
  Attester of_the_past(platform, key, past, facts_with(kConfiguration), configuration);
  Attester on_another_host(elsewhere, key, clock, facts_with(kConfiguration), configuration);
  Attester configured_otherwise(platform, key, clock, facts_with(kOtherConfiguration),
                                std::string(kOtherConfiguration));
  Attester simulated(simulation, key, clock, facts_with(kConfiguration), configuration);
  const ByteVector certificate = certificate_of(genuine);
  const ByteVector chosen(32, std::byte{9});
  const std::string recorded = genuine.answer({chosen, chosen, 1}).value();

  Stage stage;
  stage.add("genuine", key, certificate, by(genuine));
  const std::uint16_t genuine_port = stage.port();
  const AttestationAnswer relayed = [genuine_port](const HttpRequestHead& head) {
    TlsClient client(genuine_port);
    client.send("GET " + head.path + "?" + head.query + " HTTP/1.1\r\nhost: localhost\r\n\r\n");
    return client.receive()->body;
  };
  stage.add("middle_own_key", other_key, with_evidence_of(certificate, other_key), relayed);
  stage.add("middle_stolen_key", key, certificate, relayed);
  stage.add("stolen_key_replay", key, certificate,
            [recorded](const HttpRequestHead&) { return recorded; });
  stage.add("stolen_key_old_certificate", key, certificate_of(of_the_past), relayed);
  stage.add("stolen_key_another_host", key, certificate_of(on_another_host), by(on_another_host));
  stage.add("other_configuration", key, certificate_of(configured_otherwise),
            by(configured_otherwise));
  stage.add("hidden_configuration", key, certificate, [&genuine](const HttpRequestHead& head) {
    return replaced(by(genuine)(head), "process", "inlined");
  });
  stage.add("simulation", key, certificate_of(simulated), by(simulated));
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

}  // namespace
}  // namespace cloister

int main(int argc, char** argv) {
  using namespace cloister;
  if (argc != 3) {
    Simulation here;
    Simulation elsewhere;
    return run(here, elsewhere);
  }
  const auto here = make_tpm_platform({.device = argv[1]});
  const auto elsewhere = make_tpm_platform({.device = argv[2]});
  if (!here.ok() || !elsewhere.ok()) return 1;
  return run(*here.value(), *elsewhere.value());
}
