#include "crypto/aead.h"

#include <gtest/gtest.h>

#include "support/fake_clock.h"

namespace cloister {
namespace {

using MakeAeads = std::unique_ptr<AeadMaker> (*)();

SecretBytes example_key() { return SecretBytes(ByteVector(kAeadKeyBytes, std::byte{0x42})); }

ByteVector example_plaintext(std::size_t size) {
  ByteVector bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
  return bytes;
}

class AeadTest : public testing::TestWithParam<MakeAeads> {
 protected:
  void SetUp() override {
    aeads_ = GetParam()();
    if (aeads_ == nullptr) GTEST_SKIP() << "this CPU lacks what it needs";
    aead_ = aeads_->make(example_key()).value();
  }
  std::unique_ptr<AeadMaker> aeads_;
  std::unique_ptr<Aead> aead_;
  AeadNonce nonce_{std::byte{1}};
};

TEST_P(AeadTest, RefusesAKeyOfAnotherLength) {
  EXPECT_EQ(aeads_->make(SecretBytes(16)).error().code, Code::invalid);
  EXPECT_EQ(aeads_->make(SecretBytes()).error().code, Code::invalid);
}

TEST_P(AeadTest, RefusesEveryFlippedByteAndWipes) {
  const ByteVector plaintext = example_plaintext(70);
  ByteVector sealed(plaintext.size());
  const AeadTag tag = aead_->seal(nonce_, bytes_of("context"), plaintext, sealed).value();
  ByteVector opened(plaintext.size(), std::byte{9});
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    ByteVector damaged = sealed;
    damaged[i] ^= std::byte{1};
    EXPECT_EQ(aead_->open(nonce_, bytes_of("context"), damaged, tag, opened).error().code,
              Code::corrupt);
    EXPECT_EQ(opened, ByteVector(opened.size())) << "byte " << i;
  }
  for (std::size_t i = 0; i < tag.size(); ++i) {
    AeadTag damaged = tag;
    damaged[i] ^= std::byte{0x80};
    EXPECT_FALSE(aead_->open(nonce_, bytes_of("context"), sealed, damaged, opened).ok());
  }
  EXPECT_FALSE(aead_->open(nonce_, bytes_of("contexs"), sealed, tag, opened).ok());
  EXPECT_FALSE(aead_->open(AeadNonce{}, bytes_of("context"), sealed, tag, opened).ok());
}

TEST_P(AeadTest, RefusesOutputOfAnotherSize) {
  ByteVector out(9);
  EXPECT_FALSE(aead_->seal(nonce_, {}, example_plaintext(10), out).ok());
  EXPECT_FALSE(aead_->open(nonce_, {}, example_plaintext(10), AeadTag{}, out).ok());
}

TEST_P(AeadTest, OpensWhatItSealedAtEverySizeInPlaceAndBeside) {
  for (const std::size_t size : {0, 1, 15, 16, 17, 255, 256, 4096, 100'001, 1 << 20}) {
    const ByteVector plaintext = example_plaintext(size);
    ByteVector sealed(size);
    const AeadTag tag = aead_->seal(nonce_, bytes_of("a"), plaintext, sealed).value();
    ByteVector in_place = plaintext;
    EXPECT_EQ(aead_->seal(nonce_, bytes_of("a"), in_place, in_place).value(), tag);
    EXPECT_EQ(in_place, sealed);
    ByteVector opened(size);
    EXPECT_TRUE(aead_->open(nonce_, bytes_of("a"), sealed, tag, opened).ok());
    EXPECT_EQ(opened, plaintext);
    EXPECT_TRUE(aead_->open(nonce_, bytes_of("a"), in_place, tag, in_place).ok());
    EXPECT_EQ(in_place, plaintext);
  }
}

// NIST GCM test vectors, AES-256, test case 14: zero key, nonce and block.
TEST_P(AeadTest, AgreesWithThePublishedExample) {
  const auto aead = aeads_->make(SecretBytes(kAeadKeyBytes)).value();
  ByteVector out(16);
  const AeadTag tag = aead->seal(AeadNonce{}, {}, ByteVector(16), out).value();
  const unsigned char expected_out[] = {0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e,
                                        0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18};
  const unsigned char expected_tag[] = {0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0,
                                        0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19};
  EXPECT_TRUE(equal_in_constant_time(out, std::as_bytes(std::span(expected_out))));
  EXPECT_TRUE(equal_in_constant_time(tag, std::as_bytes(std::span(expected_tag))));
}

INSTANTIATE_TEST_SUITE_P(OpenSsl, AeadTest, testing::Values(&make_aeads_openssl));
INSTANTIATE_TEST_SUITE_P(Ipsec, AeadTest, testing::Values(&make_aeads_ipsec));

TEST(MakeAeads, TakesWhatItIsTold) {
  const FakeClock clock;
  EXPECT_STREQ(make_aeads(AeadChoice::openssl, clock).value()->name(), "openssl");
  if (make_aeads_ipsec() == nullptr) {
    EXPECT_EQ(make_aeads(AeadChoice::ipsec, clock).error().code, Code::unavailable);
    EXPECT_STREQ(make_aeads(AeadChoice::fastest, clock).value()->name(), "openssl");
    return;
  }
  EXPECT_STREQ(make_aeads(AeadChoice::ipsec, clock).value()->name(), "ipsec-mb");
}

TEST(MakeAeads, AgreeWithEachOther) {
  const auto ipsec = make_aeads_ipsec();
  if (ipsec == nullptr) GTEST_SKIP() << "this CPU lacks what it needs";
  const ByteVector plaintext = example_plaintext(300'003);
  ByteVector a(plaintext.size());
  ByteVector b(plaintext.size());
  const auto seal = [&](const AeadMaker& aeads, MutableBytes out) {
    const auto aead = aeads.make(example_key()).value();
    return aead->seal(AeadNonce{std::byte{5}}, bytes_of("associated"), plaintext, out).value();
  };
  EXPECT_EQ(seal(*ipsec, a), seal(*make_aeads_openssl(), b));
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace cloister
