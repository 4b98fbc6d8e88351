#include "evidence/receipt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

namespace cloister {
namespace {

Sha256Digest digest_of(unsigned char value) {
  Sha256Digest digest;
  digest.fill(static_cast<std::byte>(value));
  return digest;
}

ReceiptStatement statement() {
  ReceiptStatement made;
  made.model = digest_of(1);
  made.version = 3;
  made.request = digest_of(2);
  made.response = digest_of(3);
  made.nonce = ByteVector(16, std::byte{4});
  made.time = UtcSeconds(std::chrono::seconds(1'790'000'000));
  made.compute_us = 1234;
  made.epoch = 77;
  made.configuration = digest_of(5);
  made.certificate = digest_of(6);
  return made;
}

class ReceiptTest : public testing::Test {
 protected:
  const SigningKey key_ = SigningKey::generate_p256().value();
  const Sha256Digest key_digest_ = sha256(key_.spki());
  const ByteVector written_ = write_receipt(statement(), key_).value();

  bool accepts(Bytes encoded) const {
    const auto receipt = Receipt::read(encoded);
    return receipt.ok() && receipt.value().verify(key_digest_).ok();
  }
};

TEST_F(ReceiptTest, RefusesEveryChangedByteAndEveryOtherLength) {
  for (std::size_t i = 0; i < written_.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      ByteVector changed = written_;
      changed[i] ^= static_cast<std::byte>(1 << bit);
      EXPECT_FALSE(accepts(changed)) << i << " " << bit;
    }
    EXPECT_FALSE(accepts(Bytes(written_).first(i)));
  }
  ByteVector longer = written_;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(accepts(longer));
}

TEST_F(ReceiptTest, RefusesAnotherKey) {
  const SigningKey other = SigningKey::generate_p256().value();
  EXPECT_EQ(Receipt::read(written_).value().verify(sha256(other.spki())).error().code,
            Code::unverified);
}

TEST_F(ReceiptTest, RefusesToStateAnOverlongNonceAndToReadAnOverlongReceipt) {
  ReceiptStatement made = statement();
  made.nonce.resize(kReceiptNonceBytesMax + 1);
  EXPECT_EQ(write_receipt(made, key_).error().code, Code::invalid);
  EXPECT_EQ(Receipt::read(ByteVector(kReceiptBytesMax + 1)).error().code, Code::too_large);
}

TEST_F(ReceiptTest, ReadsBackWhatWasStated) {
  const Receipt receipt = Receipt::read(written_).value();
  EXPECT_EQ(receipt.statement(), statement());
  EXPECT_EQ(receipt.key_digest(), sha256(key_.spki()));
  EXPECT_TRUE(receipt.verify(key_digest_).ok());
  EXPECT_LT(written_.size(), kReceiptBytesMax);
}

TEST_F(ReceiptTest, BeginsAsCoseSign1WithEs256) {
  // Tag 18, an array of four, a byte string of 97 with the map {1: -7, 4: h'...91'}.
  const unsigned char head[] = {0xD2, 0x84, 0x58, 0x61, 0xA2, 0x01, 0x26, 0x04, 0x58, 0x5B};
  ASSERT_GT(written_.size(), sizeof head);
  EXPECT_TRUE(std::equal(std::begin(head), std::end(head), written_.begin(),
                         [](unsigned char a, std::byte b) { return std::byte{a} == b; }));
}

}  // namespace
}  // namespace cloister
