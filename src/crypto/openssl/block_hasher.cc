#include "crypto/block_hasher.h"

#include <algorithm>

namespace cloister {
namespace {

class OpenSslBlockHasher final : public BlockHasher {
 public:
  std::vector<Sha256Digest> hash(Bytes input, std::size_t block) override {
    std::vector<Sha256Digest> digests;
    digests.reserve(input.size() / block + 1);
    while (!input.empty()) {
      const std::size_t size = std::min(block, input.size());
      digests.push_back(sha256(input.first(size)));
      input = input.subspan(size);
    }
    return digests;
  }
};

}  // namespace

std::unique_ptr<BlockHasher> make_block_hasher_openssl() {
  return std::make_unique<OpenSslBlockHasher>();
}

}  // namespace cloister
