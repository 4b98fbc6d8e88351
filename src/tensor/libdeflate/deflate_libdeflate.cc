#include <libdeflate.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/byte_reader.h"
#include "tensor/deflate.h"

namespace cloister {
namespace {

constexpr int kLevel = 1;  // tensors hardly compress better at ten times the cost

/// What the library keeps of the data in its own memory is wiped with it. The size stands in front.
constexpr std::size_t kPrefix = alignof(std::max_align_t);

void* take_memory(std::size_t bytes) {
  std::size_t whole = 0;
  if (__builtin_add_overflow(bytes, kPrefix, &whole)) return nullptr;
  void* const block = std::malloc(whole);
  if (block == nullptr) return nullptr;
  std::memcpy(block, &bytes, sizeof bytes);
  return static_cast<std::byte*>(block) + kPrefix;
}

void give_memory(void* memory) {
  if (memory == nullptr) return;
  std::byte* const block = static_cast<std::byte*>(memory) - kPrefix;
  std::size_t bytes = 0;
  std::memcpy(&bytes, block, sizeof bytes);
  ::explicit_bzero(memory, bytes);
  std::free(block);
}

/// The library knows one allocator for the whole process, to be set before anything is allocated.
void set_allocator_once() {
  [[maybe_unused]] static const bool is_set = [] {
    libdeflate_set_memory_allocator(take_memory, give_memory);
    return true;
  }();
}

struct Free {
  void operator()(libdeflate_compressor* one) const noexcept { libdeflate_free_compressor(one); }
  void operator()(libdeflate_decompressor* one) const noexcept {
    libdeflate_free_decompressor(one);
  }
};
using Compressor = std::unique_ptr<libdeflate_compressor, Free>;
using Decompressor = std::unique_ptr<libdeflate_decompressor, Free>;

auto inflate_of(DeflateForm form) noexcept {
  switch (form) {
    case DeflateForm::zlib: return libdeflate_zlib_decompress_ex;
    case DeflateForm::gzip: return libdeflate_gzip_decompress_ex;
    case DeflateForm::raw: break;
  }
  return libdeflate_deflate_decompress_ex;
}

auto deflate_of(DeflateForm form) noexcept {
  switch (form) {
    case DeflateForm::zlib: return libdeflate_zlib_compress;
    case DeflateForm::gzip: return libdeflate_gzip_compress;
    case DeflateForm::raw: break;
  }
  return libdeflate_deflate_compress;
}

/// The library passes over the checksum that a gzip header may have (RFC 1952, FHCRC).
Status check_gzip_header(Bytes gzip) {
  constexpr unsigned kHasChecksum = 1U << 1;
  constexpr unsigned kHasExtra = 1U << 2;
  constexpr unsigned kHasName = 1U << 3;
  constexpr unsigned kHasComment = 1U << 4;
  ByteReader reader(gzip);
  CLOISTER_TRY(reader.skip(3));  // magic, method
  CLOISTER_ASSIGN(const unsigned flags, reader.u8());
  if ((flags & kHasChecksum) == 0) return Done{};
  CLOISTER_TRY(reader.skip(6));  // time, level, system
  if ((flags & kHasExtra) != 0) {
    CLOISTER_ASSIGN(const std::uint16_t extra, reader.u16_le());
    CLOISTER_TRY(reader.skip(extra));
  }
  for (const unsigned text : {kHasName, kHasComment}) {
    while ((flags & text) != 0) {
      CLOISTER_ASSIGN(const std::uint8_t character, reader.u8());
      if (character == 0) break;
    }
  }
  const Bytes header = gzip.first(gzip.size() - reader.remaining());
  CLOISTER_ASSIGN(const std::uint16_t checksum, reader.u16_le());
  if (checksum == (crc32_of(header) & 0xFFFF)) return Done{};
  return Error{Code::corrupt, "deflate.header"};
}

}  // namespace

Status inflate_exactly(Bytes deflated, MutableBytes destination) {
  const auto size = inflate_up_to(deflated, DeflateForm::raw, destination);
  if (size.ok() && size.value() == destination.size()) return Done{};
  if (!size.ok() && size.error().code == Code::internal) return size.error();
  return Error{Code::invalid, "deflate.stream"};
}

// The library gives a meaning to a few codes that RFC 1951 reserves (lengths 286 and 287, distances
// 30 and 31, repeats past the last code length), always the same one, and never past the room.
Result<std::size_t> inflate_up_to(Bytes deflated, DeflateForm form, MutableBytes destination) {
  set_allocator_once();
  const Decompressor inflating(libdeflate_alloc_decompressor());
  if (!inflating) return Error{Code::internal, "deflate.memory"};
  std::byte nothing{};  // for the library's arithmetic, where a span has no memory
  std::size_t taken = 0;
  std::size_t yielded = 0;
  const libdeflate_result outcome = inflate_of(form)(
      inflating.get(), deflated.empty() ? &nothing : deflated.data(), deflated.size(),
      destination.empty() ? &nothing : destination.data(), destination.size(), &taken, &yielded);
  if (outcome == LIBDEFLATE_INSUFFICIENT_SPACE) return Error{Code::too_large, "deflate.room"};
  if (outcome != LIBDEFLATE_SUCCESS || taken != deflated.size() ||
      (form == DeflateForm::gzip && !check_gzip_header(deflated).ok())) {
    return Error{Code::invalid, "deflate.stream"};
  }
  return yielded;
}

std::uint64_t deflate_bound(std::uint64_t size) noexcept {
  // Of the forms gzip has the longest header and trailer.
  return libdeflate_gzip_compress_bound(nullptr, size);
}

Result<std::size_t> deflate_into(Bytes bytes, DeflateForm form, MutableBytes destination) {
  set_allocator_once();
  const Compressor deflating(libdeflate_alloc_compressor(kLevel));
  if (!deflating) return Error{Code::internal, "deflate.memory"};
  std::byte nothing{};
  const std::size_t written = deflate_of(form)(
      deflating.get(), bytes.empty() ? &nothing : bytes.data(), bytes.size(),
      destination.empty() ? &nothing : destination.data(), destination.size());
  if (written == 0) return Error{Code::too_large, "deflate.room"};
  return written;
}

std::uint32_t crc32_of(Bytes bytes, std::uint32_t before) noexcept {
  if (bytes.empty()) return before;  // the library would begin anew where there is no pointer
  return libdeflate_crc32(before, bytes.data(), bytes.size());
}

}  // namespace cloister
