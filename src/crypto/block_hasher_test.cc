#include "crypto/block_hasher.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace cloister {
namespace {

ByteVector example_input(std::size_t size) {
  ByteVector bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 11 + i / 509);
  return bytes;
}

class BlockHasherTest : public testing::TestWithParam<std::unique_ptr<BlockHasher> (*)()> {};

TEST_P(BlockHasherTest, AgreesWithSha256ForEveryNumberAndSizeOfBlocks) {
  const auto hasher = GetParam()();
  if (hasher == nullptr) GTEST_SKIP() << "this CPU lacks what it needs";
  for (const std::size_t block : {1, 63, 64, 100, 4096, 16384, 32768}) {
    for (const std::size_t blocks : {0, 1, 7, 8, 15, 16, 17, 64, 129, 300}) {
      for (const std::size_t rest : {std::size_t{0}, std::size_t{1}, block / 2, block - 1}) {
        const ByteVector input = example_input(block * blocks + rest);
        std::vector<Sha256Digest> expected;
        for (std::size_t at = 0; at < input.size(); at += block) {
          expected.push_back(sha256(Bytes(input).subspan(at, std::min(block, input.size() - at))));
        }
        ASSERT_EQ(hasher->hash(input, block), expected)
            << blocks << " of " << block << " and " << rest;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(OpenSsl, BlockHasherTest, testing::Values(&make_block_hasher_openssl));
INSTANTIATE_TEST_SUITE_P(Ipsec, BlockHasherTest, testing::Values(&make_block_hasher_ipsec));

}  // namespace
}  // namespace cloister
