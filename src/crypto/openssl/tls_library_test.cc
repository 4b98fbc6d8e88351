#include "crypto/tls_library.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <memory>
#include <optional>
#include <string>

namespace cloister {
namespace {

using CipherOwner = std::unique_ptr<EVP_CIPHER, decltype(&EVP_CIPHER_free)>;
using ContextOwner = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

constexpr char kOurs[] = "provider=cloister";

unsigned char* octets(MutableBytes bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}
const unsigned char* octets(Bytes bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

ByteVector pattern(std::size_t size, unsigned seed) {
  ByteVector bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + seed);
  return bytes;
}

struct Record {
  ByteVector content;
  AeadTag tag{};
};

/// A cipher under one key, used as the record layer of TLS 1.3 does.
class Records {
 public:
  Records(const TlsLibrary* library, bool seals)
      : cipher_(EVP_CIPHER_fetch(library == nullptr ? nullptr : library->context(), "AES-256-GCM",
                                 library == nullptr ? nullptr : kOurs),
                EVP_CIPHER_free),
        context_(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free),
        seals_(seals) {
    const ByteVector key = pattern(kAeadKeyBytes, 7);
    good_ = cipher_ != nullptr &&
            EVP_CipherInit_ex(get(), cipher_.get(), nullptr, nullptr, nullptr, seals) == 1 &&
            EVP_CIPHER_CTX_ctrl(get(), EVP_CTRL_AEAD_SET_IVLEN, 12, nullptr) == 1 &&
            EVP_CipherInit_ex(get(), nullptr, nullptr, octets(key), nullptr, -1) == 1;
  }
  bool good() const { return good_; }
  EVP_CIPHER_CTX* get() { return context_.get(); }

  bool begin(unsigned nonce, const AeadTag* expected = nullptr) {
    const ByteVector bytes = pattern(kAeadNonceBytes, nonce);
    AeadTag tag{};
    if (expected != nullptr) tag = *expected;
    return EVP_CipherInit_ex(get(), nullptr, nullptr, nullptr, octets(bytes), seals_) == 1 &&
           (expected == nullptr || EVP_CIPHER_CTX_ctrl(get(), EVP_CTRL_AEAD_SET_TAG, 16,
                                                       tag.data()) == 1);
  }
  bool associate(std::size_t size) {
    const ByteVector bytes = pattern(size, 3);
    int written = 0;
    return EVP_CipherUpdate(get(), nullptr, &written, octets(bytes), static_cast<int>(size)) == 1;
  }
  bool run(MutableBytes content) {
    int written = 0;
    int last = 0;
    return EVP_CipherUpdate(get(), octets(content), &written, octets(content),
                            static_cast<int>(content.size())) == 1 &&
           EVP_CipherFinal_ex(get(), octets(content) + written, &last) == 1 &&
           static_cast<std::size_t>(written) == content.size() && last == 0;
  }
  std::optional<Record> seal(unsigned nonce, ByteVector content) {
    Record record{std::move(content)};
    if (!begin(nonce) || !associate(5) || !run(record.content) ||
        EVP_CIPHER_CTX_ctrl(get(), EVP_CTRL_AEAD_GET_TAG, 16, record.tag.data()) != 1) {
      return std::nullopt;
    }
    return record;
  }
  std::optional<ByteVector> open(unsigned nonce, Record record) {
    if (!begin(nonce, &record.tag) || !associate(5) || !run(record.content)) return std::nullopt;
    return record.content;
  }

 private:
  CipherOwner cipher_;
  ContextOwner context_;
  bool seals_;
  bool good_ = false;
};

class TlsLibraryTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::shared_ptr<const AeadMaker> aeads =
        GetParam() == std::string("ipsec") ? make_aeads_ipsec() : make_aeads_openssl();
    if (aeads == nullptr) GTEST_SKIP() << "this processor has no AVX-512 with VAES";
    library_ = make_tls_library(std::move(aeads)).value();
  }
  std::shared_ptr<const TlsLibrary> library_;
};

TEST_P(TlsLibraryTest, SealsAndOpensWhatOpenSslDoes) {
  Records ours(library_.get(), true), theirs(nullptr, true);
  Records our_reader(library_.get(), false), their_reader(nullptr, false);
  ASSERT_TRUE(ours.good() && theirs.good() && our_reader.good() && their_reader.good());
  unsigned nonce = 0;
  for (const std::size_t size : {1U, 15U, 16U, 17U, 255U, 4096U, 16385U, 16640U}) {
    const ByteVector content = pattern(size, nonce);
    const auto record = ours.seal(nonce, content);
    const auto reference = theirs.seal(nonce, content);
    ASSERT_TRUE(record && reference) << size;
    EXPECT_EQ(record->content, reference->content) << size;
    EXPECT_EQ(record->tag, reference->tag) << size;
    EXPECT_EQ(our_reader.open(nonce, *reference), content) << size;
    EXPECT_EQ(their_reader.open(nonce, *record), content) << size;
    ++nonce;
  }
}

