#include <gtest/gtest.h>

#include <string_view>

#include "crypto/aead.h"
#include "crypto/hkdf.h"

namespace cloister {

struct SecretForTest {
  static Bytes read(const SecretBytes& secret) { return secret.reveal(RevealToken()); }
};

namespace {

ByteVector unhex(std::string_view text) {
  ByteVector bytes;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(digit(text[i]) * 16 + digit(text[i + 1])));
  }
  return bytes;
}

ByteVector derive(std::string_view key, std::string_view salt, std::string_view info,
                  std::size_t length) {
  return copy_of(SecretForTest::read(
      hkdf_sha256(SecretBytes(unhex(key)), unhex(salt), unhex(info), length).value()));
}

TEST(Hkdf, RefusesNoKeyNoLengthAndTooMuch) {
  EXPECT_EQ(hkdf_sha256(SecretBytes(), Bytes(), Bytes(), 32).error().code, Code::invalid);
  EXPECT_EQ(hkdf_sha256(SecretBytes(32), Bytes(), Bytes(), 0).error().code, Code::invalid);
  EXPECT_EQ(hkdf_sha256(SecretBytes(32), Bytes(), Bytes(), 8161).error().code, Code::invalid);
  EXPECT_TRUE(hkdf_sha256(SecretBytes(32), Bytes(), Bytes(), 8160).ok());
}

// RFC 5869, appendix A.1 to A.3.
TEST(Hkdf, AgreesWithThePublishedExamples) {
  EXPECT_EQ(derive("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
                   "f0f1f2f3f4f5f6f7f8f9", 42),
            unhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                  "34007208d5b887185865"));
  EXPECT_EQ(derive("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "", 42),
            unhex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                  "9d201395faa4b61a96c8"));
}

TEST(HkdfKey, RefusesNoInputKeyAndOtherLengths) {
  EXPECT_EQ(HkdfKey::extract(SecretBytes(), Bytes()).error().code, Code::invalid);
  const HkdfKey key = HkdfKey::extract(SecretBytes(32), Bytes()).value();
  EXPECT_EQ(key.expand(Bytes(), 0).error().code, Code::invalid);
  EXPECT_EQ(key.expand(Bytes(), 8161).error().code, Code::invalid);
}

TEST(HkdfKey, GivesTheSameKeyAgainAndAnotherForOtherInfo) {
  const HkdfKey key = HkdfKey::extract(SecretBytes(32), Bytes()).value();
  const auto expand = [&](std::string_view info) {
    return copy_of(SecretForTest::read(key.expand(bytes_of(info), 32).value()));
  };
  EXPECT_NE(expand("a"), expand("b"));
  EXPECT_EQ(expand("a"), copy_of(SecretForTest::read(
                             hkdf_sha256(SecretBytes(32), Bytes(), bytes_of("a"), 32).value())));
}

TEST(Hkdf, TakesASecretSaltAsItTakesAPublicOne) {
  const ByteVector salt(32, std::byte{7});
  const auto with_public = hkdf_sha256(SecretBytes(32), salt, bytes_of("info"), 32);
  const auto with_secret =
      hkdf_sha256(SecretBytes(32), SecretBytes(copy_of(salt)), bytes_of("info"), 32);
  EXPECT_TRUE(equal_in_constant_time(SecretForTest::read(with_public.value()),
                                     SecretForTest::read(with_secret.value())));
}

}  // namespace
}  // namespace cloister
