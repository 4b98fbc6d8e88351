#include "vault/bare.h"

#include <algorithm>
#include <functional>
#include <thread>

#include "base/check.h"

namespace cloister {
namespace {

constexpr std::size_t kChunk = 1U << 20;

AeadNonce nonce_of(std::size_t index) {
  AeadNonce nonce{};
  for (unsigned i = 0; i < 8; ++i) nonce[i] = static_cast<std::byte>(index >> (8 * i));
  return nonce;
}

void in_threads(std::size_t count, unsigned threads, const std::function<void(unsigned)>& lane) {
  std::vector<std::jthread> others;
  for (unsigned i = 1; i < std::min<std::size_t>(threads, count); ++i) {
    others.emplace_back([&lane, i] { lane(i); });
  }
  lane(0);
}

}  // namespace

BareFile BareFile::seal(Files& files, const std::string& path, const AeadMaker& aeads,
                        Bytes plaintext, unsigned threads) {
  BareFile bare;
  bare.aead_ = aeads.make(SecretBytes(ByteVector(32, std::byte{7}))).value();
  bare.file_ = files.create(path).value();
  const std::size_t count = (plaintext.size() + kChunk - 1) / kChunk;
  bare.tags_.resize(count);
  in_threads(count, threads, [&](unsigned lane) {
    ByteVector buffer(kChunk);
    for (std::size_t i = lane; i < count; i += threads) {
      const std::size_t size = std::min(kChunk, plaintext.size() - i * kChunk);
      const MutableBytes sealed = MutableBytes(buffer).first(size);
      bare.tags_[i] = bare.aead_->seal(nonce_of(i), {}, plaintext.subspan(i * kChunk, size),
                                       sealed).value();
      CLOISTER_CHECK(bare.file_->write_at(i * kChunk, sealed).ok());
    }
  });
  CLOISTER_CHECK(bare.file_->sync().ok());
  return bare;
}

void BareFile::open(MutableBytes destination, unsigned threads, bool beside) const {
  in_threads(tags_.size(), threads, [&](unsigned lane) {
    ByteVector buffer(beside ? kChunk : 0);
    // Two at a time, a huge page: two threads that touch a fresh one together both clear one.
    for (std::size_t i = 2 * lane; i < tags_.size(); i += i % 2 == 0 ? 1 : 2 * threads - 1) {
      const std::size_t size = std::min(kChunk, destination.size() - i * kChunk);
      const MutableBytes plaintext = destination.subspan(i * kChunk, size);
      const MutableBytes sealed = beside ? MutableBytes(buffer).first(size) : plaintext;
      CLOISTER_CHECK(file_->read_at(i * kChunk, sealed).ok());
      CLOISTER_CHECK(aead_->open(nonce_of(i), {}, sealed, tags_[i], plaintext).ok());
    }
  });
}

}  // namespace cloister
