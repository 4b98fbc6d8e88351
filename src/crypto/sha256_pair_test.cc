#include "crypto/sha256_pair.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace cloister {
namespace {

ByteVector example_input(std::size_t size, std::size_t seed) {
  ByteVector bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251 + seed);
  return bytes;
}

/// `message` cut at random places, empty pieces among them.
std::vector<Bytes> cut(Bytes message, std::minstd_rand& random) {
  std::vector<Bytes> pieces;
  while (!message.empty()) {
    const std::size_t size = random() % 3 == 0 ? message.size() : random() % (message.size() + 1);
    pieces.push_back(message.first(size));
    message = message.subspan(size);
  }
  return pieces;
}

using Way = Sha256Pair (*)(std::span<const Bytes>, std::span<const Bytes>);

class Sha256PairTest : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (GetParam() == &sha256_pair_ipsec && !can_pair_ipsec()) {
      GTEST_SKIP() << "this CPU lacks instructions for SHA-256";
    }
  }
};

TEST_P(Sha256PairTest, AgreesWithSha256ForEverySmallSize) {
  for (std::size_t first = 0; first < 200; ++first) {
    for (const std::size_t second : {std::size_t{0}, std::size_t{1}, first, 199 - first}) {
      const ByteVector one = example_input(first, 1);
      const ByteVector two = example_input(second, 2);
      const Sha256Pair digests =
          GetParam()(std::vector<Bytes>{one}, std::vector<Bytes>{two});
      ASSERT_EQ(digests, (Sha256Pair{sha256(one), sha256(two)})) << first << " and " << second;
    }
  }
}

TEST_P(Sha256PairTest, AgreesWithSha256HoweverMessagesAreCut) {
  std::minstd_rand random(5);
  for (int round = 0; round < 2000; ++round) {
    const ByteVector one = example_input(random() % 3000, 3);
    const ByteVector two = example_input(random() % 300, 4);
    const Sha256Pair digests = GetParam()(cut(one, random), cut(two, random));
    ASSERT_EQ(digests, (Sha256Pair{sha256(one), sha256(two)})) << "round " << round;
  }
}

TEST_P(Sha256PairTest, TakesLargeMessages) {
  const ByteVector one = example_input((5U << 20) + 13, 5);
  const ByteVector two = example_input(1U << 20, 6);
  EXPECT_EQ(GetParam()(std::vector<Bytes>{one}, std::vector<Bytes>{two}),
            (Sha256Pair{sha256(one), sha256(two)}));
}

INSTANTIATE_TEST_SUITE_P(Chosen, Sha256PairTest, testing::Values(&sha256_pair));
INSTANTIATE_TEST_SUITE_P(OpenSsl, Sha256PairTest, testing::Values(&sha256_pair_openssl));
INSTANTIATE_TEST_SUITE_P(Ipsec, Sha256PairTest, testing::Values(&sha256_pair_ipsec));

}  // namespace
}  // namespace cloister
