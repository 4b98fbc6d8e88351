#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/files.h"
#include "base/result.h"

namespace cloister {

/// A body of at most so many bytes is sent without asking first.
inline constexpr std::uint64_t kUnaskedBytesMax = 1U << 20;

/// Where a server is. `host` is a name or a numeric address, IPv6 without its brackets.
struct ServerUrl {
  std::string host;
  std::uint16_t port = 443;
};
/// Reads `https://HOST[:PORT]` with nothing after it but `/`. Fails: `unverified` for `http://`,
/// which nobody could verify; `invalid` for anything else.
Result<ServerUrl> parse_server_url(std::string_view url);

struct ClientHeader {
  std::string name;  ///< of an answer: in lower case
  std::string value;
};

/// A request without its body. `target` begins with `/` and is percent-encoded.
struct ClientRequest {
  std::string method;
  std::string target;
  std::vector<ClientHeader> headers;  ///< without host and content-length
};

/// What a request carries: bytes in memory, or the whole of a file. Both stay the caller's.
struct ClientBody {
  Bytes memory;
  const File* file = nullptr;
  /// Called as bytes are sent, with how many were and how many there are.
  std::function<void(std::uint64_t sent, std::uint64_t total)> progress;
};

struct ClientResponse {
  int status = 0;
  std::vector<ClientHeader> headers;
  std::string body;

  /// The first header of that lower-case name.
  std::optional<std::string_view> header(std::string_view name) const noexcept;
};

/// Where the bytes of a request's body come from, piece by piece.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// How many bytes will come in all; nothing where that is not known: they are sent in chunks.
  virtual std::optional<std::uint64_t> size() const noexcept = 0;
  /// The next piece, good until the next call; an empty one at the end. Called only once the
  /// server wants the body, and again only when the piece before was sent. Fails: as it does.
  virtual Result<Bytes> next() = 0;
};

/// Where an answer goes as it comes. What fails here ends the exchange with that failure.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  /// Once, before any piece. `head` has no body yet; `body_bytes`: how many bytes will be taken,
  /// nothing where the server does not say.
  virtual Status begin(ClientResponse head, std::optional<std::uint64_t> body_bytes) = 0;
  virtual Status take(Bytes piece) = 0;
};

struct ConnectionSettings {
  /// A service of the web's: TLS 1.2 too, and a certificate that leads to one of the system's
  /// roots, or to one in `roots_file` (PEM) where that is named.
  bool public_service = false;
  std::string roots_file;
  std::chrono::seconds connect_time_max{15};  ///< for one address, handshake included
  std::chrono::seconds stall_time_max{330};   ///< without a byte either way
};

/// One TLS 1.3 connection with HTTP/1.1 on it, used from one thread. Whose it is has not been
/// checked: ClientSession does that. After any failure it is of no more use.
class Connection {
 public:
  virtual ~Connection() = default;
  /// The certificate that the peer showed, whose key it has, in DER.
  virtual const ByteVector& peer_certificate() const noexcept = 0;
  /// RFC 9266: the same at both ends of this connection and nowhere else.
  virtual const std::array<std::byte, 32>& tls_exporter() const noexcept = 0;
  /// Sends one request and hands its answer on as it comes. `body` may be null. Where more than
  /// kUnaskedBytesMax bytes or an unknown number of them follow, waits for the server's agreement
  /// (100-continue) before sending any, and takes an early refusal for the answer.
  /// Fails: `unavailable` (the connection broke or stalled), `corrupt` for an answer that is no
  /// HTTP, as `body` and `sink` do.
  virtual Status stream(const ClientRequest& request, BodySource* body, AnswerSink& sink) = 0;
  /// Whether another request may follow: nothing failed, both ends keep the connection, and as
  /// far as can be seen without asking the server is still there.
  virtual bool reusable() const noexcept = 0;
  /// Breaks the connection; an exchange under way on another thread fails. From any thread, while
  /// the connection lives.
  virtual void cancel() noexcept = 0;
};

/// Runs `exchange`, a call of some `stream`, with `body` for its source, and returns the whole
/// answer. Fails: as `exchange` does; `too_large` for an answer past `answer_bytes_max`, `io` where
/// the body's file cannot be read.
Result<ClientResponse> answer_in_memory(
    const ClientBody& body, std::uint64_t answer_bytes_max,
    const std::function<Status(BodySource& body, AnswerSink& sink)>& exchange);

/// Connects, with the handshake done and no application byte sent. The caller ignores SIGPIPE.
/// Fails: `unavailable` where nobody is there; `unverified` where somebody answers with plain text,
/// older TLS or a handshake that does not hold. The Detail says which. Implemented by client/tls.
Result<std::unique_ptr<Connection>> connect_tls(const ServerUrl& url,
                                                const ConnectionSettings& settings);

}  // namespace cloister
