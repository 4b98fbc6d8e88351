#include "crypto/aead.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "crypto/secret_reader.h"

namespace cloister {
namespace {

constexpr std::size_t kUpdateBytesMax = 1U << 30;  // EVP counts in int

struct FreeCipher {
  void operator()(EVP_CIPHER* cipher) const noexcept { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

const unsigned char* chars(const std::byte* bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes);
}
unsigned char* chars(std::byte* bytes) noexcept { return reinterpret_cast<unsigned char*>(bytes); }

class OpenSslAead final : public Aead {
 public:
  OpenSslAead(std::unique_ptr<EVP_CIPHER, FreeCipher> cipher, SecretBytes key) noexcept
      : cipher_(std::move(cipher)), key_(std::move(key)) {}

  Result<AeadTag> seal(const AeadNonce& nonce, Bytes associated, Bytes plaintext,
                       MutableBytes ciphertext) const override {
    if (plaintext.size() != ciphertext.size()) return Error{Code::internal, "crypto.seal.size"};
    CLOISTER_ASSIGN(const CipherContext context, begin(nonce, associated, 1));
    CLOISTER_TRY(update(context.get(), plaintext, ciphertext));
    AeadTag tag{};
    int none = 0;
    if (EVP_CipherFinal_ex(context.get(), nullptr, &none) != 1 ||
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, tag.data()) != 1) {
      return Error{Code::internal, "crypto.seal.tag"};
    }
    return tag;
  }

  Status open(const AeadNonce& nonce, Bytes associated, Bytes ciphertext, const AeadTag& tag,
              MutableBytes plaintext) const override {
    if (plaintext.size() != ciphertext.size()) return Error{Code::internal, "crypto.open.size"};
    Status opened = open_unwiped(nonce, associated, ciphertext, tag, plaintext);
    if (!opened.ok()) wipe(plaintext);
    return opened;
  }

 private:
  Status open_unwiped(const AeadNonce& nonce, Bytes associated, Bytes ciphertext, AeadTag tag,
                      MutableBytes plaintext) const {
    CLOISTER_ASSIGN(const CipherContext context, begin(nonce, associated, 0));
    CLOISTER_TRY(update(context.get(), ciphertext, plaintext));
    if (EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, tag.data()) != 1) {
      return Error{Code::internal, "crypto.open.tag"};
    }
    int none = 0;
    if (EVP_CipherFinal_ex(context.get(), nullptr, &none) != 1) {
      return Error{Code::corrupt, "crypto.open.tag"};
    }
    return Done{};
  }

  // A context of its own for every call: contexts are not shared between threads.
  Result<CipherContext> begin(const AeadNonce& nonce, Bytes associated, int encrypt) const {
    CipherContext context(EVP_CIPHER_CTX_new());
    if (context == nullptr ||
        EVP_CipherInit_ex2(context.get(), cipher_.get(), chars(SecretReader::read(key_).data()),
                           chars(nonce.data()), encrypt, nullptr) != 1) {
      return Error{Code::internal, "crypto.aead.begin"};
    }
    int count = 0;
    if (associated.size() > kUpdateBytesMax ||
        (!associated.empty() &&
         EVP_CipherUpdate(context.get(), nullptr, &count, chars(associated.data()),
                          static_cast<int>(associated.size())) != 1)) {
      return Error{Code::internal, "crypto.aead.associated"};
    }
    return context;
  }

  static Status update(EVP_CIPHER_CTX* context, Bytes from, MutableBytes to) {
    while (!from.empty()) {
      const std::size_t step = std::min(from.size(), kUpdateBytesMax);
      int count = 0;
      if (EVP_CipherUpdate(context, chars(to.data()), &count, chars(from.data()),
                           static_cast<int>(step)) != 1) {
        return Error{Code::internal, "crypto.aead.update"};
      }
      from = from.subspan(step);
      to = to.subspan(step);
    }
    return Done{};
  }

  std::unique_ptr<EVP_CIPHER, FreeCipher> cipher_;
  SecretBytes key_;
};

class OpenSslAeads final : public AeadMaker {
 public:
  Result<std::unique_ptr<Aead>> make(const SecretBytes& key) const override {
    return make_aead_openssl(key);
  }
  const char* name() const noexcept override { return "openssl"; }
};

}  // namespace

std::unique_ptr<AeadMaker> make_aeads_openssl() { return std::make_unique<OpenSslAeads>(); }

Result<std::unique_ptr<Aead>> make_aead_openssl(const SecretBytes& key) {
  if (key.size() != kAeadKeyBytes) return Error{Code::invalid, "crypto.aead.key"};
  std::unique_ptr<EVP_CIPHER, FreeCipher> cipher(
      EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  if (cipher == nullptr) return Error{Code::internal, "crypto.aead.cipher"};
  SecretBytes copy(kAeadKeyBytes);
  std::ranges::copy(SecretReader::read(key), SecretReader::write(copy).begin());
  return std::unique_ptr<Aead>(std::make_unique<OpenSslAead>(std::move(cipher), std::move(copy)));
}

}  // namespace cloister
