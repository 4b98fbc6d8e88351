#include "crypto/block_hasher.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "crypto/ipsec/processor.h"
#include "crypto/ipsec/sha256_lanes.h"

// What the library's jobs of SHA-256 end in, declared here as in crypto/ipsec/aead.cc.
extern "C" void call_sha256_x16_avx512_from_c(void* lanes, std::uint32_t steps);

namespace cloister {
namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kBlocksMin = 8;  // fewer keep too few lanes busy to be worth it

/// What sixteen hashes stand at, word by word with the lanes side by side, and where each lane goes
/// on reading, as the library lays it out.
struct alignas(64) Lanes {
  std::array<std::array<std::uint32_t, kLanes>, kSha256Start.size()> words;
  std::array<const std::byte*, kLanes> data;
};
static_assert(sizeof(Lanes) == 640);

/// The last bytes of a message of `count` bytes, a multiple of 64 (FIPS 180-4, 5.1.1).
std::array<std::byte, kSha256Step> padding_of(std::size_t count) {
  std::array<std::byte, kSha256Step> padding{std::byte{0x80}};
  put_big_endian(std::span(padding).last(8), count * 8);
  return padding;
}

/// Digests of up to sixteen blocks, all at once. Lanes to spare do the first block again.
void hash_in_lanes(Bytes input, std::size_t block, std::span<Sha256Digest> digests) {
  Lanes lanes;
  for (std::size_t i = 0; i < kSha256Start.size(); ++i) lanes.words[i].fill(kSha256Start[i]);
  for (std::size_t i = 0; i < kLanes; ++i) {
    lanes.data[i] = input.subspan(i < digests.size() ? i * block : 0).data();
  }
  call_sha256_x16_avx512_from_c(&lanes, static_cast<std::uint32_t>(block / kSha256Step));
  const auto padding = padding_of(block);
  lanes.data.fill(padding.data());
  call_sha256_x16_avx512_from_c(&lanes, 1);
  for (std::size_t lane = 0; lane < digests.size(); ++lane) {
    for (std::size_t i = 0; i < kSha256Start.size(); ++i) {
      put_big_endian(std::span(digests[lane]).subspan(4 * i, 4), lanes.words[i][lane]);
    }
  }
}

class IpsecBlockHasher final : public BlockHasher {
 public:
  std::vector<Sha256Digest> hash(Bytes input, std::size_t block) override {
    CLOISTER_CHECK(block > 0);
    const std::size_t whole = input.size() / block;
    std::vector<Sha256Digest> digests(whole + (input.size() % block == 0 ? 0 : 1));
    std::size_t done = 0;
    while (block % kSha256Step == 0 && whole - done >= kBlocksMin) {
      const std::size_t count = std::min(kLanes, whole - done);
      hash_in_lanes(input.subspan(done * block), block, std::span(digests).subspan(done, count));
      done += count;
    }
    for (; done < digests.size(); ++done) {
      const Bytes rest = input.subspan(done * block);
      digests[done] = sha256(rest.first(std::min(block, rest.size())));
    }
    return digests;
  }
};

}  // namespace

std::unique_ptr<BlockHasher> make_block_hasher_ipsec() {
  return processor_suits_ipsec() ? std::make_unique<IpsecBlockHasher>() : nullptr;
}

}  // namespace cloister
