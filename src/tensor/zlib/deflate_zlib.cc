#define ZLIB_CONST
#include <zlib.h>

#include <limits>

#include "tensor/deflate.h"

namespace cloister {
namespace {

constexpr std::size_t kStepMax = std::numeric_limits<uInt>::max();

/// Ends the stream whatever happens.
struct InflateStream {
  z_stream stream{};
  bool open = false;
  InflateStream() = default;
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;
  ~InflateStream() {
    if (open) inflateEnd(&stream);
  }
};

}  // namespace

Status inflate_exactly(Bytes deflated, MutableBytes destination) {
  // One call with room for all output lets zlib write straight to `destination` without a window
  // of its own, so that no plaintext stays behind in its memory.
  if (deflated.size() > kStepMax || destination.size() > kStepMax) {
    return Error{Code::too_large, "deflate.size"};
  }
  InflateStream inflating;
  if (inflateInit2(&inflating.stream, -MAX_WBITS) != Z_OK) {
    return Error{Code::internal, "deflate.init"};
  }
  inflating.open = true;
  std::byte unused{};
  inflating.stream.next_in = reinterpret_cast<const Bytef*>(deflated.data());
  inflating.stream.avail_in = static_cast<uInt>(deflated.size());
  inflating.stream.next_out =
      reinterpret_cast<Bytef*>(destination.empty() ? &unused : destination.data());
  inflating.stream.avail_out = static_cast<uInt>(destination.size());
  const int outcome = inflate(&inflating.stream, Z_FINISH);
  if (outcome == Z_MEM_ERROR) return Error{Code::internal, "deflate.memory"};
  if (outcome != Z_STREAM_END || inflating.stream.avail_in != 0 ||
      inflating.stream.avail_out != 0) {
    return Error{Code::invalid, "deflate.stream"};
  }
  return Done{};
}

std::uint32_t crc32_of(Bytes bytes, std::uint32_t before) noexcept {
  if (bytes.empty()) return before;  // zlib would begin anew where there is no pointer
  return static_cast<std::uint32_t>(
      crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace cloister
