#include "base/posix/posix_entropy.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace cloister {
namespace {

TEST(PosixEntropy, FillsAllOfALargeDestination) {
  PosixEntropy entropy;
  ByteVector bytes(1 << 20);
  ASSERT_TRUE(entropy.fill(bytes).ok());
  // A run of 64 zero bytes has odds of 2^-492 in random bytes and is what a short fill leaves.
  EXPECT_EQ(std::search_n(bytes.begin(), bytes.end(), 64, std::byte{0}), bytes.end());
}

TEST(PosixEntropy, DoesNotRepeatItself) {
  PosixEntropy entropy;
  ByteVector first(32);
  ByteVector second(32);
  ASSERT_TRUE(entropy.fill(first).ok());
  ASSERT_TRUE(entropy.fill(second).ok());
  EXPECT_NE(first, second);
}

TEST(PosixEntropy, AcceptsAnEmptyDestination) {
  PosixEntropy entropy;
  EXPECT_TRUE(entropy.fill({}).ok());
}

}  // namespace
}  // namespace cloister
