#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/entropy.h"
#include "client/connection.h"
#include "secret/secret_bytes.h"
#include "verifier/verifier.h"

namespace cloister {

/// Whom to trust, and what third parties publish about the platform.
struct TrustSettings {
  Policy policy;
  Endorsements endorsements;
};

struct OpenedSession;

/// A connection to a server whose evidence was accepted. There is no other way to get one, so a
/// token or a tensor cannot reach a server that was not verified.
class ClientSession {
 public:
  /// Connects, judges the certificate's evidence before any application byte is sent, then asks
  /// on the same connection for fresh evidence over a nonce and the channel, and judges that.
  /// `clock` must outlive the session: the verdict is used until it expires and no longer.
  /// Fails: `unavailable` where the server cannot be reached; `busy` where it attests too often to
  /// answer within seconds; `corrupt` where it does not answer as one of ours does. A refusal is no
  /// failure: it is in the verdict.
  static Result<OpenedSession> open(const ServerUrl& url, const TrustSettings& trust,
                                    const Clock& clock, Entropy& entropy);

  /// RFC 9266, of this session's connection: what evidence of the client's own is bound to.
  const std::array<std::byte, 32>& tls_exporter() const noexcept {
    return connection_->tls_exporter();
  }

  /// Sent as a bearer token with every request from now on that brings no authorization of its
  /// own. May be null.
  void use_token(std::shared_ptr<const SecretBytes> token) noexcept { token_ = std::move(token); }

  /// Fails as Connection::exchange does, and with `unverified` once the verdict has expired: then
  /// open another session. An error answer of the server is no failure here.
  Result<ClientResponse> send(ClientRequest request, const ClientBody& body = {});
  /// The same, in pieces both ways; `body` may be null. Fails: as Connection::stream too.
  Status stream(ClientRequest request, BodySource* body, AnswerSink& sink);
  /// The certificate that the server showed, in DER.
  const ByteVector& peer_certificate() const noexcept { return connection_->peer_certificate(); }
  /// Whether another request may be sent: the connection is there and the verdict still good.
  bool usable() const noexcept;
  /// Breaks the connection, from any thread.
  void cancel() noexcept { connection_->cancel(); }

  /// Uploads a model: its SHA-256 first, then its bytes, which the server compares. The progress
  /// of `body` is told of sending alone.
  Result<ClientResponse> upload(const std::string& model, const std::string& version,
                                const ClientBody& body);

 private:
  ClientSession(std::unique_ptr<Connection> connection, std::optional<UtcSeconds> expires,
                const Clock& clock) noexcept
      : connection_(std::move(connection)), expires_(expires), clock_(clock) {}
  bool expired() const noexcept { return expires_ && clock_.utc() >= *expires_; }

  std::unique_ptr<Connection> connection_;
  std::optional<UtcSeconds> expires_;
  const Clock& clock_;
  std::shared_ptr<const SecretBytes> token_;
};

/// What came of opening a session: why it was accepted or refused, and the session if it was.
struct OpenedSession {
  Verdict verdict;
  std::unique_ptr<ClientSession> session;
};

/// `text` as one segment of a request's target, or as a query's value.
std::string percent_encoded(std::string_view text);

/// SHA-256 of all of `file`. Fails: `io`.
Result<Sha256Digest> sha256_of_file(const File& file);

}  // namespace cloister
