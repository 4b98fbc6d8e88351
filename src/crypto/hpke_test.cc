#include "crypto/hpke.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

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

KemPublicKey public_key(std::string_view text) {
  KemPublicKey key{};
  std::ranges::copy(unhex(text), key.begin());
  return key;
}

KemPrivateKey private_key(std::string_view text) {
  return KemPrivateKey::from_bytes(SecretBytes(unhex(text))).value();
}

// The vector of RFC 9180's published set for this suite: mode 0, KEM 32, KDF 1, AEAD 2.
const std::string kInfo = "4f6465206f6e2061204772656369616e2055726e";
const std::string kRecipient =
    "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d";
const std::string kRecipientPublic =
    "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c";
const std::string kEphemeral =
    "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11";
const std::string kEncapsulated =
    "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256";
const std::string kPlaintext = "4265617574792069732074727574682c20747275746820626561757479";

struct Message {
  std::size_t number;
  const char* associated;
  const char* sealed;
};
const Message kMessages[] = {
    {0, "436f756e742d30",
     "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be99319"
     "80a41de125a925cdad859d5b7a"},
    {1, "436f756e742d31",
     "2c43aff25343fdbff864506f0818b9d87df84ea01b1a2144d23b4d40c26bf655"
     "fdf197fe40297a8aebeed5cc2d"},
    {2, "436f756e742d32",
     "e0a8f2cf92ff61215edbb8c55dc31fe9e2eb42a5685867bb6854211542099f9e"
     "940c4b41c192bc390835b1a5f7"},
    {4, "436f756e742d34",
     "448a8892f261cbb6bf5b7b64a4fae8a2c86492494b069c10525895d871c27c2f"
     "12cd17e0588fedaba9f7b0cd4c"},
    {255, "436f756e742d323535",
     "f6ad1823eb0b932d04b6e23010eea64f1fe5edd0583dae5ba27ca6363f4ea104"
     "bd217331460ef4208040423641"},
    {256, "436f756e742d323536",
     "53624f4f9f173453b14e633b45390ff54cacaa4428d44baee1bff8133fab1ab3"
     "afe60f88e4634b525c54e92eda"},
};

struct Export {
  const char* context;
  const char* value;
};
const Export kExports[] = {
    {"", "ded6cffafaea6b812cbf3e241e88332adbc077aca81512914213810ee291770a"},
    {"00", "04d3cb6cc116b28ffd22ad5bc276c60d31fec71ceb87ae24db811c64b7507339"},
    {"54657374436f6e74657874", "7c5ded445732c14fe09727d29b4251c0fd38455fe8440571e687f0886aac94d2"},
};

Result<ByteVector> open(HpkeContext& context, Bytes associated, Bytes sealed) {
  ByteVector plaintext(sealed.size() < kAeadTagBytes ? 0 : sealed.size() - kAeadTagBytes);
  CLOISTER_TRY(context.open(associated, sealed, plaintext));
  return plaintext;
}

TEST(Hpke, RefusesAKeyOfSmallOrder) {
  const KemPrivateKey key = KemPrivateKey::generate().value();
  EXPECT_EQ(hpke_to(KemPublicKey{}, {}).error().code, Code::unverified);
  EXPECT_EQ(hpke_from(KemPublicKey{}, key, {}).error().code, Code::unverified);
  EXPECT_EQ(KemPrivateKey::from_bytes(SecretBytes(31)).error().code, Code::invalid);
}

TEST(Hpke, KeepsAKeyAndNamesItAsRfc8410Does) {
  const KemPrivateKey key = KemPrivateKey::generate().value();
  ByteVector kept;
  const auto keep = [&](Bytes bytes) -> Status {
    kept = copy_of(bytes);
    return Done{};
  };
  ASSERT_TRUE(key.keep_in(keep).ok());
  EXPECT_EQ(KemPrivateKey::from_bytes(SecretBytes(std::move(kept))).value().public_key(),
            key.public_key());
  const ByteVector spki = spki_of(key.public_key());
  ASSERT_EQ(spki.size(), 44U);
  EXPECT_EQ(ByteVector(spki.begin(), spki.begin() + 12), unhex("302a300506032b656e032100"));
}

TEST(Hpke, OpensNothingThatWasChangedReorderedOrMeantForAnother) {
  const KemPrivateKey key = KemPrivateKey::generate().value();
  HpkeSender sender = hpke_to(key.public_key(), bytes_of("info")).value();
  const ByteVector first = sender.context.seal(bytes_of("a"), bytes_of("first")).value();
  const ByteVector second = sender.context.seal(bytes_of("a"), bytes_of("second")).value();

  const KemPrivateKey other = KemPrivateKey::generate().value();
  HpkeContext stranger = hpke_from(sender.encapsulated, other, bytes_of("info")).value();
  EXPECT_EQ(open(stranger, bytes_of("a"), first).error().code, Code::corrupt);
  HpkeContext misinformed = hpke_from(sender.encapsulated, key, bytes_of("inf0")).value();
  EXPECT_EQ(open(misinformed, bytes_of("a"), first).error().code, Code::corrupt);

  HpkeContext recipient = hpke_from(sender.encapsulated, key, bytes_of("info")).value();
  EXPECT_EQ(open(recipient, bytes_of("a"), second).error().code, Code::corrupt);
  EXPECT_EQ(open(recipient, bytes_of("b"), first).error().code, Code::corrupt);
  EXPECT_EQ(open(recipient, bytes_of("a"), Bytes(first).first(15)).error().code, Code::corrupt);
  for (std::size_t i = 0; i < first.size(); ++i) {
    ByteVector changed = first;
    changed[i] ^= std::byte{1};
    EXPECT_EQ(open(recipient, bytes_of("a"), changed).error().code, Code::corrupt);
  }
  EXPECT_EQ(open(recipient, bytes_of("a"), first).value(), copy_of(bytes_of("first")));
  EXPECT_TRUE(open(recipient, bytes_of("a"), second).ok());
}

TEST(Hpke, AgreesWithThePublishedVectorOnBothSides) {
  const KemPrivateKey recipient_key = private_key(kRecipient);
  EXPECT_EQ(recipient_key.public_key(), public_key(kRecipientPublic));
  HpkeSender sender =
      hpke_to(public_key(kRecipientPublic), unhex(kInfo), private_key(kEphemeral)).value();
  EXPECT_EQ(sender.encapsulated, public_key(kEncapsulated));
  HpkeContext recipient =
      hpke_from(public_key(kEncapsulated), recipient_key, unhex(kInfo)).value();
  const ByteVector plaintext = unhex(kPlaintext);
  std::size_t number = 0;
  for (const Message& message : kMessages) {
    for (; number < message.number; ++number) {
      const ByteVector skipped = sender.context.seal({}, plaintext).value();
      ASSERT_TRUE(open(recipient, {}, skipped).ok());
    }
    const ByteVector associated = unhex(message.associated);
    EXPECT_EQ(sender.context.seal(associated, plaintext).value(), unhex(message.sealed));
    EXPECT_EQ(open(recipient, associated, unhex(message.sealed)).value(), plaintext);
    ++number;
  }
  for (const Export& exported : kExports) {
    const SecretBytes secret = recipient.export_secret(unhex(exported.context), 32).value();
    EXPECT_TRUE(equal_in_constant_time(SecretForTest::read(secret), unhex(exported.value)));
  }
}

}  // namespace
}  // namespace cloister
