#pragma once

#include <string_view>

#include "base/bytes.h"
#include "http/message.h"
#include "net/request_head.h"

namespace cloister {

/// The answer to a request that the transport turns away: `{"error": ..., "code": ...}`.
HttpResponse refusal_response(const HttpRefusal& refusal);

/// One response on its way out: the head, then the body's pieces. Long pieces go out from where
/// they lie; the head and short pieces are gathered, a TLS record at a time.
class ResponseStream {
 public:
  ResponseStream() = default;
  ResponseStream(const ResponseStream&) = delete;
  ResponseStream& operator=(const ResponseStream&) = delete;
  ~ResponseStream() { finish(); }

  struct Framing {
    bool head_only = false;  ///< the answer to HEAD: a length, but no body
    bool close = false;      ///< the connection ends after it
  };
  /// A header that could end its own line makes the answer a 500.
  void start(HttpResponse response, Framing framing);
  /// "100 Continue": not an answer yet.
  void start_continue();

  /// What to write next, nothing when all is written. Stays the same until consumed.
  Bytes front();
  void consume(std::size_t count);
  /// Wipes what was gathered and lets go of the body.
  void finish() noexcept;

 private:
  void gather(std::string_view text);
  void gather_pieces();

  ByteVector gathered_;
  std::size_t gathered_at_ = 0;
  HttpBody body_;
  std::size_t piece_ = 0;     ///< the piece under way
  std::size_t piece_at_ = 0;  ///< bytes of it that are written or gathered
};

}  // namespace cloister
