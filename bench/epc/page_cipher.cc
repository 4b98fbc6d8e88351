#include "epc/page_cipher.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstring>

namespace cloister {
namespace {

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;
using Nonce = std::array<unsigned char, 12>;

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

Nonce nonce_of(std::uint64_t version) {
  Nonce nonce{};
  std::memcpy(nonce.data(), &version, sizeof(version));
  return nonce;
}

/// What sealing and opening share: the nonce, the page's number, the page.
bool apply(EVP_CIPHER_CTX* context, PageView page, std::uint64_t number, std::uint64_t version) {
  const Nonce nonce = nonce_of(version);
  const auto* const associated = reinterpret_cast<const unsigned char*>(&number);
  int count = 0;
  return EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce.data(), -1) == 1 &&
         EVP_CipherUpdate(context, nullptr, &count, associated, sizeof(number)) == 1 &&
         EVP_CipherUpdate(context, raw(page.data()), &count, raw(page.data()),
                          static_cast<int>(page.size())) == 1;
}

}  // namespace

struct PageCipher::Parts {
  Context sealing{EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free};
  Context opening{EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free};
};

PageCipher::PageCipher(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
PageCipher::PageCipher(PageCipher&&) noexcept = default;
PageCipher::~PageCipher() = default;

Result<PageCipher> PageCipher::make() {
  auto parts = std::make_unique<Parts>();
  std::array<unsigned char, 16> key{};
  const bool made =
      parts->sealing && parts->opening &&
      RAND_bytes(key.data(), static_cast<int>(key.size())) == 1 &&
      EVP_CipherInit_ex(parts->sealing.get(), EVP_aes_128_gcm(), nullptr, key.data(), nullptr,
                        1) == 1 &&
      EVP_CipherInit_ex(parts->opening.get(), EVP_aes_128_gcm(), nullptr, key.data(), nullptr,
                        0) == 1;
  if (!made) return Error{Code::internal, "epc.cipher"};
  return PageCipher(std::move(parts));
}

Result<PageTag> PageCipher::seal(PageView page, std::uint64_t number, std::uint64_t version) {
  EVP_CIPHER_CTX* const context = parts_->sealing.get();
  PageTag tag{};
  int count = 0;
  if (!apply(context, page, number, version) ||
      EVP_CipherFinal_ex(context, raw(page.data()), &count) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()),
                          tag.data()) != 1) {
    return Error{Code::internal, "epc.seal"};
  }
  return tag;
}

Status PageCipher::open(PageView page, std::uint64_t number, std::uint64_t version,
                        const PageTag& tag) {
  EVP_CIPHER_CTX* const context = parts_->opening.get();
  PageTag expected = tag;
  int count = 0;
  if (!apply(context, page, number, version) ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(expected.size()),
                          expected.data()) != 1 ||
      EVP_CipherFinal_ex(context, raw(page.data()), &count) != 1) {
    return Error{Code::corrupt, "epc.open"};
  }
  return Done{};
}

}  // namespace cloister
