#include "crypto/block_hasher.h"

#include <intel-ipsec-mb.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/check.h"
#include "crypto/ipsec/library.h"

namespace cloister {
namespace {

constexpr std::size_t kBlockMax = 32768;  // the library counts a job's bytes in 16 bits
constexpr std::size_t kLaneBytes = 64;    // what SHA-256 takes at once
constexpr std::size_t kJobsMin = 8;       // fewer keep too few lanes busy to be worth it
constexpr std::size_t kJobsMax = 128;     // half of what the library's queue holds

class IpsecBlockHasher final : public BlockHasher {
 public:
  explicit IpsecBlockHasher(IpsecLibrary library) noexcept : library_(std::move(library)) {}

  std::vector<Sha256Digest> hash(Bytes input, std::size_t block) override {
    CLOISTER_CHECK(block > 0 && block <= kBlockMax);
    const std::size_t whole = input.size() / block;
    std::vector<Sha256Digest> digests(whole + (input.size() % block == 0 ? 0 : 1));
    // The library keeps copies of what is left over past the last whole 64 bytes of a block.
    const bool in_lanes = whole >= kJobsMin && block % kLaneBytes == 0;
    for (std::size_t i = 0; in_lanes && i < whole; i += kJobsMax) {
      hash_in_lanes(input.subspan(i * block), block,
                    std::span(digests).subspan(i, std::min(kJobsMax, whole - i)));
    }
    for (std::size_t i = in_lanes ? whole : 0; i < digests.size(); ++i) {
      digests[i] = sha256(input.subspan(i * block, std::min(block, input.size() - i * block)));
    }
    return digests;
  }

 private:
  void hash_in_lanes(Bytes input, std::size_t block, std::span<Sha256Digest> digests) {
    std::size_t done = 0;
    const auto count = [&done](const IMB_JOB* job) {
      if (job == nullptr) return false;
      CLOISTER_CHECK(job->status == IMB_STATUS_COMPLETED);
      ++done;
      return true;
    };
    for (std::size_t i = 0; i < digests.size(); ++i) {
      IMB_JOB* job = IMB_GET_NEXT_JOB(library_.get());
      *job = IMB_JOB{};
      job->cipher_mode = IMB_CIPHER_NULL;
      job->cipher_direction = IMB_DIR_ENCRYPT;
      job->chain_order = IMB_ORDER_HASH_CIPHER;
      job->hash_alg = IMB_AUTH_SHA_256;
      job->src = reinterpret_cast<const std::uint8_t*>(input.subspan(i * block).data());
      job->msg_len_to_hash_in_bytes = block;
      job->auth_tag_output = reinterpret_cast<std::uint8_t*>(digests[i].data());
      job->auth_tag_output_len_in_bytes = digests[i].size();
      count(IMB_SUBMIT_JOB(library_.get()));
    }
    while (count(IMB_FLUSH_JOB(library_.get()))) continue;
    CLOISTER_CHECK(done == digests.size());
  }

  IpsecLibrary library_;
};

}  // namespace

std::unique_ptr<BlockHasher> make_block_hasher_ipsec() {
  IpsecLibrary library = open_ipsec_library();
  if (library == nullptr) return nullptr;
  return std::make_unique<IpsecBlockHasher>(std::move(library));
}

}  // namespace cloister
