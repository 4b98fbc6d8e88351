#include "crypto/signature.h"

#include <gtest/gtest.h>

#include "crypto/der.h"

namespace cloister {
namespace {

constexpr auto kRaw = SignatureScheme::ecdsa_p256_sha256_raw;

TEST(PublicKey, RefusesASignatureWithAnyFlippedByte) {
  const SigningKey key = SigningKey::generate_p256().value();
  const PublicKey half = PublicKey::from_spki(key.spki()).value();
  const ByteVector signature = key.sign(bytes_of("message")).value();
  for (std::size_t i = 0; i < signature.size(); ++i) {
    ByteVector damaged = signature;
    damaged[i] ^= std::byte{1};
    EXPECT_FALSE(half.verify(kRaw, bytes_of("message"), damaged).ok()) << i;
  }
  EXPECT_FALSE(half.verify(kRaw, bytes_of("massage"), signature).ok());
  EXPECT_FALSE(half.verify(kRaw, bytes_of("message"), Bytes(signature).first(63)).ok());
}

TEST(PublicKey, RefusesASignatureOfZeros) {
  const SigningKey key = SigningKey::generate_p256().value();
  const PublicKey half = PublicKey::from_spki(key.spki()).value();
  EXPECT_FALSE(half.verify(kRaw, bytes_of("message"), ByteVector(64)).ok());
}

TEST(PublicKey, RefusesASchemeOfAnotherKeyType) {
  const SigningKey key = SigningKey::generate_p256().value();
  const PublicKey half = PublicKey::from_spki(key.spki()).value();
  const ByteVector signature = key.sign(bytes_of("message")).value();
  EXPECT_FALSE(half.verify(SignatureScheme::rsa_pkcs1_sha256, bytes_of("message"), signature).ok());
  EXPECT_FALSE(
      half.verify(SignatureScheme::ecdsa_p384_sha384_raw, bytes_of("message"), signature).ok());
}

TEST(PublicKey, RefusesAPointThatIsNotOnTheCurve) {
  EXPECT_FALSE(PublicKey::from_p256_point(ByteVector(64, std::byte{1})).ok());
  EXPECT_FALSE(PublicKey::from_p256_point(ByteVector(63)).ok());
}

TEST(PublicKey, RefusesAnRsaKeyThatIsTooSmallOrHasAnEvenExponent) {
  EXPECT_FALSE(PublicKey::from_rsa(ByteVector(128, std::byte{0xFF}), 65537).ok());
  EXPECT_FALSE(PublicKey::from_rsa(ByteVector(256, std::byte{0xFF}), 65536).ok());
}

TEST(PublicKey, RefusesEveryTruncationOfAnSpki) {
  const SigningKey key = SigningKey::generate_p256().value();
  for (std::size_t size = 0; size < key.spki().size(); ++size) {
    EXPECT_FALSE(PublicKey::from_spki(Bytes(key.spki()).first(size)).ok()) << size;
  }
}

TEST(PublicKey, AcceptsBothFormsOfAnEcdsaSignature) {
  const SigningKey key = SigningKey::generate_p256().value();
  const PublicKey half = PublicKey::from_spki(key.spki()).value();
  for (int round = 0; round < 50; ++round) {  // r and s have leading zeros now and then
    const ByteVector signature = key.sign(bytes_of("message")).value();
    EXPECT_TRUE(half.verify(kRaw, bytes_of("message"), signature).ok());
    EXPECT_TRUE(half.verify(SignatureScheme::ecdsa_sha256_der, bytes_of("message"),
                            der_ecdsa_signature(signature))
                    .ok());
  }
}

TEST(PublicKey, IsTheSameFromAPointAsFromItsSpki) {
  const SigningKey key = SigningKey::generate_p256().value();
  const Bytes point = Bytes(key.spki()).last(64);
  EXPECT_EQ(PublicKey::from_p256_point(point).value().spki(), key.spki());
}

TEST(SigningKey, RefusesAPkcs8ThatIsNone) {
  EXPECT_FALSE(SigningKey::from_pkcs8(SecretBytes(ByteVector(64))).ok());
}

TEST(SigningKey, SurvivesItsPkcs8) {
  const SigningKey key = SigningKey::generate_p256().value();
  const SigningKey again = SigningKey::from_pkcs8(key.pkcs8().value()).value();
  EXPECT_EQ(again.spki(), key.spki());
}

}  // namespace
}  // namespace cloister
