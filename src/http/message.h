#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "secret/private_memory.h"

namespace cloister {

enum class HttpMethod { get, head, put, post, delete_, options };

/// A header as received: the name in lower case, the value without surrounding blanks.
struct HttpHeader {
  std::string name;
  std::string value;
};

/// What the transport knows about the connection that a request came on.
struct ConnectionFacts {
  std::uint64_t connection = 0;               ///< unique in this process
  std::array<std::byte, 32> tls_exporter{};   ///< RFC 9266 channel binding
  std::optional<std::array<std::byte, 32>> client_spki_sha256;  ///< of a client certificate, whose
                                                                ///< key the handshake has proven
  /// What the client sent, DER each, its own first, at most 32 KiB; null without a certificate.
  std::shared_ptr<const std::vector<ByteVector>> client_chain;
};

/// A request without its body. Everything is bounded by the transport (docs/wire-api.md, Limits).
struct HttpRequestHead {
  HttpMethod method = HttpMethod::get;
  std::string path;   ///< percent-decoded once; begins with `/`; no `.` or `..` segment, no NUL
  std::string query;  ///< raw, without the `?`
  std::vector<HttpHeader> headers;
  std::optional<std::uint64_t> content_length;  ///< nothing for a chunked body
  bool has_body = false;
  ConnectionFacts connection;

  /// The only value of `name` (lower case); nothing if absent. Repeats of a header that must not
  /// repeat were refused by the transport.
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    for (const HttpHeader& each : headers) {
      if (each.name == name) return each.value;
    }
    return std::nullopt;
  }
};

/// Wipes the token of a request that has done its part.
void forget_credential(HttpRequestHead& head) noexcept;

/// Pieces of a response body in memory that `owner` keeps alive until all is sent.
struct HttpBody {
  std::vector<Bytes> pieces;
  std::shared_ptr<const void> owner;
};

struct HttpResponse {
  int status = 200;
  std::vector<HttpHeader> headers;  ///< without content-length, connection, date
  HttpBody body;
  bool close = false;  ///< end the connection after this response
  /// Called on the transport's thread once the last byte went out; never where it did not.
  std::function<void()> sent;
};

/// A response whose body is `text`.
HttpResponse text_response(int status, std::string_view content_type, std::string text);

/// Where a request's body goes: one block of private memory of at most `bytes_max` bytes, reserved
/// when the first byte comes. A longer body is refused with 413 before it is read further.
struct BodyPlan {
  std::uint64_t bytes_max = 0;
  /// Seconds that the whole body may take; the transport adds its own minimum rate.
  std::uint32_t seconds_max = 60;
  /// Bytes left free before the body in its memory, which begins on a page: a few, so that what the
  /// body holds comes to lie where it is aligned.
  std::uint32_t lead = 0;
  /// Kept until the body's memory is given back or the connection ends: what counts these bytes
  /// against a principal. The transport moves it into RequestBody::hold.
  std::shared_ptr<void> hold;
  /// Tells the principals apart whose requests these are; 0: nobody's that is known.
  std::uint64_t whose = 0;
};

/// A complete request body; empty when there was none.
struct RequestBody {
  PrivateMemory memory;
  std::uint64_t size = 0;
  std::uint32_t lead = 0;      ///< BodyPlan::lead
  std::shared_ptr<void> hold;  ///< BodyPlan::hold, for as long as the memory lives
  Bytes bytes() const noexcept {
    return size == 0 ? Bytes() : memory.bytes().subspan(lead, size);
  }
};

/// Sends one response, once, from any thread. Destroying it unused answers 500 and closes.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual void send(HttpResponse response) noexcept = 0;
  /// Called at most once, on the transport's thread, if the peer goes away before `send`.
  virtual void on_peer_gone(std::function<void()> callback) = 0;
};

/// A decision on a head: read the body as planned, or answer at once without it.
using HeadDecision = std::variant<BodyPlan, HttpResponse>;

/// What the transport calls; api/ implements it.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  /// On the transport's thread, with the head complete and no body byte read: must not block.
  /// Called for every request; for one without a body the plan's size does not matter.
  virtual HeadDecision decide(const HttpRequestHead& head) = 0;
  /// On the transport's thread, once the body is complete: must hand real work to other threads.
  virtual void handle(HttpRequestHead head, RequestBody body,
                      std::shared_ptr<Responder> responder) = 0;
  /// On the transport's thread, soon after requests were handled, once for all that came together:
  /// to wake those whom the work was handed to.
  virtual void settle() noexcept {}
};

}  // namespace cloister
