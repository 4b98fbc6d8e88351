#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

/// Takes the chunked coding off a request body, in any pieces. Strict: CR LF only, sizes of at
/// most 15 digits, lines of at most 64 bytes (extensions are skipped), trailers skipped within
/// 4 KiB. Chunks must hold 64 bytes on average once there are more than 4096, so that work is
/// bounded by bytes (CVE-2025-23310, CVE-2025-23311).
/// Source: RFC 9112, 7.1.
class ChunkedBody {
 public:
  /// `bytes_max`: what the body may hold without the coding.
  explicit ChunkedBody(std::uint64_t bytes_max) noexcept : room_(bytes_max) {}

  struct Step {
    std::size_t consumed = 0;  ///< of the input
    std::size_t produced = 0;  ///< into the output
  };
  /// Decodes as much of `input` as there is; `output` has room for as many bytes, or for what
  /// `bytes_max` leaves. Fails: `invalid` for what is not the coding, `too_large` past `bytes_max`
  /// and for too many small chunks. Not to be called again after a failure.
  Result<Step> decode(Bytes input, MutableBytes output);

  bool finished() const noexcept { return state_ == State::finished; }
  /// Bytes of the chunk under way that are yet to come. A caller may receive that many right into
  /// the output and then say so.
  std::uint64_t chunk_left() const noexcept { return state_ == State::content ? left_ : 0; }
  void received(std::uint64_t count);

 private:
  enum class State {
    size, extension, size_end, content, content_cr, content_lf, trailer_start, trailer,
    trailer_end, last_lf, finished
  };
  Status take(char c);
  Status take_size(char c);
  Status begin_chunk();

  State state_ = State::size;
  std::uint64_t room_;
  std::uint64_t left_ = 0;
  std::uint64_t total_ = 0;
  std::uint64_t chunks_ = 0;
  std::size_t digits_ = 0;
  std::size_t line_ = 0;
  std::size_t trailer_bytes_ = 0;
};

}  // namespace cloister
