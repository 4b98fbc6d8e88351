#include "vault/store_keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
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

TEST_F(StoreKeysTest, RefusesPiecesThatAreLeftOutSwappedOrChangedAndOpensTheRestInAnyWay) {
  constexpr std::size_t kPiece = StoreKeys::kPieceBytes;
  CountingEntropy entropy;
  SecretBytes plaintext(2 * kPiece + 5);
  StoreKeys::write(plaintext)[kPiece] = std::byte{7};
  const ByteVector sealed =
      StoreKeys::seal(*aeads_, entropy, parent_, "label", {}, plaintext).value();
  ASSERT_EQ(StoreKeys::tag_bytes(sealed.size()), 3 * kAeadTagBytes);
  const auto opens = [&](ByteVector bytes) {
    const auto whole = StoreKeys::open(*aeads_, parent_, "label", {}, bytes);
    const ByteVector source = bytes;
    const auto fetch = [&source](std::size_t offset, MutableBytes destination) -> Status {
      std::ranges::copy(Bytes(source).subspan(offset, destination.size()), destination.begin());
      return Done{};
    };
    const auto in_place = StoreKeys::open_in_place(*aeads_, parent_, "label", {}, bytes, 2, fetch);
    EXPECT_EQ(whole.ok(), in_place.ok());
    if (!whole.ok() || !in_place.ok()) return false;
    return std::ranges::equal(StoreKeys::read(whole.value()), StoreKeys::read(plaintext)) &&
           std::ranges::equal(in_place.value(), StoreKeys::read(plaintext));
  };
  EXPECT_TRUE(opens(sealed));
  for (const std::size_t at : {kSeedBytes, kSeedBytes + kPiece, kSeedBytes + 2 * kPiece,
                               sealed.size() - 1, sealed.size() - 20, sealed.size() - 40}) {
    ByteVector damaged = sealed;
    damaged[at] ^= std::byte{1};
    EXPECT_FALSE(opens(damaged)) << "byte " << at;
  }
  ByteVector swapped = sealed;  // the first two pieces, with their tags
  const auto piece = swapped.begin() + kSeedBytes;
  std::swap_ranges(piece, piece + kPiece, piece + kPiece);
  const auto tag = swapped.end() - 3 * kAeadTagBytes;
  std::swap_ranges(tag, tag + kAeadTagBytes, tag + kAeadTagBytes);
  EXPECT_FALSE(opens(swapped));
  ByteVector shorter = sealed;  // without the last piece and its tag
  shorter.erase(shorter.end() - kAeadTagBytes, shorter.end());
  shorter.erase(shorter.begin() + kSeedBytes + 2 * kPiece, shorter.end() - 2 * kAeadTagBytes);
  EXPECT_FALSE(opens(shorter));
  ByteVector no_such_size(kSeedBytes + kPiece + 2 * kAeadTagBytes);
  EXPECT_FALSE(opens(no_such_size));
}

TEST_F(StoreKeysTest, PassesOnWhyAPieceCannotBeFetched) {
  CountingEntropy entropy;
  ByteVector sealed =
      StoreKeys::seal(*aeads_, entropy, parent_, "label", {}, filled(40, 1)).value();
  const auto fetch = [](std::size_t, MutableBytes) -> Status { return Error{Code::io, "test"}; };
  EXPECT_EQ(StoreKeys::open_in_place(*aeads_, parent_, "label", {}, sealed, 2, fetch).error().code,
            Code::io);
}

TEST(DecodeRef, RefusesANumberInMoreBytesThanItTakesOrOver64Bits) {
  const VersionRef ref{{{"o"}, "m"}, {300}};
  const ByteVector encoded = encode_ref(ref);
  ByteReader reader(encoded);
  EXPECT_EQ(decode_ref(reader).value(), ref);
  const ByteVector names(encoded.begin(), encoded.end() - 2);
  for (const std::string_view number : {"\x80", "\x81", "\xac\x82"}) {
    ByteVector overlong = names;
    std::ranges::copy(std::as_bytes(std::span(number)), std::back_inserter(overlong));
    overlong.push_back(std::byte{0});
    ByteReader refused(overlong);
    EXPECT_EQ(decode_ref(refused).error().code, Code::corrupt);
  }
  ByteVector too_large = names;
  too_large.insert(too_large.end(), 9, std::byte{0xff});
  too_large.push_back(std::byte{2});
  ByteReader refused(too_large);
  EXPECT_EQ(decode_ref(refused).error().code, Code::corrupt);
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
