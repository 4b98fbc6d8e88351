#include "client/session.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <utility>

#include "crypto/x509.h"
#include "encoding/base64.h"

namespace cloister {
namespace {

constexpr std::uint64_t kAnswerBytesMax = 8ULL << 30;
constexpr std::uint64_t kAttestationBytesMax = 1ULL << 20;
constexpr std::size_t kNonceBytes = 32;
constexpr std::size_t kFilePieceBytes = 1U << 20;
constexpr int kBusyRetries = 5;
constexpr std::chrono::milliseconds kBusyPause{500};

/// Asks for evidence that is fresh and bound to this connection.
Result<Verdict> fresh_verdict(Connection& connection, const TrustSettings& trust,
                              const Clock& clock, Entropy& entropy) {
  CLOISTER_ASSIGN(const Certificate certificate,
                  Certificate::parse(connection.peer_certificate()));
  ByteVector nonce(kNonceBytes);
  CLOISTER_TRY(entropy.fill(nonce));
  const ClientRequest request{"GET", "/v2/attestation?nonce=" + base64url_encode(nonce), {}};
  CLOISTER_ASSIGN(const ClientResponse response,
                  answer_in_memory({}, kAttestationBytesMax,
                                   [&](BodySource& body, AnswerSink& sink) {
                                     return connection.stream(request, &body, sink);
                                   }));
  if (response.status == 429) {
    return Error{Code::busy, "client.attestation",
                 Detail("the server is asked for evidence too often: try again in a second")};
  }
  if (response.status != 200) {
    return Error{Code::unavailable, "client.attestation",
                 Detail("the server does not attest itself now (status " +
                        std::to_string(response.status) + ")")};
  }
  const Channel channel{copy_of(certificate.spki()), nonce, copy_of(connection.tls_exporter())};
  return verify_answer(response.body, channel, trust.endorsements, trust.policy, clock.utc());
}

/// The same. Fresh evidence is rationed by the second: others who ask are no reason to give up.
Result<Verdict> patient_verdict(Connection& connection, const TrustSettings& trust,
                                const Clock& clock, Entropy& entropy) {
  for (int again = kBusyRetries;; --again) {
    auto verdict = fresh_verdict(connection, trust, clock, entropy);
    if (verdict.ok() || verdict.error().code != Code::busy || again == 0) return verdict;
    std::this_thread::sleep_for(kBusyPause);
  }
}

}  // namespace

Result<OpenedSession> ClientSession::open(const ServerUrl& url, const TrustSettings& trust,
                                          const Clock& clock, Entropy& entropy) {
  CLOISTER_ASSIGN(std::unique_ptr<Connection> connection, connect_tls(url, {}));
  OpenedSession opened;
  // The certificate holds no more than a digest of the configuration: what the policy says of
  // single settings is judged by the fresh evidence that follows.
  Policy of_certificate = trust.policy;
  of_certificate.settings.clear();
  opened.verdict = verify_certificate(connection->peer_certificate(), trust.endorsements,
                                      of_certificate, clock.utc());
  if (!opened.verdict.accepted()) return opened;
  const auto certificate_end = opened.verdict.expires;
  CLOISTER_ASSIGN(opened.verdict, patient_verdict(*connection, trust, clock, entropy));
  if (certificate_end && (!opened.verdict.expires || *certificate_end < *opened.verdict.expires)) {
    opened.verdict.expires = certificate_end;
  }
  if (!opened.verdict.accepted()) return opened;
  opened.session.reset(
      new ClientSession(std::move(connection), opened.verdict.expires, clock));
  return opened;
}

bool ClientSession::usable() const noexcept { return !expired() && connection_->reusable(); }

Status ClientSession::stream(ClientRequest request, BodySource* body, AnswerSink& sink) {
  if (expired()) {
    return Error{Code::unverified, "client.expired",
                 Detail("the server was verified too long ago: its evidence has expired")};
  }
  const bool brings_its_own = std::ranges::any_of(
      request.headers, [](const ClientHeader& each) { return each.name == "authorization"; });
  if (token_ != nullptr && !token_->empty() && !brings_its_own) {
    std::string value = "Bearer ";
    value += text_of(token_->reveal(RevealToken()));
    request.headers.push_back({"authorization", std::move(value)});
  }
  const Status sent = connection_->stream(request, body, sink);
  for (ClientHeader& each : request.headers) {
    if (each.name == "authorization") wipe(std::as_writable_bytes(std::span(each.value)));
  }
  return sent;
}

Result<ClientResponse> ClientSession::send(ClientRequest request, const ClientBody& body) {
  return answer_in_memory(body, kAnswerBytesMax, [&](BodySource& source, AnswerSink& sink) {
    return stream(std::move(request), &source, sink);
  });
}

Result<ClientResponse> ClientSession::upload(const std::string& model, const std::string& version,
                                             const ClientBody& body) {
  CLOISTER_CHECK(body.file != nullptr);
  CLOISTER_ASSIGN(const Sha256Digest digest, sha256_of_file(*body.file));
  ClientRequest request;
  request.method = "PUT";
  request.target =
      "/v2/models/" + percent_encoded(model) + "/versions/" + percent_encoded(version);
  request.headers = {{"content-type", "application/octet-stream"},
                     {"content-digest", "sha-256=:" + base64_encode(digest) + ":"}};
  return send(std::move(request), body);
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  for (const char each : text) {
    if (kPlain.find(each) != std::string_view::npos) {
      encoded += each;
      continue;
    }
    const auto value = static_cast<unsigned char>(each);
    encoded += {'%', kDigits[value >> 4], kDigits[value & 15]};
  }
  return encoded;
}

Result<Sha256Digest> sha256_of_file(const File& file) {
  CLOISTER_ASSIGN(const std::uint64_t size, file.size());
  Sha256Stream stream;
  ByteVector piece(std::min<std::uint64_t>(size, kFilePieceBytes));
  for (std::uint64_t at = 0; at < size; at += piece.size()) {
    const MutableBytes next =
        MutableBytes(piece).first(std::min<std::uint64_t>(size - at, piece.size()));
    CLOISTER_TRY(file.read_at(at, next));
    stream.update(next);
  }
  return stream.finish();
}

}  // namespace cloister
