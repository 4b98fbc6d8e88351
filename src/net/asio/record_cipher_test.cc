#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <string>
#include <utility>

#include "crypto/aead.h"
#include "net/server.h"
#include "support/tls_client.h"

namespace cloister {
namespace {

/// How often ciphers were made and used.
struct Counts {
  std::atomic<int> made{0};
  std::atomic<int> sealed{0};
  std::atomic<int> opened{0};
};

class CountingAead final : public Aead {
 public:
  CountingAead(std::unique_ptr<Aead> aead, Counts& counts)
      : aead_(std::move(aead)), counts_(counts) {}
  Result<AeadTag> seal(const AeadNonce& nonce, Bytes associated, Bytes plaintext,
                       MutableBytes ciphertext) const override {
    ++counts_.sealed;
    return aead_->seal(nonce, associated, plaintext, ciphertext);
  }
  Status open(const AeadNonce& nonce, Bytes associated, Bytes ciphertext, const AeadTag& tag,
              MutableBytes plaintext) const override {
    ++counts_.opened;
    return aead_->open(nonce, associated, ciphertext, tag, plaintext);
  }

 private:
  std::unique_ptr<Aead> aead_;
  Counts& counts_;
};

class CountingAeads final : public AeadMaker {
 public:
  CountingAeads(std::unique_ptr<AeadMaker> aeads, Counts& counts)
      : aeads_(std::move(aeads)), counts_(counts) {}
  Result<std::unique_ptr<Aead>> make(const SecretBytes& key) const override {
    CLOISTER_ASSIGN(auto aead, aeads_->make(key));
    ++counts_.made;
    return std::unique_ptr<Aead>(std::make_unique<CountingAead>(std::move(aead), counts_));
  }
  const char* name() const noexcept override { return aeads_->name(); }

 private:
  std::unique_ptr<AeadMaker> aeads_;
  Counts& counts_;
};

class Echo final : public RequestHandler {
 public:
  HeadDecision decide(const HttpRequestHead&) override { return BodyPlan{8U << 20, 60}; }
  void handle(HttpRequestHead, RequestBody body, std::shared_ptr<Responder> responder) override {
    responder->send(text_response(200, "text/plain", std::string(text_of(body.bytes()))));
  }
};

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 31 + i / 251) % 256);
  return text;
}

/// With the ciphers of either library beneath.
class RecordCipherTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto aeads = GetParam() == std::string("ipsec") ? make_aeads_ipsec() : make_aeads_openssl();
    if (aeads == nullptr) GTEST_SKIP() << "this processor has no AVX-512 with VAES";
    server_ = start_https_server({}, make_test_identity(), echo_,
                                 std::make_shared<CountingAeads>(std::move(aeads), counts_))
                  .value();
  }
  /// Whether `size` bytes come back as they went.
  bool echoes(TlsClient& client, std::size_t size) {
    const std::string body = pattern(size);
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: " + std::to_string(size) +
                "\r\n\r\n" + body);
    const auto answer = client.receive();
    return answer && answer->status == 200 && answer->body == body;
  }

  Counts counts_;
  Echo echo_;
  std::unique_ptr<HttpsServer> server_;
};

TEST_P(RecordCipherTest, CarriesEveryRecordOfASession) {
  TlsClient client(server_->port());
  ASSERT_EQ(client.cipher(), "TLS_AES_256_GCM_SHA384");
  for (const std::size_t size : {1UL, 100UL, 16384UL, 65537UL, 602112UL, 5000000UL}) {
    EXPECT_TRUE(echoes(client, size)) << size;
  }
  constexpr int kRecordsLeast = 5'687'000 / 16384;
  EXPECT_GE(counts_.opened, kRecordsLeast);
  EXPECT_GE(counts_.sealed, kRecordsLeast);
  EXPECT_EQ(counts_.made, 4) << "both ways: the handshake's and the session's";
}

TEST_P(RecordCipherTest, TakesNewKeysBothWays) {
  TlsClient client(server_->port());
  EXPECT_TRUE(echoes(client, 100000));
  const int made = counts_.made;
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(client.request_key_update(true));
    EXPECT_TRUE(echoes(client, 100000)) << i;
    EXPECT_EQ(counts_.made, made + 2 * i);
  }
}

TEST_P(RecordCipherTest, EndsASessionWhoseRecordDoesNotHold) {
  TlsClient client(server_->port());
  EXPECT_TRUE(echoes(client, 100));
  std::string record = "\x17\x03\x03";
  record += std::string("\0\x20", 2) + pattern(32);
  ASSERT_EQ(::send(client.descriptor(), record.data(), record.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(record.size()));
  EXPECT_FALSE(client.receive());
  TlsClient other(server_->port());
  EXPECT_TRUE(echoes(other, 100));
}

TEST_P(RecordCipherTest, LeavesOtherSuitesToOpenSsl) {
  for (const char* const suite : {"TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"}) {
    TlsClient client(server_->port(), {.cipher = suite});
    EXPECT_EQ(client.cipher(), suite);
    EXPECT_TRUE(echoes(client, 100000));
  }
  EXPECT_EQ(counts_.made, 0);
}

INSTANTIATE_TEST_SUITE_P(Libraries, RecordCipherTest, testing::Values("openssl", "ipsec"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace cloister