TEST_P(TlsLibraryTest, RefusesWhatWasChangedAndGoesOn) {
  Records writer(library_.get(), true), reader(library_.get(), false);
  const ByteVector content = pattern(1000, 1);
  const Record record = *writer.seal(1, content);
  for (const std::size_t at : {0U, 500U, 999U}) {
    Record changed = record;
    changed.content[at] ^= std::byte{1};
    EXPECT_FALSE(reader.open(1, changed)) << at;
    ASSERT_TRUE(reader.begin(1, &changed.tag) && reader.associate(5));
    EXPECT_FALSE(reader.run(changed.content));
    EXPECT_EQ(changed.content, ByteVector(content.size())) << "nothing is given away";
  }
  for (const std::size_t at : {0U, 15U}) {
    Record changed = record;
    changed.tag[at] ^= std::byte{128};
    EXPECT_FALSE(reader.open(1, changed)) << at;
  }
  EXPECT_FALSE(reader.open(2, record));
  ASSERT_TRUE(reader.begin(1, &record.tag) && reader.associate(6));
  Record same = record;
  EXPECT_FALSE(reader.run(same.content)) << "other associated data";
  EXPECT_EQ(reader.open(1, record), content);
}

TEST_P(TlsLibraryTest, RefusesEveryOtherOrder) {
  Records writer(library_.get(), true), reader(library_.get(), false);
  ByteVector content = pattern(100, 1);
  EXPECT_FALSE(writer.run(content)) << "no nonce";
  const Record record = *writer.seal(1, content);
  EXPECT_FALSE(writer.run(content)) << "a nonce for two";
  EXPECT_FALSE(writer.associate(5)) << "a nonce for two";
  AeadTag tag{};
  ASSERT_TRUE(writer.begin(2));
  EXPECT_NE(EVP_CIPHER_CTX_ctrl(writer.get(), EVP_CTRL_AEAD_GET_TAG, 16, tag.data()), 1)
      << "nothing was sealed";
  EXPECT_NE(EVP_CIPHER_CTX_ctrl(writer.get(), EVP_CTRL_AEAD_SET_TAG, 16, tag.data()), 1)
      << "nothing is opened";
  EXPECT_FALSE(writer.associate(65)) << "more than is ever associated";
  EXPECT_NE(EVP_CIPHER_CTX_ctrl(writer.get(), EVP_CTRL_AEAD_SET_IVLEN, 16, nullptr), 1);
  ASSERT_TRUE(reader.begin(1) && reader.associate(5));
  Record copy = record;
  EXPECT_FALSE(reader.run(copy.content)) << "no tag to hold it against";
  ASSERT_TRUE(reader.begin(1));
  EXPECT_NE(EVP_CIPHER_CTX_ctrl(reader.get(), EVP_CTRL_AEAD_SET_TAG, 12, tag.data()), 1)
      << "a short tag";
  ASSERT_TRUE(reader.begin(1, &record.tag));
  ASSERT_EQ(EVP_CipherInit_ex(reader.get(), nullptr, nullptr, nullptr, nullptr, 1), 1);
  EXPECT_FALSE(reader.run(copy.content)) << "another way round with the nonce of a record";
  EXPECT_NE(EVP_CIPHER_CTX_ctrl(reader.get(), EVP_CTRL_AEAD_GET_TAG, 16, tag.data()), 1);
  int written = 0;
  ASSERT_TRUE(writer.begin(3));
  EXPECT_NE(EVP_CipherFinal_ex(writer.get(), octets(MutableBytes(content)), &written), 1)
      << "no content";
}

INSTANTIATE_TEST_SUITE_P(Libraries, TlsLibraryTest, testing::Values("openssl", "ipsec"),
                         [](const auto& each) { return std::string(each.param); });

TEST(TlsLibrary, LeavesOtherCiphersAlone) {
  const auto library = make_tls_library(make_aeads_openssl()).value();
  const CipherOwner elsewhere(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", kOurs), EVP_CIPHER_free);
  EXPECT_EQ(elsewhere, nullptr);
  const CipherOwner preferred(
      EVP_CIPHER_fetch(library->context(), "AES-256-GCM", library->properties()), EVP_CIPHER_free);
  ASSERT_NE(preferred, nullptr);
  EXPECT_STREQ(EVP_CIPHER_get0_description(preferred.get()), "for the records of TLS 1.3");
  const CipherOwner other(
      EVP_CIPHER_fetch(library->context(), "AES-128-GCM", library->properties()), EVP_CIPHER_free);
  EXPECT_NE(other, nullptr);
}

TEST(TlsLibrary, WithoutAMakerIsOpenSsl) {
  const auto library = make_tls_library(nullptr).value();
  const CipherOwner cipher(
      EVP_CIPHER_fetch(library->context(), "AES-256-GCM", library->properties()), EVP_CIPHER_free);
  ASSERT_NE(cipher, nullptr);
  EXPECT_STRNE(EVP_CIPHER_get0_description(cipher.get()), "for the records of TLS 1.3");
}

}  // namespace
}  // namespace cloister
