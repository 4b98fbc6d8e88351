#include "evidence/attester.h"

#include <utility>

#include "crypto/certificate_builder.h"
#include "encoding/base64.h"
#include "encoding/json_writer.h"
#include "evidence/envelope.h"

namespace cloister {
namespace {

constexpr std::size_t kSerialBytes = 16;
constexpr const char* kCertificateName = "Cloister";
constexpr std::chrono::minutes kClockSlack{1};

}  // namespace

Attester::Attester(Platform& platform, const SigningKey& key, Clock& clock, ServerFacts facts,
                   std::string configuration)
    : platform_(platform),
      key_(key),
      clock_(clock),
      configuration_(std::move(configuration)),
      facts_(std::move(facts)) {
  CLOISTER_CHECK(sha256(bytes_of(configuration_)) == facts_.configuration);
}

void Attester::use_hpke_key(const Sha256Digest& digest) {
  const MutexLock lock(mutex_);
  facts_.hpke_key = digest;
}

Claims Attester::claims() const {
  const Sha256Digest key = sha256(key_.spki());
  const MutexLock lock(mutex_);
  return claims_of(facts_, key);
}

Result<PlatformEvidence> Attester::evidence_for(const ReportData& report_data) {
  const MutexLock lock(flight_);
  CLOISTER_ASSIGN(PlatformEvidence made, platform_.evidence_for(report_data));
  if (made.evidence.size() > kEvidenceBytesMax || made.endorsements.size() > kEvidenceBytesMax) {
    return Error{Code::too_large, "attester.evidence"};
  }
  return made;
}

Result<AttestedCertificate> Attester::certificate(const std::vector<std::string>& names,
                                                  std::chrono::seconds life) {
  if (life <= kClockSlack || life > kCertificateLifeMax) {
    return Error{Code::invalid, "attester.life"};
  }
  CLOISTER_ASSIGN(CertificateExtension alternative_names, subject_names(names));
  const ByteVector claims = write_claims(this->claims());
  CLOISTER_ASSIGN(PlatformEvidence made, evidence_for(report_data_of(claims)));
  const ByteVector envelope = write_envelope({platform_.kind(), std::move(made.evidence), claims,
                                              std::move(made.endorsements)});
  CertificateContent content;
  content.issuer = kCertificateName;
  content.subject = kCertificateName;
  const UtcSeconds now = clock_.utc();
  content.not_before = now - kClockSlack;
  content.not_after = content.not_before + life;
  content.spki = key_.spki();
  content.extensions = {end_entity_constraint(), std::move(alternative_names),
                        {kEvidenceExtension, false, envelope}};
  Sha256Stream serial;  // differs whenever the content does, and needs no randomness
  serial.update(envelope);
  serial.update(bytes_of(std::to_string(now.time_since_epoch().count())));
  content.serial = copy_of(Bytes(serial.finish()).first(kSerialBytes));
  content.serial[0] &= std::byte{0x7F};
  CLOISTER_ASSIGN(ByteVector certificate, build_certificate(content, key_));
  return AttestedCertificate{std::move(certificate), content.not_after};
}

Status Attester::admit() {
  const SteadyTime now = clock_.steady();
  const MutexLock lock(mutex_);
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    made_ = 0;
  }
  if (made_ == kFreshPerSecond || waiting_ == kWaitingMax) {
    return Error{Code::busy, "attester.rate"};
  }
  ++made_;
  ++waiting_;
  return Done{};
}

Result<std::string> Attester::answer(const FreshnessRequest& request) {
  if (request.nonce.size() < kNonceBytesMin || request.nonce.size() > kNonceBytesMax) {
    return Error{Code::invalid, "attester.nonce",
                 Detail("nonce: expected 16 to 64 bytes in base64url, got " +
                        std::to_string(request.nonce.size()) + " bytes")};
  }
  if (request.tls_exporter.size() != kTlsExporterBytes) {
    return Error{Code::invalid, "attester.exporter"};
  }
  CLOISTER_TRY(admit());
  Result<std::string> body = admitted_answer(request);
  const MutexLock lock(mutex_);
  --waiting_;
  return body;
}

Result<std::string> Attester::admitted_answer(const FreshnessRequest& request) {
  Claims fresh = claims();
  fresh.nonce = request.nonce;
  fresh.tls_exporter = request.tls_exporter;
  fresh.epoch = request.epoch;
  fresh.purpose = request.purpose;
  const ByteVector claims = write_claims(fresh);
  CLOISTER_ASSIGN(const PlatformEvidence made, evidence_for(report_data_of(claims)));
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  json.key("tee").text(name_of(platform_.kind()));
  json.key("evidence").text(base64_encode(made.evidence));
  json.key("claims").text(base64_encode(claims));
  json.key("endorsements").text(base64_encode(made.endorsements));
  json.key("cert_spki").text(base64_encode(key_.spki()));
  json.key("configuration").text(configuration_);
  json.end_object();
  return body;
}

}  // namespace cloister
