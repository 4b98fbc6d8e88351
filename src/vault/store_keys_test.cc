#include "vault/store_keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "support/fake_entropy.h"

namespace cloister {
namespace {

SecretBytes filled(std::size_t size, int value) {
  return SecretBytes(ByteVector(size, static_cast<std::byte>(value)));
}

/// tests/vault/vectors.txt, which tests/vault/interop_test.py computes without this code.
std::vector<std::string> vectors() {
  std::ifstream file("tests/vault/vectors.txt");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

class StoreKeysTest : public testing::Test {
 protected:
  const std::unique_ptr<AeadMaker> aeads_ = make_aeads_openssl();
  const SecretBytes parent_ =
      hkdf_sha256(filled(32, 1), filled(32, 2), bytes_of("info"), 32).value();
};

TEST_F(StoreKeysTest, RefusesAnotherParentLabelHeaderAndEveryFlippedByte) {
  CountingEntropy entropy;
  const SecretBytes plaintext = filled(40, 9);
  const ByteVector sealed = StoreKeys::seal(*aeads_, entropy, parent_, "label", bytes_of("header"),
                                            plaintext).value();
  const auto opens = [&](const SecretBytes& parent, const char* label, const char* header,
                         Bytes bytes) {
    return StoreKeys::open(*aeads_, parent, label, bytes_of(header), bytes).ok();
  };
  EXPECT_TRUE(opens(parent_, "label", "header", sealed));
  EXPECT_FALSE(opens(filled(32, 1), "label", "header", sealed));
  EXPECT_FALSE(opens(parent_, "Label", "header", sealed));
  EXPECT_FALSE(opens(parent_, "label", "headed", sealed));
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(opens(parent_, "label", "header", Bytes(sealed).first(size)));
    ByteVector damaged = sealed;
    damaged[size] ^= std::byte{1};
    EXPECT_FALSE(opens(parent_, "label", "header", damaged)) << "byte " << size;
  }
}

TEST_F(StoreKeysTest, FailsWhereThereIsNoRandomness) {
  CountingEntropy entropy;
  entropy.fail_at(0);
  EXPECT_EQ(StoreKeys::seal(*aeads_, entropy, parent_, "label", {}, filled(4, 1)).error().code,
            Code::io);
}

TEST_F(StoreKeysTest, NeverUsesAKeyForTwoPlaintextsWhenRandomnessRepeats) {
  const auto seed_of = [&](int value) {
    CountingEntropy entropy(77);
    const auto sealed = StoreKeys::seal(*aeads_, entropy, parent_, "label", {}, filled(40, value));
    return copy_of(Bytes(sealed.value()).first(kSeedBytes));
  };
  EXPECT_NE(seed_of(1), seed_of(2));
  EXPECT_EQ(seed_of(1), seed_of(1));
}

TEST_F(StoreKeysTest, AgreesWithTheIndependentImplementation) {
  const auto expected = vectors();
  ASSERT_EQ(expected.size(), 3U);
  // The test's randomness there: SHA-256 of the seed 1 and the counter 0, each as u64.
  ByteVector counters(16);
  counters[0] = std::byte{1};
  RecordedEntropy entropy(copy_of(sha256(counters)));
  const auto sealed = StoreKeys::seal(*aeads_, entropy, parent_, "label", bytes_of("header"),
                                      SecretBytes(copy_of(bytes_of("plaintext"))));
  EXPECT_EQ(hex_of(sealed.value()), expected[0]);

  VersionEntry entry;
  entry.file.fill(std::byte{3});
  entry.record.sha256.fill(std::byte{4});
  entry.graph_bytes = 5;
  entry.weights_bytes = 9;
  ByteVector seed(kSeedBytes);
  for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::byte>(i);
  entry.seed = SecretBytes(std::move(seed));
  const StoreKeys keys(*aeads_, SecretBytes(copy_of(StoreKeys::read(parent_))));
  const SecretBytes segment = keys.segment_key(entry, Segment::weights).value();
  EXPECT_EQ(hex_of(StoreKeys::read(segment)), expected[1]);

  const auto cipher = keys.chunk_cipher(
      keys.chunk_keys(entry, Segment::weights).value(), 7, true,
      ChunkHasher(AeadChoice::openssl, 1).leaf_of(bytes_of("chunk"), 0)).value();
  ByteVector chunk = copy_of(bytes_of("chunk"));
  const AeadTag tag = cipher->seal(chunk_nonce(7),
                                   chunk_associated(entry.file, Segment::weights, 7, true), chunk,
                                   chunk).value();
  EXPECT_EQ(hex_of(chunk) + hex_of(tag), expected[2]);
}

}  // namespace
}  // namespace cloister
