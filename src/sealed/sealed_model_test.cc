#include "sealed/sealed_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

namespace cloister {
namespace {

ByteVector model_of(std::size_t size) {
  ByteVector model(size);
  for (std::size_t i = 0; i < size; ++i) model[i] = static_cast<std::byte>(i * 31 + i / 997);
  return model;
}

SealedHeader header_for(Bytes model) {
  SealedHeader header;
  header.owner = PrincipalId{"clinic"};
  header.name = "triage";
  header.version = VersionNumber{7};
  header.expires = UtcSeconds(std::chrono::seconds(1'800'000'000));
  header.size = model.size();
  header.sha256 = sha256(model);
  header.policy.isolation = "process";
  header.policy.software.emplace().fill(std::byte{3});
  return header;
}

ByteVector seal(const SealedHeader& header, Bytes model, const KemPublicKey& recipient) {
  ModelSealer sealer = ModelSealer::make(header, recipient).value();
  ByteVector file = sealer.preface();
  for (std::size_t at = 0; at < model.size(); at += kSealedChunkBytes) {
    const ByteVector chunk =
        sealer.chunk(model.subspan(at, std::min(kSealedChunkBytes, model.size() - at))).value();
    file.insert(file.end(), chunk.begin(), chunk.end());
  }
  return file;
}

class SealedModelTest : public testing::Test {
 protected:
  const KemPrivateKey key_ = KemPrivateKey::generate().value();
  const ByteVector small_ = model_of(100);
  const ByteVector large_ = model_of(2 * kSealedChunkBytes + 5);

  bool opens(ByteVector file, const KemPrivateKey& key) const {
    const auto model = SealedModel::read(file);
    return model.ok() && model.value().open(file, key).ok();
  }
  bool opens(ByteVector file) const { return opens(std::move(file), key_); }
};

TEST_F(SealedModelTest, RefusesEveryChangedByteAndEveryOtherLength) {
  const ByteVector file = seal(header_for(small_), small_, key_.public_key());
  for (std::size_t i = 0; i < file.size(); ++i) {
    ByteVector changed = file;
    changed[i] ^= std::byte{1};
    EXPECT_FALSE(opens(changed)) << i;
    EXPECT_FALSE(opens(ByteVector(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(i))));
  }
  ByteVector longer = file;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(opens(longer));
}

TEST_F(SealedModelTest, RefusesAnotherRecipientAndWipesWhatItHad) {
  const KemPrivateKey other = KemPrivateKey::generate().value();
  ByteVector file = seal(header_for(small_), small_, key_.public_key());
  EXPECT_FALSE(SealedModel::read(file).value().is_for(file, other));
  EXPECT_TRUE(SealedModel::read(file).value().is_for(file, key_));
  const SealedModel model = SealedModel::read(file).value();
  EXPECT_EQ(model.open(file, other).error().code, Code::corrupt);
  EXPECT_TRUE(std::ranges::all_of(file, [](std::byte each) { return each == std::byte{0}; }));
}

TEST_F(SealedModelTest, RefusesChunksInAnotherOrderAndFewerOfThem) {
  const ByteVector file = seal(header_for(large_), large_, key_.public_key());
  const std::size_t preface = file.size() - sealed_chunks_bytes(large_.size());
  const auto chunk = [&](std::size_t number) {
    return file.begin() +
           static_cast<std::ptrdiff_t>(preface + number * (kSealedChunkBytes + kAeadTagBytes));
  };
  ByteVector swapped = file;
  std::copy(chunk(1), chunk(2), swapped.begin() + (chunk(0) - file.begin()));
  std::copy(chunk(0), chunk(1), swapped.begin() + (chunk(1) - file.begin()));
  EXPECT_FALSE(opens(swapped));
  EXPECT_FALSE(opens(ByteVector(file.begin(), chunk(2))));
}

TEST_F(SealedModelTest, RefusesToSealWhatItsHeaderDoesNotSay) {
  SealedHeader header = header_for(small_);
  ModelSealer sealer = ModelSealer::make(header, key_.public_key()).value();
  EXPECT_EQ(sealer.chunk(Bytes(small_).first(99)).error().code, Code::invalid);
  EXPECT_TRUE(sealer.chunk(small_).ok());
  EXPECT_EQ(sealer.chunk(small_).error().code, Code::invalid);
  header.name = "a.b";
  EXPECT_EQ(ModelSealer::make(header, key_.public_key()).error().code, Code::invalid);
  header = header_for(small_);
  header.size = 0;
  EXPECT_EQ(ModelSealer::make(header, key_.public_key()).error().code, Code::invalid);
}

TEST_F(SealedModelTest, RefusesAModelThatIsNotTheOneItsHeaderNames) {
  SealedHeader header = header_for(small_);
  header.sha256.fill(std::byte{9});
  EXPECT_FALSE(opens(seal(header, small_, key_.public_key())));
}

TEST_F(SealedModelTest, OpensInPlaceWhatWasSealed) {
  for (const std::size_t size : {std::size_t{1}, kSealedChunkBytes - 1, kSealedChunkBytes,
                                 kSealedChunkBytes + 1, large_.size()}) {
    const ByteVector plaintext = model_of(size);
    ByteVector file = seal(header_for(plaintext), plaintext, key_.public_key());
    const SealedModel model = SealedModel::read(file).value();
    EXPECT_EQ(model.header(), header_for(plaintext));
    EXPECT_EQ(model.file_size(), file.size());
    ASSERT_TRUE(model.open(file, key_).ok());
    EXPECT_TRUE(std::ranges::equal(Bytes(file).first(size), plaintext));
  }
}

TEST_F(SealedModelTest, HasADifferentIdEachTime) {
  const ByteVector first = seal(header_for(small_), small_, key_.public_key());
  const ByteVector second = seal(header_for(small_), small_, key_.public_key());
  EXPECT_NE(SealedModel::read(first).value().id(), SealedModel::read(second).value().id());
}

}  // namespace
}  // namespace cloister
