#include <algorithm>
#include <limits>
#include <numeric>

#include "base/byte_writer.h"
#include "base/check.h"
#include "vault/catalogue.h"
#include "vault/store_keys.h"

namespace cloister {
namespace {

constexpr std::size_t kCountBytes = 4;
constexpr std::size_t kOffsetBytes = 4;
constexpr std::size_t kEntryHeadBytes = 8;

}  // namespace

Result<CatalogueImage> CatalogueImage::open(PrivateMemory memory, Bytes bytes) {
  CatalogueImage image;
  ByteReader reader(bytes);
  std::size_t total = 0;
  for (std::size_t& count : image.counts_) {
    CLOISTER_ASSIGN(count, reader.u32_le());
    total += count;
  }
  CLOISTER_TRY(reader.skip(total * kOffsetBytes));
  image.memory_ = std::move(memory);
  image.bytes_ = bytes;
  return image;
}

Result<CatalogueImage::Entry> CatalogueImage::entry(Kind kind, std::size_t index) const {
  const auto which = static_cast<std::size_t>(kind);
  CLOISTER_CHECK(index < counts_[which]);
  const std::size_t before = std::accumulate(counts_.begin(), counts_.begin() + which,
                                             std::size_t{0});
  ByteReader index_reader(bytes_.subspan(kKinds * kCountBytes + (before + index) * kOffsetBytes));
  CLOISTER_ASSIGN(const std::uint32_t offset, index_reader.u32_le());
  ByteReader reader(bytes_);
  CLOISTER_TRY(reader.skip(offset));
  CLOISTER_ASSIGN(const std::uint32_t said_size, reader.u32_le());
  CLOISTER_ASSIGN(const std::uint32_t secret_size, reader.u32_le());
  Entry entry;
  CLOISTER_ASSIGN(entry.said, reader.take(said_size));
  CLOISTER_ASSIGN(entry.secret, reader.take(secret_size));
  return entry;
}

SecretBytes CatalogueImage::encode(const std::array<std::vector<Entry>, kKinds>& entries) {
  ByteWriter index;
  std::size_t total = 0;
  for (const auto& kind : entries) {
    index.u32_le(static_cast<std::uint32_t>(kind.size()));
    total += kind.size();
  }
  std::uint64_t offset = kKinds * kCountBytes + total * kOffsetBytes;
  for (const auto& kind : entries) {
    for (const Entry& entry : kind) {
      index.u32_le(static_cast<std::uint32_t>(offset));
      offset += kEntryHeadBytes + entry.said.size() + entry.secret.size();
    }
  }
  CLOISTER_CHECK(offset <= std::numeric_limits<std::uint32_t>::max());
  SecretBytes bytes(offset);
  auto out = std::ranges::copy(index.view(), StoreKeys::write(bytes).begin()).out;
  for (const auto& kind : entries) {
    for (const Entry& entry : kind) {
      ByteWriter head;
      head.u32_le(static_cast<std::uint32_t>(entry.said.size()));
      head.u32_le(static_cast<std::uint32_t>(entry.secret.size()));
      out = std::ranges::copy(head.view(), out).out;
      out = std::ranges::copy(entry.said, out).out;
      out = std::ranges::copy(entry.secret, out).out;
    }
  }
  return bytes;
}

}  // namespace cloister
