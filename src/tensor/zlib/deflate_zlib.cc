#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>

#include "tensor/deflate.h"

namespace cloister {
namespace {

constexpr std::size_t kStepMax = std::numeric_limits<uInt>::max();
constexpr int kLevel = 1;  // tensors hardly compress better at ten times the cost
constexpr int kMemoryLevel = 8;

int window_bits_of(DeflateForm form) noexcept {
  switch (form) {
    case DeflateForm::zlib: return MAX_WBITS;
    case DeflateForm::gzip: return MAX_WBITS + 16;
    case DeflateForm::raw: break;
  }
  return -MAX_WBITS;
}

/// What zlib keeps of the data in its own memory is wiped with it. The size stands in front.
constexpr std::size_t kPrefix = alignof(std::max_align_t);

voidpf take_memory(voidpf, uInt count, uInt size) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(std::size_t{count}, std::size_t{size}, &bytes)) return Z_NULL;
  void* block = std::malloc(kPrefix + bytes);
  if (block == nullptr) return Z_NULL;
  std::memcpy(block, &bytes, sizeof bytes);
  return static_cast<std::byte*>(block) + kPrefix;
}

void give_memory(voidpf, voidpf memory) {
  if (memory == Z_NULL) return;
  std::byte* const block = static_cast<std::byte*>(memory) - kPrefix;
  std::size_t bytes = 0;
  std::memcpy(&bytes, block, sizeof bytes);
  ::explicit_bzero(memory, bytes);
  std::free(block);
}

/// Ends the stream whatever happens.
struct Stream {
  z_stream stream{};
  int (*end)(z_streamp) = nullptr;
  Stream() {
    stream.zalloc = take_memory;
    stream.zfree = give_memory;
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (end != nullptr) end(&stream);
  }
};

/// All of `deflated` in one call with room for all output, so that zlib writes straight to the
/// destination and needs no window of its own.
Result<std::size_t> inflate_all(Bytes deflated, DeflateForm form, MutableBytes destination) {
  if (deflated.size() > kStepMax || destination.size() > kStepMax) {
    return Error{Code::too_large, "deflate.size"};
  }
  Stream inflating;
  z_stream& stream = inflating.stream;
  if (inflateInit2(&stream, window_bits_of(form)) != Z_OK) {
    return Error{Code::internal, "deflate.init"};
  }
  inflating.end = inflateEnd;
  std::byte unused{};
  stream.next_in = reinterpret_cast<const Bytef*>(deflated.data());
  stream.avail_in = static_cast<uInt>(deflated.size());
  stream.next_out = reinterpret_cast<Bytef*>(destination.empty() ? &unused : destination.data());
  stream.avail_out = static_cast<uInt>(destination.size());
  const int outcome = inflate(&stream, Z_FINISH);
  if (outcome == Z_MEM_ERROR) return Error{Code::internal, "deflate.memory"};
  if (outcome == Z_BUF_ERROR && stream.avail_out == 0) {
    return Error{Code::too_large, "deflate.room"};
  }
  if (outcome != Z_STREAM_END || stream.avail_in != 0) {
    return Error{Code::invalid, "deflate.stream"};
  }
  return destination.size() - stream.avail_out;
}

}  // namespace

Status inflate_exactly(Bytes deflated, MutableBytes destination) {
  const auto size = inflate_all(deflated, DeflateForm::raw, destination);
  if (size.ok() && size.value() == destination.size()) return Done{};
  if (!size.ok() && size.error().code == Code::internal) return size.error();
  return Error{Code::invalid, "deflate.stream"};
}

Result<std::size_t> inflate_up_to(Bytes deflated, DeflateForm form, MutableBytes destination) {
  return inflate_all(deflated, form, destination);
}

std::uint64_t deflate_bound(std::uint64_t size) noexcept {
  // What stored blocks take at zlib's block size of this memory level, headers and trailers.
  return size + size / 1000 + 256;
}

Result<std::size_t> deflate_into(std::span<const Bytes> pieces, DeflateForm form,
                                 MutableBytes destination) {
  Stream deflating;
  z_stream& stream = deflating.stream;
  if (destination.size() > kStepMax) return Error{Code::too_large, "deflate.size"};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, window_bits_of(form), kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return Error{Code::internal, "deflate.init"};
  }
  deflating.end = deflateEnd;
  stream.next_out = reinterpret_cast<Bytef*>(destination.data());
  stream.avail_out = static_cast<uInt>(destination.size());
  for (Bytes rest : pieces) {
    while (!rest.empty()) {
      const std::size_t step = std::min(rest.size(), kStepMax);
      stream.next_in = reinterpret_cast<const Bytef*>(rest.data());
      stream.avail_in = static_cast<uInt>(step);
      if (deflate(&stream, Z_NO_FLUSH) != Z_OK || stream.avail_in != 0) {
        return Error{Code::too_large, "deflate.room"};
      }
      rest = rest.subspan(step);
    }
  }
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return Error{Code::too_large, "deflate.room"};
  return destination.size() - stream.avail_out;
}

std::uint32_t crc32_of(Bytes bytes, std::uint32_t before) noexcept {
  if (bytes.empty()) return before;  // zlib would begin anew where there is no pointer
  return static_cast<std::uint32_t>(
      crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace cloister
