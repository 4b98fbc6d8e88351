#include "hand_over.h"

#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <utility>

#include "access_tables.h"
#include "api/routes.h"
#include "base/posix/posix_clock.h"
#include "base/posix/posix_entropy.h"
#include "base/posix/process.h"
#include "encoding/base64.h"
#include "evidence/attester.h"
#include "identity.h"
#include "serving/job_queue.h"
#include "start_checks.h"
#include "store_choice.h"
#include "vault/hand_over.h"
#include "vault/store_keys.h"

namespace cloister {
namespace {

constexpr std::uint64_t kEvidenceAnswerMax = 512 * 1024;
constexpr std::uint64_t kEndorsementBytesMax = 1ULL << 20;
constexpr std::chrono::milliseconds kDrain{10'000};
constexpr std::chrono::seconds kLook{1};
constexpr const char* kEndorsementFiles[] = {
    "tcb_info.json", "qe_identity.json", "tcb_signing_chain.pem", "root_ca.crl.der",
    "pck_ca.crl.der", "pck_chain.pem", "vek.der", "vek_chain.pem", "amd.crl.der"};

HttpResponse plain(int status, std::string text) {
  return text_response(status, "text/plain", std::move(text));
}

/// Makes durable that the store's key goes to the software of this digest.
using NoteHandOver = std::function<Status(const std::optional<Sha256Digest>& software)>;

/// The two requests of a hand-over: evidence of this server, and evidence for the store's key.
class HandOverHandler final : public RequestHandler {
 public:
  HandOverHandler(Attester& attester, const UpgradeTrust& trust, const Clock& clock,
                  std::shared_ptr<const SecretBytes> store, NoteHandOver note)
      : attester_(attester),
        trust_(trust),
        clock_(clock),
        store_(std::move(store)),
        note_(std::move(note)) {}

  bool done() const noexcept { return done_.load(); }
  void stop() { jobs_.stop(); }

  HeadDecision decide(const HttpRequestHead& head) override {
    if (head.method == HttpMethod::post && head.path == kStoreKeyPath) {
      return BodyPlan{.bytes_max = kEvidenceAnswerMax};
    }
    if (head.method == HttpMethod::get && head.path == "/v2/attestation") return BodyPlan{};
    return plain(404, "this server hands its store over and serves nothing else\n");
  }

  void handle(HttpRequestHead head, RequestBody body,
              std::shared_ptr<Responder> responder) override {
    auto kept = std::make_shared<RequestBody>(std::move(body));
    const Status queued = jobs_.push([this, head = std::move(head), kept, responder] {
      responder->send(head.method == HttpMethod::get ? attest(head)
                                                     : judge(head.connection, kept->bytes()));
    });
    if (!queued.ok()) responder->send(plain(503, "busy\n"));
  }

 private:
  HttpResponse attest(const HttpRequestHead& head) {
    const auto nonces = query_values(head.query, "nonce");
    if (!nonces.ok() || nonces.value().size() != 1) return plain(400, "nonce: expected once\n");
    auto nonce = base64url_decode(nonces.value().front());
    if (!nonce.ok()) return plain(400, "nonce: expected base64url\n");
    FreshnessRequest request;
    request.nonce = std::move(nonce).value();
    request.tls_exporter = copy_of(head.connection.tls_exporter);
    auto answer = attester_.answer(request);
    if (!answer.ok()) return plain(503, "no evidence can be made now\n");
    return text_response(200, "application/json", std::move(answer).value());
  }

  HttpResponse judge(const ConnectionFacts& connection, Bytes body) {
    Channel channel;
    channel.tls_exporter = copy_of(connection.tls_exporter);
    const Verdict verdict = verify_answer(text_of(body), channel, trust_.endorsements,
                                          trust_.policy, clock_.utc());
    const bool asks = verdict.claims && verdict.claims->purpose == kStoreKeyPurpose;
    if (!verdict.accepted() || !verdict.channel_bound || !asks) {
      std::fprintf(stderr, "cloisterd: a peer was refused\n%s", verdict_text(verdict).c_str());
      return plain(403, verdict.accepted() ? "the evidence was not made to ask for a store's key\n"
                                           : verdict_text(verdict));
    }
    if (done_.load()) return plain(410, "the store was handed over to another\n");
    // Before the key leaves: whoever ends this process then has the event, and not the key.
    const Status noted = note_(verdict.claims->software);
    if (!noted.ok()) {
      return plain(503, noted.error().code == Code::conflict
                            ? "another server has this store open\n"
                            : "the store cannot be written\n");
    }
    HttpResponse response;
    response.headers = {{"content-type", "application/octet-stream"},
                        {"cache-control", "no-store"}};
    response.body = {{StoreKeys::read(*store_)}, store_};
    response.close = true;
    done_.store(true);
    return response;
  }

  Attester& attester_;
  const UpgradeTrust& trust_;
  const Clock& clock_;
  const std::shared_ptr<const SecretBytes> store_;
  const NoteHandOver note_;
  std::atomic<bool> done_ = false;
  JobQueue jobs_{1, 16};
};

}  // namespace

Result<UpgradeTrust> upgrade_trust(const Options& options, const ServerConfig& config) {
  if (config.upgrade_policy.empty()) {
    return Error{Code::denied, "upgrade.policy",
                 Detail("the configuration has no \"upgrade_policy\": the store is never handed "
                        "over")};
  }
  UpgradeTrust trust;
  CLOISTER_ASSIGN(trust.policy, read_policy(config.upgrade_policy));
  if (options.endorsements.empty()) return trust;
  std::map<std::string, ByteVector> files;
  for (const char* name : kEndorsementFiles) {
    auto file = read_operator_file(options.endorsements + "/" + name, kEndorsementBytesMax);
    if (!file.ok() && file.error().code == Code::not_found) continue;
    CLOISTER_ASSIGN(files[name], std::move(file));
  }
  trust.endorsements = endorsements_of(files);
  return trust;
}

Error peer_refused(const Verdict& verdict) {
  return Error{Code::unverified, "upgrade.peer",
               Detail("the upgrade policy refuses the peer\n" + verdict_text(verdict))};
}

Status hand_over_store(const Options& options, const ServerConfig& config) {
  CLOISTER_TRY(check_machine(config));
  CLOISTER_ASSIGN(const Software software, check_software(config));
  CLOISTER_ASSIGN(const UpgradeTrust trust, upgrade_trust(options, config));
  PosixClock clock;
  PosixEntropy entropy;
  CLOISTER_ASSIGN(const StorePlace place, find_store(options, config, software.digest, entropy));
  CLOISTER_ASSIGN(SecretBytes store, export_store(vault_parts(place, entropy, clock),
                                                  place.root_secret, place.settings));
  CLOISTER_ASSIGN(const TlsKey tls, TlsKey::make());
  Attester attester(*place.platform, tls.key(), clock,
                    server_facts(config, software.digest, "none"), canonical_text(config));
  CertificateKeeper keeper(attester, clock, config.names);
  HandOverHandler handler(attester, trust, clock,
                          std::make_shared<const SecretBytes>(std::move(store)),
                          [&](const std::optional<Sha256Digest>& peer) {
                            return note_in_store(place, entropy, clock,
                                                 AuditAction::store_handed_over, peer);
                          });
  CLOISTER_ASSIGN(const auto server, listen(config, tls, keeper, handler));
  std::printf("pin: %s\nurl: https://%s:%u\n", tls.pin().c_str(), config.listen_address.c_str(),
              static_cast<unsigned>(server->port()));
  std::fflush(stdout);
  bool stopped = false;
  while (!handler.done() && !stopped) stopped = wait_for_stop_signal(kLook);
  server->stop(kDrain);
  handler.stop();
  if (!handler.done()) return Error{Code::unavailable, "upgrade.stopped", Detail("nobody came")};
  std::printf("handed over: stop here, and go on with the new build\n");
  return Done{};
}

}  // namespace cloister
