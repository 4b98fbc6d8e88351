#include "crypto/x509.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "crypto/certificate_builder.h"

namespace cloister {
namespace {

constexpr Oid kNames("2.5.29.17");
constexpr Oid kOwn("1.3.6.1.4.1.99999.1");

UtcSeconds day(int year, unsigned month, unsigned day_of_month) {
  return std::chrono::sys_days(std::chrono::year(year) / static_cast<int>(month) /
                               static_cast<int>(day_of_month));
}

CertificateContent example_content(const SigningKey& key) {
  CertificateContent content;
  content.issuer = "Issuer";
  content.subject = "Subject";
  content.serial = {std::byte{0x80}, std::byte{1}};
  content.not_before = day(2026, 1, 1);
  content.not_after = day(2051, 2, 3);
  content.spki = key.spki();
  content.extensions = {end_entity_constraint(),
                        subject_names({"localhost", "127.0.0.1", "::1"}).value(),
                        {kOwn, false, der_octets(bytes_of("content"))}};
  return content;
}

TEST(Certificate, RefusesEveryTruncation) {
  const SigningKey key = SigningKey::generate_p256().value();
  const ByteVector der = build_certificate(example_content(key), key).value();
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_FALSE(Certificate::parse(Bytes(der).first(size)).ok()) << size;
  }
}

TEST(Certificate, NeverHoldsItsSignatureWithAFlippedByte) {
  const SigningKey key = SigningKey::generate_p256().value();
  const PublicKey half = PublicKey::from_spki(key.spki()).value();
  const ByteVector der = build_certificate(example_content(key), key).value();
  for (std::size_t i = 0; i < der.size(); ++i) {
    ByteVector damaged = der;
    damaged[i] ^= std::byte{1};
    const auto parsed = Certificate::parse(damaged);
    EXPECT_FALSE(parsed.ok() && parsed.value().check_signature(half).ok()) << i;
  }
}

TEST(Certificate, RefusesAByteBehindItsEnd) {
  const SigningKey key = SigningKey::generate_p256().value();
  ByteVector der = build_certificate(example_content(key), key).value();
  der.push_back(std::byte{0});
  EXPECT_FALSE(Certificate::parse(der).ok());
}

TEST(Certificate, RefusesAnExtensionThatIsSaidTwice) {
  const SigningKey key = SigningKey::generate_p256().value();
  CertificateContent content = example_content(key);
  content.extensions.push_back(content.extensions.back());
  EXPECT_FALSE(Certificate::parse(build_certificate(content, key).value()).ok());
}

TEST(Certificate, ReportsACriticalExtensionThatItDoesNotKnow) {
  const SigningKey key = SigningKey::generate_p256().value();
  CertificateContent content = example_content(key);
  content.extensions.back().critical = true;
  const ByteVector der = build_certificate(content, key).value();
  EXPECT_TRUE(Certificate::parse(der).value().has_unknown_critical());
}

TEST(Certificate, ReadsWhatTheBuilderWrote) {
  const SigningKey key = SigningKey::generate_p256().value();
  const ByteVector der = build_certificate(example_content(key), key).value();
  const Certificate certificate = Certificate::parse(der).value();
  EXPECT_EQ(certificate.not_before(), day(2026, 1, 1));
  EXPECT_EQ(certificate.not_after(), day(2051, 2, 3));
  EXPECT_FALSE(certificate.is_ca());
  EXPECT_FALSE(certificate.has_unknown_critical());
  EXPECT_TRUE(std::ranges::equal(certificate.spki(), key.spki()));
  EXPECT_EQ(certificate.serial().size(), 3U);  // a zero in front keeps it positive
  const auto own = certificate.extension(kOwn);
  ASSERT_TRUE(own.has_value());
  EXPECT_EQ(text_of(*own).substr(2), "content");
  EXPECT_TRUE(certificate.check_signature(PublicKey::from_spki(key.spki()).value()).ok());
}

TEST(Certificate, KnowsAnAuthorityByItsConstraints) {
  const SigningKey key = SigningKey::generate_p256().value();
  CertificateContent content = example_content(key);
  content.extensions = authority_constraints();
  const ByteVector der = build_certificate(content, key).value();
  const Certificate certificate = Certificate::parse(der).value();
  EXPECT_TRUE(certificate.is_ca());
  EXPECT_TRUE(certificate.may_sign_certificates());
  EXPECT_TRUE(certificate.may_sign_crls());
}

TEST(SubjectNames, RefusesWhatIsNeitherNameNorAddress) {
  for (const std::string name : {"", "a b", "*", "x/y", "1::2::3", ":1", "1:2:3:4:5:6:7:8:9"}) {
    EXPECT_FALSE(subject_names({name}).ok()) << name;
  }
  EXPECT_FALSE(subject_names({}).ok());
  EXPECT_FALSE(subject_names(std::vector<std::string>(17, "a")).ok());
}

TEST(SubjectNames, EncodesAddressesAsAddresses) {
  const ByteVector value = subject_names({"10.0.0.255", "2001:db8::1"}).value().value;
  ASSERT_EQ(value.size(), 2U + 2 + 4 + 2 + 16);
  EXPECT_EQ(value[2], std::byte{0x87});
  EXPECT_EQ(value[7], std::byte{255});
  EXPECT_EQ(value[10], std::byte{0x20});
  EXPECT_EQ(value[25], std::byte{1});
}

TEST(DerReader, RefusesLengthsThatAreNotTheShortest) {
  for (const std::string_view text :
       {std::string_view("\x04\x81\x01x", 4), std::string_view("\x04\x82\x00\x80", 4),
        std::string_view("\x04\x80\x00\x00", 4), std::string_view("\x1f\x81\x01\x00", 4),
        std::string_view("\x04\x02x", 3)}) {
    DerReader reader(bytes_of(text));
    EXPECT_FALSE(reader.next().ok());
  }
}

TEST(DerTime, RefusesDatesThatAreNone) {
  for (const std::string_view text :
       {"260231000000Z", "261301000000Z", "260101240000Z", "260101000060Z", "2601010000Z",
        "260101000000+", "26010100000xZ"}) {
    const ByteVector der = der_text(DerTag::utc_time, text);
    EXPECT_FALSE(der_time(DerReader(der).next().value()).ok()) << text;
  }
}

TEST(DerUnsigned, RefusesNegativeAndPaddedNumbers) {
  EXPECT_FALSE(der_unsigned(bytes_of("\x80")).ok());
  EXPECT_FALSE(der_unsigned(bytes_of(std::string_view("\0\x01", 2))).ok());
  EXPECT_FALSE(der_unsigned({}).ok());
  EXPECT_EQ(der_unsigned(bytes_of(std::string_view("\0\xFF", 2))).value(), 255U);
}

}  // namespace
}  // namespace cloister
